//! The world of these tests: it performs what the machine asks, and counts it.

use std::sync::Arc;

use seatrial_core::control::error_class::Failure;
use seatrial_core::observe::{Feature, Metrics, PodCounts, Sample};
use seatrial_core::time::{Span, Timestamp};

use crate::reconcile::conversation::{
    Facts, LoadedBundle, MetricsRead, Next, PodFacts, Problem, Reply, Request, Scale,
};
use crate::reconcile::hpa_min::HpaFact;
use crate::reconcile::{Machine, Pace};
use crate::scaling_policy::{ScalingPolicy, ScalingPolicyStatus};

#[expect(clippy::needless_pass_by_value, reason = "`json!` reads better without a reference")]
/// A policy as a user writes it, with `extra` fields of the spec.
pub(super) fn policy(extra: serde_json::Value) -> ScalingPolicy {
    let mut spec = serde_json::json!({
        "targetRef": { "name": "web" }, "minReplicas": 2, "maxReplicas": 30, "mode": "Enforce",
        "policy": { "id": "hpa" }, "metrics": { "url": "http://prometheus:9090" }
    });
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    serde_json::from_value(serde_json::json!({
        "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy",
        "metadata": { "name": "web", "namespace": "shop", "generation": 1 }, "spec": spec
    }))
    .unwrap()
}

pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) policy: ScalingPolicy,
    pub(super) replicas: u32,
    pub(super) autoscalers: Vec<HpaFact>,
    pub(super) elder: Option<String>,
    pub(super) cpu_request_milli: Option<u32>,
    /// Requests per second; `None` is a Prometheus without samples.
    pub(super) rate: Option<f64>,
    pub(super) metrics_problem: Option<Problem>,
    pub(super) scale_failure: Option<Failure>,
    pub(super) write_failure: Option<Failure>,
    pub(super) bundle: Result<LoadedBundle, Problem>,
    pub(super) now: Timestamp,
    pub(super) asked: Vec<&'static str>,
    pub(super) written: Vec<u32>,
    pub(super) statuses: Vec<ScalingPolicyStatus>,
    pub(super) gone: bool,
}

impl World {
    pub(super) fn new(extra: serde_json::Value) -> Self {
        let missing = Problem::new(crate::reconcile::conditions::Reason::BundleNotFound, "there is none");
        Self {
            machine: Machine::new("shop/web".to_owned(), Pace(1)),
            policy: policy(extra),
            replicas: 4,
            autoscalers: Vec::new(),
            elder: None,
            cpu_request_milli: Some(4_000),
            rate: Some(160.0),
            metrics_problem: None,
            scale_failure: None,
            write_failure: None,
            bundle: Err(missing),
            now: Timestamp::from_secs(1_700_000_000),
            asked: Vec::new(),
            written: Vec::new(),
            statuses: Vec::new(),
            gone: false,
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            policy: Arc::new(self.policy.clone()),
            pods: PodFacts {
                counts: PodCounts { ready: self.replicas, ..PodCounts::default() },
                settled: self.replicas,
                cpu_request_milli: self.cpu_request_milli,
                cpu_limit_milli: self.cpu_request_milli,
                became_ready: Vec::new(),
            },
            autoscalers: self.autoscalers.clone(),
            elder: self.elder.clone(),
        }
    }

    fn sample_at(&self) -> Timestamp {
        self.now.floor_to(Span::from_secs(15))
    }

    fn metrics(&self) -> MetricsRead {
        let mut metrics = Metrics::default();
        if let Some(rate) = self.rate {
            let mut set = |feature, value| metrics.set(feature, Some(Sample { at: self.sample_at(), value }));
            set(Feature::HttpRequestsTotalRate, rate);
            set(Feature::HttpRequestDurationSecondsCountRate, rate);
            // 80 ms of CPU per request: 50 requests/s for a pod of 4 CPU.
            set(Feature::ProcessCpuSecondsTotalRate, rate * 0.08);
            set(Feature::BadRequestRatio, 0.0);
        }
        MetricsRead { metrics, problem: self.metrics_problem.clone() }
    }

    fn written(&mut self, effect: impl FnOnce(&mut Self)) -> Reply {
        let result = self.write_failure.map_or(Ok(()), Err);
        if result.is_ok() {
            effect(self);
        }
        Reply::Written(result)
    }

    fn perform(&mut self, request: Request) -> Reply {
        let (name, reply) = match request {
            Request::ReadSampleTime => ("sample time", Reply::SampleTime(Ok(self.rate.map(|_| self.sample_at())))),
            Request::ReadScale => ("scale", Reply::Scale(self.scale_failure.map_or_else(|| Ok(self.scale()), Err))),
            Request::ReadMetrics => ("metrics", Reply::Metrics(self.metrics().into())),
            Request::ReadHistory(_) => ("history", Reply::History(Ok(Vec::new()))),
            Request::LoadBundle(_) => ("bundle", Reply::Bundle(self.bundle.clone())),
            Request::Record(_) => ("record", Reply::Recorded),
            Request::WriteScale { replicas, .. } => (
                "write",
                self.written(|world| {
                    world.replicas = replicas;
                    world.written.push(replicas);
                }),
            ),
            Request::WriteHpaMin(write) => (
                "write autoscaler",
                self.written(|world| {
                    let fact = &mut world.autoscalers[0];
                    (fact.min_replicas, fact.marker) = (write.min_replicas, write.marker);
                }),
            ),
            Request::SetFinalizer(present) => (
                "finalizer",
                self.written(|world| {
                    let names = present.then(|| vec![crate::reconcile::hpa_min::FINALIZER.to_owned()]);
                    world.policy.metadata.finalizers = names;
                }),
            ),
            Request::ApplyStatus(status) => (
                "status",
                self.written(|world| {
                    world.policy.status = Some((*status).clone());
                    world.statuses.push(*status);
                }),
            ),
        };
        self.asked.push(name);
        reply
    }

    fn scale(&self) -> Scale {
        Scale { spec_replicas: self.replicas, status_replicas: self.replicas, resource_version: Some("1".into()) }
    }

    /// One cycle; answers when the next begins.
    pub(super) fn cycle(&mut self) -> Timestamp {
        let mut reply = Reply::Wake;
        for _ in 0..20 {
            let facts = self.facts();
            match self.machine.step(&facts, reply, self.now) {
                Next::Ask(request) => reply = self.perform(request),
                Next::Sleep(at) => return at,
                Next::Forget => {
                    self.gone = true;
                    return self.now;
                }
            }
        }
        panic!("a cycle of more than 20 requests: {:?}", self.asked);
    }

    /// Cycles until `seconds` have passed.
    pub(super) fn run(&mut self, seconds: i64) {
        let end = self.now + Span::from_secs(seconds);
        while self.now < end && !self.gone {
            let next = self.cycle();
            assert!(next > self.now || self.gone, "no time passes");
            self.now = next;
        }
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.asked.iter().filter(|asked| **asked == name).count()
    }

    /// Status and reason of a condition as they are stored.
    pub(super) fn condition(&self, kind: &str) -> (String, String) {
        let status = self.policy.status.as_ref().unwrap();
        let condition = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
        (condition.status.clone(), condition.reason.clone())
    }
}
