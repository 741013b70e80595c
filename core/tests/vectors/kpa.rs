//! The golden vectors of Knative's pod autoscaler: windows and decider over whole sequences.

use seatrial_core::scaling::policies::kpa::decider::{Memory, Spec};
use seatrial_core::scaling::policies::kpa::windows::{Aggregation, Averages, Averaging, Windows};
use seatrial_core::time::{Span, Timestamp};
use serde::Deserialize;

use crate::reader::{Difference, run};

/// The linear average is rounded to six digits, from a running sum.
const TOLERANCE: f64 = 2e-6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: u64,
    #[serde(rename = "class")]
    _class: String,
    config: Config,
    initial_ready_pods: u32,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Metric {
    Concurrency,
    Rps,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AggregationCase {
    Linear,
    WeightedExponential,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    metric: Metric,
    aggregation: AggregationCase,
    stable_window_us: i64,
    panic_window_us: i64,
    target_value: f64,
    total_value: f64,
    target_burst_capacity: f64,
    panic_threshold: f64,
    max_scale_up_rate: f64,
    max_scale_down_rate: f64,
    activation_scale: i32,
    scale_down_delay_us: i64,
    reachable: bool,
    has_scrape_target: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at_us: i64,
    record: Option<Record>,
    new_config: Option<Config>,
    ready_pods: Option<u32>,
    expect: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    average_concurrent_requests: f64,
    average_proxied_concurrent_requests: f64,
    request_count: f64,
    proxied_request_count: f64,
}

/// Everything that is absent from a decision without data is `None`.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    valid: bool,
    desired_pods: Option<i32>,
    excess_burst_capacity: Option<i32>,
    panicking: bool,
    max_panic_pods: i32,
    stable_value: Option<f64>,
    panic_value: Option<f64>,
}

impl Expected {
    /// Equal, the averages within the tolerance.
    fn agrees(&self, got: &Self) -> bool {
        let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE,
            (a, b) => a == b,
        };
        close(self.stable_value, got.stable_value)
            && close(self.panic_value, got.panic_value)
            && (self.valid, self.desired_pods, self.excess_burst_capacity, self.panicking, self.max_panic_pods)
                == (got.valid, got.desired_pods, got.excess_burst_capacity, got.panicking, got.max_panic_pods)
    }
}

impl Config {
    fn spec(&self) -> Spec {
        Spec {
            stable_window: Span::from_micros(self.stable_window_us),
            target_value: self.target_value,
            total_value: self.total_value,
            target_burst_capacity: self.target_burst_capacity,
            panic_threshold: self.panic_threshold,
            max_scale_up_rate: self.max_scale_up_rate,
            max_scale_down_rate: self.max_scale_down_rate,
            activation_scale: self.activation_scale,
            reachable: self.reachable,
        }
    }
}

fn whole_seconds(micros: i64) -> u32 {
    assert_eq!(micros % 1_000_000, 0, "windows are whole seconds");
    u32::try_from(micros / 1_000_000).expect("a window of at most a century")
}

/// One revision under way. A new configuration leaves windows and delay as they were.
struct Replay {
    config: Config,
    averaging: Averaging,
    concurrency: Windows,
    rps: Windows,
    memory: Memory,
}

impl Replay {
    fn new(case: &Case) -> Self {
        let config = case.config;
        let [stable_s, panic_s] = [config.stable_window_us, config.panic_window_us].map(whole_seconds);
        let aggregation = match config.aggregation {
            AggregationCase::Linear => Aggregation::Linear,
            AggregationCase::WeightedExponential => Aggregation::WeightedExponential,
        };
        let delay = Span::from_micros(config.scale_down_delay_us);
        Self {
            config,
            averaging: Averaging::new(aggregation, stable_s, panic_s),
            concurrency: Windows::new(stable_s, panic_s),
            rps: Windows::new(stable_s, panic_s),
            memory: Memory::new(Timestamp::ZERO, case.initial_ready_pods, delay),
        }
    }

    fn record(&mut self, second: i64, record: &Record) {
        let in_flight = record.average_concurrent_requests - record.average_proxied_concurrent_requests;
        self.concurrency.record(second, in_flight);
        self.rps.record(second, record.request_count - record.proxied_request_count);
    }

    const fn windows(&self) -> &Windows {
        match self.config.metric {
            Metric::Concurrency => &self.concurrency,
            Metric::Rps => &self.rps,
        }
    }

    fn decide(&mut self, now: Timestamp, second: i64, ready_pods: u32) -> Expected {
        let seen = (!self.config.has_scrape_target || !self.windows().is_empty(second))
            .then(|| self.windows().averages(second, self.averaging));
        let scale = seen.map(|seen: Averages| self.config.spec().decide(now, ready_pods, seen, &mut self.memory));
        Expected {
            valid: scale.is_some(),
            desired_pods: scale.map(|scale| scale.desired_pods),
            excess_burst_capacity: scale.map(|scale| scale.excess_burst_capacity),
            panicking: self.memory.is_panicking(),
            max_panic_pods: self.memory.max_panic_pods(),
            stable_value: seen.map(|seen| seen.stable),
            panic_value: seen.map(|seen| seen.panic),
        }
    }
}

#[test]
fn vectors_of_the_pod_autoscaler() {
    run("kpa_sequences", |case: &Case| {
        let mut replay = Replay::new(case);
        for (index, step) in case.steps.iter().enumerate() {
            let (now, second) = (Timestamp::from_micros(step.at_us), step.at_us.div_euclid(1_000_000));
            if let Some(record) = &step.record {
                replay.record(second, record);
            }
            if let Some(config) = step.new_config {
                replay.config = config;
            }
            let Some(expected) = &step.expect else { continue };
            let got = replay.decide(now, second, step.ready_pods.expect("a decision has ready pods"));
            if !expected.agrees(&got) {
                Difference::between(case.id, Some(index), expected, &got)?;
            }
        }
        Ok(())
    });
}
