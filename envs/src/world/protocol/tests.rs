//! The fluid kernel against every request one by one, on short loads: the tolerances are those of the design's kernels table.

use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::Timestamp;

use super::*;
use crate::episode::{self, CostTerms};
use crate::load::EpisodeLoad;
use crate::scenario::Regime;

const MINUTE: Span = Span::from_secs(60);
const SEEDS: u64 = 4;

/// What a test compares of a run.
struct Run {
    total: CostTerms,
    /// Time-weighted mean.
    utilisation: f64,
    replicas: Vec<u32>,
    times: Vec<Timestamp>,
    greatest_p95_s: f64,
}

type Kernel = fn(&Scenario, &Traffic, Driver<'_>, RowSink<'_>) -> Result<EpisodeResult, EpisodeError>;

fn strategy(policy: &str, config: serde_json::Value) -> StrategySpec {
    StrategySpec { policy: Choice { id: policy.to_owned(), config }, forecaster: None, guard: None }
}

fn fixed(replicas: u32) -> StrategySpec {
    strategy("static", serde_json::json!({ "replicas": replicas }))
}

fn traffic(scenario: &Scenario, rates: &[f64], seed: u64) -> Traffic {
    let load = EpisodeLoad::new(Timestamp::from_secs(86_400 - 600), MINUTE, rates, vec![rates[0]; 60]).unwrap();
    Traffic::new(scenario, &load, seed).unwrap()
}

fn run(kernel: Kernel, scenario: &Scenario, traffic: &Traffic, strategy: &StrategySpec) -> Run {
    let ingredients = Ingredients { workload: &scenario.workload, weights: None };
    let autoscaler: Autoscaler = strategy.build(&ingredients).unwrap();
    let driver = Driver { autoscaler: &autoscaler, state: episode::warm_state(&autoscaler, scenario, traffic) };
    let (mut busy, mut seconds, mut replicas, mut times, mut greatest_p95_s) = (0.0, 0.0, vec![], vec![], 0.0);
    let mut rows = |row: &StepRow<'_>| {
        busy += row.utilisation * row.span.as_secs_f64();
        seconds += row.span.as_secs_f64();
        replicas.push(row.desired);
        times.push(row.at);
        greatest_p95_s = row.p95_wait_s.max(greatest_p95_s);
    };
    let result = kernel(scenario, traffic, driver, &mut rows).unwrap();
    Run { total: result.total, utilisation: busy / seconds, replicas, times, greatest_p95_s }
}

fn both(scenario: &Scenario, rates: &[f64], strategy: &StrategySpec, seed: u64) -> [Run; 2] {
    let traffic = traffic(scenario, rates, seed);
    [run(episode::run_on, scenario, &traffic, strategy), run(run_on, scenario, &traffic, strategy)]
}

/// The same decisions at the same moments, the same pods to the bit, the same requests.
fn assert_same_pods(name: &str, fluid: &Run, events: &Run) {
    assert_eq!(fluid.replicas, events.replicas, "{name}");
    assert_eq!(fluid.times, events.times, "{name}");
    let pods = |run: &Run| (run.total.ready_s, run.total.starting_s, run.total.terminating_s, run.total.changes);
    assert_eq!(pods(fluid), pods(events), "{name}");
    // Fluid rates are whole on average only.
    assert!((fluid.total.requests - events.total.requests).abs() <= 20.0, "{name}");
}

/// Without a shared queue the same pods serve the same requests worse, and the worse the less a balancing looks: Mitzenmacher's order.
#[test]
fn balancings_are_ordered_by_what_they_look_at() {
    let p1 = Scenario::protocol_p1();
    let bad = |balancing: Option<Balancing>| {
        let mut sum = 0.0;
        for seed in 0..SEEDS {
            let traffic = traffic(&p1, &[420.0; 10], seed);
            let ingredients = Ingredients { workload: &p1.workload, weights: None };
            let autoscaler: Autoscaler = fixed(10).build(&ingredients).unwrap();
            let driver = Driver { autoscaler: &autoscaler, state: episode::warm_state(&autoscaler, &p1, &traffic) };
            let rows = &mut |_: &StepRow<'_>| {};
            let result = match balancing {
                None => run_on(&p1, &traffic, driver, rows),
                Some(balancing) => run_balanced(&p1, &traffic, balancing, driver, rows),
            };
            sum += result.unwrap().total.bad_fraction().unwrap();
        }
        sum / SEEDS as f64
    };
    assert_eq!(bad(None), bad(Some(Balancing::Shared)));
    let order =
        [Balancing::Shared, Balancing::LeastRequest, Balancing::PowerOfTwo, Balancing::RoundRobin, Balancing::Random];
    let bads = order.map(|balancing| bad(Some(balancing)));
    assert!(bads.windows(2).all(|pair| pair[0] < pair[1]), "{bads:?}");
    // At random each pod is an M/M/4 at 0.84: P(wait > 120 ms) = C(4, 3.36) exp(-(50 - 42) 0.12) = 0.266.
    assert!((bads[4] - 0.266).abs() < 0.02, "{bads:?}");
}

/// A queue of a pod takes 5 s of its work: 250 requests; then what comes is dropped, as at a shared queue ten times as long.
#[test]
fn a_queue_of_its_own_is_limited_in_every_pod() {
    let p1 = Scenario::protocol_p1();
    let traffic = traffic(&p1, &[100.0, 100.0, 4_000.0, 100.0], 1);
    let autoscaler: Autoscaler = fixed(10).build(&Ingredients { workload: &p1.workload, weights: None }).unwrap();
    for balancing in [Balancing::Shared, Balancing::RoundRobin] {
        let driver = Driver { autoscaler: &autoscaler, state: episode::warm_state(&autoscaler, &p1, &traffic) };
        let total = run_balanced(&p1, &traffic, balancing, driver, &mut |_| {}).unwrap().total;
        // A minute at 4,000 against 500 a second, less the 2,500 that are queued when it ends.
        assert!((total.drops - 207_500.0).abs() < 4_000.0, "{balancing:?} drops {}", total.drops);
    }
}

/// Over a few seeds: bad fraction within 0.002 or 15 %, mean utilisation within 2 %.
fn assert_agree(name: &str, rate: f64, pods: u32) -> f64 {
    let p1 = Scenario::protocol_p1();
    let (mut of_fluid, mut of_events, mut busy, mut truly_busy) = (0.0, 0.0, 0.0, 0.0);
    for seed in 0..SEEDS {
        let [fluid, events] = both(&p1, &[rate; 10], &fixed(pods), seed);
        assert_same_pods(name, &fluid, &events);
        of_fluid += fluid.total.bad_fraction().unwrap() / SEEDS as f64;
        of_events += events.total.bad_fraction().unwrap() / SEEDS as f64;
        busy += fluid.utilisation / SEEDS as f64;
        truly_busy += events.utilisation / SEEDS as f64;
    }
    assert!((truly_busy / busy - 1.0).abs() < 0.02, "{name}: utilisation {busy} {truly_busy}");
    let close = (of_fluid - of_events).abs() < 0.002 || (of_events / of_fluid - 1.0).abs() < 0.15;
    assert!(close, "{name}: bad {of_fluid} {of_events}");
    truly_busy
}

#[test]
fn kernels_agree_at_every_utilisation() {
    for (name, rate, pods) in
        [("half", 100.0, 4_u32), ("two thirds", 33.0, 1), ("three quarters", 300.0, 8), ("nine tenths", 90.0, 2)]
    {
        let utilisation = assert_agree(name, rate, pods);
        assert!((utilisation - rate / (50.0 * f64::from(pods))).abs() < 0.02, "{name}: {utilisation}");
    }
}

/// What comes beyond capacity waits until the queue's limit, and is dropped or given up beyond.
#[test]
fn kernels_agree_in_overload_and_in_what_is_left_of_it() {
    let p1 = Scenario::protocol_p1();
    let [fluid, events] = both(&p1, &[60.0, 60.0, 300.0, 300.0, 300.0, 20.0, 20.0, 20.0], &fixed(4), 7);
    for (name, one, other) in [
        ("bad", fluid.total.bad_requests, events.total.bad_requests),
        ("drops", fluid.total.drops, events.total.drops),
        ("utilisation", fluid.utilisation, events.utilisation),
    ] {
        assert!((other / one - 1.0).abs() < 0.05, "{name}: {one} {other}");
    }
    let [fluid, events] = both(&p1, &[60.0, 60.0, 300.0], &fixed(4), 7);
    // At the end the queue holds five seconds of work.
    assert!((fluid.total.left_over - 1_000.0).abs() < 1.0, "{}", fluid.total.left_over);
    assert!((events.total.left_over - 1_000.0).abs() < 50.0, "{}", events.total.left_over);
    assert!(events.greatest_p95_s > 4.5 && events.greatest_p95_s <= 5.1, "{}", events.greatest_p95_s);
}

/// Pods come and go, midnight lies inside, and a flash crowd passes.
#[test]
fn kernels_agree_while_a_schedule_moves_the_pods() {
    let p1 = Scenario::protocol_p1();
    let rates: Vec<f64> = (0..24).map(|minute| if (8..14).contains(&minute) { 240.0 } else { 80.0 }).collect();
    let hpa = strategy("hpa", serde_json::Value::Null);
    let [fluid, events] = both(&p1, &rates, &hpa, 7);
    let ratio = |of: fn(&CostTerms) -> f64| of(&events.total) / of(&fluid.total);
    assert!((ratio(CostTerms::pod_seconds) - 1.0).abs() < 0.05, "{:?} {:?}", fluid.total, events.total);
    assert!((ratio(|terms| terms.bad_requests) - 1.0).abs() < 0.15, "{:?} {:?}", fluid.total, events.total);
}

#[test]
fn days_are_kept_apart_and_lost_scrapes_are_the_same() {
    let scenario = Scenario::protocol_p1().under(Regime::LostScrapes);
    let traffic = traffic(&scenario, &[100.0; 20], 3);
    let ingredients = Ingredients { workload: &scenario.workload, weights: None };
    let autoscaler = fixed(3).build(&ingredients).unwrap();
    let mut seen = [Vec::new(), Vec::new()];
    let mut results = Vec::new();
    for (kernel, seen) in [episode::run_on as Kernel, run_on].into_iter().zip(&mut seen) {
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        let mut rows = |row: &StepRow<'_>| seen.push((row.at, row.view.observation.arrival_rate()));
        results.push(kernel(&scenario, &traffic, driver, &mut rows).unwrap());
    }
    assert!(seen[0].iter().any(|(_, rate)| rate.is_none()));
    // The same moments, the same lost slots, and to the dust of a division the same counts.
    for ((at, fluid), (same, events)) in seen[0].iter().zip(&seen[1]) {
        let value = |sample: &Option<seatrial_core::observe::Sample>| sample.map(|sample| sample.value);
        let close = value(fluid).zip(value(events)).is_none_or(|(one, other)| (one - other).abs() < 1e-9);
        assert!(at == same && fluid.is_some() == events.is_some() && close, "{at:?}: {fluid:?} {events:?}");
    }
    let days = |result: &EpisodeResult| result.days.iter().map(|day| (day.day, day.terms.ready_s)).collect::<Vec<_>>();
    assert_eq!(days(&results[0]), days(&results[1]));
    assert_eq!((results[0].blind, results[0].decisions), (results[1].blind, results[1].decisions));
    let requests: f64 = results[1].days.iter().map(|day| day.terms.requests).sum();
    assert_eq!(requests, 120_000.0);
}

#[test]
fn the_same_seed_gives_the_same_result() {
    let p1 = Scenario::protocol_p1();
    let of = |seed| run(run_on, &p1, &traffic(&p1, &[120.0; 4], seed), &fixed(3)).total;
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn bad_input_is_refused() {
    let p1 = Scenario::protocol_p1();
    let (autoscaler, traffic) =
        (fixed(1).build(&Ingredients { workload: &p1.workload, weights: None }).unwrap(), traffic(&p1, &[1.0; 2], 1));
    let attempt = |scenario: &Scenario| {
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        run_on(scenario, &traffic, driver, &mut episode::no_rows).unwrap_err()
    };
    let mut broken = p1.clone();
    broken.service.workers = 0;
    assert!(matches!(attempt(&broken), EpisodeError::Scenario(_)));
    let mut coarse = p1.clone();
    (coarse.physics_step_s, coarse.workload.decision_interval) = (7.0, Span::from_secs(7));
    assert!(matches!(attempt(&coarse), EpisodeError::Scenario(_) | EpisodeError::Load(_)));
}
