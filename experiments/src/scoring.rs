//! Scoring: every strategy on every series under every seed and regime, as cells.
//!
//! A plan lists the cells with their ids; running it skips what the cell store has, computes the rest in parallel, and gives
//! the cells in the order of their ids. The bytes do not depend on the number of jobs, nor on what was resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use seatrial_core::scaling::policies::{self, GuardProfile};
use seatrial_envs::episode::{DAY, EpisodeResult};
use seatrial_envs::oracle::{Certified, certify_on};
use seatrial_envs::scenario::{CostWeights, Regime, Scenario};
use seatrial_reports::model::{CellRow, NOMINAL, ORACLE, Variant, WindowRow};
use serde::Serialize;

use crate::arena::Arena;
use crate::cells::{CELL_SCHEMA, Cell, CellKey, read_cells, write_cells};
use crate::config::Study;
use crate::contest::{Entrant, Kit};
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::kernel::Kernel;
use crate::portrait::{Portrait, PortraitFiles};
use crate::protocol::Protocol;
use crate::run_folder::RunFolder;
use crate::schedule::{Crew, Shard};
use crate::stage::Stage;
use crate::strategies::Strategy;
use crate::yardstick::Yardstick;

/// A cell to be computed.
pub struct Planned {
    /// Its key.
    pub key: CellKey,
    /// Its id.
    pub id: String,
    stage: usize,
    player: Player,
    portrait: Option<String>,
}

enum Player {
    Strategy(Box<Entrant>),
    Oracle,
    Yardstick(Yardstick),
}

/// All cells of a study, by id, with the stages they play on.
pub struct Plan {
    stages: Vec<Stage>,
    /// The cells, by id.
    pub cells: Vec<Planned>,
}

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Scoring<'a> {
    /// The study.
    pub study: &'a Study,
    /// Its protocol.
    pub protocol: &'a Protocol,
    /// Its series.
    pub arenas: &'a [Arena],
    /// Parameters and weights.
    pub kit: Kit<'a>,
}

impl Scoring<'_> {
    /// Plans every cell of `strategies`, and of the oracle.
    ///
    /// # Errors
    /// If a strategy lacks parameters or weights, or a stage cannot be made.
    pub fn plan(&self, strategies: &[Strategy]) -> Result<Plan> {
        let mut plan = Plan { stages: Vec::new(), cells: Vec::new() };
        for arena in self.arenas {
            let mut entrants = Vec::new();
            for strategy in strategies {
                entrants.extend(self.kit.entrants(strategy, &arena.label())?);
            }
            for regime in &self.study.regimes {
                for seed in &self.study.seeds.evaluation {
                    let world = self.protocol.world(*regime, self.study.limits);
                    let kernel = self.study.plays_on();
                    let base = Base { arena, world: &world, seed: *seed, stage: plan.stages.len(), kernel };
                    let stage = Stage::new(arena, &arena.scored, &world, *seed)?;
                    plan.stages.push(stage.on(kernel));
                    self.plan_cells(&base, &entrants, &mut plan.cells);
                    if self.study.runs_yardsticks() {
                        let factors = self.kit.tuned.yardstick_factors(&arena.label());
                        plan.cells.extend(Yardstick::all(factors).iter().map(|yardstick| base.yardstick(*yardstick)));
                    }
                }
            }
        }
        plan.cells.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(plan)
    }

    fn plan_cells(&self, base: &Base<'_>, entrants: &[Entrant], cells: &mut Vec<Planned>) {
        let plain = base.world.regime == Regime::Plain;
        let portrayed = self.study.decisions && plain && base.seed == self.study.seeds.evaluation[0];
        let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
        for entrant in entrants {
            let first = seen.insert(&entrant.strategy, ()).is_none();
            let portrait = (portrayed && first).then(|| base.arena.file_stem());
            cells.push(base.cell(entrant, portrait));
        }
        let kappas = std::iter::once(base.world.costs.kappa).chain(self.study.kappa_sensitivity.iter().copied());
        cells.extend(kappas.map(|kappa| base.oracle(kappa)));
    }
}

/// What the cells of one stage have in common.
struct Base<'a> {
    arena: &'a Arena,
    world: &'a Scenario,
    seed: u64,
    stage: usize,
    kernel: Kernel,
}

impl Base<'_> {
    /// The key of the oracle at `kappa`; that of an entrant differs in its own fields.
    fn key(&self, kappa: f64) -> CellKey {
        #[derive(Serialize)]
        struct Load<'a> {
            content: &'a str,
            scale: f64,
            smoothing: u32,
            from_us: i64,
            to_us: i64,
        }
        let load = &self.arena.load;
        let (from, to) = self.arena.bounds(&self.arena.scored);
        let scored = Load {
            content: &load.content_hash,
            scale: load.scale,
            smoothing: load.smoothing_bins,
            from_us: from.micros(),
            to_us: to.micros(),
        };
        CellKey {
            schema: CELL_SCHEMA,
            scenario: hash::of_json(self.world),
            family: load.family.clone(),
            series: load.series.clone(),
            headline: self.arena.headline,
            load: hash::of_json(&scored),
            strategy: ORACLE.to_owned(),
            variant: Variant::Oracle,
            config: hash::of_bytes(ORACLE.as_bytes()),
            eval_seed: self.seed,
            train_seed: None,
            regime: regime_name(self.world.regime).to_owned(),
            kappa,
            // The oracle and the yardsticks are of the fluid world on every kernel.
            kernel: None,
        }
    }

    fn cell(&self, entrant: &Entrant, portrait: Option<String>) -> Planned {
        let key = CellKey {
            strategy: entrant.strategy.clone(),
            variant: entrant.variant,
            config: entrant.config_hash(),
            train_seed: entrant.train_seed,
            kernel: self.kernel.key(),
            ..self.key(self.world.costs.kappa)
        };
        let player = Player::Strategy(Box::new(entrant.clone()));
        Planned { id: key.id(), key, stage: self.stage, player, portrait }
    }

    fn yardstick(&self, yardstick: Yardstick) -> Planned {
        let key = CellKey {
            strategy: yardstick.knowledge.id(),
            variant: Variant::Yardstick,
            config: yardstick.config_hash(),
            ..self.key(self.world.costs.kappa)
        };
        Planned { id: key.id(), key, stage: self.stage, player: Player::Yardstick(yardstick), portrait: None }
    }

    fn oracle(&self, kappa: f64) -> Planned {
        let key = self.key(kappa);
        Planned { id: key.id(), key, stage: self.stage, player: Player::Oracle, portrait: None }
    }
}

/// Name of a regime in cells and reports.
#[must_use]
pub fn regime_name(regime: Regime) -> &'static str {
    if regime == Regime::Plain { NOMINAL } else { regime.id() }
}

impl Plan {
    /// Computes what `folder`'s cell store lacks (everything, if `fresh`) and gives the cells of `shard`, by id.
    ///
    /// # Errors
    /// If a cell fails, a file cannot be written, or the crew is interrupted.
    pub fn run(&self, crew: &Crew, folder: &RunFolder, shard: Shard, fresh: bool) -> Result<Vec<Cell>> {
        let mine: Vec<&Planned> =
            self.cells.iter().enumerate().filter(|(place, _)| shard.holds(*place)).map(|(_, cell)| cell).collect();
        let stored = |planned: &&Planned| if fresh { Ok(None) } else { self.stored(planned, folder) };
        let mut cells = crew.quiet().map("cells", &mine, stored)?;
        let lacking: Vec<&Planned> =
            mine.iter().zip(&cells).filter(|(_, cell)| cell.is_none()).map(|(planned, _)| *planned).collect();
        let computed = crew.map_kept("cells", mine.len() - lacking.len(), &lacking, |planned| {
            let cell = self.compute(planned, folder)?;
            write_cells(&folder.cell(&cell.id), std::slice::from_ref(&cell))?;
            Ok(cell)
        })?;
        cells.iter_mut().filter(|cell| cell.is_none()).zip(computed).for_each(|(slot, cell)| *slot = Some(cell));
        Ok(cells.into_iter().flatten().collect())
    }

    /// Removes cells and portraits that this plan does not have: of weights, parameters or policies that are gone.
    ///
    /// # Errors
    /// If a folder cannot be read or a file not removed.
    pub fn prune(&self, folder: &RunFolder) -> Result<()> {
        let mut planned: BTreeSet<PathBuf> = self.cells.iter().map(|cell| folder.cell(&cell.id)).collect();
        for cell in &self.cells {
            if let Some(stem) = &cell.portrait {
                let PortraitFiles { decisions, timeline, forecast } = files(folder, stem, cell);
                planned.extend([decisions, timeline, forecast]);
            }
        }
        for inside in ["cells", "decisions", "timelines", "forecasts"] {
            for file in folder.files_below(inside)?.iter().map(|file| folder.path(file)) {
                if !planned.contains(&file) {
                    std::fs::remove_file(&file).map_err(ExperimentError::io("remove", &file))?;
                }
            }
        }
        Ok(())
    }

    /// Whether every cell is in the store.
    #[must_use]
    pub fn complete(&self, folder: &RunFolder) -> bool {
        self.cells.iter().all(|planned| folder.cell(&planned.id).is_file())
    }

    fn stored(&self, planned: &Planned, folder: &RunFolder) -> Result<Option<Cell>> {
        let path = folder.cell(&planned.id);
        let portrayed = planned.portrait.as_ref().is_none_or(|stem| files(folder, stem, planned).complete());
        if !path.is_file() || !portrayed {
            return Ok(None);
        }
        // A damaged file is computed again; an error of the disk is told.
        Ok(read_cells(&path).ok().and_then(|cells| cells.into_iter().find(|cell| cell.id == planned.id)))
    }

    fn compute(&self, planned: &Planned, folder: &RunFolder) -> Result<Cell> {
        let stage = &self.stages[planned.stage];
        let (windows, guard_share) = match &planned.player {
            Player::Oracle => (oracle_windows(stage, planned.key.kappa)?, None),
            Player::Yardstick(yardstick) => (windows(&yardstick.run(stage)?, stage.scenario.costs), None),
            Player::Strategy(entrant) => {
                let result = play(stage, entrant, planned, folder)?;
                (windows(&result, stage.scenario.costs), has_guard(entrant).then(|| result.guard_share()))
            }
        };
        let key = &planned.key;
        let row = CellRow {
            strategy: key.strategy.clone(),
            variant: key.variant,
            config: key.config.clone(),
            family: key.family.clone(),
            series: key.series.clone(),
            headline: key.headline,
            eval_seed: key.eval_seed,
            train_seed: key.train_seed,
            regime: key.regime.clone(),
            windows,
            guard_share,
        };
        Ok(Cell { id: planned.id.clone(), kappa: key.kappa, row })
    }
}

fn files(folder: &RunFolder, stem: &str, planned: &Planned) -> PortraitFiles {
    PortraitFiles::new(folder, stem, &planned.key.strategy)
}

fn play(stage: &Stage, entrant: &Entrant, planned: &Planned, folder: &RunFolder) -> Result<EpisodeResult> {
    let Some(stem) = &planned.portrait else { return stage.score(entrant) };
    let mut portrait = Portrait::new(stage);
    let result = stage.play(entrant, &mut |row| portrait.take(row))?;
    portrait.write(entrant, &files(folder, stem, planned))?;
    Ok(result)
}

fn windows(result: &EpisodeResult, costs: CostWeights) -> Vec<WindowRow> {
    result
        .days
        .iter()
        .map(|day| WindowRow {
            day_us: day.day * DAY.micros(),
            ready_s: day.terms.ready_s,
            starting_s: day.terms.starting_s,
            terminating_s: day.terms.terminating_s,
            bad: day.terms.bad_requests,
            requests: day.terms.requests,
            changes: day.terms.changes,
            left_over: day.terms.left_over,
            j: day.terms.j(costs),
            oracle_lower: None,
            oracle_upper: None,
        })
        .collect()
}

/// Whether the entrant runs under the full guard, so that the share of overrides says something.
#[must_use]
pub fn has_guard(entrant: &Entrant) -> bool {
    let by_row = || policies::find(&entrant.spec.policy.id).is_ok_and(|row| row.guard == GuardProfile::Full);
    entrant.spec.guard.is_some() || by_row()
}

/// The oracle's own run with both bounds, by day. The lower bound of a day is where the plan pays.
fn oracle_windows(stage: &Stage, kappa: f64) -> Result<Vec<WindowRow>> {
    let costs = CostWeights { kappa, ..stage.scenario.costs };
    let certified = certify_on(&stage.scenario.with_costs(costs), &stage.traffic)
        .map_err(|error| ExperimentError::Environment { place: stage.label.clone(), detail: error.to_string() })?;
    Ok(windows_of(&certified, costs))
}

fn windows_of(certified: &Certified, costs: CostWeights) -> Vec<WindowRow> {
    let lower = |day: i64| certified.lower_by_day.iter().find(|bound| bound.day == day).map(|bound| bound.lower);
    let result = EpisodeResult {
        days: certified.upper_by_day.clone(),
        total: certified.upper_terms,
        decisions: 0,
        overridden: 0,
        blind: 0,
        held_for_missing: 0,
        initial_replicas: 0,
    };
    let mut windows = windows(&result, costs);
    for window in &mut windows {
        window.oracle_lower = lower(window.day_us / DAY.micros());
        window.oracle_upper = Some(window.j);
    }
    windows
}
