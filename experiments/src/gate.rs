//! The export gate: what a learned policy must show on validation before it may leave the gym.
//!
//! Against `hpa-default` and against its own untrained net the upper 95 % bound of the paired ln J must lie below 0; the guard
//! may override it in less than a fifth of its decisions; the leak detector must be silent. The verdicts against the tuned
//! rules are evidence, not conditions. The test part is not touched.
//!
//! Validation is often a day or two, so a window here is a UTC day where there are at least [`FEWEST_DAYS`] and else four hours,
//! with the step costs booked where they arise.

use std::collections::BTreeMap;

use seatrial_core::bundle::{Evidence, Interval};
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::moment::DAY;
use seatrial_envs::episode::StepRow;
use seatrial_envs::oracle::certify_on;
use seatrial_envs::scenario::{CostWeights, Regime};
use seatrial_reports::evaluation::{self, Evaluation};
use seatrial_reports::model::{CellRow, NOMINAL, StudyData, Variant, WindowRow};

use crate::arena::Arena;
use crate::contest::{Entrant, Kit};
use crate::error::{ExperimentError, Result};
use crate::learned::LearnedSet;
use crate::scoring::has_guard;
use crate::stage::Stage;
use crate::strategies;
use crate::study::Setup;
use crate::tuned::Tuned;

/// With fewer UTC days of validation, windows are shorter.
pub const FEWEST_DAYS: i64 = 4;
const SHORT_WINDOW: Span = Span::from_secs(4 * 3_600);
const CANDIDATE: &str = "lstm-dqn";
/// Compared with the candidate: the first two are conditions.
const OTHERS: [&str; 4] = ["hpa-default", "lstm-dqn-untrained", "hpa-tuned", "newsvendor-tuned"];

/// What the gate found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Why the policy is refused; empty if it passes.
    pub refusals: Vec<String>,
    /// The evidence for its card.
    pub evidence: Evidence,
    /// Mean J per window of the candidate.
    pub cost: f64,
}

/// Judges `candidate` on the validation parts of `setup`, with tuning seeds.
///
/// # Errors
/// If an episode cannot be run or there is nothing to validate on.
pub fn judge(setup: &Setup, tuned: &Tuned, learned: &LearnedSet, candidate: &Entrant) -> Result<Verdict> {
    let arenas: Vec<&Arena> = setup.arenas.iter().filter(|arena| arena.trainable).collect();
    if arenas.is_empty() {
        return Err(ExperimentError::Gate(
            "no series has a validation part; export from a study with longer series".into(),
        ));
    }
    let kit = Kit { tuned, learned: Some(learned) };
    let mut cells = Vec::new();
    let mut leaks = Vec::new();
    let mut oracle = OracleShare::default();
    for arena in arenas {
        let entrants = entrants(&kit, candidate, arena)?;
        for seed in &setup.study.seeds.tuning {
            let world = setup.protocol.world(Regime::Plain, setup.study.limits);
            let stage = Stage::new(arena, &arena.validation_part(), &world, *seed)?;
            cells.extend(setup.crew.map("gate", &entrants, |entrant| cell(arena, &stage, entrant, *seed))?);
            oracle.add(&stage, cells.iter().rev().find(|cell| cell.strategy == CANDIDATE))?;
            leaks.extend(leak(arena, &stage, candidate)?);
        }
    }
    let study =
        StudyData { name: "gate".into(), protocol: setup.protocol.id.to_uppercase(), cells, ..StudyData::default() };
    let evaluation = evaluation::evaluate(&study).map_err(|error| ExperimentError::Report(error.to_string()))?;
    Ok(conclude(setup, &evaluation, &leaks, &oracle))
}

/// The candidate and what it is compared with, of the candidate's training seed.
fn entrants(kit: &Kit<'_>, candidate: &Entrant, arena: &Arena) -> Result<Vec<Entrant>> {
    let mut entrants = vec![Entrant { strategy: CANDIDATE.into(), variant: Variant::Learned, ..candidate.clone() }];
    for id in OTHERS {
        let of_strategy = kit.entrants(&strategies::find(id, "the export gate")?, &arena.label());
        // Tuned rules are evidence where they were tuned, not a condition.
        let of_strategy = if id.ends_with("-tuned") { of_strategy.unwrap_or_default() } else { of_strategy? };
        let same_seed = |entrant: &Entrant| entrant.train_seed.is_none() || entrant.train_seed == candidate.train_seed;
        entrants.extend(of_strategy.into_iter().filter(same_seed));
    }
    Ok(entrants)
}

fn cell(arena: &Arena, stage: &Stage, entrant: &Entrant, seed: u64) -> Result<CellRow> {
    let mut book = Book::new(stage);
    let result = stage.play(entrant, &mut |row| book.take(row))?;
    Ok(CellRow {
        strategy: entrant.strategy.clone(),
        variant: entrant.variant,
        config: entrant.config_hash(),
        family: arena.load.family.clone(),
        series: arena.load.series.clone(),
        headline: true,
        eval_seed: seed,
        train_seed: entrant.train_seed,
        regime: NOMINAL.into(),
        windows: book.windows.into_values().collect(),
        guard_share: has_guard(entrant).then(|| result.guard_share()),
    })
}

/// Costs by window, from the steps.
struct Book {
    start: Timestamp,
    window: Span,
    costs: CostWeights,
    desired: u32,
    windows: BTreeMap<i64, WindowRow>,
}

impl Book {
    fn new(stage: &Stage) -> Self {
        let load = stage.traffic.load();
        let days = load.end().since(load.start()).whole_steps(DAY);
        Self {
            start: load.start(),
            window: if days >= FEWEST_DAYS { DAY } else { SHORT_WINDOW },
            costs: stage.scenario.costs,
            desired: stage.scenario.initial_replicas(load.rates_per_s()[0]),
            windows: BTreeMap::new(),
        }
    }

    fn take(&mut self, row: &StepRow<'_>) {
        let at = self.start + row.at.since(self.start).floor(self.window);
        let window =
            self.windows.entry(at.micros()).or_insert(WindowRow { day_us: at.micros(), ..WindowRow::default() });
        let span_s = row.span.as_secs_f64();
        window.ready_s += f64::from(row.ready) * span_s;
        window.starting_s += f64::from(row.starting) * span_s;
        window.terminating_s += f64::from(row.terminating) * span_s;
        window.requests += row.requests;
        window.bad += row.bad_requests;
        let changes = f64::from(row.desired.abs_diff(self.desired));
        window.changes += changes;
        window.j += f64::from(row.ready + row.starting + row.terminating) * span_s
            + self.costs.kappa * row.bad_requests
            + self.costs.churn * changes;
        self.desired = row.desired;
    }
}

trait Floor {
    fn floor(self, step: Span) -> Span;
}

impl Floor for Span {
    /// The greatest multiple of `step` that is not above it.
    fn floor(self, step: Span) -> Span {
        step * self.whole_steps(step)
    }
}

/// Mean ln of J over the oracle's lower bound.
#[derive(Default)]
struct OracleShare {
    logs: Vec<f64>,
}

impl OracleShare {
    fn add(&mut self, stage: &Stage, candidate: Option<&CellRow>) -> Result<()> {
        let certified = certify_on(&stage.scenario, &stage.traffic)
            .map_err(|error| ExperimentError::Environment { place: stage.label.clone(), detail: error.to_string() })?;
        if let Some(row) = candidate {
            let j: f64 = row.windows.iter().map(|window| window.j).sum();
            self.logs.push(seatrial_core::math::ln(j / certified.lower));
        }
        Ok(())
    }

    fn ratio(&self) -> Option<Interval> {
        #[expect(clippy::cast_precision_loss, reason = "a handful of stages")]
        let mean = self.logs.iter().sum::<f64>() / self.logs.len().max(1) as f64;
        let value = seatrial_core::math::exp(mean);
        let spread = |least: bool| {
            let pick = if least { f64::min } else { f64::max };
            self.logs.iter().copied().reduce(pick).map_or(value, seatrial_core::math::exp)
        };
        let n = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
        (!self.logs.is_empty()).then(|| Interval { value, low: spread(true), high: spread(false), n })
    }
}

/// Plays the candidate on futures that were turned around from some moment on; answers with what changed before that moment.
fn leak(arena: &Arena, stage: &Stage, candidate: &Entrant) -> Result<Vec<String>> {
    let part = arena.validation_part();
    let decided = decisions(stage, candidate)?;
    let mut leaks = Vec::new();
    for quarter in 1..4 {
        let cut = part.start + part.len() * quarter / 4;
        let mut turned = arena.clone();
        turned.load.rate_per_s[cut..].reverse();
        let other = Stage::new(&turned, &part, &stage.scenario, stage.traffic.seed())?;
        if changed_before(arena.load.at(cut), &decided, &decisions(&other, candidate)?) {
            leaks.push(format!("decisions on `{}` before bin {cut} changed with the load after it", stage.label));
        }
    }
    Ok(leaks)
}

/// Whether two logs of (moment, replicas) differ before `at`.
fn changed_before(at: Timestamp, one: &[(i64, u32)], other: &[(i64, u32)]) -> bool {
    let before = |rows: &[(i64, u32)]| rows.iter().filter(|row| row.0 < at.micros()).copied().collect::<Vec<_>>();
    before(one) != before(other)
}

fn decisions(stage: &Stage, candidate: &Entrant) -> Result<Vec<(i64, u32)>> {
    let mut rows = Vec::new();
    stage.play(candidate, &mut |row| rows.push((row.at.micros(), row.desired)))?;
    Ok(rows)
}

fn conclude(setup: &Setup, evaluation: &Evaluation, leaks: &[String], oracle: &OracleShare) -> Verdict {
    let scope = &evaluation.overall;
    let against = |other: &str| {
        scope.pair(CANDIDATE, other).map(|pair| {
            let estimate = &pair.ln_ratio;
            // Without an interval nothing is certain: the bound is infinite, and the gate stays shut.
            let (low, high) = (estimate.low.unwrap_or(f64::MIN), estimate.high.unwrap_or(f64::MAX));
            Interval { value: estimate.value, low, high, n: u32::try_from(estimate.n).unwrap_or(u32::MAX) }
        })
    };
    let candidate = scope.strategy(CANDIDATE);
    let evidence = Evidence {
        protocol: setup.protocol.id.clone(),
        cost_over_oracle: oracle.ratio(),
        against_hpa_default: against(OTHERS[0]),
        against_untrained: against(OTHERS[1]),
        against_hpa_tuned: against(OTHERS[2]),
        against_newsvendor_tuned: against(OTHERS[3]),
        guard_share: candidate.and_then(|row| row.value(evaluation::Metric::GuardShare)),
        leak_detector_silent: Some(leaks.is_empty()),
    };
    let refusals = refusals(&evidence, setup.protocol.gate.most_guard_share, leaks);
    let cost = candidate.and_then(|row| row.value(evaluation::Metric::Cost)).unwrap_or(f64::INFINITY);
    Verdict { refusals, evidence, cost }
}

fn refusals(evidence: &Evidence, most_guard_share: f64, leaks: &[String]) -> Vec<String> {
    let mut refusals = leaks.to_vec();
    for (name, interval) in
        [("hpa-default", evidence.against_hpa_default), ("its own untrained net", evidence.against_untrained)]
    {
        match interval {
            Some(interval) if interval.high < 0.0 => {}
            Some(Interval { value, high, .. }) => {
                refusals.push(format!(
                    "paired ln J against {name} is {value:.4} with an upper bound of {high:.4}, must be below 0"
                ));
            }
            None => refusals.push(format!("there is no comparison with {name}")),
        }
    }
    match evidence.guard_share {
        Some(share) if share < most_guard_share => {}
        Some(share) => refusals.push(format!(
            "the guard overrode {:.1} % of its decisions, must be under {:.0} %",
            100.0 * share,
            100.0 * most_guard_share
        )),
        None => refusals.push("the guard's share is unknown".into()),
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        let below = Some(Interval { value: -0.2, low: -0.3, high: -0.1, n: 6 });
        Evidence {
            against_hpa_default: below,
            against_untrained: below,
            guard_share: Some(0.1),
            leak_detector_silent: Some(true),
            ..Evidence::default()
        }
    }

    #[test]
    fn the_leak_detector_fires_on_what_changed_before_the_cut_and_on_nothing_else() {
        let at = Timestamp::from_micros(20);
        let log = [(0, 3), (10, 4), (20, 5)];
        assert!(!changed_before(at, &log, &[(0, 3), (10, 4), (20, 9)]));
        assert!(changed_before(at, &log, &[(0, 3), (10, 5), (20, 5)]));
        assert!(changed_before(at, &log, &[(0, 3)]), "a decision that is gone is a change");
    }

    #[test]
    fn each_condition_refuses_alone() {
        assert!(refusals(&evidence(), 0.2, &[]).is_empty());
        let above = Some(Interval { value: -0.2, low: -0.5, high: 0.0, n: 6 });
        let cases: [(Evidence, &[String], &str); 5] = [
            (Evidence { against_hpa_default: above, ..evidence() }, &[], "hpa-default"),
            (Evidence { against_untrained: above, ..evidence() }, &[], "untrained"),
            (Evidence { against_untrained: None, ..evidence() }, &[], "no comparison"),
            (Evidence { guard_share: Some(0.2), ..evidence() }, &[], "20.0 %"),
            (evidence(), &["decisions changed".to_owned()], "decisions changed"),
        ];
        for (evidence, leaks, word) in cases {
            let refusals = refusals(&evidence, 0.2, leaks);
            assert!(refusals.len() == 1 && refusals[0].contains(word), "{word}: {refusals:?}");
        }
    }
}
