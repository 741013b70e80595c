//! The command line of `seatrial tune`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use seatrial_core::time::Span;

use crate::import_command::span;

/// Arguments of `tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// What runs today: YAML or JSON with HorizontalPodAutoscalers (autoscaling/v2 or v1) or ScaledObjects; other objects may
    /// stand beside them.
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// The load it met: a trace (.parquet, or its id), a CSV file, or a saved answer of a Prometheus range query (JSON).
    #[arg(long, value_name = "FILE")]
    pub trace: String,
    /// Series of the trace (default: the one called like the autoscaler or its workload, or the only one).
    #[arg(long, value_name = "NAME")]
    pub series: Option<String>,
    /// Autoscaler of the manifest, by its name, its workload, or NAMESPACE/NAME (default: all that have a series).
    #[arg(long, value_name = "NAME")]
    pub scaler: Option<String>,
    /// What counts: cost, balanced or slo (a bad request is worth 0.3, 1 or 3 pod-seconds).
    #[arg(long, value_enum, default_value = "balanced")]
    pub objective: Objective,
    /// Time from the creation of a pod until it is ready: the median, for example 45s.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub pod_start: Option<Span>,
    /// Requests per second that one pod serves at 100 % of its CPU (default: estimated, where the trace has CPU and replicas).
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub requests_per_pod: Option<f64>,
    /// Name of a metric of the manifest that counts requests per second, where its name does not say so.
    #[arg(long, value_name = "NAME")]
    pub rate_metric: Option<String>,
    /// Folder for the manifest to apply, the page and its data (default: tune-NAME).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace files that are there and hold something else.
    #[arg(long)]
    pub force: bool,
    /// Configurations at a time (default: one per processor). The result does not depend on it.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// What counts: the price of a bad request in pod-seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Objective {
    /// 0.3: replicas first.
    Cost,
    /// 1.
    Balanced,
    /// 3: requests first.
    Slo,
}

impl Objective {
    /// All of them, from the cheapest bad request to the dearest.
    pub const ALL: [Self; 3] = [Self::Cost, Self::Balanced, Self::Slo];

    /// Price of a bad request in pod-seconds.
    #[must_use]
    pub const fn kappa(self) -> f64 {
        match self {
            Self::Cost => 0.3,
            Self::Balanced => 1.0,
            Self::Slo => 3.0,
        }
    }

    /// The word of the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Balanced => "balanced",
            Self::Slo => "slo",
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (1e-3..=1e7).contains(rate));
    rate.ok_or_else(|| format!("`{text}` is no rate: give requests per second above 0, for example 80"))
}
