//! From the node to the endpoints, and back out.

use super::*;

#[test]
fn pods_of_the_first_moment_have_been_ready_for_a_day() {
    let mut rig = Rig::new(&on_nodes(3, 2));
    assert_eq!(rig.counts(), [3, 0, 0, 3, 0]);
    assert_eq!((rig.moments(Change::Started), rig.moments(Change::Ready)), (vec![0.0; 3], vec![0.0; 3]));
    let a_day_ago = Timestamp::from_secs(-86_400);
    for (_, pod) in rig.cluster.pods_of(WEB) {
        assert_eq!((pod.created_at, pod.started_at, pod.ready.unwrap().since), (a_day_ago, Some(a_day_ago), a_day_ago));
    }
    let mut seen = vec![Span::ZERO];
    rig.cluster.take_start_ups(WEB, &mut seen);
    assert_eq!(seen, [], "nobody saw them start");
    assert_eq!(rig.cluster.churn_of(WEB), Churn::default());
}

/// Two nodes; the first has the image of its one pod. 500 MiB take 5 s, the program answers after 20 s, and probes come every 15 s.
#[test]
fn a_start_is_image_then_program_then_probe() {
    let mut spec = on_nodes(1, 2);
    spec["cluster"]["pools"]["general"]["pull_mib_per_s"] = json!(100.0);
    spec["services"]["web"]["pod"]["image_mib"] = json!(500.0);
    spec["services"]["web"]["start"] = json!({ "start_s": { "constant": 20.0 }, "probe_period_s": 15.0 });
    let mut rig = Rig::new(&spec);
    rig.run_until(100.0);
    rig.scale(4);
    assert_eq!(rig.nodes(), [Some(0), Some(1), Some(0), Some(1)], "the emptier node; of equal ones the first");
    assert_eq!(rig.moments(Change::Started), [0.0, 100.0]);
    rig.run_until(200.0);
    assert_eq!(rig.moments(Change::Started), [0.0, 100.0, 105.0, 105.0], "both wait for the one pull");
    assert_eq!(rig.moments(Change::Ready), [0.0, 130.0, 135.0, 135.0]);
    let mut seen = Vec::new();
    rig.cluster.take_start_ups(WEB, &mut seen);
    assert_eq!(seen, [30, 35, 35].map(Span::from_secs));
    // A new revision is another image.
    rig.act(|cluster, queue| cluster.rollout(WEB, queue));
    rig.run_until(204.0);
    assert_eq!(rig.moments(Change::Started).len(), 4);
    rig.run_until(300.0);
    assert_eq!(rig.moments(Change::Started)[4], 205.0);
}

#[test]
fn a_node_pulls_one_image_after_the_other() {
    let mut spec = on_nodes(0, 1);
    spec["cluster"]["pools"]["general"]["pull_mib_per_s"] = json!(100.0);
    spec["services"]["web"]["pod"]["image_mib"] = json!(300.0);
    let mut other = spec["services"]["web"].clone();
    other["pod"]["image_mib"] = json!(500.0);
    spec["services"]["api"] = other;
    let mut rig = Rig::new(&spec);
    // By name: api is the first, web the second.
    rig.act(|cluster, queue| cluster.scale(ServiceId(0), 1, queue));
    rig.act(|cluster, queue| cluster.scale(ServiceId(1), 1, queue));
    rig.run_until(100.0);
    assert_eq!(rig.moments(Change::Started), [5.0, 8.0]);
}

#[test]
fn a_deleted_pod_ends_after_its_hook_and_its_last_request_or_with_its_grace() {
    let mut rig = Rig::new(&scenario(4));
    rig.drains = false;
    rig.scale(1);
    let left: Vec<PodId> =
        rig.log.iter().filter(|(_, _, what)| *what == Change::Left).map(|(_, pod, _)| *pod).collect();
    assert_eq!((rig.counts(), left.len()), ([1, 0, 0, 1, 3], 3));
    rig.run_until(2.0);
    rig.act(|cluster, queue| cluster.pod_drained(left[0], queue));
    rig.run_until(12.0);
    assert_eq!(rig.moments(Change::Stopped), [5.0], "the hook of the empty one");
    rig.act(|cluster, queue| cluster.pod_drained(left[1], queue));
    assert_eq!(rig.moments(Change::Stopped), [5.0, 12.0]);
    rig.act(|cluster, queue| cluster.pod_drained(left[1], queue));
    rig.run_until(100.0);
    assert_eq!(rig.moments(Change::Stopped), [5.0, 12.0, 30.0]);
    assert_eq!(rig.counts(), [1, 0, 0, 1, 0]);
}

#[test]
fn pod_seconds_are_exact_and_an_unfinished_start_is_owed() {
    let mut rig = Rig::new(&scenario(2));
    rig.run_until(100.0);
    rig.scale(3);
    rig.run_until(104.0);
    let at = |seconds: f64| Timestamp::ZERO + Span::from_secs_f64(seconds);
    assert_eq!(rig.cluster.unfinished_start_s(WEB, at(104.0)), 6.0);
    rig.run_until(120.0);
    rig.scale(1);
    rig.run_until(200.0);
    // Two for 120 s, the third ready from 110 to 120, one of them to 200; two terminate for 5 s each.
    let seconds = rig.cluster.pod_seconds_of(WEB, at(200.0));
    let expected = PodSeconds { pending_s: 0.0, starting_s: 10.0, ready_s: 240.0 + 10.0 + 80.0, terminating_s: 10.0 };
    assert_eq!(seconds, expected);
    assert_eq!(rig.cluster.churn_of(WEB), Churn { created: 1, deleted: 2 });
    assert_eq!(rig.cluster.unfinished_start_s(WEB, at(200.0)), 0.0);
}

/// kubelet's back-off: prompt, 10 s, 20 s, …, 300 s; forgotten after more than ten minutes.
#[test]
fn a_container_that_ends_again_and_again_waits_longer_and_longer() {
    let mut rig = Rig::new(&scenario(1));
    let pod = rig.pods()[0];
    let kill_at = |rig: &mut Rig, seconds: f64| {
        rig.run_until(seconds);
        rig.act(|cluster, queue| cluster.pod_out_of_memory(pod, queue));
    };
    kill_at(&mut rig, 100.0);
    assert_eq!(rig.moments(Change::Started), [0.0, 100.0], "the first time at once");
    let mut expected = vec![0.0, 100.0];
    for (wait, killed) in [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
        .into_iter()
        .zip([101.0, 200.0, 300.0, 400.0, 500.0, 700.0, 1_100.0])
    {
        kill_at(&mut rig, killed);
        assert_eq!(rig.counts(), [1, 0, 1, 0, 0]);
        rig.run_until(killed + wait);
        expected.push(killed + wait);
        assert_eq!(rig.moments(Change::Started), expected);
    }
    assert_eq!(rig.cluster.restarts_of(pod), 8);
    // It runs since 1,400; at 2,000 the back-off still counts, later it does not.
    let mut kept = rig.clone();
    kill_at(&mut kept, 2_000.0);
    assert_eq!(kept.moments(Change::Started).last(), Some(&1_400.0));
    kill_at(&mut rig, 2_000.5);
    assert_eq!(rig.moments(Change::Started).last(), Some(&2_000.5));
    assert_eq!(rig.marks_of("oom").len(), 9);
    let one = rig.pods().len();
    assert_eq!((one, rig.cluster.churn_of(WEB)), (1, Churn::default()), "it is the same pod");
}

#[test]
fn a_container_that_is_killed_while_its_pod_terminates_does_not_come_back() {
    let mut rig = Rig::new(&scenario(1));
    rig.drains = false;
    let pod = rig.pods()[0];
    rig.scale(0);
    rig.act(|cluster, queue| cluster.pod_out_of_memory(pod, queue));
    assert_eq!((rig.counts(), rig.moments(Change::Stopped)), ([0; 5], vec![0.0]));
    rig.act(|cluster, queue| cluster.pod_out_of_memory(pod, queue));
    rig.act(|cluster, queue| cluster.pod_drained(pod, queue));
    rig.run_until(100.0);
    assert_eq!(rig.moments(Change::Stopped).len(), 1, "news of a pod that is gone");
}

#[test]
fn killed_pods_are_ready_ones_and_start_again() {
    let mut rig = Rig::new(&scenario(5));
    rig.scale(6);
    rig.act(|cluster, queue| cluster.kill_pods(WEB, 2, queue));
    assert_eq!(rig.counts(), [6, 0, 3, 3, 0]);
    let killed = |rig: &Rig| {
        rig.log.iter().filter(|(_, _, what)| *what == Change::Stopped).map(|(_, pod, _)| *pod).collect::<Vec<_>>()
    };
    assert_eq!(killed(&rig).len(), 2);
    rig.run_until(10.0);
    assert_eq!(rig.counts(), [6, 0, 0, 6, 0]);
    rig.act(|cluster, queue| cluster.kill_pods(WEB, 100, queue));
    assert_eq!(rig.counts(), [6, 0, 6, 0, 0], "as many as there are");
    assert_eq!(killed(&rig).len(), 8);
}

#[test]
fn a_slow_service_is_slow_for_pods_that_come_later_too() {
    let mut rig = Rig::new(&scenario(1));
    rig.cluster.slow(WEB, 0.5);
    rig.follow();
    rig.scale(2);
    assert_eq!(rig.moments(Change::Speed(0.5)), [0.0, 0.0]);
    rig.cluster.slow(WEB, 1.0);
    rig.follow();
    assert_eq!(rig.moments(Change::Speed(1.0)).len(), 2);
}

/// Two fillers that take a fifth each; and a node of speed 0.5.
#[test]
fn neighbours_slow_a_pod_while_they_run() {
    let mut spec = on_nodes(1, 1);
    spec["cluster"]["pools"]["general"]["speed"] = json!({ "constant": 0.5 });
    spec["workloads"] = json!({ "noise": {
        "replicas": 2, "cpu_request_milli": 1000, "slows_neighbours": 0.2, "from_s": 100.0, "until_s": 200.0,
    } });
    let mut rig = Rig::new(&spec);
    rig.run_until(300.0);
    let speeds: Vec<(f64, f64)> = rig
        .log
        .iter()
        .filter_map(|(at, _, what)| if let Change::Speed(speed) = what { Some((*at, *speed)) } else { None })
        .collect();
    assert_eq!(speeds, [(0.0, 0.5), (100.0, 0.5 * 0.8), (100.0, 0.5 * 0.8 * 0.8), (200.0, 0.5 * 0.8), (200.0, 0.5)]);
}
