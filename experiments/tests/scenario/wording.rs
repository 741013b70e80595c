//! Messages speak of TOML, not of the reader's types; they are short, and nothing in them moves a cursor.

use seatrial_experiments::scenario_command::parse;

use super::gallery;
use super::guards::{Case, WEB, all_are_refused};

const MEAN: &str = "{ exponential = { mean = 0.08 } }";
const TIME: &str = "services.web.service_time_s";

#[test]
fn shapes_are_said_in_the_words_of_toml() {
    let cases: [Case; 19] = [
        (WEB, MEAN, "0.08", TIME, "is 0.08, must be a table: { constant = 0.08 }, { exponential = { mean = 0.08 } }"),
        (
            WEB,
            MEAN,
            "{ constant = 1, exponential = { mean = 1 } }",
            TIME,
            "is a table of constant, exponential, must have one",
        ),
        (WEB, MEAN, "{}", TIME, "is an empty table, must have one kind alone"),
        (WEB, MEAN, "\"constant\"", TIME, "is the text \"constant\", must be a table"),
        (WEB, MEAN, "true", TIME, "is neither, must be a table"),
        (
            WEB,
            MEAN,
            "{ constant = \"x\" }",
            "services.web.service_time_s.constant",
            "is the text \"x\", must be a number",
        ),
        (WEB, "duration_s = 5400", "duration_s = 1979-05-27", "duration_s", "is the date 1979-05-27, must be a number"),
        (WEB, "duration_s = 5400", "duration_s = \"5400\"", "duration_s", "is the text \"5400\", must be a number"),
        (WEB, "duration_s = 5400", "duration_s = [1]", "duration_s", "is a list, must be a number"),
        (WEB, "duration_s = 5400", "duration_s = {}", "duration_s", "is a table, must be a number"),
        (WEB, "duration_s = 5400", "duration_s = 99999999999999999999", "duration_s", "is 99999999999999999999, must"),
        (WEB, "seed = 1", "seed = -1", "seed", "is -1, must be a whole number from 0 to 18,446,744,073,709,551,615"),
        (
            WEB,
            "replicas = 8",
            "replicas = 2.5",
            "services.web.replicas",
            "is 2.5, must be a whole number from 0 to 4,2",
        ),
        (WEB, "cores = 4.0", "cores = true", "services.web.cores", "is true, must be a number"),
        (WEB, "concurrency = 4", "concurrency = 4\nrollout = 3", "services.web.rollout", "is 3, must be a table"),
        (
            WEB,
            "policy = { id = \"hpa\", config = { target = 60.0 } }",
            "policy = \"hpa\"",
            STRATEGY_POLICY,
            "{ id = \"…\" }",
        ),
        (
            "metastable-retries",
            "{ constant = { rate_per_s = 150.0 } }",
            "\"constant\"",
            SOURCE,
            "must be a table: { constant",
        ),
        (
            "metastable-retries",
            "{ constant = { rate_per_s = 150.0 } }",
            "7.5",
            SOURCE,
            "{ constant = { rate_per_s = 7.5 } }",
        ),
        (
            "metastable-retries",
            "{ constant = { rate_per_s = 150.0 } }",
            "{ points = { points = [[0.0, 1.0], [1.0, 2.0, 3.0]] } }",
            "traffic[0].source.points.points[1]",
            "has 3 numbers, must be a pair",
        ),
    ];
    all_are_refused(&cases);
}

const STRATEGY_POLICY: &str = "services.web.autoscaling.strategy.policy";
const SOURCE: &str = "traffic[0].source";

#[test]
fn configurations_of_policies_name_the_key_and_what_was_meant() {
    const CONFIG: &str = "config = { target = 60.0 }";
    all_are_refused(&[
        (
            WEB,
            CONFIG,
            "config = { targte = 60.0 }",
            "services.web.autoscaling.strategy.policy.config.targte",
            "is no key of `hpa`, must be one that it has; did you mean `target`?",
        ),
        (
            WEB,
            CONFIG,
            "config = { tolerance = \"x\" }",
            "services.web.autoscaling.strategy.policy.config",
            "there is a value that is the text \"x\", must be a number",
        ),
        (WEB, "id = \"hpa\"", "id = \"hpaa\"", "services.web.autoscaling.strategy.policy.id", "; did you mean `hpa`?"),
        (
            WEB,
            CONFIG,
            "config = {} }, forecaster = { id = \"persistance\"",
            "services.web.autoscaling.strategy.forecaster.id",
            "; did you mean `persistence`?",
        ),
        (
            WEB,
            "id = \"hpa\", config = { target = 60.0 }",
            "id = \"cron\", config = { windows = [{ replicas = 3 }] }",
            "services.web.autoscaling.strategy.policy.config.windows[0].replicas",
            "is no key of `cron`",
        ),
    ]);
}

#[test]
fn bounds_are_the_ones_that_hold() {
    const POOL: &str = "node-pool-bound";
    const RATE: &str = "{ constant = { rate_per_s = 150.0 } }";
    all_are_refused(&[
        (
            WEB,
            "mean = 0.08",
            "mean = 1e18",
            "services.web.service_time_s.exponential.mean",
            "above 0 and at most 100,000,000 seconds",
        ),
        (POOL, "nodes = 3\nmin = 3\nmax = 6", "nodes = 0", "cluster.pools.general.nodes", "1 to 100,000"),
        (POOL, "nodes = 3\nmin = 3\nmax = 6", "nodes = 100000000", "cluster.pools.general.nodes", "1 to 100,000"),
        (
            "metastable-retries",
            RATE,
            "{ sine = { mean_per_s = 600000.0, amplitude_per_s = 500000.0, period_s = 60.0 } }",
            "traffic[0].source.sine.amplitude_per_s",
            "together are at most 1,000,000 per second",
        ),
        (
            "metastable-retries",
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33\nat_s = 600.0\nfor_s = 60.0",
            "kind = \"pod-kill\"\nservice = \"web\"\npods = 5\nat_s = 600.0",
            "faults[0].pods",
            "1 to 4, the most replicas that `web` can have",
        ),
        (
            "noisy-neighbours",
            "kernel = \"events\"",
            "kernel = \"fluid\"",
            "services.web.balancing",
            "is `least-request`, must be",
        ),
    ]);
    // What follows from a mistake is not told beside it.
    let pool = "nodes = 3\nmin = 3\nmax = 6\ncpu_milli = 7910";
    for (name, from, to, key) in [
        (WEB, "cores = 4.0", "cores = 1e9", "services.web.cores"),
        (POOL, pool, "nodes = 3\ncpu_milli = 0", "cluster.pools.general.cpu_milli"),
        (WEB, "name = \"single-web-service\"", "name = \"\"", "name"),
    ] {
        assert!(gallery(name).contains(from), "{from}");
        let error = parse(&gallery(name).replacen(from, to, 1), "s.toml").unwrap_err().to_string();
        assert!(error.lines().count() == 1 && error.contains(&format!("`{key}` is ")), "{error}");
    }
    for duration in ["0", "-5", "1e-9"] {
        let text = gallery(WEB).replace("duration_s = 5400", &format!("duration_s = {duration}"));
        let error = parse(&text, "s.toml").unwrap_err().to_string();
        assert!(error.starts_with("s.toml:13:1: `duration_s`") && !error.contains("warm_up_s"), "{error}");
    }
}

#[test]
fn a_key_that_is_there_twice_is_named_with_its_first_place() {
    let text = gallery(WEB);
    let line = text.lines().position(|line| line.starts_with("cores = 4.0")).unwrap() + 1;
    let twice = text.replace("cores = 4.0", "cores = 4.0\ncores = 5.0");
    let error = parse(&twice, "s.toml").unwrap_err().to_string();
    let expected = format!("s.toml:{}:1: not TOML: the key `cores` twice, first at line {line}, column 1", line + 1);
    assert_eq!(error, expected);
    let header = text.lines().position(|line| line.starts_with("[services.web]")).unwrap() + 1;
    let error = parse(&format!("{text}\n[services.web]\n"), "s.toml").unwrap_err().to_string();
    assert!(error.ends_with(&format!("the key `web` twice, first at line {header}, column 2")), "{error}");
}

#[test]
fn names_are_found_shortened_and_shown_as_they_are() {
    let long = "a".repeat(5_000);
    let quoted = gallery(WEB).replace("[services.web", "[services.\"../x\"");
    let error = parse(&quoted, "s.toml").unwrap_err().to_string();
    assert!(error.contains("`services.../x` is `../x`, must be 1 to 63 lowercase"), "{error}");
    for (from, to) in [
        ("name = \"single-web-service\"", format!("name = \"{long}\"")),
        ("seed = 1", format!("{long} = 1")),
        ("kernel = \"events\"", format!("kernel = \"{long}\"")),
        ("id = \"hpa\"", format!("id = \"{long}\"")),
        ("cores = 4.0", format!("cores = \"{long}\"")),
        ("[services.web", format!("[services.{long}")),
    ] {
        let error = parse(&gallery(WEB).replace(from, &to), "s.toml").unwrap_err().to_string();
        assert!(error.contains("… (") && error.lines().all(|line| line.len() < 700), "{error}");
    }
    for (from, to) in [
        ("summary = \"One", "summary = \"\\u0007One"),
        ("summary = \"One", "summary = \"\\u202eOne"),
        ("name = \"single", "name = \"\\u001b[2J"),
        ("kernel = \"events\"", "kernel = \"\\u0007\""),
        ("seed = 1", "\"\\u202e\" = 1"),
    ] {
        let error = parse(&gallery(WEB).replacen(from, to, 1), "s.toml").unwrap_err().to_string();
        let harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(error.chars().all(harmless), "{error:?}");
    }
}

/// Defaults of some seconds can be taken back: clients wait for ever, and no wait is too long. It survives writing and reading.
#[test]
fn inf_says_never() {
    let text = gallery(WEB).replacen("wait_s = 0.12", "wait_s = inf\nlatency_s = 2.0", 1);
    let with = |timeout: &str| text.replacen("timeout_s = 5.0", &format!("timeout_s = {timeout}"), 1);
    let spec = parse(&with("inf"), "s.toml").unwrap();
    assert_eq!((spec.client.timeout_s, spec.slo.wait_s), (None, None));
    let again: seatrial_envs::spec::ScenarioSpec =
        serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);
    for word in ["-inf", "nan", "0.0"] {
        let error = parse(&with(word), "s.toml").unwrap_err().to_string();
        assert!(error.contains("client.timeout_s"), "{error}");
    }
}
