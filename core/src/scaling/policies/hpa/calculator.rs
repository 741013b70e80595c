//! The replica calculator: how many replicas one metric asks for. All arithmetic as in the controller: utilisation is an integer
//! before it is divided by the target, ratios are doubles, the tolerance is a closed interval around 1.

use super::tally::Tally;

/// Why a metric gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricError {
    /// The metrics pipeline does not answer.
    MetricsUnavailable,
    /// There are no pods.
    NoPods,
    /// Nothing is left after setting pods aside.
    NoUsableSamples,
    /// A pod (by its place in the list, from one) has no request for the resource.
    MissingRequest {
        /// Its place in the list.
        pod: i64,
    },
    /// The requests of the pods that have samples add up to zero.
    NoMatchingSamples,
}

/// How far a ratio may be from 1 without a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Below 1.
    pub down: f64,
    /// Above 1.
    pub up: f64,
}

/// What a metric answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Replicas it asks for.
    pub replicas: i32,
    /// Utilisation in percent of the requests, for utilisation targets.
    pub utilization_percent: Option<i32>,
    /// Mean usage of a pod, or the total for targets of kind Value; `None` where the mean over zero replicas is undefined.
    pub usage_milli: Option<i64>,
}

/// The replica count that a metric is compared with, and the tolerances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// Present replicas: of the scale's spec, or of its status for average targets of object and external metrics.
    pub replicas: i32,
    /// Percent for utilisation, else milli-units.
    pub target: i64,
    /// The tolerances.
    pub tolerances: Tolerances,
}

impl Tolerances {
    fn hold(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

impl Question {
    /// Resource metric with a target in percent of the requests.
    ///
    /// # Errors
    /// See [`MetricError`].
    pub fn utilization(&self, tally: &Tally) -> Result<Answer, MetricError> {
        some_samples(tally)?;
        if tally.first_without_request != 0 {
            return Err(MetricError::MissingRequest { pod: tally.first_without_request });
        }
        let percent = percent(tally.counted_usage, tally.counted_requests).ok_or(MetricError::NoMatchingSamples)?;
        let ratio = self.ratio(percent);
        let replicas = self.settle(ratio, tally, |refill| {
            let usage = tally.counted_usage.saturating_add(refill.missing_usage(tally.missing_fallback));
            let requests = tally
                .counted_requests
                .saturating_add(refill.missing_if(tally.missing_requests))
                .saturating_add(refill.unready_if(tally.unready_requests));
            self::percent(usage, requests).map_or(ratio, |percent| self.ratio(percent))
        });
        let mean = tally.counted_usage / tally.ready.max(1);
        Ok(Answer { replicas, utilization_percent: Some(to_i32(percent)), usage_milli: Some(mean) })
    }

    /// Resource or pods metric with a target per pod.
    ///
    /// # Errors
    /// See [`MetricError`].
    pub fn average_over_pods(&self, tally: &Tally) -> Result<Answer, MetricError> {
        some_samples(tally)?;
        let mean = tally.usage / tally.samples;
        let ratio = self.ratio(mean);
        let replicas = self.settle(ratio, tally, |refill| {
            let fallback = tally.missing.saturating_mul(self.target);
            let usage = tally.usage.saturating_add(refill.missing_usage(fallback));
            self.ratio(usage / refill.entries(tally))
        });
        Ok(Answer { replicas, utilization_percent: None, usage_milli: Some(mean) })
    }

    /// Object or external metric with a target for the total.
    ///
    /// # Errors
    /// See [`MetricError`].
    pub fn total(&self, tally: &Tally, total_milli: i64) -> Result<Answer, MetricError> {
        let ratio = self.ratio(total_milli);
        let replicas = if self.replicas == 0 {
            ceil(ratio)
        } else if self.tolerances.hold(ratio) {
            self.replicas
        } else if tally.listed == 0 {
            return Err(MetricError::NoPods);
        } else {
            ceil(ratio * to_f64(tally.running_ready))
        };
        Ok(Answer { replicas, utilization_percent: None, usage_milli: Some(total_milli) })
    }

    /// Object or external metric with a target per replica. A sum that has reached the largest number stays the largest as a
    /// mean too.
    #[must_use]
    pub fn average_over_replicas(&self, total_milli: i64) -> Answer {
        let some = self.replicas != 0;
        if total_milli == i64::MAX {
            return Answer { replicas: i32::MAX, utilization_percent: None, usage_milli: some.then_some(i64::MAX) };
        }
        let total = to_f64(total_milli);
        let ratio = total / (to_f64(self.target) * f64::from(self.replicas));
        let replicas = if self.tolerances.hold(ratio) { self.replicas } else { ceil(total / to_f64(self.target)) };
        let usage_milli = some.then(|| ceil_wide(total / f64::from(self.replicas)));
        Answer { replicas, utilization_percent: None, usage_milli }
    }

    fn ratio(&self, value: i64) -> f64 {
        to_f64(value) / to_f64(self.target)
    }

    /// From the first ratio to replicas: pods without a usable sample are filled in so that they dampen the change.
    fn settle(&self, first: f64, tally: &Tally, second: impl FnOnce(Refill) -> f64) -> i32 {
        let refill = Refill {
            missing: tally.missing > 0 && first != 1.0,
            down: first < 1.0,
            unready: tally.unready > 0 && first > 1.0,
        };
        if !refill.unready && tally.missing == 0 {
            return if self.tolerances.hold(first) { self.replicas } else { ceil(first * to_f64(tally.ready)) };
        }
        let ratio = second(refill);
        let flipped = (first < 1.0 && ratio > 1.0) || (first > 1.0 && ratio < 1.0);
        if self.tolerances.hold(ratio) || flipped {
            return self.replicas;
        }
        let replicas = ceil(ratio * to_f64(refill.entries(tally)));
        let against = (ratio < 1.0 && replicas > self.replicas) || (ratio > 1.0 && replicas < self.replicas);
        if against { self.replicas } else { replicas }
    }
}

/// Which pods without a usable sample are filled in.
#[derive(Clone, Copy)]
struct Refill {
    missing: bool,
    down: bool,
    unready: bool,
}

impl Refill {
    fn missing_if(self, sum: i64) -> i64 {
        if self.missing { sum } else { 0 }
    }

    fn unready_if(self, sum: i64) -> i64 {
        if self.unready { sum } else { 0 }
    }

    /// On the way down missing pods count in full, on the way up as idle.
    fn missing_usage(self, fallback: i64) -> i64 {
        if self.down { self.missing_if(fallback) } else { 0 }
    }

    fn entries(self, tally: &Tally) -> i64 {
        tally.samples + self.missing_if(tally.missing) + self.unready_if(tally.unready)
    }
}

fn some_samples(tally: &Tally) -> Result<(), MetricError> {
    match (tally.listed, tally.samples) {
        (0, _) => Err(MetricError::NoPods),
        (_, 0) => Err(MetricError::NoUsableSamples),
        _ => Ok(()),
    }
}

fn percent(usage: i64, requests: i64) -> Option<i64> {
    (requests != 0).then(|| usage.saturating_mul(100).saturating_div(requests))
}

/// Sum of the values of an external metric; stops at the largest number.
#[must_use]
pub fn sum(values_milli: &[i64]) -> i64 {
    values_milli.iter().fold(0, |sum, value| sum.saturating_add(*value))
}

#[expect(clippy::cast_precision_loss, reason = "the controller computes in doubles")]
pub(in crate::scaling::policies) fn to_f64(value: i64) -> f64 {
    value as f64
}

fn to_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "saturates; NaN (0 of 0 replicas) is 0")]
pub(in crate::scaling::policies) fn ceil(value: f64) -> i32 {
    libm::ceil(value) as i32
}

#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn ceil_wide(value: f64) -> i64 {
    libm::ceil(value) as i64
}
