//! Random scenarios: call graphs, retries, faults, rollouts and pools; every run conserves its requests and keeps its invariants.

use proptest::prelude::*;

use super::*;

fn service(index: usize) -> impl Strategy<Value = Value> {
    let numbers = (1_u32..5, prop::option::of(1_u32..6), 1_u32..4, 5_u32..60);
    let balancing = prop::sample::select(vec!["shared", "round-robin", "random", "least-request", "power-of-two"]);
    let flags = (any::<bool>(), any::<bool>(), prop::option::of(2_u32..30), any::<bool>());
    let calls = prop::collection::vec((0_usize..4, 0_u32..2, any::<bool>(), prop::option::of(1_u32..4)), 0..3);
    (numbers, balancing, flags, calls, prop::option::of(5_u32..50)).prop_map(
        move |((replicas, concurrency, cores, mean_ms), balancing, flags, calls, rollout)| {
            let (drops_expired, holds_worker, queue_limit, scaled) = flags;
            // Calls lead to later services only: no cycle.
            let calls: Vec<Value> = calls
                .into_iter()
                .filter(|(to, ..)| *to > index)
                .map(|(to, stage, optional, attempts)| {
                    let mut call =
                        json!({ "to": format!("s{to}"), "stage": stage, "optional": optional, "timeout_s": 0.7 });
                    if let Some(attempts) = attempts {
                        call["retries"] = json!({ "attempts": attempts, "budget_ratio": 0.5 });
                    }
                    call
                })
                .collect();
            let mut service = json!({
                "replicas": replicas, "cores": f64::from(cores), "balancing": balancing,
                "service_time_s": { "exponential": { "mean": f64::from(mean_ms) / 1e3 } },
                "drops_expired": drops_expired, "holds_worker": holds_worker, "calls": calls,
                "start": { "start_s": { "uniform": { "low": 2.0, "high": 9.0 } }, "probe_period_s": 2.0 },
                "termination": { "pre_stop_s": 1.0, "grace_s": 6.0 },
                "pod": { "cpu_request_milli": 1_000, "memory_per_request_mib": 30.0, "image_mib": 200.0 },
            });
            if let Some(concurrency) = concurrency {
                service["concurrency"] = json!(concurrency);
            }
            if let Some(limit) = queue_limit {
                service["queue_limit"] = json!(limit);
            }
            if let Some(at_s) = rollout {
                service["rollout"] = json!({ "at_s": [at_s] });
            }
            if scaled {
                let strategy = json!({ "policy": { "id": "hpa" } });
                service["autoscaling"] = json!({ "min": 0, "max": 7, "strategy": strategy, "decision_s": 5.0 });
            }
            service
        },
    )
}

fn fault() -> impl Strategy<Value = Value> {
    (0_u32..4, 0_u32..4, 1_u32..70, 1_u32..30).prop_map(|(kind, service, at_s, for_s)| match kind {
        0 => json!({ "kind": "node-loss", "pool": "a", "nodes": 1, "at_s": at_s, "for_s": for_s }),
        1 => json!({ "kind": "metrics-outage", "at_s": at_s, "for_s": for_s }),
        2 => json!({ "kind": "pod-kill", "service": format!("s{service}"), "pods": 2, "at_s": at_s }),
        _ => {
            json!({ "kind": "slowdown", "service": format!("s{service}"), "speed": 0.3, "at_s": at_s, "for_s": for_s })
        }
    })
}

prop_compose! {
    fn any_scenario()(
        services in (service(0), service(1), service(2), service(3)),
        faults in prop::collection::vec(fault(), 0..4),
        (nodes, attempts, budget, timeout_s) in
            (prop::option::of(1_u32..6), 1_u32..4, prop::option::of(0.0..1.0), prop::option::of(0.2_f64..3.0)),
        (rate, other_rate, seed, jitter) in (1.0..120.0_f64, 0.0..40.0_f64, 0_u64..1_000, 0.0..1.0_f64),
    ) -> (ScenarioSpec, Inputs) {
        let (s0, s1, s2, s3) = services;
        let source = json!({ "constant": { "rate_per_s": 0.0 } });
        let mut retries = json!({ "attempts": attempts });
        if let Some(ratio) = budget {
            retries["budget_ratio"] = json!(ratio);
        }
        let mut tables = json!({
            "services": { "s0": s0, "s1": s1, "s2": s2, "s3": s3 }, "duration_s": 80.0, "warm_up_s": 7.0, "seed": seed,
            "traffic": [{ "service": "s0", "source": source }, { "service": "s2", "source": source }],
            "client": { "timeout_s": timeout_s, "retries": retries }, "metrics": { "jitter": jitter },
        });
        let on_nodes = |fault: &Value| nodes.is_some() || fault["kind"] != "node-loss";
        // No more pods can be killed than there can be.
        let kills = |fault: &Value| {
            let service = &tables["services"][fault["service"].as_str().unwrap_or_default()];
            fault["kind"] != "pod-kill" || service["replicas"].as_u64() > Some(1) || service["autoscaling"].is_object()
        };
        let faults: Value = faults.into_iter().filter(on_nodes).filter(kills).collect();
        tables["faults"] = faults;
        if let Some(nodes) = nodes {
            let pool = json!({
                "nodes": nodes, "cpu_milli": 4_000, "memory_mib": 8_192, "max": nodes + 2,
                "provision_s": { "constant": 20.0 }, "pull_mib_per_s": 100.0,
            });
            let lifecycle = json!({ "grace_s": 5.0, "toleration_s": 10.0, "small_zone_nodes": 0 });
            tables["cluster"] = json!({ "pools": { "a": pool }, "autoscaler": {}, "lifecycle": lifecycle });
        }
        scenario(&tables, &[rate, other_rate])
    }
}

type Case = (ScenarioSpec, Inputs);

/// Runs a world in stretches: its books balance after each, nothing is where it must not be, and what it leaves adds up.
fn keep_books(case: &Case) -> Result<Outcome, TestCaseError> {
    let (spec, inputs) = case;
    let mut simulation = World::simulation(spec, inputs, &everything()).unwrap();
    for second in (10..=80).step_by(10) {
        simulation.run_until(Timestamp::from_secs(second)).unwrap();
        prop_assert_eq!(simulation.model.cluster.check(), Ok(()));
        prop_assert_eq!(simulation.model.serving.conservation(), Ok(()));
    }
    // Of the whole run: after the warm-up a request may fail that was judged bad before.
    let clients = simulation.model.serving.client_totals();
    prop_assert!(clients.failed <= clients.bad && clients.bad <= clients.offered, "{clients:?}");
    let outcome = World::outcome(simulation).unwrap();
    prop_assert!(outcome.conservation.holds(), "{:?}", outcome.conservation);
    let terms = outcome.total;
    let finite = [terms.ready_s, terms.starting_s, terms.terminating_s, terms.left_over, terms.changes];
    prop_assert!(finite.iter().all(|term| term.is_finite() && *term >= 0.0), "{terms:?}");
    // Pods of all services make up the application's.
    let pods: f64 = outcome.services.iter().map(|service| service.total.pod_seconds()).sum();
    prop_assert!((pods - terms.pod_seconds()).abs() < 1e-6 * (1.0 + pods), "{pods} {terms:?}");
    Ok(outcome)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_world_conserves_its_requests_and_repeats(case in any_scenario()) {
        let outcome = keep_books(&case)?;
        prop_assert_eq!(run(&case, &everything()), outcome);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    #[ignore = "long: minutes in the release profile; cargo test --release -p seatrial-envs -- --ignored thousands_of_worlds"]
    fn thousands_of_worlds_conserve_their_requests(case in any_scenario()) {
        keep_books(&case)?;
    }
}
