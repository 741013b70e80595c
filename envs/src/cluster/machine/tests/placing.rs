//! The scheduler's queue, quotas, and pods that only take room.

use std::sync::Arc;

use super::*;

#[test]
fn a_pod_without_room_waits_says_why_once_and_takes_the_first_room() {
    let mut rig = Rig::new(&on_nodes(4, 1));
    rig.scale(6);
    assert_eq!(rig.counts(), [6, 2, 0, 4, 0]);
    let reason = "0/1 nodes are available: 1 Insufficient cpu.";
    assert_eq!(rig.cluster.pending_reason(WEB).as_deref(), Some(reason));
    rig.scale(7);
    assert_eq!(rig.marks_of("unschedulable"), [(0.0, format!("web: {reason}").as_str())]);
    let pending = rig.cluster.pods_of(WEB).find(|(_, pod)| pod.started_at.is_none()).unwrap().1;
    assert_eq!(pending.ready, None);
    // The waiting pods go first, then running ones, whose room comes free with their end.
    rig.scale(3);
    assert_eq!(rig.counts(), [3, 0, 0, 3, 1]);
    rig.scale(4);
    assert_eq!(rig.counts(), [4, 1, 0, 3, 1]);
    rig.run_until(5.0);
    assert_eq!(rig.counts(), [4, 0, 1, 3, 0]);
    assert_eq!(rig.marks_of("unschedulable").len(), 2, "all had a node meanwhile");
}

#[test]
fn a_small_pod_overtakes_a_large_one_that_finds_no_node() {
    let mut spec = on_nodes(0, 1);
    let mut large = spec["services"]["web"].clone();
    large["pod"]["cpu_request_milli"] = json!(5000);
    spec["services"]["large"] = large;
    let mut rig = Rig::new(&spec);
    let (large, web) = (ServiceId(0), ServiceId(1));
    rig.act(|cluster, queue| cluster.scale(large, 1, queue));
    rig.act(|cluster, queue| cluster.scale(web, 1, queue));
    assert_eq!((rig.cluster.counts_of(large).pending, rig.cluster.counts_of(web).starting), (1, 1));
}

#[test]
fn the_scheduler_takes_its_time() {
    let mut spec = on_nodes(0, 1);
    spec["cluster"]["scheduler"] = json!({ "latency_s": 2.0 });
    let mut rig = Rig::new(&spec);
    rig.scale(2);
    rig.run_until(1.0);
    assert_eq!(rig.counts(), [2, 2, 0, 0, 0]);
    rig.scale(1);
    rig.run_until(50.0);
    assert_eq!((rig.moments(Change::Started), rig.moments(Change::Ready)), (vec![2.0], vec![12.0]));
}

#[test]
fn packing_fills_a_node_before_the_next() {
    let mut spec = on_nodes(3, 2);
    spec["cluster"]["scheduler"] = json!({ "strategy": "most-allocated", "balanced": false });
    assert_eq!(Rig::new(&spec).nodes(), [Some(0); 3]);
}

#[test]
fn what_does_not_fit_at_the_first_moment_is_pending() {
    let rig = Rig::new(&on_nodes(5, 1));
    assert_eq!(rig.counts(), [5, 1, 0, 4, 0]);
    assert_eq!(rig.marks_of("unschedulable").len(), 1);
    let created = rig.cluster.pods_of(WEB).find(|(_, pod)| pod.started_at.is_none()).unwrap().1.created_at;
    assert_eq!(created, Timestamp::ZERO);
}

/// A node holds four of these pods; then the quota holds three.
#[test]
fn the_pods_of_the_first_moment_that_find_no_room_are_told_with_the_reason() {
    let mut spec = on_nodes(5, 1);
    spec["cluster"]["quota"] = json!({ "pods": 6 });
    let mut other = spec["services"]["web"].clone();
    other["replicas"] = json!(2);
    spec["services"]["zapi"] = other;
    let rig = Rig::new(&spec);
    let said = |short: Shortage| (short.name, short.wanted, short.placed, short.reason);
    let all: Vec<_> = rig.cluster.shortages().into_iter().map(said).collect();
    let (full, quota) = ("0/1 nodes are available: 1 Insufficient cpu.", "the quota has no room for another pod");
    let expected = [("web", 5, 4, full), ("zapi", 2, 0, full)]
        .map(|(name, wanted, placed, reason)| (name.to_owned(), wanted, placed, reason.to_owned()));
    assert_eq!(all, expected);
    spec["cluster"]["quota"] = json!({ "pods": 3 });
    let all: Vec<_> = Rig::new(&spec).cluster.shortages().into_iter().map(said).collect();
    assert_eq!(all[0], ("web".to_owned(), 5, 3, quota.to_owned()));
    assert_eq!(all[1], ("zapi".to_owned(), 2, 0, quota.to_owned()));
    assert_eq!(Rig::new(&on_nodes(4, 1)).cluster.shortages(), []);
}

#[test]
fn a_quota_refuses_pods_until_something_ends() {
    let mut spec = on_nodes(2, 4);
    spec["cluster"]["quota"] = json!({ "pods": 3 });
    let mut api = spec["services"]["web"].clone();
    api["replicas"] = json!(0);
    spec["services"]["zapi"] = api;
    let mut rig = Rig::new(&spec);
    rig.act(|cluster, queue| cluster.scale(ServiceId(1), 3, queue));
    assert_eq!(
        rig.cluster.counts_of(ServiceId(1)),
        ServiceCounts { desired: 3, starting: 1, ..ServiceCounts::default() }
    );
    assert_eq!(rig.marks_of("quota"), [(0.0, "zapi: the quota has no room for another pod")]);
    rig.run_until(20.0);
    rig.scale(1);
    assert_eq!(rig.cluster.counts_of(ServiceId(1)).replicas(), 1, "a terminating pod still counts");
    rig.run_until(25.0);
    assert_eq!(rig.cluster.counts_of(ServiceId(1)).replicas(), 2);
    assert_eq!(rig.marks_of("quota").len(), 1, "the third is still refused");
    rig.act(|cluster, queue| cluster.scale(ServiceId(1), 2, queue));
    rig.act(|cluster, queue| cluster.scale(ServiceId(1), 3, queue));
    assert_eq!(rig.marks_of("quota").len(), 2, "and here anew");
}

fn listed(created_s: i64, lifetime_s: Option<i64>) -> ListedPod {
    let (created, lifetime) = (Timestamp::from_secs(created_s), lifetime_s.map(Span::from_secs));
    ListedPod { created, lifetime, cpu_milli: 3000, memory_mib: 1024, gpus: 1 }
}

/// One node with one GPU: one recorded pod at a time, each for its 100 s.
#[test]
fn recorded_pods_wait_for_room_and_live_their_lives() {
    let mut spec = on_nodes(1, 1);
    spec["cluster"]["pools"]["general"]["gpus"] = json!(1);
    spec["workloads"] = json!({ "batch": { "trace": "pods" } });
    let pods: Arc<[ListedPod]> = [listed(-5, Some(100)), listed(10, Some(100)), listed(250, None)].into();
    let inputs = Inputs { pods: [("pods".to_owned(), pods)].into(), ..Inputs::default() };
    let mut rig = Rig::with_inputs(&spec, &inputs);
    let running = |rig: &Rig| rig.cluster.nodes.as_ref().unwrap().placement.node(NodeId(0)).pods() - 1;
    let expected = [
        (0.0, 1, 0),
        (50.0, 1, 1),
        (100.0, 1, 0),
        (199.0, 1, 0),
        (200.0, 0, 0),
        (249.0, 0, 0),
        (250.0, 1, 0),
        (900.0, 1, 0),
    ];
    for (at, runs, waits) in expected {
        rig.run_until(at);
        let waiting = rig.cluster.pending.waiting().map(|(_, slots)| slots.count()).sum::<usize>();
        assert_eq!((running(&rig), waiting), (runs, waits), "at {at}");
    }
    assert!(rig.marks_of("unschedulable")[0].1.contains("1 Insufficient nvidia.com/gpu"));
}

#[test]
fn recorded_pods_that_a_quota_refuses_come_later() {
    let mut spec = on_nodes(0, 4);
    spec["cluster"]["pools"]["general"]["gpus"] = json!(1);
    spec["cluster"]["quota"] = json!({ "cpu_milli": 3000 });
    spec["workloads"] = json!({ "batch": { "trace": "pods" } });
    let pods: Arc<[ListedPod]> = [listed(5, Some(10)), listed(6, Some(10)), listed(7, Some(10))].into();
    let inputs = Inputs { pods: [("pods".to_owned(), pods)].into(), ..Inputs::default() };
    let mut rig = Rig::with_inputs(&spec, &inputs);
    let used = |rig: &Rig| rig.cluster.quota.used.pods;
    for (at, pods) in [(5.0, 1), (7.0, 1), (15.0, 1), (25.0, 1), (34.0, 1), (35.0, 0)] {
        rig.run_until(at);
        assert_eq!(used(&rig), pods, "at {at}");
    }
}

#[test]
fn fillers_come_and_go_with_their_window() {
    let mut spec = on_nodes(1, 1);
    spec["workloads"] =
        json!({ "batch": { "replicas": 3, "cpu_request_milli": 1000, "from_s": 10.0, "until_s": 20.0 } });
    let mut rig = Rig::new(&spec);
    rig.run_until(15.0);
    rig.scale(2);
    assert_eq!(rig.counts(), [2, 1, 0, 1, 0]);
    assert_eq!(rig.cluster.pool_counts(PoolId(0)).cpu_requested, 1.0);
    rig.run_until(20.0);
    assert_eq!(rig.counts(), [2, 0, 1, 1, 0]);
    assert_eq!(rig.cluster.pool_counts(PoolId(0)).cpu_requested, 0.5);
}
