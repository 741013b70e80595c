//! The event log: one plain row per thing that happened. Off by default; others write it to files.

use seatrial_core::time::Timestamp;

use crate::ids::{NodeId, PodId, ServiceId};

/// What a log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// Pods, nodes, decisions and faults.
    Cluster,
    /// These, and every request that was answered or given up.
    Requests,
}

/// A row; absent ids are `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: LogKind,
    /// The service it is about.
    pub service: Option<ServiceId>,
    /// The pod it is about.
    pub pod: Option<PodId>,
    /// The node it is about.
    pub node: Option<NodeId>,
    /// A number, as [`LogKind`] says.
    pub value: f64,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogKind {
    /// A pod's container runs.
    PodStarted,
    /// A pod joined the endpoints.
    PodReady,
    /// A pod left the endpoints.
    PodLeft,
    /// A pod's speed changed; value: the speed.
    PodSpeed,
    /// A pod's container ended.
    PodStopped,
    /// A pod left the endpoints and its last request is done.
    PodDrained,
    /// A pod went beyond its memory limit; value: MiB that it used.
    PodOutOfMemory,
    /// An autoscaler decided; value: replicas.
    Decision,
    /// A fault began; value: its place in the scenario.
    FaultBegins,
    /// A fault ended; value: its place in the scenario.
    FaultEnds,
    /// Something of the cluster worth a mark; value: its place among the timeline's marks.
    Mark,
}

impl LogKind {
    /// Permanent id in files.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::PodStarted => "pod-started",
            Self::PodReady => "pod-ready",
            Self::PodLeft => "pod-left",
            Self::PodSpeed => "pod-speed",
            Self::PodStopped => "pod-stopped",
            Self::PodDrained => "pod-drained",
            Self::PodOutOfMemory => "pod-out-of-memory",
            Self::Decision => "decision",
            Self::FaultBegins => "fault-begins",
            Self::FaultEnds => "fault-ends",
            Self::Mark => "mark",
        }
    }
}
