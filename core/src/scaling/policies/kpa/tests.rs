//! The policy from observation to proposal, by hand.

use serde_json::json;

use crate::observe::{Bounds, Feature, Observation, PodCounts, Pods, Sample, Workload};
use crate::scaling::policies::tests::{build_policy, refused, view_of};
use crate::scaling::policies::{Ingredients, find};
use crate::scaling::policy::{DynPolicy, Proposal, Reason, STATE_LIMIT_BYTES, State};
use crate::time::{Span, Timestamp};

/// A policy at work, every 2 s from second 0 on. The pods that are asked for are ready at once.
struct Run {
    policy: Box<dyn DynPolicy>,
    state: State,
    second: i64,
    pods: u32,
}

impl Run {
    fn new(config: &serde_json::Value, pods: u32) -> Self {
        let policy = build_policy("kpa", config);
        Self { state: policy.initial_state(), policy, second: 0, pods }
    }

    /// Of a workload that may have no pod.
    fn down_to_zero(config: &serde_json::Value, pods: u32) -> Self {
        let workload = Workload { bounds: Bounds { min: 0, max: 100 }, ..Workload::protocol_p1() };
        let policy = (find("kpa").unwrap().build)(config, &Ingredients { workload: &workload, weights: None }).unwrap();
        Self { state: policy.initial_state(), policy, second: 0, pods }
    }

    /// One decision on these features, sampled in the slot that ended 15 s ago or more.
    fn see(&mut self, features: &[(Feature, f64)]) -> Proposal {
        let now = Timestamp::from_secs(self.second);
        let at = (now - Span::from_secs(15)).floor_to(Span::from_secs(15));
        let mut seen = Observation::unknown(now, self.pods);
        seen.pods = Pods::Homogeneous(PodCounts { ready: self.pods, ..PodCounts::default() });
        for (feature, value) in features {
            seen.metrics.set(*feature, Some(Sample { at, value: *value }));
        }
        let proposal = self.policy.step(now, &view_of(&seen), &mut self.state);
        self.second += 2;
        self.pods = proposal.replicas.unwrap_or(self.pods);
        proposal
    }

    fn see_rate(&mut self, rate: f64) -> Proposal {
        self.see(&[(Feature::HttpRequestsTotalRate, rate)])
    }

    /// The same load until the decision at `second` (which is the answer).
    fn see_rate_until(&mut self, second: i64, rate: f64) -> Proposal {
        while self.second < second {
            self.see_rate(rate);
        }
        assert_eq!(self.second, second);
        self.see_rate(rate)
    }
}

/// 20 requests/s per pod, half of them aimed for.
fn ten_per_pod() -> serde_json::Value {
    json!({ "metric": "rps", "target": 20, "target_utilisation_percent": 50 })
}

#[test]
fn a_start_keeps_what_is_there_for_a_stable_window() {
    let mut run = Run::new(&ten_per_pod(), 8);
    // 31 / 10 wants 4 of the 8 that are there.
    assert_eq!(run.see_rate(31.0), Proposal::of(8, Reason::Panic));
    assert_eq!(run.see_rate_until(60, 31.0), Proposal::of(8, Reason::Panic), "not more than 60 s yet");
    assert_eq!(run.see_rate_until(62, 31.0), Proposal::of(4, Reason::Load));
}

#[test]
fn a_surge_panics_and_is_over_a_stable_window_after_it() {
    let mut run = Run::new(&ten_per_pod(), 10);
    assert_eq!(run.see_rate_until(98, 100.0), Proposal::of(10, Reason::Load));
    // Two seconds of 300: (58 · 100 + 2 · 300) / 60 = 106.7, and 166.7 over the last 6 s, less than twice ten pods.
    assert_eq!(run.see_rate(300.0), Proposal::of(11, Reason::Load));
    // Four seconds of 300: 1,400 / 6 = 233.3 over 6 s asks for 24, twice 11 is 22.
    assert_eq!(run.see_rate(300.0), Proposal::of(24, Reason::Panic));
    // The panic began at 102 s; 100 requests/s would need 10 pods.
    assert_eq!(run.see_rate_until(162, 100.0), Proposal::of(24, Reason::Panic));
    assert_eq!(run.see_rate(100.0), Proposal::of(12, Reason::RateLimited), "half of what is there");
    assert_eq!(run.see_rate(100.0), Proposal::of(10, Reason::Load));
}

/// The sample of second -15 appears at 0 s and counts for three scrapes: written for the last time at 44 s.
#[test]
fn a_sample_is_held_for_three_scrapes_and_without_data_there_is_no_wish() {
    let mut run = Run::new(&ten_per_pod(), 1);
    assert_eq!(run.see_rate(10.0), Proposal::of(1, Reason::Load));
    while run.second < 104 {
        assert_eq!(run.see(&[]), Proposal::of(1, Reason::Load), "at {}", run.second);
    }
    // Exactly a window after the last write the load is a valid zero, cut to the minimum of 1.
    assert_eq!(run.see(&[]), Proposal::of(1, Reason::Bounded));
    assert_eq!(run.see(&[]), Proposal::none(Reason::MetricMissing));
    assert_eq!(run.see_rate(25.0), Proposal::of(3, Reason::Panic), "data again: the windows began anew");
}

#[test]
fn nothing_known_is_no_wish() {
    assert_eq!(Run::new(&json!(null), 5).see(&[]), Proposal::none(Reason::MetricMissing));
    let mut run = Run::new(&json!(null), 5);
    assert_eq!(run.see_rate(500.0), Proposal::none(Reason::MetricMissing), "a rate is not a concurrency");
}

#[test]
fn the_default_is_seventy_requests_in_flight_per_pod() {
    let in_flight = |value| [(Feature::HttpRequestDurationSecondsSumRate, value)];
    assert_eq!(Run::new(&json!(null), 1).see(&in_flight(70.0)), Proposal::of(1, Reason::Load));
    assert_eq!(Run::new(&json!(null), 1).see(&in_flight(70.1)), Proposal::of(2, Reason::Panic));
    assert_eq!(Run::new(&json!({ "metric": "rps" }), 1).see_rate(140.1), Proposal::of(2, Reason::Panic));
    assert_eq!(Run::new(&json!({ "max_scale_up_rate": 3 }), 1).see(&in_flight(7e9)).replicas, Some(3));
    assert_eq!(Run::new(&json!(null), 1).see(&in_flight(7e9)), Proposal::of(100, Reason::Bounded), "the maximum");
}

#[test]
fn goes_to_zero_and_wakes() {
    let idle = [(Feature::HttpRequestsTotalRate, 0.0), (Feature::HttpRequestDurationSecondsSumRate, 0.0)];
    let mut run = Run::down_to_zero(&json!({ "target_burst_capacity": 0, "activation_scale": 3 }), 1);
    while run.second < 60 {
        assert_eq!(run.see(&idle), Proposal::of(1, Reason::Cooldown), "at {}", run.second);
    }
    while run.second < 90 {
        assert_eq!(run.see(&idle), Proposal::none(Reason::Cooldown), "at {}", run.second);
    }
    assert_eq!(run.see(&idle), Proposal::of(0, Reason::Load));
    assert_eq!(run.see(&idle), Proposal::of(0, Reason::Load));
    // Nobody answers, so nothing is measured in flight; a request that arrives is enough.
    assert_eq!(run.see_rate(0.2), Proposal::of(3, Reason::Activation));
}

/// With one pod of 100 and a burst of 211 the activator is always in the path: the grace period has passed before it begins.
#[test]
fn by_default_a_single_idle_pod_goes_right_after_the_stable_window() {
    let mut run = Run::down_to_zero(&json!({ "metric": "rps", "target": 100 }), 1);
    assert_eq!(run.see_rate_until(58, 0.0), Proposal::of(1, Reason::Cooldown));
    assert_eq!(run.see_rate(0.0), Proposal::none(Reason::Cooldown));
    assert_eq!(run.see_rate(0.0), Proposal::of(0, Reason::Load));
}

#[test]
fn a_minimum_keeps_its_pods() {
    let mut run = Run::new(&json!({ "metric": "rps" }), 1);
    assert_eq!(run.see_rate_until(600, 0.0), Proposal::of(1, Reason::Bounded));
}

#[test]
fn a_delay_holds_the_wish() {
    let mut config = ten_per_pod();
    config["scale_down_delay_s"] = json!(30);
    let mut run = Run::new(&config, 1);
    assert_eq!(run.see_rate_until(80, 15.0).replicas, Some(2));
    // The wish falls to 1 when the mean of 60 s reaches 10: 75 of them over, the delay's 15 slots follow.
    while run.see_rate(5.0).reason == Reason::Load {}
    let held_from = run.second - 2;
    while run.see_rate(5.0) == Proposal::of(2, Reason::Stabilised) {}
    // (60 - s) · 15 + s · 5 = 600 at s = 30 s after 80 s; the last wish of 2, at 108 s, counts for 15 slots.
    assert_eq!((held_from, run.second - 2), (110, 138));
}

/// Seldom decisions write the seconds between them too.
#[test]
fn averages_do_not_depend_on_how_often_it_decides() {
    let play = |cadence_s: i64| {
        let mut run = Run::new(&ten_per_pod(), 1);
        let mut proposal = run.see_rate(100.0);
        while run.second <= 270 {
            run.second += cadence_s - 2;
            proposal = run.see_rate(if run.second <= 240 { 100.0 } else { 40.0 });
        }
        (run.second, proposal)
    };
    // (30 · 100 + 30 · 40) / 60 at 270 s, (28 · 100 + 32 · 40) / 60 at 272 s.
    assert_eq!(play(2), (272, Proposal::of(7, Reason::Load)));
    assert_eq!(play(4), (274, Proposal::of(7, Reason::Load)));
    assert_eq!(play(15), (272, Proposal::of(7, Reason::Load)));
}

#[test]
fn a_clock_that_is_set_back_starts_anew() {
    let mut run = Run::new(&ten_per_pod(), 1);
    run.second = 10_000;
    assert_eq!(run.see_rate(90.0), Proposal::of(9, Reason::Panic));
    run.second = 9_990;
    assert_eq!(run.see_rate(50.0), Proposal::of(9, Reason::Panic), "a little back: what is known stays");
    run.second = 20;
    run.pods = 1;
    assert_eq!(run.see_rate(10.0), Proposal::of(1, Reason::Load));
}

#[test]
fn the_largest_state_is_within_the_limit_and_comes_back() {
    let largest = json!({ "metric": "rps", "target": 1, "target_utilisation_percent": 100, "stable_window_s": 600,
        "panic_window_percent": 100, "panic_threshold_percent": 1000, "scale_down_delay_s": 600,
        "aggregation": "weighted-exponential" });
    let mut run = Run::new(&largest, 1);
    run.see_rate_until(1_000, 900.1);
    // Falling by about one pod in each decision: every slot of the delay holds a wish.
    for fallen in 0..400 {
        run.see_rate(900.1 - 1.7 * f64::from(fallen));
    }
    let snapshot = run.state.snapshot().unwrap();
    let bytes = snapshot.to_string().len();
    assert!((13_500..=STATE_LIMIT_BYTES).contains(&bytes), "{bytes} bytes");
    let policy = build_policy("kpa", &largest);
    let mut restored = Run { state: policy.restore(&snapshot).unwrap(), policy, second: run.second, pods: run.pods };
    for rate in [3.0, 7e6, 0.0] {
        assert_eq!(restored.see_rate(rate), run.see_rate(rate));
    }
    assert_eq!(restored.state.snapshot().unwrap(), run.state.snapshot().unwrap());
}

#[test]
fn a_state_of_another_configuration_starts_anew() {
    let mut long = Run::new(&json!({ "metric": "rps", "stable_window_s": 120, "scale_down_delay_s": 60 }), 1);
    long.see_rate(1_000.0);
    let mut short = Run::new(&json!({ "metric": "rps" }), 1);
    short.state = short.policy.restore(&long.state.snapshot().unwrap()).unwrap();
    short.second = 2;
    assert_eq!(short.see_rate(100.0), Proposal::of(1, Reason::Load), "no trace of 1,000");
}

#[test]
fn decides_every_two_seconds() {
    assert_eq!(build_policy("kpa", &json!(null)).cadence(), Some(Span::from_secs(2)));
}

#[test]
fn refuses_what_knative_or_the_state_does_not_allow() {
    for (key, value, message) in [
        ("target", json!(0.009), "`target` is 0.009, must be 0.01 to 1e9"),
        ("target_utilisation_percent", json!(0.5), "must be 1 to 100"),
        ("target_utilisation_percent", json!(101), "must be 1 to 100"),
        ("stable_window_s", json!(5), "`stable_window_s` is 5, must be 6 to 600"),
        ("stable_window_s", json!(601), "must be 6 to 600"),
        ("panic_window_percent", json!(0.9), "must be 1 to 100"),
        ("panic_threshold_percent", json!(109), "must be 110 to 1000"),
        ("max_scale_up_rate", json!(1), "`max_scale_up_rate` is 1, must be over 1, at most 1e6"),
        ("max_scale_down_rate", json!(1.0), "must be over 1, at most 1e6"),
        ("scale_down_delay_s", json!(601), "must be 0 to 600"),
        ("activation_scale", json!(0), "must be 1 to 1e6"),
        ("target_burst_capacity", json!(-2), "must be 0 to 1e9, or -1 for no end"),
        ("scale_to_zero_grace_period_s", json!(0), "must be 1 to 3600"),
        ("scale_to_zero_pod_retention_s", json!(3_601), "must be 0 to 3600"),
        ("metric", json!("cpu"), "unknown variant `cpu`"),
        ("aggregation", json!("median"), "unknown variant `median`"),
    ] {
        let refusal = refused("kpa", &json!({ key: value }));
        assert!(refusal.starts_with("configuration of `kpa`: ") && refusal.contains(message), "{key}: {refusal}");
    }
    build_policy("kpa", &json!({ "target_burst_capacity": -1, "max_scale_up_rate": 1.01 }));
}
