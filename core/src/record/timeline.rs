//! What happened in a simulated world, by interval: the rows that figures and tables are made of.
//! Here, and not beside the simulator that fills it, because reports know no simulator.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// A run in intervals of equal length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// First moment.
    pub start: Timestamp,
    /// Length of an interval.
    pub interval: Span,
    /// Names of the services, by id.
    pub services: Vec<String>,
    /// Names of the node pools, by id.
    pub pools: Vec<String>,
    /// Per interval and service: row `interval × services + service`.
    pub service_rows: Vec<ServiceRow>,
    /// Per interval and pool: row `interval × pools + pool`.
    pub pool_rows: Vec<PoolRow>,
    /// What clients saw, per interval.
    pub client_rows: Vec<ClientRow>,
    /// Edges in seconds of the latency classes, ascending, one more than there are classes; the last one is infinite, which JSON
    /// writes as `null`.
    #[serde(with = "open_ended")]
    pub latency_edges_s: Vec<f64>,
    /// Requests answered, by interval and latency from first try to answer: row `interval × classes + class`.
    pub latency_counts: Vec<u32>,
    /// Single moments worth a mark, in order of time.
    pub marks: Vec<Mark>,
    /// Calls over each edge of the call graph after the warm-up, as totals count.
    pub edges: Vec<Edge>,
}

/// A service in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRow {
    /// Replicas asked for at the interval's end.
    pub desired: u32,
    /// Pods without a node at its end.
    pub pending: u32,
    /// Pods on a node and not ready at its end, but for those that are unreachable.
    pub starting: u32,
    /// Pods at its end that are not ready, and not deleted yet, on a node that is known to be silent.
    pub unreachable: u32,
    /// Ready pods at its end.
    pub ready: u32,
    /// Deleted pods that still exist at its end.
    pub terminating: u32,
    /// Calls waiting for a worker at its end.
    pub queued: u32,
    /// Calls in service at its end.
    pub in_service: u32,
    /// Calls that arrived in it, each try counted.
    pub arrived: u64,
    /// Calls completed in it.
    pub completed: u64,
    /// Calls that failed in it: dropped, expired, or lost with their pod.
    pub failed: u64,
    /// CPU seconds used in it.
    pub cpu_s: f64,
    /// Quantiles of the time from arrival at the service to completion, of calls completed in it.
    pub latency: Percentiles,
}

/// A node pool in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolRow {
    /// Nodes on their way at the interval's end.
    pub provisioning: u32,
    /// Nodes that take pods at its end.
    pub ready: u32,
    /// Silent nodes at its end.
    pub lost: u32,
    /// Share of allocatable CPU that is requested at its end, 0 to 1.
    pub cpu_requested: f64,
}

/// What clients saw in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRow {
    /// Requests that clients began in it.
    pub offered: u64,
    /// Tries beyond the first in it.
    pub retries: u64,
    /// Requests answered in it.
    pub done: u64,
    /// Requests given up in it after their last try.
    pub failed: u64,
    /// Requests that turned out bad in it: failed ones, and answers beyond the objective.
    pub bad: u64,
    /// Quantiles of the time from the first try to the answer, of requests answered in it.
    pub latency: Percentiles,
}

/// Quantiles in seconds; `None` where nothing was completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// Median.
    pub p50_s: Option<f64>,
    /// 95 %.
    pub p95_s: Option<f64>,
    /// 99 %.
    pub p99_s: Option<f64>,
}

/// A moment worth a mark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What kind: `fault`, `repair`, `rollout`, `oom`, `node-added`, `node-removed`, `node-lost`, `evicted`, `quota`, `unschedulable`.
    pub kind: String,
    /// In words, with the name of what it is about.
    pub text: String,
}

/// Calls between two services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The caller; `None` is the clients.
    pub from: Option<String>,
    /// The service that is called.
    pub to: String,
    /// Calls made, each try counted.
    pub calls: u64,
    /// Calls that failed for the caller: the service did not complete them, or the caller gave them up before it did.
    pub failed: u64,
}

/// JSON has no infinity.
mod open_ended {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(edges_s: &[f64], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(edges_s.iter().map(|edge_s| Some(*edge_s).filter(|edge_s| edge_s.is_finite())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f64>, D::Error> {
        let edges_s = Vec::<Option<f64>>::deserialize(source)?;
        Ok(edges_s.into_iter().map(|edge_s| edge_s.unwrap_or(f64::INFINITY)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_from_json_with_its_last_class_open() {
        let timeline = Timeline {
            start: Timestamp::from_secs(5),
            interval: Span::from_secs(15),
            services: vec!["web".to_owned()],
            pools: vec![],
            service_rows: vec![ServiceRow {
                latency: Percentiles { p50_s: Some(0.1), ..Percentiles::default() },
                ..ServiceRow::default()
            }],
            pool_rows: vec![],
            client_rows: vec![ClientRow::default()],
            latency_edges_s: vec![0.0, 0.001, f64::INFINITY],
            latency_counts: vec![1, 2],
            marks: vec![],
            edges: vec![],
        };
        let text = serde_json::to_string(&timeline).unwrap();
        assert_eq!(serde_json::from_str::<Timeline>(&text).unwrap(), timeline, "{text}");
    }
}
