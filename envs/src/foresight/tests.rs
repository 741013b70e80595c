//! The ladder on generated loads: knowing more never costs more, and nobody goes below the certified bound.

use super::*;
use crate::load::EpisodeLoad;
use crate::oracle::certify_on;
use crate::scenario::{Regime, ScenarioError};
use proptest::prelude::*;
use seatrial_core::observe::Bounds;
use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::time::Timestamp;

fn load(rates: Vec<f64>) -> EpisodeLoad {
    let past = vec![rates[0]; 60];
    EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), rates, past).unwrap()
}

/// From 100 to 1,300 requests/s and back, in four hours each.
fn ramp() -> EpisodeLoad {
    load((0..480_u32).map(|minute| 100.0 + 5.0 * f64::from(if minute < 240 { minute } else { 480 - minute })).collect())
}

/// A calm that wanders, with a crowd of five times as many after two hours.
fn crowd() -> EpisodeLoad {
    let wander = |minute: u64| 300.0 + 15.0 * standard_normal(4, Stream::TraceNoise, minute, 0);
    load((0..360).map(|minute| if (120..150).contains(&minute) { 1_500.0 } else { wander(minute) }).collect())
}

/// Costs of the ladder in the order of [`HORIZONS`], and of the oracle's plan, over the certified lower bound.
fn ladder(load: &EpisodeLoad, seed: u64) -> Vec<f64> {
    ladder_in(&Scenario::protocol_p1(), load, seed)
}

fn ladder_in(p1: &Scenario, load: &EpisodeLoad, seed: u64) -> Vec<f64> {
    let traffic = Traffic::new(p1, load, seed).unwrap();
    let certified = certify_on(p1, &traffic).unwrap();
    let cost = |horizon: &Span| {
        let who = Foresight::LookAhead(LookAhead::of(*horizon));
        run_foresight(p1, &traffic, who).unwrap().j(p1.costs) / certified.lower
    };
    HORIZONS.iter().map(cost).chain([certified.upper / certified.lower]).collect()
}

#[test]
fn each_rung_of_the_ladder_is_cheaper_than_the_last() {
    for (name, load) in [("ramp", ramp()), ("crowd", crowd())] {
        for seed in 0..3 {
            let costs = ladder(&load, seed);
            assert!(costs.windows(2).all(|pair| pair[1] <= 1.005 * pair[0]), "{name}, seed {seed}: {costs:?}");
            assert!(costs[5] >= 1.0 && costs[5] < 1.007, "{name}, seed {seed}: {costs:?}");
        }
    }
}

/// The lead time is 90 s: who sees as far is close to the oracle. Who sees less pays for a crowd until pods have started, and
/// nothing for a slow ramp, on which the present rate is a good forecast.
#[test]
fn the_lead_time_is_what_has_to_be_seen() {
    let (ramp, crowd) = (ladder(&ramp(), 1), ladder(&crowd(), 1));
    assert!(ramp.iter().all(|cost| *cost < 1.01), "{ramp:?}");
    // Half of the starts take longer than 60 s, the median; who sees nothing has a queue for all of that time, and its drain.
    assert!(crowd[3] < 1.03 && (1.2..1.8).contains(&crowd[2]) && crowd[0] > 1.8, "{crowd:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn nobody_goes_below_the_bound_and_knowing_more_costs_no_more(
        level in 100.0..900.0_f64,
        noise in 0.0..80.0_f64,
        jump in 1.0..3.0_f64,
        seed in 0_u64..1_000,
    ) {
        let rate = |minute: u64| {
            let base = if minute % 90 < 45 { level } else { level * jump };
            (base + noise * standard_normal(seed, Stream::TraceNoise, minute, 0)).max(0.0)
        };
        let load = load((0..240).map(rate).collect());
        let costs = ladder(&load, seed);
        prop_assert!(costs.iter().all(|cost| *cost >= 1.0), "{costs:?}");
        // One late start may cost more than all that is to be known: monotone it is where starts do not scatter.
        let mut certain = Scenario::protocol_p1();
        certain.start_up.sigma = 0.0;
        let costs = ladder_in(&certain, &load, seed);
        prop_assert!(costs.iter().all(|cost| *cost >= 1.0), "{costs:?}");
        prop_assert!(costs.windows(2).all(|pair| pair[1] <= 1.005 * pair[0]), "{costs:?}");
    }
}

/// ceil(1.2 × 400 / 50) = 10 pods from the first decision on: nine are there at the start and one is created.
#[test]
fn headroom_on_the_true_rate_is_plain_arithmetic() {
    let mut p1 = Scenario::protocol_p1();
    p1.initial_rate_per_pod = 45.0;
    let traffic = Traffic::new(&p1, &load(vec![400.0; 30]), 1).unwrap();
    let result = run_foresight(&p1, &traffic, Foresight::PresentRate { factor: 1.2 }).unwrap();
    let start_up_s = World::new(&p1).start_up(1, 0).as_secs_f64();
    assert_eq!((result.initial_replicas, result.decisions, result.total.changes), (9, 120, 1.0));
    assert_eq!(result.total.pod_seconds(), 10.0 * 1_800.0);
    assert_eq!(result.total.starting_s, start_up_s);
}

/// A jump from 100 to 1,000 requests/s at the tenth minute: 24 pods are asked for at once, or a slot and the lag later.
#[test]
fn the_lag_is_that_of_the_metrics() {
    let rates: Vec<f64> = (0..20).map(|minute| if minute < 10 { 100.0 } else { 1_000.0 }).collect();
    let pods = |regime: Regime, who: Foresight| {
        let scenario = Scenario::protocol_p1().under(regime);
        let traffic = Traffic::new(&scenario, &load(rates.clone()), 1).unwrap();
        run_foresight(&scenario, &traffic, who).unwrap().total.pod_seconds()
    };
    let lagged = Foresight::LaggedRate { factor: 1.2 };
    let present = pods(Regime::Plain, Foresight::PresentRate { factor: 1.2 });
    // 24 − 3 pods are paid for so much shorter; the metrics of a slot are visible when it is over and the lag has passed.
    assert_eq!(present - pods(Regime::Plain, lagged), 21.0 * 30.0);
    assert_eq!(present - pods(Regime::MetricLag, lagged), 21.0 * 75.0);
}

#[test]
fn a_reserve_holds_more_pods() {
    let p1 = Scenario::protocol_p1();
    let traffic = Traffic::new(&p1, &crowd(), 1).unwrap();
    let run = |reserve: f64| {
        let who = Foresight::LookAhead(LookAhead { reserve, ..LookAhead::of(Span::ZERO) });
        run_foresight(&p1, &traffic, who).unwrap().total
    };
    let (plain, reserved) = (run(1.0), run(1.3));
    assert!(reserved.ready_s > 1.1 * plain.ready_s && reserved.bad_requests < 0.7 * plain.bad_requests);
}

#[test]
fn bad_input_is_refused() {
    let p1 = Scenario::protocol_p1();
    let traffic = Traffic::new(&p1, &load(vec![100.0; 10]), 1).unwrap();
    let mut broken = p1.clone();
    broken.workload.bounds = Bounds { min: 2, max: 1 };
    let who = Foresight::PresentRate { factor: 1.2 };
    let refused = run_foresight(&broken, &traffic, who).unwrap_err();
    assert!(matches!(refused, EpisodeError::Scenario(ScenarioError::Range { .. })));
    for reserve in [f64::NAN, -1.0, f64::INFINITY] {
        let who = Foresight::LookAhead(LookAhead { reserve, ..LookAhead::of(Span::ZERO) });
        assert!(matches!(run_foresight(&p1, &traffic, who), Err(EpisodeError::Load(_))), "{reserve}");
    }
}
