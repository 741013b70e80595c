//! Call graphs, worked by hand: constant work, one request at a time unless said otherwise.

use super::*;

fn leaf(seconds: f64) -> Value {
    service(json!({"service_time_s": {"constant": seconds}}))
}

fn caller(calls: Value) -> Value {
    service(json!({"calls": calls}))
}

/// Requests of the first service at these seconds, one pod per service: slot = id.
fn run(services: Value, at_s: &[f64]) -> World {
    let spec = spec(services);
    let count = spec.services.len() as u16;
    let world = World::listed(&spec, at_s);
    (0..count).fold(world, |world, id| world.pods(id, u32::from(id)..u32::from(id) + 1))
}

#[test]
fn stages_run_one_after_the_other_and_their_calls_at_once() {
    let calls = json!([{"to": "d", "stage": 1}, {"to": "b"}, {"to": "c"}]);
    let mut world = run(json!({"a": caller(calls), "b": leaf(0.2), "c": leaf(0.3), "d": leaf(0.1)}), &[1.0]);
    world.until(1.35);
    assert_eq!([0, 1, 2, 3].map(|id| world.totals(id).completed), [0, 1, 0, 0]);
    assert_eq!(world.serving.in_flight(0), 1, "it is still in its pod");
    world.until(2.0);
    assert_close(world.longest_s(), 0.1 + 0.3 + 0.1, 0.001);
    let edges: Vec<_> =
        world.serving.edges().iter().map(|e| (e.from.clone(), e.to.clone(), e.calls, e.failed)).collect();
    let edge = |from: Option<&str>, to: &str| (from.map(str::to_owned), to.to_owned(), 1, 0);
    assert_eq!(edges, [edge(None, "a"), edge(Some("a"), "b"), edge(Some("a"), "c"), edge(Some("a"), "d")]);
}

#[test]
fn a_count_of_calls_goes_out_at_once() {
    let mut world = run(json!({"a": caller(json!([{"to": "b", "count": 3}])), "b": leaf(0.2)}), &[1.0]);
    world.until(2.0);
    assert_close(world.longest_s(), 0.1 + 3.0 * 0.2, 0.001);
    assert_eq!(world.totals(1).completed, 3);
}

#[test]
fn a_call_is_made_as_often_as_its_probability_says() {
    let at_s: Vec<f64> = (0..2_000).map(f64::from).collect();
    let mut world = run(json!({"a": caller(json!([{"to": "b", "probability": 0.3}])), "b": leaf(0.1)}), &at_s);
    world.until(3_000.0);
    let share = world.totals(1).arrived as f64 / 2_000.0;
    assert_close(share, 0.3, 4.0 * (0.3_f64 * 0.7 / 2_000.0).sqrt());
}

#[test]
fn a_held_worker_serves_nobody_else() {
    let with = |holds: bool| {
        let a = service(json!({"holds_worker": holds, "calls": [{"to": "b"}]}));
        let b = service(json!({"concurrency": 2, "cores": 2.0, "service_time_s": {"constant": 0.5}}));
        let mut world = run(json!({"a": a, "b": b}), &[1.0, 1.0]);
        world.until(1.15);
        let running = world.serving.in_service(FIRST);
        world.until(5.0);
        (running, world.longest_s())
    };
    let (running, longest_s) = with(false);
    assert_eq!(running, 1);
    assert_close(longest_s, 0.2 + 0.5, 0.001);
    let (running, longest_s) = with(true);
    assert_eq!(running, 0, "the one worker waits for b");
    assert_close(longest_s, 0.6 + 0.6, 0.002);
}

/// The callee has no pod and fails at once.
#[test]
fn a_failed_call_fails_its_caller_unless_it_is_optional() {
    let with = |optional: bool| {
        let calls = json!([{"to": "b", "optional": optional}, {"to": "c", "stage": 1}]);
        let b = service(json!({"balancing": "random"}));
        let world = World::listed(&spec(json!({"a": caller(calls), "b": b, "c": leaf(0.1)})), &[1.0]);
        let mut world = world.pods(0, 0..1).pods(2, 2..3);
        world.until(2.0);
        (world.clients().done, world.clients().failed, world.totals(2).arrived, world.serving.edges()[1].failed)
    };
    assert_eq!(with(false), (0, 1, 0, 1));
    assert_eq!(with(true), (1, 0, 1, 1));
}

#[test]
fn a_caller_gives_a_call_up_after_its_timeout_and_tries_again() {
    let with = |retries: Value| {
        let calls = json!([{"to": "b", "timeout_s": 0.15, "retries": retries}]);
        let b = service(json!({"service_time_s": {"constant": 0.2}, "concurrency": 2, "cores": 2.0}));
        let mut world = run(json!({"a": caller(calls), "b": b}), &[1.0]);
        world.until(3.0);
        let edge = world.serving.edges()[1].clone();
        (world.clients().failed, edge.calls, edge.failed, world.totals(1).completed)
    };
    assert_eq!(with(Value::Null), (1, 1, 1, 1), "b finishes it for nobody");
    assert_eq!(with(json!({"attempts": 3, "base_s": 0.01})), (1, 3, 3, 3));
}

/// a waits for b no longer than its own client waits; c is not called any more.
#[test]
fn a_call_ends_with_the_wait_of_its_callers_client() {
    let calls = json!([{"to": "b"}, {"to": "c", "stage": 1}]);
    let mut spec = spec(json!({"a": caller(calls), "b": leaf(1.0), "c": leaf(0.1)}));
    spec.client.timeout_s = Some(0.5);
    let mut world = World::listed(&spec, &[1.0, 1.0]).pods(0, 0..1).pods(1, 1..2).pods(2, 2..3);
    world.until(1.501);
    assert_eq!((world.clients().failed, world.serving.in_flight(0)), (2, 0));
    world.until(5.0);
    // The second call was queued at b behind the first and is thrown away when its turn comes.
    assert_eq!((world.totals(1).completed, world.totals(1).failed, world.totals(2).arrived), (1, 1, 0));
}

/// One of two calls fails at once, so the caller does; the other one goes on for nobody.
#[test]
fn siblings_of_a_failed_call_go_on_for_nobody() {
    let calls = json!([{"to": "b"}, {"to": "c"}]);
    let c = service(json!({"balancing": "random"}));
    let world = World::listed(&spec(json!({"a": caller(calls), "b": leaf(0.3), "c": c})), &[1.0]);
    let mut world = world.pods(0, 0..1).pods(1, 1..2);
    world.until(1.11);
    assert_eq!((world.clients().failed, world.serving.in_service(ServiceId(1))), (1, 1));
    world.until(2.0);
    assert_eq!(world.totals(1).completed, 1);
}

/// A request with two stages at one service queues again behind those that came meanwhile.
#[test]
fn a_second_stage_does_not_overtake_the_queue() {
    let calls = json!([{"to": "b"}, {"to": "b", "stage": 1}]);
    let a = service(json!({"concurrency": 9, "cores": 9.0, "calls": calls}));
    let mut world = run(json!({"a": a, "b": leaf(0.2)}), &[1.0, 1.01]);
    // b serves 1.1-1.3 first, 1.3-1.5 second, 1.5-1.7 first again, 1.7-1.9 second again.
    world.until(1.69);
    assert_eq!(world.clients().done, 0);
    world.until(1.71);
    assert_eq!(world.clients().done, 1);
    world.until(2.0);
    assert_eq!((world.clients().done, world.totals(1).completed), (2, 4));
}
