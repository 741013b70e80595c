//! One edit of a sound text per guard: the message names the key, its place and what is allowed.

use seatrial_experiments::scenario_command::{GALLERY, parse};

use super::gallery;

/// A gallery scenario, what is replaced in it and by what, the key that is named, and a word of the message.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

const WEB: &str = "single-web-service";

fn message((name, from, to, ..): Case) -> (String, String) {
    let text = gallery(name);
    assert!(text.contains(from), "{name} does not contain {from}");
    let edited = text.replacen(from, to, 1);
    let error = parse(&edited, "s.toml").expect_err(to).to_string();
    (edited, error)
}

fn all_are_refused(cases: &[Case]) {
    for case in cases {
        let (edited, error) = message(*case);
        let (_, _, to, key, word) = case;
        let line = error.lines().find(|line| line.contains(&format!("`{key}`")));
        let line = line.unwrap_or_else(|| panic!("{to}: no `{key}` in: {error}"));
        assert!(line.contains(word), "{to}: no `{word}` in: {line}");
        let mut place = line.strip_prefix("s.toml:").unwrap_or_else(|| panic!("no place in: {line}")).split(':');
        let mut next = || place.next().unwrap().parse::<usize>().unwrap();
        let (at_line, at_column) = (next(), next());
        let source = edited.lines().nth(at_line - 1).unwrap();
        assert!(at_column <= source.chars().count() + 1, "{line}");
        if !line.contains("(not in the file)") && !line.contains("is missing") {
            // The place is that of the key's last name, or of an item of a list, or of a table around it.
            let last = key.rsplit('.').next().unwrap().split('[').next().unwrap();
            assert!(source.contains(last) || key.contains('['), "{line} points to: {source}");
        }
    }
}

#[test]
fn the_gallery_has_no_problem() {
    for (name, text) in GALLERY {
        let spec = parse(text, name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(spec.name, *name);
        assert!(text.starts_with("# ") && text.contains("# Look at: ") && text.contains("# Try: "), "{name}");
    }
}

#[test]
fn shapes() {
    all_are_refused(&[
        (WEB, "duration_s = 5400", "duration = 5400", "duration", "did you mean `duration_s`?"),
        (WEB, "seed = 1", "sede = 1", "sede", "did you mean `seed`?"),
        (WEB, "cores = 4.0", "coers = 4.0", "services.web.coers", "did you mean `cores`?"),
        (WEB, "cores = 4.0", "", "services.web.cores", "no default"),
        (WEB, "kernel = \"events\"", "kernel = \"event\"", "kernel", "did you mean `events`?"),
        (WEB, "replicas = 8", "replicas = -4", "services.web.replicas", "-4"),
        (WEB, "replicas = 8", "replicas = \"four\"", "services.web.replicas", "four"),
        (WEB, "min = 1", "min = 1.5", "services.web.autoscaling.min", "1.5"),
        (
            WEB,
            "exponential = { mean",
            "exponentail = { mean",
            "services.web.service_time_s",
            "did you mean `exponential`?",
        ),
        ("metastable-retries", "speed = 0.33", "sped = 0.33", "faults[0].sped", "did you mean `speed`?"),
        ("metastable-retries", "kind = \"slowdown\"", "kind = \"slow\"", "faults[0].kind", "known here: slowdown, "),
        ("rolling-update", "max_surge = \"25%\"", "max_surge = 1.5", "services.web.rollout.max_surge", "whole percent"),
        (
            "noisy-neighbours",
            "\"least-request\"",
            "\"least-requests\"",
            "services.web.balancing",
            "did you mean `least-request`?",
        ),
        (WEB, "target = 60.0", "target = nan", "services.web.autoscaling.strategy.policy.config.target", "finite"),
        (WEB, "wait_s = 0.12", "wait_s = inf", "slo.wait_s", "finite"),
    ]);
    let error = parse("name = \"a\"\nname = \"b\"\n", "s.toml").unwrap_err().to_string();
    assert!(error.starts_with("s.toml:2:1: not TOML: "), "{error}");
    let error = parse("name = [1,\n", "s.toml").unwrap_err().to_string();
    assert!(error.starts_with("s.toml:") && error.contains("not TOML"), "{error}");
    let error = parse("", "s.toml").unwrap_err().to_string();
    assert!(error.starts_with("s.toml:1:1: `name` is missing"), "{error}");
}

#[test]
fn numbers_of_the_whole() {
    all_are_refused(&[
        (WEB, "name = \"single-web-service\"", "name = \"../up\"", "name", "lowercase"),
        (
            WEB,
            "summary = \"One web service under a slow wave, scaled by the HorizontalPodAutoscaler.\"",
            "summary = \" \"",
            "summary",
            "sentence",
        ),
        (WEB, "duration_s = 5400", "duration_s = 0", "duration_s", "above 0"),
        (WEB, "duration_s = 5400", "duration_s = 1e9", "duration_s", "a year"),
        (WEB, "seed = 1", "seed = 1\nwarm_up_s = 5400", "warm_up_s", "below duration_s"),
        (WEB, "wait_s = 0.12", "wait_s = -0.12", "slo.wait_s", "0 to"),
        (WEB, "wait_s = 0.12", "latency_s = 0.0", "slo.latency_s", "0.000001"),
        (WEB, "timeout_s = 5.0", "timeout_s = -5.0", "client.timeout_s", "-5"),
        (WEB, "timeout_s = 5.0", "retries = { attempts = 0 }", "client.retries.attempts", "1 to 100"),
        (
            WEB,
            "timeout_s = 5.0",
            "retries = { attempts = 2, base_s = 3.0, cap_s = 1.0 }",
            "client.retries.cap_s",
            "at least base_s",
        ),
        (
            WEB,
            "timeout_s = 5.0",
            "retries = { attempts = 2, budget_ratio = -0.1 }",
            "client.retries.budget_ratio",
            "-0.1",
        ),
        (WEB, "seed = 1", "seed = 1\ncosts = { kappa = -1.0, churn = 5.0 }", "costs.kappa", "-1"),
        ("cold-starts", "scrape_s = 5.0", "scrape_s = 0.0", "metrics.scrape_s", "0.1 to 3,600"),
        (
            "cold-starts",
            "duration_s = 3600",
            "duration_s = 31622400\n[metrics2]\n",
            "metrics2",
            "did you mean `metrics`?",
        ),
        ("cold-starts", "lag_s = 5.0", "lag_s = -1.0", "metrics.lag_s", "86,400"),
        ("cold-starts", "lag_s = 5.0", "jitter = 1.5", "metrics.jitter", "0 to 1"),
        (
            "cold-starts",
            "lag_s = 5.0",
            "lost_scrape_probability = 1.0",
            "metrics.lost_scrape_probability",
            "no metrics at all",
        ),
    ]);
    let long = gallery("cold-starts")
        .replace("duration_s = 3600", "duration_s = 31622400")
        .replace("scrape_s = 5.0", "scrape_s = 0.5");
    let error = parse(&long, "s.toml").unwrap_err().to_string();
    assert!(error.contains("`metrics.scrape_s`") && error.contains("10,000,000 scrapes"), "{error}");
    let empty = "name = \"a\"\nsummary = \"b\"\nkernel = \"events\"\nduration_s = 60\nservices = {}\n";
    let error = parse(empty, "s.toml").unwrap_err().to_string();
    assert!(error.starts_with("s.toml:5:1: `services` is empty"), "{error}");
}

#[test]
fn services() {
    all_are_refused(&[
        (WEB, "replicas = 8", "replicas = 0", "services.web.replicas", "1 to 40"),
        (WEB, "replicas = 8", "replicas = 99", "services.web.replicas", "bounds of its autoscaling"),
        ("metastable-retries", "replicas = 4", "replicas = 0", "services.web.replicas", "1 to 100,000"),
        (WEB, "cores = 4.0", "cores = 0.0", "services.web.cores", "serves nobody"),
        (WEB, "cores = 4.0", "cores = 8.0", "services.web.pod.cpu_limit_milli", "8000"),
        (WEB, "concurrency = 4", "concurrency = 0", "services.web.concurrency", "no capacity"),
        (WEB, "mean = 0.08", "mean = 0.0", "services.web.service_time_s.exponential.mean", "above 0"),
        (
            WEB,
            "{ exponential = { mean = 0.08 } }",
            "{ constant = 0.0 }",
            "services.web.service_time_s.constant",
            "takes time",
        ),
        (WEB, "{ exponential = { mean = 0.08 } }", "{ constant = -1.0 }", "services.web.service_time_s.constant", "-1"),
        (
            WEB,
            "{ exponential = { mean = 0.08 } }",
            "{ lognormal = { median = 1.0, sigma = 9.0 } }",
            "services.web.service_time_s.lognormal.sigma",
            "0 to 5",
        ),
        (
            WEB,
            "{ exponential = { mean = 0.08 } }",
            "{ lognormal = { median = -1.0, sigma = 1.0 } }",
            "services.web.service_time_s.lognormal.median",
            "-1",
        ),
        (
            WEB,
            "{ exponential = { mean = 0.08 } }",
            "{ uniform = { low = 2.0, high = 1.0 } }",
            "services.web.service_time_s.uniform.high",
            "at least `low`",
        ),
        (
            WEB,
            "{ exponential = { mean = 0.08 } }",
            "{ uniform = { low = -2.0, high = 1.0 } }",
            "services.web.service_time_s.uniform.low",
            "-2",
        ),
        (
            WEB,
            "{ exponential = { mean = 0.08 } }",
            "{ sampled = { trace = \"\" } }",
            "services.web.service_time_s.sampled.trace",
            "seatrial list traces",
        ),
        (
            WEB,
            "{ exponential = { mean = 0.08 } }",
            "{ sampled = { trace = \"x\", factor = 0.0 } }",
            "services.web.service_time_s.sampled.factor",
            "above 0",
        ),
        (
            WEB,
            "concurrency = 4",
            "token_cost = { per_input_token_s = 1.0, per_output_token_s = 1.0 }",
            "services.web.token_cost",
            "no source here gives any",
        ),
        (
            "llm-serving",
            "per_input_token_s = 0.0001",
            "per_input_token_s = -0.1",
            "services.model.token_cost.per_input_token_s",
            "-0.1",
        ),
        (
            "llm-serving",
            "per_output_token_s = 0.01",
            "per_output_token_s = -0.1",
            "services.model.token_cost.per_output_token_s",
            "-0.1",
        ),
        ("metastable-retries", "[services.web]", "[services.Web]", "services.Web", "lowercase"),
        (WEB, "min = 1", "min = 50", "services.web.autoscaling.min", "at most max = 40"),
        (WEB, "max = 40", "max = 0", "services.web.autoscaling.max", "1 to 100,000"),
        (WEB, "max = 40", "max = 40\ndecision_s = 0.0", "services.web.autoscaling.decision_s", "0.1 to"),
        (WEB, "max = 40", "max = 40\nprior_lead_time_s = -1.0", "services.web.autoscaling.prior_lead_time_s", "-1"),
        (
            WEB,
            "max = 40",
            "max = 40\nstated_capacity_per_s = 0.0",
            "services.web.autoscaling.stated_capacity_per_s",
            "above 0",
        ),
        (WEB, "id = \"hpa\"", "id = \"hap\"", "services.web.autoscaling.strategy.policy.id", "one of hpa, k"),
        (WEB, "target = 60.0", "target = -60.0", "services.web.autoscaling.strategy.policy.config.target", "-60"),
        (WEB, "target = 60.0", "tarhet = 60.0", "services.web.autoscaling.strategy.policy.config", "tarhet"),
        (
            WEB,
            "config = { target = 60.0 } }",
            "config = {} }, forecaster = { id = \"x\" }",
            "services.web.autoscaling.strategy.forecaster.id",
            "one of",
        ),
        (
            WEB,
            "{ id = \"hpa\", config = { target = 60.0 } }",
            "{ id = \"lstm-dqn\" }",
            "services.web.autoscaling.strategy.policy.id",
            "needs",
        ),
        (
            WEB,
            "config = { target = 60.0 } }",
            "config = {} }, guard = { reactive_floor_utilisation = 2.0 }",
            "services.web.autoscaling.strategy.guard.reactive_floor_utilisation",
            "at most 1",
        ),
        (
            WEB,
            "cpu_request_milli = 4000",
            "cpu_request_milli = 0",
            "services.web.pod.cpu_request_milli",
            "share of the request",
        ),
        (
            WEB,
            "cpu_request_milli = 4000",
            "cpu_request_milli = 5000",
            "services.web.pod.cpu_request_milli",
            "at most cpu_limit_milli",
        ),
        (
            WEB,
            "cpu_request_milli = 4000",
            "memory_request_mib = 2000",
            "services.web.pod.memory_request_mib",
            "at most memory_limit_mib",
        ),
        (WEB, "cpu_request_milli = 4000", "memory_limit_mib = 0", "services.web.pod.memory_limit_mib", "1 to"),
        (WEB, "cpu_request_milli = 4000", "memory_base_mib = 2000.0", "services.web.pod.memory_base_mib", "OOM"),
        (
            WEB,
            "cpu_request_milli = 4000",
            "memory_per_request_mib = -1.0",
            "services.web.pod.memory_per_request_mib",
            "-1",
        ),
        (WEB, "cpu_request_milli = 4000", "image_mib = -1.0", "services.web.pod.image_mib", "-1"),
        (WEB, "pre_stop_s = 5.0", "pre_stop_s = 50.0", "services.web.termination.pre_stop_s", "at most grace_s"),
        (WEB, "pre_stop_s = 5.0", "grace_s = -1.0", "services.web.termination.grace_s", "-1"),
        (WEB, "median = 60.0", "median = -60.0", "services.web.start.start_s.lognormal.median", "-60"),
        ("rolling-update", "probe_period_s = 5.0", "probe_period_s = -5.0", "services.web.start.probe_period_s", "-5"),
    ]);
}

#[test]
fn rollouts_and_calls() {
    all_are_refused(&[
        ("rolling-update", "max_surge = \"25%\"", "max_surge = \"a lot\"", "services.web.rollout.max_surge", "a lot"),
        (
            "rolling-update",
            "max_surge = \"25%\"\nmax_unavailable = \"25%\"",
            "max_surge = 0\nmax_unavailable = \"0%\"",
            "services.web.rollout.max_surge",
            "no pod could be replaced",
        ),
        (
            "rolling-update",
            "max_unavailable = \"25%\"",
            "max_unavailable = \"125%\"",
            "services.web.rollout.max_unavailable",
            "100%",
        ),
        ("rolling-update", "min_ready_s = 10.0", "min_ready_s = -1.0", "services.web.rollout.min_ready_s", "-1"),
        (
            "rolling-update",
            "at_s = [600.0, 1800.0]",
            "at_s = [600.0, 4000.0]",
            "services.web.rollout.at_s[1]",
            "before the end",
        ),
        (
            "rolling-update",
            "at_s = [600.0, 1800.0]",
            "at_s = [600.0, 600.0]",
            "services.web.rollout.at_s[1]",
            "after the moment before",
        ),
        ("shop", "to = \"redis\"", "to = \"reddis\"", "services.cart.calls[0].to", "one of redis"),
        ("shop", "to = \"redis\"", "to = \"checkout\"", "services.checkout.calls[0].to", "cart → checkout → cart"),
        ("shop", "to = \"redis\"", "to = \"cart\"", "services.cart.calls[0].to", "cart → cart"),
        ("shop", "probability = 0.6", "probability = 1.6", "services.frontend.calls[2].probability", "0 to 1"),
        ("shop", "count = 3", "count = 0", "services.frontend.calls[5].count", "1 to 1,000"),
        ("shop", "to = \"redis\"", "to = \"redis\", timeout_s = 0.0", "services.cart.calls[0].timeout_s", "0.000001"),
        ("shop", "to = \"redis\"", "to = \"redis\", stage = 2000", "services.cart.calls[0].stage", "1,000"),
        (
            "shop",
            "to = \"redis\"",
            "to = \"redis\", retries = { attempts = 0 }",
            "services.cart.calls[0].retries.attempts",
            "1 to 100",
        ),
    ]);
    let many = gallery("shop")
        .replace("to = \"redis\"", "to = \"redis\", count = 1000")
        .replace("probability = 0.6", "count = 100");
    let error = parse(&many, "s.toml").unwrap_err().to_string();
    assert!(error.contains("`services.frontend.calls` is a root of 10"), "{error}");
}

#[test]
fn traffic() {
    const FLASH: &str = "flash-crowd";
    const POINTS: &str = "node-pool-bound";
    all_are_refused(&[
        (WEB, "service = \"web\"", "service = \"wbe\"", "traffic[0].service", "`web`, the only one there is"),
        (WEB, "mean_per_s = 220.0", "mean_per_s = -1.0", "traffic[0].source.sine.mean_per_s", "0 to 1,000,000"),
        (
            WEB,
            "amplitude_per_s = 160.0",
            "amplitude_per_s = 260.0",
            "traffic[0].source.sine.amplitude_per_s",
            "at most mean_per_s",
        ),
        (WEB, "period_s = 2700.0", "period_s = 0.0", "traffic[0].source.sine.period_s", "1 to"),
        (
            "rolling-update",
            "rate_per_s = 375.0",
            "rate_per_s = -375.0",
            "traffic[0].source.constant.rate_per_s",
            "-375",
        ),
        (POINTS, "[2400.0, 420.0]", "[600.0, 420.0]", "traffic[0].source.points.points[1][0]", "points ascend"),
        (POINTS, "[2400.0, 420.0]", "[2400.0, -1.0]", "traffic[0].source.points.points[1][1]", "-1"),
        (
            POINTS,
            "points = [[600.0, 90.0], [2400.0, 420.0], [4200.0, 420.0], [5400.0, 60.0]]",
            "points = []",
            "traffic[0].source.points.points",
            "at least one pair",
        ),
        (FLASH, "peak_per_s = 640.0", "peak_per_s = 64.0", "traffic[0].source.flash.peak_per_s", "at least base_per_s"),
        (FLASH, "base_per_s = 80.0", "base_per_s = -1.0", "traffic[0].source.flash.base_per_s", "-1"),
        (FLASH, "at_s = 1800.0", "at_s = 5400.0", "traffic[0].source.flash.at_s", "before the end"),
        (FLASH, "rise_s = 120.0", "rise_s = -1.0", "traffic[0].source.flash.rise_s", "-1"),
        (FLASH, "hold_s = 600.0", "hold_s = -1.0", "traffic[0].source.flash.hold_s", "-1"),
        (FLASH, "halving_s = 300.0", "halving_s = 0.0", "traffic[0].source.flash.halving_s", "0.000001"),
        (
            "llm-serving",
            "trace = { id = \"azure_llm_conv_2023_requests\" }",
            "trace = { id = \"\" }",
            "traffic[0].source.trace.id",
            "seatrial list",
        ),
        (
            "llm-serving",
            "{ id = \"azure_llm_conv_2023_requests\" }",
            "{ id = \"x\", from_s = -1.0 }",
            "traffic[0].source.trace.from_s",
            "-1",
        ),
        (
            "llm-serving",
            "{ id = \"azure_llm_conv_2023_requests\" }",
            "{ id = \"x\", peak_per_s = 0.0 }",
            "traffic[0].source.trace.peak_per_s",
            "above 0",
        ),
        (
            "llm-replay",
            "id = \"azure_llm_conv_2023_requests\"",
            "id = \"\"",
            "traffic[0].source.requests.id",
            "seatrial list",
        ),
        ("llm-replay", "from_s = 300.0", "from_s = -300.0", "traffic[0].source.requests.from_s", "-300"),
        ("llm-serving", "share = 1.0", "share = 0.5", "traffic[0].classes", "sum to 1"),
        ("llm-serving", "share = 1.0", "share = 0.0", "traffic[0].classes[0].share", "above 0"),
        ("llm-serving", "share = 1.0", "share = 1.0\nwork = 0.0", "traffic[0].classes[0].work", "above 0"),
        ("llm-serving", "name = \"conversation\"", "name = \"A b\"", "traffic[0].classes[0].name", "lowercase"),
        (
            "llm-serving",
            "share = 1.0",
            "share = 0.5\n[[traffic.classes]]\nname = \"conversation\"\nshare = 0.5",
            "traffic[0].classes[1].name",
            "twice",
        ),
        (
            "llm-serving",
            "{ trace = { id = \"azure_llm_conv_2023_requests\" } }",
            "{ requests = { id = \"x\" } }",
            "traffic[0].classes[0].input_tokens",
            "tokens of their own",
        ),
    ]);
}

#[test]
fn clusters_and_workloads() {
    const POOL: &str = "node-pool-bound";
    const NOISY: &str = "noisy-neighbours";
    all_are_refused(&[
        (
            POOL,
            "cpu_request_milli = 2000",
            "cpu_request_milli = 8000\nmemory_base_mib = 1.0",
            "services.web.pod.cpu_request_milli",
            "at most cpu_limit_milli",
        ),
        (POOL, "cpu_milli = 7910", "cpu_milli = 1900", "services.web.pod.cpu_request_milli", "Pending for ever"),
        (POOL, "memory_mib = 28000", "memory_mib = 500", "services.web.pod.memory_request_mib", "Pending for ever"),
        (POOL, "cpu_milli = 7910", "cpu_milli = 0", "cluster.pools.general.cpu_milli", "1 to"),
        (POOL, "memory_mib = 28000", "memory_mib = 0", "cluster.pools.general.memory_mib", "1 to"),
        (POOL, "min = 3\nmax = 6", "min = 7\nmax = 6", "cluster.pools.general.min", "at most max = 6"),
        (POOL, "nodes = 3", "nodes = 9", "cluster.pools.general.nodes", "at most max = 6"),
        (POOL, "max = 6", "max = 0", "cluster.pools.general.max", "1 to"),
        (POOL, "max = 6", "max = 6\npods = 0", "cluster.pools.general.pods", "1 to"),
        (POOL, "median = 120.0", "median = 0.0", "cluster.pools.general.provision_s.lognormal.median", "above 0"),
        (POOL, "pull_mib_per_s = 100.0", "pull_mib_per_s = 0.0", "cluster.pools.general.pull_mib_per_s", "above 0"),
        (
            POOL,
            "pull_mib_per_s = 100.0",
            "speed = { constant = 0.0 }",
            "cluster.pools.general.speed.constant",
            "nominal",
        ),
        (
            POOL,
            "pull_mib_per_s = 100.0",
            "inventory = \"openb_nodes\"",
            "cluster.pools.general.nodes",
            "beside `inventory`",
        ),
        (POOL, "[cluster.pools.general]", "[cluster.pools.General]", "cluster.pools.General", "lowercase"),
        (POOL, "scan_s = 10.0", "scan_s = 0.0", "cluster.autoscaler.scan_s", "0.1 to"),
        (POOL, "unneeded_below = 0.5", "unneeded_below = 5.0", "cluster.autoscaler.unneeded_below", "0 to 1"),
        (POOL, "unneeded_s = 600.0", "unneeded_s = -1.0", "cluster.autoscaler.unneeded_s", "-1"),
        (POOL, "unneeded_s = 600.0", "delay_after_add_s = -1.0", "cluster.autoscaler.delay_after_add_s", "-1"),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.scheduler]\nlatency_s = -1.0\n[cluster.autoscaler]",
            "cluster.scheduler.latency_s",
            "-1",
        ),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.quota]\ncpu_milli = 1000\n[cluster.autoscaler]",
            "cluster.quota.cpu_milli",
            "at least 2000",
        ),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.quota]\nmemory_mib = 1000\n[cluster.autoscaler]",
            "cluster.quota.memory_mib",
            "at least 1024",
        ),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.quota]\npods = 0\n[cluster.autoscaler]",
            "cluster.quota.pods",
            "at least 1",
        ),
        ("node-loss", "toleration_s = 300.0", "toleration_s = -1.0", "cluster.lifecycle.toleration_s", "-1"),
        ("node-loss", "grace_s = 50.0", "grace_s = -1.0", "cluster.lifecycle.grace_s", "-1"),
        ("node-loss", "grace_s = 50.0", "eviction_per_s = -1.0", "cluster.lifecycle.eviction_per_s", "-1"),
        (
            "node-loss",
            "grace_s = 50.0",
            "secondary_eviction_per_s = -1.0",
            "cluster.lifecycle.secondary_eviction_per_s",
            "-1",
        ),
        ("node-loss", "grace_s = 50.0", "unhealthy_share = 2.0", "cluster.lifecycle.unhealthy_share", "0 to 1"),
        (
            NOISY,
            "[cluster.pools.general]\nnodes = 8",
            "[cluster.pools.general]\nnodes = 8\nmax = 9",
            "cluster.pools.general.max",
            "nobody else makes nodes",
        ),
        (NOISY, "slows_neighbours = 0.4", "slows_neighbours = 1.0", "workloads.batch.slows_neighbours", "0 to 0.99"),
        (NOISY, "from_s = 1200.0", "from_s = 9000.0", "workloads.batch.from_s", "before the end"),
        (NOISY, "until_s = 3000.0", "until_s = 1000.0", "workloads.batch.until_s", "above from_s = 1200"),
        (NOISY, "until_s = 3000.0", "trace_from_s = 3.0", "workloads.batch.trace_from_s", "absent without `trace`"),
        (NOISY, "until_s = 3000.0", "trace = \"x\"", "workloads.batch.replicas", "beside `trace`"),
        (NOISY, "replicas = 4\ncpu", "replicas = 0\ncpu", "workloads.batch.replicas", "1 to"),
        (
            NOISY,
            "cpu_request_milli = 2000",
            "cpu_request_milli = 9000",
            "workloads.batch.cpu_request_milli",
            "at most 7910",
        ),
        (NOISY, "cpu_request_milli = 2000", "gpus = 1", "workloads.batch.gpus", "at most 0"),
        (NOISY, "[workloads.batch]", "[workloads.web]", "workloads.web", "a service too"),
        (
            "openb",
            "[workloads.recorded]",
            "[workloads.first]\ntrace = \"openb_pod_lifecycle\"\n[workloads.recorded]",
            "workloads.recorded.trace",
            "taken once",
        ),
        ("openb", "inventory = \"openb_nodes\"", "inventory = \"\"", "cluster.pools.recorded.inventory", "openb_nodes"),
        ("openb", "trace_from_s = 11232000.0", "trace_from_s = -1.0", "workloads.recorded.trace_from_s", "at least 0"),
    ]);
    let alone =
        gallery(NOISY).replace("[cluster.pools.general]", "[workloads.other]").replace("nodes = 8", "replicas = 8");
    let alone = alone.replace("cpu_milli = 7910", "").replace("memory_mib = 28000", "");
    let error = parse(&alone, "s.toml").unwrap_err().to_string();
    assert!(error.contains("`workloads.batch` is given, must be absent, or [cluster]"), "{error}");
    let empty = gallery("metastable-retries").replace("[services.web]", "[cluster]\npools = {}\n[services.web]");
    let error = parse(&empty, "s.toml").unwrap_err().to_string();
    assert!(error.contains("`cluster.pools` is empty"), "{error}");
    let two = gallery("node-pool-bound").replace(
        "[cluster.autoscaler]",
        "[cluster.pools.thin]\nnodes = 1\ncpu_milli = 1000\nmemory_mib = 90000\n[cluster.autoscaler]",
    );
    let error = parse(&two.replace("memory_mib = 28000", "memory_mib = 1000"), "s.toml").unwrap_err().to_string();
    assert!(error.contains("`services.web.pod.cpu_request_milli` is 2000 with 1024 MiB"), "{error}");
}

#[test]
fn faults() {
    const LOSS: &str = "node-loss";
    const SLOW: &str = "metastable-retries";
    all_are_refused(&[
        (LOSS, "at_s = 900.0", "at_s = 9000.0", "faults[0].at_s", "before the end"),
        (LOSS, "at_s = 900.0", "at_s = -1.0", "faults[0].at_s", "0 to"),
        (LOSS, "pool = \"general\"", "pool = \"generla\"", "faults[0].pool", "`general`, the only one"),
        (LOSS, "nodes = 2", "nodes = 7", "faults[0].nodes", "1 to 6"),
        (LOSS, "nodes = 2", "nodes = 0", "faults[0].nodes", "1 to 6"),
        (LOSS, "for_s = 900.0", "for_s = 0.0", "faults[0].for_s", "0.000001"),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33",
            "kind = \"node-loss\"\npool = \"x\"\nnodes = 1",
            "faults[0].pool",
            "no nodes to lose",
        ),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33\nat_s = 600.0\nfor_s = 60.0",
            "kind = \"pod-kill\"\nservice = \"web\"\npods = 0\nat_s = 600.0",
            "faults[0].pods",
            "1 to",
        ),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33\nat_s = 600.0\nfor_s = 60.0",
            "kind = \"pod-kill\"\nservice = \"wbe\"\npods = 1\nat_s = 600.0",
            "faults[0].service",
            "`web`",
        ),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33\nat_s = 600.0\nfor_s = 60.0",
            "kind = \"metrics-outage\"\nat_s = 600.0\nfor_s = -60.0",
            "faults[0].for_s",
            "-60",
        ),
        (SLOW, "speed = 0.33", "speed = 0.0", "faults[0].speed", "nominal"),
        (SLOW, "for_s = 60.0", "for_s = 0.0", "faults[0].for_s", "0.000001"),
        (SLOW, "service = \"web\"\nspeed", "service = \"db\"\nspeed", "faults[0].service", "`web`"),
    ]);
}

#[test]
fn the_fluid_kernel_says_what_it_cannot() {
    for name in ["single-web-service", "flash-crowd", "batch-scale-to-zero", "llm-serving", "shop"] {
        parse(&fluid(name), name).unwrap_or_else(|error| panic!("{error}"));
    }
    for (name, keys) in [
        ("node-pool-bound", &["cluster", "services.web.start.probe_period_s"][..]),
        ("noisy-neighbours", &["cluster", "workloads", "slo.latency_s", "services.web.balancing"]),
        ("rolling-update", &["services.web.rollout.at_s", "services.web.balancing"]),
        ("metastable-retries", &["client.retries", "faults", "services.web.drops_expired"]),
        ("llm-replay", &["traffic[0].source.requests", "slo.latency_s"]),
        ("cold-starts", &["cluster", "services.function.start.start_s", "services.function.concurrency"]),
    ] {
        let error = parse(&fluid(name), "s.toml").unwrap_err().to_string();
        for key in keys {
            let line = error
                .lines()
                .find(|line| line.contains(&format!("`{key}`")))
                .unwrap_or_else(|| panic!("{key}: {error}"));
            assert!(line.contains("write kernel = \"events\""), "{line}");
        }
        assert!(error.starts_with("s.toml has ") && error.contains(" problems:\n"), "all at once: {error}");
    }
    let edits = [
        ("single-web-service", "timeout_s = 5.0", "", None),
        ("single-web-service", "concurrency = 4", "", Some("services.web.concurrency")),
        (
            "single-web-service",
            "concurrency = 4",
            "concurrency = 4\nholds_worker = true",
            Some("services.web.holds_worker"),
        ),
        ("batch-scale-to-zero", "queue_limit = 5000", "", Some("services.jobs.queue_limit")),
        ("shop", "to = \"redis\"", "to = \"redis\", timeout_s = 1.0", Some("services.cart.calls[0].timeout_s")),
        (
            "shop",
            "to = \"redis\"",
            "to = \"redis\", retries = { attempts = 2 }",
            Some("services.cart.calls[0].retries"),
        ),
        (
            "single-web-service",
            "cpu_request_milli = 4000",
            "memory_per_request_mib = 1.0",
            Some("services.web.pod.memory_per_request_mib"),
        ),
        ("single-web-service", "max = 40", "max = 20000", Some("services.web.autoscaling.max")),
        ("single-web-service", "max = 40", "max = 40\ndecision_s = 2.5", Some("services.web.autoscaling.decision_s")),
        ("single-web-service", "[[traffic]]", "[metrics]\njitter = 1.0\n[[traffic]]", Some("metrics.jitter")),
        ("single-web-service", "[[traffic]]", "[metrics]\nscrape_s = 7.5\n[[traffic]]", Some("metrics.scrape_s")),
        ("single-web-service", "[[traffic]]", "[metrics]\nlag_s = 7200.0\n[[traffic]]", Some("metrics.lag_s")),
    ];
    for (name, from, to, key) in edits {
        let result = parse(&fluid(name).replacen(from, to, 1), "s.toml");
        let Some(key) = key else { continue };
        let error = result.expect_err(key).to_string();
        assert!(error.contains(&format!("`{key}`")) && error.contains("kernel = \"events\""), "{key}: {error}");
    }
}

fn fluid(name: &str) -> String {
    gallery(name).replace("kernel = \"events\"", "kernel = \"fluid\"")
}
