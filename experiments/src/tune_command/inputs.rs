//! The load that the workload met: traces, CSV files and saved answers of Prometheus, as requests per second on a grid.
//!
//! Nothing is scaled or smoothed: these are the user's own requests. A trace of replicas and CPU alone gives an estimate of the
//! load; whatever was read into the data is said in [`Inputs::notes`].

mod csv;
mod range;
mod roles;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::import::{ImportError, Imported};
use seatrial_datasets::{Kind, Locator, Series, Trace};

use crate::error::{ExperimentError, Result};
use crate::hash;

/// The grid of the simulated metrics: bins must be whole numbers of it.
const SLOT: Span = Span::from_secs(15);
/// Bins longer than this after resampling, where the source's own were not, come from an odd interval.
const ODD: Span = Span::from_secs(900);
/// Width in which events are counted.
const EVENT_BIN: Span = Span::from_secs(60);
/// No load is greater.
const MOST_PER_S: f64 = 1e9;
const BEYOND: &str = "beyond what a simulation can hold (1e9 requests/s)";
/// A file larger than this is not read whole.
const MOST_BYTES: u64 = 1 << 30;

/// What a trace holds.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// As the user named it.
    pub(super) file: String,
    pub(super) series: Vec<Offered>,
    pub(super) notes: Vec<String>,
}

/// The load of one workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offered {
    /// Name of the series; empty if it is the only one.
    pub(super) name: String,
    pub(super) start: Timestamp,
    pub(super) interval: Span,
    /// Requests per second of each bin; a missing bin holds the last one.
    pub(super) rate_per_s: Vec<f64>,
    pub(super) missing: Vec<bool>,
    /// What one pod serves at 100 % CPU, as the trace shows it.
    pub(super) seen_capacity: Option<f64>,
    /// Whether the load was estimated from replicas and CPU, as a share of what one pod serves: then rates are pods' worth of
    /// work until [`Offered::in_requests`].
    pub(super) estimated: bool,
    /// Share of the bins in which CPU was saturated, where the load is an estimate; else 0.
    pub(super) saturated: f64,
    /// Replicas of each bin as recorded; empty if they were not.
    pub(super) replicas: Vec<f64>,
    /// Hash of the content.
    pub(super) content_hash: String,
}

impl Offered {
    /// Whole length.
    pub(super) fn span(&self) -> Span {
        self.interval * i64::try_from(self.rate_per_s.len()).unwrap_or(i64::MAX)
    }

    /// Start of a bin.
    pub(super) fn at(&self, bin: usize) -> Timestamp {
        self.start + self.interval * i64::try_from(bin).unwrap_or(i64::MAX)
    }

    /// Share of bins without a value.
    pub(super) fn missing_share(&self) -> f64 {
        let missing = self.missing.iter().filter(|missing| **missing).count();
        seatrial_reports::stats::count(missing) / seatrial_reports::stats::count(self.missing.len().max(1))
    }

    /// An estimated load in requests per second, at what one pod serves.
    pub(super) fn in_requests(mut self, capacity: f64) -> Self {
        if self.estimated {
            self.rate_per_s.iter_mut().for_each(|rate| *rate *= capacity);
        }
        self
    }
}

/// Opens what the user named: a file by its content, else a trace by its id.
///
/// # Errors
/// If it is not there or is none of the kinds.
pub(super) fn open(name: &str, locator: &Locator) -> Result<Inputs> {
    let path = std::path::Path::new(name);
    let bytes = if path.is_file() {
        let size = std::fs::metadata(path).map_err(ExperimentError::io("read", path))?.len();
        if size > MOST_BYTES {
            return Err(ExperimentError::Trace(format!("{name}: larger than 1 GiB; cut it, a few weeks suffice")));
        }
        Some(std::fs::read(path).map_err(ExperimentError::io("read", path))?)
    } else {
        None
    };
    match bytes {
        Some(bytes) if !bytes.starts_with(b"PAR1") => foreign(name, &bytes),
        _ => {
            let trace = locator.open(name).map_err(|error| ExperimentError::Trace(error.to_string()))?;
            of_trace(name, trace, Vec::new())
        }
    }
}

/// What stands in bytes that are no Parquet: an answer of Prometheus, or CSV.
pub(super) fn foreign(file: &str, bytes: &[u8]) -> Result<Inputs> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let imported = if first == Some(&b'{') { range::read(file, bytes) } else { csv::read(file, bytes) };
    let Imported { trace, notes } = imported.map_err(|error| ExperimentError::Trace(error.to_string()))?;
    of_trace(file, trace, notes)
}

/// An error of reading, in the words of the importers.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("{0}")]
    Other(String),
}

fn of_trace(file: &str, trace: Trace, mut notes: Vec<String>) -> Result<Inputs> {
    let refused = |detail: String| ExperimentError::Trace(format!("{file}: {detail}"));
    let trace = match trace.kind {
        Kind::Event => {
            notes.push(format!("it holds events: they are counted in bins of {} s", EVENT_BIN.as_secs_f64()));
            trace.bin_events(EVENT_BIN).map_err(|error| refused(error.to_string()))?
        }
        _ => trace,
    };
    if trace.kind == Kind::Gauge && !trace.unit.contains("requests") && roles::of(&trace).is_none() {
        let unit: String = trace.unit.chars().take(48).collect();
        let cut = if unit.len() < trace.unit.len() { "…" } else { "" };
        notes.push(format!("its values (unit: {unit}{cut}) are read as requests per second"));
    }
    let series = match roles::of(&trace) {
        Some(roles) => vec![roles.offered(&trace, file, &mut notes).map_err(|error| refused(error.to_string()))?],
        None => trace
            .series
            .iter()
            .map(|series| offered(&trace, series, file))
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| refused(error.to_string()))?,
    };
    series.iter().try_for_each(|series| check_rates(series, file))?;
    Ok(Inputs { file: file.to_owned(), series, notes })
}

/// Refuses rates that would overflow what is simulated.
fn check_rates(series: &Offered, file: &str) -> Result<()> {
    let Some(bin) = series.rate_per_s.iter().position(|rate| *rate > MOST_PER_S) else { return Ok(()) };
    let name = if series.name.is_empty() {
        String::new()
    } else {
        format!(" series `{}`,", super::manifest::short(&series.name))
    };
    Err(ExperimentError::Trace(format!(
        "{file}:{name} bin {}: {:e} requests/s are {BEYOND}",
        bin + 1,
        series.rate_per_s[bin]
    )))
}

fn offered(trace: &Trace, series: &Series, file: &str) -> std::result::Result<Offered, ReadError> {
    let series = on_slots(series, trace.kind, file)?;
    let seconds = if trace.kind == Kind::Gauge { 1.0 } else { series.interval.as_secs_f64() };
    Ok(Offered {
        name: series.name.clone(),
        start: series.start,
        interval: series.interval,
        rate_per_s: series.values.iter().map(|value| value / seconds).collect(),
        missing: series.missing.clone(),
        seen_capacity: None,
        estimated: false,
        saturated: 0.0,
        replicas: Vec::new(),
        content_hash: content_hash(trace),
    })
}

fn content_hash(trace: &Trace) -> String {
    if trace.content_hash.is_empty() { hash::of_bytes(trace.id.as_bytes()) } else { trace.content_hash.clone() }
}

/// The series on a grid that the simulated metrics fit: its own, or the next coarser one.
fn on_slots(series: &Series, kind: Kind, file: &str) -> std::result::Result<Series, ReadError> {
    let (own, slot) = (series.interval.micros(), SLOT.micros());
    if own <= 0 {
        return Err(ReadError::Other("bins of no length; state an interval".to_owned()));
    }
    if own % slot == 0 {
        return Ok(series.clone());
    }
    let coarse = Span::from_micros((own / gcd(own, slot)).saturating_mul(slot));
    if coarse > ODD.max(series.interval) {
        let seconds = series.interval.as_secs_f64();
        let detail = format!("{file}: bins of {seconds} s fit no grid of 15 s; resample to 15 s, 30 s or 60 s");
        return Err(ReadError::Other(detail));
    }
    series.resample(kind, coarse).map_err(|error| ReadError::Other(error.to_string()))
}

const fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
