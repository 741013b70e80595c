//! `scenario/web-{100,5000}-nodes`: one web service on nodes, every handler at work: requests, pods of a scaling controller under
//! a load that swings, scrapes, timeline. Two pods a node, each about 60 % busy, so the cost of an event compares: the swing is slow enough
//! for the controller, since a backlog of seconds is a million requests in the large world and fits into a cache in the small one. One
//! element is one event handled.
//! `scenario/protocol-p1`: ten minutes of protocol P1 at 1,000 requests per second; one element is one request.
//! `fork/4KiB`: the clone of a small world and its pending events.
//! `sweep/{1,2}`: independent cells of a small scenario on one and two threads; one element is one event handled.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use core::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::episode::{Driver, no_rows, warm_state};
use seatrial_envs::load::{EpisodeLoad, Traffic};
use seatrial_envs::scenario::Scenario;
use seatrial_envs::spec::{Inputs, ScenarioSpec, SourceLoad};
use seatrial_envs::world::{Options, World, WorldSimulation, protocol, run_scenario};
use serde_json::{Value, json};

/// Requests per second of a pod that is 60 % busy.
const PER_POD: f64 = 30.0;
/// The load's swing around its mean, bin by bin.
const SWING: [f64; 8] = [1.0, 1.15, 1.3, 1.15, 1.0, 0.85, 0.7, 0.85];
/// Seconds of the large worlds, more than any measurement takes.
const DAY_S: f64 = 86_400.0;
/// Events per measured iteration.
const BATCH: u64 = 100_000;
/// Cells of a sweep.
const CELLS: u64 = 16;

/// A web service of `replicas` pods under a load of `rate` requests per second that swings in bins of `bin_s` seconds.
fn web(replicas: u32, rate: f64, (duration_s, bin_s): (f64, i64), rest: &Value) -> (ScenarioSpec, Inputs) {
    let hpa = json!({ "target": 60.0, "downscale_stabilization_s": 0 });
    let mut tables = json!({
        "name": "web", "summary": "a web service", "kernel": "events", "duration_s": duration_s,
        "services": { "web": {
            "replicas": replicas, "concurrency": 4, "cores": 4.0, "balancing": "least-request",
            "service_time_s": { "exponential": { "mean": 0.08 } },
            "start": { "start_s": { "constant": 5.0 } },
            "autoscaling": { "min": 1, "max": 2 * replicas, "strategy": { "policy": { "id": "hpa", "config": hpa } } },
        } },
        "traffic": [{ "service": "web", "source": { "constant": { "rate_per_s": rate } } }],
    });
    for (key, value) in rest.as_object().unwrap() {
        tables[key] = value.clone();
    }
    let bins = (duration_s / bin_s as f64) as usize;
    let rates: Vec<f64> = (0..bins).map(|bin| rate * SWING[bin % SWING.len()]).collect();
    let past = vec![rate; (3_600 / bin_s) as usize];
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(bin_s), rates, past).unwrap();
    let inputs = Inputs { loads: vec![SourceLoad::Rates(load)], ..Inputs::default() };
    (serde_json::from_value(tables).unwrap(), inputs)
}

fn on_nodes(nodes: u32) -> WorldSimulation {
    let pool = json!({ "nodes": nodes, "cpu_milli": 16_000, "memory_mib": 65_536 });
    let cluster = json!({ "cluster": { "pools": { "nodes": pool } } });
    let (spec, inputs) = web(2 * nodes, PER_POD * f64::from(2 * nodes), (DAY_S, 60), &cluster);
    World::simulation(&spec, &inputs, &Options::default()).unwrap()
}

fn scenario(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scenario");
    group.throughput(Throughput::Elements(BATCH));
    for nodes in [100, 5_000] {
        let mut started = None;
        group.bench_function(format!("web-{nodes}-nodes"), |bencher| {
            let simulation = started.get_or_insert_with(|| {
                let mut simulation = on_nodes(nodes);
                // Past the first scrapes and decisions.
                simulation.run_until(Timestamp::from_secs(40)).unwrap();
                simulation
            });
            bencher.iter(|| {
                for _ in 0..BATCH {
                    simulation.step().unwrap().unwrap();
                }
            });
        });
        let Some(simulation) = started else { continue };
        let world = &simulation.model;
        assert!(world.serving().conservation().is_ok() && world.cluster().check().is_ok());
        let clients = world.serving().client_totals();
        let seconds = (simulation.now() - Timestamp::ZERO).as_secs_f64();
        // An arrival and a departure for each request, and little else.
        let per_request = simulation.handled() as f64 / clients.offered as f64;
        assert!((1.9..2.5).contains(&per_request), "{per_request} events a request");
        let rate = clients.offered as f64 / seconds / (PER_POD * f64::from(2 * nodes));
        assert!((0.8..1.2).contains(&rate), "{rate} of the mean rate in {seconds} s");
        assert!(simulation.now() < world.end());
        let present = world.serving().requests_left() as f64 / f64::from(2 * nodes);
        assert!(present < 6.0, "{present} requests a pod of 4 workers: not 60 % busy");
    }
    group.finish();
}

/// Protocol P1 under `hpa`: one element is one request.
fn protocol_p1(criterion: &mut Criterion) {
    let p1 = Scenario::protocol_p1();
    let rates: Vec<f64> = (0..10).map(|bin| 1_000.0 * SWING[bin % SWING.len()]).collect();
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), rates, vec![1_000.0; 60]).unwrap();
    let traffic = Traffic::new(&p1, &load, 1).unwrap();
    let ingredients = Ingredients { workload: &p1.workload, weights: None };
    let autoscaler = StrategySpec::of("hpa").build(&ingredients).unwrap();
    let requests: f64 = traffic.realised_per_s().iter().map(|rate| rate * traffic.slot().as_secs_f64()).sum();
    let mut group = criterion.benchmark_group("scenario");
    group.throughput(Throughput::Elements((requests + 0.5) as u64));
    group.sample_size(10);
    group.bench_function("protocol-p1", |bencher| {
        bencher.iter(|| {
            let driver = Driver { autoscaler: &autoscaler, state: warm_state(&autoscaler, &p1, &traffic) };
            let result = protocol::run_on(&p1, &traffic, driver, &mut no_rows).unwrap();
            assert!((result.total.requests - requests).abs() < 0.5 && result.decisions == 40, "{result:?}");
        });
    });
    group.finish();
}

fn fork(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fork");
    let mut done = None;
    group.bench_function("4KiB", |bencher| {
        let (spec, inputs) = web(1, 20.0, (600.0, 15), &json!({}));
        let options = Options { timeline: None, latencies: false, ..Options::default() };
        let mut simulation = World::simulation(&spec, &inputs, &options).unwrap();
        simulation.run_until(Timestamp::from_secs(100)).unwrap();
        bencher.iter(|| black_box(simulation.clone()));
        let mut fork = simulation.clone();
        for world in [&mut simulation, &mut fork] {
            world.run_until(world.model.end()).unwrap();
        }
        done = Some([simulation, fork].map(|world| World::outcome(world).unwrap()));
    });
    if let Some([one, other]) = done {
        assert!(one == other && one.conservation.offered > 10_000, "{:?}", one.conservation);
    }
    group.finish();
}

fn sweep(criterion: &mut Criterion) {
    let (spec, inputs) = web(4, 120.0, (600.0, 15), &json!({}));
    let cell = |seed: u64| {
        let spec = ScenarioSpec { seed, ..spec.clone() };
        let outcome = run_scenario(&spec, &inputs, &Options::default()).unwrap();
        (outcome.events, outcome.total.bad_requests)
    };
    let expected: Vec<(u64, f64)> = (0..CELLS).map(cell).collect();
    let mut group = criterion.benchmark_group("sweep");
    group.throughput(Throughput::Elements(expected.iter().map(|(events, _)| events).sum()));
    group.sample_size(20);
    for threads in [1, 2] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        group.bench_function(BenchmarkId::from_parameter(threads), |bencher| {
            bencher.iter(|| {
                let cells: Vec<(u64, f64)> = pool.install(|| (0..CELLS).into_par_iter().map(cell).collect());
                assert_eq!(cells, expected, "a cell depends on nothing but its seed");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scenario, protocol_p1, fork, sweep);
criterion_main!(benches);
