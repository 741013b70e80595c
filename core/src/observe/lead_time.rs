//! The start-up lead time to plan for: the P97.5 of the start-ups that were seen, not their median.
//!
//! Planning for the median costs up to 2.8 times the optimum (protocol.md): half of the pods come too late.

use serde::{Deserialize, Serialize};

use super::{Observation, Workload};
use crate::math;
use crate::time::Span;

const KEPT: usize = 128;
const FEWEST: usize = 40;
const LEVEL: f64 = 0.975;

/// The running estimate over the last 128 start-ups; the workload's prior holds until 40 were seen, unless one took longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadTimeEstimator {
    prior: Span,
    millis: Vec<u32>,
    next: usize,
    estimate: Span,
}

impl LeadTimeEstimator {
    /// An estimator with the workload's prior.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        Self {
            prior: workload.prior_lead_time,
            millis: Vec::with_capacity(KEPT),
            next: 0,
            estimate: workload.prior_lead_time,
        }
    }

    /// Folds in the start-ups of `observation` and answers with the lead time to plan for.
    pub fn update(&mut self, observation: &Observation) -> Span {
        if !observation.start_ups.is_empty() {
            for start_up in &observation.start_ups {
                self.push(*start_up);
            }
            self.estimate = self.quantile();
        }
        self.estimate
    }

    fn push(&mut self, start_up: Span) {
        let millis = u32::try_from(start_up.micros().max(0) / 1_000).unwrap_or(u32::MAX);
        if self.millis.len() < KEPT {
            self.millis.push(millis);
        } else {
            self.millis[self.next] = millis;
        }
        self.next = (self.next + 1) % KEPT;
    }

    fn quantile(&self) -> Span {
        let mut sorted = [0.0; KEPT];
        let seen = &mut sorted[..self.millis.len()];
        for (slot, millis) in seen.iter_mut().zip(&self.millis) {
            *slot = f64::from(*millis);
        }
        seen.sort_unstable_by(f64::total_cmp);
        let level = if seen.len() < FEWEST { 1.0 } else { LEVEL };
        let quantile = Span::from_secs_f64(math::quantile_of_sorted(seen, level).unwrap_or(0.0) / 1_000.0);
        if seen.len() < FEWEST { quantile.max(self.prior) } else { quantile }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rand::{Stream, standard_normal};
    use crate::time::Timestamp;

    #[test]
    fn the_p975_of_lognormal_start_ups_is_about_90_seconds() {
        let mut estimator = LeadTimeEstimator::new(&Workload::protocol_p1());
        let mut seen = Observation::unknown(Timestamp::ZERO, 1);
        seen.start_ups = (0..128)
            .map(|i| Span::from_secs_f64(60.0 * math::exp(0.2 * standard_normal(1, Stream::PodStartUp, i, 0))))
            .collect();
        let lead = estimator.update(&seen).as_secs_f64();
        assert!((80.0..100.0).contains(&lead), "{lead}");
    }

    #[test]
    fn the_prior_holds_until_enough_was_seen_unless_something_took_longer() {
        let mut estimator = LeadTimeEstimator::new(&Workload::protocol_p1());
        let mut seen = Observation::unknown(Timestamp::ZERO, 1);
        seen.start_ups = vec![Span::from_secs(20)];
        assert_eq!(estimator.update(&seen), Span::from_secs(90));
        seen.start_ups = vec![Span::from_secs(200)];
        assert_eq!(estimator.update(&seen), Span::from_secs(200));
    }
}
