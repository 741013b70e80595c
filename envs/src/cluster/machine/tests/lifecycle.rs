//! Silent nodes: what nobody notices, what everybody does, and who is evicted when.

use super::*;

fn evictions(rig: &Rig) -> Vec<f64> {
    rig.marks_of("evicted").iter().map(|(at, _)| *at).collect()
}

/// Three nodes with a pod each.
fn three() -> Rig {
    let mut rig = Rig::new(&on_nodes(3, 3));
    rig.run_until(100.0);
    rig
}

#[test]
fn a_lost_node_is_silent_then_unreachable_then_evicted() {
    let mut rig = three();
    rig.lose(1, None);
    assert_eq!((rig.moments(Change::Speed(0.0)), rig.counts()), (vec![100.0], [3, 0, 0, 3, 0]));
    assert_eq!(
        rig.cluster.pool_counts(PoolId(0)),
        PoolCounts { ready: 2, lost: 1, cpu_requested: 0.25, ..PoolCounts::default() }
    );
    rig.run_until(149.0);
    assert_eq!(rig.moments(Change::Left), NEVER);
    rig.run_until(150.0);
    assert_eq!((rig.moments(Change::Left), rig.counts()), (vec![150.0], [3, 0, 0, 2, 0]));
    rig.run_until(449.0);
    assert_eq!((rig.counts(), rig.unreachable()), ([3, 0, 0, 2, 0], 1), "tolerated for 300 s");
    rig.run_until(450.0);
    assert_eq!((rig.moments(Change::Stopped), rig.counts()), (vec![450.0], [3, 0, 1, 2, 0]), "replaced");
    rig.run_until(460.0);
    assert_eq!((rig.counts(), rig.unreachable()), ([3, 0, 0, 3, 0], 0));
    // Ready until it was noticed, then paid as starting: 50 s, 300 s, and the 10 s of the one that replaces it.
    let paid = rig.cluster.pod_seconds_of(WEB, Timestamp::from_secs(460));
    assert_eq!((paid.ready_s, paid.starting_s), (2.0 * 460.0 + 150.0, 310.0));
    assert_eq!(rig.marks_of("node-lost"), [(100.0, "pool general: 1 node silent")]);
    assert_eq!(rig.marks_of("evicted"), [(450.0, "1 pod of a lost node of pool general")]);
}

#[test]
fn a_node_that_is_back_in_time_keeps_its_pods() {
    let mut rig = three();
    rig.lose(1, Some(200));
    rig.run_until(1_000.0);
    assert_eq!(evictions(&rig), NEVER);
    assert_eq!((rig.moments(Change::Speed(1.0)), rig.moments(Change::Ready).last()), (vec![300.0], Some(&300.0)));
    assert_eq!((rig.counts(), rig.moments(Change::Stopped)), ([3, 0, 0, 3, 0], vec![]));
    assert_eq!(rig.marks_of("repair"), [(300.0, "pool general: 1 node back")]);
    let mut short = three();
    short.lose(1, Some(30));
    short.run_until(1_000.0);
    assert_eq!(
        (short.moments(Change::Left), short.moments(Change::Speed(1.0))),
        (vec![], vec![130.0]),
        "nobody noticed"
    );
}

#[test]
fn an_unreachable_node_gets_no_pods_a_silent_one_still_does() {
    let mut rig = Rig::new(&on_nodes(0, 1));
    rig.lose(1, Some(400));
    rig.scale(1);
    assert_eq!(rig.counts(), [1, 0, 1, 0, 0], "bound, but nobody starts it");
    rig.run_until(60.0);
    rig.scale(2);
    assert_eq!((rig.counts(), rig.moments(Change::Started)), ([2, 1, 0, 0, 0], vec![]));
    assert_eq!(rig.unreachable(), 1, "it never was ready");
    rig.run_until(500.0);
    // The only zone is all gone, so nobody is evicted.
    assert_eq!((rig.moments(Change::Started), rig.moments(Change::Ready)), (vec![400.0, 400.0], vec![410.0, 410.0]));
}

#[test]
fn what_fell_due_on_a_silent_node_happens_when_it_is_back() {
    let mut rig = Rig::new(&on_nodes(0, 1));
    rig.scale(1);
    rig.run_until(5.0);
    rig.lose(1, Some(20));
    rig.run_until(100.0);
    assert_eq!(rig.moments(Change::Ready), [25.0]);
    // A pod that is deleted meanwhile ends with the node's return, if its hook and its last request are over.
    rig.lose(1, Some(20));
    rig.scale(0);
    rig.run_until(119.0);
    assert_eq!(rig.moments(Change::Stopped), NEVER);
    rig.run_until(200.0);
    assert_eq!(rig.moments(Change::Stopped), [120.0]);
    // Or with its grace.
    let mut gone = Rig::new(&on_nodes(1, 1));
    gone.lose(1, None);
    gone.scale(0);
    gone.run_until(200.0);
    assert_eq!((gone.moments(Change::Stopped), gone.counts()), (vec![30.0], [0; 5]));
}

fn two_zones(nodes: u32) -> Value {
    let mut spec = on_nodes(0, nodes);
    spec["cluster"]["pools"]["other"] = json!({ "nodes": 1, "cpu_milli": 4000, "memory_mib": 16384 });
    spec
}

#[test]
fn a_healthy_zone_loses_a_node_in_ten_seconds() {
    let mut rig = Rig::new(&two_zones(20));
    rig.lose(3, None);
    rig.run_until(1_000.0);
    assert_eq!(evictions(&rig), [350.0, 360.0, 370.0]);
}

#[test]
fn a_small_unhealthy_zone_loses_none_and_a_large_one_few() {
    let mut small = Rig::new(&two_zones(20));
    small.lose(11, None);
    small.run_until(1_000.0);
    assert_eq!(evictions(&small), NEVER, "11 of 20 are 55 %");
    let mut healthy = Rig::new(&two_zones(20));
    healthy.lose(10, None);
    healthy.run_until(1_000.0);
    assert_eq!(evictions(&healthy).len(), 10, "50 % are not");
    let mut large = Rig::new(&two_zones(60));
    large.lose(33, None);
    large.run_until(700.0);
    assert_eq!(evictions(&large), [350.0, 450.0, 550.0, 650.0]);
    let mut two = Rig::new(&two_zones(3));
    two.lose(2, None);
    two.run_until(1_000.0);
    assert_eq!(evictions(&two), [350.0, 360.0], "up to two nodes, a zone is healthy");
}

#[test]
fn a_zone_that_is_all_gone_is_evicted_at_the_full_rate_unless_all_zones_are() {
    let mut one = Rig::new(&two_zones(4));
    one.lose(4, None);
    one.run_until(1_000.0);
    assert_eq!(evictions(&one), [350.0, 360.0, 370.0, 380.0]);
    let mut all = Rig::new(&on_nodes(2, 4));
    all.lose(3, None);
    all.run_until(100.0);
    // The fourth takes back the taints of the others.
    all.lose(4, Some(400));
    all.run_until(500.0);
    assert_eq!(evictions(&all), NEVER);
    // It is back at 500: three of four are 75 %, and the zone is small.
    all.run_until(1_000.0);
    assert_eq!(evictions(&all), NEVER);
}

/// Two of ten are tainted at 50 and 60; at 150 nobody is left in the only zone. The others are back at 600.
#[test]
fn taints_are_taken_back_when_everything_is_gone() {
    let mut rig = Rig::new(&on_nodes(2, 10));
    rig.lose(2, None);
    rig.run_until(100.0);
    rig.lose(8, Some(500));
    rig.run_until(600.0);
    assert_eq!(evictions(&rig), NEVER);
    rig.run_until(2_000.0);
    assert_eq!(evictions(&rig), [910.0, 920.0], "tainted anew at 610 and 620: the limiter begins empty");
}

#[test]
fn a_rate_that_changes_holds_for_those_who_wait() {
    let mut rig = Rig::new(&two_zones(10));
    rig.lose(2, None);
    rig.run_until(5.0);
    rig.lose(4, Some(300));
    // Unreachable: two at 50 (tainted at 50 and 60 if the rate held), six of ten at 55: none from then on; four are back at 305.
    rig.run_until(1_000.0);
    assert_eq!(evictions(&rig), [350.0, 615.0], "the limiter begins empty: 305 + 10 + 300");
}

#[test]
fn recorded_pods_on_an_evicted_node_do_not_come_again() {
    let mut spec = on_nodes(0, 2);
    spec["workloads"] =
        json!({ "batch": { "trace": "pods" }, "constant": { "replicas": 2, "cpu_request_milli": 1000 } });
    let pod = ListedPod {
        created: Timestamp::ZERO,
        lifetime: Some(Span::from_secs(200)),
        cpu_milli: 100,
        memory_mib: 1,
        gpus: 0,
    };
    let inputs = Inputs { pods: [("pods".to_owned(), vec![pod; 2].into())].into(), ..Inputs::default() };
    let mut rig = Rig::with_inputs(&spec, &inputs);
    rig.run_until(10.0);
    rig.lose(1, None);
    rig.run_until(400.0);
    assert_eq!(evictions(&rig), [360.0]);
    let owners = &rig.cluster.owners;
    assert_eq!((owners[1].pods.len(), owners[2].pods.len()), (0, 2));
}
