//! The start-up lead time to plan for: the P97.5 of the start-ups that were seen, not their median.
//!
//! Planning for the median costs up to 2.8 times the optimum (protocol.md): half of the pods come too late.

use serde::{Deserialize, Serialize};

use super::{Observation, Workload};
use crate::time::Span;

const KEPT: usize = 128;
const FEWEST: usize = 40;
const LEVEL: f64 = 0.975;
/// Of [`KEPT`] start-ups, so many are not below the quantile's lower neighbour.
const LARGEST: usize = 5;

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

    /// The interpolated quantile of [`crate::math::quantile_of_sorted`], to the bit, without sorting: it lies among the largest few.
    fn quantile(&self) -> Span {
        let Some(last) = self.millis.len().checked_sub(1) else { return self.prior };
        let largest = self.largest();
        let level = if self.millis.len() < FEWEST { 1.0 } else { LEVEL };
        #[expect(clippy::cast_precision_loss, reason = "at most 127")]
        let position = level * last as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let below = (position as usize).min(last);
        let at = |rank: usize| f64::from(largest[last - rank.min(last)]);
        #[expect(clippy::cast_precision_loss, reason = "at most 127")]
        let millis = at(below) + (at(below + 1) - at(below)) * (position - below as f64);
        let quantile = Span::from_secs_f64(millis / 1_000.0);
        if self.millis.len() < FEWEST { quantile.max(self.prior) } else { quantile }
    }

    /// The largest start-ups, descending.
    fn largest(&self) -> [u32; LARGEST] {
        let mut largest = [0; LARGEST];
        for millis in &self.millis {
            let mut place = LARGEST;
            while place > 0 && largest[place - 1] < *millis {
                if place < LARGEST {
                    largest[place] = largest[place - 1];
                }
                place -= 1;
            }
            if place < LARGEST {
                largest[place] = *millis;
            }
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;
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

    #[test]
    fn the_largest_few_give_the_quantile_of_all() {
        let mut estimator = LeadTimeEstimator::new(&Workload::protocol_p1());
        for i in 0..400 {
            let seconds = 60.0 * math::exp(0.4 * standard_normal(2, Stream::PodStartUp, i, 0));
            estimator.push(Span::from_secs_f64(seconds));
            let mut sorted: Vec<f64> = estimator.millis.iter().map(|millis| f64::from(*millis)).collect();
            sorted.sort_by(f64::total_cmp);
            let level = if sorted.len() < 40 { 1.0 } else { 0.975 };
            let of_all = Span::from_secs_f64(math::quantile_of_sorted(&sorted, level).unwrap() / 1_000.0);
            let expected = if sorted.len() < 40 { of_all.max(Span::from_secs(90)) } else { of_all };
            assert_eq!(estimator.quantile(), expected, "{} start-ups", sorted.len());
        }
    }
}
