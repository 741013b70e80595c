//! Deployments: rollouts step by step, replacement, and who goes first.

use super::*;

/// Four replicas, a quarter of surge and a quarter unavailable: at most five pods, at least three of them available.
#[test]
fn a_rollout_goes_in_the_steps_of_the_controller() {
    let mut rig = Rig::new(&scenario(4));
    rig.run_until(100.0);
    rig.act(|cluster, queue| cluster.rollout(WEB, queue));
    // One new pod for the surge; it lets one old pod go, which makes room for a second one.
    assert_eq!(rig.counts(), [4, 0, 2, 3, 1]);
    rig.run_until(110.0);
    // Both are ready: two old pods go, two new ones come.
    assert_eq!(rig.counts(), [4, 0, 2, 3, 2]);
    rig.run_until(120.0);
    assert_eq!(rig.counts(), [4, 0, 0, 4, 1], "the last old pod");
    rig.run_until(130.0);
    assert_eq!(rig.counts(), [4, 0, 0, 4, 0]);
    assert_eq!(rig.marks_of("rollout"), [(100.0, "web rolls out revision 1")]);
    assert_eq!(rig.cluster.owners[0].sets.len(), 1, "the old set is gone");
}

#[test]
fn a_pod_counts_as_available_only_after_a_while() {
    let mut spec = scenario(4);
    spec["services"]["web"]["rollout"] =
        json!({ "min_ready_s": 30.0, "max_surge": 1, "max_unavailable": 0, "at_s": [50.0] });
    let mut rig = Rig::new(&spec);
    rig.run_until(89.0);
    assert_eq!(rig.counts(), [4, 0, 0, 5, 0], "ready since 60, not available before 90");
    rig.run_until(90.0);
    assert_eq!(rig.counts(), [4, 0, 1, 4, 1]);
    rig.run_until(300.0);
    // One at a time: each needs 10 s to be ready and 30 s to be available.
    assert_eq!(rig.moments(Change::Left), [90.0, 130.0, 170.0, 210.0]);
}

#[test]
fn a_scaled_rollout_keeps_to_its_bounds_and_ends() {
    let mut rig = Rig::new(&scenario(10));
    rig.act(|cluster, queue| cluster.rollout(WEB, queue));
    rig.run_until(5.0);
    rig.scale(20);
    // 13 pods (8 old, 5 new) of at most 25 now: 8 of 13 are 15.4, 5 are 9.6.
    let sets: Vec<u32> = rig.cluster.owners[0].sets.iter().map(|set| set.replicas).collect();
    assert_eq!(sets, [15, 10]);
    rig.run_until(200.0);
    assert_eq!(rig.counts(), [20, 0, 0, 20, 0]);
    assert_eq!(rig.cluster.owners[0].newest_revision(), 1);
}

#[test]
fn pods_that_do_not_serve_go_before_those_that_do_and_crowded_nodes_lose_first() {
    let mut rig = Rig::new(&on_nodes(4, 3));
    // Nodes 0, 1, 2, 0; the pod that starts is the next one on 1.
    rig.scale(5);
    assert_eq!(rig.nodes(), [Some(0), Some(1), Some(2), Some(0), Some(1)]);
    rig.scale(4);
    assert_eq!(rig.nodes(), [Some(0), Some(1), Some(2), Some(0)]);
    rig.scale(3);
    let mut nodes = rig.nodes();
    nodes.sort_unstable();
    assert_eq!(nodes, [Some(0), Some(1), Some(2)], "one of the two that share a node");
}

#[test]
fn scaling_to_nothing_and_back_works_during_a_rollout_too() {
    let mut rig = Rig::new(&scenario(4));
    rig.act(|cluster, queue| cluster.rollout(WEB, queue));
    rig.scale(0);
    assert_eq!(rig.counts()[..4], [0; 4]);
    rig.run_until(50.0);
    rig.scale(3);
    rig.run_until(100.0);
    assert_eq!(rig.counts(), [3, 0, 0, 3, 0]);
}
