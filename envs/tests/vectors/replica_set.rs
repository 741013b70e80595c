//! The golden vectors of scaling in: which pods a `ReplicaSet` of Kubernetes 1.34.10 removes, in order; all exact.

use std::cell::RefCell;

use seatrial_core::time::Timestamp;
use seatrial_envs::cluster::replica_set::{Phase, Pod, Victims};
use serde::Deserialize;

use crate::reader::{Difference, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: u64,
    now_s: i64,
    remove: usize,
    pods: Vec<PodRow>,
    expect_removed_in_order: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PodRow {
    name: String,
    uid: String,
    node: String,
    phase: PhaseName,
    ready_since_s: Option<i64>,
    created_s: i64,
    max_restarts: u32,
    deletion_cost: Option<i32>,
    #[serde(default)]
    other_replica_set: bool,
}

#[derive(Clone, Copy, Deserialize)]
enum PhaseName {
    Pending,
    Unknown,
    Running,
}

#[test]
fn vectors_of_victims() {
    let victims = RefCell::new(Victims::default());
    run("replicaset_victims", |case: &Case| {
        let pods = interned(&case.pods);
        let now = Timestamp::from_secs(case.now_s);
        let mut victims = victims.borrow_mut();
        let removed = victims.choose(&pods, case.remove, now).iter().map(|index| case.pods[*index].name.clone());
        Difference::between(case.id, None, &case.expect_removed_in_order, &removed.collect())
    });
}

fn interned(rows: &[PodRow]) -> Vec<Pod> {
    let mut nodes: Vec<&str> = rows.iter().map(|row| row.node.as_str()).filter(|node| !node.is_empty()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let node_id = |row: &PodRow| nodes.binary_search(&row.node.as_str()).ok().map(|id| id as u32);
    rows.iter().map(|row| row.pod(node_id(row))).collect()
}

impl PodRow {
    fn pod(&self, node: Option<u32>) -> Pod {
        Pod {
            uid: u128::from_str_radix(&self.uid, 16).expect("uids of the cases are hexadecimal"),
            node,
            phase: match self.phase {
                PhaseName::Pending => Phase::Pending,
                PhaseName::Unknown => Phase::Unknown,
                PhaseName::Running => Phase::Running,
            },
            ready_since: self.ready_since_s.map(Timestamp::from_secs),
            created: Timestamp::from_secs(self.created_s),
            max_restarts: self.max_restarts,
            deletion_cost: self.deletion_cost.unwrap_or(0),
            of_sibling: self.other_replica_set,
        }
    }
}
