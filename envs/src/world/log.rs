//! The event log: one plain row per thing that happened. Off by default; others write it to files.

use seatrial_core::record::timeline::Mark;
use seatrial_core::time::Timestamp;

use crate::cluster::change::{Change, PodChange};
use crate::ids::{NodeId, PodId, ServiceId};
use crate::serving::Happening;

/// What a log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// Pods, nodes, decisions and faults.
    Cluster,
    /// These, and every arrival, completion and retry.
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
    /// A new revision is rolled out.
    Rollout,
    /// A node takes pods.
    NodeAdded,
    /// The cluster autoscaler took a node away.
    NodeRemoved,
    /// A node fell silent.
    NodeLost,
    /// Pods of a lost node were deleted.
    Evicted,
    /// A quota kept pods from being created.
    QuotaReached,
    /// No node fits a pod.
    Unschedulable,
    /// A client sent a request; value: its source.
    RequestArrived,
    /// A pod completed calls; value: how many at once.
    CallsCompleted,
    /// A caller tried again; the service is the one that it calls.
    Retry,
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
            Self::Rollout => "rollout",
            Self::NodeAdded => "node-added",
            Self::NodeRemoved => "node-removed",
            Self::NodeLost => "node-lost",
            Self::Evicted => "evicted",
            Self::QuotaReached => "quota",
            Self::Unschedulable => "unschedulable",
            Self::RequestArrived => "request-arrived",
            Self::CallsCompleted => "calls-completed",
            Self::Retry => "retry",
        }
    }

    /// What the cluster marks, where the log has no better row of its own.
    fn of_mark(kind: &str) -> Option<Self> {
        let marked = [
            Self::Rollout,
            Self::NodeAdded,
            Self::NodeRemoved,
            Self::NodeLost,
            Self::Evicted,
            Self::QuotaReached,
            Self::Unschedulable,
        ];
        marked.into_iter().find(|known| known.id() == kind)
    }
}

/// The rows of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    level: LogLevel,
    rows: Vec<LogRow>,
    /// Entry service of each source.
    entries: Vec<ServiceId>,
}

impl LogRow {
    const fn new(at: Timestamp, kind: LogKind, value: f64) -> Self {
        Self { at, kind, service: None, pod: None, node: None, value }
    }
}

impl Log {
    pub(super) const fn new(level: LogLevel, entries: Vec<ServiceId>) -> Self {
        Self { level, rows: Vec::new(), entries }
    }

    #[inline]
    pub(super) fn holds_requests(&self) -> bool {
        self.level == LogLevel::Requests
    }

    pub(super) fn into_rows(self) -> Vec<LogRow> {
        self.rows
    }

    /// Whether it holds anything.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.level != LogLevel::Off
    }

    #[inline]
    fn push(&mut self, row: impl FnOnce() -> LogRow) {
        if self.is_on() {
            self.rows.push(row());
        }
    }

    pub(super) fn change(&mut self, at: Timestamp, change: &PodChange, node: Option<NodeId>) {
        let (kind, value) = match change.what {
            Change::Started => (LogKind::PodStarted, 0.0),
            Change::Ready => (LogKind::PodReady, 0.0),
            Change::Left => (LogKind::PodLeft, 0.0),
            Change::Speed(speed) => (LogKind::PodSpeed, speed),
            Change::Stopped => (LogKind::PodStopped, 0.0),
        };
        let (service, pod) = (Some(change.service), Some(change.pod));
        self.push(|| LogRow { service, pod, node, ..LogRow::new(at, kind, value) });
    }

    pub(super) fn drained(&mut self, at: Timestamp, pod: PodId) {
        self.push(|| LogRow { pod: Some(pod), ..LogRow::new(at, LogKind::PodDrained, 0.0) });
    }

    pub(super) fn out_of_memory(&mut self, at: Timestamp, service: ServiceId, pod: PodId, used_mib: f64) {
        let row = LogRow::new(at, LogKind::PodOutOfMemory, used_mib);
        self.push(|| LogRow { service: Some(service), pod: Some(pod), ..row });
    }

    pub(super) fn decision(&mut self, at: Timestamp, service: ServiceId, replicas: u32) {
        let row = LogRow::new(at, LogKind::Decision, f64::from(replicas));
        self.push(|| LogRow { service: Some(service), ..row });
    }

    pub(super) fn fault(&mut self, at: Timestamp, index: u16, ends: bool) {
        let kind = if ends { LogKind::FaultEnds } else { LogKind::FaultBegins };
        self.push(|| LogRow::new(at, kind, f64::from(index)));
    }

    pub(super) fn mark(&mut self, mark: &Mark) {
        let Some(kind) = LogKind::of_mark(&mark.kind) else { return };
        self.push(|| LogRow::new(mark.at, kind, 0.0));
    }

    /// A request of a source.
    pub(super) fn arrival(&mut self, at: Timestamp, source: u16) {
        let service = self.entries.get(usize::from(source)).copied();
        let row = LogRow::new(at, LogKind::RequestArrived, f64::from(source));
        self.push(|| LogRow { service, ..row });
    }

    /// What single calls did at a moment; completions of a pod that follow each other share a row.
    pub(super) fn happenings(&mut self, at: Timestamp, happenings: impl Iterator<Item = Happening>) {
        for happening in happenings {
            let (kind, service, pod) = match happening {
                Happening::Completed { pod, service } => (LogKind::CallsCompleted, service, Some(pod)),
                Happening::Retried { service } => (LogKind::Retry, service, None),
            };
            match self.rows.last_mut() {
                Some(last) if kind == LogKind::CallsCompleted && (last.at, last.kind, last.pod) == (at, kind, pod) => {
                    last.value += 1.0;
                }
                _ => {
                    let value = f64::from(u8::from(kind == LogKind::CallsCompleted));
                    self.push(|| LogRow { service: Some(service), pod, ..LogRow::new(at, kind, value) });
                }
            }
        }
    }
}
