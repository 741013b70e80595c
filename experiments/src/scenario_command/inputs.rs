//! What the names in a scenario stand for: traces as rates and single requests, values of distributions, nodes and pods.
//!
//! A pure function of the scenario and the files. Time in a scenario begins at the epoch; a trace is moved there.
//!
//! # Deviations
//! 1. Pods of a record that were never bound are left out: how long they would have run is not known.
//! 2. A trace of events that stands where rates are wanted is counted by the minute first.

mod distributions;
mod requests;
mod rows;
mod traces;

use std::path::PathBuf;

use seatrial_core::time::Span;
use seatrial_datasets::{Located, Locator, TraceError};
use seatrial_envs::spec::traffic::SourceSpec;
use seatrial_envs::spec::{Inputs, ScenarioSpec, SourceLoad, check_inputs, generate, wording};

use super::{LoadedScenario, reading};
use crate::config::nearest;
use crate::error::Result;

/// Ids that a message lists.
const MOST_NAMES: usize = 8;

/// What is wrong with a name, at its key.
#[derive(Debug)]
struct Refusal {
    key: String,
    detail: String,
}

impl Refusal {
    fn new(key: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self { key: key.into(), detail: detail.to_string() }
    }
}

/// Where files are looked for, and the length and grid of the scenario.
struct Sources<'a> {
    folders: &'a [PathBuf],
    duration: Span,
    scrape: Span,
}

/// Reads everything that the scenario names.
///
/// # Errors
/// At the key of the first name that stands for nothing, or for something that does not fit; and if pods fit on no recorded node.
pub fn read(loaded: &LoadedScenario, folders: &[PathBuf]) -> Result<Inputs> {
    let spec = &loaded.spec;
    let sources = Sources {
        folders,
        duration: Span::from_secs_f64(spec.duration_s),
        scrape: Span::from_secs_f64(spec.metrics.scrape_s),
    };
    let inputs = sources.inputs(spec).map_err(|refusal| reading::refuse_key(loaded, &refusal.key, &refusal.detail))?;
    match check_inputs(spec, &inputs).as_slice() {
        [] => Ok(inputs),
        problems => Err(reading::refuse(loaded, problems)),
    }
}

/// For each source of recorded rates how its values are read.
pub(super) fn records(spec: &ScenarioSpec, folders: &[PathBuf]) -> Vec<Option<String>> {
    let locator = Locator::new(folders.to_vec());
    let record = |source: &SourceSpec| match source {
        SourceSpec::Trace { id, peak_per_s, .. } => traces::described(&locator, id, *peak_per_s),
        _ => None,
    };
    spec.traffic.iter().map(|traffic| record(&traffic.source)).collect()
}

impl Sources<'_> {
    fn inputs(&self, spec: &ScenarioSpec) -> std::result::Result<Inputs, Refusal> {
        let mut inputs = Inputs::default();
        for (index, traffic) in spec.traffic.iter().enumerate() {
            inputs.loads.push(self.load(&format!("traffic[{index}].source"), &traffic.source)?);
        }
        for (key, distribution) in distributions::of(spec) {
            if let Some((name, values)) = self.table(&key, distribution)? {
                inputs.tables.insert(name, values);
            }
        }
        let pools = spec.cluster.iter().flat_map(|cluster| &cluster.pools);
        for (name, id) in pools.filter_map(|(name, pool)| Some((name, pool.inventory.as_ref()?))) {
            let nodes = self.nodes(&format!("cluster.pools.{name}.inventory"), id)?;
            inputs.inventories.insert(id.clone(), nodes);
        }
        for (name, workload) in &spec.workloads {
            if let Some(id) = &workload.trace {
                let pods =
                    self.pods(&format!("workloads.{name}.trace"), id, Span::from_secs_f64(workload.trace_from_s))?;
                inputs.pods.insert(id.clone(), pods);
            }
        }
        Ok(inputs)
    }

    fn load(&self, at: &str, source: &SourceSpec) -> std::result::Result<SourceLoad, Refusal> {
        match source {
            SourceSpec::Trace { id, series, from_s, peak_per_s } => {
                let part = traces::Part { id, series: series.as_deref(), from_s: *from_s, peak_per_s: *peak_per_s };
                Ok(SourceLoad::Rates(self.rates(&format!("{at}.trace"), &part)?))
            }
            SourceSpec::Requests { id, from_s } => {
                let requests = self.requests(&format!("{at}.requests"), id, Span::from_secs_f64(*from_s))?;
                Ok(SourceLoad::Listed(requests))
            }
            generator => match generate::generated(generator, self.duration, self.scrape) {
                Ok(Some(load)) => Ok(SourceLoad::Rates(load)),
                Ok(None) => Err(Refusal::new(at, "stands for a file, not for a generator")),
                Err(error) => Err(Refusal::new(at, error)),
            },
        }
    }

    /// Where the trace called `id` lies; rows can be read of files alone, series of shipped traces too.
    fn find(&self, key: &str, id: &str) -> std::result::Result<Located, Refusal> {
        let locator = Locator::new(self.folders.to_vec());
        locator.resolve(id).map_err(|error| match error {
            TraceError::Absent { .. } => Refusal::new(key, self.absent(id)),
            other => Refusal::new(key, other),
        })
    }

    fn file(&self, key: &str, id: &str) -> std::result::Result<PathBuf, Refusal> {
        match self.find(key, id)? {
            Located::File(path) => Ok(path),
            Located::Shipped(id) => {
                Err(Refusal::new(key, format!("`{id}` is shipped as rates alone and has no rows; name a file")))
            }
        }
    }

    /// What is said of a trace that is nowhere: the ids there are.
    fn absent(&self, id: &str) -> String {
        let name = wording::quoted(id);
        if std::path::Path::new(id).components().count() > 1 || id.ends_with(".parquet") {
            return format!(
                "names the file {name}, which is not there; correct the path, or give the id of a trace in SEATRIAL_TRACES"
            );
        }
        let mut ids: Vec<String> = self.folders.iter().flat_map(|folder| ids_in(folder)).collect();
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            let place = if self.folders.is_empty() { "is not set" } else { "names no folder with Parquet files" };
            return format!(
                "names the trace {name}, which is not there: the environment variable SEATRIAL_TRACES {place}. Set it to the \
                 folder that holds the traces, or give the path of a Parquet file"
            );
        }
        let meant = nearest::of(id, ids.iter().map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let mut known = nearest::first(id, ids.iter().map(String::as_str));
        let more = known.len().saturating_sub(MOST_NAMES);
        known.truncate(MOST_NAMES);
        let tail = if more > 0 { format!(" and {more} more (`seatrial list traces`)") } else { String::new() };
        let known = known.join(", ") + &tail;
        format!("names the trace {name}, which is not in SEATRIAL_TRACES; the ids there are {known}{meant}")
    }
}

fn ids_in(folder: &std::path::Path) -> Vec<String> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .map(|path| Locator::id_of(&path))
        .collect()
}
