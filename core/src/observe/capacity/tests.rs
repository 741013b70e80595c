//! Estimates against known truths, slots against the pods that served them, and properties for any input.

use super::*;
use crate::observe::{PodCounts, Pods, Sample};
use crate::rand::{Stream, standard_normal};
use proptest::prelude::*;

fn observation(at_s: i64, cores: f64, per_s: f64, bad: f64, ready: u32) -> Observation {
    let now = Timestamp::from_secs(at_s);
    let mut seen = Observation::unknown(now, ready);
    seen.pods = Pods::Homogeneous(PodCounts { ready, ..PodCounts::default() });
    for (feature, value) in [
        (Feature::ProcessCpuSecondsTotalRate, cores),
        (Feature::HttpRequestDurationSecondsCountRate, per_s),
        (Feature::HttpRequestsTotalRate, per_s),
        (Feature::BadRequestRatio, bad),
    ] {
        seen.metrics.set(feature, Some(Sample { at: now, value }));
    }
    seen
}

/// 4 CPU and 80 ms give 50 requests/s; exponential service makes a slot's mean scatter by 1/√n.
#[test]
fn finds_the_true_capacity_and_covers_it_from_below() {
    let slot = Span::from_secs(15);
    let (mut below, mut trials) = (0, 0);
    for seed in 0..200 {
        let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
        let mut last = None;
        for i in 0..40_i64 {
            let n = 200.0 * 15.0;
            let noise = standard_normal(seed, Stream::CpuPerRequest, 0, i as u32) / f64::sqrt(n);
            last = estimator.update(&observation(15 * (i + 1), 200.0 * 0.08 * (1.0 + noise), 200.0, 0.0, 8), slot);
        }
        let estimate = last.unwrap();
        assert!((estimate.mean / 50.0 - 1.0).abs() < 0.03, "{estimate:?}");
        trials += 1;
        below += i32::from(estimate.lower < 50.0);
    }
    assert!(below * 100 >= trials * 88, "lower bound holds in {below} of {trials}");
}

#[test]
fn says_nothing_before_it_knows_and_starts_from_a_prior() {
    assert_eq!(CapacityEstimator::new(&Workload::protocol_p1()).estimate(), None);
    let stated = Workload { stated_capacity: Some(80.0), ..Workload::protocol_p1() };
    let prior = CapacityEstimator::new(&stated).estimate().unwrap();
    assert!((prior.mean - 80.0).abs() < 1e-9 && prior.lower < 80.0);
}

#[test]
fn the_usual_slot_forgets_as_the_half_life_says() {
    let exact = math::exp(-core::f64::consts::LN_2 * 15.0 / 600.0);
    assert_eq!(share_kept(Span::from_secs(15)), exact);
    assert_eq!(share_kept(HALF_LIFE), math::exp(-core::f64::consts::LN_2));
}

#[test]
fn a_slot_counts_once() {
    let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
    let seen = observation(15, 8.0, 100.0, 0.0, 4);
    estimator.update(&seen, Span::from_secs(15));
    let once = estimator;
    estimator.update(&seen, Span::from_secs(15));
    assert_eq!(estimator, once);
}

#[test]
fn bad_requests_at_low_utilisation_shrink_the_lower_bound() {
    let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
    let mut lower = f64::INFINITY;
    for i in 1..20 {
        lower = estimator.update(&observation(15 * i, 8.0, 100.0, 0.2, 8), Span::from_secs(15)).unwrap().lower;
    }
    assert!(lower < 0.75 * 50.0, "{lower}");
}

const SLOT: Span = Span::from_secs(15);
/// 4 CPU and 80 ms a request.
const CAPACITY: f64 = 50.0;

/// A workload of pods that serve [`CAPACITY`], watched every 15 s through metrics that are `lag` slots old.
struct Watched {
    lag: usize,
    estimator: CapacityEstimator,
    /// (rate, bad ratio, ready at the end) of each slot from second 0 on.
    slots: Vec<(f64, f64, u32)>,
}

impl Watched {
    fn new(lag: usize) -> Self {
        Self { lag, estimator: CapacityEstimator::new(&Workload::protocol_p1()), slots: Vec::new() }
    }

    /// Lets a slot pass, at whose end `ready` pods are ready, and answers with the estimate made then.
    fn pass(&mut self, per_s: f64, bad: f64, ready: u32) -> Option<CapacityEstimate> {
        self.slots.push((per_s, bad, ready));
        let now_s = 15 * self.slots.len() as i64;
        let mut seen = Observation::unknown(Timestamp::from_secs(now_s), ready);
        seen.pods = Pods::Homogeneous(PodCounts { ready, ..PodCounts::default() });
        if let Some(visible) = self.slots.len().checked_sub(self.lag + 1) {
            let (per_s, bad, _) = self.slots[visible];
            let cores = (per_s / CAPACITY).min(f64::from(self.slots[visible].2)) * 4.0;
            seen = observation(15 * (visible as i64 + 1), cores, per_s, bad, ready);
            seen.now = Timestamp::from_secs(now_s);
        }
        self.estimator.update(&seen, SLOT)
    }

    /// `count` slots alike.
    fn repeat(&mut self, count: usize, per_s: f64, bad: f64, ready: u32) -> Option<CapacityEstimate> {
        (0..count).map(|_| self.pass(per_s, bad, ready)).last().flatten()
    }
}

/// Ten pods are overloaded for four slots, thirty stand ready when the metrics of that show.
#[test]
fn a_scale_up_is_not_blamed_for_the_slots_before_it() {
    for lag in [1, 4] {
        let mut watched = Watched::new(lag);
        watched.repeat(10, 300.0, 0.0, 10);
        watched.repeat(4, 480.0, 0.4, 10);
        for _ in 0..8 {
            watched.pass(480.0, 0.0, 30);
            assert_eq!(watched.estimator.correction, 1.0, "lag of {lag} slots");
        }
    }
}

/// Thirty pods answer badly at a third of what they should serve; that four are left now is no excuse.
#[test]
fn a_scale_down_does_not_excuse_the_slots_before_it() {
    let mut watched = Watched::new(4);
    watched.repeat(8, 500.0, 0.2, 30);
    let before = watched.estimator.correction;
    watched.repeat(4, 150.0, 0.0, 4);
    let expected = before * CORRECTION_STEP * CORRECTION_STEP * CORRECTION_STEP * CORRECTION_STEP;
    assert!((watched.estimator.correction - expected).abs() < 1e-12, "{} {expected}", watched.estimator.correction);
}

/// What queued up in an overloaded slot is bad in the next one, however many pods serve that.
#[test]
fn the_slot_after_an_overload_is_not_blamed_for_the_queue() {
    let mut watched = Watched::new(1);
    watched.repeat(10, 300.0, 0.0, 10);
    watched.repeat(2, 520.0, 1.0, 10);
    watched.pass(520.0, 0.9, 30);
    watched.pass(520.0, 0.2, 30);
    watched.repeat(3, 520.0, 0.0, 30);
    assert_eq!(watched.estimator.correction, 1.0);
}

/// Pods that were not watched, and none at all, say nothing.
#[test]
fn without_pods_that_were_seen_in_the_slot_nothing_is_corrected() {
    let mut watched = Watched::new(4);
    watched.estimator.correction = 0.8;
    watched.repeat(5, 100.0, 0.5, 20);
    assert_eq!(watched.estimator.correction, 0.8, "the first slot began before the first look");
    let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
    for hour in 1..20 {
        estimator.update(&observation(3_600 * hour, 8.0, 100.0, 0.5, 20), SLOT);
    }
    assert_eq!(estimator.correction, 1.0, "what happened within the hour is not known");
}

/// An outage of the metrics teaches nothing and costs nothing.
#[test]
fn an_outage_forgets_nothing() {
    let fed = |pause_s: i64| {
        let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
        for i in 1..=40_i64 {
            let cores = 8.0 * (1.0 + 0.05 * standard_normal(1, Stream::CpuPerRequest, 0, i as u32));
            estimator.update(&observation(15 * i, cores, 100.0, 0.0, 4), SLOT);
        }
        for i in 1..pause_s / 15 {
            let dark = Observation::unknown(Timestamp::from_secs(600 + 15 * i), 4);
            estimator.update(&dark, SLOT);
        }
        estimator.update(&observation(600 + pause_s, 9.0, 100.0, 0.0, 4), SLOT).unwrap()
    };
    assert_eq!(fed(15), fed(4 * 3_600));
}

/// Neither does a night without requests.
#[test]
fn silence_forgets_nothing() {
    let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
    for i in 1..=40 {
        estimator.update(&observation(15 * i, 8.0, 100.0, 0.0, 4), SLOT);
    }
    let evening = estimator.estimate().unwrap();
    for i in 41..=2_000 {
        estimator.update(&observation(15 * i, 0.1, 0.0, 0.0, 4), SLOT);
    }
    assert_eq!(estimator.estimate(), Some(evening));
}

/// Windows of 15 s read every 5 s are three looks at the same requests.
#[test]
fn overlapping_windows_count_once() {
    let mut often = CapacityEstimator::new(&Workload::protocol_p1());
    let mut once = often;
    for i in 1..=90 {
        let seen = observation(5 * i + 10, 8.0, 100.0, 0.0, 4);
        often.update(&seen, SLOT);
        if i % 3 == 1 {
            once.update(&seen, SLOT);
        }
    }
    assert!((often.requests / once.requests - 1.0).abs() < 0.03, "{} {}", often.requests, once.requests);
}

/// An observation with anything in it that types allow.
fn anything() -> impl Strategy<Value = Observation> {
    let value = prop_oneof![
        any::<f64>(),
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        0.0..1e4,
    ];
    let at = prop_oneof![4 => (0_i64..40).prop_map(|slot| slot * 15_000_000), 1 => any::<i64>()];
    let sample = proptest::option::weighted(0.8, (at.clone(), value));
    let ready = prop_oneof![4 => 0_u32..200, 1 => any::<u32>()];
    (at, ready, proptest::array::uniform4(sample)).prop_map(|(now, ready, samples)| {
        let mut seen = Observation::unknown(Timestamp::from_micros(now), ready);
        seen.pods = Pods::Homogeneous(PodCounts { ready, ..PodCounts::default() });
        let features = [
            Feature::ProcessCpuSecondsTotalRate,
            Feature::HttpRequestDurationSecondsCountRate,
            Feature::HttpRequestsTotalRate,
            Feature::BadRequestRatio,
        ];
        for (feature, sample) in features.into_iter().zip(samples) {
            let sample = sample.map(|(at, value)| Sample { at: Timestamp::from_micros(at), value });
            seen.metrics.set(feature, sample);
        }
        seen
    })
}

/// Slots of (CPU seconds per request, requests per second, bad ratio, ready pods), one after the other.
fn slots() -> impl Strategy<Value = Vec<(f64, f64, f64, u32)>> {
    proptest::collection::vec((0.01_f64..0.5, 2.0_f64..2_000.0, 0.0_f64..0.3, 1_u32..60), 4..80)
}

fn fed(slots: &[(f64, f64, f64, u32)]) -> CapacityEstimate {
    let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
    let observe = |(i, (cpu_s, per_s, bad, ready)): (i64, &(f64, f64, f64, u32))| {
        observation(15 * i, cpu_s * per_s, *per_s, *bad, *ready)
    };
    (1..).zip(slots).map(observe).map(|seen| estimator.update(&seen, SLOT)).last().flatten().unwrap()
}

proptest! {
    #[test]
    fn is_total_and_the_lower_bound_is_lower(
        observations in proptest::collection::vec(anything(), 1..40),
        slot in prop_oneof![Just(15_000_000_i64), any::<i64>()],
        stated in proptest::option::of(any::<f64>()), limit in prop_oneof![Just(0_u32), Just(4_000), any::<u32>()],
    ) {
        let workload = Workload { stated_capacity: stated, cpu_limit_milli: limit, ..Workload::protocol_p1() };
        let mut estimator = CapacityEstimator::new(&workload);
        for seen in &observations {
            if let Some(estimate) = estimator.update(seen, Span::from_micros(slot)) {
                let CapacityEstimate { mean, lower } = estimate;
                prop_assert!(lower > 0.0 && lower <= mean && mean.is_finite(), "{estimate:?}");
            }
            prop_assert!((CORRECTION_FLOOR..=1.0).contains(&estimator.correction));
            let sums = [estimator.cpu_seconds, estimator.requests, estimator.squared_deviation, estimator.slots];
            prop_assert!(sums.iter().all(|sum| sum.is_finite() && *sum >= 0.0), "{sums:?}");
        }
        let text = serde_json::to_string(&estimator).unwrap();
        prop_assert_eq!(serde_json::from_str::<CapacityEstimator>(&text).unwrap(), estimator);
    }

    /// One slot that took more CPU makes the estimate smaller, whatever the others are.
    #[test]
    fn more_cpu_per_request_is_less_capacity(slots in slots(), which: prop::sample::Index, factor in 1.01_f64..10.0) {
        let mut dearer = slots.clone();
        dearer[which.index(slots.len())].0 *= factor;
        prop_assert!(fed(&dearer).mean < fed(&slots).mean);
    }

    /// Requests that all take `factor` times as long, and as many fewer of them per second.
    #[test]
    fn capacity_scales_with_the_service_mean(slots in slots(), halve: bool) {
        let factor = if halve { 0.5 } else { 2.0 };
        let scale = |(cpu_s, per_s, bad, ready): &(f64, f64, f64, u32)| (cpu_s * factor, per_s / factor, *bad, *ready);
        let scaled = fed(&slots.iter().map(scale).collect::<Vec<_>>());
        let plain = fed(&slots);
        prop_assert!((scaled.mean * factor / plain.mean - 1.0).abs() < 0.05);
        // Fewer requests leave a wider bound; the correction is the same, because utilisation is.
        prop_assert_eq!(scaled.lower < scaled.mean, plain.lower < plain.mean);
    }
}

/// × 0.5 and × 2 service mean with exponential scatter: the bound that policies plan on scales too.
#[test]
fn the_lower_bound_scales_with_the_service_mean() {
    for factor in [0.5, 2.0] {
        let estimate = |factor: f64| {
            let slots: Vec<_> = (0..60)
                .map(|i| {
                    let scatter = standard_normal(5, Stream::CpuPerRequest, 0, i) / f64::sqrt(200.0 / factor * 15.0);
                    (0.08 * factor * (1.0 + scatter), 200.0 / factor, 0.0, 8)
                })
                .collect();
            fed(&slots)
        };
        let ratio = estimate(factor).lower * factor / estimate(1.0).lower;
        assert!((ratio - 1.0).abs() < 0.05, "{factor}: {ratio}");
    }
}
