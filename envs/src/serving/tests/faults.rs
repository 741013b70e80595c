//! Pods that slow down, fall silent, leave and end; queues without pods. Worked by hand: one worker, 0.1 s a call.

use super::*;

fn balanced(balancing: &str) -> ScenarioSpec {
    spec(json!({"a": service(json!({"balancing": balancing}))}))
}

fn shared() -> ScenarioSpec {
    balanced("shared")
}

#[test]
fn calls_that_share_a_core_slow_each_other_down() {
    let spec = spec(json!({"a": service(json!({"concurrency": 2}))}));
    let mut world = World::listed(&spec, &[1.0, 1.05, 1.06]).pods(0, 0..1);
    // The first alone to 1.05 (half done), both at half speed to 1.15; the third waits till then; the second, at 0.05, is done
    // at 1.25, and the third at 1.30.
    let cpu_s = |world: &World| world.serving.pod_counters(0, world.queue.now()).cpu_s;
    for (at_s, completed, in_service, cpu) in
        [(1.149, 0, 2, 0.149), (1.151, 1, 2, 0.151), (1.251, 2, 1, 0.251), (1.299, 2, 1, 0.299), (1.301, 3, 0, 0.3)]
    {
        world.until(at_s);
        assert_eq!((world.totals(0).completed, world.serving.in_service(FIRST)), (completed, in_service), "at {at_s}");
        assert_close(cpu_s(&world), cpu, 2e-6);
    }
    assert_close(world.serving.pod_counters(0, world.queue.now()).duration_s, 0.15 + 0.2 + 0.24, 1e-5);
}

#[test]
fn a_slow_pod_takes_longer_for_the_same_work() {
    let mut world = World::listed(&shared(), &[1.0]).pods(0, 0..1);
    world.until(1.05);
    world.change(0, 0, Change::Speed(0.5));
    world.until(1.149);
    assert_eq!(world.clients().done, 0);
    world.until(1.1501);
    assert_eq!(world.clients().done, 1);
    assert_close(world.totals(0).cpu_s, 0.1, 1e-6);
}

#[test]
fn a_silent_pod_goes_on_getting_requests_and_answers_none() {
    let mut world = World::listed(&balanced("round-robin"), &[1.0, 1.01, 1.02, 1.03]).pods(0, 0..2);
    world.change(0, 0, Change::Speed(0.0));
    world.until(5.0);
    assert_eq!((world.clients().done, world.serving.in_flight(0), world.serving.requests_left()), (2, 2, 2));
    assert_close(world.serving.pod_counters(0, world.queue.now()).cpu_s, 0.0, 0.0);
    world.change(0, 0, Change::Speed(1.0));
    world.until(6.0);
    assert_eq!(world.clients().done, 4);
    assert_close(world.longest_s(), 4.18, 0.005);
}

#[test]
fn what_a_pod_has_fails_with_it() {
    let mut world = World::listed(&balanced("least-request"), &[1.0, 1.01, 1.02]).pods(0, 0..1);
    world.until(1.05);
    assert_eq!((world.serving.in_flight(0), world.serving.queued(FIRST)), (3, 2));
    world.change(0, 0, Change::Stopped);
    assert_eq!((world.clients().failed, world.clients().bad, world.serving.in_flight(0)), (3, 3, 0));
    assert_eq!((world.serving.queued(FIRST), world.serving.in_service(FIRST)), (0, 0));
    assert_close(world.totals(0).cpu_s, 0.05, 1e-6);
    world.until(3.0);
    assert_eq!(world.drained(), [0; 0]);
}

#[test]
fn a_restarted_container_counts_from_zero() {
    let mut world = World::listed(&shared(), &[1.0, 1.5, 2.5]).pods(0, 0..1);
    world.until(1.55);
    assert_eq!(world.serving.pod_counters(0, world.queue.now()).completed, 1);
    world.change(0, 0, Change::Started);
    assert_eq!(world.serving.pod_counters(0, world.queue.now()), PodCounters::default());
    assert_eq!(world.clients().failed, 1, "what it had");
    world.change(0, 0, Change::Ready);
    world.until(3.0);
    assert_eq!((world.serving.pod_counters(0, world.queue.now()).completed, world.totals(0).completed), (1, 2));
    assert_close(world.totals(0).cpu_s, 0.25, 1e-6);
}

#[test]
fn a_pod_that_left_finishes_what_it_has_and_then_says_so() {
    for balancing in ["least-request", "shared"] {
        let mut world = World::listed(&balanced(balancing), &[1.0, 1.01, 1.02]).pods(0, 0..2);
        world.until(1.05);
        world.change(0, 0, Change::Left);
        assert_eq!(world.drained(), [0; 0]);
        world.until(1.15);
        assert_eq!(world.serving.ready(FIRST), 1);
        world.until(3.0);
        assert_eq!((world.clients().done, world.drained()), (3, vec![0]), "{balancing}");
        world.change(0, 1, Change::Left);
        assert_eq!(world.drained(), [1], "idle: at once");
        world.change(0, 1, Change::Left);
        assert_eq!(world.drained(), [0; 0], "once");
    }
}

#[test]
fn a_shared_queue_waits_for_the_first_pod() {
    let mut world = World::listed(&shared(), &[1.0, 1.01]);
    world.until(2.0);
    assert_eq!((world.serving.queued(FIRST), world.clients().failed), (2, 0));
    let mut world = world.pods(0, 0..1);
    world.until(3.0);
    assert_eq!(world.clients().done, 2);
    assert_close(world.longest_s(), 1.19, 0.002);
}

#[test]
fn without_endpoints_other_balancing_fails_at_once() {
    for balancing in ["round-robin", "random", "least-request", "power-of-two"] {
        let mut world = World::listed(&balanced(balancing), &[1.0, 1.01]);
        world.until(1.5);
        assert_eq!((world.clients().failed, world.totals(0).failed), (2, 2), "{balancing}");
    }
}

#[test]
fn a_queue_limit_counts_per_pod_and_shared_for_all_ready_ones() {
    let with = |balancing: &str, pods| {
        let spec = spec(json!({"a": service(json!({"balancing": balancing, "queue_limit": 2}))}));
        let mut world = World::listed(&spec, &[1.0; 9]).pods(0, 0..pods);
        world.until(1.0);
        (world.serving.queued(FIRST), world.clients().failed)
    };
    // One in service per pod, two queued per pod, the rest is turned away.
    assert_eq!(with("shared", 2), (4, 3));
    assert_eq!(with("least-request", 2), (4, 3));
    assert_eq!(with("shared", 0), (2, 7), "as for one pod, so that a first pod finds work");
}

#[test]
fn changes_of_an_earlier_pod_are_stale() {
    let mut world = World::listed(&shared(), &[1.0]).pods(0, 0..1);
    world.change(0, 0, Change::Stopped);
    world.change(0, 0, Change::Ready);
    assert_eq!(world.serving.ready(FIRST), 0, "no container");
    let change = |generation, what| PodChange { pod: PodId { slot: 0, generation }, service: FIRST, what };
    for what in [Change::Started, Change::Ready] {
        world.serving.apply(&change(1, what), &mut world.queue).unwrap();
    }
    world.serving.apply(&change(0, Change::Stopped), &mut world.queue).unwrap();
    world.until(2.0);
    assert_eq!(world.clients().done, 1);
}

/// A caller gives up after 0.15 s; the second call would have had to wait 0.1 s and be done after 0.2 s.
#[test]
fn deadlines_depend_on_where_the_call_is() {
    let of = |drops: bool, timeout_s: f64| {
        let mut spec = spec(json!({"a": service(json!({"drops_expired": drops}))}));
        spec.client.timeout_s = Some(timeout_s);
        let mut world = World::listed(&spec, &[1.0, 1.0, 1.0]).pods(0, 0..1);
        world.until(3.0);
        let (clients, totals) = (world.clients(), world.totals(0));
        (clients.done, clients.failed, clients.wasted, totals.completed, totals.failed)
    };
    assert_eq!(of(true, 0.15), (1, 2, 1, 2, 1), "one in service is finished for nobody, one queued is thrown away");
    assert_eq!(of(false, 0.15), (1, 2, 2, 3, 0), "both are served for nobody");
    assert_eq!(of(true, 0.31), (3, 0, 0, 3, 0));
}

#[test]
fn bad_is_judged_once_by_wait_or_latency_or_failure() {
    let of = |wait_s, latency_s| {
        let mut spec = shared();
        (spec.slo.wait_s, spec.slo.latency_s) = (wait_s, latency_s);
        let mut world = World::listed(&spec, &[1.0, 1.0, 1.0, 1.0]).pods(0, 0..1);
        world.until(3.0);
        assert_eq!(world.serving.ingress(FIRST).bad, world.clients().bad, "one try each");
        world.clients().bad
    };
    // They wait 0, 0.1, 0.2 and 0.3 s and take 0.1 s longer.
    assert_eq!(of(Some(0.15), None), 2);
    assert_eq!(of(None, Some(0.35)), 1);
    assert_eq!(of(Some(0.15), Some(0.25)), 2);
    assert_eq!(of(None, None), 0);
}

/// Protocol P1 between the two kernels: clients give up only while they wait, and the queue holds 5 s of work.
#[test]
fn clients_of_the_protocol_stay_once_they_are_served() {
    let mut scenario = Scenario::protocol_p1();
    (scenario.client_timeout_s, scenario.service.mean_s) = (0.05, 1.0);
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), vec![20.0], vec![]).unwrap();
    let traffic = Traffic::new(&scenario, &load, 1).unwrap();
    let mut world = World::new(Serving::protocol(&scenario, &traffic).unwrap()).pods(0, 0..1);
    world.until(120.0);
    let clients = world.clients();
    assert_eq!((clients.offered, clients.wasted), (1_200, 0));
    assert_eq!(clients.done, world.totals(0).completed);
    assert!(clients.done > 150, "four workers at one a second for a minute: {}", clients.done);
    scenario.client_timeout_s = -1.0;
    assert!(Serving::protocol(&scenario, &traffic).is_err());
}

#[test]
fn the_queue_of_the_protocol_holds_seconds_of_work() {
    let scenario = Scenario { client_timeout_s: 1e3, ..Scenario::protocol_p1() };
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), vec![400.0], vec![]).unwrap();
    let traffic = Traffic::new(&scenario, &load, 1).unwrap();
    let mut world = World::new(Serving::protocol(&scenario, &traffic).unwrap()).pods(0, 0..2);
    world.until(59.9);
    assert_eq!(world.serving.queued(FIRST), 500, "5 s of 2 pods of 50 a second");
    assert!(world.clients().failed > 0);
}
