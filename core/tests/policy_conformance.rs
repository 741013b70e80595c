//! What every policy of the registry keeps: deterministic, total, blind to the order of pods, restorable, bounded in state, and
//! within limits once the guard has spoken. Observations are of every kind, hostile ones included: NaN, infinities, negative rates, the
//! largest counts, clocks that jump, metrics from the future.

use core::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use seatrial_core::nets::Weights;
use seatrial_core::observe::{
    Bounds, CapacityEstimate, CpuSample, Feature, Observation, Pod, PodCounts, PodPhase, Pods, ReadyCondition,
    ReadyStatus, Sample, Workload,
};
use seatrial_core::rand::{Stream, below};
use seatrial_core::record::ALL_FEATURES;
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::config::ConfigError;
use seatrial_core::scaling::forecast::Quantiles;
use seatrial_core::scaling::policies::{Ingredients, POLICIES, PolicyRow, find};
use seatrial_core::scaling::policy::{DynPolicy, PastSlot, Proposal, STATE_LIMIT_BYTES, State, View};
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::{Span, Timestamp};

/// The policy with its default config; those with nets get small deterministic ones.
fn build(row: &PolicyRow) -> Box<dyn DynPolicy> {
    let weights = Weights::deterministic(1, 8, 16);
    let ingredients = Ingredients { workload: &Workload::protocol_p1(), weights: Some(&weights) };
    (row.build)(&serde_json::Value::Null, &ingredients).unwrap_or_else(|error| panic!("{}: {error}", row.id))
}

/// The policy with its default config under its own guard, with a forecaster where it needs one.
fn autoscaler(row: &PolicyRow, workload: &Workload) -> Result<Autoscaler, ConfigError> {
    let weights = Weights::deterministic(1, 8, 16);
    let forecaster = row.needs_forecast.then(|| Choice::of("seasonal-naive"));
    let spec = StrategySpec { forecaster, ..StrategySpec::of(row.id) };
    spec.build(&Ingredients { workload, weights: Some(&weights) })
}

/// Everything a view is made of, owned.
#[derive(Clone, Debug)]
struct Moment {
    seen: Observation,
    capacity: Option<CapacityEstimate>,
    lead_time: Span,
    forecast: Option<Quantiles>,
}

fn step(policy: &dyn DynPolicy, moment: &Moment, state: &mut State) -> Proposal {
    let Moment { seen, capacity, lead_time, forecast } = moment;
    let view = View { observation: seen, capacity: *capacity, lead_time: *lead_time, forecast: forecast.as_ref() };
    policy.step(seen.now, &view, state)
}

/// Compares as text: NaN equals NaN, and no bit of a forecast is lost.
fn text(proposal: &Proposal) -> String {
    format!("{proposal:?}")
}

fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..5_000.0,
        1 => Just(0.0),
        1 => prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::MAX), Just(-1.0),
            Just(f64::MIN_POSITIVE),
        ],
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0_u32..120, 1 => Just(u32::MAX)]
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        8 => (0_i64..600).prop_map(Span::from_secs),
        1 => Just(Span::from_secs(-5)),
        1 => prop_oneof![Just(Span::from_micros(i64::MAX)), Just(Span::from_micros(i64::MIN))],
    ]
}

/// Often within one day, so that windows and histories of several draws meet.
fn moment_in_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => (0_i64..86_400).prop_map(Timestamp::from_secs),
        4 => (0_i64..2_000_000_000).prop_map(Timestamp::from_secs),
        1 => Just(Timestamp::from_secs(-5_000_000_000)),
        1 => prop_oneof![Just(Timestamp::from_micros(i64::MAX)), Just(Timestamp::from_micros(i64::MIN))],
    ]
}

fn ready() -> impl Strategy<Value = Option<ReadyCondition>> {
    let status = prop_oneof![Just(ReadyStatus::True), Just(ReadyStatus::False), Just(ReadyStatus::Unknown)];
    proptest::option::of((status, moment_in_time()).prop_map(|(status, since)| ReadyCondition { status, since }))
}

fn pod() -> impl Strategy<Value = Pod> {
    let phase = prop_oneof![
        4 => Just(PodPhase::Running),
        1 => Just(PodPhase::Pending),
        1 => Just(PodPhase::Failed),
        1 => Just(PodPhase::Unknown),
    ];
    let milli = || prop_oneof![8 => 0_i64..5_000, 1 => Just(-1_i64), 1 => any::<i64>(), 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let cpu = (milli(), moment_in_time(), span()).prop_map(|(value_milli, window_end, window)| CpuSample {
        value_milli,
        window_end,
        window,
    });
    let start = (moment_in_time(), proptest::option::of(moment_in_time()));
    (phase, any::<bool>(), start, ready(), proptest::option::of(milli()), proptest::option::of(cpu)).prop_map(
        |(phase, deleted, (created_at, started_at), ready, cpu_request_milli, cpu)| Pod {
            phase,
            deleted,
            created_at,
            started_at,
            ready,
            cpu_request_milli,
            cpu,
        },
    )
}

fn pods() -> impl Strategy<Value = Pods> {
    let counts = (count(), proptest::array::uniform8(count()), count(), count(), any::<i64>()).prop_map(
        |(ready, starting_by_age, terminating, sampled, cpu_milli_per_sampled_pod)| {
            Pods::Homogeneous(PodCounts { ready, starting_by_age, terminating, sampled, cpu_milli_per_sampled_pod })
        },
    );
    prop_oneof![counts, proptest::collection::vec(pod(), 0..12).prop_map(Pods::Each)]
}

prop_compose! {
    fn moments()(
        now in moment_in_time(),
        replicas in (count(), count()),
        pods in pods(),
        metrics in proptest::array::uniform10(proptest::option::weighted(0.8, (extreme(), span()))),
        capacity in proptest::option::weighted(0.8, (extreme(), extreme())),
        lead_time in span(),
        start_ups in proptest::collection::vec(span(), 0..3),
        forecast in proptest::option::weighted(0.8, (span(), span(), proptest::array::uniform8(extreme()))),
    ) -> Moment {
        let mut seen = Observation::unknown(now, replicas.0);
        seen.status_replicas = replicas.1;
        seen.pods = pods;
        seen.start_ups = start_ups;
        for (feature, sample) in ALL_FEATURES.into_iter().zip(metrics) {
            seen.metrics.set(feature, sample.map(|(value, age)| Sample { at: now - age, value }));
        }
        let capacity = capacity.map(|(mean, lower)| CapacityEstimate { mean, lower });
        let forecast = forecast.map(|(age, horizon, values)| Quantiles { from: now - age, horizon, values });
        Moment { seen, capacity, lead_time, forecast }
    }
}

/// Slots of the past as a broken history might hold them.
fn past() -> impl Strategy<Value = PastSlot> {
    (moment_in_time(), span(), proptest::option::of(extreme())).prop_map(|(end, length, arrival_rate)| PastSlot {
        end,
        length,
        arrival_rate,
    })
}

/// Limits that a user may set, the odd ones included.
fn limits() -> impl Strategy<Value = Bounds> {
    let bounds = [(1, 100), (0, 100), (0, 0), (7, 7), (0, u32::MAX), (u32::MAX, u32::MAX)];
    proptest::sample::select(bounds.map(|(min, max)| Bounds { min, max }).to_vec())
}

/// What is said of a workload beforehand, as badly as types allow.
fn workloads() -> impl Strategy<Value = Workload> {
    let milli = || prop_oneof![3 => Just(4_000_u32), 1 => Just(0), 1 => Just(u32::MAX)];
    (limits(), milli(), milli(), [span(), span(), span(), span()], proptest::option::of(extreme())).prop_map(
        |(bounds, cpu_request_milli, cpu_limit_milli, spans, stated_capacity)| {
            let [decision_interval, scrape_interval, metric_lag, prior_lead_time] = spans;
            Workload {
                bounds,
                cpu_request_milli,
                cpu_limit_milli,
                decision_interval,
                scrape_interval,
                metric_lag,
                prior_lead_time,
                stated_capacity,
            }
        },
    )
}

fn fixed_seed() -> Config {
    Config { cases: 64, rng_seed: RngSeed::Fixed(2_024), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(fixed_seed())]

    /// Two runs from the start, one of which goes through a snapshot at every step, propose the same.
    #[test]
    fn same_state_and_view_give_the_same_proposal_also_after_a_restore(
        warm_up in proptest::collection::vec(past(), 0..20), steps in proptest::collection::vec(moments(), 1..20),
    ) {
        for row in POLICIES {
            let policy = build(row);
            let (mut one, mut other) = (policy.initial_state(), policy.initial_state());
            for slot in &warm_up {
                policy.absorb(slot, &mut one);
                policy.absorb(slot, &mut other);
            }
            for moment in &steps {
                let stored = other.snapshot().unwrap();
                prop_assert!(stored.to_string().len() <= STATE_LIMIT_BYTES, "{}: {}", row.id, stored);
                other = policy.restore(&stored).unwrap();
                prop_assert_eq!(&stored, &other.snapshot().unwrap(), "{}", row.id);
                let proposal = step(&*policy, moment, &mut one);
                prop_assert_eq!(text(&proposal), text(&step(&*policy, moment, &mut other)), "{}", row.id);
            }
        }
    }

    /// Neither at once nor later, through what was remembered.
    #[test]
    fn the_order_of_pods_does_not_matter(steps in proptest::collection::vec(with_pods_turned(), 1..8)) {
        for row in POLICIES {
            let policy = build(row);
            let (mut one, mut other) = (policy.initial_state(), policy.initial_state());
            for (moment, turned) in &steps {
                let proposal = step(&*policy, moment, &mut one);
                prop_assert_eq!(text(&proposal), text(&step(&*policy, turned, &mut other)), "{}", row.id);
            }
            prop_assert_eq!(one.snapshot().unwrap(), other.snapshot().unwrap(), "{}", row.id);
        }
    }

    #[test]
    fn limits_hold_after_the_guard_and_the_next_call_lies_ahead(
        bounds in limits(), warm_up in proptest::collection::vec(past(), 0..20),
        steps in proptest::collection::vec(moments(), 1..20),
    ) {
        let workload = Workload { bounds, ..Workload::protocol_p1() };
        for row in POLICIES {
            let built = autoscaler(row, &workload);
            // Other systems know no maximum of 0, and planners may stop at a thousand replicas.
            prop_assert!(built.is_ok() || !(1..=1_000).contains(&bounds.max), "{}: {:?}", row.id, built.map(|_| ()));
            let Ok(autoscaler) = built else { continue };
            let mut state = autoscaler.initial_state();
            warm_up.iter().for_each(|slot| autoscaler.absorb(slot, &mut state));
            for Moment { seen, .. } in &steps {
                let decision = autoscaler.decide(seen.now, seen, &mut state);
                prop_assert_eq!(decision.replicas, bounds.clamp(decision.replicas), "{}: {:?}", row.id, decision);
                let ahead = decision.next_at > seen.now || seen.now.micros() == i64::MAX;
                prop_assert!(ahead, "{}: {:?} at {:?}", row.id, decision, seen.now);
            }
        }
    }

    /// A policy may refuse such a workload, but not stumble over it later.
    #[test]
    fn limits_hold_whatever_is_said_of_the_workload(
        workload in workloads(), steps in proptest::collection::vec(moments(), 1..20),
    ) {
        for row in POLICIES {
            let Ok(autoscaler) = autoscaler(row, &workload) else { continue };
            let mut state = autoscaler.initial_state();
            for Moment { seen, .. } in &steps {
                let decision = autoscaler.decide(seen.now, seen, &mut state);
                prop_assert_eq!(decision.replicas, workload.bounds.clamp(decision.replicas), "{}", row.id);
            }
        }
    }
}

/// A moment, and the same with its pods in another order.
fn with_pods_turned() -> impl Strategy<Value = (Moment, Moment)> {
    let each = proptest::collection::vec(pod(), 0..12);
    let turned = each.prop_flat_map(|pods| (Just(pods.clone()), Just(pods).prop_shuffle()));
    (moments(), turned).prop_map(|(moment, (pods, turned))| {
        let with =
            |pods| Moment { seen: Observation { pods: Pods::Each(pods), ..moment.seen.clone() }, ..moment.clone() };
        (with(pods), with(turned))
    })
}

/// Saturating sums on the way would make the order matter.
#[test]
fn extremes_add_up_to_the_same_in_any_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let values = [i64::MAX, i64::MAX, i64::MIN];
    for row in POLICIES {
        let policy = build(row);
        let proposals = orders.map(|order| {
            let pods = order.map(|index| healthy(HPA_NOW, values[index])).to_vec();
            text(&step(&*policy, &only_pods(HPA_NOW, 3, pods), &mut policy.initial_state()))
        });
        assert!(proposals.iter().all(|proposal| *proposal == proposals[0]), "{}: {proposals:?}", row.id);
    }
}

/// −2⁶³ / −1 is no 64-bit number, and a division that panics in release builds too.
#[test]
fn the_most_negative_usage_over_a_request_of_minus_one_is_answered() {
    let mut pod = healthy(HPA_NOW, i64::MIN);
    pod.cpu_request_milli = Some(-1);
    let moment = only_pods(HPA_NOW, 1, vec![pod]);
    for row in POLICIES {
        let policy = build(row);
        let asked = catch_unwind(AssertUnwindSafe(|| step(&*policy, &moment, &mut policy.initial_state())));
        assert!(asked.is_ok(), "{} panics", row.id);
    }
}

const HPA_NOW: Timestamp = Timestamp::from_secs(100_000);

fn healthy(now: Timestamp, value_milli: i64) -> Pod {
    let started = now - Span::from_secs(3_600);
    Pod {
        phase: PodPhase::Running,
        deleted: false,
        created_at: started,
        started_at: Some(started),
        ready: Some(ReadyCondition { status: ReadyStatus::True, since: started + Span::from_secs(60) }),
        cpu_request_milli: Some(4_000),
        cpu: Some(CpuSample { value_milli, window_end: now, window: Span::from_secs(15) }),
    }
}

fn only_pods(now: Timestamp, replicas: u32, pods: Vec<Pod>) -> Moment {
    let seen = Observation { pods: Pods::Each(pods), ..Observation::unknown(now, replicas) };
    Moment { seen, capacity: None, lead_time: Span::from_secs(90), forecast: None }
}

/// Six syncs of small worlds as the HPA meets them: pods that start, flap, leave and fail, samples that are missing, usage around
/// the target. Each of its answers comes up, so that the order is tested where it could matter.
#[test]
fn the_hpa_decides_the_same_whatever_the_order_of_its_pods() {
    let policy = build(find("hpa").unwrap());
    let (mut up, mut down, mut kept, mut none) = (0, 0, 0, 0);
    for world in 0..400 {
        let draw = |sync: u64, index: usize, bound: u64| {
            below(world, Stream::PodStartUp, sync, u32::try_from(index).unwrap(), bound)
        };
        let count = usize::try_from(3 + draw(99, 0, 10)).unwrap();
        let replicas = u32::try_from(count).unwrap();
        // Every 15 s its memory forbids to shrink; after long pauses it does not.
        let period = Span::from_secs(if world % 2 == 0 { 15 } else { 400 });
        let (mut one, mut other) = (policy.initial_state(), policy.initial_state());
        for sync in 0..6 {
            let now = HPA_NOW + period * i64::try_from(sync).unwrap();
            let pods: Vec<Pod> =
                (0..count).map(|i| any_pod(now, |what, bound| draw(sync, 8 * i + what, bound))).collect();
            let mut turned = pods.clone();
            (1..count).for_each(|i| turned.swap(i, usize::try_from(draw(sync, 1_000 + i, i as u64 + 1)).unwrap()));
            let proposal = step(&*policy, &only_pods(now, replicas, pods), &mut one);
            let again = step(&*policy, &only_pods(now, replicas, turned), &mut other);
            assert_eq!(text(&proposal), text(&again), "world {world}, sync {sync}");
            let tallied = match proposal.replicas.map(|wish| wish.cmp(&replicas)) {
                Some(Ordering::Greater) => &mut up,
                Some(Ordering::Less) => &mut down,
                Some(Ordering::Equal) => &mut kept,
                None => &mut none,
            };
            *tallied += 1;
        }
        assert_eq!(one.snapshot().unwrap(), other.snapshot().unwrap(), "world {world}");
    }
    assert!(
        up > 100 && down > 100 && kept > 100 && none > 0,
        "{up} up, {down} down, {kept} kept, {none} without answer"
    );
}

/// A pod of a world under way; `draw` gives the n-th whole number below a bound.
fn any_pod(now: Timestamp, draw: impl Fn(usize, u64) -> u64) -> Pod {
    let mut pod = healthy(now, 200 + draw(0, 5_800).cast_signed());
    let seconds = |what| Span::from_secs(draw(what, 400).cast_signed());
    match draw(1, 16) {
        0 => pod.phase = PodPhase::Pending,
        1 => pod.cpu = None,
        2 => pod.started_at = Some(now - seconds(2)),
        3 => pod.ready = Some(ReadyCondition { status: ReadyStatus::False, since: now - seconds(3) }),
        4 => pod.deleted = true,
        5 => pod.phase = PodPhase::Failed,
        6 => pod.phase = PodPhase::Unknown,
        7 if draw(4, 8) == 0 => pod.cpu_request_milli = None,
        _ => {}
    }
    pod
}

/// A day and a half of ordinary life at 15 s: load up and down, some scrapes lost, replicas following the proposals.
#[test]
fn the_state_stays_within_its_limit() {
    for row in POLICIES {
        let policy = build(row);
        let mut state = policy.initial_state();
        let mut replicas = 10;
        for i in 0..8_000_i64 {
            let moment = ordinary(i, replicas);
            let slot = PastSlot { end: moment.seen.now, length: Span::from_secs(15), arrival_rate: Some(load(i)) };
            policy.absorb(&slot, &mut state);
            replicas = step(&*policy, &moment, &mut state).replicas.unwrap_or(replicas).clamp(1, 100);
            if i == 2_000 || i == 7_999 {
                let bytes = state.snapshot().unwrap().to_string().len();
                assert!(bytes <= STATE_LIMIT_BYTES, "{}: {bytes} bytes after {i} steps", row.id);
            }
        }
    }
}

/// A triangle of 50 minutes with a spike every 37 steps.
fn load(i: i64) -> f64 {
    let phase = f64::from(i32::try_from((i % 200 - 100).abs()).unwrap_or_default());
    400.0 + 10.0 * phase + if i % 37 == 0 { 900.0 } else { 0.0 }
}

fn ordinary(i: i64, replicas: u32) -> Moment {
    let now = Timestamp::from_secs(1_800_000_000 + 15 * i);
    let rate = load(i);
    let mut seen = Observation::unknown(now, replicas);
    let at = now - Span::from_secs(15);
    if i % 11 != 0 {
        seen.metrics.set(Feature::HttpRequestsTotalRate, Some(Sample { at, value: rate }));
        seen.metrics.set(Feature::ProcessCpuSecondsTotalRate, Some(Sample { at, value: rate * 0.08 }));
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole thousandths of a core")]
    let cpu_milli_per_sampled_pod = (rate * 80.0 / f64::from(replicas)) as i64;
    let counts = PodCounts { ready: replicas, sampled: replicas, cpu_milli_per_sampled_pod, ..PodCounts::default() };
    seen.pods = Pods::Homogeneous(counts);
    let values = [0.9, 0.93, 0.97, 1.0, 1.05, 1.1, 1.2, 1.4].map(|share| share * rate);
    Moment {
        seen,
        capacity: Some(CapacityEstimate { mean: 50.0, lower: 47.0 }),
        lead_time: Span::from_secs(90),
        forecast: Some(Quantiles { from: at, horizon: Span::from_secs(105), values }),
    }
}

/// With nothing known but the replicas, and with zero bounds: an answer, whatever it is.
#[test]
fn nothing_known_is_answered() {
    for row in POLICIES {
        let policy = build(row);
        let mut state = policy.initial_state();
        for replicas in [0, 1, 100, u32::MAX] {
            let seen = Observation::unknown(Timestamp::ZERO, replicas);
            let moment = Moment { seen, capacity: None, lead_time: Span::ZERO, forecast: None };
            let proposal = step(&*policy, &moment, &mut state);
            assert!(row.id == "static" || proposal.replicas.is_none_or(|wish| wish <= 100), "{}: {proposal:?}", row.id);
        }
    }
}

#[test]
fn unknown_keys_and_foreign_states_are_refused() {
    let weights = Weights::deterministic(1, 8, 16);
    let workload = Workload { bounds: Bounds { min: 1, max: 10 }, ..Workload::protocol_p1() };
    let ingredients = Ingredients { workload: &workload, weights: Some(&weights) };
    for row in POLICIES {
        let built = (row.build)(&serde_json::json!({ "no_such_key": 1 }), &ingredients);
        let error = built.map(|_| ()).unwrap_err();
        assert!(matches!(&error, ConfigError::Shape { id, .. } if *id == row.id), "{}: {error}", row.id);
        let foreign = build(row).restore(&serde_json::json!({ "of": "another policy" })).map(|_| ()).unwrap_err();
        assert!(matches!(foreign, ConfigError::State { .. }), "{}: {foreign}", row.id);
    }
}

/// Explicit lists instead of registration by magic: this is what keeps them complete.
#[test]
#[expect(clippy::disallowed_methods, reason = "this test lists the source folder")]
fn every_file_of_the_folder_has_a_row() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scaling/policies");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".rs").map(|stem| stem.replace('_', "-")))
        .filter(|stem| stem != "tests")
        .collect();
    files.sort_unstable();
    let rows: Vec<&str> = POLICIES.iter().map(|row| row.id).collect();
    assert_eq!(files, rows, "files of {folder} (left) and rows of POLICIES (right), both sorted");
    for row in POLICIES {
        assert_eq!(find(row.id).unwrap().id, row.id);
        assert!(!row.summary.is_empty() && !row.summary.ends_with('.'), "{}", row.id);
    }
}
