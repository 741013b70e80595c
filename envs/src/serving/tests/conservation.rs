//! The books balance whatever happens, and a copy goes on as its original does: over random small worlds.

use proptest::prelude::*;

use super::*;

/// What is done to a pod after a while.
#[derive(Clone, Copy, Debug)]
struct Step {
    after_s: f64,
    service: u16,
    pod: u32,
    what: Change,
}

#[derive(Clone, Debug)]
struct Scene {
    spec: ScenarioSpec,
    seed: u64,
    rate: f64,
    steps: Vec<Step>,
}

const SERVICES: u16 = 4;
const PODS: u32 = 3;

fn any_retries() -> impl Strategy<Value = Value> {
    let budget = prop_oneof![Just(Value::Null), Just(json!(0.0)), Just(json!(0.2))];
    let some = (1_u32..4, 0.0..0.3, budget);
    let some = some
        .prop_map(|(attempts, base_s, budget)| json!({"attempts": attempts, "base_s": base_s, "budget_ratio": budget}));
    prop_oneof![Just(Value::Null), some]
}

fn any_timeout() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), (0.02..1.0).prop_map(|seconds: f64| json!(seconds))]
}

/// A call to a later service, so that there is no cycle.
fn any_call(from: u16) -> impl Strategy<Value = Value> {
    let to = from + 1..SERVICES;
    (to, 0_u32..3, 0.2..1.0, 0_u32..3, any_timeout(), any::<bool>(), any_retries()).prop_map(
        |(to, stage, probability, count, timeout_s, optional, retries)| {
            json!({"to": format!("s{to}"), "stage": stage, "probability": f64::min(1.0, probability * 1.3), "count": count,
                "timeout_s": timeout_s, "optional": optional, "retries": retries})
        },
    )
}

fn any_service(id: u16) -> impl Strategy<Value = Value> {
    let calls =
        if id + 1 < SERVICES { prop::collection::vec(any_call(id), 0..3).boxed() } else { Just(vec![]).boxed() };
    let balancing = prop::sample::select(vec!["shared", "round-robin", "random", "least-request", "power-of-two"]);
    let concurrency = prop::sample::select(vec![json!(1), json!(3), json!(8), Value::Null]);
    let queue_limit = prop::sample::select(vec![json!(0), json!(2), json!(9), Value::Null]);
    (balancing, concurrency, queue_limit, 0.5..4.0, any::<bool>(), any::<bool>(), calls).prop_map(
        |(balancing, concurrency, queue_limit, cores, drops_expired, holds_worker, calls)| {
            service(
                json!({"balancing": balancing, "concurrency": concurrency, "queue_limit": queue_limit, "cores": cores,
                "drops_expired": drops_expired, "holds_worker": holds_worker, "calls": calls,
                "service_time_s": {"exponential": {"mean": 0.1}}}),
            )
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let speed = prop::sample::select(vec![0.0, 0.3, 1.0]).prop_map(Change::Speed);
    let what = prop_oneof![
        2 => Just(Change::Started), 4 => Just(Change::Ready), 1 => Just(Change::Left), 1 => Just(Change::Stopped), 2 => speed
    ];
    (0.0..0.6, 0..SERVICES, 0..PODS, what).prop_map(|(after_s, service, pod, what)| Step {
        after_s,
        service,
        pod,
        what,
    })
}

fn any_scene() -> impl Strategy<Value = Scene> {
    let services = (any_service(0), any_service(1), any_service(2), any_service(3));
    let steps = prop::collection::vec(any_step(), 0..40);
    (services, any_timeout(), any_retries(), any::<u64>(), 1.0..60.0, steps).prop_map(
        |((a, b, c, d), timeout_s, retries, seed, rate, steps)| {
            let mut spec = spec(json!({"s0": a, "s1": b, "s2": c, "s3": d}));
            spec.client = serde_json::from_value(json!({"timeout_s": timeout_s, "retries": retries})).unwrap();
            Scene { spec, seed, rate, steps }
        },
    )
}

/// All pods start ready; a slot belongs to one service.
fn begin(scene: &Scene) -> World {
    let world = World::of(&scene.spec, 15, &[&[scene.rate]], scene.seed);
    (0..SERVICES).fold(world, |world, id| world.pods(id, u32::from(id) * PODS..u32::from(id + 1) * PODS))
}

fn play(world: &mut World, steps: &[Step]) {
    for step in steps {
        let at = world.queue.now() + Span::from_secs_f64(step.after_s);
        world.until((at - Timestamp::ZERO).as_secs_f64());
        world.change(step.service, u32::from(step.service) * PODS + step.pod, step.what);
        world.serving.conservation().unwrap();
    }
}

/// Everything that can be told of a world.
fn told(world: &World) -> String {
    let now = world.queue.now();
    let pods: Vec<_> = (0..12).map(|slot| world.serving.pod_counters(slot, now)).collect();
    let services: Vec<_> = (0..SERVICES).map(|id| (world.totals(id), world.serving.ingress(ServiceId(id)))).collect();
    format!("{pods:?} {services:?} {:?} {:?} {} {now:?}", world.clients(), world.serving.edges(), world.handled)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_is_lost_or_made_up_and_a_copy_goes_on_alike(scene in any_scene(), cut in 0.0..1.0) {
        let mut world = begin(&scene);
        let (before, after) = scene.steps.split_at((scene.steps.len() as f64 * cut) as usize);
        play(&mut world, before);
        let mut copy = world.clone();
        play(&mut world, after);
        world.until(40.0);
        play(&mut copy, after);
        copy.until(40.0);
        prop_assert_eq!(told(&world), told(&copy));
        let totals: Vec<_> = (0..SERVICES).map(|id| world.totals(id)).collect();
        prop_assert_eq!(totals[0].arrived, world.clients().offered + world.clients().retries);
        for total in totals {
            prop_assert!(total.cpu_s >= 0.0 && total.wait_s >= 0.0 && total.sojourn_s >= 0.0);
        }
    }

    /// CPU seconds that pods show never go down while they run.
    #[test]
    fn counters_of_a_running_pod_never_go_down(scene in any_scene()) {
        let mut world = begin(&scene);
        let mut seen = [PodCounters::default(); 12];
        for step in 1..100 {
            world.until(f64::from(step) * 0.173);
            for (slot, before) in seen.iter_mut().enumerate() {
                let now = world.serving.pod_counters(slot, world.queue.now());
                prop_assert!(now.cpu_s >= before.cpu_s && now.completed >= before.completed);
                prop_assert!(now.duration_s >= before.duration_s);
                *before = now;
            }
        }
    }
}

/// All the work of calls that are done was used as CPU, and no more than what ended calls asked for and present ones got.
#[test]
fn cpu_used_is_the_work_done() {
    for (concurrency, cores) in [(json!(4), 4.0), (Value::Null, 1.5), (json!(6), 2.0)] {
        let keys = json!({"concurrency": concurrency, "cores": cores, "service_time_s": {"constant": 0.037}});
        let spec = spec(json!({"a": service(keys)}));
        let mut world = World::of(&spec, 60, &[&[30.0]], 3).pods(0, 0..1);
        world.until(200.0);
        assert_eq!(world.clients().done, 1_800);
        // An end is rounded up to a whole microsecond.
        assert_close(world.totals(0).cpu_s, 1_800.0 * 0.037, 1_800.0 * 1e-6 * cores);
    }
}

#[test]
fn intervals_add_up_to_the_run() {
    let spec = spec(
        json!({"a": service(json!({"calls": [{"to": "b"}]})), "b": service(json!({"queue_limit": 1, "service_time_s": {"constant": 0.15}}))}),
    );
    let mut world = World::of(&spec, 15, &[&[8.0, 9.0, 5.0, 2.0]], 1).pods(0, 0..1).pods(1, 1..2);
    let edges_s = [0.0, 0.2, 0.5, 1.0, f64::INFINITY];
    let (mut clients, mut services, mut answered) = ([0; 4], [[0; 3]; 2], 0);
    let mut cpu_s = [0.0; 2];
    for interval in 1..=8 {
        world.until(f64::from(interval) * 10.0);
        let (mut rows, mut counts) = ([ServiceRow::default(); 2], [0; 4]);
        let mut into = IntervalRows { services: &mut rows, latency_edges_s: &edges_s, latency_counts: &mut counts };
        let row = world.serving.close_interval(world.queue.now(), &mut into);
        [row.offered, row.done, row.failed, row.bad].iter().zip(&mut clients).for_each(|(now, sum)| *sum += now);
        for ((row, sums), cpu) in rows.iter().zip(&mut services).zip(&mut cpu_s) {
            [row.arrived, row.completed, row.failed].iter().zip(sums).for_each(|(now, sum)| *sum += now);
            *cpu += row.cpu_s;
        }
        assert_eq!(row.done, counts.iter().map(|count| u64::from(*count)).sum::<u64>());
        assert_eq!(row.latency.p50_s.is_some(), row.done > 0);
        answered += counts.iter().sum::<u32>();
    }
    let totals = world.clients();
    assert_eq!(clients, [totals.offered, totals.done, totals.failed, totals.bad]);
    assert!(totals.failed > 0 && totals.done > 100);
    assert_eq!((u64::from(answered), world.serving.latencies().len()), (totals.done, totals.done));
    for (id, (sums, cpu)) in (0_u16..).zip(services.iter().zip(cpu_s)) {
        let of = world.totals(id);
        assert_eq!(*sums, [of.arrived, of.completed, of.failed]);
        assert_close(cpu, of.cpu_s, 1e-9);
        assert_eq!(world.serving.service_latencies(ServiceId(id)).len(), of.completed);
    }
}

/// What another strategy does with its pods changes no request: neither moment nor work.
#[test]
fn requests_do_not_depend_on_what_is_done_with_them() {
    let spec = spec(json!({"a": service(json!({"service_time_s": {"exponential": {"mean": 0.05}}}))}));
    let of = |pods: u32| {
        let mut world = World::of(&spec, 60, &[&[10.0]], 5).pods(0, 0..pods);
        world.until(500.0);
        (world.clients().done, (world.totals(0).cpu_s * 1e3).round())
    };
    assert_eq!(of(1), of(7));
}
