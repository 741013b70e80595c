//! The machine on a queue of its own, every change held against what a pod can do, and all invariants after every event.

mod autoscaler;
mod building;
mod lifecycle;
mod placing;
mod properties;
mod rollouts;
mod starting;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::cluster::change::Change;
use crate::ids::NodeId;
use crate::spec::{Inputs, ListedPod, ScenarioSpec};

const WEB: ServiceId = ServiceId(0);
/// No moment at all.
const NEVER: [f64; 0] = [];

/// What is known of a pod from its changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    runs: bool,
    serves: bool,
    speed: f64,
}

/// A cluster on a queue of its own.
#[derive(Clone)]
struct Rig {
    cluster: Cluster,
    queue: EventQueue<Event>,
    /// Moment in seconds, pod, change.
    log: Vec<(f64, PodId, Change)>,
    seen: BTreeMap<(u32, u32), Seen>,
    marks: Vec<(f64, String, String)>,
    /// Whether pods are empty as soon as they leave the endpoints.
    drains: bool,
}

impl Rig {
    fn new(spec: &Value) -> Self {
        Self::with_inputs(spec, &Inputs::default())
    }

    fn with_inputs(spec: &Value, inputs: &Inputs) -> Self {
        let spec: ScenarioSpec = serde_json::from_value(spec.clone()).unwrap();
        Self::of(Cluster::new(&spec, inputs, Timestamp::ZERO, 7).unwrap())
    }

    fn of(cluster: Cluster) -> Self {
        let queue = EventQueue::new(Timestamp::ZERO);
        let (log, seen, marks) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut rig = Self { cluster, queue, log, seen, marks, drains: true };
        rig.act(Cluster::start);
        rig
    }

    fn act(&mut self, what: impl FnOnce(&mut Cluster, &mut EventQueue<Event>) -> Result<(), PastEvent>) {
        what(&mut self.cluster, &mut self.queue).unwrap();
        self.follow();
    }

    fn follow(&mut self) {
        let now = self.now();
        self.cluster.check().unwrap();
        let changes: Vec<PodChange> = self.cluster.changes().collect();
        for change in changes {
            self.see(&change);
            self.log.push((now, change.pod, change.what));
            if change.what == Change::Left && self.drains {
                self.act(|cluster, queue| cluster.pod_drained(change.pod, queue));
            }
        }
        self.marks.extend(
            self.cluster.marks().map(|mark| (mark.at.since(Timestamp::ZERO).as_secs_f64(), mark.kind, mark.text)),
        );
    }

    /// What a pod can do, and no more.
    fn see(&mut self, change: &PodChange) {
        let seen = self.seen.entry((change.pod.slot, change.pod.generation)).or_default();
        let before = *seen;
        let (allowed, after) = match change.what {
            Change::Started => (!before.runs, Seen { runs: true, serves: false, speed: 1.0 }),
            Change::Ready => (before.runs && !before.serves, Seen { serves: true, ..before }),
            Change::Left => (before.serves, Seen { serves: false, ..before }),
            Change::Speed(speed) => (before.runs && before.speed != speed, Seen { speed, ..before }),
            Change::Stopped => (before.runs && !before.serves, Seen { runs: false, ..before }),
        };
        assert!(allowed, "{change:?} after {before:?} at {}", self.queue.now().micros());
        *seen = after;
    }

    fn now(&self) -> f64 {
        self.queue.now().since(Timestamp::ZERO).as_secs_f64()
    }

    fn run_until(&mut self, seconds: f64) {
        let limit = Timestamp::ZERO + Span::from_secs_f64(seconds);
        while let Some((_, event)) = self.queue.pop_until(limit) {
            self.act(|cluster, queue| cluster.handle(event, queue));
        }
        self.queue.pass_until(limit);
    }

    fn scale(&mut self, replicas: u32) {
        self.act(|cluster, queue| cluster.scale(WEB, replicas, queue));
    }

    /// Desired, pending, starting, ready, terminating.
    fn counts(&self) -> [u32; 5] {
        let counts = self.cluster.counts_of(WEB);
        [counts.desired, counts.pending, counts.starting, counts.ready, counts.terminating]
    }

    fn unreachable(&self) -> u32 {
        self.cluster.counts_of(WEB).unreachable
    }

    /// Moments of the changes of a kind.
    fn moments(&self, what: Change) -> Vec<f64> {
        self.log.iter().filter(|(_, _, change)| *change == what).map(|(at, ..)| *at).collect()
    }

    fn marks_of(&self, kind: &str) -> Vec<(f64, &str)> {
        self.marks.iter().filter(|(_, of, _)| of == kind).map(|(at, _, text)| (*at, text.as_str())).collect()
    }

    /// The pods that are not deleted, in the order of their creation.
    fn pods(&self) -> Vec<PodId> {
        let alive = self.cluster.pods_of(WEB).filter(|(_, pod)| !pod.deleted);
        let mut pods: Vec<PodId> = alive.map(|(id, _)| id).collect();
        pods.sort_by_key(|id| self.cluster.pods.get(id.slot).sequence);
        pods
    }

    fn nodes(&self) -> Vec<Option<u32>> {
        self.pods().iter().map(|pod| self.cluster.node_of(*pod).map(|NodeId(node)| node)).collect()
    }

    fn lose(&mut self, nodes: u32, for_s: Option<i64>) {
        self.act(|cluster, queue| cluster.lose_nodes(PoolId(0), nodes, for_s.map(Span::from_secs), queue));
    }
}

/// One service of pods that start in ten seconds; 1 CPU and 1 GiB each.
fn scenario(replicas: u32) -> Value {
    json!({
        "name": "test", "summary": "A test.", "kernel": "events", "duration_s": 1000.0,
        "services": { "web": {
            "replicas": replicas, "cores": 1.0, "service_time_s": { "constant": 0.1 },
            "pod": { "cpu_request_milli": 1000, "memory_request_mib": 1024 },
            "start": { "start_s": { "constant": 10.0 } },
        } },
    })
}

/// The same on a pool of nodes of 4 CPU and 16 GiB.
fn on_nodes(replicas: u32, nodes: u32) -> Value {
    let mut spec = scenario(replicas);
    spec["cluster"] = json!({ "pools": { "general": {
        "nodes": nodes, "cpu_milli": 4000, "memory_mib": 16384, "provision_s": { "constant": 60.0 },
    } } });
    spec
}
