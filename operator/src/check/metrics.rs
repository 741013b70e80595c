//! Prometheus: whether it answers, and whether each query of a policy answers with one number.

use std::path::PathBuf;

use seatrial_core::observe::Feature;

use super::Doctor;
use super::report::Finding;
use crate::clock::Clock;
use crate::index::Key;
use crate::prometheus::{Asked, Client, ClientConfig, MetricsRead, PrometheusError, Reader, ReaderSettings};
use crate::queries::{FEATURES, SAMPLE_TIME};
use crate::scaling_policy::{Metrics, ScalingPolicy};
use crate::shell::hands::PrometheusLimits;
use crate::shell::translate;

/// Whether the Prometheus at `url` answers a query that needs no data.
pub(super) async fn server(url: &str, limits: &PrometheusLimits) -> Finding {
    let answered = match client(ClientConfig::new(url), limits) {
        Ok(client) => client.query("vector(1)", Clock::wall()).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match answered {
        Ok(()) => Finding::good("prometheus", format!("{url} answers")),
        Err(error) => Finding::fail("prometheus", error.to_string()),
    }
}

fn client(config: ClientConfig, limits: &PrometheusLimits) -> Result<Client, PrometheusError> {
    Client::new(ClientConfig {
        credentials_folder: limits.credentials_folder.clone(),
        timeout: limits.timeout,
        answer_limit_bytes: limits.answer_limit_bytes,
        concurrency: limits.concurrency,
        ..config
    })
}

fn of(metrics: &Metrics) -> ClientConfig {
    ClientConfig {
        token_file: metrics.token_file.clone().map(PathBuf::from),
        ca_file: metrics.ca_file.clone().map(PathBuf::from),
        ..ClientConfig::new(metrics.url.clone())
    }
}

/// Asks everything that a cycle asks.
pub(super) async fn look(doctor: &Doctor, key: &Key, policy: &ScalingPolicy, what: &str) -> Vec<Finding> {
    let failed = |asked: Asked, error: &PrometheusError| {
        Finding::fail(what, translate::problem(translate::name(asked), error).message)
    };
    let client = match client(of(&policy.spec.metrics), &doctor.limits) {
        Ok(client) => client,
        Err(error) => return vec![failed(Asked::SampleTime, &error)],
    };
    let reader = match Reader::new(client, &ReaderSettings::of(&policy.spec, &key.0)) {
        Ok(reader) => reader,
        Err((asked, error)) => return vec![failed(asked, &error)],
    };
    let read = reader.read_metrics(Clock::wall()).await;
    if read.sample_at.is_none() && read.problems.is_empty() {
        return vec![Finding::fail(what, no_samples(&policy.spec.metrics.url, SAMPLE_TIME))];
    }
    let mut findings: Vec<Finding> = read.problems.iter().map(|(asked, error)| failed(*asked, error)).collect();
    let is_about_all =
        |(asked, error): &(Asked, PrometheusError)| *asked == Asked::SampleTime || error.concerns_all_queries();
    if !read.problems.iter().any(is_about_all) {
        findings.extend(features(&read, policy, what));
    }
    findings
}

/// Which features are there; without the load nothing can be decided, the others may rightly be absent.
fn features(read: &MetricsRead, policy: &ScalingPolicy, what: &str) -> Vec<Finding> {
    let url = &policy.spec.metrics.url;
    let failed = |feature: Feature| read.problems.iter().any(|(asked, _)| *asked == Asked::Feature(feature));
    let (mut absent, mut answered, mut findings) = (Vec::new(), 1, Vec::new());
    for (feature, name) in FEATURES {
        match read.metrics.get(feature) {
            Some(_) => answered += 1,
            None if failed(feature) => {}
            None if feature == Feature::HttpRequestsTotalRate => {
                findings.push(Finding::fail(what, no_samples(url, name)));
            }
            None => absent.push(name),
        }
    }
    findings.push(Finding::good(
        what,
        format!("{answered} of {} queries answer with one number at {url}", FEATURES.len() + 1),
    ));
    if !absent.is_empty() {
        let text = format!("no samples for {}: policies do without, or set spec.metrics.queries", absent.join(", "));
        findings.push(Finding::note(what, text));
    }
    findings
}

fn no_samples(url: &str, query: &str) -> String {
    format!(
        "{query} has no samples at {url}: check that Prometheus scrapes the target's pods, and that namespace and pod are labels of \
         its metrics; or set spec.metrics.queries.{query}"
    )
}
