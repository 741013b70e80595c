//! The search: every candidate on the earlier part, and the settings that the objectives choose from them.
//!
//! Of candidates that cost the same within [`ALIKE`] the one wins that changes the fewest fields: a change that earns nothing
//! is only something to explain.

use seatrial_envs::episode::CostTerms;
use seatrial_envs::scenario::{CostWeights, Scenario};

use super::arguments::Objective;
use super::candidates::{self, Candidate};
use super::manifest::{Scaler, Signal};
use super::world::Theatre;
use crate::error::Result;
use crate::progress::Display;
use crate::schedule::Crew;

/// Costs within this share of the least count as the least.
const ALIKE: f64 = 0.002;
/// Points of the curve, at most.
const MOST_POINTS: usize = 12;
/// How far beyond the greatest of today's settings and the choices it goes.
const REACH: f64 = 1.3;

/// All candidates with what they cost on the earlier part.
pub(super) struct Search {
    pub(super) candidates: Vec<Candidate>,
    pub(super) terms: Vec<CostTerms>,
    /// The best autoscaler on requests per second, where the manifest's is on CPU.
    pub(super) on_rate: Option<(f64, Candidate)>,
    prices: CostWeights,
}

impl Search {
    /// Tries everything.
    ///
    /// # Errors
    /// If a candidate cannot be built or run, or the crew is interrupted.
    pub(super) fn run(
        scaler: &Scaler,
        theatre: &Theatre,
        capacity: f64,
        objective: Objective,
        crew: &Crew,
    ) -> Result<Self> {
        let stage = theatre.rehearsal()?;
        let candidates = candidates::all(scaler, capacity);
        let entrants: Vec<_> = candidates.iter().map(|candidate| candidate.entrant(scaler)).collect();
        // Seconds of work: a bar on a terminal, no lines in a log.
        let crew = if crew.display == Display::Lines { &crew.quiet() } else { crew };
        let terms = crew.map("settings", &entrants, |entrant| Ok(stage.score(entrant)?.total))?;
        let prices = Scenario::protocol_p1().costs;
        let mut search = Self { candidates, terms, on_rate: None, prices };
        if scaler.metric.signal == Signal::Cpu {
            let others = candidates::on_request_rate(scaler, capacity);
            let entrants: Vec<_> = others.iter().map(|other| candidates::rate_entrant(scaler, other)).collect();
            let terms = crew.quiet().map("settings", &entrants, |entrant| Ok(stage.score(entrant)?.total))?;
            let cost = |terms: &CostTerms| terms.j(search.weights(objective));
            let best = terms.iter().enumerate().min_by(|a, b| cost(a.1).total_cmp(&cost(b.1)));
            search.on_rate = best.map(|(index, _)| others[index].clone());
        }
        Ok(search)
    }

    pub(super) const fn weights(&self, objective: Objective) -> CostWeights {
        CostWeights { kappa: objective.kappa(), ..self.prices }
    }

    /// Number of the candidate that an objective chooses.
    pub(super) fn choice(&self, objective: Objective) -> usize {
        let costs: Vec<f64> = self.terms.iter().map(|terms| terms.j(self.weights(objective))).collect();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let alike = (0..costs.len()).filter(|index| costs[*index] <= least * (1.0 + ALIKE));
        let by = |index: &usize| (self.candidates[*index].changes(), costs[*index]);
        let better = |a: &usize, b: &usize| {
            let ((changes_a, cost_a), (changes_b, cost_b)) = (by(a), by(b));
            changes_a.cmp(&changes_b).then(cost_a.total_cmp(&cost_b))
        };
        alike.min_by(better).unwrap_or(0)
    }

    /// Candidates that none beats in replica-hours and bad requests at once, from the fewest hours up, thinned out.
    pub(super) fn front(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.terms.len()).collect();
        let key = |index: &usize| (self.terms[*index].pod_seconds(), self.terms[*index].bad_requests);
        order.sort_by(|a, b| {
            let ((hours_a, bad_a), (hours_b, bad_b)) = (key(a), key(b));
            hours_a.total_cmp(&hours_b).then(bad_a.total_cmp(&bad_b)).then(a.cmp(b))
        });
        let mut least = f64::INFINITY;
        order.retain(|index| {
            let bad = self.terms[*index].bad_requests;
            let better = bad < least;
            least = least.min(bad);
            better
        });
        // What lies far beyond today's and every choice is no setting that anyone wants, and would squeeze the picture.
        let known: Vec<usize> =
            std::iter::once(0).chain(Objective::ALL.map(|objective| self.choice(objective))).collect();
        let most = |of: &dyn Fn(usize) -> f64| known.iter().map(|index| of(*index)).fold(0.0, f64::max) * REACH;
        let (hours, bad) = (most(&|index| key(&index).0), most(&|index| key(&index).1));
        order.retain(|index| key(index).0 <= hours && key(index).1 <= bad);
        thinned(&order, MOST_POINTS)
    }
}

/// At most `most` of `all`, evenly, the first and last among them.
fn thinned(all: &[usize], most: usize) -> Vec<usize> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|place| all[place * (all.len() - 1) / (most - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(rows: &[(usize, f64, f64)]) -> Search {
        let candidate = |changes: usize| Candidate {
            target: (changes > 0).then_some(1.0),
            hold_s: (changes > 1).then_some(1),
            ..Candidate::default()
        };
        let terms = |hours: f64, bad: f64| CostTerms {
            ready_s: hours * 3_600.0,
            bad_requests: bad,
            requests: 1e6,
            ..CostTerms::default()
        };
        Search {
            candidates: rows.iter().map(|row| candidate(row.0)).collect(),
            terms: rows.iter().map(|row| terms(row.1, row.2)).collect(),
            on_rate: None,
            prices: CostWeights { kappa: 1.0, churn: 5.0 },
        }
    }

    /// By hand at κ = 0.3 and 3: 36,000 + κ·bad.
    #[test]
    fn objectives_weigh_bad_requests() {
        let search = search(&[(0, 10.0, 1_000.0), (1, 9.0, 3_000.0), (1, 11.0, 0.0)]);
        assert_eq!(search.choice(Objective::Cost), 1, "33,300 against 36,300 and 39,600");
        assert_eq!(search.choice(Objective::Balanced), 1, "35,400 against 37,000 and 39,600");
        assert_eq!(search.choice(Objective::Slo), 0, "39,000 against 41,400 and 39,600");
    }

    #[test]
    fn of_equals_the_one_with_the_fewest_changes_wins() {
        let search = search(&[(0, 12.0, 0.0), (2, 10.0, 0.0), (1, 10.01, 0.0)]);
        assert_eq!(search.choice(Objective::Balanced), 2);
    }

    #[test]
    fn the_front_is_what_none_beats() {
        let search = search(&[
            (0, 10.0, 5.0),
            (1, 9.0, 6.0),
            (1, 11.0, 5.0),
            (1, 11.5, 1.0),
            (1, 8.0, 900_000.0),
            (1, 20.0, 0.0),
        ]);
        assert_eq!(search.front(), [1, 0, 3], "the last two spoil nearly everything, or cost twice as much");
        assert_eq!(thinned(&[0, 1, 2, 3, 4], 3), [0, 2, 4]);
    }
}
