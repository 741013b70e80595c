//! Out of a scenario: what is refused, what stands in it.

use super::*;
use crate::spec::ListedNode;

fn refused(spec: Value) -> String {
    let spec: ScenarioSpec = serde_json::from_value(spec).unwrap();
    Cluster::new(&spec, &Inputs::default(), Timestamp::ZERO, 1).unwrap_err().to_string()
}

#[test]
fn traces_that_were_not_read_are_named() {
    let sampled = json!({ "sampled": { "trace": "lambda" } });
    let mut spec = scenario(1);
    spec["services"]["web"]["start"]["start_s"] = sampled.clone();
    assert!(refused(spec).contains("`services.web.start.start_s` names the trace \"lambda\""));
    for key in ["provision_s", "speed"] {
        let mut spec = on_nodes(1, 1);
        spec["cluster"]["pools"]["general"][key] = sampled.clone();
        assert!(refused(spec).contains(&format!("`cluster.pools.general.{key}` names the trace \"lambda\"")));
    }
    let mut spec = on_nodes(1, 1);
    spec["cluster"]["pools"]["general"]["inventory"] = json!("nodes");
    assert!(refused(spec).contains("`cluster.pools.general.inventory` names the trace \"nodes\""));
    let mut spec = scenario(1);
    spec["workloads"] = json!({ "batch": { "trace": "pods" } });
    assert!(refused(spec).contains("`workloads.batch.trace` names the trace \"pods\""));
}

#[test]
fn amounts_are_counts_or_whole_percentages() {
    for got in ["25", "%", "a%", "-1%", "2.5%"] {
        let mut spec = scenario(1);
        spec["services"]["web"]["rollout"] = json!({ "max_surge": got });
        assert!(refused(spec).contains(&format!("`services.web.rollout.max_surge` is {got:?}; allowed is")));
    }
    let mut spec = scenario(1);
    spec["services"]["web"]["rollout"] = json!({ "max_unavailable": "x" });
    assert!(refused(spec).contains("`services.web.rollout.max_unavailable`"));
}

#[test]
fn a_recorded_inventory_makes_the_nodes() {
    let mut spec = on_nodes(3, 9);
    spec["cluster"]["pools"]["general"]["inventory"] = json!("nodes");
    let node = |cpu_milli| ListedNode { cpu_milli, memory_mib: 8192, gpus: 0 };
    let inputs =
        Inputs { inventories: [("nodes".to_owned(), vec![node(1000), node(3000)].into())].into(), ..Inputs::default() };
    let rig = Rig::with_inputs(&spec, &inputs);
    assert_eq!((rig.counts(), rig.cluster.pool_counts(PoolId(0)).ready), ([3, 0, 0, 3, 0], 2));
    assert_eq!(rig.cluster.pools().collect::<Vec<_>>(), ["general"]);
    assert_eq!(rig.cluster.pool_counts(PoolId(0)).cpu_requested, 0.75);
    assert_eq!(rig.cluster.pool_counts(PoolId(7)), PoolCounts::default(), "there is none");
}

#[test]
fn starts_are_drawn_by_ordinal_and_service() {
    let mut spec = scenario(0);
    spec["services"]["web"]["start"]["start_s"] = json!({ "uniform": { "low": 10.0, "high": 90.0 } });
    spec["services"]["zapi"] = spec["services"]["web"].clone();
    let ready = |first: ServiceId, second: ServiceId| {
        let mut rig = Rig::new(&spec);
        rig.act(|cluster, queue| cluster.scale(first, 3, queue));
        rig.act(|cluster, queue| cluster.scale(second, 3, queue));
        rig.run_until(100.0);
        let of = |service| {
            let mut seen = Vec::new();
            rig.cluster.clone().take_start_ups(service, &mut seen);
            seen
        };
        [of(WEB), of(ServiceId(1))]
    };
    let [web, api] = ready(WEB, ServiceId(1));
    assert_eq!([web.clone(), api.clone()], ready(ServiceId(1), WEB), "whoever comes first");
    assert_ne!(web, api);
}

#[test]
fn a_fork_goes_on_as_the_whole_would() {
    let mut whole = Rig::new(&on_nodes(3, 3));
    whole.scale(9);
    whole.run_until(5.0);
    let mut fork = whole.clone();
    for rig in [&mut whole, &mut fork] {
        rig.lose(1, Some(100));
        rig.run_until(600.0);
    }
    assert_eq!((whole.log, whole.marks), (fork.log, fork.marks));
}
