//! Each account of the books, made wrong by one.

use super::*;

/// A world in the middle of work: `a` holds its worker and calls `b`, whose pods queue.
fn busy() -> World {
    let front = json!({"balancing": "least-request", "holds_worker": true, "concurrency": 3, "cores": 3.0, "calls": [{"to": "b"}]});
    let spec = spec(&json!({"a": service(&front), "b": service(&json!({"balancing": "round-robin"}))}));
    let mut world = World::listed(&spec, &[1.0, 1.01, 1.02, 1.03]).pods(0, 0..1).pods(1, 1..2);
    world.until(1.15);
    assert!(
        world.serving.servers[0].busy() - world.serving.servers[0].running() == 3
            && world.serving.servers[1].queued == 2
            && world.serving.servers[0].queued == 1
    );
    world
}

#[test]
fn every_account_that_is_wrong_is_named() {
    type Spoil = fn(&mut Serving);
    let cases: [(&str, Spoil); 12] = [
        ("clients offered 5", |serving| serving.clients.offered += 1),
        ("tried 1 times again", |serving| serving.clients.retries += 1),
        ("service 0: 5 calls arrived, but 0 are completed", |serving| serving.services[0].count.arrived += 1),
        ("but 3 were sent to it", |serving| {
            serving.services[1].count.arrived += 1;
            serving.services[1].count.completed += 1;
        }),
        ("service 1: counts 3 calls", |serving| serving.services[1].queued += 1),
        ("service 1: counts 0 calls", |serving| serving.services[1].in_service -= 1),
        ("its balancer knows 0 pods, but 1 are ready", |serving| serving.services[0].balancer.leave(0)),
        ("pod slot 0: counts 5 calls", |serving| serving.servers[0].present += 1),
        ("pod slot 1: counts 1 calls", |serving| serving.servers[1].queued -= 1),
        ("pod slot 0: 2 workers are busy", |serving| serving.servers[0].free += 1),
        ("workers are busy, but it has 3", |serving| serving.servers[0].free = 4),
        ("pod slot 0: its load is 4", |serving| serving.services[0].balancer.set_load(0, 3)),
    ];
    for (message, spoil) in cases {
        let mut serving = busy().serving;
        assert_eq!(serving.conservation(), Ok(()));
        spoil(&mut serving);
        let found = serving.conservation().unwrap_err().to_string();
        assert!(found.contains(message), "{found}, not: {message}");
    }
}
