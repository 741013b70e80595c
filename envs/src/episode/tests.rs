//! Episodes against an independent second-by-second world; regimes; what is paid and when.

use super::*;
use crate::scenario::Regime;
use proptest::prelude::*;
use seatrial_core::math;
use seatrial_core::observe::{Bounds, Feature, LoadHistory, Metrics, Pods};
use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::scaling::forecasters::{LoadIntake, find};
use seatrial_core::scaling::guard::Guard;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::policy::{PastSlot, Policy, Proposal};

const MINUTE: Span = Span::from_secs(60);

/// Asks for what it is told, decision by decision.
#[derive(Clone)]
struct Script {
    cadence: Span,
    replicas: Vec<u32>,
}

impl Policy for Script {
    type State = usize;

    fn initial_state(&self) -> usize {
        0
    }

    fn step(&self, _now: Timestamp, _view: &View<'_>, step: &mut usize) -> Proposal {
        let wish = self.replicas[(*step).min(self.replicas.len() - 1)];
        *step += 1;
        Proposal::of(wish, Reason::Fixed)
    }

    fn cadence(&self) -> Option<Span> {
        Some(self.cadence)
    }
}

/// Remembers the last slot it absorbed.
struct Absorber;

impl Policy for Absorber {
    type State = Option<Timestamp>;

    fn initial_state(&self) -> Self::State {
        None
    }

    fn step(&self, _now: Timestamp, view: &View<'_>, last: &mut Self::State) -> Proposal {
        let seen = view.observation.arrival_rate().unwrap();
        assert!(last.is_none_or(|last| last + Span::from_secs(15) == seen.at), "{last:?} then {seen:?}");
        *last = Some(seen.at);
        Proposal::none(Reason::Hold)
    }

    fn absorb(&self, slot: &PastSlot, last: &mut Self::State) {
        *last = Some(slot.end);
    }
}

fn autoscaler<P: Policy>(scenario: &Scenario, policy: P) -> Autoscaler {
    Autoscaler::new(scenario.workload, None, Box::new(policy), Guard::bounds_only(scenario.workload.bounds))
}

fn script(scenario: &Scenario, cadence_s: i64, replicas: &[u32]) -> Autoscaler {
    autoscaler(scenario, Script { cadence: Span::from_secs(cadence_s), replicas: replicas.to_vec() })
}

fn load(rates: &[f64]) -> EpisodeLoad {
    EpisodeLoad::new(Timestamp::ZERO, MINUTE, rates.to_vec(), vec![rates[0]; 60]).unwrap()
}

fn run(scenario: &Scenario, load: &EpisodeLoad, seed: u64, autoscaler: &Autoscaler) -> EpisodeResult {
    let driver = Driver { autoscaler, state: autoscaler.initial_state() };
    run_episode(scenario, load, seed, driver, &mut no_rows).unwrap()
}

/// The world of protocol P1 §6 second by second, written without the kernel: each pod a struct, Erlang C as a sum.
fn reference_j(scenario: &Scenario, rates: &[f64], seed: u64, cadence_s: i64, wishes: &[u32]) -> f64 {
    struct Pod {
        ready_at: i64,
        gone_at: Option<i64>,
    }
    let initial = (rates[0] / 35.0).ceil().clamp(1.0, 100.0) as u32;
    let mut pods: Vec<Pod> = (0..initial).map(|_| Pod { ready_at: -1, gone_at: None }).collect();
    let (mut ordinal, mut backlog, mut bad, mut pod_s, mut changes) = (0, 0.0_f64, 0.0, 0.0, 0.0);
    for second in 0..60 * rates.len() as i64 {
        if second % cadence_s == 0 {
            let wish = wishes[((second / cadence_s) as usize).min(wishes.len() - 1)];
            let alive = |pods: &[Pod]| pods.iter().filter(|pod| pod.gone_at.is_none()).count() as u32;
            while alive(&pods) < wish {
                let z = standard_normal(seed, Stream::PodStartUp, ordinal, 0);
                ordinal += 1;
                let start_up = (scenario.start_up.median_s * math::exp(0.2 * z)).round().max(1.0) as i64;
                pods.push(Pod { ready_at: second + start_up, gone_at: None });
                changes += 1.0;
            }
            while alive(&pods) > wish {
                let youngest = (0..pods.len())
                    .filter(|i| pods[*i].gone_at.is_none())
                    .max_by_key(|i| (pods[*i].ready_at > second, *i))
                    .unwrap();
                pods[youngest].gone_at = Some(second + 5);
                changes += 1.0;
            }
        }
        let ready = pods.iter().filter(|pod| pod.gone_at.is_none() && pod.ready_at <= second).count();
        pod_s += pods.iter().filter(|pod| pod.gone_at.is_none_or(|gone| gone > second)).count() as f64;
        let rate = rates[(second / 60) as usize];
        // Backlog is followed at a finer grain than a second, because it may vanish within one.
        for _ in 0..200 {
            let capacity = 50.0 * ready as f64;
            backlog = backlog.min(5.0 * capacity);
            bad += rate / 200.0 * reference_p_bad(ready, rate, backlog);
            backlog = (backlog + (rate - capacity) / 200.0).max(0.0).min(5.0 * capacity);
        }
    }
    let end = 60 * rates.len() as i64;
    pod_s += pods.iter().filter(|pod| pod.gone_at.is_none()).map(|pod| (pod.ready_at - end).max(0) as f64).sum::<f64>();
    pod_s + bad + backlog + 5.0 * changes
}

#[expect(clippy::disallowed_methods, reason = "the reference uses std's exp on purpose")]
fn reference_p_bad(ready: usize, rate: f64, backlog: f64) -> f64 {
    let capacity = 50.0 * ready as f64;
    if rate >= capacity || 0.120 < backlog / capacity {
        return 1.0;
    }
    let (servers, offered) = (4 * ready, rate * 0.08);
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..servers {
        term *= offered / k as f64;
        sum += term;
    }
    let last = term * offered / servers as f64 / (1.0 - offered / servers as f64);
    last / (sum + last) * f64::exp(-(capacity - rate) * (0.120 - backlog / capacity))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn kernel_equals_the_reference(
        rates in prop::collection::vec(0.0..500.0_f64, 3),
        wishes in prop::collection::vec(1_u32..12, 12),
        seed in 0_u64..1_000,
    ) {
        let p1 = Scenario::protocol_p1();
        let got = run(&p1, &load(&rates), seed, &script(&p1, 15, &wishes)).j(p1.costs);
        let expected = reference_j(&p1, &rates, seed, 15, &wishes);
        prop_assert!((got / expected - 1.0).abs() < 2e-3, "{got} {expected}");
    }
}

/// Constant load and pods: pod-seconds and Erlang C's share of bad requests, nothing else.
#[test]
fn steady_state_costs_what_theory_says() {
    let p1 = Scenario::protocol_p1();
    for (rate, pods) in [(180.0, 4), (90.0, 2), (700.0, 16), (35.0, 1)] {
        let minutes = 60;
        let initial = p1.initial_replicas(rate);
        let wishes = [pods];
        let result = run(&p1, &load(&vec![rate; minutes]), 3, &script(&p1, 15, &wishes));
        let seconds = 60.0 * minutes as f64;
        if initial == pods {
            let bad = seconds * rate * reference_p_bad(pods as usize, rate, 0.0);
            let expected = seconds * f64::from(pods) + bad;
            assert!((result.j(p1.costs) / expected - 1.0).abs() < 1e-9, "{rate} on {pods}");
        }
        assert!((result.total.requests - seconds * rate).abs() < 1e-6);
    }
}

#[test]
fn a_start_under_way_at_the_end_is_paid_in_full() {
    let p1 = Scenario::protocol_p1();
    let result = run(&p1, &load(&[30.0]), 5, &script(&p1, 15, &[1, 1, 1, 3]));
    let owed: f64 = (0..2).map(|ordinal| World::new(&p1).start_up(5, ordinal).as_secs_f64()).sum();
    assert_eq!((result.total.starting_s, result.total.changes), (owed, 2.0));
}

#[test]
fn what_is_left_in_the_queue_is_owed() {
    let p1 = Scenario::protocol_p1();
    let result = run(&p1, &load(&[35.0, 80.0]), 5, &script(&p1, 15, &[1]));
    assert_eq!(result.total.left_over, 250.0, "5 s of work");
    assert!((result.total.drops - (30.0 * 60.0 - 250.0)).abs() < 1e-6);
    assert!((result.total.bad_requests - 80.0 * 60.0 - 35.0 * 60.0 * reference_p_bad(1, 35.0, 0.0)).abs() < 1e-6);
    let kappa_3 = CostWeights { kappa: 3.0, churn: 5.0 };
    let dearer = 2.0 * (result.total.bad_requests + 250.0);
    assert!((result.j(kappa_3) - result.j(p1.costs) - dearer).abs() < 1e-6, "prices apply to stored terms");
}

#[test]
fn costs_fall_on_the_day_they_arise() {
    let p1 = Scenario::protocol_p1();
    let start = Timestamp::from_secs(86_400 - 90);
    let load = EpisodeLoad::new(start, MINUTE, vec![100.0; 3], vec![]).unwrap();
    let result = run(&p1, &load, 1, &script(&p1, 15, &[3]));
    let days: Vec<_> = result.days.iter().map(|day| (day.day, day.terms.ready_s, day.terms.requests)).collect();
    assert_eq!(days, [(0, 270.0, 9_000.0), (1, 270.0, 9_000.0)]);
}

#[test]
fn a_cadence_of_its_own_and_rows_in_order() {
    let p1 = Scenario::protocol_p1();
    let autoscaler = script(&p1, 2, &[4]);
    let mut times = Vec::new();
    let mut bad = 0.0;
    let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
    let result = run_episode(&p1, &load(&[120.0, 190.0]), 1, driver, &mut |row| {
        times.push(row.at);
        bad += row.bad_requests;
        assert_eq!(row.span, Span::from_secs(2));
        assert!((row.utilisation - row.rate_per_s / 200.0).abs() < 1e-9);
        let tail = math::wait_exceeds(16, row.rate_per_s, 0.08, row.p95_wait_s);
        assert!(row.p95_wait_s == 0.0 || (tail - 0.05).abs() < 1e-9);
        assert_eq!(row.record().decided, 4);
    })
    .unwrap();
    assert_eq!(times, (0..60).map(|i| Timestamp::from_secs(2 * i)).collect::<Vec<_>>());
    assert_eq!(result.decisions, 60);
    assert!((bad - result.total.bad_requests).abs() < 1e-9);
}

/// Collects the observations of an episode.
fn observations(scenario: &Scenario, load: &EpisodeLoad, seed: u64) -> Vec<Observation> {
    let autoscaler = script(scenario, 15, &[3, 3, 3, 3, 5]);
    let mut seen = Vec::new();
    let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
    run_episode(scenario, load, seed, driver, &mut |row| seen.push(row.view.observation.clone())).unwrap();
    seen
}

#[test]
fn metrics_come_late_and_show_realised_counts() {
    let p1 = Scenario::protocol_p1();
    let load = load(&[100.0, 130.0, 90.0, 90.0]);
    let traffic = Traffic::new(&p1, &load, 2).unwrap();
    for (step, seen) in observations(&p1, &load, 2).iter().enumerate() {
        let rate = seen.arrival_rate().unwrap();
        assert_eq!(rate.at, seen.now - Span::from_secs(15));
        assert_eq!(Some(rate.value), traffic.realised(step as i64 - 2), "step {step}");
        let completed = seen.metrics.get(Feature::HttpRequestDurationSecondsCountRate).unwrap();
        assert!((completed.value - rate.value).abs() < 1e-9, "no overload: all is completed");
        assert_eq!(seen.metrics.get(Feature::ProcessOpenFds), None, "the fluid kernel invents nothing");
        let Pods::Homogeneous(counts) = seen.pods else { panic!("fluid pods are alike") };
        let cpu = seen.metrics.get(Feature::ProcessCpuSecondsTotalRate).unwrap().value;
        if counts.sampled == counts.ready {
            let per_pod = counts.cpu_milli_per_sampled_pod as f64 / 1_000.0 * f64::from(counts.ready);
            assert!((per_pod - cpu).abs() <= 1e-3 * f64::from(counts.ready), "step {step}");
        }
    }
}

/// Between two slots nothing new is visible, and at any moment what is visible is the slot that ended a lag ago.
#[test]
fn metrics_change_once_per_slot_however_often_they_are_read() {
    for (regime, lag_s) in [(Regime::Plain, 15), (Regime::MetricLag, 60), (Regime::LostScrapes, 15)] {
        let scenario = Scenario::protocol_p1().under(regime);
        let load = load(&[100.0, 130.0, 90.0, 260.0, 40.0, 40.0, 70.0]);
        let traffic = Traffic::new(&scenario, &load, 2).unwrap();
        let autoscaler = script(&scenario, 2, &[4, 3, 6, 2, 2, 2, 2, 2, 2, 5]);
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        let (mut known, mut last) = (0, Metrics::default());
        run_episode(&scenario, &load, 2, driver, &mut |row| {
            let seen = row.view.observation;
            let slot = (seen.now - Span::from_secs(lag_s)).micros().div_euclid(15_000_000) - 1;
            let expected = traffic.realised(slot).filter(|_| !traffic.is_missing(slot));
            assert_eq!(seen.arrival_rate().map(|sample| sample.value), expected, "{regime:?} at {:?}", seen.now);
            if let Some(sample) = seen.arrival_rate() {
                known += 1;
                assert_eq!(sample.at, Timestamp::from_secs(15 * (slot + 1)));
                let new = last.get(Feature::HttpRequestsTotalRate).is_none_or(|last| last.at < sample.at);
                assert!(new || last == seen.metrics, "{regime:?}: a slot is read twice alike");
            } else {
                assert_eq!(seen.pods.counts(seen.now).sampled, 0);
            }
            last = seen.metrics;
        })
        .unwrap();
        assert!(known > 100, "{regime:?}: {known} of 210");
    }
}

#[test]
fn fresh_pods_report_their_start_up_once_and_are_sampled_late() {
    let p1 = Scenario::protocol_p1();
    let seen = observations(&p1, &load(&[100.0; 5]), 2);
    let start_ups: Vec<Span> = seen.iter().flat_map(|seen| seen.start_ups.clone()).collect();
    let mut expected: Vec<Span> = (0..2).map(|ordinal| World::new(&p1).start_up(2, ordinal)).collect();
    expected.sort();
    assert_eq!(start_ups, expected);
    let first = seen.iter().position(|seen| !seen.start_ups.is_empty()).unwrap();
    let counts = |step: usize| seen[step].pods.counts(seen[step].now);
    assert!(counts(first).sampled < counts(first).ready);
    assert_eq!((counts(first + 3).sampled, counts(19).ready), (5, 5));
}

#[test]
fn regimes_of_the_metrics_do_what_they_say() {
    let p1 = Scenario::protocol_p1();
    let load = load(&[100.0; 60]);
    for seen in observations(&p1.under(Regime::MetricLag), &load, 2) {
        assert_eq!(seen.load_age(), Some(Span::from_secs(60)));
    }
    let lost = observations(&p1.under(Regime::LostScrapes), &load, 2);
    let missing = lost.iter().filter(|seen| seen.arrival_rate().is_none()).count();
    assert!((23..=70).contains(&missing), "{missing} of 240, 19 % are expected");
    for seen in lost.iter().filter(|seen| seen.arrival_rate().is_none()) {
        assert_eq!(seen.pods.counts(seen.now).sampled, 0);
        assert_eq!(seen.metrics, Metrics::default(), "nothing is left of a slot whose scrape is lost");
    }
}

/// A range of two scrape intervals holds two samples; of a lost one, two ranges in a row hold the other alone.
#[test]
fn forecasters_and_history_miss_two_slots_for_a_lost_scrape() {
    let p1 = Scenario::protocol_p1();
    let (step, load) = (Span::from_secs(15), load(&[100.0; 240]));
    let lost = observations(&p1.under(Regime::LostScrapes), &load, 2);
    let whole = observations(&p1, &load, 2);
    let mut history = LoadHistory::new();
    let ingredients = Ingredients { workload: &p1.workload, weights: None };
    let forecaster = (find("persistence").unwrap().build)(&serde_json::Value::Null, &ingredients).unwrap();
    let mut state = forecaster.initial_state();
    let mut intake = LoadIntake::new(step, step);
    let (mut run, mut runs, mut known) = (0, Vec::new(), None);
    for (seen, whole) in lost.iter().zip(&whole) {
        let slot = intake.slot(seen.now, seen);
        let forecast = forecaster.step(seen.now, seen, &mut state);
        let Some(slot) = slot else { continue };
        assert!(history.push(slot.end, slot.length, slot.arrival_rate));
        assert_eq!(history.recent(0).is_some(), seen.arrival_rate().is_some());
        match seen.arrival_rate() {
            Some(sample) => {
                assert_eq!(Some(sample), whole.arrival_rate(), "the count is that of the slot alone");
                known = Some(sample.value);
                runs.extend((run > 0).then_some(run));
                run = 0;
            }
            None => run += 1,
        }
        let forecast = forecast.unwrap();
        assert_eq!((Some(forecast.median()), forecast.from), (known, seen.now - step));
    }
    assert!(runs.len() > 40 && runs.iter().all(|run| *run >= 2), "{runs:?}");
    assert!(runs.contains(&2));
}

#[test]
fn less_capacity_and_flash_cost_more() {
    let p1 = Scenario::protocol_p1();
    let day = load(&vec![100.0; 1_440]);
    let bad = |regime: Regime| {
        let scenario = p1.under(regime);
        run(&scenario, &day, 2, &script(&scenario, 15, &[3])).total.bad_fraction().unwrap()
    };
    assert!((bad(Regime::Plain) - reference_p_bad(3, 100.0, 0.0)).abs() < 1e-9);
    let p_of_105 = math::wait_exceeds(12, 100.0, 0.08 / 0.7, 0.120);
    assert!((bad(Regime::LessCapacity) - p_of_105).abs() < 1e-9);
    assert!(bad(Regime::Flash) > 10.0 * bad(Regime::Plain));
}

#[test]
fn warm_up_ends_just_before_the_first_visible_slot() {
    for regime in [Regime::Plain, Regime::MetricLag] {
        let scenario = Scenario::protocol_p1().under(regime);
        let autoscaler = autoscaler(&scenario, Absorber);
        let traffic = Traffic::new(&scenario, &load(&[100.0; 5]), 1).unwrap();
        let state = warm_state(&autoscaler, &scenario, &traffic);
        let driver = Driver { autoscaler: &autoscaler, state };
        run_on(&scenario, &traffic, driver, &mut no_rows).unwrap();
    }
}

#[test]
fn bad_input_is_refused() {
    let p1 = Scenario::protocol_p1();
    let autoscaler = script(&p1, 15, &[1]);
    let attempt = |scenario: &Scenario, load: &EpisodeLoad| {
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        run_episode(scenario, load, 1, driver, &mut no_rows).unwrap_err()
    };
    let mut broken = p1.clone();
    broken.workload.bounds = Bounds { min: 2, max: 1 };
    assert!(matches!(attempt(&broken, &load(&[1.0])), EpisodeError::Scenario(_)));
    let odd = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(20), vec![1.0], vec![]).unwrap();
    assert!(matches!(attempt(&p1, &odd), EpisodeError::Load(LoadError::Interval { .. })));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let p1 = Scenario::protocol_p1();
    let once = run(&p1, &load(&[100.0, 300.0, 50.0]), 4, &script(&p1, 15, &[2, 9, 4]));
    assert_eq!(once, run(&p1, &load(&[100.0, 300.0, 50.0]), 4, &script(&p1, 15, &[2, 9, 4])));
    assert_ne!(once, run(&p1, &load(&[100.0, 300.0, 50.0]), 5, &script(&p1, 15, &[2, 9, 4])));
}
