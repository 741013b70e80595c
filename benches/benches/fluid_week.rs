//! `fluid_week/1s`: one week at 1 s physics under `hpa` with its defaults, all costs, warm-up from eight days of history included;
//! `fluid_week/kpa`: the same under `kpa`, which decides every 2 s; `fluid_week/every-2s`: under a rule that costs nothing and
//! decides as often;
//! `fluid_week/traffic`: what is made once per (load, seed) and shared by all configurations of a study.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use seatrial_core::math::ceil_to_u32;
use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::guard::Guard;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::policy::{Policy, Proposal, Reason, View};
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::episode::{Driver, no_rows, run_on, warm_state};
use seatrial_envs::load::{EpisodeLoad, Traffic};
use seatrial_envs::scenario::Scenario;

/// Minutes of a week.
const WEEK: u64 = 10_080;

/// A daily wave between 100 and 1,300 requests/s whose minutes scatter, after eight such days.
fn week() -> EpisodeLoad {
    let rate = |minute: u64| {
        let phase = minute as f64 / 1_440.0 * core::f64::consts::TAU;
        let scatter = 30.0 * standard_normal(5, Stream::TraceNoise, minute, 0);
        (700.0 - 600.0 * libm::cos(phase) + scatter).max(0.0)
    };
    let past: Vec<f64> = (0..8 * 1_440).map(rate).collect();
    let rates: Vec<f64> = (8 * 1_440..8 * 1_440 + WEEK).map(rate).collect();
    EpisodeLoad::new(Timestamp::from_secs(86_400), Span::from_secs(60), rates, past).unwrap()
}

fn registered(id: &str, scenario: &Scenario) -> Autoscaler {
    StrategySpec::of(id).build(&Ingredients { workload: &scenario.workload, weights: None }).unwrap()
}

/// A pod for each 35 visible requests/s, every 2 s.
struct Often;

impl Policy for Often {
    type State = ();

    fn initial_state(&self) {}

    fn step(&self, _: Timestamp, view: &View<'_>, (): &mut ()) -> Proposal {
        match view.observation.arrival_rate() {
            Some(rate) => Proposal::of(ceil_to_u32(rate.value / 35.0), Reason::Load),
            None => Proposal::none(Reason::MetricMissing),
        }
    }

    fn cadence(&self) -> Option<Span> {
        Some(Span::from_secs(2))
    }
}

fn often(scenario: &Scenario) -> Autoscaler {
    let guard = Guard::bounds_only(scenario.workload.bounds);
    Autoscaler::new(scenario.workload, None, Box::new(Often), guard)
}

fn fluid_week(criterion: &mut Criterion) {
    let scenario = Scenario::protocol_p1();
    let load = week();
    let traffic = Traffic::new(&scenario, &load, 1).unwrap();
    let mut group = criterion.benchmark_group("fluid_week");
    group.sample_size(20);
    for (name, autoscaler, cadence_s) in [
        ("1s", registered("hpa", &scenario), 15),
        ("kpa", registered("kpa", &scenario), 2),
        ("every-2s", often(&scenario), 2),
    ] {
        let mut j = f64::NAN;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let state = warm_state(&autoscaler, &scenario, &traffic);
                let driver = Driver { autoscaler: &autoscaler, state };
                let result = run_on(&scenario, &traffic, driver, &mut no_rows).unwrap();
                assert_eq!(result.decisions, WEEK * 60 / cadence_s);
                j = result.j(scenario.costs);
                j
            });
        });
        // 14 pods for a week at least; at most 100 and every request bad.
        assert!(j.is_nan() || (8.4e6..5e8).contains(&j), "{name}: {j}");
    }
    group.bench_function("traffic", |bencher| {
        bencher.iter(|| Traffic::new(&scenario, &load, 1).unwrap().realised_per_s().len());
    });
    group.finish();
}

criterion_group!(benches, fluid_week);
criterion_main!(benches);
