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

#[test]
fn news_of_an_earlier_pod_do_not_concern_the_one_in_its_slot() {
    let mut rig = Rig::new(&scenario(1));
    let first = rig.pods()[0];
    rig.scale(0);
    rig.run_until(6.0);
    rig.scale(1);
    let second = rig.pods()[0];
    assert_eq!((second.slot, second.generation), (first.slot, first.generation + 1));
    rig.run_until(20.0);
    rig.act(|cluster, queue| cluster.pod_out_of_memory(first, queue));
    rig.act(|cluster, queue| cluster.pod_drained(first, queue));
    // The grace of the first ends at 30.
    rig.run_until(100.0);
    assert_eq!((rig.counts(), rig.moments(Change::Stopped)), ([1, 0, 0, 1, 0], vec![5.0]));
    assert_eq!((rig.cluster.node_of(first), rig.cluster.restarts_of(first)), (None, 0));
}

/// 5 s of pull, 10 s of start; a second pod finds no node.
#[test]
fn a_start_owes_all_that_is_known_of_it() {
    let mut spec = on_nodes(0, 1);
    spec["cluster"]["pools"]["general"]["pull_mib_per_s"] = json!(100.0);
    spec["cluster"]["pools"]["general"]["pods"] = json!(1);
    spec["services"]["web"]["pod"]["image_mib"] = json!(500.0);
    let mut rig = Rig::new(&spec);
    rig.scale(1);
    for (at, owed) in [(0.0, 15.0), (2.0, 13.0), (5.0, 10.0), (8.0, 7.0), (15.0, 0.0)] {
        rig.run_until(at);
        assert_eq!(rig.cluster.unfinished_start_s(WEB, rig.queue.now()), owed, "at {at}");
    }
    rig.scale(2);
    assert_eq!(rig.counts(), [2, 1, 0, 1, 0]);
    assert!(rig.cluster.pending_reason(WEB).unwrap().contains("Too many pods"));
    assert_eq!(rig.cluster.unfinished_start_s(WEB, rig.queue.now()), 10.0);
}

#[test]
fn a_pod_is_seen_as_its_status_would_have_it() {
    use seatrial_core::observe::{PodPhase, ReadyStatus};
    let mut spec = on_nodes(0, 1);
    spec["cluster"]["pools"]["general"]["pull_mib_per_s"] = json!(100.0);
    spec["services"]["web"]["pod"]["image_mib"] = json!(500.0);
    let mut rig = Rig::new(&spec);
    rig.run_until(100.0);
    rig.scale(1);
    let expected = [
        (100.0, PodPhase::Pending, ReadyStatus::False, 100),
        (105.0, PodPhase::Running, ReadyStatus::False, 100),
        (115.0, PodPhase::Running, ReadyStatus::True, 115),
    ];
    for (at, phase, status, since) in expected {
        rig.run_until(at);
        let pod = rig.cluster.pods_of(WEB).next().unwrap().1;
        let ready = pod.ready.unwrap();
        assert_eq!((pod.phase, ready.status, ready.since), (phase, status, Timestamp::from_secs(since)), "at {at}");
        assert_eq!((pod.created_at, pod.started_at), (Timestamp::from_secs(100), Some(Timestamp::from_secs(100))));
        assert_eq!((pod.cpu_request_milli, pod.deleted), (Some(1000), false));
    }
    rig.scale(0);
    let pod = rig.cluster.pods_of(WEB).next().unwrap().1;
    assert_eq!((pod.deleted, pod.ready.unwrap().status), (true, ReadyStatus::False));
}

/// Both kernels meet the same luck: the fluid one rounds to half a second here.
#[test]
fn a_lone_service_draws_its_start_ups_as_the_fluid_kernel_does() {
    let world = crate::fluid::world::World::new(&crate::scenario::Scenario::protocol_p1());
    let mut spec = scenario(2);
    spec["services"]["web"]["start"] = json!({ "start_s": { "lognormal": { "median": 60.0, "sigma": 0.2 } } });
    let mut rig = Rig::new(&spec);
    rig.scale(52);
    for (ordinal, pod) in (0..).zip(&rig.pods()[2..]) {
        let due = rig.cluster.pods.get(pod.slot).due.since(Timestamp::ZERO);
        let off_us = (due - world.start_up(7, ordinal)).micros().abs();
        assert!(off_us <= 500_000, "ordinal {ordinal} is off by {off_us} us");
    }
}
