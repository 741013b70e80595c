//! What a scenario says, in words: services with their capacity beside their load, traffic, nodes, faults, and which kernel.

mod room;
mod words;

use seatrial_envs::spec::graph::expected_calls;
use seatrial_envs::spec::service::Balancing;
use seatrial_envs::spec::traffic::ClassSpec;
use seatrial_envs::spec::{
    Distribution, FaultSpec, Inputs, KernelChoice, Sampler, ScenarioSpec, ServiceSpec, SourceLoad, TrafficSpec,
};

use super::LoadedScenario;
use words::{count, number, span, whole};

/// Load of a service: calls and cores at the worst moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Demand {
    calls_per_s: f64,
    cores: f64,
}

/// The lines that `check` prints; `records` says for each source what was recorded, if anything.
pub(super) fn lines(loaded: &LoadedScenario, inputs: &Inputs, records: &[Option<String>]) -> Vec<String> {
    let spec = &loaded.spec;
    let mut lines = vec![format!("{}: nothing is wrong", loaded.origin), String::new()];
    lines.push(format!("name      {}: {}", spec.name, spec.summary));
    lines.push(format!("kernel    {}", kernel(spec.kernel)));
    let warm_up = if spec.warm_up_s > 0.0 {
        format!(", of which {} count in no result", span(spec.warm_up_s))
    } else {
        String::new()
    };
    lines.push(format!("time      {}{warm_up}; seed {}", span(spec.duration_s), spec.seed));
    lines.push(format!("good      {}", good(spec)));
    traffic(spec, inputs, records, &mut lines);
    for (name, service) in &spec.services {
        self::service(spec, inputs, (name, service), &mut lines);
    }
    if let Some(cluster) = &spec.cluster {
        room::lines(spec, cluster, inputs, &mut lines);
    }
    faults(spec, &mut lines);
    lines
}

const fn kernel(kernel: KernelChoice) -> &'static str {
    match kernel {
        KernelChoice::Fluid => "fluid: requests as a flow, waiting in closed form",
        KernelChoice::Events => "events: every request, pod and node one by one",
    }
}

fn good(spec: &ScenarioSpec) -> String {
    let wait = spec.slo.wait_s.map(|wait| format!("waits at most {} for a worker", span(wait)));
    let latency = spec.slo.latency_s.map(|latency| format!("is answered within {}", span(latency)));
    let rules: Vec<String> = wait.into_iter().chain(latency).collect();
    let client = spec
        .client
        .timeout_s
        .map_or_else(|| "wait for ever".into(), |wait| format!("give a try up after {}", span(wait)));
    let retries = spec.client.retries.map_or_else(String::new, |retries| {
        let budget =
            retries.budget_ratio.map_or("no budget".into(), |ratio| format!("a budget of {ratio} per request"));
        format!(", with up to {} tries and {budget}", retries.attempts)
    });
    let rule = if rules.is_empty() { "is answered".to_owned() } else { rules.join(" and ") };
    format!("a request that {rule}; clients {client}{retries}")
}

fn traffic(spec: &ScenarioSpec, inputs: &Inputs, records: &[Option<String>], lines: &mut Vec<String>) {
    let (mut requests, mut calls) = (0.0, 0.0);
    for (index, (source, load)) in spec.traffic.iter().zip(&inputs.loads).enumerate() {
        let (mean, peak) = rates(load, spec.duration_s);
        let (of_source, causes) = (mean * spec.duration_s, expected_calls(spec, &source.service));
        (requests, calls) = (requests + of_source, calls + of_source * causes.values().sum::<f64>());
        let kind = if matches!(load, SourceLoad::Listed(_)) { "recorded requests" } else { "requests" };
        lines.push(format!(
            "traffic   to {}: {} {kind}, {}/s on average, {}/s at the peak",
            source.service,
            number(of_source),
            number(mean),
            number(peak)
        ));
        lines.extend(records.get(index).into_iter().flatten().map(|record| format!("          {record}")));
        let is_paid = causes.keys().any(|name| spec.services[*name].token_cost.is_some());
        if has_tokens(source, load) && !is_paid {
            lines.push("          ITS TOKENS COST NOTHING: no service that it reaches has a `token_cost`".to_owned());
        }
    }
    if spec.kernel == KernelChoice::Events && requests > 0.0 {
        let (requests, calls) = (number(requests), number(calls));
        lines
            .push(format!("played    one by one: {requests} requests, with {calls} calls of services; retries on top"));
    }
}

fn has_tokens(source: &TrafficSpec, load: &SourceLoad) -> bool {
    let of_class = |class: &ClassSpec| class.input_tokens.is_some() || class.output_tokens.is_some();
    match load {
        SourceLoad::Rates(_) => source.classes.iter().any(of_class),
        SourceLoad::Listed(requests) => requests.iter().any(|request| request.input_tokens + request.output_tokens > 0),
    }
}

/// Mean and greatest requests per second; recorded ones are counted by the minute for the peak.
#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn rates(load: &SourceLoad, duration_s: f64) -> (f64, f64) {
    match load {
        SourceLoad::Rates(load) => {
            let rates = load.rates_per_s();
            (rates.iter().sum::<f64>() / rates.len() as f64, rates.iter().copied().fold(0.0, f64::max))
        }
        SourceLoad::Listed(requests) => {
            let mut most = 0;
            for group in requests.chunk_by(|a, b| a.at.micros() / 60_000_000 == b.at.micros() / 60_000_000) {
                most = most.max(group.len());
            }
            (requests.len() as f64 / duration_s, most as f64 / 60.0)
        }
    }
}

fn service(spec: &ScenarioSpec, inputs: &Inputs, (name, service): (&String, &ServiceSpec), lines: &mut Vec<String>) {
    let (least, most) =
        service.autoscaling.as_ref().map_or((service.replicas, service.replicas), |scaling| (scaling.min, scaling.max));
    let scaled = service.autoscaling.as_ref().map_or_else(
        || "nobody scales it".to_owned(),
        |scaling| {
            let (least, most) = (whole(least.into()), whole(most.into()));
            format!("{} scales it from {least} to {most}", scaling.strategy.policy.id)
        },
    );
    let cores = if service.cores == 1.0 { "1 core".to_owned() } else { format!("{} cores", number(service.cores)) };
    lines.push(format!("service   {name}: {} of {cores}; {scaled}", count(service.replicas, "pod")));
    let demand = demand(spec, inputs, name, service);
    if demand.calls_per_s <= 0.0 {
        lines.push("          nobody calls it".to_owned());
        return;
    }
    let usable = service.concurrency.map_or(service.cores, |concurrency| service.cores.min(f64::from(concurrency)));
    let speed = node_speed(spec, inputs);
    let needed = (demand.cores / (usable * speed)).ceil();
    let enough = match (needed <= f64::from(service.replicas), needed <= f64::from(most)) {
        (true, _) => "enough from the start",
        (false, true) => "more than at the start, within its bounds",
        (false, false) => "MORE THAN IT MAY HAVE: it will be overloaded",
    };
    lines.push(format!(
        "          at the peak {} calls/s keep {} cores busy: {} at the least, {enough}",
        number(demand.calls_per_s),
        number(demand.cores),
        if needed == 1.0 { "1 pod".to_owned() } else { format!("{} pods", number(needed)) },
    ));
    lines.extend(not_counted(spec, service, speed).into_iter().map(|what| format!("          {what}")));
    lines.extend(unused_request(service, usable).map(|what| format!("          {what}")));
    let busy = demand.cores / f64::from(service.replicas.max(1));
    lines.extend(memory(service, busy).map(|memory| format!("          {memory}")));
    let reaches = |source: &TrafficSpec| expected_calls(spec, &source.service).contains_key(name.as_str());
    let mut sources = spec.traffic.iter().zip(&inputs.loads).filter(|(source, _)| reaches(source));
    if service.token_cost.is_some() && !sources.any(|(source, load)| has_tokens(source, load)) {
        lines.push("          ITS `token_cost` COUNTS NOTHING: no request that reaches it has tokens".to_owned());
    }
}

/// Mean speed of the nodes that pods may be on; 1 where there are none.
fn node_speed(spec: &ScenarioSpec, inputs: &Inputs) -> f64 {
    let pools = spec.cluster.iter().flat_map(|cluster| cluster.pools.values());
    let (mut nodes, mut speed) = (0.0, 0.0);
    for pool in pools {
        let count = f64::from(pool.nodes.max(1));
        nodes += count;
        speed += count * Sampler::new(&pool.speed, inputs).map_or(1.0, |sampler| sampler.mean());
    }
    if nodes > 0.0 && speed > 0.0 { speed / nodes } else { 1.0 }
}

/// What the line about a service's capacity takes into account in an unusual way, or not at all.
fn not_counted(spec: &ScenarioSpec, service: &ServiceSpec, speed: f64) -> Vec<String> {
    let mut notes = Vec::new();
    if (speed - 1.0).abs() > 0.005 {
        notes.push(format!("at the nodes' mean speed of {}", number(speed)));
    }
    if service.holds_worker && !service.calls.is_empty() {
        notes.push("NOT COUNTED: a worker is held until its calls are answered, so more pods may be needed".to_owned());
    }
    if spec.workloads.values().any(|workload| workload.slows_neighbours > 0.0) {
        notes.push("NOT COUNTED: workloads that slow their neighbours".to_owned());
    }
    notes
}

/// What an autoscaler on CPU takes for a busy pod, where a pod cannot use what it requests.
fn unused_request(service: &ServiceSpec, usable_cores: f64) -> Option<String> {
    let request_cores = f64::from(service.pod.cpu_request_milli) / 1_000.0;
    let share = usable_cores / request_cores;
    (service.autoscaling.is_some() && share < 0.95).then(|| {
        format!(
            "a pod can use {} of the {} cores that it requests (`pod.cpu_request_milli`): AN AUTOSCALER ON CPU NEVER SEES MORE THAN {} %",
            number(usable_cores),
            number(request_cores),
            number((100.0 * share).round())
        )
    })
}

/// How many requests a pod has memory for, where they need any.
fn memory(service: &ServiceSpec, busy_cores: f64) -> Option<String> {
    let pod = &service.pod;
    let each_mib = pod.memory_per_request_mib;
    let holds = ((f64::from(pod.memory_limit_mib) - pod.memory_base_mib) / each_mib).floor();
    let serves = service.concurrency.map_or(busy_cores.ceil().max(1.0), f64::from);
    let at_once = if holds == 1.0 { "1 request".to_owned() } else { format!("{} requests", number(holds)) };
    let waiting = if service.balancing == Balancing::Shared { "" } else { ", queued ones included" };
    (each_mib > 0.0).then(|| match holds < serves {
        true => format!(
            "a pod has memory for {at_once} at once{waiting}, and serves {}: ONE MORE KILLS IT (OOM)",
            number(serves)
        ),
        false => format!("a pod has memory for {at_once} at once{waiting}; one more kills it (OOM)"),
    })
}

/// What all sources at their peaks together ask of a service.
fn demand(spec: &ScenarioSpec, inputs: &Inputs, name: &str, service: &ServiceSpec) -> Demand {
    let mut demand = Demand::default();
    for (source, load) in spec.traffic.iter().zip(&inputs.loads) {
        let calls =
            expected_calls(spec, &source.service).get(name).copied().unwrap_or(0.0) * rates(load, spec.duration_s).1;
        demand.calls_per_s += calls;
        demand.cores += calls * work_s(inputs, service, source, load);
    }
    demand
}

/// Mean CPU seconds of a call.
#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn work_s(inputs: &Inputs, service: &ServiceSpec, source: &TrafficSpec, load: &SourceLoad) -> f64 {
    let mean = |distribution: &Distribution| Sampler::new(distribution, inputs).map_or(0.0, |sampler| sampler.mean());
    let factor =
        if source.classes.is_empty() { 1.0 } else { source.classes.iter().map(|class| class.share * class.work).sum() };
    let class_tokens = |pick: fn(&ClassSpec) -> Option<&Distribution>| -> f64 {
        source.classes.iter().map(|class| class.share * pick(class).map_or(0.0, mean)).sum()
    };
    let mut tokens =
        [class_tokens(|class| class.input_tokens.as_ref()), class_tokens(|class| class.output_tokens.as_ref())];
    if let SourceLoad::Listed(requests) = load {
        let count = requests.len().max(1) as f64;
        tokens[0] = requests.iter().map(|request| f64::from(request.input_tokens)).sum::<f64>() / count;
        tokens[1] = requests.iter().map(|request| f64::from(request.output_tokens)).sum::<f64>() / count;
    }
    let cost =
        service.token_cost.map_or(0.0, |cost| cost.per_input_token_s * tokens[0] + cost.per_output_token_s * tokens[1]);
    mean(&service.service_time_s) * factor + cost
}

fn faults(spec: &ScenarioSpec, lines: &mut Vec<String>) {
    for fault in &spec.faults {
        let (at_s, what) = match fault {
            FaultSpec::NodeLoss { pool, nodes, at_s, .. } => (at_s, lost_nodes(*nodes, pool)),
            FaultSpec::MetricsOutage { at_s, for_s } => (at_s, format!("no scrape succeeds for {}", span(*for_s))),
            FaultSpec::PodKill { service, pods, at_s } => (at_s, killed_pods(spec, *pods, service)),
            FaultSpec::Slowdown { service, speed, at_s, for_s } => {
                (at_s, format!("{service} runs at {speed} of its speed for {}", span(*for_s)))
            }
        };
        lines.push(format!("fault     after {}: {what}", span(*at_s)));
    }
    for (name, service) in &spec.services {
        for at_s in &service.rollout.at_s {
            lines.push(format!("rollout   after {}: a new revision of {name}", span(*at_s)));
        }
    }
}

fn lost_nodes(nodes: u32, pool: &str) -> String {
    format!("{} of {pool} {} silent", count(nodes, "node"), if nodes == 1 { "falls" } else { "fall" })
}

fn killed_pods(spec: &ScenarioSpec, pods: u32, service: &str) -> String {
    let there = spec.services.get(service).map_or(0, |service| service.replicas);
    let all =
        if pods > there { format!("; all that are ready, if fewer: it begins with {there}") } else { String::new() };
    format!("{} of {service} {} killed{all}", count(pods, "pod"), if pods == 1 { "is" } else { "are" })
}
