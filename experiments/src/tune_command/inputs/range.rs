//! Saved answers of a Prometheus range query: requests per second, one series or one per workload.

use seatrial_datasets::Locator;
use seatrial_datasets::import::{Imported, RangeOptions, Unit, from_range};
use seatrial_datasets::prometheus::{RangeSeries, parse_query_range};

use super::{ReadError, roles};

/// Labels that name a workload, the likeliest first.
const NAMES: [&str; 12] = [
    "deployment",
    "workload",
    "service",
    "app",
    "app_kubernetes_io_name",
    "horizontalpodautoscaler",
    "scaledobject",
    "statefulset",
    "job",
    "container",
    "namespace",
    "__name__",
];

/// The trace in an answer.
///
/// # Errors
/// If it is no answer, or its series cannot be told apart.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Imported, ReadError> {
    let answer = parse_query_range(bytes).map_err(|error| ReadError::Other(format!("{file}: {error}")))?;
    let label = label(&answer.data.series);
    let options = RangeOptions { series_label: label.clone(), unit: Unit::RequestsPerSecond, step: None };
    let id = Locator::id_of(std::path::Path::new(file));
    let mut imported = from_range(&id, file, answer.data.series, &options)?;
    imported.notes.extend(label.map(|label| format!("its series are named by the label `{label}`")));
    if roles::of(&imported.trace).is_some() {
        // Levels are no rates: undo what made a count of them.
        let seconds = imported.trace.interval.as_secs_f64();
        let levels = imported.trace.series.iter_mut().filter(|series| roles::is_level(&series.name));
        levels.flat_map(|series| &mut series.values).for_each(|value| *value /= seconds);
    } else {
        imported.notes.push("its values are read as requests per second".to_owned());
    }
    Ok(imported)
}

/// The label that names the series, where there are several: the first that tells them apart, else any, whose fault the
/// importer then tells.
fn label(series: &[RangeSeries]) -> Option<String> {
    if series.len() < 2 {
        return None;
    }
    let tells_apart = |label: &&str| {
        let mut values: Vec<&String> = series.iter().filter_map(|series| series.labels.get(*label)).collect();
        values.sort_unstable();
        values.dedup();
        values.len() == series.len()
    };
    let own = || series[0].labels.keys().map(String::as_str);
    let others = own().filter(|label| !NAMES.contains(label));
    NAMES.into_iter().chain(others).find(tells_apart).or_else(|| own().next()).map(str::to_owned)
}
