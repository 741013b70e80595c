//! The command line of `seatrial-operator`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Scales workloads by Seatrial policies: watches in Shadow, proposes in Recommend, acts in Enforce.
#[derive(Debug, Parser)]
#[command(name = "seatrial-operator", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the operator until it is told to stop.
    Run(Box<RunArgs>),
    /// Looks whether everything is there that `run` needs, and says how to get what is missing.
    Check(Box<CheckArgs>),
    /// Prints what to install in a cluster: the resource type, or everything.
    Manifests(ManifestArgs),
    /// Serves the metrics of a simulated load on real pods, so that decisions have consequences.
    #[cfg(feature = "rehearse")]
    World(Box<crate::world::WorldArgs>),
}

/// Which cluster: `KUBECONFIG`, else the user's own configuration, else the service account of the pod.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Only this namespace. Default: all.
    #[arg(long)]
    pub namespace: Option<String>,
    /// Address of /metrics, /healthz and /readyz.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Folder of the decision log. Default: no log.
    #[arg(long)]
    pub log: Option<PathBuf>,
    /// Seconds after which a file of the log is written.
    #[arg(long, default_value_t = 300)]
    pub log_seconds: u64,
    /// Most bytes of the log, in MiB: the oldest files make room.
    #[arg(long, default_value_t = 256)]
    pub log_mebibytes: u64,
    /// Namespace of the Lease by which one of several operators leads. Default: that of the pod, else `default`.
    #[arg(long)]
    pub lease_namespace: Option<String>,
    /// Name of the Lease.
    #[arg(long, default_value = "seatrial-operator")]
    pub lease: String,
    /// Leads without a Lease: for the only operator of a cluster.
    #[arg(long)]
    pub no_lease: bool,
    /// Longest time of a request, in milliseconds.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=5_000))]
    pub timeout_ms: u64,
    /// Most bytes of an answer of Prometheus, in KiB.
    #[arg(long, default_value_t = 4_096)]
    pub answer_kibibytes: usize,
    /// Folder in which the token and CA files that policies name must lie.
    #[arg(long, default_value = "/etc/seatrial/credentials")]
    pub credentials: PathBuf,
    /// Runs so many times faster than the clock: for rehearsals with `world`.
    #[cfg(feature = "rehearse")]
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=60))]
    pub time_scale: i64,
}

impl RunArgs {
    /// Longest time of a request.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How fast the machine's time runs.
    #[must_use]
    pub const fn pace(&self) -> i64 {
        #[cfg(feature = "rehearse")]
        return self.time_scale;
        #[cfg(not(feature = "rehearse"))]
        1
    }
}

/// What to look at.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Only this namespace. Default: all.
    #[arg(long)]
    pub namespace: Option<String>,
    /// Namespace of the Lease. Default: `default`.
    #[arg(long)]
    pub lease_namespace: Option<String>,
    /// Folder in which the token and CA files that policies name must lie.
    #[arg(long, default_value = "/etc/seatrial/credentials")]
    pub credentials: PathBuf,
    /// Prometheus to look at beside those that policies name.
    #[arg(long)]
    pub prometheus: Option<String>,
}

/// What to print.
#[derive(Debug, Args)]
pub struct ManifestArgs {
    /// Only the resource type.
    #[arg(long)]
    pub crd: bool,
}
