//! From cells to tracks: per strategy, training seed and window the terms of the cost, evaluation seeds averaged.

use std::collections::{BTreeMap, BTreeSet};

use seatrial_core::math;

use crate::model::{CellRow, Variant, WindowRow};
use crate::stats::{Hierarchy, count};

/// Which window. The order is that of the hierarchy: family, series, day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WindowKey {
    pub(super) family: String,
    pub(super) series: String,
    pub(super) day_us: i64,
}

/// The terms of one window; NaN where a term is absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    pub(super) j: f64,
    pub(super) ln_j: f64,
    pub(super) oracle: f64,
    pub(super) bad: f64,
    pub(super) requests: f64,
    pub(super) pod_seconds: f64,
    pub(super) changes: f64,
    pub(super) guard_share: f64,
}

impl Terms {
    fn of(window: &WindowRow, guard_share: Option<f64>) -> Self {
        Self {
            j: window.j,
            ln_j: math::ln(window.j),
            oracle: window.oracle_lower.unwrap_or(f64::NAN),
            bad: window.bad,
            requests: window.requests,
            pod_seconds: window.pod_seconds(),
            changes: window.changes,
            guard_share: guard_share.unwrap_or(f64::NAN),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.j += other.j;
        self.ln_j += other.ln_j;
        self.oracle += other.oracle;
        self.bad += other.bad;
        self.requests += other.requests;
        self.pod_seconds += other.pod_seconds;
        self.changes += other.changes;
        self.guard_share += other.guard_share;
    }

    fn over(&self, n: f64) -> Self {
        Self {
            j: self.j / n,
            ln_j: self.ln_j / n,
            oracle: self.oracle / n,
            bad: self.bad / n,
            requests: self.requests / n,
            pod_seconds: self.pod_seconds / n,
            changes: self.changes / n,
            guard_share: self.guard_share / n,
        }
    }
}

/// One strategy on its windows.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) id: String,
    pub(super) variant: Variant,
    pub(super) config: String,
    /// Windows that every training seed has, in order.
    pub(super) grid: Vec<WindowKey>,
    /// `[training seed][window]`; one row for what is not trained.
    pub(super) seeds: Vec<Vec<Terms>>,
}

impl Track {
    /// Mean of ln J over training seeds in a window.
    pub(super) fn mean_ln_j(&self, window: usize) -> f64 {
        self.seeds.iter().map(|terms| terms[window].ln_j).sum::<f64>() / count(self.seeds.len())
    }

    /// The same track on the windows it shares with `grid`.
    pub(super) fn restricted_to(&self, grid: &[WindowKey]) -> Self {
        let kept: Vec<usize> = (0..self.grid.len()).filter(|i| grid.binary_search(&self.grid[*i]).is_ok()).collect();
        Self {
            id: self.id.clone(),
            variant: self.variant,
            config: self.config.clone(),
            grid: kept.iter().map(|i| self.grid[*i].clone()).collect(),
            seeds: self.seeds.iter().map(|terms| kept.iter().map(|i| terms[*i]).collect()).collect(),
        }
    }
}

/// The shape of a sorted grid.
pub(super) fn hierarchy(grid: &[WindowKey]) -> Hierarchy {
    let mut families: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for key in grid {
        *families.entry(&key.family).or_default().entry(&key.series).or_default() += 1;
    }
    Hierarchy::new(families.values().map(|series| series.values().copied().collect()).collect())
}

type Windows = BTreeMap<WindowKey, (Terms, usize)>;

/// Tracks by id.
pub(super) fn collect(cells: &[&CellRow], configs: &BTreeMap<String, String>) -> Vec<Track> {
    let mut by_strategy: BTreeMap<&str, Vec<&CellRow>> = BTreeMap::new();
    for cell in cells {
        by_strategy.entry(&cell.strategy).or_default().push(cell);
    }
    by_strategy.into_iter().filter_map(|(id, cells)| track(id, &cells, configs.get(id))).collect()
}

fn track(id: &str, cells: &[&CellRow], config: Option<&String>) -> Option<Track> {
    let mut by_seed: BTreeMap<Option<u64>, Windows> = BTreeMap::new();
    for cell in cells {
        let windows = by_seed.entry(cell.train_seed).or_default();
        for window in &cell.windows {
            let key = WindowKey { family: cell.family.clone(), series: cell.series.clone(), day_us: window.day_us };
            let (sum, n) = windows.entry(key).or_default();
            sum.add(&Terms::of(window, cell.guard_share));
            *n += 1;
        }
    }
    let grid: Vec<WindowKey> = by_seed
        .values()
        .next()?
        .keys()
        .filter(|key| by_seed.values().all(|windows| windows.contains_key(key)))
        .cloned()
        .collect();
    let averaged = |windows: &Windows| {
        grid.iter().filter_map(|key| windows.get(key)).map(|(sum, n)| sum.over(count(*n))).collect()
    };
    let seeds = by_seed.values().map(averaged).collect();
    let hashes: BTreeSet<&str> = cells.iter().map(|cell| cell.config.as_str()).collect();
    let config = config.cloned().unwrap_or_else(|| hashes.into_iter().collect::<Vec<_>>().join("+"));
    Some(Track { id: id.to_owned(), variant: cells.first()?.variant, config, grid, seeds })
}
