//! The report of a run folder: everything it shows is read from the folder, so that it can be written again anywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seatrial_datasets::read_table;
use seatrial_reports::claims::{busy_guards, claim_scopes};
use seatrial_reports::evaluation::{self, Evaluation, Priced};
use seatrial_reports::model::{
    CellRow, Fact, LearnerKind, LearningRow, NOMINAL, ORACLE, Opening, StudyData, TrialRow, WindowRow,
};
use seatrial_reports::{tables, write};

use crate::cells::{Cell, read_cells};
use crate::config::{self, Study};
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::manifest::Manifest;
use crate::portrait;
use crate::run_folder::{RunFolder, read_json, write_atomic};

/// What notes begin with that say that figures may not be believed.
pub(crate) const WARNING: &str = "warning: ";

/// A written report.
pub struct Written {
    evaluation: Evaluation,
    index: PathBuf,
    kernel: Option<String>,
    notes: Vec<String>,
}

impl Written {
    /// Prints the tables and where the report lies.
    pub fn print(&self) {
        if let Some(kernel) = &self.kernel {
            say!("{kernel}");
        }
        for scope in tables::shown_scopes(&self.evaluation) {
            say!("{}", tables::terminal(scope));
        }
        let busy =
            claim_scopes(&self.evaluation).into_iter().flat_map(busy_guards).map(|text| format!("{WARNING}{text}"));
        let (warnings, notes): (Vec<&String>, Vec<&String>) =
            self.notes.iter().partition(|note| note.starts_with(WARNING));
        for note in notes {
            say!("note: {note}");
        }
        for warning in warnings.into_iter().cloned().chain(busy) {
            say!("{warning}");
        }
        say!("report: {}", self.index.display());
    }
}

/// `seatrial report`.
///
/// # Errors
/// If the folder is no finished run.
pub fn again(folder: &Path) -> Result<()> {
    write(&RunFolder::finished(folder)?)?.print();
    Ok(())
}

/// Writes `summary.json` and `report/` from what the folder holds.
///
/// # Errors
/// If the folder lacks something, or a file cannot be written.
pub fn write(folder: &RunFolder) -> Result<Written> {
    let manifest: Manifest = read_json(&folder.manifest())?;
    let cells = read_cells(&folder.cells())?;
    let study = study_data(folder, &manifest, &cells)?;
    let mut evaluation = evaluation::evaluate(&study).map_err(|error| ExperimentError::Report(error.to_string()))?;
    evaluation.prices = prices(folder, &study, &cells)?;
    let paths = write::write_evaluated(folder.root(), &study, &evaluation)
        .map_err(|error| ExperimentError::Report(error.to_string()))?;
    write_sensitivities(folder, &evaluation.prices)?;
    Ok(Written { evaluation, index: paths.index, kernel: manifest.kernel, notes: manifest.notes })
}

fn study_data(folder: &RunFolder, manifest: &Manifest, cells: &[Cell]) -> Result<StudyData> {
    let (mut timelines, forecasts) = portrait::read_all(folder)?;
    // Figures show the first few: the study's own order says which matter.
    let order = study_config(folder)?.strategies;
    timelines.sort_by_key(|timeline| order.iter().position(|id| *id == timeline.strategy));
    Ok(StudyData {
        name: manifest.name.clone(),
        protocol: manifest.protocol.id.to_uppercase(),
        kernel: manifest.kernel.clone(),
        question: String::new(),
        cells: priced(cells, 1.0),
        configs: BTreeMap::new(),
        learning: read_learning(folder)?,
        timelines,
        forecasts,
        trials: read_trials(folder)?,
        openings: manifest.openings.iter().map(opening).collect(),
        provenance: facts(manifest),
        notes: manifest.notes.clone(),
        failures: Vec::new(),
    })
}

fn study_config(folder: &RunFolder) -> Result<Study> {
    Ok(config::of_run(folder)?.study)
}

fn opening(opening: &crate::manifest::Opening) -> Opening {
    let purpose = format!("{} ({}, revision {})", opening.purpose, opening.at, hash::short(&opening.revision));
    Opening { by: opening.by.clone(), purpose }
}

/// Cells of strategies with the oracle's bounds at `kappa` beside each window; J is told at that price.
fn priced(cells: &[Cell], kappa: f64) -> Vec<CellRow> {
    type Place = (String, String, u64, String, i64);
    let place = |row: &CellRow, window: &WindowRow| -> Place {
        (row.family.clone(), row.series.clone(), row.eval_seed, row.regime.clone(), window.day_us)
    };
    let mut bounds = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.row.strategy == ORACLE && cell.kappa.total_cmp(&kappa).is_eq()) {
        for window in &cell.row.windows {
            bounds.insert(place(&cell.row, window), (window.oracle_lower, window.oracle_upper));
        }
    }
    let wanted = |cell: &&Cell| cell.row.strategy != ORACLE || cell.kappa.total_cmp(&kappa).is_eq();
    let mut rows: Vec<CellRow> = Vec::new();
    for cell in cells.iter().filter(wanted) {
        let mut row = cell.row.clone();
        for window in &mut row.windows {
            // J is linear in the price of a bad request.
            window.j += (kappa - cell.kappa) * (window.bad + window.left_over);
            let bound = bounds.get(&place(&cell.row, window)).copied().unwrap_or((None, None));
            (window.oracle_lower, window.oracle_upper) = bound;
        }
        rows.push(row);
    }
    rows
}

/// The study at its other prices of a bad request.
fn prices(folder: &RunFolder, study: &StudyData, cells: &[Cell]) -> Result<Vec<Priced>> {
    let at = |kappa: f64| {
        let mut rows = priced(cells, kappa);
        rows.retain(|row| row.regime == NOMINAL);
        let told = StudyData { cells: rows, ..study.clone() };
        let evaluation = evaluation::evaluate(&told).map_err(|error| ExperimentError::Report(error.to_string()))?;
        Ok(Priced { kappa, evaluation })
    };
    study_config(folder)?.kappa_sensitivity.into_iter().map(at).collect()
}

/// One table per other price: what the order of strategies would be.
fn write_sensitivities(folder: &RunFolder, prices: &[Priced]) -> Result<()> {
    for Priced { kappa, evaluation } in prices {
        let path = folder.report().join("tables").join(format!("strategies-kappa-{kappa}.csv"));
        write_atomic(&path, tables::strategies_csv(evaluation).as_bytes())?;
    }
    Ok(())
}

fn facts(manifest: &Manifest) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    let mut facts = vec![
        fact("revision", manifest.revision.clone()),
        fact("seatrial", manifest.version.clone()),
        fact("configuration", hash::short(&manifest.config_hash).to_owned()),
        fact("protocol", format!("{} ({})", manifest.protocol.id, hash::short(&manifest.protocol.hash))),
        fact("kernel", manifest.kernel.clone().unwrap_or_default()),
        fact("evaluation seeds", format!("{:?}", manifest.seeds.evaluation)),
        fact("tuning seeds", format!("{:?}", manifest.seeds.tuning)),
        fact("training seeds", format!("{} from {}", manifest.seeds.training, manifest.seeds.training_base)),
    ];
    for trace in &manifest.traces {
        let name =
            if trace.series.is_empty() { trace.family.clone() } else { format!("{}/{}", trace.family, trace.series) };
        let noise = trace.noise.map_or_else(|| "unknown".to_owned(), |noise| format!("{noise:.1}"));
        let value =
            format!("{} to {}, noise {noise}, content {}", trace.from, trace.to, hash::short(&trace.content_hash));
        facts.push(fact(&name, value));
    }
    for weights in &manifest.weights {
        facts.push(fact(&format!("weights, seed {}", weights.seed), hash::short(&weights.trained).to_owned()));
    }
    facts
}

fn wrong(path: &Path, error: impl std::fmt::Display) -> ExperimentError {
    ExperimentError::RunFolder { path: path.to_owned(), detail: error.to_string() }
}

fn read_learning(folder: &RunFolder) -> Result<Vec<LearningRow>> {
    let path = folder.learning();
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let read = || -> std::result::Result<Vec<LearningRow>, seatrial_datasets::TableError> {
        let table = read_table(&path)?;
        let (members, kinds, steps) = (table.i64s("member")?, table.texts("kind")?, table.i64s("step")?);
        let (metrics, values) = (table.texts("metric")?, table.f64s("value")?);
        let row = |index: usize| LearningRow {
            member: members[index].cast_unsigned(),
            kind: if kinds[index] == "agent" { LearnerKind::Agent } else { LearnerKind::Forecaster },
            step: steps[index].cast_unsigned(),
            metric: metrics[index].clone(),
            value: values[index],
        };
        Ok((0..table.rows()).map(row).collect())
    };
    read().map_err(|error| wrong(&path, error))
}

/// The trials of tuning; none if nothing was tuned.
pub(crate) fn read_trials(folder: &RunFolder) -> Result<Vec<TrialRow>> {
    let path = folder.path("trials.parquet");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let read = || -> std::result::Result<Vec<TrialRow>, seatrial_datasets::TableError> {
        let table = read_table(&path)?;
        let (strategies, series, trials) = (table.texts("strategy")?, table.texts("series")?, table.i64s("trial")?);
        let (configs, costs) = (table.texts("config")?, table.f64s("validation_cost")?);
        let row = |index: usize| TrialRow {
            strategy: strategies[index].clone(),
            series: series[index].clone(),
            trial: trials[index].cast_unsigned(),
            config: serde_json::from_str(&configs[index]).unwrap_or_default(),
            validation_cost: costs[index],
        };
        Ok((0..table.rows()).map(row).collect())
    };
    read().map_err(|error| wrong(&path, error))
}
