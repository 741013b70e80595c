//! Questions over the cells of several runs, answered by polars: what every strategy cost, in one table.
//!
//! Behind feature `analysis`, because polars is the dearest dependency to build. What goes in is the `cells.parquet` of
//! run folders, what comes out are plain rows; no type of polars is part of the interface.
//!
//! Invariants: the oracle's bound of a window is that of the same run, series, evaluation seed, regime, price and day; cells
//! of different regimes or prices are never averaged; the same files give the same bytes, because polars keeps the order
//! of rows (`group_by_stable`, joins in the order of the left side) and sums within a group are taken in that order.
//! Every window counts once here, whereas the report first averages within series and families
//! ([`crate::evaluation`]): for a run of one series both agree, otherwise ask by family.

mod error;
mod layout;
mod read;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy as _, JoinArgs, JoinType, LazyFrame, MaintainOrderJoin, PolarsResult, col,
    concat, len, lit,
};
use serde::Serialize;

pub use error::AnalysisError;
pub use layout::{csv, table};

/// What to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only strategies whose id contains this.
    pub strategy: Option<String>,
    /// Only families whose name contains this.
    pub family: Option<String>,
    /// A row per family instead of one over all of them.
    pub by_family: bool,
}

/// One strategy of one run, under one regime and price.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverviewRow {
    /// Name of the run, as given.
    pub run: String,
    /// Regime.
    pub regime: String,
    /// Price of a bad request in pod-seconds.
    pub kappa: f64,
    /// Family; `None` over all families.
    pub family: Option<String>,
    /// Strategy id.
    pub strategy: String,
    /// How it came by its parameters.
    pub variant: String,
    /// Mean J per window (UTC day), pod-seconds.
    pub cost: f64,
    /// ΣJ/ΣJ*(lower) over the windows whose oracle was certified; `None` if there is none.
    pub cost_over_oracle: Option<f64>,
    /// Bad requests / requests.
    pub bad_fraction: f64,
    /// Mean of Σ|change of replicas| per window (UTC day).
    pub changes: f64,
    /// Cells: series × seeds.
    pub cells: u32,
    /// Windows of all cells.
    pub windows: u32,
}

/// All strategies of the runs, each over all its families. A run is its name and its `cells.parquet`.
///
/// # Errors
/// See [`query`].
pub fn overview(runs: &[(String, PathBuf)]) -> Result<Vec<OverviewRow>, AnalysisError> {
    query(runs, &Query::default())
}

/// What `question` asks, by run as given, then regime, price, family, and from the cheapest strategy to the dearest.
///
/// # Errors
/// If there is no run, a file is not there, is not Parquet or lacks a column.
pub fn query(runs: &[(String, PathBuf)], question: &Query) -> Result<Vec<OverviewRow>, AnalysisError> {
    let mut frames = Vec::with_capacity(runs.len());
    for (index, (_, path)) in (0_u32..).zip(runs) {
        frames.push(read::cells(path)?.lazy().with_column(lit(index).cast(DataType::UInt32).alias(RUN)));
    }
    if frames.is_empty() {
        return Err(AnalysisError::NoRuns);
    }
    let answer = || rows(&summed(frames, question)?.collect()?, runs, question.by_family);
    let mut rows = answer().map_err(|error| AnalysisError::Engine { detail: error.to_string() })?;
    rows.sort_by(|(run_a, a), (run_b, b)| {
        let names = (&a.strategy, &a.variant).cmp(&(&b.strategy, &b.variant));
        let costs = a.cost.total_cmp(&b.cost);
        let regimes = (run_a, &a.regime).cmp(&(run_b, &b.regime));
        regimes.then(a.kappa.total_cmp(&b.kappa)).then_with(|| a.family.cmp(&b.family)).then(costs).then(names)
    });
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

const RUN: &str = "run";
/// What a window and its oracle have in common.
const PLACE: [&str; 7] = [RUN, "family", "series", "eval_seed", "regime", "kappa", "day"];

/// The plan: bounds beside windows, then the filter, then sums by group.
fn summed(frames: Vec<LazyFrame>, question: &Query) -> PolarsResult<LazyFrame> {
    let windows = concat(frames, Default::default())?;
    // Of several certified lower bounds the greatest holds too; the group keeps a repeated cell from doubling windows.
    let bounds = windows
        .clone()
        .filter(col("oracle_lower").is_not_null())
        .group_by_stable(PLACE.map(col))
        .agg([col("oracle_lower").max()]);
    let order = JoinArgs { maintain_order: MaintainOrderJoin::Left, ..JoinArgs::new(JoinType::Left) };
    let keys = PLACE.map(col);
    let joined = windows.drop(polars::prelude::cols(["oracle_lower"])).join(bounds, keys.clone(), keys, order);
    Ok(only(joined, question).group_by_stable(groups(question.by_family)).agg(sums()))
}

fn only(windows: LazyFrame, question: &Query) -> LazyFrame {
    let asked = [("strategy", &question.strategy), ("family", &question.family)];
    asked.into_iter().fold(windows, |windows, (column, part)| match part {
        Some(part) => windows.filter(col(column).str().contains_literal(lit(part.as_str()))),
        None => windows,
    })
}

fn groups(by_family: bool) -> Vec<Expr> {
    let family = by_family.then_some("family");
    [RUN, "regime", "kappa", "strategy", "variant"].into_iter().chain(family).map(col).collect()
}

fn sums() -> [Expr; 8] {
    let bounded = col("j").filter(col("oracle_lower").is_not_null());
    [
        col("j").mean().alias("cost"),
        bounded.sum().alias("bounded_j"),
        col("oracle_lower").sum(),
        col("bad").sum(),
        col("requests").sum(),
        col("changes").mean(),
        col("cell").n_unique().alias("cells"),
        len().alias("windows"),
    ]
}

/// Rows with the number of their run.
fn rows(frame: &DataFrame, runs: &[(String, PathBuf)], by_family: bool) -> PolarsResult<Vec<(u32, OverviewRow)>> {
    (0..frame.height()).map(|at| row(Line { frame, at }, runs, by_family)).collect()
}

fn row(line: Line<'_>, runs: &[(String, PathBuf)], by_family: bool) -> PolarsResult<(u32, OverviewRow)> {
    let ratio = |above: f64, below: f64| (below > 0.0).then(|| above / below);
    let run = line.whole(RUN)?;
    let row = OverviewRow {
        run: runs.get(run as usize).map(|(name, _)| name.clone()).unwrap_or_default(),
        regime: line.text("regime")?,
        kappa: line.number("kappa")?,
        family: if by_family { Some(line.text("family")?) } else { None },
        strategy: line.text("strategy")?,
        variant: line.text("variant")?,
        cost: line.number("cost")?,
        cost_over_oracle: ratio(line.number("bounded_j")?, line.number("oracle_lower")?),
        bad_fraction: ratio(line.number("bad")?, line.number("requests")?).unwrap_or(0.0),
        changes: line.number("changes")?,
        cells: line.whole("cells")?,
        windows: line.whole("windows")?,
    };
    Ok((run, row))
}

/// One line of a frame. A null can only come from a file that another program wrote; it reads as an empty name or NaN.
#[derive(Clone, Copy)]
struct Line<'a> {
    frame: &'a DataFrame,
    at: usize,
}

impl Line<'_> {
    fn text(self, column: &str) -> PolarsResult<String> {
        Ok(self.frame.column(column)?.str()?.get(self.at).unwrap_or_default().to_owned())
    }

    fn number(self, column: &str) -> PolarsResult<f64> {
        Ok(self.frame.column(column)?.f64()?.get(self.at).unwrap_or(f64::NAN))
    }

    fn whole(self, column: &str) -> PolarsResult<u32> {
        Ok(self.frame.column(column)?.u32()?.get(self.at).unwrap_or_default())
    }
}
