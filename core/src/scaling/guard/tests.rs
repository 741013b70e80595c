//! Every rule fires; the whole is total, within bounds and idempotent.

use proptest::prelude::*;

use super::*;
use crate::observe::{CapacityEstimate, Feature, Observation, Sample};
use crate::scaling::policy::Reason;

/// Replicas that stand, replicas wished for, and the load sample (moment, rate).
#[derive(Clone, Copy, Debug)]
struct Moment {
    now: i64,
    present: u32,
    wish: Option<u32>,
    load: Option<(i64, f64)>,
}

fn seen(moment: &Moment) -> Observation {
    let mut seen = Observation::unknown(Timestamp::from_micros(moment.now), moment.present);
    let sample = moment.load.map(|(at, value)| Sample { at: Timestamp::from_micros(at), value });
    seen.metrics.set(Feature::HttpRequestsTotalRate, sample);
    seen
}

fn apply(guard: &Guard, moment: &Moment, mean: f64, state: &mut GuardState) -> (u32, Stages) {
    let observation = seen(moment);
    let capacity = Some(CapacityEstimate { mean, lower: mean });
    let view = View { observation: &observation, capacity, lead_time: Span::from_secs(90), forecast: None };
    let proposal = Proposal { replicas: moment.wish, ..Proposal::none(Reason::Load) };
    guard.apply(observation.now, &view, &proposal, state)
}

/// At second `s`, with a load sample of 15 s ago.
fn at(s: i64, present: u32, wish: u32, rate: f64) -> Moment {
    Moment { now: s * 1_000_000, present, wish: Some(wish), load: Some(((s - 15) * 1_000_000, rate)) }
}

fn full(change: impl FnOnce(&mut GuardConfig)) -> Guard {
    let mut config = GuardConfig::default();
    change(&mut config);
    Guard::full(&Workload::protocol_p1(), &config).unwrap()
}

/// The answer and the rules that changed something, with a pod capacity of 50.
fn run(guard: &Guard, moment: &Moment, state: &mut GuardState) -> (u32, Vec<Rule>) {
    let (replicas, stages) = apply(guard, moment, 50.0, state);
    (replicas, stages.iter().map(|(rule, _)| rule).collect())
}

#[test]
fn what_breaks_no_rule_passes_unchanged() {
    let state = &mut GuardState::default();
    assert_eq!(run(&full(|_| {}), &at(0, 10, 12, 100.0), state), (12, vec![]));
    assert_eq!(run(&full(|_| {}), &at(15, 12, 13, 100.0), state), (13, vec![]));
}

#[test]
fn bounds_hold() {
    let guard = Guard::bounds_only(Bounds { min: 2, max: 30 });
    let state = &mut GuardState::default();
    assert_eq!(run(&guard, &at(0, 10, 1, 0.0), state), (2, vec![Rule::Bounds]));
    assert_eq!(run(&guard, &at(0, 10, 31, 0.0), state), (30, vec![Rule::Bounds]));
    assert_eq!(*state, GuardState::default(), "needs no memory");
}

#[test]
fn the_floor_lifts_a_wish_that_the_present_load_would_overrun() {
    let state = &mut GuardState::default();
    // 600 / (0.85 × 50) = 14.1.
    assert_eq!(run(&full(|_| {}), &at(0, 10, 11, 600.0), state), (15, vec![Rule::ReactiveFloor]));
    let off = full(|config| config.reactive_floor_utilisation = None);
    assert_eq!(run(&off, &at(0, 10, 11, 600.0), &mut GuardState::default()), (11, vec![]));
}

#[test]
fn replicas_stay_up_until_a_minute_after_the_last_great_wish() {
    let (guard, state) = (full(|_| {}), &mut GuardState::default());
    assert_eq!(run(&guard, &at(0, 10, 20, 100.0), state).0, 20);
    for second in [15, 30, 45] {
        assert_eq!(run(&guard, &at(second, 20, 5, 100.0), state), (20, vec![Rule::Stabilisation]), "{second}");
    }
    assert_eq!(run(&guard, &at(60, 20, 5, 100.0), state), (5, vec![]));
}

#[test]
fn after_a_start_nothing_shrinks_for_a_minute() {
    let (guard, state) = (full(|_| {}), &mut GuardState::default());
    assert_eq!(run(&guard, &at(0, 10, 5, 100.0), state), (10, vec![Rule::Stabilisation]));
    assert_eq!(run(&guard, &at(59, 10, 5, 100.0), state).0, 10);
    assert_eq!(run(&guard, &at(60, 10, 5, 100.0), state).0, 5);
}

#[test]
fn growth_is_limited_per_period_not_per_decision() {
    let (guard, state) = (full(|_| {}), &mut GuardState::default());
    assert_eq!(run(&guard, &at(0, 10, 50, 100.0), state), (20, vec![Rule::RateLimit]));
    assert_eq!(run(&guard, &at(5, 20, 50, 100.0), state), (20, vec![Rule::RateLimit]));
    assert_eq!(run(&guard, &at(15, 20, 50, 100.0), state), (40, vec![Rule::RateLimit]));
    let small = &mut GuardState::default();
    assert_eq!(run(&guard, &at(0, 2, 50, 100.0), small), (6, vec![Rule::RateLimit]), "four pods are more than 100 %");
}

#[test]
fn shrinking_is_limited_if_asked_for() {
    let guard = full(|config| {
        config.down_percent = 10;
        config.down_stabilisation_s = 0;
    });
    assert_eq!(run(&guard, &at(0, 19, 5, 0.0), &mut GuardState::default()), (17, vec![Rule::RateLimit]));
}

#[test]
fn a_missing_load_never_shrinks_and_after_three_scrapes_holds() {
    let (guard, state) = (full(|config| config.down_stabilisation_s = 0), &mut GuardState::default());
    assert_eq!(run(&guard, &at(0, 10, 9, 100.0), state).0, 9);
    let blind = |second: i64, wish| Moment { load: None, ..at(second, 10, wish, 0.0) };
    assert_eq!(run(&guard, &blind(15, 5), state), (10, vec![Rule::StaleMetrics]));
    assert_eq!(run(&guard, &blind(30, 12), state), (12, vec![]), "growing is still allowed");
    assert_eq!(run(&guard, &blind(45, 12), state), (10, vec![Rule::StaleMetrics]));
    assert_eq!(run(&guard, &at(60, 10, 12, 100.0), state), (12, vec![]));
}

#[test]
fn a_sample_that_does_not_advance_is_stale() {
    let (guard, state) = (full(|config| config.down_stabilisation_s = 0), &mut GuardState::default());
    let frozen = |second| Moment { load: Some((0, 100.0)), ..at(second, 10, 5, 0.0) };
    assert_eq!(run(&guard, &frozen(15), state).0, 5);
    assert_eq!(run(&guard, &frozen(59), state).0, 5);
    assert_eq!(run(&guard, &frozen(60), state), (10, vec![Rule::StaleMetrics]));
    let first_sight = &mut GuardState::default();
    assert_eq!(run(&guard, &frozen(60), first_sight), (10, vec![Rule::StaleMetrics]), "old when first seen");
}

#[test]
fn a_pipeline_slower_than_was_said_is_not_stale_for_ever() {
    let (guard, state) = (full(|config| config.down_stabilisation_s = 0), &mut GuardState::default());
    let late = |second: i64| Moment { load: Some(((second - 60) * 1_000_000, 100.0)), ..at(second, 10, 5, 0.0) };
    run(&guard, &late(100), state);
    assert_eq!(run(&guard, &late(115), state).0, 5);
}

#[test]
fn no_proposal_keeps_what_is_there() {
    let (guard, state) = (full(|_| {}), &mut GuardState::default());
    assert_eq!(run(&guard, &Moment { wish: None, ..at(0, 10, 0, 100.0) }, state), (10, vec![]));
}

#[test]
fn settings_out_of_range_are_refused() {
    let refusal = |change: fn(&mut GuardConfig)| {
        let mut config = GuardConfig::default();
        change(&mut config);
        Guard::full(&Workload::protocol_p1(), &config).unwrap_err().to_string()
    };
    assert!(refusal(|c| c.reactive_floor_utilisation = Some(f64::NAN)).contains("`reactive_floor_utilisation` is NaN"));
    assert!(refusal(|c| c.reactive_floor_utilisation = Some(1.1)).contains("reactive_floor"));
    assert!(refusal(|c| c.down_percent = 101).contains("`down_percent` is 101, must be 0 to 100"));
    assert!(refusal(|c| c.rate_period_s = 0).contains("rate_period_s"));
    assert!(refusal(|c| c.down_stabilisation_s = 3_601).contains("down_stabilisation_s"));
    assert!(refusal(|c| c.stale_after_scrapes = 0).contains("stale_after_scrapes"));
}

fn load() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..5_000.0, Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(-1.0), Just(f64::MIN_POSITIVE)]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0_u32..120, 1 => Just(u32::MAX)]
}

/// Gap to the moment before, present replicas, wish, load and its age.
type Walk = Vec<(i64, u32, Option<u32>, Option<f64>, i64)>;

fn moments() -> impl Strategy<Value = Walk> {
    let moment = (
        prop_oneof![8 => 0..40_000_000_i64, 1 => -100_000_000..0_i64],
        count(),
        proptest::option::weighted(0.8, count()),
        proptest::option::weighted(0.8, load()),
        0..100_000_000_i64,
    );
    proptest::collection::vec(moment, 1..60)
}

fn guards() -> impl Strategy<Value = Guard> {
    let floor = proptest::option::of(0.01..=1.0);
    let config = (floor, 0_u32..300, 0_u32..9, 0_u32..=100, 1_u32..600, 0_u32..900, 1_u32..5).prop_map(
        |(
            reactive_floor_utilisation,
            up_percent,
            up_pods,
            down_percent,
            rate_period_s,
            down_stabilisation_s,
            scrapes,
        )| {
            GuardConfig {
                reactive_floor_utilisation,
                up_percent,
                up_pods,
                down_percent,
                rate_period_s,
                down_stabilisation_s,
                stale_after_scrapes: scrapes,
            }
        },
    );
    (config, count(), count()).prop_map(|(config, min, max)| {
        let workload = Workload { bounds: Bounds { min, max }, ..Workload::protocol_p1() };
        Guard::full(&workload, &config).unwrap()
    })
}

proptest! {
    /// Over random walks of observations, proposals and extreme numbers.
    #[test]
    fn answers_are_within_bounds_idempotent_and_replayable(
        guard in guards(), capacity in load(), steps in moments(),
    ) {
        let mut state = GuardState::default();
        let mut now = 0;
        for (gap, present, wish, rate, age) in steps {
            now += gap;
            let moment = Moment { now, present, wish, load: rate.map(|rate| (now - age, rate)) };
            let before = state.clone();
            let (replicas, _) = apply(&guard, &moment, capacity, &mut state);
            prop_assert!(replicas >= guard.bounds().min && replicas <= guard.bounds().max);
            let again = Moment { wish: Some(replicas), ..moment };
            for remembered in [before.clone(), state.clone()] {
                let (second, _) = apply(&guard, &again, capacity, &mut remembered.clone());
                prop_assert_eq!(second, replicas);
            }
            let stored = serde_json::to_string(&before).unwrap();
            let mut restored: GuardState = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(apply(&guard, &moment, capacity, &mut restored).0, replicas);
        }
    }
}
