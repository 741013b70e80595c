//! The bounds against brute force, and the rule by hand.

use super::*;
use crate::math;
use crate::observe::{CapacityEstimate, Feature, Observation, Workload};
use crate::rand::{Stream, uniform};
use crate::scaling::policies::tests::{build_policy, refused};
use crate::scaling::policy::STATE_LIMIT_BYTES;

const CASES: u64 = 4_000;

/// A random instance: convex slot costs over levels 0 to `top`, and the cost of a change.
struct Instance {
    top: usize,
    beta: f64,
    costs: Vec<Vec<f64>>,
}

fn instance(case: u64) -> Instance {
    let mut index = 0;
    let mut draw = || {
        index += 1;
        uniform(11, Stream::Search, case, index)
    };
    let top = 1 + (draw() * 4.99) as usize;
    let beta = 10.0 * draw();
    let slots = 1 + (draw() * 11.99) as usize;
    let costs = (0..slots)
        .map(|_| {
            // Hinges left and right of a random level: convex, least cost 0 or more.
            let (level, left, right, rest) = (draw() * top as f64, 8.0 * draw(), 8.0 * draw(), draw());
            let cost = |x: usize| rest + left * (level - x as f64).max(0.0) + right * (x as f64 - level).max(0.0);
            (0..=top).map(cost).collect()
        })
        .collect();
    Instance { top, beta, costs }
}

/// Least cost of the first slots by last level, changes paid on the way up (or down), from level 0; over all pairs of levels.
fn prefix_costs(instance: &Instance, slots: usize, paid_up: bool) -> Vec<f64> {
    let mut least: Vec<f64> =
        (0..=instance.top).map(|x| if paid_up { instance.beta * x as f64 } else { 0.0 }).collect();
    let mut first = true;
    for slot in &instance.costs[..slots] {
        let change = |from: usize, to: usize| {
            let levels = if paid_up { to.saturating_sub(from) } else { from.saturating_sub(to) };
            instance.beta * levels as f64
        };
        least = (0..=instance.top)
            .map(|to| {
                let came = (0..=instance.top).map(|from| least[from] + change(from, to)).fold(f64::INFINITY, f64::min);
                slot[to] + if first { least[to] } else { came }
            })
            .collect();
        first = false;
    }
    least
}

fn total(instance: &Instance, plan: &[usize]) -> f64 {
    let mut before = 0;
    let mut cost = 0.0;
    for (slot, level) in instance.costs.iter().zip(plan) {
        cost += slot[*level] + instance.beta * level.saturating_sub(before) as f64;
        before = *level;
    }
    cost
}

/// The levels that LCP visits; the bounds of each slot are checked against brute force.
fn lazy(instance: &Instance) -> Vec<usize> {
    let mut hindsight = Hindsight::with_room(instance.top);
    hindsight.begin_at(0, instance.top, instance.beta);
    let mut level = 0_u32;
    let visit = |(slot, costs): (usize, &Vec<f64>)| {
        let slopes: Vec<f64> = costs.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let (lower, upper) = hindsight.fold(&slopes, instance.beta);
        assert!(lower <= upper);
        for (bound, paid_up) in [(lower, true), (upper, false)] {
            let least = prefix_costs(instance, slot + 1, paid_up);
            let best = least.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(least[bound as usize] <= best + 1e-9, "slot {slot}: {bound} of {least:?}");
            // The least of the optimal levels below, the greatest above.
            let beyond = if paid_up { &least[..bound as usize] } else { &least[bound as usize + 1..] };
            assert!(beyond.iter().all(|cost| *cost > best - 1e-9));
        }
        level = level.clamp(lower, upper);
        assert!((lower..=upper).contains(&level));
        level as usize
    };
    instance.costs.iter().enumerate().map(visit).collect()
}

/// The theorem, on thousands of instances; and rounds of the instance that is bad for every lazy rule come near two.
#[test]
fn three_competitive_and_within_the_bounds_of_brute_force() {
    let (mut worst, mut equal) = (0.0_f64, 0);
    for case in 0..CASES {
        let instance = instance(case);
        let paid = total(&instance, &lazy(&instance));
        let best = prefix_costs(&instance, instance.costs.len(), true).into_iter().fold(f64::INFINITY, f64::min);
        assert!(paid >= best - 1e-9, "case {case}: {paid} is less than the optimum {best}");
        assert!(paid <= 3.0 * best + 1e-9, "case {case}: {paid} against {best}");
        worst = worst.max(paid / best);
        equal += usize::from(paid <= best + 1e-9);
    }
    assert!(worst > 1.5, "the instances are too easy: {worst}");
    assert!(equal > 100 && equal < CASES as usize, "{equal} of {CASES} at the optimum");
}

/// Demand for one server that comes and stays away as long as is worst: it is paid for, and lost when it was bought.
#[test]
fn an_adversary_makes_it_pay_more_than_twice() {
    let (beta, step) = (1.0, 0.01);
    let mut hindsight = Hindsight::with_room(1);
    hindsight.begin_at(0, 1, beta);
    let (mut level, mut costs) = (0, Vec::new());
    let mut visited = Vec::new();
    for _ in 0..4_000 {
        // Charges whichever level the rule stands on.
        let cost = if level == 0 { vec![step, 0.0] } else { vec![0.0, step] };
        let (lower, upper) = hindsight.fold(&[cost[1] - cost[0]], beta);
        level = level.clamp(lower, upper);
        visited.push(level as usize);
        costs.push(cost);
    }
    let instance = Instance { top: 1, beta, costs };
    let best = prefix_costs(&instance, 4_000, true).into_iter().fold(f64::INFINITY, f64::min);
    let ratio = total(&instance, &visited) / best;
    assert!((2.0..=3.0).contains(&ratio), "{ratio}");
}

/// Ten replicas; the lower bound of capacity is given.
fn view_at(second: i64, rate: Option<f64>, replicas: u32, check: impl FnOnce(&View<'_>)) {
    let mut seen = Observation::unknown(Timestamp::from_secs(second), replicas);
    let at = seen.now - Span::from_secs(15);
    seen.metrics.set(Feature::HttpRequestsTotalRate, rate.map(|value| Sample { at, value }));
    let capacity = Some(CapacityEstimate { mean: 50.0, lower: 50.0 });
    check(&View { observation: &seen, capacity, lead_time: Span::from_secs(90), forecast: None });
}

fn run(policy: &dyn DynPolicy, rates: &[f64], replicas: u32) -> Vec<u32> {
    let mut state = policy.initial_state();
    let mut chosen = Vec::new();
    for (i, rate) in (0_i64..).zip(rates) {
        view_at(15 * i, Some(*rate), replicas, |view| {
            chosen.push(policy.step(view.observation.now, view, &mut state).replicas.unwrap());
        });
    }
    chosen
}

/// β = 90 + 15 = 105 pod-seconds. A replica that is not needed costs 15 a slot: after seven slots (105) nothing is gained by
/// giving it back, in the eighth it is given back. At 100/s two replicas of 50/s saturate, three have a spare 50/s × 120 ms = 6
/// e-folds: 100 × C × e^-6 of nearly nothing bad, so three or four stay.
#[test]
fn replicas_too_many_are_kept_for_seven_slots() {
    let policy = build_policy(ID, &serde_json::Value::Null);
    let chosen = run(&*policy, &[100.0; 12], 10);
    assert_eq!(chosen[..7], [10; 7]);
    assert!((3..=4).contains(&chosen[7]), "{chosen:?}");
    assert_eq!(chosen[8..], [chosen[7]; 4]);
}

/// Overload: each replica serves 50/s × 15 s = 750 requests a slot more, which are worth more than 105 + 15.
#[test]
fn a_surge_is_followed_at_once() {
    let policy = build_policy(ID, &serde_json::Value::Null);
    let chosen = run(&*policy, &[300.0, 900.0, 300.0, 300.0], 10);
    assert_eq!(chosen[0], 10, "seven serve 300/s, and ten are there");
    // 18 replicas saturate at 900/s; 20 have a spare 100/s × 120 ms = 12 e-folds.
    assert!((19..=20).contains(&chosen[1]), "{chosen:?}");
    assert_eq!(chosen[2..], [chosen[1]; 2], "lazily kept");
    let hopeless = run(&*policy, &[300.0, 1e6], 10);
    assert_eq!(hopeless[1], 100, "not even the greatest number suffices");
}

#[test]
fn slot_costs_are_the_formula_where_pods_keep_up_and_convex_everywhere() {
    let workload = Workload::protocol_p1();
    let config = Config { kappa: 0.7, switch_s: 15.0 };
    let (waits, slot) = (WaitModel::of(&workload), Span::from_secs(15));
    let policy = LazyCapacity { config, waits, bounds: workload.bounds, slot };
    for rate in [0.0, 3.0, 49.0, 51.0, 700.0, 4_900.0, 9_000.0] {
        let slopes = &policy.slot_slopes(rate, 50.0, 15.0)[..99];
        assert!(slopes.windows(2).all(|pair| pair[0] <= pair[1]), "{rate}: {slopes:?}");
        let cost = |pods: u32| {
            let bad = if rate > 0.0 { rate * math::wait_exceeds(4 * pods, rate, 0.08, 0.120) } else { 0.0 };
            15.0 * (f64::from(pods) + 0.7 * bad)
        };
        // Nowhere above the true cost, measured from the greatest number of pods, if that keeps up.
        let mut envelope = cost(100);
        for pods in (1..100_u32).rev() {
            envelope -= slopes[pods as usize - 1];
            assert!(rate >= 5_000.0 || envelope <= cost(pods) + 1e-6, "{rate}, {pods}: {envelope} {}", cost(pods));
            let two_pods_spare = f64::from(pods) * 50.0 > rate + 100.0 && pods > 6;
            assert!(!two_pods_spare || (envelope - cost(pods)).abs() < 1e-6, "{rate}, {pods}");
        }
    }
}

#[test]
fn a_slot_counts_once_and_a_lost_one_holds() {
    let policy = build_policy(ID, &serde_json::Value::Null);
    let mut state = policy.initial_state();
    let mut step = |second, rate| {
        let mut proposal = Proposal::none(Reason::Fixed);
        view_at(second, rate, 10, |view| proposal = policy.step(view.observation.now, view, &mut state));
        proposal
    };
    assert_eq!(step(0, None), Proposal::none(Reason::MetricMissing));
    for _ in 0..20 {
        assert_eq!(step(15, Some(100.0)), Proposal::of(10, Reason::Hold), "the same slot again");
    }
    assert_eq!(step(30, None), Proposal::none(Reason::MetricMissing));
    // One slot is charged; three minutes later four more, and then the seven that the rule waits are over soon.
    assert_eq!(step(200, Some(100.0)), Proposal::of(10, Reason::Hold));
    assert_eq!(step(215, Some(100.0)), Proposal::of(10, Reason::Hold));
    assert_eq!(step(230, Some(100.0)), Proposal::of(10, Reason::Hold));
    assert!(step(245, Some(100.0)).replicas.unwrap() < 5);
}

#[test]
fn the_greatest_state_fits_and_a_broken_one_is_refused() {
    let bounds = Bounds { min: 0, max: 1_000 };
    let workload = Workload { bounds, ..Workload::protocol_p1() };
    let ingredients = Ingredients { workload: &workload, weights: None };
    let policy = build(&serde_json::Value::Null, &ingredients).unwrap();
    let mut state = policy.initial_state();
    for second in [1_800_000_000, 1_800_000_015] {
        view_at(second, Some(12_345.6), 1_000, |view| {
            policy.step(view.observation.now, view, &mut state);
        });
    }
    let stored = state.snapshot().unwrap();
    let text = stored.to_string();
    assert!(text.len() > 16_000 && text.len() <= STATE_LIMIT_BYTES, "{} bytes", text.len());
    assert_eq!(policy.restore(&stored).unwrap().snapshot().unwrap(), stored);
    for (slopes, message) in
        [("0123", "hexadecimal"), ("fff0000000000000", "ascend"), ("3ff00000000000000000000000000000", "ascend")]
    {
        let broken = serde_json::json!({ "hindsight": { "slopes": slopes }, "chosen": 1, "seen_until": null });
        let error = policy.restore(&broken).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn refuses_what_is_out_of_range() {
    assert!(refused(ID, &serde_json::json!({ "kappa": -1.0 })).contains("`kappa` is -1, must be 0 to 1000"));
    assert!(refused(ID, &serde_json::json!({ "switch_s": 4_000 })).contains("switch_s"));
    let workload = Workload { bounds: Bounds { min: 1, max: 1_001 }, ..Workload::protocol_p1() };
    let ingredients = Ingredients { workload: &workload, weights: None };
    let message = build(&serde_json::Value::Null, &ingredients).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("1001, must be at most 1000"), "{message}");
}
