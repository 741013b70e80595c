//! The command line of `seatrial import`: shapes, and the words in which spans of time are written.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::import::{TimeFormat, Unit};
use seatrial_datasets::moment;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Where from.
    #[command(subcommand)]
    pub source: ImportSource,
}

/// The sources, in alphabetical order.
#[derive(Debug, Subcommand)]
pub enum ImportSource {
    /// Makes a trace of a CSV file with a column of times and one of values.
    Csv(CsvArgs),
    /// Makes a trace of the load in an operator's decision log, with the workload as it was seen beside it.
    Decisions(DecisionsArgs),
    /// Makes a ScalingPolicy (mode Shadow) of each HorizontalPodAutoscaler in a manifest, with the same rule as its fallback.
    Hpa(HpaArgs),
    /// Makes a trace of a Prometheus range query, or of a saved answer to one.
    Prometheus(PrometheusArgs),
}

/// Where a trace goes.
#[derive(Debug, Args)]
pub struct TraceTargetArgs {
    /// The trace to write, a .parquet file; its name without the ending becomes the trace's id.
    #[arg(long, value_name = "X.parquet")]
    pub out: PathBuf,
    /// Replace a file that is there and holds something else.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `import csv`.
#[derive(Debug, Args)]
pub struct CsvArgs {
    /// The CSV file: UTF-8, separated by commas, with a header; an empty value is a missing bin.
    pub file: PathBuf,
    /// Column of times: the start of each bin.
    #[arg(long, value_name = "COLUMN")]
    pub time: String,
    /// Column of values.
    #[arg(long, value_name = "COLUMN")]
    pub value: String,
    /// Column of names, where the file holds several series.
    #[arg(long, value_name = "COLUMN")]
    pub series: Option<String>,
    /// What a value means (default: requests, a count per bin).
    #[arg(long, value_enum)]
    pub unit: Option<UnitWord>,
    /// Length of a bin, for example 60s, 5m, 1h (default: the most common distance of two rows).
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub interval: Option<Span>,
    /// How times are written (default: judged by the first row).
    #[arg(long, value_enum)]
    pub time_format: Option<TimeFormatWord>,
    /// Where the trace goes.
    #[command(flatten)]
    pub target: TraceTargetArgs,
}

/// Arguments of `import decisions`.
#[derive(Debug, Args)]
pub struct DecisionsArgs {
    /// The log: the folder of decisions-*.parquet that the operator writes, or one such file.
    #[arg(value_name = "DIR")]
    pub log: PathBuf,
    /// Only this subject. May be repeated (default: all of them, a series each).
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub subject: Vec<String>,
    /// Length of a bin, for example 15s (default: the most common distance of two samples).
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub interval: Option<Span>,
    /// Where the trace goes; NAME.evaluation.toml is written beside it.
    #[command(flatten)]
    pub target: TraceTargetArgs,
}

/// Arguments of `import prometheus`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").required(true).args(["url", "dump"])))]
pub struct PrometheusArgs {
    /// Base address of Prometheus' HTTP API, for example http://localhost:9090.
    #[arg(long, requires_all = ["query", "from", "to", "step"])]
    pub url: Option<String>,
    /// PromQL that answers with requests per second.
    #[arg(
        long,
        value_name = "PROMQL",
        conflicts_with = "dump",
        help = "PromQL that answers with requests per second, for example 'sum(rate(http_requests_total[1m]))'"
    )]
    pub query: Option<String>,
    /// First moment, for example 2026-01-31T12:00:00Z (UTC where no offset is given).
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse, conflicts_with = "dump")]
    pub from: Option<Timestamp>,
    /// Last moment, inclusive; must have passed.
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse, conflicts_with = "dump")]
    pub to: Option<Timestamp>,
    /// Step of the query and length of a bin, for example 15s (a saved answer: the most common distance of two points).
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub step: Option<Span>,
    /// File with a bearer token.
    #[arg(long, value_name = "FILE", conflicts_with = "dump")]
    pub token_file: Option<PathBuf>,
    /// File with the certificate authorities to trust, PEM (default: the system's).
    #[arg(long, value_name = "FILE", conflicts_with = "dump")]
    pub ca_file: Option<PathBuf>,
    /// A saved answer of /api/v1/query_range instead of a server.
    #[arg(long, value_name = "FILE.json")]
    pub dump: Option<PathBuf>,
    /// Label whose value names each series, where the query answers with several.
    #[arg(long, value_name = "LABEL")]
    pub series: Option<String>,
    /// What a value means.
    #[arg(long, value_enum, default_value = "requests_per_s")]
    pub unit: UnitWord,
    /// Where the trace goes.
    #[command(flatten)]
    pub target: TraceTargetArgs,
}

/// Arguments of `import hpa`.
#[derive(Debug, Args)]
pub struct HpaArgs {
    /// Manifests (YAML or JSON, several documents, lists) with HorizontalPodAutoscalers of autoscaling/v2.
    pub file: PathBuf,
    /// Base address of Prometheus' HTTP API as the operator reaches it: a ScalingPolicy reads its metrics there.
    #[arg(long, value_name = "URL")]
    pub prometheus: String,
    /// Folder for one file per policy, NAMESPACE.NAME.yaml (default: all of them to standard output).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace files that are there and hold something else.
    #[arg(long)]
    pub force: bool,
}

/// What a value means, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnitWord {
    /// A count of requests in the bin.
    #[value(name = "requests")]
    Requests,
    /// Requests per second.
    #[value(name = "requests_per_s")]
    RequestsPerSecond,
}

impl From<UnitWord> for Unit {
    fn from(word: UnitWord) -> Self {
        match word {
            UnitWord::Requests => Self::Requests,
            UnitWord::RequestsPerSecond => Self::RequestsPerSecond,
        }
    }
}

/// How times are written, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeFormatWord {
    /// 2026-01-31T12:00:00Z.
    #[value(name = "rfc3339")]
    Rfc3339,
    /// Seconds since 1970.
    #[value(name = "unix-s")]
    UnixSeconds,
    /// Milliseconds since 1970.
    #[value(name = "unix-ms")]
    UnixMilliseconds,
}

impl From<TimeFormatWord> for TimeFormat {
    fn from(word: TimeFormatWord) -> Self {
        match word {
            TimeFormatWord::Rfc3339 => Self::Rfc3339,
            TimeFormatWord::UnixSeconds => Self::UnixSeconds,
            TimeFormatWord::UnixMilliseconds => Self::UnixMilliseconds,
        }
    }
}

/// A positive span as Prometheus writes it: `15s`, `1m30s`, `500ms`, `1d`.
pub(crate) fn span(text: &str) -> Result<Span, String> {
    let refuse = || format!("`{text}` is no span: write it as 15s, 5m, 1h30m or 500ms");
    let mut rest = text;
    let mut total_ms: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
        let number: i64 = rest[..digits].parse().map_err(|_| refuse())?;
        let (unit_ms, length) = unit(&rest[digits..]).ok_or_else(refuse)?;
        let part = number.checked_mul(unit_ms).ok_or_else(refuse)?;
        total_ms = total_ms.checked_add(part).filter(|sum| *sum <= LONGEST_MS).ok_or_else(refuse)?;
        rest = &rest[digits + length..];
    }
    (total_ms > 0).then(|| Span::from_millis(total_ms)).ok_or_else(refuse)
}

/// A thousand years: more is a slip, and microseconds of it still fit.
const LONGEST_MS: i64 = 1_000 * 366 * 86_400_000;

/// Milliseconds of the unit that `text` begins with, and its length.
fn unit(text: &str) -> Option<(i64, usize)> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    units.into_iter().find(|(name, _)| text.starts_with(name)).map(|(name, ms)| (ms, name.len()))
}

/// A span as this command line reads it.
pub(crate) fn shown(span: Span) -> String {
    let micros = span.micros();
    match (micros % 1_000_000, micros / 1_000_000) {
        (0, seconds) => format!("{seconds}s"),
        _ => format!("{}ms", micros / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, ms) in [("15s", 15_000), ("1m30s", 90_000), ("500ms", 500), ("1d", 86_400_000), ("2h", 7_200_000)] {
            assert_eq!(span(text), Ok(Span::from_millis(ms)), "{text}");
        }
        assert_eq!((shown(Span::from_secs(90)), shown(Span::from_millis(1_500))), ("90s".into(), "1500ms".into()));
        for text in ["", "0s", "15", "s", "-1s", "1.5s", "1y", "9999999999999d", "99999999999999999999s", "1s é"] {
            assert!(span(text).unwrap_err().contains("is no span"), "{text}");
        }
    }
}
