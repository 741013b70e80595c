//! The bound against every plan of a tiny world, with a cost written independently of the kernel.

use super::*;
use crate::episode::{Driver, no_rows, run_on};
use proptest::prelude::*;
use seatrial_core::math;
use seatrial_core::observe::Bounds;
use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::guard::Guard;
use seatrial_core::scaling::policy::{Policy, Proposal, Reason, View};
use seatrial_core::time::Timestamp;

fn load(interval_s: i64, rates: &[f64]) -> EpisodeLoad {
    EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(interval_s), rates.to_vec(), vec![]).unwrap()
}

/// A day that swings between 50 and 1,250 requests/s, with wobble.
fn diurnal() -> EpisodeLoad {
    let rate = |minute: i32| {
        let phase = f64::from(minute) / 1_440.0 * core::f64::consts::TAU;
        let wobble = 40.0 * standard_normal(0, Stream::TraceNoise, minute as u64, 0);
        (650.0 - 600.0 * cosine(phase) + wobble).max(0.0)
    };
    load(60, &(0..1_440).map(rate).collect::<Vec<_>>())
}

#[expect(clippy::disallowed_methods, reason = "the shape of a test load")]
fn cosine(x: f64) -> f64 {
    f64::cos(x)
}

#[test]
fn the_interval_is_narrow_on_a_diurnal_load() {
    let p1 = Scenario::protocol_p1();
    for seed in 0..2 {
        let certified = certify(&p1, &diurnal(), seed).unwrap();
        assert!(certified.lower <= certified.upper);
        assert!(certified.upper <= 1.002 * certified.lower, "{} {}", certified.lower, certified.upper);
        assert!((45.0..70.0).contains(&certified.start_bill_s), "{}", certified.start_bill_s);
        let by_day: f64 = certified.lower_by_day.iter().map(|day| day.lower).sum();
        assert!((by_day / certified.lower - 1.0).abs() < 1e-9);
        assert_eq!(certified.upper_terms.j(p1.costs), certified.upper);
    }
}

#[test]
fn a_constant_load_needs_the_cheapest_constant_number() {
    let p1 = Scenario::protocol_p1();
    let certified = certify(&p1, &load(60, &[700.0; 600]), 1).unwrap();
    let price = |pods: u32| f64::from(pods) + 700.0 * math::wait_exceeds(4 * pods, 700.0, 0.08, 0.12);
    let best = (1..100).min_by(|a, b| price(*a).total_cmp(&price(*b))).unwrap();
    assert!(certified.plan.iter().skip(2).all(|ready| *ready == best), "{:?}, best {best}", certified.plan);
    let steady = 36_000.0 * price(best);
    assert!(certified.lower <= steady + 5_000.0 && certified.lower >= steady - 1.0);
}

#[test]
fn days_of_the_bound_are_where_the_plan_pays() {
    let start = Timestamp::from_secs(86_400 - 1_800);
    let load = EpisodeLoad::new(start, Span::from_secs(60), vec![100.0; 90], vec![]).unwrap();
    let certified = certify(&Scenario::protocol_p1(), &load, 1).unwrap();
    let days: Vec<_> = certified.lower_by_day.iter().map(|day| day.day).collect();
    assert_eq!(days, [0, 1]);
    assert!((certified.lower_by_day[1].lower / certified.lower_by_day[0].lower - 2.0).abs() < 0.02);
}

/// J of replica wishes every 40 s over 240 s, second by second, written without kernel or oracle.
struct Reference {
    rates: Vec<f64>,
    start_ups: Vec<i64>,
    p_bad: Vec<Vec<f64>>,
}

impl Reference {
    fn new(rates: &[f64], seed: u64, median_s: f64) -> Self {
        let start_up =
            |i| (median_s * math::exp(0.2 * standard_normal(seed, Stream::PodStartUp, i, 0))).round().max(1.0);
        let p_bad = rates.iter().map(|rate| (0..8).map(|ready| Self::erlang(ready, *rate)).collect()).collect();
        Self { rates: rates.to_vec(), start_ups: (0..64).map(|i| start_up(i) as i64).collect(), p_bad }
    }

    #[expect(clippy::disallowed_methods, reason = "the reference uses std's exp on purpose")]
    fn erlang(ready: u32, rate: f64) -> f64 {
        let (servers, offered, capacity) = (4 * ready, rate * 0.08, 50.0 * f64::from(ready));
        if rate >= capacity {
            return 1.0;
        }
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..servers {
            term *= offered / f64::from(k);
            sum += term;
        }
        let last = term * offered / f64::from(servers) / (1.0 - offered / f64::from(servers));
        last / (sum + last) * f64::exp(-(capacity - rate) * 0.120)
    }

    /// Backlog is priced as if it did no harm beyond what is left at the end: that is cheaper than the world.
    fn j(&self, initial: usize, wishes: &[usize]) -> f64 {
        let (mut ready, mut starting, mut created) = (initial, Vec::<i64>::new(), 0);
        let (mut j, mut backlog) = (0.0, 0.0_f64);
        for second in 0..240_i64 {
            if second % 40 == 0 {
                let wish = wishes[(second / 40) as usize];
                while ready + starting.len() < wish {
                    starting.push(second + self.start_ups[created]);
                    created += 1;
                    j += 5.0;
                }
                while ready + starting.len() > wish {
                    if starting.pop().is_none() {
                        ready -= 1;
                    }
                    j += 5.0 + 5.0_f64.min((240 - second) as f64);
                }
            }
            let before = starting.len();
            starting.retain(|ready_at| *ready_at > second);
            ready += before - starting.len();
            let bin = (second / 60) as usize;
            backlog = (backlog + self.rates[bin] - 50.0 * ready as f64).clamp(0.0, 250.0 * ready as f64);
            j += (ready + starting.len()) as f64 + self.rates[bin] * self.p_bad[bin][ready];
        }
        j + backlog + starting.iter().map(|ready_at| (ready_at - 240) as f64).sum::<f64>()
    }
}

/// Protocol.md: brute force over all 7⁶ plans of 240 s never goes below the bound.
#[test]
fn no_plan_of_all_7_to_the_6_goes_below_the_bound() {
    for (seed, rates, median_s, widest) in
        [(1, [100.0, 260.0, 180.0, 60.0], 20.0, 1.10), (2, [200.0, 90.0, 90.0, 240.0], 60.0, 1.30)]
    {
        let mut scenario = Scenario::protocol_p1();
        scenario.workload.bounds = Bounds { min: 1, max: 7 };
        scenario.start_up.median_s = median_s;
        let certified = certify(&scenario, &load(60, &rates), seed).unwrap();
        let reference = Reference::new(&rates, seed, median_s);
        let initial = scenario.initial_replicas(rates[0]) as usize;
        let mut least = f64::INFINITY;
        for code in 0..117_649_usize {
            let mut rest = code;
            let wishes: Vec<usize> = (0..6)
                .map(|_| {
                    let wish = 1 + rest % 7;
                    rest /= 7;
                    wish
                })
                .collect();
            least = least.min(reference.j(initial, &wishes));
        }
        assert!(least >= certified.lower, "{least} below {}", certified.lower);
        assert!(least <= widest * certified.lower, "{least} far above {}", certified.lower);
        assert!(certified.upper >= certified.lower);
    }
}

struct Wishes(Vec<u32>);

impl Policy for Wishes {
    type State = usize;

    fn initial_state(&self) -> usize {
        0
    }

    fn step(&self, _now: Timestamp, _view: &View<'_>, step: &mut usize) -> Proposal {
        *step += 1;
        Proposal::of(self.0[(*step - 1) % self.0.len()], Reason::Fixed)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_strategy_is_cheaper_than_the_bound(
        rates in prop::collection::vec(0.0..400.0_f64, 8),
        wishes in prop::collection::vec(1_u32..10, 1..32),
        seed in 0_u64..1_000,
        kappa in prop::sample::select(vec![0.3, 1.0, 3.0]),
    ) {
        let p1 = Scenario::protocol_p1();
        let scenario = p1.with_costs(crate::scenario::CostWeights { kappa, ..p1.costs });
        let traffic = Traffic::new(&scenario, &load(60, &rates), seed).unwrap();
        let guard = Guard::bounds_only(scenario.workload.bounds);
        let autoscaler = Autoscaler::new(scenario.workload, None, Box::new(Wishes(wishes)), guard);
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        let j = run_on(&scenario, &traffic, driver, &mut no_rows).unwrap().j(scenario.costs);
        let certified = certify_on(&scenario, &traffic).unwrap();
        prop_assert!(j >= certified.lower, "{j} below {}", certified.lower);
        prop_assert!(certified.upper >= certified.lower);
    }
}

#[test]
fn errors_are_passed_on() {
    let mut scenario = Scenario::protocol_p1();
    scenario.physics_step_s = f64::NAN;
    assert!(matches!(certify(&scenario, &load(60, &[1.0]), 0), Err(EpisodeError::Scenario(_))));
}

/// Found by the property test: the bound can be met exactly, and rounding must not put it above the replay.
#[test]
fn a_bound_that_is_met_exactly_is_not_exceeded() {
    let rates =
        [226.016_664_508_337_27, 135.820_566_341_978_92, 0.0, 238.948_530_713_197_64, 228.270_756_063_339_72, 0.0];
    let rates = [&rates[..], &[147.770_358_517_041_96, 0.0]].concat();
    let certified = certify(&Scenario::protocol_p1(), &load(60, &rates), 659).unwrap();
    assert!(certified.lower <= certified.upper && certified.upper < 1.000_001 * certified.lower);
}
