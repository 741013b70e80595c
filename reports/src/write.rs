//! Everything into a run folder: `summary.json`, `report/index.html`, `report/figures/*`, `report/tables/*`.
//!
//! Each file appears whole or not at all: it is written beside its place and renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::ReportError;
use crate::evaluation::{self, Evaluation};
use crate::figures::{self, Figure, Source};
use crate::html;
use crate::model::StudyData;
use crate::scenario::{self, ScenarioRun};
use crate::summary::Summary;
use crate::tables;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPaths {
    /// The page.
    pub index: PathBuf,
    /// The summary.
    pub summary: PathBuf,
    /// Figures: SVG, PNG and CSV of each.
    pub figures: Vec<PathBuf>,
    /// Tables.
    pub tables: Vec<PathBuf>,
}

/// Evaluates `study` and writes its report into the run folder `dir`, which is created if it is missing.
///
/// # Errors
/// Data that cannot be reported (before anything is written), or a file that cannot be written.
pub fn write_report(dir: &Path, study: &StudyData) -> Result<ReportPaths, ReportError> {
    let evaluation = evaluation::evaluate(study)?;
    write_evaluated(dir, study, &evaluation)
}

/// The same for a study that is evaluated already.
///
/// # Errors
/// A file that cannot be written, or a figure that cannot be drawn.
pub fn write_evaluated(dir: &Path, study: &StudyData, evaluation: &Evaluation) -> Result<ReportPaths, ReportError> {
    let drawn = figures::draw_all(&Source { study, evaluation })?;
    let page = html::page(study, evaluation, &drawn)?;
    let summary = Summary::new(study, evaluation).to_json()?;
    let report = dir.join("report");
    let mut tables = Vec::new();
    for (name, content) in tables::files(evaluation) {
        tables.push(write_file(&report.join("tables").join(name), content.as_bytes())?);
    }
    let mut figures = Vec::new();
    for figure in &drawn {
        figures.extend(write_figure(&report.join("figures"), figure)?);
    }
    Ok(ReportPaths {
        index: write_file(&report.join("index.html"), page.as_bytes())?,
        // Last: whoever waits for the summary finds the whole report.
        summary: write_file(&dir.join("summary.json"), summary.as_bytes())?,
        figures,
        tables,
    })
}

/// What was written of a scenario run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioPaths {
    /// The page.
    pub index: PathBuf,
    /// Figures: SVG, PNG and CSV of each.
    pub figures: Vec<PathBuf>,
    /// Tables.
    pub tables: Vec<PathBuf>,
}

/// Writes the report of a scenario run into the run folder `dir`, which is created if it is missing: `report/index.html` last,
/// `report/figures/*`, `report/tables/*`.
///
/// # Errors
/// A run that cannot be drawn (before anything is written), or a file that cannot be written.
pub fn write_scenario(dir: &Path, run: &ScenarioRun) -> Result<ScenarioPaths, ReportError> {
    let drawn = figures::of_scenario(run)?;
    let page = scenario::scenario_page(run, &drawn)?;
    let report = dir.join("report");
    let mut tables = Vec::new();
    for (name, content) in scenario::scenario_tables(run) {
        tables.push(write_file(&report.join("tables").join(name), content.as_bytes())?);
    }
    let mut figures = Vec::new();
    for figure in &drawn {
        figures.extend(write_figure(&report.join("figures"), figure)?);
    }
    Ok(ScenarioPaths { index: write_file(&report.join("index.html"), page.as_bytes())?, figures, tables })
}

/// Writes a figure as SVG, PNG and CSV into `folder`, which is created if it is missing.
///
/// # Errors
/// A file that cannot be written, or a figure that cannot be drawn.
pub fn write_figure(folder: &Path, figure: &Figure) -> Result<[PathBuf; 3], ReportError> {
    let at = |extension: &str| folder.join(format!("{}.{extension}", figure.id));
    let svg = write_file(&at("svg"), figure.svg.as_bytes())?;
    let csv = write_file(&at("csv"), figure.csv.as_bytes())?;
    let partial = folder.join(format!("{}.partial.png", figure.id));
    let drawn = figures::png_to(&figure.scene, &partial);
    let placed = drawn.map_err(io::Error::other).and_then(|()| fs::rename(&partial, at("png")));
    Ok([svg, placed_or_removed(placed, &partial, &at("png"))?, csv])
}

fn write_file(path: &Path, content: &[u8]) -> Result<PathBuf, ReportError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| ReportError::Write { path: folder.to_owned(), source })?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let placed = fs::write(&partial, content).and_then(|()| fs::rename(&partial, path));
    placed_or_removed(placed, &partial, path)
}

fn placed_or_removed(placed: io::Result<()>, partial: &Path, path: &Path) -> Result<PathBuf, ReportError> {
    match placed {
        Ok(()) => Ok(path.to_owned()),
        Err(source) => {
            // The first error is the one to report; a leftover that cannot be removed either changes nothing.
            let _ = fs::remove_file(partial);
            Err(ReportError::Write { path: path.to_owned(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_report_is_complete_and_the_same_twice() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let study = sample::study();
        let paths = write_report(first.path(), &study).unwrap();
        write_report(second.path(), &study).unwrap();
        let written = files(first.path());
        assert_eq!(written, files(second.path()));
        assert_eq!(written.len(), 2 + paths.figures.len() + paths.tables.len());
        assert!(
            paths.figures.iter().chain(&paths.tables).chain([&paths.index, &paths.summary]).all(|path| path.is_file())
        );
        assert!(written.iter().all(|(path, _)| !path.to_string_lossy().contains("partial")));
        let png = &written.iter().find(|(path, _)| path.ends_with("learning.png")).unwrap().1;
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        // Width in the header: twice the logical 860.
        assert_eq!(png[16..20], 1_720_u32.to_be_bytes());
    }

    #[test]
    fn bad_data_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut study = sample::study();
        study.cells[0].windows[0].j = f64::NAN;
        assert!(matches!(write_report(folder.path(), &study), Err(ReportError::BadNumber { .. })));
        study.cells.clear();
        assert!(matches!(write_report(folder.path(), &study), Err(ReportError::NoCells { .. })));
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn an_unwritable_place_is_named_and_nothing_is_half_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("report"), "in the way").unwrap();
        let error = write_report(folder.path(), &sample::study()).unwrap_err();
        assert!(matches!(error, ReportError::Write { .. }), "{error}");
        assert!(error.to_string().contains("report"), "{error}");
        assert_eq!(files(folder.path()).len(), 1);
    }

    #[test]
    fn a_name_taken_by_a_folder_leaves_no_partial_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("report/figures/learning.png")).unwrap();
        let error = write_report(folder.path(), &sample::study()).unwrap_err();
        assert!(error.to_string().contains("learning.png"), "{error}");
        assert!(files(folder.path()).iter().all(|(path, _)| !path.to_string_lossy().contains("partial")));
    }
}
