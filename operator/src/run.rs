//! `seatrial-operator run`: puts the parts together, and takes them apart when it is told to stop.

use std::path::Path;
use std::sync::Arc;

use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::RunArgs;
use crate::clock::Clock;
use crate::decision_log::{DecisionLog, LogSettings};
use crate::reconcile::Pace;
use crate::server;
use crate::shell::api::Api;
use crate::shell::driver::Driver;
use crate::shell::hands::{Hands, PrometheusLimits};
use crate::shell::lease::{Candidate, Leadership};
use crate::shell::watches;
use crate::telemetry::Telemetry;

/// File in which a pod finds its own namespace.
pub(crate) const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// Most requests to one Prometheus at the same time.
const PROMETHEUS_CONCURRENCY: usize = 32;

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No cluster.
    #[error("no cluster is configured: {0}. Set KUBECONFIG, or run it in a pod")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The configuration makes no client.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(#[from] kube::Error),
    /// An address or folder.
    #[error("{what} {place}: {source}")]
    Place {
        /// What was tried.
        what: &'static str,
        /// Where.
        place: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// Runs until SIGTERM or an interrupt.
///
/// # Errors
/// If it cannot begin; what happens later is a condition, a log line or a metric.
pub async fn run(args: &RunArgs) -> Result<(), RunError> {
    run_until(args, client().await?, stop_on_signal()).await
}

/// Turns true on SIGTERM or an interrupt.
#[must_use]
pub fn stop_on_signal() -> watch::Receiver<bool> {
    let (stopper, stop) = watch::channel(false);
    tokio::spawn(async move {
        wait_for_signal().await;
        let _ = stopper.send(true);
    });
    stop
}

/// Runs until `stop` turns true.
///
/// # Errors
/// If it cannot begin.
pub async fn run_until(args: &RunArgs, client: Client, stop: watch::Receiver<bool>) -> Result<(), RunError> {
    let telemetry = Arc::new(Telemetry::new());
    let log = log(args)?;
    telemetry.count_log(&log);
    let address = server::start(args.listen, telemetry.clone(), stop.clone()).await;
    let address = address.map_err(|source| RunError::Place {
        what: "cannot listen on",
        place: args.listen.to_string(),
        source,
    })?;
    let api = Api::new(client.clone(), args.timeout());
    let namespace = lease_namespace(args);
    let identity = identity();
    let (leadership, election) = stand(args, &api, &namespace, &identity);
    tracing::info!(%address, %identity, namespace = args.namespace.as_deref().unwrap_or("all"), "begins");
    let clock = Clock::new(Clock::wall(), Pace(args.pace()));
    let limits = PrometheusLimits {
        timeout: args.timeout(),
        answer_limit_bytes: args.answer_kibibytes << 10,
        concurrency: PROMETHEUS_CONCURRENCY,
        credentials_folder: Some(args.credentials.clone()),
    };
    let hands = Hands::new(api.clone(), clock, limits, leadership.clone(), log);
    let told = watches::start(&client, args.namespace.as_deref());
    Driver::new(&client, hands, clock, leadership, telemetry).run(told, stop).await;
    if let Some(election) = election {
        election.abort();
        Candidate::release(&api, &namespace, &args.lease, &identity).await;
    }
    tracing::info!("ended");
    Ok(())
}

/// A client without kube's default retry: retrying is the core's business.
///
/// # Errors
/// If no cluster is configured.
pub async fn client() -> Result<Client, RunError> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

fn log(args: &RunArgs) -> Result<DecisionLog, RunError> {
    let Some(folder) = &args.log else { return Ok(DecisionLog::off()) };
    let settings = LogSettings {
        rotate_after: std::time::Duration::from_secs(args.log_seconds.max(1)),
        most_bytes: args.log_mebibytes << 20,
        ..LogSettings::in_folder(folder.clone())
    };
    let place = folder.display().to_string();
    DecisionLog::start(settings).map_err(|source| RunError::Place { what: "cannot make the log folder", place, source })
}

fn stand(
    args: &RunArgs,
    api: &Api,
    namespace: &str,
    identity: &str,
) -> (Leadership, Option<tokio::task::JoinHandle<()>>) {
    if args.no_lease {
        return (Leadership::always(), None);
    }
    let candidate = Candidate::new(api.clone(), namespace, &args.lease, identity.to_owned());
    (candidate.leadership(), Some(tokio::spawn(candidate.run())))
}

/// Differs between operators: the host (a pod's name) and the process.
fn identity() -> String {
    let host = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    format!("{}-{}-{}", host.trim(), std::process::id(), Clock::wall().micros())
}

fn lease_namespace(args: &RunArgs) -> String {
    let own = || std::fs::read_to_string(NAMESPACE_FILE).ok().map(|text| text.trim().to_owned());
    args.lease_namespace.clone().or_else(own).unwrap_or_else(|| "default".to_owned())
}

async fn wait_for_signal() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
