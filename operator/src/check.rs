//! `seatrial-operator check`: a doctor that says what `run` would miss, where, and how to get it.
//!
//! | module | what |
//! |---|---|
//! | [`report`] | findings, and how they are printed |
//! | `cluster` | the API server, the resource type, permissions, the Lease |
//! | `schema` | whether the installed resource type is the one of this binary |
//! | `policies` | each ScalingPolicy: target, pods, conflicts, bundle, rule |
//! | `metrics` | each policy's Prometheus and its queries |
//!
//! It looks with the operator's own eyes: the requests are those of [`Hands`], the verdicts those of the reconciler, and the
//! permissions those of [`manifest::permissions`](crate::manifest::permissions). Nothing is ever written: its hands hold no lease,
//! so they refuse to write, and what it creates (reviews of access) the API server answers and does not store.

mod cluster;
mod metrics;
mod policies;
pub mod report;
mod schema;

use std::time::Duration;

use http::Request;
use kube::{Client, Config};
use seatrial_core::control::error_class::{ErrorClass, Failure};
use seatrial_core::time::Timestamp;
use serde_json::Value;

use crate::cli::CheckArgs;
use crate::clock::Clock;
use crate::decision_log::DecisionLog;
use crate::manifest::objects::NAME;
use crate::reconcile::Pace;
use crate::shell::api::Api;
use crate::shell::hands::{Hands, PrometheusLimits};
use crate::shell::lease::Candidate;
pub use report::{Finding, Report, Verdict};

/// Longest time of one request, and most bytes of an answer: those of `run` by default.
const TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT_BYTES: usize = 4 << 20;
/// Queries at the same time: all of one policy.
const CONCURRENCY: usize = 11;

/// Why nothing can be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No cluster.
    #[error("no cluster is configured: {0}. Set KUBECONFIG, or run it in the operator's pod (kubectl exec)")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The configuration makes no client.
    #[error("the cluster's configuration cannot be used: {0}. Mend the kubeconfig: kubectl cluster-info uses the same")]
    Client(#[from] kube::Error),
}

/// Looks at everything that `run` needs.
///
/// # Errors
/// If there is no cluster to look at; all else is a finding.
pub async fn check(args: &CheckArgs) -> Result<Report, CheckError> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    let server = config.cluster_url.to_string();
    Ok(check_with(args, Client::try_from(config)?, &server).await)
}

/// Looks through `client` at the API server, which the report calls `server`.
pub async fn check_with(args: &CheckArgs, client: Client, server: &str) -> Report {
    let doctor = Doctor::new(args, client);
    let mut report = Report::default();
    if let Some(url) = &args.prometheus {
        report.add(metrics::server(url, &doctor.limits).await);
    }
    let reached = cluster::reach(&doctor.api, server).await;
    let is_reached = reached.verdict != Verdict::Fail;
    report.add(reached);
    if !is_reached {
        return report;
    }
    let served = schema::look(&doctor.api).await;
    let is_served = served.verdict != Verdict::Fail;
    report.add(served);
    report.extend(cluster::permissions(&doctor.api, args.namespace.as_deref(), &doctor.lease_namespace).await);
    report.add(cluster::lease(&doctor.api, &doctor.lease_namespace).await);
    if is_served {
        report.extend(policies::look(&doctor, args.namespace.as_deref()).await);
    }
    report
}

/// What every look needs.
struct Doctor {
    api: Api,
    hands: Hands,
    limits: PrometheusLimits,
    clock: Clock,
    lease_namespace: String,
}

impl Doctor {
    fn new(args: &CheckArgs, client: Client) -> Self {
        let api = Api::new(client, TIMEOUT);
        let limits = PrometheusLimits {
            timeout: TIMEOUT,
            answer_limit_bytes: ANSWER_LIMIT_BYTES,
            concurrency: CONCURRENCY,
            credentials_folder: Some(args.credentials.clone()),
        };
        let clock = Clock::new(Timestamp::ZERO, Pace(1));
        // A candidate that never runs: these hands refuse every write.
        let nobody = Candidate::new(api.clone(), "", "", String::new()).leadership();
        let hands = Hands::new(api.clone(), clock, limits.clone(), nobody, DecisionLog::off());
        Self { api, hands, limits, clock, lease_namespace: lease_namespace(args) }
    }
}

/// As `run` finds it.
fn lease_namespace(args: &CheckArgs) -> String {
    let own = || std::fs::read_to_string(crate::run::NAMESPACE_FILE).ok().map(|text| text.trim().to_owned());
    args.lease_namespace.clone().or_else(own).unwrap_or_else(|| "default".to_owned())
}

/// The answer to a GET.
async fn get(api: &Api, path: &str) -> Result<Value, Failure> {
    api.send(Request::get(path).body(Vec::new()).map_err(|_| Failure::answered(404, "NotFound"))?).await
}

/// The answer to a review, which is created and not stored.
async fn review(api: &Api, path: &str, body: &Value) -> Result<Value, Failure> {
    let request = Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
    api.send(request.body(body.to_string().into_bytes()).map_err(|_| Failure::answered(404, "NotFound"))?).await
}

/// A failure in words.
fn words(failure: &Failure) -> String {
    match (failure.status, failure.transport) {
        (Some(status), _) => format!("HTTP {status} {:?}", failure.reason),
        (None, Some(transport)) => format!("{transport:?}"),
        (None, None) => failure.class().label().to_owned(),
    }
}

/// What to do about a failure of the API server, whatever was asked.
fn cure(failure: &Failure) -> String {
    match failure.class() {
        ErrorClass::Denied => format!("the account may not: apply the roles of install.yaml, and run this as {NAME}"),
        ErrorClass::NotFound => "it is not there: look at its name and namespace".to_owned(),
        _ => "the API server did not answer as it should: try again, then look at its log".to_owned(),
    }
}
