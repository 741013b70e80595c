//! Two scorings of the same strategies beside each other: the fluid kernel's and the event kernel's, or those of several balancings.
//!
//! Read from finished run folders. What the fluid kernel claims is a pair whose 95 % interval excludes zero; on the event kernel it
//! holds, or is no longer shown, or its sign is another one and it is withdrawn.

use std::collections::BTreeMap;

use seatrial_core::math;
use seatrial_reports::figures::{BalancingRow, SHARED};
use seatrial_reports::format::{grouped, with_interval};
use seatrial_reports::model::Variant;
use seatrial_reports::stats::{Estimate, mean};
use seatrial_reports::summary::Summary;
use seatrial_reports::tables::Table;

use crate::cells::Cell;
use crate::config;
use crate::error::{ExperimentError, Result};
use crate::kernel::{Kernel, balancing_id};
use crate::run_folder::{RunFolder, read_json};

/// What becomes of a claim on the event kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The same sign, with an interval that excludes zero.
    Holds,
    /// The same sign, but the interval holds zero.
    NotShown,
    /// Another sign.
    Withdrawn,
}

/// A pair whose order one of the kernels shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The cheaper one, on the kernel that shows it.
    pub cheaper: String,
    /// The dearer one.
    pub dearer: String,
    /// Mean ln J(cheaper) − ln J(dearer) on the fluid kernel.
    pub fluid: Estimate,
    /// The same on the event kernel.
    pub events: Estimate,
}

impl Pair {
    /// What becomes of the fluid kernel's claim.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.events.value >= 0.0 {
            Standing::Withdrawn
        } else if self.events.excludes(0.0) {
            Standing::Holds
        } else {
            Standing::NotShown
        }
    }
}

impl Standing {
    /// In a table.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::NotShown => "same sign, not shown",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Every pair that `shown` shows, the cheaper first, with what the other scoring has; in the order of the strategies' ids.
fn pairs(fluid: &Summary, events: &Summary, shown: fn(&Estimate, &Estimate) -> bool) -> Vec<Pair> {
    let of = |summary: &Summary, a: &str, b: &str| summary.paired.get(a)?.get(b)?.overall;
    let both = fluid.paired.iter().flat_map(|(a, others)| others.keys().map(move |b| (a, b)));
    both.filter_map(|(a, b)| {
        let (fluid, events) = (of(fluid, a, b)?, of(events, a, b)?);
        shown(&fluid, &events).then(|| Pair { cheaper: a.clone(), dearer: b.clone(), fluid, events })
    })
    .collect()
}

/// Every claim of the fluid kernel that the event kernel has scored too.
#[must_use]
pub fn claims(fluid: &Summary, events: &Summary) -> Vec<Pair> {
    pairs(fluid, events, |fluid, _| fluid.excludes(0.0) && fluid.value < 0.0)
}

/// Every pair that the event kernel shows and of which the fluid kernel has the other sign.
#[must_use]
pub fn disagreements(fluid: &Summary, events: &Summary) -> Vec<Pair> {
    pairs(fluid, events, |fluid, events| events.excludes(0.0) && events.value < 0.0 && fluid.value >= 0.0)
}

/// The pairs as a table.
#[must_use]
pub fn table(title: &str, pairs: &[Pair]) -> Table {
    let show = |estimate: &Estimate| with_interval(Some(estimate), |x| grouped(x, 4));
    let row = |pair: &Pair| {
        let standing = pair.standing().in_words().to_owned();
        vec![pair.cheaper.clone(), pair.dearer.clone(), show(&pair.fluid), show(&pair.events), standing]
    };
    let heads = ["a", "b", "ln J(a) − ln J(b), fluid", "the same on events", "a cheaper than b"];
    Table { title: title.to_owned(), heads: heads.map(str::to_owned).to_vec(), rows: pairs.iter().map(row).collect() }
}

/// The cells of the finished run in `folder`, with the id of its balancing.
///
/// # Errors
/// If the folder is no finished run on the event kernel.
pub fn balanced(folder: &std::path::Path) -> Result<(&'static str, Vec<Cell>)> {
    let run = RunFolder::finished(folder)?;
    let Kernel::Events(balancing) = config::of_run(&run)?.study.plays_on() else {
        let detail = "is of the fluid kernel; compare runs with `kernel = \"events\"`".to_owned();
        return Err(ExperimentError::RunFolder { path: folder.to_owned(), detail });
    };
    Ok((balancing_id(balancing), crate::cells::read_cells(&run.cells())?))
}

/// The summary of the finished run in `folder`.
///
/// # Errors
/// If the folder is no finished run.
pub fn summary(folder: &std::path::Path) -> Result<Summary> {
    read_json(&RunFolder::finished(folder)?.summary())
}

/// J of each strategy under each balancing over its own with a shared queue: the geometric mean over evaluation seeds, with the
/// 95 % interval of Student's t over them. Seeds stand for luck alone: intervals say nothing of other hours or traces.
#[must_use]
pub fn balancing_rows(runs: &[(&str, Vec<Cell>)]) -> Vec<BalancingRow> {
    let shared: Costs = runs.iter().filter(|(id, _)| *id == SHARED).flat_map(|(_, cells)| costs(cells)).collect();
    let mut rows = Vec::new();
    for (id, cells) in runs.iter().filter(|(id, _)| *id != SHARED) {
        let mut ratios: BTreeMap<String, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
        for (key, j) in costs(cells) {
            if let Some(own) = shared.get(&key) {
                let (strategy, _, seed) = key;
                ratios.entry(strategy).or_default().entry(seed).or_default().push(math::ln(j / own));
            }
        }
        for (strategy, seeds) in ratios {
            let units: Vec<f64> = seeds.values().filter_map(|series| mean(series)).collect();
            rows.extend(ratio(&units).map(|Estimate { value, low, high, n }| BalancingRow {
                strategy: strategy.clone(),
                balancing: (*id).to_owned(),
                value,
                low,
                high,
                n,
            }));
        }
    }
    rows.sort_by(|a, b| a.strategy.cmp(&b.strategy));
    rows
}

/// J by strategy, series and evaluation seed.
type Costs = BTreeMap<(String, String, u64), f64>;

fn costs(cells: &[Cell]) -> Costs {
    let competes = |cell: &&Cell| !matches!(cell.row.variant, Variant::Oracle | Variant::Yardstick);
    let key = |cell: &Cell| {
        let row = &cell.row;
        (row.strategy.clone(), format!("{}/{}", row.family, row.series), row.eval_seed)
    };
    let mut costs = Costs::new();
    for cell in cells.iter().filter(competes) {
        *costs.entry(key(cell)).or_default() += cell.row.windows.iter().map(|window| window.j).sum::<f64>();
    }
    costs
}

/// 97.5 % quantiles of Student's t with 1 to 9 degrees of freedom; beyond, the last one, which is too wide.
const STUDENT: [f64; 9] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/// The geometric mean of ratios whose logarithms are given, with its interval.
fn ratio(logs: &[f64]) -> Option<Estimate> {
    let (n, middle) = (logs.len(), mean(logs)?);
    let value = math::exp(middle);
    let Some(quantile) = n.checked_sub(2).map(|place| STUDENT[place.min(STUDENT.len() - 1)]) else {
        return Some(Estimate { value, low: None, high: None, n });
    };
    let squares: Vec<f64> = logs.iter().map(|log| (log - middle) * (log - middle)).collect();
    let units = f64::from(u32::try_from(n).ok()?);
    let half = quantile * (mean(&squares)? / (units - 1.0)).sqrt();
    Some(Estimate { value, low: Some(math::exp(middle - half)), high: Some(math::exp(middle + half)), n })
}

#[cfg(test)]
mod tests {
    use seatrial_reports::model::{CellRow, WindowRow};
    use serde_json::json;

    use super::*;

    fn summary(pairs: &[(&str, &str, f64, f64, f64)]) -> Summary {
        let mut paired = json!({});
        for (a, b, value, low, high) in pairs {
            let estimate = |sign: f64| {
                let ends = if sign > 0.0 { (*low, *high) } else { (-high, -low) };
                json!({"overall": {"value": value * sign, "low": ends.0, "high": ends.1, "n": 7}, "families": {}})
            };
            paired[*a][*b] = estimate(1.0);
            paired[*b][*a] = estimate(-1.0);
        }
        serde_json::from_value(json!({
            "version": 1, "name": "t", "protocol": "P1", "strategies": {}, "oracle": null, "paired": paired
        }))
        .unwrap()
    }

    #[test]
    fn a_claim_holds_is_not_shown_or_is_withdrawn() {
        let fluid = summary(&[
            ("a", "b", -0.10, -0.12, -0.08),
            ("c", "a", 0.05, 0.01, 0.09),
            ("b", "c", 0.02, 0.01, 0.03),
            ("a", "d", -0.01, -0.02, 0.01),
            ("only", "a", -1.0, -2.0, -0.5),
        ]);
        let events = summary(&[
            ("a", "b", -0.09, -0.13, -0.05),
            ("c", "a", 0.04, -0.01, 0.09),
            ("b", "c", -0.02, -0.03, -0.01),
            ("a", "d", 0.02, 0.01, 0.03),
        ]);
        let found = claims(&fluid, &events);
        let told: Vec<_> = found.iter().map(|pair| (&*pair.cheaper, &*pair.dearer, pair.standing())).collect();
        assert_eq!(
            told,
            [("a", "b", Standing::Holds), ("a", "c", Standing::NotShown), ("c", "b", Standing::Withdrawn)]
        );
        let turned = disagreements(&fluid, &events);
        let told: Vec<_> = turned.iter().map(|pair| (&*pair.cheaper, &*pair.dearer)).collect();
        assert_eq!(told, [("b", "c"), ("d", "a")], "shown on events, with another sign than on the fluid kernel");
        let text = table("t", &found).markdown();
        assert!(text.contains("| a | b | -0.1000 [-0.1200, -0.0800] | -0.0900 [-0.1300, -0.0500] | holds |"), "{text}");
    }

    fn cell(strategy: &str, seed: u64, j: f64) -> Cell {
        let window = WindowRow {
            day_us: 0,
            ready_s: 0.0,
            starting_s: 0.0,
            terminating_s: 0.0,
            bad: 0.0,
            requests: 1.0,
            changes: 0.0,
            left_over: 0.0,
            j,
            oracle_lower: None,
            oracle_upper: None,
        };
        let row = CellRow {
            strategy: strategy.to_owned(),
            variant: if strategy == "oracle" { Variant::Oracle } else { Variant::Default },
            config: String::new(),
            family: "f".to_owned(),
            series: String::new(),
            headline: true,
            eval_seed: seed,
            train_seed: None,
            regime: "nominal".to_owned(),
            windows: vec![window],
            guard_share: None,
        };
        Cell { id: String::new(), kappa: 1.0, row }
    }

    #[test]
    fn a_balancing_is_compared_with_the_shared_queue_seed_by_seed() {
        let cells = |factors: [f64; 3]| -> Vec<Cell> {
            let of = |(seed, factor): (u64, f64)| cell("hpa", seed, 100.0 * (seed as f64) * factor);
            (1..4).zip(factors).map(of).chain([cell("oracle", 1, 50.0)]).collect()
        };
        let random = [1.1, 1.2, 1.3];
        let runs = [("random", cells(random)), (SHARED, cells([1.0; 3])), ("round-robin", vec![cell("hpa", 2, 210.0)])];
        let rows = balancing_rows(&runs);
        assert_eq!(rows.len(), 2, "the oracle and the shared queue are no rows");
        let row = rows.iter().find(|row| row.balancing == "random").unwrap();
        // ln 1.1, 1.2, 1.3: mean 0.18000, s = 0.083551; half = 4.303 s / √3 = 0.20757.
        let ends = [row.value, row.low.unwrap(), row.high.unwrap()];
        for (got, want) in ends.into_iter().zip([1.19722, 0.97284, 1.47334]) {
            assert!((got - want).abs() < 2e-4, "{got} {want}");
        }
        let single = rows.iter().find(|row| row.balancing == "round-robin").unwrap();
        assert!((single.value - 1.05).abs() < 1e-12 && single.low.is_none() && single.n == 1);
    }
}
