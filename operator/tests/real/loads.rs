//! Traces in requests per second, exact: the world scales a trace as protocol P1 says, which is undone here.

use std::path::{Path, PathBuf};

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::load::TRAINING_P995_PER_S;
use seatrial_datasets::{Kind, Provenance, Series, SplitRule, Trace, prepare, write_trace};

/// Length of a bin of a trace.
pub(crate) const BIN: Span = Span::from_secs(60);
const START: Timestamp = Timestamp::from_secs(1_735_689_600);

/// Straight lines through `(bin, requests per second)`; the last one goes on for `bins` in all.
pub(crate) fn lines(points: &[(usize, f64)], bins: usize) -> Vec<f64> {
    let rate = |bin: usize| {
        let after = points.iter().position(|(at, _)| *at > bin).unwrap_or(points.len());
        let (from, low) = points[after.max(1) - 1];
        let (to, high) = points.get(after).copied().unwrap_or((usize::MAX, low));
        low + (high - low) * (bin - from) as f64 / (to - from) as f64
    };
    (0..bins).map(rate).collect()
}

/// Writes a trace that the world plays with these rates, and beyond them with the training load's own, so that the scale is 1.
pub(crate) fn write(folder: &Path, rates: &[f64]) -> PathBuf {
    let beyond = rates.len().div_ceil(20);
    let values: Vec<f64> =
        rates.iter().copied().chain(std::iter::repeat_n(TRAINING_P995_PER_S, beyond)).map(|rate| rate * 60.0).collect();
    let missing = vec![false; values.len()];
    let series = Series { name: String::new(), start: START, interval: BIN, values, missing };
    let trace = Trace {
        id: "rehearsed_load".to_owned(),
        kind: Kind::Rate,
        unit: "requests".to_owned(),
        interval: BIN,
        series: vec![series],
        events: Vec::new(),
        provenance: Provenance::default(),
        content_hash: String::new(),
    }
    .rehash();
    let played = prepare(&trace, None, &SplitRule::protocol_p1(&trace.id)).unwrap().rate_per_s;
    assert!(rates.iter().zip(&played).all(|(rate, played)| (rate - played).abs() < 1e-6), "{played:?}");
    let path = folder.join("rehearsed_load.parquet");
    write_trace(&path, &trace).unwrap();
    path
}
