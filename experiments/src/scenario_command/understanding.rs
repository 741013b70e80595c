//! What a scenario says, in words: services with their capacity beside their load, traffic, nodes, faults, and which kernel.

use seatrial_envs::spec::graph::expected_calls;
use seatrial_envs::spec::{
    ClusterSpec, Distribution, FaultSpec, Inputs, KernelChoice, PoolSpec, Sampler, ScenarioSpec, ServiceSpec,
    SourceLoad,
};

use super::LoadedScenario;

/// Load of a service: calls and cores at the worst moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Demand {
    calls_per_s: f64,
    cores: f64,
}

/// The lines that `check` prints.
pub(super) fn lines(loaded: &LoadedScenario, inputs: &Inputs) -> Vec<String> {
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
    traffic(spec, inputs, &mut lines);
    for (name, service) in &spec.services {
        self::service(spec, inputs, (name, service), &mut lines);
    }
    if let Some(cluster) = &spec.cluster {
        nodes(spec, cluster, inputs, &mut lines);
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

fn traffic(spec: &ScenarioSpec, inputs: &Inputs, lines: &mut Vec<String>) {
    for (source, load) in spec.traffic.iter().zip(&inputs.loads) {
        let (mean, peak) = rates(load, spec.duration_s);
        let requests = mean * spec.duration_s;
        let kind = if matches!(load, SourceLoad::Listed(_)) { "recorded requests" } else { "requests" };
        lines.push(format!(
            "traffic   to {}: {} {kind}, {}/s on average, {}/s at the peak",
            source.service,
            number(requests),
            number(mean),
            number(peak)
        ));
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
        |scaling| format!("{} scales it from {least} to {most}", scaling.strategy.policy.id),
    );
    let pods = counted(service.replicas, "pod");
    lines.push(format!("service   {name}: {pods} of {} cores; {scaled}", number(service.cores)));
    let demand = demand(spec, inputs, name, service);
    if demand.calls_per_s <= 0.0 {
        lines.push("          nobody calls it".to_owned());
        return;
    }
    let usable = service.concurrency.map_or(service.cores, |concurrency| service.cores.min(f64::from(concurrency)));
    let needed = (demand.cores / usable).ceil();
    let enough = match (needed <= f64::from(service.replicas), needed <= f64::from(most)) {
        (true, _) => "enough from the start",
        (false, true) => "more than at the start, within its bounds",
        (false, false) => "MORE THAN IT MAY HAVE: it will be overloaded",
    };
    lines.push(format!(
        "          at the peak {} calls/s keep {} cores busy: {} {} at the least, {enough}",
        number(demand.calls_per_s),
        number(demand.cores),
        number(needed),
        if needed == 1.0 { "pod" } else { "pods" }
    ));
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
fn work_s(inputs: &Inputs, service: &ServiceSpec, source: &seatrial_envs::spec::TrafficSpec, load: &SourceLoad) -> f64 {
    let mean = |distribution: &Distribution| Sampler::new(distribution, inputs).map_or(0.0, |sampler| sampler.mean());
    let factor =
        if source.classes.is_empty() { 1.0 } else { source.classes.iter().map(|class| class.share * class.work).sum() };
    let class_tokens = |pick: fn(&seatrial_envs::spec::traffic::ClassSpec) -> Option<&Distribution>| -> f64 {
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

fn nodes(spec: &ScenarioSpec, cluster: &ClusterSpec, inputs: &Inputs, lines: &mut Vec<String>) {
    let (mut now, mut most) = (0.0, 0.0);
    for (name, pool) in &cluster.pools {
        let (count, cores) = match pool.inventory.as_ref().and_then(|id| inputs.inventories.get(id)) {
            Some(nodes) => (nodes.len().to_string(), nodes.iter().map(|node| milli(node.cpu_milli)).sum::<f64>()),
            None => (sizes(pool), milli(pool.cpu_milli) * f64::from(pool.nodes)),
        };
        let grown = milli(pool.cpu_milli) * f64::from(pool.max.unwrap_or(pool.nodes).saturating_sub(pool.nodes));
        (now, most) = (now + cores, most + cores + grown);
        lines.push(format!("nodes     {name}: {count}, {} cores at the start", number(cores)));
    }
    let asked: f64 = spec.services.values().map(asked_most).sum::<f64>() + workloads(spec);
    let fits = match (asked <= now, asked <= most) {
        (true, _) => "there is room for all",
        (false, true) => "nodes will have to be added",
        (false, false) => "MORE THAN THERE CAN BE: pods will be Pending",
    };
    let all = format!("at their most, all pods ask for {} of {} cores", number(asked), number(most));
    lines.push(format!("          {all}; {fits}"));
    for (name, pods) in &inputs.pods {
        lines.push(format!("          {} recorded pods of {name} come and go", number_of(pods.len())));
    }
}

fn sizes(pool: &PoolSpec) -> String {
    match pool.max {
        Some(max) if max > pool.nodes => format!("{}, {} to {max}", counted(pool.nodes, "node"), pool.min),
        _ => counted(pool.nodes, "node"),
    }
}

/// `1 pod`, `2 pods`.
fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn asked_most(service: &ServiceSpec) -> f64 {
    let most = service.autoscaling.as_ref().map_or(service.replicas, |scaling| scaling.max);
    milli(u64::from(service.pod.cpu_request_milli)) * f64::from(most)
}

fn workloads(spec: &ScenarioSpec) -> f64 {
    spec.workloads.values().map(|workload| milli(workload.cpu_request_milli) * f64::from(workload.replicas)).sum()
}

#[expect(clippy::cast_precision_loss, reason = "sizes of nodes are far below 2^52")]
fn milli(milli: u64) -> f64 {
    milli as f64 / 1_000.0
}

fn faults(spec: &ScenarioSpec, lines: &mut Vec<String>) {
    for fault in &spec.faults {
        let (at_s, what) = match fault {
            FaultSpec::NodeLoss { pool, nodes, at_s, .. } => {
                let fall = if *nodes == 1 { "falls" } else { "fall" };
                (at_s, format!("{} of {pool} {fall} silent", counted(*nodes, "node")))
            }
            FaultSpec::MetricsOutage { at_s, for_s } => (at_s, format!("no scrape succeeds for {}", span(*for_s))),
            FaultSpec::PodKill { service, pods, at_s } => {
                let are = if *pods == 1 { "is" } else { "are" };
                (at_s, format!("{} of {service} {are} killed", counted(*pods, "pod")))
            }
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

fn number_of(count: usize) -> String {
    u32::try_from(count).map_or_else(|_| count.to_string(), |count| number(f64::from(count)))
}

/// A number as people write it: three digits that count, thousands set apart.
fn number(value: f64) -> String {
    if value < 100.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds in the largest unit that keeps them short.
fn span(seconds: f64) -> String {
    match seconds {
        s if s >= 7_200.0 => format!("{} h", number(s / 3_600.0)),
        s if s >= 120.0 => format!("{} min", number(s / 60.0)),
        s if s >= 1.0 || s == 0.0 => format!("{} s", number(s)),
        s => format!("{} ms", number(s * 1_000.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_short() {
        for (value, text) in [(0.0, "0"), (2.5, "2.5"), (99.999, "100"), (1_234_567.0, "1,234,567"), (100.4, "100")] {
            assert_eq!(number(value), text);
        }
        for (seconds, text) in [(0.12, "120 ms"), (5.0, "5 s"), (119.0, "119 s"), (900.0, "15 min"), (7_200.0, "2 h")] {
            assert_eq!(span(seconds), text);
        }
    }
}
