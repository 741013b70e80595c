//! Before and after on the later part, which tuning never saw: costs by day, intervals over days, the oracle, and what else
//! would have helped.

use seatrial_core::math;
use seatrial_core::time::Span;
use seatrial_envs::episode::{CostTerms, DayCosts};
use seatrial_envs::oracle::certify_on;
use seatrial_envs::scenario::CostWeights;
use seatrial_reports::stats::{self, BOOTSTRAP_SEED, Estimate, Hierarchy, RESAMPLES};

use super::arguments::Objective;
use super::candidates::{Candidate, rate_entrant};
use super::manifest::Scaler;
use super::search::Search;
use super::world::Theatre;
use crate::contest::Entrant;
use crate::error::{ExperimentError, Result};
use crate::schedule::Crew;
use crate::stage::Stage;

/// A start-up that nobody would call slow, for the question whether start-up is the trouble.
pub(super) const FAST_START: Span = Span::from_secs(5);

/// What one setting did on each day, mean over the seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Track {
    pub(super) days: Vec<CostTerms>,
    /// How long they are together, in days: less than their number where only parts of days were seen.
    pub(super) length_days: f64,
}

/// How the bounds bound under today's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pressed {
    /// Share of the time at the least replicas.
    pub(super) floor: f64,
    /// Share of the time at the most replicas.
    pub(super) ceiling: f64,
    /// Share of the bad requests that came while at the most replicas.
    pub(super) bad_at_ceiling: f64,
}

/// Everything that was found on the later part.
pub(super) struct Judgement {
    pub(super) today: Track,
    pub(super) suggested: Track,
    /// What each objective chooses, in the order of [`Objective::ALL`].
    pub(super) by_objective: Vec<Track>,
    /// Number of the candidate, and its track.
    pub(super) front: Vec<(usize, Track)>,
    /// The plan of the oracle, run.
    pub(super) oracle: Track,
    /// No schedule costs less, per day.
    pub(super) least_cost: f64,
    /// The plan of an oracle that may go down to one replica, where the floor is higher.
    pub(super) oracle_from_one: Option<Track>,
    /// The suggested settings if pods started at once.
    pub(super) fast_start: Track,
    /// The best autoscaler on requests per second.
    pub(super) on_rate: Option<(f64, Track)>,
    pub(super) pressed: Pressed,
    pub(super) weights: CostWeights,
    /// Share of the bins whose load was estimated from saturated CPU, and so was greater.
    pub(super) saturated: f64,
}

impl Track {
    fn of(runs: &[Vec<DayCosts>], length_days: f64) -> Self {
        let mut days: Vec<(i64, CostTerms)> = Vec::new();
        for day in runs.iter().flatten() {
            match days.iter_mut().find(|(known, _)| *known == day.day) {
                Some((_, terms)) => terms.add(&day.terms),
                None => days.push((day.day, day.terms)),
            }
        }
        let share = 1.0 / stats::count(runs.len().max(1));
        Self { days: days.into_iter().map(|(_, terms)| scaled(&terms, share)).collect(), length_days }
    }

    fn sum(&self, of: impl Fn(&CostTerms) -> f64, days: &[usize]) -> f64 {
        days.iter().map(|day| self.days.get(*day).map_or(0.0, &of)).sum()
    }

    pub(super) fn total(&self) -> CostTerms {
        let mut total = CostTerms::default();
        self.days.iter().for_each(|day| total.add(day));
        total
    }

    /// Length of one of them, in days.
    fn day(&self) -> f64 {
        self.length_days / stats::count(self.days.len().max(1))
    }

    /// Per 24 hours, of something that adds up.
    pub(super) fn mean(&self, of: impl Fn(&CostTerms) -> f64) -> f64 {
        if self.length_days > 0.0 { of(&self.total()) / self.length_days } else { 0.0 }
    }

    pub(super) fn replica_hours(&self) -> f64 {
        self.mean(CostTerms::pod_seconds) / 3_600.0
    }

    pub(super) fn bad_share(&self) -> f64 {
        self.total().bad_fraction().unwrap_or(0.0)
    }

    /// J per day.
    pub(super) fn cost(&self, weights: CostWeights) -> f64 {
        self.mean(|terms| terms.j(weights))
    }
}

fn scaled(terms: &CostTerms, share: f64) -> CostTerms {
    CostTerms {
        ready_s: terms.ready_s * share,
        starting_s: terms.starting_s * share,
        terminating_s: terms.terminating_s * share,
        requests: terms.requests * share,
        bad_requests: terms.bad_requests * share,
        drops: terms.drops * share,
        changes: terms.changes * share,
        left_over: terms.left_over * share,
    }
}

/// A statistic over days with its 95 % interval, days drawn with replacement.
pub(super) fn estimate(days: usize, statistic: impl Fn(&[usize]) -> f64) -> Estimate {
    let hierarchy = Hierarchy::new(vec![vec![days]]);
    let mut sample = hierarchy.identity();
    let value = statistic(&sample.windows);
    let mut resampled = Vec::with_capacity(RESAMPLES as usize);
    for index in 0..RESAMPLES {
        hierarchy.draw(BOOTSTRAP_SEED, index, &mut sample);
        resampled.push(statistic(&sample.windows));
    }
    Estimate::from_resamples(value, &mut resampled, days)
}

/// Change of a sum from one track to another, as a share.
pub(super) fn change(from: &Track, to: &Track, of: impl Fn(&CostTerms) -> f64) -> Estimate {
    estimate(from.days.len(), |days| {
        let (before, after) = (from.sum(&of, days), to.sum(&of, days));
        if before > 0.0 { after / before - 1.0 } else { f64::NAN }
    })
}

/// Change of a mean per day from one track to another, in its own unit.
pub(super) fn difference(from: &Track, to: &Track, of: impl Fn(&CostTerms) -> f64) -> Estimate {
    estimate(from.days.len(), |days| {
        (to.sum(&of, days) - from.sum(&of, days)) / (stats::count(days.len().max(1)) * from.day())
    })
}

/// Change of the share of bad requests.
pub(super) fn change_of_bad_share(from: &Track, to: &Track) -> Estimate {
    let share = |track: &Track, days: &[usize]| {
        let requests = track.sum(|terms| terms.requests, days);
        if requests > 0.0 { track.sum(|terms| terms.bad_requests, days) / requests } else { f64::NAN }
    };
    estimate(from.days.len(), |days| share(to, days) - share(from, days))
}

/// Mean over days of ln J(to) − ln J(from), as protocol P1 compares.
pub(super) fn log_ratio(from: &Track, to: &Track, weights: CostWeights) -> Estimate {
    let ratios: Vec<f64> =
        from.days.iter().zip(&to.days).map(|(from, to)| math::ln(to.j(weights)) - math::ln(from.j(weights))).collect();
    estimate(ratios.len(), |days| days.iter().map(|day| ratios[*day]).sum::<f64>() / stats::count(days.len().max(1)))
}

/// Judges the choices of `search`.
///
/// # Errors
/// If an episode cannot be run, or the crew is interrupted.
pub(super) fn judge(
    scaler: &Scaler,
    theatre: &Theatre,
    search: &Search,
    objective: Objective,
    crew: &Crew,
) -> Result<Judgement> {
    let stages = theatre.judgement(None)?;
    let fast = theatre.judgement(Some(FAST_START))?;
    let choices = Objective::ALL.map(|objective| search.choice(objective));
    let front = search.front();
    let suggested = search.choice(objective);
    let of = |candidate: &Candidate| candidate.entrant(scaler);
    let mut plays: Vec<(&[Stage], Entrant)> = vec![(&fast, of(&search.candidates[suggested]))];
    let numbers = [0, suggested].into_iter().chain(choices).chain(front.iter().copied());
    plays.extend(numbers.map(|number| (&stages[..], of(&search.candidates[number]))));
    plays.extend(search.on_rate.iter().map(|other| (&stages[..], rate_entrant(scaler, other))));
    let mut tracks = crew
        .quiet()
        .map("comparison", &plays, |(stages, entrant)| {
            let runs: Result<Vec<Vec<DayCosts>>> = stages.iter().map(|stage| Ok(stage.score(entrant)?.days)).collect();
            Ok(Track::of(&runs?, theatre.later_days()))
        })?
        .into_iter();
    let mut next = || tracks.next().unwrap_or_default();
    let (fast_start, today, suggested) = (next(), next(), next());
    let by_objective = choices.iter().map(|_| next()).collect();
    let front = front.into_iter().map(|number| (number, next())).collect();
    let on_rate = search.on_rate.as_ref().map(|(target, _)| (*target, next()));
    let weights = search.weights(objective);
    let (oracle, least_cost) = oracle(theatre, &stages, weights, None)?;
    let from_one = (scaler.least() > 1).then(|| oracle_plan(theatre, &stages, weights)).transpose()?;
    let pressed = pressed(scaler, &stages[0], &of(&search.candidates[0]))?;
    Ok(Judgement {
        today,
        suggested,
        by_objective,
        front,
        oracle,
        least_cost,
        oracle_from_one: from_one,
        fast_start,
        on_rate,
        pressed,
        weights,
        saturated: theatre.saturated,
    })
}

fn oracle_plan(theatre: &Theatre, stages: &[Stage], weights: CostWeights) -> Result<Track> {
    Ok(oracle(theatre, stages, weights, Some(1))?.0)
}

/// The oracle's plan as it ran, and the least cost per day.
fn oracle(theatre: &Theatre, stages: &[Stage], weights: CostWeights, least: Option<u32>) -> Result<(Track, f64)> {
    let world = theatre.oracle_world(least).with_costs(weights);
    let (mut runs, mut lower) = (Vec::new(), 0.0);
    for stage in stages {
        let certified = certify_on(&world, &stage.traffic)
            .map_err(|error| ExperimentError::Environment { place: stage.label.clone(), detail: error.to_string() })?;
        lower += certified.lower / stats::count(stages.len());
        runs.push(certified.upper_by_day);
    }
    let days = theatre.later_days();
    Ok((Track::of(&runs, days), lower / days))
}

fn pressed(scaler: &Scaler, stage: &Stage, entrant: &Entrant) -> Result<Pressed> {
    let (least, most) = (scaler.least(), scaler.max.max(1));
    let (mut time, mut floor, mut ceiling, mut bad, mut bad_at_ceiling) = (0.0, 0.0, 0.0, 0.0, 0.0);
    stage.play(entrant, &mut |row| {
        let span = row.span.as_secs_f64();
        time += span;
        bad += row.bad_requests;
        // At zero nothing is held up.
        if row.desired <= least && least > 0 {
            floor += span;
        }
        if row.desired >= most {
            ceiling += span;
            bad_at_ceiling += row.bad_requests;
        }
    })?;
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    Ok(Pressed { floor: share(floor, time), ceiling: share(ceiling, time), bad_at_ceiling: share(bad_at_ceiling, bad) })
}
