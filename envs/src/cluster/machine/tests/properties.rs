//! Random scenarios: the invariants hold after every event, rollouts keep to their bounds, and everything comes to rest.

use proptest::prelude::*;

use super::*;

/// What somebody does to the cluster.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Scale(u16, u32),
    Rollout(u16),
    OutOfMemory(u8),
    Lose(u32, Option<i64>),
    Kill(u16, u32),
    Slow(u16, bool),
}

fn deeds() -> impl Strategy<Value = Vec<(Deed, u32)>> {
    let deed = prop_oneof![
        4 => (0..2_u16, 0..15_u32).prop_map(|(service, replicas)| Deed::Scale(service, replicas)),
        2 => (0..2_u16).prop_map(Deed::Rollout),
        1 => (0..30_u8).prop_map(Deed::OutOfMemory),
        1 => (1..4_u32, proptest::option::of(1..500_i64)).prop_map(|(nodes, back)| Deed::Lose(nodes, back)),
        1 => (0..2_u16, 1..4_u32).prop_map(|(service, pods)| Deed::Kill(service, pods)),
        1 => (0..2_u16, proptest::bool::ANY).prop_map(|(service, on)| Deed::Slow(service, on)),
    ];
    proptest::collection::vec((deed, prop_oneof![Just(0), 1..30_u32, 1..400_u32]), 1..25)
}

/// Two services, a filler, two pools; all numbers small, so that room is scarce.
fn worlds() -> impl Strategy<Value = Value> {
    let services = (0..6_u32, 0..6_u32, 0..40_u32, prop_oneof![Just(0.0), Just(5.0)], 0..3_u32);
    let nodes = (proptest::bool::weighted(0.85), 0..5_u32, 0..4_u32, proptest::bool::ANY, proptest::bool::ANY);
    let rules = (proptest::option::of(3..14_u32), proptest::bool::ANY, prop_oneof![Just(0.0), Just(1.5)]);
    (services, nodes, rules).prop_map(|((web, api, start, min_ready, surge), nodes, (quota, noise, latency))| {
        let mut spec = scenario(web);
        spec["services"]["web"]["start"] =
            json!({ "start_s": { "uniform": { "low": 0.0, "high": start } }, "probe_period_s": 5.0 });
        spec["services"]["web"]["rollout"] = json!({ "min_ready_s": min_ready, "max_surge": surge, "max_unavailable": 1 });
        let mut other = spec["services"]["web"].clone();
        (other["replicas"], other["pod"]["cpu_request_milli"]) = (json!(api), json!(1500));
        other["pod"]["image_mib"] = json!(200.0);
        spec["services"]["zapi"] = other;
        let (has_nodes, small, large, scales, packs) = nodes;
        if has_nodes {
            let noise = if noise { 0.3 } else { 0.0 };
            spec["workloads"] = json!({
                "constant": { "replicas": 2, "cpu_request_milli": 700, "slows_neighbours": noise },
                "batch": { "replicas": 3, "cpu_request_milli": 900, "from_s": 20.0, "until_s": 300.0 },
            });
            spec["cluster"] = json!({
                "pools": {
                    "small": { "nodes": small, "max": small + 3, "cpu_milli": 4000, "memory_mib": 8192, "pull_mib_per_s": 50.0,
                        "provision_s": { "uniform": { "low": 10.0, "high": 90.0 } } },
                    "wide": { "nodes": large, "max": large, "cpu_milli": 9000, "memory_mib": 65536, "pods": 4 },
                },
                "scheduler": { "strategy": if packs { "most-allocated" } else { "least-allocated" }, "latency_s": latency },
                "quota": { "pods": quota },
                "lifecycle": { "grace_s": 20.0, "toleration_s": 60.0 },
            });
            if scales {
                spec["cluster"]["autoscaler"] = json!({ "unneeded_s": 50.0, "delay_after_add_s": 40.0 });
            }
        }
        spec
    })
}

fn act(rig: &mut Rig, deed: Deed) {
    match deed {
        Deed::Scale(service, replicas) => rig.act(|cluster, queue| cluster.scale(ServiceId(service), replicas, queue)),
        Deed::Rollout(service) => rig.act(|cluster, queue| cluster.rollout(ServiceId(service), queue)),
        Deed::OutOfMemory(nth) => {
            let pods: Vec<PodId> = rig.cluster.pods_of(WEB).map(|(id, _)| id).collect();
            if let Some(pod) = pods.get(usize::from(nth)).copied() {
                rig.act(|cluster, queue| cluster.pod_out_of_memory(pod, queue));
            }
        }
        Deed::Lose(nodes, back_s) => rig.lose(nodes, back_s),
        Deed::Kill(service, pods) => rig.act(|cluster, queue| cluster.kill_pods(ServiceId(service), pods, queue)),
        Deed::Slow(service, on) => {
            rig.cluster.slow(ServiceId(service), if on { 0.5 } else { 1.0 });
            rig.follow();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The rig checks all invariants and every change; here, that no pod is forgotten: whatever is not there either waits for
    /// room or was refused, and pod-seconds are the integral of the counts.
    #[test]
    fn invariants_hold_whatever_happens(spec in worlds(), deeds in deeds(), drains in proptest::bool::ANY) {
        let mut rig = Rig::new(&spec);
        rig.drains = drains;
        let mut now = 0.0;
        for (deed, seconds) in deeds {
            act(&mut rig, deed);
            now += f64::from(seconds);
            rig.run_until(now);
            for service in [ServiceId(0), ServiceId(1)] {
                let counts = rig.cluster.counts_of(service);
                let is_refused = rig.cluster.owners[service.index()].is_refused;
                prop_assert!(counts.replicas() >= counts.desired.min(1) || is_refused, "{:?}", counts);
            }
        }
        rig.run_until(now + 5_000.0);
        for service in [ServiceId(0), ServiceId(1)] {
            let counts = rig.cluster.counts_of(service);
            prop_assert_eq!(counts.terminating, 0);
            if spec["cluster"].is_null() {
                prop_assert_eq!((counts.ready, counts.replicas()), (counts.desired, counts.desired));
                prop_assert_eq!(rig.cluster.owners[service.index()].sets.len(), 1);
            }
        }
    }

    /// With pods that do not fail and room for all, a rollout never has more pods than replicas and surge, nor fewer available ones
    /// than replicas less unavailable.
    #[test]
    fn rollouts_keep_to_their_bounds(
        replicas in 1..25_u32, surge in 0..100_u32, unavailable in 0..100_u32, start in 0..30_u32, rollouts in 1..4_usize,
        gap in 0..60_u32,
    ) {
        let mut spec = scenario(replicas);
        spec["services"]["web"]["start"] = json!({ "start_s": { "uniform": { "low": 0.0, "high": start } } });
        spec["services"]["web"]["rollout"] =
            json!({ "max_surge": format!("{surge}%"), "max_unavailable": format!("{unavailable}%") });
        let mut rig = Rig::new(&spec);
        let most = replicas + (replicas * surge).div_ceil(100);
        let missing = replicas * unavailable / 100;
        let missing = if surge == 0 { missing.max(1) } else { missing };
        for _ in 0..rollouts {
            rig.act(|cluster, queue| cluster.rollout(WEB, queue));
            let until = rig.now() + f64::from(gap);
            while let Some(at) = rig.queue.peek_time().map(|at| at.since(Timestamp::ZERO).as_secs_f64()).filter(|at| *at <= until) {
                rig.run_until(at);
                let counts = rig.cluster.counts_of(WEB);
                prop_assert!(counts.replicas() <= most, "{counts:?}, at most {most}");
                prop_assert!(counts.ready + missing >= replicas, "{counts:?}, {missing} may be missing");
            }
            rig.run_until(until);
        }
        rig.run_until(100_000.0);
        prop_assert_eq!(rig.counts(), [replicas, 0, 0, replicas, 0]);
        let revision = rig.cluster.owners[0].newest_revision();
        prop_assert!(rig.cluster.pods.slots.iter().all(|pod| !pod.stage.is_active() || pod.revision == revision));
    }
}
