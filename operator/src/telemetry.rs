//! What the operator tells of itself: `/metrics`, and the facts behind `/healthz` and `/readyz`.
//!
//! Names of controller-runtime and client-go where they fit (`controller_runtime_reconcile_total`, `workqueue_depth`, …), so
//! that existing dashboards work; ours beside them begin with `seatrial_`.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use seatrial_core::control::work_queue::{Priority, WorkQueue};
use seatrial_core::time::{Span, Timestamp};

use crate::index::Key;
use crate::reconcile::conversation::{Reply, Request};

/// A loop that has not turned for this long is stuck.
pub const STUCK_AFTER: Span = Span::from_secs(30);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result_ {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Queue {
    name: &'static str,
    controller: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Depth {
    name: &'static str,
    controller: &'static str,
    priority: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Asked {
    what: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Decided {
    by: String,
    reason: String,
}

const CONTROLLER: &str = "scalingpolicy";
const QUEUE: Queue = Queue { name: CONTROLLER, controller: CONTROLLER };

type Durations = Family<Queue, Histogram, fn() -> Histogram>;

fn durations() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

/// See the module. Shared by the driver and the server.
pub struct Telemetry {
    registry: Mutex<Registry>,
    reconciles: Family<Result_, Counter>,
    reconcile_time: Durations,
    queue_wait: Durations,
    depth: Family<Depth, Gauge>,
    adds: Family<Queue, Gauge>,
    retries: Family<Queue, Gauge>,
    unfinished: Family<Queue, Gauge<f64, std::sync::atomic::AtomicU64>>,
    longest: Family<Queue, Gauge<f64, std::sync::atomic::AtomicU64>>,
    requests: Family<Asked, Counter>,
    failures: Family<Asked, Counter>,
    decisions: Family<Decided, Counter>,
    broken_watches: Family<Asked, Counter>,
    leads: Gauge,
    leading: AtomicBool,
    complete: AtomicBool,
    turned_us: AtomicI64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let telemetry = Self {
            registry: Mutex::default(),
            reconciles: Family::default(),
            reconcile_time: Family::new_with_constructor(durations),
            queue_wait: Family::new_with_constructor(durations),
            depth: Family::default(),
            adds: Family::default(),
            retries: Family::default(),
            unfinished: Family::default(),
            longest: Family::default(),
            requests: Family::default(),
            failures: Family::default(),
            decisions: Family::default(),
            broken_watches: Family::default(),
            leads: Gauge::default(),
            leading: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            turned_us: AtomicI64::new(0),
        };
        telemetry.register();
        telemetry
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let r = &mut *registry;
        r.register("controller_runtime_reconcile", "Cycles by result", self.reconciles.clone());
        r.register("controller_runtime_reconcile_time_seconds", "Length of a cycle", self.reconcile_time.clone());
        r.register("workqueue_queue_duration_seconds", "How long a ready key waited", self.queue_wait.clone());
        r.register("workqueue_depth", "Ready keys by priority", self.depth.clone());
        // client-go calls these counters; they are read off the queue, which counts by itself.
        r.register("workqueue_adds_total", "Keys that were added", self.adds.clone());
        r.register("workqueue_retries_total", "Keys that were added after a failure", self.retries.clone());
        r.register("workqueue_unfinished_work_seconds", "Time spent on running keys", self.unfinished.clone());
        r.register(
            "workqueue_longest_running_processor_seconds",
            "Time of the longest running key",
            self.longest.clone(),
        );
        r.register("seatrial_requests", "Requests of cycles by kind", self.requests.clone());
        r.register("seatrial_request_failures", "Requests of cycles that failed, by kind", self.failures.clone());
        r.register("seatrial_decisions", "Decisions by who made them and why", self.decisions.clone());
        r.register("seatrial_watch_failures", "Watches that broke, by resource", self.broken_watches.clone());
        r.register("leader_election_master_status", "1 while this operator leads", self.leads.clone());
    }

    /// Adds what other parts count for themselves.
    pub fn count_log(&self, log: &crate::decision_log::DecisionLog) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(LogCounts(log.clone())));
    }

    /// The state of the queue and of the operator; called at every turn of the loop.
    pub fn watch_queue(&self, queue: &WorkQueue<Key>, leads: bool, complete: bool, now: Timestamp) {
        self.turned_us.store(now.micros(), Ordering::Relaxed);
        self.complete.store(complete, Ordering::Relaxed);
        self.leading.store(leads, Ordering::Relaxed);
        self.leads.set(i64::from(leads));
        for priority in Priority::ALL {
            let labels = Depth { name: CONTROLLER, controller: CONTROLLER, priority: priority.label() };
            self.depth.get_or_create(&labels).set(i64::try_from(queue.depth(priority, now)).unwrap_or(i64::MAX));
        }
        let counts = queue.counts();
        self.adds.get_or_create(&QUEUE).set(i64::try_from(counts.adds).unwrap_or(i64::MAX));
        self.retries.get_or_create(&QUEUE).set(i64::try_from(counts.retries).unwrap_or(i64::MAX));
        self.unfinished.get_or_create(&QUEUE).set(queue.unfinished(now).as_secs_f64());
        self.longest.get_or_create(&QUEUE).set(queue.longest_running(now).as_secs_f64());
    }

    /// A key was handed out after this wait.
    pub fn queue_wait(&self, waited: Span) {
        self.queue_wait.get_or_create(&QUEUE).observe(waited.as_secs_f64());
    }

    /// A cycle ended.
    pub fn cycle(&self, took: Span) {
        self.reconcile_time.get_or_create(&QUEUE).observe(took.as_secs_f64());
    }

    /// A watch broke.
    pub fn watch_broken(&self, what: &'static str) {
        self.broken_watches.get_or_create(&Asked { what }).inc();
    }

    /// A machine asked for something.
    pub fn asked(&self, request: &Request) {
        if let Request::Record(row) = request {
            let labels = Decided { by: row.decided_by.clone(), reason: row.record.reason.clone() };
            self.decisions.get_or_create(&labels).inc();
        }
        self.requests.get_or_create(&Asked { what: name_of(request) }).inc();
    }

    /// An answer came.
    pub fn answered(&self, reply: &Reply) {
        let failed = match reply {
            Reply::SampleTime(Err(_)) => Some("sample-time"),
            Reply::Scale(Err(_)) => Some("scale"),
            Reply::History(Err(_)) => Some("history"),
            Reply::Bundle(Err(_)) => Some("bundle"),
            Reply::Written(Err(_)) => Some("write"),
            Reply::Metrics(read) if read.problem.is_some() => Some("metrics"),
            _ => None,
        };
        if let Some(what) = failed {
            self.failures.get_or_create(&Asked { what }).inc();
        }
        if matches!(reply, Reply::Metrics(_) | Reply::Written(_) | Reply::Scale(Err(_))) {
            let result = if failed.is_some() { "error" } else { "success" };
            self.reconciles.get_or_create(&Result_ { controller: CONTROLLER, result }).inc();
        }
    }

    /// The text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match text::encode(&mut out, &registry) {
            Ok(()) => out,
            Err(_) => String::new(),
        }
    }

    /// Whether the loop turns: false is a reason to restart the operator.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let turned = self.turned_us.load(Ordering::Relaxed);
        turned == 0 || now.since(Timestamp::from_micros(turned)) < STUCK_AFTER
    }

    /// What is missing until the operator can work; `None` if nothing is. One that waits to lead is ready.
    #[must_use]
    pub fn not_ready(&self, now: Timestamp) -> Option<&'static str> {
        if !self.is_alive(now) {
            return Some("the loop is stuck");
        }
        (!self.complete.load(Ordering::Relaxed)).then_some("watches have not listed everything yet")
    }
}

const fn name_of(request: &Request) -> &'static str {
    match request {
        Request::ReadSampleTime => "sample-time",
        Request::ReadScale => "scale",
        Request::ReadMetrics => "metrics",
        Request::ReadHistory(_) => "history",
        Request::LoadBundle(_) => "bundle",
        Request::Record(_) => "record",
        Request::WriteScale { .. } => "write-scale",
        Request::WriteHpaMin(_) => "write-hpa-min",
        Request::SetFinalizer(_) => "finalizer",
        Request::ApplyStatus(_) => "status",
    }
}

/// The log's own counts.
#[derive(Clone)]
struct LogCounts(crate::decision_log::DecisionLog);

impl std::fmt::Debug for LogCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogCounts")
    }
}

impl prometheus_client::collector::Collector for LogCounts {
    fn encode(&self, mut encoder: prometheus_client::encoding::DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        use prometheus_client::encoding::EncodeMetric;
        use prometheus_client::metrics::MetricType;
        let counts = self.0.counts();
        for (name, help, value) in [
            ("seatrial_decision_log_rows", "Rows in files", &counts.written),
            ("seatrial_decision_log_dropped_rows", "Rows that were lost", &counts.dropped),
            ("seatrial_decision_log_failed_files", "Files that could not be written", &counts.failed_files),
        ] {
            let counter = prometheus_client::metrics::counter::ConstCounter::new(value.load(Ordering::Relaxed));
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

/// What the server needs.
pub type Shared = Arc<Telemetry>;
