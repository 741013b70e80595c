//! Portraits: what one strategy did on one series, decision by decision. Kept for one seed of each, for figures and replay.
//!
//! Decision log, timeline and forecasts cover the whole scored part; figures choose what they show.

use std::path::{Path, PathBuf};

use seatrial_core::record::DecisionRecord;
use seatrial_core::scaling::forecast::{LEVEL_COUNT, LEVELS};
use seatrial_core::scaling::forecasters::CachedForecast;
use seatrial_core::time::Timestamp;
use seatrial_datasets::{Column, Table, TableError, read_table, write_decisions, write_table};
use seatrial_envs::episode::StepRow;
use seatrial_reports::model::{ForecastRow, ForecastTrack, Timeline, TimelineRow};

use crate::contest::Entrant;
use crate::error::{ExperimentError, Result};
use crate::run_folder::RunFolder;
use crate::stage::Stage;

/// Collects a portrait while an episode plays.
pub struct Portrait<'a> {
    stage: &'a Stage,
    records: Vec<DecisionRecord>,
    timeline: Vec<TimelineRow>,
}

/// Where the files of a portrait lie in a run folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortraitFiles {
    /// The decision log.
    pub decisions: PathBuf,
    /// The timeline.
    pub timeline: PathBuf,
    /// The forecasts; only written for strategies that plan on one.
    pub forecast: PathBuf,
}

impl PortraitFiles {
    /// The files of `strategy` on the series whose file stem is `series`.
    #[must_use]
    pub fn new(folder: &RunFolder, series: &str, strategy: &str) -> Self {
        let name = format!("{series}.{strategy}.parquet");
        Self {
            decisions: folder.decisions().join(&name),
            timeline: folder.path("timelines").join(&name),
            forecast: folder.path("forecasts").join(&name),
        }
    }

    /// Whether a finished portrait is there: the timeline is written last.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.timeline.is_file() && self.decisions.is_file()
    }
}

impl<'a> Portrait<'a> {
    /// An empty portrait of something that will play on `stage`.
    #[must_use]
    pub fn new(stage: &'a Stage) -> Self {
        Self { stage, records: Vec::new(), timeline: Vec::new() }
    }

    /// Takes a step in.
    pub fn take(&mut self, row: &StepRow<'_>) {
        self.records.push(row.record());
        self.timeline.push(TimelineRow {
            t_us: row.at.micros(),
            demand_rate: row.rate_per_s,
            capacity_rate: f64::from(row.ready) * self.stage.scenario.true_capacity(),
            ready: f64::from(row.ready),
            desired: f64::from(row.desired),
            starting: f64::from(row.starting),
            p95_wait_s: row.p95_wait_s,
            bad_rate: row.bad_requests / row.span.as_secs_f64(),
        });
    }

    /// Writes the portrait of `entrant`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, entrant: &Entrant, files: &PortraitFiles) -> Result<()> {
        for folder in [&files.decisions, &files.timeline, &files.forecast].into_iter().filter_map(|file| file.parent())
        {
            std::fs::create_dir_all(folder).map_err(ExperimentError::io("create", folder))?;
        }
        let meta = [("seatrial.strategy", entrant.strategy.as_str()), ("seatrial.series", self.stage.label.as_str())];
        table_error(&files.decisions, write_decisions(&files.decisions, &self.records, &meta))?;
        if let Some(cached) = self.stage.forecast(entrant)? {
            let id = entrant.spec.forecaster.as_ref().map_or("", |choice| choice.id.as_str());
            let meta = [("seatrial.forecaster", id), ("seatrial.series", self.stage.label.as_str())];
            let table = forecast_table(&self.forecast_rows(&cached));
            table_error(&files.forecast, table.and_then(|table| write_table(&files.forecast, &table, &meta)))?;
        }
        let table = timeline_table(&self.timeline);
        table_error(&files.timeline, table.and_then(|table| write_table(&files.timeline, &table, &meta)))
    }

    fn forecast_rows(&self, cached: &CachedForecast) -> Vec<ForecastRow> {
        let row = |t_us: i64| {
            let forecast = cached.at(Timestamp::from_micros(t_us))?;
            let truth = self.stage.greatest_rate(forecast.from, forecast.horizon)?;
            Some(ForecastRow { t_us, truth, quantiles: forecast.values })
        };
        self.timeline.iter().filter_map(|step| row(step.t_us)).collect()
    }
}

fn table_error<T>(path: &Path, result: std::result::Result<T, TableError>) -> Result<T> {
    result.map_err(|error| ExperimentError::RunFolder { path: path.to_owned(), detail: error.to_string() })
}

type Field = (&'static str, fn(&TimelineRow) -> f64, fn(&mut TimelineRow) -> &mut f64);

const FIELDS: [Field; 7] = [
    ("demand_rate", |row| row.demand_rate, |row| &mut row.demand_rate),
    ("capacity_rate", |row| row.capacity_rate, |row| &mut row.capacity_rate),
    ("ready", |row| row.ready, |row| &mut row.ready),
    ("desired", |row| row.desired, |row| &mut row.desired),
    ("starting", |row| row.starting, |row| &mut row.starting),
    ("p95_wait_s", |row| row.p95_wait_s, |row| &mut row.p95_wait_s),
    ("bad_rate", |row| row.bad_rate, |row| &mut row.bad_rate),
];

fn timeline_table(rows: &[TimelineRow]) -> std::result::Result<Table, TableError> {
    let mut table = Table::new().with("at", Column::TimestampUs(rows.iter().map(|row| row.t_us).collect()))?;
    for (name, get, _) in FIELDS {
        table.push(name, Column::F64(rows.iter().map(get).collect()))?;
    }
    Ok(table)
}

fn forecast_table(rows: &[ForecastRow]) -> std::result::Result<Table, TableError> {
    let mut table = Table::new()
        .with("at", Column::TimestampUs(rows.iter().map(|row| row.t_us).collect()))?
        .with("truth", Column::F64(rows.iter().map(|row| row.truth).collect()))?;
    for level in 0..LEVEL_COUNT {
        table.push(quantile_name(level), Column::F64(rows.iter().map(|row| row.quantiles[level]).collect()))?;
    }
    Ok(table)
}

fn quantile_name(level: usize) -> String {
    format!("q{:02.0}", 100.0 * LEVELS[level])
}

/// The timelines and forecast tracks of a run folder, in the order of their file names.
///
/// # Errors
/// If a file cannot be read.
pub fn read_all(folder: &RunFolder) -> Result<(Vec<Timeline>, Vec<ForecastTrack>)> {
    let mut timelines = Vec::new();
    for path in files_in(&folder.path("timelines"))? {
        timelines.push(table_error(&path, read_timeline(&path))?);
    }
    let mut tracks = Vec::new();
    for path in files_in(&folder.path("forecasts"))? {
        tracks.push(table_error(&path, read_track(&path))?);
    }
    // Strategies that share a forecaster share its track.
    tracks.sort_by(|a, b| (&a.series, &a.forecaster).cmp(&(&b.series, &b.forecaster)));
    tracks.dedup_by(|later, first| later.series == first.series && later.forecaster == first.forecaster);
    Ok((timelines, tracks))
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(ExperimentError::io("read", folder))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    files.sort();
    Ok(files)
}

fn meta(table: &Table, key: &str) -> String {
    table.metadata().iter().find(|(known, _)| known == key).map_or_else(String::new, |(_, value)| value.clone())
}

fn read_timeline(path: &Path) -> std::result::Result<Timeline, TableError> {
    let table = read_table(path)?;
    let mut rows: Vec<TimelineRow> =
        table.timestamps_us("at")?.iter().map(|t_us| TimelineRow { t_us: *t_us, ..TimelineRow::default() }).collect();
    for (name, _, slot) in FIELDS {
        for (row, value) in rows.iter_mut().zip(table.f64s(name)?) {
            *slot(row) = *value;
        }
    }
    Ok(Timeline { strategy: meta(&table, "seatrial.strategy"), series: meta(&table, "seatrial.series"), rows })
}

fn read_track(path: &Path) -> std::result::Result<ForecastTrack, TableError> {
    let table = read_table(path)?;
    let (at, truth) = (table.timestamps_us("at")?, table.f64s("truth")?);
    let mut rows: Vec<ForecastRow> = at
        .iter()
        .zip(truth)
        .map(|(t_us, truth)| ForecastRow { t_us: *t_us, truth: *truth, quantiles: [0.0; LEVEL_COUNT] })
        .collect();
    for level in 0..LEVEL_COUNT {
        for (row, value) in rows.iter_mut().zip(table.f64s(&quantile_name(level))?) {
            row.quantiles[level] = *value;
        }
    }
    Ok(ForecastTrack { forecaster: meta(&table, "seatrial.forecaster"), series: meta(&table, "seatrial.series"), rows })
}
