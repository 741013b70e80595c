//! Performs what a machine asks: reads at once, writes one after the other and only while this operator leads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request as HttpRequest};
use k8s_openapi::api::autoscaling::v1::Scale as ScaleObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Resource, ResourceExt};
use seatrial_core::control::error_class::{Failure, Transport};
use seatrial_core::time::{Span, Timestamp};
use serde_json::{Value, json};

use super::api::{self, Api};
use super::bundles::Bundles;
use super::lease::Leadership;
use super::servers::Servers;
use super::translate;
use crate::clock::Clock;
use crate::decision_log::DecisionLog;
use crate::index::Key;
use crate::prometheus::template::Template;
use crate::prometheus::{Reader, ReaderSettings};
use crate::queries::{MEAN_LOAD, SAMPLE_TIME};
use crate::reconcile::conversation::{HistoryQuery, HpaMinWrite, Problem, Reply, Request, Scale};
use crate::reconcile::hpa_min::{FINALIZER, MARKER_ANNOTATION};
use crate::scaling_policy::{ScalingPolicy, ScalingPolicyStatus, TargetRef};

/// Name under which this operator owns fields.
pub const FIELD_MANAGER: &str = "seatrial-operator";

/// Limits on Prometheus, which the operator's flags set.
#[derive(Clone, Debug)]
pub struct PrometheusLimits {
    /// Longest time of a request.
    pub timeout: Duration,
    /// Most bytes of an answer.
    pub answer_limit_bytes: usize,
    /// Most requests at the same time, per server.
    pub concurrency: usize,
    /// Folder in which token and CA files must lie.
    pub credentials_folder: Option<PathBuf>,
}

/// See the module. Shared by all policies.
pub struct Hands {
    api: Api,
    clock: Clock,
    leadership: Leadership,
    bundles: Bundles,
    log: DecisionLog,
    servers: Servers,
    kinds: Mutex<BTreeMap<(String, String), ApiResource>>,
    /// The one writer: whoever holds it writes.
    writer: tokio::sync::Mutex<()>,
}

/// The answer, and what the rest of the cycle needs beside it.
pub struct Performed {
    /// To the machine.
    pub reply: Reply,
    /// `status.selector` of the scale subresource.
    pub selector: Option<String>,
    /// The newest sample by the clock.
    pub newest: Option<Timestamp>,
}

impl From<Reply> for Performed {
    fn from(reply: Reply) -> Self {
        Self { reply, selector: None, newest: None }
    }
}

impl Hands {
    /// Hands for one operator.
    #[must_use]
    pub fn new(api: Api, clock: Clock, limits: PrometheusLimits, leadership: Leadership, log: DecisionLog) -> Self {
        Self {
            api,
            clock,
            leadership,
            bundles: Bundles::default(),
            log,
            servers: Servers::new(limits),
            kinds: Mutex::default(),
            writer: tokio::sync::Mutex::default(),
        }
    }

    /// Performs `request` for `policy`.
    pub async fn perform(
        &self,
        key: &Key,
        policy: &ScalingPolicy,
        request: Request,
        last_sample: Result<Option<Timestamp>, Problem>,
    ) -> Performed {
        match request {
            Request::ReadSampleTime => self.sample_time(key, policy).await,
            Request::ReadMetrics => self.metrics(key, policy, last_sample).await.into(),
            Request::ReadHistory(query) => Reply::History(self.history(key, policy, query).await).into(),
            Request::ReadScale => self.read_scale(key, &policy.spec.target_ref).await,
            Request::LoadBundle(source) => Reply::Bundle(self.bundles.load(&self.api, &key.0, &source).await).into(),
            Request::Record(row) => {
                self.log.append(*row);
                Reply::Recorded.into()
            }
            Request::WriteScale { replicas, resource_version } => {
                Reply::Written(self.write_scale(key, &policy.spec.target_ref, replicas, resource_version).await).into()
            }
            Request::WriteHpaMin(write) => Reply::Written(self.write_hpa_min(key, write).await).into(),
            Request::SetFinalizer(present) => Reply::Written(self.set_finalizer(key, policy, present).await).into(),
            Request::ApplyStatus(status) => Reply::Written(self.apply_status(key, &status).await).into(),
        }
    }

    /// Writes what is left of the log.
    pub async fn close(&self) {
        self.log.close().await;
    }

    fn reader(&self, key: &Key, policy: &ScalingPolicy) -> Result<Reader, Problem> {
        self.reader_over(key, policy, Span::ZERO)
    }

    /// A reader whose `$range` covers `slot`, if that is longer than two scrapes: the mean over a slot of the past.
    fn reader_over(&self, key: &Key, policy: &ScalingPolicy, slot: Span) -> Result<Reader, Problem> {
        let spec = &policy.spec;
        let mut settings = ReaderSettings::of(spec, &key.0);
        if slot > settings.scrape_interval * 2 {
            let wait = Span::from_millis(i64::from(spec.slo.wait_milliseconds));
            let target = (spec.target_ref.kind.as_str(), spec.target_ref.name.as_str());
            settings.template = Template::new(&key.0, target, slot / 2, wait);
            let queries = settings.queries.get_or_insert_default();
            queries.http_requests_total_rate.get_or_insert_with(|| MEAN_LOAD.to_owned());
        }
        let client = self.servers.client(&spec.metrics)?;
        Reader::new(client, &settings).map_err(|(asked, error)| translate::problem(translate::name(asked), &error))
    }

    /// Asks the policy's Prometheus, unless it has just failed to answer.
    async fn guarded<T>(
        &self,
        key: &Key,
        policy: &ScalingPolicy,
        ask: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let Some(gate) = self.servers.gate(&key.0, &policy.spec.metrics) else { return ask.await };
        let admission = gate.admit()?;
        let answer = ask.await;
        gate.report(admission, answer.as_ref().err());
        answer
    }

    async fn sample_time(&self, key: &Key, policy: &ScalingPolicy) -> Performed {
        let ask = async {
            let newest = self.reader(key, policy)?.read_sample_time(Clock::wall()).await;
            newest.map_err(|error| translate::problem(SAMPLE_TIME, &error))
        };
        let newest = self.guarded(key, policy, ask).await;
        let by_clock = newest.as_ref().ok().copied().flatten();
        let reply = Reply::SampleTime(newest.map(|newest| newest.map(|at| self.clock.model(at))));
        Performed { newest: by_clock, ..reply.into() }
    }

    /// The features of the newest sample. Where its time could not be read, nothing else is asked.
    async fn metrics(&self, key: &Key, policy: &ScalingPolicy, newest: Result<Option<Timestamp>, Problem>) -> Reply {
        let now = Clock::wall();
        let read = match newest.and_then(|newest| Ok((self.reader(key, policy)?, newest))) {
            Err(problem) => return Reply::Metrics(translate::unreadable(problem).into()),
            Ok((reader, Some(sample_at))) => reader.read_features(now, sample_at).await,
            Ok((reader, None)) => reader.read_metrics(now).await,
        };
        Reply::Metrics(translate::metrics(&read, &self.clock).into())
    }

    async fn history(
        &self,
        key: &Key,
        policy: &ScalingPolicy,
        query: HistoryQuery,
    ) -> Result<Vec<seatrial_core::scaling::policy::PastSlot>, Problem> {
        let clock = &self.clock;
        let slot = clock.clock_span(query.slot);
        let reader = self.reader_over(key, policy, slot)?;
        let ask = async {
            let past = reader.read_history(clock.clock_time(query.from), clock.clock_time(query.to), slot).await;
            past.map_err(|error| translate::problem("the history of httpRequestsTotalRate", &error))
        };
        let mut past = self.guarded(key, policy, ask).await?;
        for slot in &mut past {
            (slot.end, slot.length) = (clock.model(slot.end), query.slot);
        }
        Ok(past)
    }

    async fn scale_path(&self, key: &Key, target: &TargetRef) -> Result<String, Failure> {
        let name = api::segment(&target.name)?;
        let resource = self.resource(target).await?;
        let base = if resource.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", resource.group) };
        Ok(format!("{base}/{}/namespaces/{}/{}/{}/scale", resource.version, key.0, resource.plural, name))
    }

    /// Which resource a kind is, asked of the server once.
    async fn resource(&self, target: &TargetRef) -> Result<ApiResource, Failure> {
        let place = (target.api_version.clone(), target.kind.clone());
        if let Some(known) = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(known.clone());
        }
        let (group, version) = target.api_version.split_once('/').unwrap_or(("", &target.api_version));
        for part in [group, version] {
            if !part.is_empty() {
                api::segment(part)?;
            }
        }
        let kind = GroupVersionKind::gvk(group, version, &target.kind);
        let asked = kube::discovery::pinned_kind(self.api.client(), &kind);
        let found = tokio::time::timeout(self.api.timeout(), asked)
            .await
            .map_err(|_| Failure::transport(Transport::Timeout))?;
        let (resource, _) = found.map_err(|error| match error {
            kube::Error::Discovery(_) => Failure::answered(404, "NotFound"),
            other => api::of_error(&other),
        })?;
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(place, resource.clone());
        Ok(resource)
    }

    async fn read_scale(&self, key: &Key, target: &TargetRef) -> Performed {
        match self.scale_object(key, target).await {
            Ok(object) => {
                let selector = object.status.as_ref().and_then(|status| status.selector.clone());
                Performed { selector, ..Reply::Scale(Ok(scale(&object))).into() }
            }
            Err(failure) => Reply::Scale(Err(failure)).into(),
        }
    }

    async fn scale_object(&self, key: &Key, target: &TargetRef) -> Result<ScaleObject, Failure> {
        let path = self.scale_path(key, target).await?;
        self.api.send(request(Method::GET, &path, None)?).await
    }

    /// Waits for its turn to write; refused if this operator does not surely lead until the write is over.
    async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Failure> {
        let turn = self.writer.lock().await;
        if self.leadership.covers(self.api.timeout()) {
            Ok(turn)
        } else {
            Err(Failure::answered(503, "ServiceUnavailable"))
        }
    }

    async fn write_scale(
        &self,
        key: &Key,
        target: &TargetRef,
        replicas: u32,
        version: Option<String>,
    ) -> Result<(), Failure> {
        let path = self.scale_path(key, target).await?;
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": replicas } });
        let _turn = self.turn().await?;
        self.patch(&path, MERGE, &patch).await
    }

    async fn write_hpa_min(&self, key: &Key, write: HpaMinWrite) -> Result<(), Failure> {
        let path = format!("/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}", key.0, write.name);
        let patch = json!({
            "metadata": { "resourceVersion": write.resource_version, "annotations": { MARKER_ANNOTATION: write.marker } },
            "spec": { "minReplicas": write.min_replicas }
        });
        let _turn = self.turn().await?;
        self.patch(&path, MERGE, &patch).await
    }

    async fn set_finalizer(&self, key: &Key, policy: &ScalingPolicy, present: bool) -> Result<(), Failure> {
        let mut names: Vec<&str> =
            policy.finalizers().iter().map(String::as_str).filter(|name| *name != FINALIZER).collect();
        if present {
            names.push(FINALIZER);
        }
        let patch = json!({ "metadata": { "resourceVersion": policy.resource_version(), "finalizers": names } });
        let _turn = self.turn().await?;
        self.patch(&policy_path(key), MERGE, &patch).await
    }

    async fn apply_status(&self, key: &Key, status: &ScalingPolicyStatus) -> Result<(), Failure> {
        let object = json!({
            "apiVersion": ScalingPolicy::api_version(&()), "kind": ScalingPolicy::kind(&()),
            "metadata": { "name": key.1, "namespace": key.0 }, "status": status
        });
        let path = format!("{}/status?fieldManager={FIELD_MANAGER}&force=true", policy_path(key));
        let _turn = self.turn().await?;
        self.patch(&path, APPLY, &object).await
    }

    async fn patch(&self, path: &str, kind: &'static str, patch: &Value) -> Result<(), Failure> {
        let request = request(Method::PATCH, path, Some((kind, patch)))?;
        self.api.send::<Value>(request).await.map(|_| ())
    }
}

const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn policy_path(key: &Key) -> String {
    format!("/apis/seatrial.dev/v1alpha1/namespaces/{}/scalingpolicies/{}", key.0, key.1)
}

fn request(method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<HttpRequest<Vec<u8>>, Failure> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let managed = if body.is_some() && !path.contains("fieldManager=") {
        format!("{path}{separator}fieldManager={FIELD_MANAGER}")
    } else {
        path.to_owned()
    };
    let mut builder = HttpRequest::builder().method(method).uri(managed);
    if let Some((kind, _)) = body {
        builder = builder.header(http::header::CONTENT_TYPE, kind);
    }
    let bytes = body.map(|(_, value)| value.to_string().into_bytes()).unwrap_or_default();
    // A name that makes no path is a target that cannot be.
    builder.body(bytes).map_err(|_| Failure::answered(404, "NotFound"))
}

fn scale(object: &ScaleObject) -> Scale {
    let count = |replicas: i32| u32::try_from(replicas).unwrap_or(0);
    Scale {
        spec_replicas: object.spec.as_ref().and_then(|spec| spec.replicas).map_or(0, count),
        status_replicas: object.status.as_ref().map_or(0, |status| count(status.replicas)),
        resource_version: object.metadata.resource_version.clone(),
    }
}

#[cfg(test)]
mod tests {
    use seatrial_core::control::error_class::ErrorClass;

    use super::*;

    #[test]
    fn a_scale_without_replicas_is_zero() {
        let object: ScaleObject =
            serde_json::from_value(json!({ "metadata": { "resourceVersion": "3" }, "spec": {} })).unwrap();
        assert_eq!(scale(&object), Scale { spec_replicas: 0, status_replicas: 0, resource_version: Some("3".into()) });
    }

    #[test]
    fn writes_name_their_field_manager_once() {
        for (path, expected) in [
            ("/a", "/a?fieldManager=seatrial-operator"),
            ("/a?fieldManager=x&force=true", "/a?fieldManager=x&force=true"),
        ] {
            let built = request(Method::PATCH, path, Some((MERGE, &json!({})))).unwrap();
            assert_eq!(built.uri().to_string(), expected);
        }
        assert_eq!(request(Method::GET, "/b c", None).unwrap_err().class(), ErrorClass::NotFound);
    }
}
