//! What every policy of the registry keeps: deterministic, total, blind to the order of pods, restorable, bounded in state.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use seatrial_core::nets::Weights;
use seatrial_core::observe::{
    Bounds, CapacityEstimate, CpuSample, Feature, Observation, Pod, PodCounts, PodPhase, Pods, ReadyCondition,
    ReadyStatus, Sample, Workload,
};
use seatrial_core::record::ALL_FEATURES;
use seatrial_core::scaling::config::ConfigError;
use seatrial_core::scaling::forecast::Quantiles;
use seatrial_core::scaling::policies::{Ingredients, POLICIES, PolicyRow, find};
use seatrial_core::scaling::policy::{DynPolicy, PastSlot, Proposal, STATE_LIMIT_BYTES, State, View};
use seatrial_core::time::{Span, Timestamp};

/// The policy with its default config; those with nets get small deterministic ones.
fn build(row: &PolicyRow) -> Box<dyn DynPolicy> {
    let weights = Weights::deterministic(1, 8, 16);
    let ingredients = Ingredients { workload: &Workload::protocol_p1(), weights: Some(&weights) };
    (row.build)(&serde_json::Value::Null, &ingredients).unwrap_or_else(|error| panic!("{}: {error}", row.id))
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

fn moment_in_time() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0_i64..2_000_000_000, 1 => Just(i64::MAX / 1_000_000), 1 => Just(-5_000_000_000_i64)]
}

fn ready() -> impl Strategy<Value = Option<ReadyCondition>> {
    let status = prop_oneof![Just(ReadyStatus::True), Just(ReadyStatus::False), Just(ReadyStatus::Unknown)];
    proptest::option::of(
        (status, moment_in_time()).prop_map(|(status, s)| ReadyCondition { status, since: Timestamp::from_secs(s) }),
    )
}

fn pod() -> impl Strategy<Value = Pod> {
    let phase = prop_oneof![
        4 => Just(PodPhase::Running),
        1 => Just(PodPhase::Pending),
        1 => Just(PodPhase::Failed),
        1 => Just(PodPhase::Unknown),
    ];
    let milli = || prop_oneof![8 => 0_i64..5_000, 1 => Just(i64::MAX), 1 => Just(-3_i64)];
    let cpu = (milli(), moment_in_time(), -10_i64..600).prop_map(|(value_milli, end, window)| CpuSample {
        value_milli,
        window_end: Timestamp::from_secs(end),
        window: Span::from_secs(window),
    });
    let start = proptest::option::of(moment_in_time().prop_map(Timestamp::from_secs));
    (phase, any::<bool>(), start, ready(), proptest::option::of(milli()), proptest::option::of(cpu)).prop_map(
        |(phase, deleted, started_at, ready, cpu_request_milli, cpu)| Pod {
            phase,
            deleted,
            created_at: started_at.unwrap_or(Timestamp::ZERO),
            started_at,
            ready,
            cpu_request_milli,
            cpu,
        },
    )
}

fn pods() -> impl Strategy<Value = Pods> {
    let small = || 0_u32..10_000;
    let counts = (small(), proptest::array::uniform8(small()), small(), count(), any::<i64>()).prop_map(
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
        metrics in proptest::array::uniform10(proptest::option::weighted(0.8, (extreme(), 0_i64..200))),
        capacity in proptest::option::weighted(0.8, (extreme(), extreme())),
        lead in prop_oneof![8 => 0_i64..600, 1 => Just(-5_i64), 1 => Just(1_000_000_000_i64)],
        forecast in proptest::option::weighted(0.8, proptest::array::uniform8(extreme())),
    ) -> Moment {
        let now = Timestamp::from_secs(now);
        let mut seen = Observation::unknown(now, replicas.0);
        seen.status_replicas = replicas.1;
        seen.pods = pods;
        for (feature, sample) in ALL_FEATURES.into_iter().zip(metrics) {
            let sample = sample.map(|(value, age)| Sample { at: now - Span::from_secs(age), value });
            seen.metrics.set(feature, sample);
        }
        Moment {
            seen,
            capacity: capacity.map(|(mean, lower)| CapacityEstimate { mean, lower }),
            lead_time: Span::from_secs(lead),
            forecast: forecast.map(|values| Quantiles { from: now, horizon: Span::from_secs(105), values }),
        }
    }
}

fn fixed_seed() -> Config {
    Config { cases: 64, rng_seed: RngSeed::Fixed(2_024), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(fixed_seed())]

    /// Two runs from the start, and one that goes through a snapshot at every step, propose the same.
    #[test]
    fn same_state_and_view_give_the_same_proposal_also_after_a_restore(steps in proptest::collection::vec(moments(), 1..20)) {
        for row in POLICIES {
            let policy = build(row);
            let (mut one, mut other) = (policy.initial_state(), policy.initial_state());
            for moment in &steps {
                let stored = other.snapshot().unwrap();
                other = policy.restore(&stored).unwrap();
                prop_assert_eq!(&stored, &other.snapshot().unwrap(), "{}", row.id);
                let proposal = step(&*policy, moment, &mut one);
                prop_assert_eq!(text(&proposal), text(&step(&*policy, moment, &mut other)), "{}", row.id);
            }
        }
    }

    #[test]
    fn the_order_of_pods_does_not_matter(moment in moments(), shift in 0_usize..12) {
        let mut turned = moment.clone();
        if let Pods::Each(pods) = &mut turned.seen.pods {
            let by = shift % pods.len().max(1);
            pods.rotate_left(by);
            pods.reverse();
        }
        for row in POLICIES {
            let policy = build(row);
            let proposal = step(&*policy, &moment, &mut policy.initial_state());
            let other = step(&*policy, &turned, &mut policy.initial_state());
            prop_assert_eq!(text(&proposal), text(&other), "{}", row.id);
        }
    }
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
