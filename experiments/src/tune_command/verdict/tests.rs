//! Each verdict fires on numbers made for it, and a near miss does not.

use seatrial_envs::episode::CostTerms;
use seatrial_envs::scenario::CostWeights;

use super::*;
use crate::tune_command::judgement::{Pressed, Track};
use crate::tune_command::manifest::{Manifest, parse};

const MINUTE: Span = Span::from_secs(60);

/// Days of so many replica-hours and bad requests out of a million.
fn track(days: &[(f64, f64)]) -> Track {
    let day = |(hours, bad): &(f64, f64)| CostTerms {
        ready_s: hours * 3_600.0,
        requests: 1e6,
        bad_requests: *bad,
        changes: 100.0,
        ..CostTerms::default()
    };
    Track { days: days.iter().map(day).collect(), length_days: seatrial_reports::stats::count(days.len()) }
}

/// Nothing to win: today's is what is suggested, near the oracle.
fn calm() -> Judgement {
    let today = track(&[(100.0, 50.0), (110.0, 60.0), (90.0, 40.0)]);
    Judgement {
        suggested: today.clone(),
        by_objective: vec![today.clone(); 3],
        front: Vec::new(),
        oracle: track(&[(95.0, 50.0); 3]),
        least_cost: 95.0 * 3_600.0,
        oracle_from_one: None,
        fast_start: today.clone(),
        on_rate: None,
        pressed: Pressed::default(),
        weights: CostWeights { kappa: 1.0, churn: 5.0 },
        saturated: 0.0,
        today,
    }
}

fn judged(judgement: &Judgement, interval: Span) -> Verdict {
    of(judgement, &Figures::of(judgement), interval)
}

fn manifest() -> Manifest {
    parse("f", include_str!("../../../tests/data/tune/web.yaml"), None).unwrap()
}

fn said(judgement: &Judgement) -> String {
    let figures = Figures::of(judgement);
    sentence(of(judgement, &figures, MINUTE), judgement, &figures, &manifest().scalers[0])
}

#[test]
fn a_win_needs_an_interval_beyond_zero_and_a_gain_worth_a_rollout() {
    assert_eq!(judged(&calm(), MINUTE), Verdict::NothingToWin);
    let cheaper = Judgement { suggested: track(&[(80.0, 50.0), (85.0, 60.0), (75.0, 40.0)]), ..calm() };
    assert_eq!(judged(&cheaper, MINUTE), Verdict::Win);
    // 240 hours instead of 300.
    assert_eq!(said(&cheaper), "20.0 % fewer replica-hours, about as many bad requests (0.0050 % instead of 0.0050 %)");
    let by_a_hair = Judgement { suggested: track(&[(99.5, 50.0), (109.5, 60.0), (89.5, 40.0)]), ..calm() };
    assert_eq!(judged(&by_a_hair, MINUTE), Verdict::NothingToWin, "half a percent is sure but not worth it");
    let by_chance = Judgement { suggested: track(&[(60.0, 50.0), (130.0, 60.0), (90.0, 40.0)]), ..calm() };
    assert_eq!(judged(&by_chance, MINUTE), Verdict::NothingToWin, "cheaper on one day, dearer on another");
}

#[test]
fn bounds_that_bind_and_slow_starts_are_no_matter_of_settings() {
    let floor = Judgement { pressed: Pressed { floor: 0.85, ..Pressed::default() }, ..calm() };
    assert_eq!(judged(&floor, MINUTE), Verdict::Floor);
    assert!(said(&floor).starts_with("not an HPA problem: minReplicas 3 holds 85 % of the time"), "{}", said(&floor));
    let ceiling = |bad: f64| Judgement {
        today: track(&[(100.0, bad); 3]),
        suggested: track(&[(100.0, bad); 3]),
        pressed: Pressed { ceiling: 0.1, bad_at_ceiling: 0.9, floor: 0.0 },
        ..calm()
    };
    assert_eq!(judged(&ceiling(20_000.0), MINUTE), Verdict::Ceiling);
    assert_eq!(judged(&ceiling(100.0), MINUTE), Verdict::NothingToWin, "one in ten thousand troubles nobody");
    // 30 % over the least; pods that start at once win two thirds of that.
    let slow =
        |fast: f64| Judgement { least_cost: 100.0 * 3_600.0 / 1.3, fast_start: track(&[(fast, 0.0); 3]), ..calm() };
    assert_eq!(judged(&slow(84.0), MINUTE), Verdict::StartUp);
    assert!(said(&slow(84.0)).contains("pods ready within 5 s would save 16 % of the cost"), "{}", said(&slow(84.0)));
    assert_eq!(judged(&slow(95.0), MINUTE), Verdict::NothingToWin, "faster starts win little");
}

#[test]
fn few_days_and_long_bins_give_no_answer() {
    let two = Judgement {
        today: track(&[(100.0, 0.0); 2]),
        suggested: track(&[(50.0, 0.0); 2]),
        fast_start: track(&[(50.0, 0.0); 2]),
        ..calm()
    };
    assert_eq!(judged(&two, MINUTE), Verdict::TooShort);
    assert!(said(&two).contains("only 2 days to compare on"), "{}", said(&two));
    assert_eq!(judged(&calm(), Span::from_secs(600)), Verdict::TooCoarse);
}

#[test]
fn another_metric_is_named_only_where_it_wins_by_much() {
    let remark = |hours: f64| {
        let judgement = Judgement { on_rate: Some((40.0, track(&[(hours, 50.0); 3]))), ..calm() };
        remarks(judged(&judgement, MINUTE), &judgement, &manifest().scalers[0])
    };
    assert!(remark(80.0)[0].contains("on requests per second (40 per pod) would cost another"), "{:?}", remark(80.0));
    assert_eq!(remark(99.0), Vec::<String>::new());
}

#[test]
fn small_numbers_keep_their_digits_and_a_minus_is_one() {
    assert_eq!([0.0, 0.000_082, 0.0041, 0.25].map(share), ["0 %", "0.0082 %", "0.41 %", "25.0 %"]);
    let estimate = Estimate { value: -0.11, low: Some(-0.121), high: Some(-0.098), n: 3 };
    assert_eq!(with_interval(&estimate, percent), "−11.0 % (−12.1 to −9.8 %)");
    assert_eq!(with_interval(&Estimate { low: None, high: None, ..estimate }, percent), "−11.0 %");
    assert_eq!(with_interval(&Estimate { value: f64::NAN, ..estimate }, percent), "–");
}

#[test]
fn a_ceiling_that_binds_goes_before_a_win() {
    let squeezed = |after: f64| Judgement {
        today: track(&[(100.0, 605_000.0); 3]),
        suggested: track(&[(89.1, after); 3]),
        pressed: Pressed { ceiling: 0.5, bad_at_ceiling: 0.9, floor: 0.0 },
        ..calm()
    };
    assert_eq!(judged(&squeezed(604_000.0), MINUTE), Verdict::Ceiling);
    assert_eq!(judged(&squeezed(500.0), MINUTE), Verdict::Win, "settings alone take nearly all of them away");
}

#[test]
fn a_saving_that_is_paid_with_requests_says_so_or_is_none() {
    let paid = |kappa: f64, before: f64, after: f64| Judgement {
        today: track(&[(100.0, before); 3]),
        suggested: track(&[(50.0, after); 3]),
        weights: CostWeights { kappa, churn: 5.0 },
        ..calm()
    };
    let spoilt = paid(1.0, 63_100.0, 107_000.0);
    assert_eq!(judged(&spoilt, MINUTE), Verdict::Spoils);
    assert!(said(&spoilt).starts_with("nothing to win without spoiling requests: "), "{}", said(&spoilt));
    let cost = paid(0.3, 63_100.0, 107_000.0);
    assert_eq!(judged(&cost, MINUTE), Verdict::Win);
    let words =
        "50.0 % fewer replica-hours for MORE bad requests: 10.7 % instead of 6.31 %; --objective slo weighs them more";
    assert_eq!(said(&cost), words);
    assert_eq!(judged(&paid(1.0, 0.0, 6_100.0), MINUTE), Verdict::Win);
    assert!(said(&paid(1.0, 0.0, 6_100.0)).contains("MORE bad requests: 0.61 % instead of 0 %"));
}

#[test]
fn saturated_cpu_and_a_metric_that_is_not_simulated_suggest_nothing() {
    let cheaper = |saturated: f64| Judgement { suggested: track(&[(80.0, 50.0); 3]), saturated, ..calm() };
    assert_eq!(judged(&cheaper(0.05), MINUTE), Verdict::Win);
    assert_eq!(judged(&cheaper(0.63), MINUTE), Verdict::Saturated);
    assert!(said(&cheaper(0.63)).contains("CPU was saturated in 63 % of the bins and hid more load"));
    let mut scaler = manifest().scalers.remove(0);
    scaler.rival = Some("CPU (AverageValue)".to_owned());
    let won = cheaper(0.0);
    let figures = Figures::of(&won);
    let verdict = for_scaler(&scaler, &won, &figures, MINUTE);
    assert_eq!(verdict, Verdict::OtherMetric);
    assert!(!verdict.suggests());
    assert!(sentence(verdict, &won, &figures, &scaler).contains("the other metric CPU (AverageValue) may decide"));
}
