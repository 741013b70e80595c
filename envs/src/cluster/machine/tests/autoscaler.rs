//! The cluster autoscaler: which pool, how many, when, and when not.

use super::*;

/// `general` has one node of 4 CPU and may have five, `big` none of 16 CPU and may have three.
fn two_pools(replicas: u32, cpu_milli: u32) -> Value {
    let mut spec = on_nodes(replicas, 1);
    spec["services"]["web"]["pod"]["cpu_request_milli"] = json!(cpu_milli);
    spec["cluster"]["pools"]["general"]["max"] = json!(5);
    spec["cluster"]["pools"]["big"] =
        json!({ "max": 3, "cpu_milli": 16000, "memory_mib": 65536, "provision_s": { "constant": 90.0 } });
    spec["cluster"]["autoscaler"] = json!({});
    spec
}

const BIG: PoolId = PoolId(0);
const GENERAL: PoolId = PoolId(1);

fn provisioning(rig: &Rig) -> [u32; 2] {
    [BIG, GENERAL].map(|pool| rig.cluster.pool_counts(pool).provisioning)
}

#[test]
fn the_pool_that_wastes_least_gets_the_nodes_once() {
    let mut rig = Rig::new(&two_pools(1, 3000));
    rig.run_until(5.0);
    rig.scale(4);
    rig.run_until(9.0);
    assert_eq!(provisioning(&rig), [0, 0], "it looks every ten seconds");
    rig.run_until(40.0);
    // Three pods of 3 CPU: three nodes of 4 waste 3 of 12, one of 16 wastes 7.
    assert_eq!(provisioning(&rig), [0, 3], "and counts on those on their way");
    rig.run_until(70.0);
    assert_eq!((provisioning(&rig), rig.counts()), ([0, 0], [4, 0, 3, 1, 0]));
    assert_eq!(rig.marks_of("node-added").len(), 3);
    rig.run_until(80.0);
    assert_eq!(rig.counts(), [4, 0, 0, 4, 0]);
}

#[test]
fn a_pool_never_grows_beyond_its_greatest_size_and_the_next_takes_over() {
    let mut rig = Rig::new(&two_pools(1, 3000));
    rig.run_until(1.0);
    rig.scale(20);
    // 19 wait. general may have 4 more (waste 1/4); big 3 of 5 pods each (waste 1/16).
    assert_eq!(provisioning(&rig), [0, 0]);
    rig.run_until(10.0);
    assert_eq!(provisioning(&rig), [3, 0]);
    rig.run_until(20.0);
    assert_eq!(provisioning(&rig), [3, 4], "four pods are left for it");
    rig.run_until(200.0);
    assert_eq!(rig.counts(), [20, 0, 0, 20, 0]);
    rig.scale(25);
    rig.run_until(250.0);
    assert_eq!((provisioning(&rig), rig.counts()), ([0, 0], [25, 5, 0, 20, 0]), "all are as large as they may be");
}

#[test]
fn a_pod_larger_than_any_node_orders_none() {
    let mut rig = Rig::new(&two_pools(0, 17_000));
    rig.scale(1);
    rig.run_until(100.0);
    assert_eq!((provisioning(&rig), rig.counts()), ([0, 0], [1, 1, 0, 0, 0]));
}

/// The example of first fit decreasing: 3, 3, 2 and 2 CPU on nodes of 5 need two, in the order 2, 3, 2, 3 they would need three.
#[test]
fn large_pods_are_packed_first() {
    let mut spec = two_pools(0, 2000);
    spec["cluster"]["pools"] = json!({ "general": { "max": 9, "cpu_milli": 5000, "memory_mib": 65536 } });
    let mut large = spec["services"]["web"].clone();
    large["pod"]["cpu_request_milli"] = json!(3000);
    spec["services"]["zlarge"] = large;
    let mut rig = Rig::new(&spec);
    rig.run_until(1.0);
    rig.scale(2);
    rig.act(|cluster, queue| cluster.scale(ServiceId(1), 2, queue));
    rig.run_until(10.0);
    assert_eq!(rig.cluster.pool_counts(PoolId(0)).provisioning, 2);
}

/// Three nodes of 4 CPU with a pod of 1 CPU each, 60 s until a node goes.
fn three(replicas: u32, min: u32, unneeded_below: f64) -> Rig {
    let mut spec = on_nodes(replicas, 3);
    spec["cluster"]["pools"]["general"]["min"] = json!(min);
    spec["cluster"]["autoscaler"] = json!({ "unneeded_s": 60.0, "unneeded_below": unneeded_below });
    Rig::new(&spec)
}

fn removals(rig: &Rig) -> Vec<(f64, &str)> {
    rig.marks_of("node-removed")
}

#[test]
fn nodes_that_nobody_needs_go_after_a_while_empty_ones_together() {
    let mut rig = three(1, 0, 0.5);
    rig.run_until(59.0);
    assert_eq!(removals(&rig), []);
    rig.run_until(500.0);
    assert_eq!(removals(&rig), [(60.0, "pool general: 2 nodes removed")]);
    assert_eq!((rig.nodes(), rig.counts()), (vec![Some(0)], [1, 0, 0, 1, 0]));
    let mut kept = three(1, 2, 0.5);
    kept.run_until(500.0);
    assert_eq!(removals(&kept), [(60.0, "pool general: 1 node removed")], "never below the least size");
}

#[test]
fn pods_of_a_node_that_goes_move_first() {
    let mut rig = three(3, 0, 0.5);
    rig.run_until(60.0);
    // The first node's pod fits beside the second's, whose node is needed then; the third has to wait for its turn.
    assert_eq!((rig.moments(Change::Left), rig.counts()), (vec![60.0], [3, 0, 1, 2, 1]));
    assert!(!rig.nodes().contains(&Some(0)));
    rig.run_until(65.0);
    assert_eq!(removals(&rig), [(65.0, "pool general: 1 node removed")]);
    // One at a time: at 70 it is the third one's turn, whose pod joins two others; three quarters are too many to go.
    rig.run_until(1_000.0);
    assert_eq!(removals(&rig)[1..], [(75.0, "pool general: 1 node removed")]);
    assert_eq!(rig.counts(), [3, 0, 0, 3, 0]);
    let left = rig.cluster.pool_counts(PoolId(0));
    assert_eq!((left.ready, left.cpu_requested), (1, 0.75));
}

#[test]
fn a_node_that_is_needed_again_begins_anew_and_additions_defer_removals() {
    let mut rig = three(1, 0, 0.5);
    rig.run_until(45.0);
    rig.scale(9);
    rig.run_until(55.0);
    rig.scale(1);
    rig.run_until(129.0);
    assert_eq!(removals(&rig), []);
    rig.run_until(130.0);
    assert_eq!(removals(&rig).len(), 1, "from the look at 70 on: at 60 the deleted pods were still there");
    let mut spec = on_nodes(1, 1);
    spec["cluster"]["pools"]["general"]["max"] = json!(4);
    spec["cluster"]["autoscaler"] = json!({ "unneeded_s": 60.0, "delay_after_add_s": 300.0 });
    let mut grown = Rig::new(&spec);
    grown.run_until(5.0);
    grown.scale(8);
    grown.run_until(100.0);
    assert_eq!(grown.counts(), [8, 0, 0, 8, 0]);
    grown.scale(1);
    grown.run_until(369.0);
    assert_eq!(removals(&grown), [], "added at 70");
    grown.run_until(370.0);
    assert_eq!(removals(&grown).len(), 1);
}

#[test]
fn nodes_with_recorded_pods_stay() {
    let mut spec = on_nodes(0, 2);
    spec["cluster"]["autoscaler"] = json!({ "unneeded_s": 60.0 });
    spec["workloads"] = json!({ "batch": { "trace": "pods" } });
    let pod = ListedPod { created: Timestamp::ZERO, lifetime: None, cpu_milli: 100, memory_mib: 1, gpus: 0 };
    let inputs = Inputs { pods: [("pods".to_owned(), vec![pod].into())].into(), ..Inputs::default() };
    let mut rig = Rig::with_inputs(&spec, &inputs);
    rig.run_until(500.0);
    assert_eq!(removals(&rig), [(60.0, "pool general: 1 node removed")]);
    assert_eq!(rig.cluster.pool_counts(PoolId(0)).ready, 1);
}
