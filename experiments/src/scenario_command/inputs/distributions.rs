//! Which distributions a scenario samples from records, and their values.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatrial_datasets::recorded::Recorded;
use seatrial_envs::spec::{Distribution, Inputs, ScenarioSpec};

use super::requests::read_rows;
use super::{Refusal, Sources};

/// Names that a message lists.
const MOST_NAMES: usize = 20;

/// All distributions of the scenario with their keys.
pub(super) fn of(spec: &ScenarioSpec) -> Vec<(String, &Distribution)> {
    let mut all = Vec::new();
    for (name, service) in &spec.services {
        all.push((format!("services.{name}.service_time_s"), &service.service_time_s));
        all.push((format!("services.{name}.start.start_s"), &service.start.start_s));
    }
    for (index, traffic) in spec.traffic.iter().enumerate() {
        for (place, class) in traffic.classes.iter().enumerate() {
            let at = format!("traffic[{index}].classes[{place}]");
            all.extend(class.input_tokens.iter().map(|tokens| (format!("{at}.input_tokens"), tokens)));
            all.extend(class.output_tokens.iter().map(|tokens| (format!("{at}.output_tokens"), tokens)));
        }
    }
    for (name, pool) in spec.cluster.iter().flat_map(|cluster| &cluster.pools) {
        all.push((format!("cluster.pools.{name}.provision_s"), &pool.provision_s));
        all.push((format!("cluster.pools.{name}.speed"), &pool.speed));
    }
    all
}

/// A key of [`Inputs::tables`] and its values.
type Named = (String, Arc<[f64]>);

impl Sources<'_> {
    /// The values of a sampled distribution under their key; `None` for one that has a formula.
    pub(super) fn table(&self, key: &str, distribution: &Distribution) -> Result<Option<Named>, Refusal> {
        let Distribution::Sampled { trace, series, only, column, factor, relative } = distribution else {
            return Ok(None);
        };
        let at = format!("{key}.sampled");
        let column = column.as_deref().unwrap_or("value");
        let columns: Vec<&str> = [column, "series"].into_iter().chain(only.keys().map(String::as_str)).collect();
        let rows = read_rows(&self.file(&format!("{at}.trace"), trace)?, &format!("{at}.trace"), &columns)?;
        let chosen = chosen(&at, &rows, series.as_deref(), only)?;
        let key = if column == "value" { "trace" } else { "column" };
        let values = rows.quantity(column).map_err(|error| Refusal::new(format!("{at}.{key}"), error))?;
        let mut values: Vec<f64> =
            chosen.into_iter().filter_map(|row| values[row]).filter(|value| *value >= 0.0).collect();
        values.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^52")]
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        if !(mean > 0.0 && mean.is_finite()) {
            return Err(Refusal::new(
                format!("{at}.trace"),
                format!("names `{trace}`, whose chosen values have no mean above 0"),
            ));
        }
        let scale = if *relative { factor / mean } else { *factor };
        Ok(Some((Inputs::table_key(distribution), values.iter().map(|value| value * scale).collect())))
    }
}

/// The rows of the series whose columns hold what is wanted.
fn chosen(
    at: &str,
    rows: &Recorded,
    series: Option<&str>,
    only: &BTreeMap<String, String>,
) -> Result<Vec<usize>, Refusal> {
    let mut chosen: Vec<usize> = (0..rows.rows()).collect();
    let named = series.map(|name| (format!("{at}.series"), "series", name));
    let filters = only.iter().map(|(column, text)| (format!("{at}.only.{column}"), column.as_str(), text.as_str()));
    for (key, column, wanted) in named.into_iter().chain(filters) {
        let words = rows.words(column).map_err(|error| Refusal::new(key.as_str(), error))?;
        let before: Vec<&str> = chosen.iter().map(|row| words[*row].as_str()).collect();
        let known = distinct(&before);
        chosen.retain(|row| words[*row] == wanted);
        if chosen.is_empty() {
            return Err(Refusal::new(key, format!("is `{wanted}`, which no row has that is left; there are {known}")));
        }
    }
    Ok(chosen)
}

fn distinct(words: &[&str]) -> String {
    let mut known = words.to_vec();
    known.sort_unstable();
    known.dedup();
    let more = known.len().saturating_sub(MOST_NAMES);
    known.truncate(MOST_NAMES);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    known.join(", ") + &tail
}
