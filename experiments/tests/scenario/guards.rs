//! One edit of a sound text per guard: the message names the key, its place and what is allowed.

use seatrial_experiments::scenario_command::{GALLERY, parse};

use super::gallery;

/// A gallery scenario, what is replaced in it and by what, the key that is named, and a word of the message.
pub(crate) type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

pub(crate) const WEB: &str = "single-web-service";

fn message((name, from, to, ..): Case) -> (String, String) {
    let text = gallery(name);
    assert!(text.contains(from), "{name} does not contain {from}");
    let edited = text.replacen(from, to, 1);
    let error = parse(&edited, "s.toml").expect_err(to).to_string();
    (edited, error)
}

pub(crate) fn all_are_refused(cases: &[Case]) {
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
        (WEB, "wait_s = 0.12", "wait_s = -inf", "slo.wait_s", "finite"),
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
        (WEB, "duration_s = 5400", "duration_s = 0", "duration_s", "0.000001 to"),
        (WEB, "duration_s = 5400", "duration_s = 1e-9", "duration_s", "is 1e-9, must be 0.000001 to"),
        (WEB, "duration_s = 5400", "duration_s = 1e300", "duration_s", "is 1e300, must be"),
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
#[expect(clippy::too_many_lines, reason = "a table of cases")]
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
        (WEB, "id = \"hpa\"", "id = \"hap\"", "services.web.autoscaling.strategy.policy.id", "; did you mean `hpa`?"),
        (WEB, "target = 60.0", "target = -60.0", "services.web.autoscaling.strategy.policy.config.target", "-60"),
        (
            WEB,
            "target = 60.0",
            "tarhet = 60.0",
            "services.web.autoscaling.strategy.policy.config.tarhet",
            "did you mean `target`?",
        ),
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
