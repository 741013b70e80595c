//! Estimates with intervals for every strategy and every pair, overall, by family and by regime.
//!
//! Invariants: strategies are compared on the windows and evaluation seeds that both have; the headline is made of headline
//! traces only, if there are any; every statistic of one scope uses the same resamples, so skill and differences are paired.
//! Definitions: cost = mean over series of the mean J per window; G = geometric mean of ΣJ/ΣJ*(lower) over series within a
//! family, then over families; skill = (G_tuned − G)/(G_tuned − 1); a paired difference = mean over series of the mean over
//! windows of ln J(a) − ln J(b); bad fraction and guard share = mean over series.

mod bootstrap;
mod split;
mod tracks;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::ReportError;
use crate::model::{CellRow, NOMINAL, ORACLE, SKILL_REFERENCE, StudyData, Variant};
use crate::stats::{Estimate, count};
use bootstrap::{Resampled, bootstrap};
pub use split::Split;
use split::competes;
use tracks::{Track, WindowKey};

/// The seven metrics of a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean J per window, pod-seconds.
    Cost,
    /// G: geometric mean of J/J*(lower).
    CostOverOracle,
    /// (G_tuned − G)/(G_tuned − 1).
    Skill,
    /// Bad requests / requests.
    BadFraction,
    /// Pod-seconds per window.
    PodSeconds,
    /// Sum of |change of replicas| per window.
    Changes,
    /// Share of steps in which the guard overrode the proposal.
    GuardShare,
}

impl Metric {
    /// All, in the order of files.
    pub const ALL: [Self; 7] = [
        Self::Cost,
        Self::CostOverOracle,
        Self::Skill,
        Self::BadFraction,
        Self::PodSeconds,
        Self::Changes,
        Self::GuardShare,
    ];

    /// The key used in files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::CostOverOracle => "cost_over_oracle",
            Self::Skill => "skill",
            Self::BadFraction => "bad_fraction",
            Self::PodSeconds => "pod_seconds",
            Self::Changes => "changes",
            Self::GuardShare => "guard_share",
        }
    }
}

/// One strategy within a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyResult {
    /// Id.
    pub id: String,
    /// How it came by its parameters.
    pub variant: Variant,
    /// Hash of the resolved configuration; several, joined by `+`, where it differs by series and the study names no single one.
    pub config: String,
    /// Estimates; a metric that cannot be had is absent.
    pub metrics: BTreeMap<Metric, Estimate>,
}

impl StrategyResult {
    /// The estimate of a metric.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<&Estimate> {
        self.metrics.get(&metric)
    }

    /// The point estimate of a metric.
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.get(metric).map(|estimate| estimate.value)
    }
}

/// `a` against `b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Mean of ln J(a) − ln J(b): negative, `a` is cheaper.
    pub ln_ratio: Estimate,
    /// Windows in which `a` was cheaper (training seeds averaged).
    pub cheaper: usize,
    /// Windows compared.
    pub windows: usize,
}

/// Certified bounds on the least cost, mean per window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OracleBounds {
    /// No schedule is cheaper.
    pub lower: f64,
    /// Cost of a schedule that exists, where it was replayed.
    pub upper: Option<f64>,
    /// Whose least cost is bounded.
    #[serde(default, skip_serializing_if = "BoundedWorld::is_own")]
    pub world: BoundedWorld,
}

/// The world whose least cost is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoundedWorld {
    /// The one that the strategies ran in: none of them can be cheaper.
    #[default]
    Own,
    /// The fluid kernel's, while the strategies ran on another kernel: a yardstick, which they may fall below.
    Fluid,
}

impl BoundedWorld {
    /// Whether no strategy can be cheaper than the bound.
    #[must_use]
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// A set of windows over which everything is estimated.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// `overall`, a family or a regime.
    pub name: String,
    /// Whether its traces count for the headline.
    pub headline: bool,
    /// Number of families, series and windows.
    pub size: [usize; 3],
    /// Strategies by id, without the oracle.
    pub strategies: Vec<StrategyResult>,
    /// The replayed plan, if there are cells of it.
    pub plan: Option<StrategyResult>,
    /// What knows more than a strategy may, by id.
    pub yardsticks: Vec<StrategyResult>,
    /// Where the regret of each strategy comes from, by id; empty without oracle or yardsticks.
    pub splits: BTreeMap<String, Split>,
    /// Ordered pairs.
    pub paired: BTreeMap<String, BTreeMap<String, Paired>>,
    /// Bounds on the least cost.
    pub oracle: Option<OracleBounds>,
}

impl Scope {
    /// A strategy by id.
    #[must_use]
    pub fn strategy(&self, id: &str) -> Option<&StrategyResult> {
        self.strategies.iter().find(|strategy| strategy.id == id)
    }

    /// `a` against `b`.
    #[must_use]
    pub fn pair(&self, a: &str, b: &str) -> Option<&Paired> {
        self.paired.get(a)?.get(b)
    }

    /// Strategies from the cheapest to the dearest (by G, else by cost; ties by id).
    #[must_use]
    pub fn ranked(&self) -> Vec<&StrategyResult> {
        let key = |s: &StrategyResult| {
            [Metric::CostOverOracle, Metric::Cost].map(|metric| s.value(metric).unwrap_or(f64::INFINITY))
        };
        let mut ranked: Vec<_> = self.strategies.iter().collect();
        ranked.sort_by(|a, b| {
            let ([ga, ja], [gb, jb]) = (key(a), key(b));
            ga.total_cmp(&gb).then(ja.total_cmp(&jb)).then_with(|| a.id.cmp(&b.id))
        });
        ranked
    }

    /// `7 windows of 1 series in 1 family`.
    #[must_use]
    pub fn size_in_words(&self) -> String {
        let [families, series, windows] = self.size;
        let many = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        format!(
            "{} of {} in {}",
            many(windows, "window", "windows"),
            many(series, "series", "series"),
            many(families, "family", "families")
        )
    }
}

/// All scopes of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The headline traces, or all traces if none is headline.
    pub overall: Scope,
    /// One per family, by name.
    pub families: Vec<Scope>,
    /// One per regime other than the nominal, over the traces of `overall`.
    pub regimes: Vec<Scope>,
    /// What a reader must know about the comparison itself.
    pub notes: Vec<String>,
    /// The same study at other prices of a bad request, by price; whoever can price cells anew fills it.
    pub prices: Vec<Priced>,
}

/// A study evaluated at another price of a bad request.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    /// Price of a bad request in pod-seconds; the evaluation that holds this one is at 1.
    pub kappa: f64,
    /// The evaluation at that price.
    pub evaluation: Evaluation,
}

/// Evaluates a study.
///
/// # Errors
/// What [`StudyData::validate`] refuses, and a study without cells under the nominal regime.
pub fn evaluate(study: &StudyData) -> Result<Evaluation, ReportError> {
    study.validate()?;
    let nominal = |cell: &&CellRow| cell.regime == NOMINAL;
    let any_headline = study.cells.iter().filter(nominal).any(|cell| cell.headline);
    let counted = |cell: &&CellRow| cell.headline || !any_headline;
    let mut notes = Vec::new();
    let build = |name: &str, cells: Vec<&CellRow>, notes: &mut Vec<String>| scope(name, &cells, study, notes);
    let cells: Vec<_> = study.cells.iter().filter(nominal).filter(counted).collect();
    if cells.iter().all(|cell| !cell.variant.competes()) {
        return Err(ReportError::NoCells { study: format!("{} (regime `{NOMINAL}`)", study.name) });
    }
    let overall_families: BTreeSet<&str> = cells.iter().map(|cell| cell.family.as_str()).collect();
    let overall = build("overall", cells, &mut notes);
    headline_notes(study, any_headline, &overall, &mut notes);
    let names: BTreeSet<&str> = study.cells.iter().filter(nominal).map(|cell| cell.family.as_str()).collect();
    let families = names
        .iter()
        .map(|family| {
            if overall_families.len() == 1 && overall_families.contains(family) {
                return Scope { name: (*family).to_owned(), ..overall.clone() };
            }
            let cells = study.cells.iter().filter(nominal).filter(|cell| cell.family == *family).collect();
            build(family, cells, &mut notes)
        })
        .collect();
    let regimes: BTreeSet<&str> = study.cells.iter().map(|c| c.regime.as_str()).filter(|r| *r != NOMINAL).collect();
    let regimes = regimes
        .iter()
        .map(|regime| {
            let cells = study.cells.iter().filter(|cell| cell.regime == *regime).filter(counted).collect();
            build(regime, cells, &mut notes)
        })
        .collect();
    Ok(Evaluation { overall, families, regimes, notes, prices: Vec::new() })
}

fn headline_notes(study: &StudyData, any_headline: bool, overall: &Scope, notes: &mut Vec<String>) {
    if !any_headline {
        notes.push("No trace of this study counts for the headline (native at one minute or finer): “overall” is over all traces and is not a headline.".to_owned());
    } else if study.cells.iter().any(|cell| !cell.headline) {
        notes.push(
            "Coarse traces stand in their own tables, marked “not headline”, and are not part of “overall”.".to_owned(),
        );
    }
    let [families, series, windows] = overall.size;
    let units = if series == 1 { windows } else { series };
    if units == 1 {
        notes.push("One window only: there are no intervals, and no claim can be made.".to_owned());
    } else if units < 5 {
        notes.push(format!(
            "Only {units} units: bootstrap intervals over so few are too narrow; read them as a description."
        ));
    }
    if families < 8 {
        notes.push(format!(
            "{families} famil{} in “overall”: with fewer than 8, a claim holds per family and does not generalise.",
            if families == 1 { "y" } else { "ies" }
        ));
    }
    if overall.oracle.is_none() {
        notes.push("No oracle bounds: J/J* and skill are missing.".to_owned());
    }
}

fn scope(name: &str, cells: &[&CellRow], study: &StudyData, notes: &mut Vec<String>) -> Scope {
    let tracks = tracks::collect(cells, &study.configs);
    let groups = group_by_grid(&tracks);
    let mut resampled: Vec<Option<Resampled>> = vec![None; tracks.len()];
    for (grid, members) in &groups {
        let hierarchy = tracks::hierarchy(grid);
        let terms: Vec<&Track> = members.iter().map(|i| &tracks[*i]).collect();
        for (i, result) in members.iter().zip(bootstrap(&hierarchy, &terms)) {
            resampled[*i] = Some(result);
        }
    }
    let resampled: Vec<Resampled> = resampled.into_iter().flatten().collect();
    let union: BTreeSet<&WindowKey> = tracks.iter().flat_map(|track| &track.grid).collect();
    let union: Vec<WindowKey> = union.into_iter().cloned().collect();
    for track in tracks.iter().filter(|track| competes(track) && track.grid.len() < union.len()) {
        notes.push(format!(
            "{name}: {} was run on {} of {} windows; its own figures are over those, and pairs over the windows both have.",
            track.id,
            track.grid.len(),
            union.len()
        ));
    }
    let shape = tracks::hierarchy(&union);
    let reference = tracks.iter().position(|track| track.id == SKILL_REFERENCE);
    let mut strategies: Vec<StrategyResult> = (0..tracks.len())
        .map(|i| {
            let comparable = reference.filter(|r| tracks[*r].grid == tracks[i].grid);
            strategy_result(&tracks[i], &resampled[i], comparable.map(|r| &resampled[r]))
        })
        .collect();
    let paired = all_pairs(&tracks, &resampled);
    let plan = strategies.iter().position(|s| s.id == ORACLE).map(|at| strategies.remove(at));
    let (strategies, yardsticks) = strategies.into_iter().partition(|strategy| strategy.variant.competes());
    Scope {
        name: name.to_owned(),
        headline: cells.iter().all(|cell| cell.headline),
        size: [shape.families(), shape.series(), shape.windows()],
        strategies,
        plan,
        yardsticks,
        splits: split::splits(&tracks, &resampled),
        paired,
        oracle: oracle_bounds(cells, study.bounded_world()),
    }
}

fn group_by_grid(tracks: &[Track]) -> BTreeMap<&[WindowKey], Vec<usize>> {
    let mut groups: BTreeMap<&[WindowKey], Vec<usize>> = BTreeMap::new();
    for (i, track) in tracks.iter().enumerate() {
        groups.entry(&track.grid).or_default().push(i);
    }
    groups
}

fn strategy_result(track: &Track, own: &Resampled, reference: Option<&Resampled>) -> StrategyResult {
    let mut metrics = BTreeMap::new();
    let mut put = |metric, value: f64, mut samples: Vec<f64>| {
        if value.is_finite() {
            metrics.insert(metric, Estimate::from_resamples(value, &mut samples, own.units));
        }
    };
    put(Metric::Cost, own.point.cost, own.each(|r| r.cost));
    put(Metric::CostOverOracle, own.point.g(), own.each(bootstrap::Reduced::g));
    put(Metric::BadFraction, own.point.bad_fraction, own.each(|r| r.bad_fraction));
    put(Metric::PodSeconds, own.point.pod_seconds, own.each(|r| r.pod_seconds));
    put(Metric::Changes, own.point.changes, own.each(|r| r.changes));
    put(Metric::GuardShare, own.point.guard_share, own.each(|r| r.guard_share));
    if let Some(reference) = reference {
        let skill = |tuned: f64, g: f64| crate::stats::skill(tuned, g).unwrap_or(f64::NAN);
        let samples = reference.samples.iter().zip(&own.samples).map(|(t, r)| skill(t.g(), r.g())).collect();
        put(Metric::Skill, skill(reference.point.g(), own.point.g()), samples);
    }
    StrategyResult { id: track.id.clone(), variant: track.variant, config: track.config.clone(), metrics }
}

fn all_pairs(tracks: &[Track], resampled: &[Resampled]) -> BTreeMap<String, BTreeMap<String, Paired>> {
    let mut paired: BTreeMap<String, BTreeMap<String, Paired>> = BTreeMap::new();
    for (i, a) in tracks.iter().enumerate().filter(|(_, track)| competes(track)) {
        for (j, b) in tracks.iter().enumerate().skip(i + 1).filter(|(_, track)| competes(track)) {
            let forward = if a.grid == b.grid {
                Some(pair(a, b, &resampled[i], &resampled[j]))
            } else {
                pair_on_intersection(a, b)
            };
            if let Some(forward) = forward {
                paired.entry(b.id.clone()).or_default().insert(a.id.clone(), reversed(&forward, a, b));
                paired.entry(a.id.clone()).or_default().insert(b.id.clone(), forward);
            }
        }
    }
    paired
}

fn pair(a: &Track, b: &Track, ra: &Resampled, rb: &Resampled) -> Paired {
    let mut samples = ra.samples.iter().zip(&rb.samples).map(|(x, y)| x.ln_j - y.ln_j).collect();
    let ln_ratio = Estimate::from_resamples(ra.point.ln_j - rb.point.ln_j, &mut samples, ra.units);
    Paired { ln_ratio, cheaper: wins(a, b), windows: a.grid.len() }
}

fn reversed(forward: &Paired, a: &Track, b: &Track) -> Paired {
    let Estimate { value, low, high, n } = forward.ln_ratio;
    let ln_ratio = Estimate { value: -value, low: high.map(|x| -x), high: low.map(|x| -x), n };
    let (a, b) = (a.restricted_to(&b.grid), b.restricted_to(&a.grid));
    Paired { ln_ratio, cheaper: wins(&b, &a), windows: forward.windows }
}

fn pair_on_intersection(a: &Track, b: &Track) -> Option<Paired> {
    let (a, b) = (a.restricted_to(&b.grid), b.restricted_to(&a.grid));
    if a.grid.is_empty() {
        return None;
    }
    let both = bootstrap(&tracks::hierarchy(&a.grid), &[&a, &b]);
    Some(pair(&a, &b, both.first()?, both.get(1)?))
}

/// Windows in which `a` was cheaper, on a common grid.
fn wins(a: &Track, b: &Track) -> usize {
    (0..a.grid.len()).filter(|w| a.mean_ln_j(*w) < b.mean_ln_j(*w)).count()
}

/// Mean over series of the mean over windows, evaluation seeds averaged.
fn oracle_bounds(cells: &[&CellRow], world: BoundedWorld) -> Option<OracleBounds> {
    let mut by_series: BTreeMap<(&str, &str), BTreeMap<i64, [f64; 4]>> = BTreeMap::new();
    for cell in cells {
        for window in &cell.windows {
            let Some(lower) = window.oracle_lower else { continue };
            let series = by_series.entry((&cell.family, &cell.series)).or_default();
            let sums = series.entry(window.day_us).or_default();
            let upper = window.oracle_upper;
            let add = [lower, 1.0, upper.unwrap_or(0.0), if upper.is_some() { 1.0 } else { 0.0 }];
            sums.iter_mut().zip(add).for_each(|(sum, term)| *sum += term);
        }
    }
    let over_series = |value: fn(&[f64; 4]) -> f64| {
        let means: Vec<f64> =
            by_series.values().map(|days| days.values().map(value).sum::<f64>() / count(days.len())).collect();
        crate::stats::mean(&means)
    };
    let upper = over_series(|sums| sums[2] / sums[3]).filter(|upper| upper.is_finite());
    Some(OracleBounds { lower: over_series(|sums| sums[0] / sums[1])?, upper, world })
}

#[cfg(test)]
mod tests;
