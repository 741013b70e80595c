//! A workload as a log saw it: bounds, CPU, timing, pods, start-ups, who decided; and its bounds in the world of protocol P1.
//!
//! P1 scales every load to the same height and lets pods of its own capacity serve it, so bounds in pods mean something else
//! there. [`SeenWorkload::protocol_limits`] is as many times the pods that P1's load needs as the seen bounds were of the pods
//! that the seen load needed: bounds × load scale × seen capacity / P1's capacity, the lower one rounded, the upper one up, both
//! within P1's own.

use std::collections::{BTreeMap, BTreeSet};

use seatrial_core::math::quantile_of_sorted;
use seatrial_core::observe::{Bounds, Workload};
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{SplitRule, Trace, moment, prepare};
use seatrial_envs::scenario::Scenario;
use serde::{Deserialize, Serialize};

use crate::log_command::Row;

/// The lead time that the core plans for is this quantile of start-ups.
const LEAD_TIME_LEVEL: f64 = 0.975;

/// See the module. Absent is what the log does not say.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenWorkload {
    pub(super) subject: String,
    from: String,
    to: String,
    decisions: usize,
    /// Hashes of the bundles that decided.
    bundles: BTreeSet<String>,
    /// Estimated requests per second of one pod, the last estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_per_pod_per_s: Option<f64>,
    /// The bounds for `evaluate --set limits=…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol_limits: Option<Bounds>,
    /// Why protocol P1 cannot score the series.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// Share of decisions by mode.
    mode_shares: BTreeMap<String, f64>,
    /// Share of decisions by `bundle`, `policy`, `fallback`.
    decided_by_shares: BTreeMap<String, f64>,
    /// Ready pods.
    ready_pods: ReadyPods,
    /// The start-ups that were seen, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_ups: Option<StartUps>,
    /// Bounds, CPU and timing, the last that the log holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadyPods {
    fewest: u32,
    /// Over decisions.
    mean: f64,
    most: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartUps {
    count: usize,
    median_s: f64,
    /// What to plan for.
    p975_s: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    min_replicas: u32,
    max_replicas: u32,
    cpu_request_milli: u32,
    cpu_limit_milli: u32,
    scrape_interval_s: f64,
    decision_interval_s: f64,
    metric_lag_s: f64,
    /// Whether the log holds several settings: these are the last.
    changed: bool,
}

impl SeenWorkload {
    /// The workload of the series `subject` of `trace`.
    pub(super) fn of(trace: &Trace, subject: &str, rows: &[Row]) -> Option<Self> {
        let (first, last) = (rows.first()?, rows.last()?);
        let moment = |row: &Row| moment::format(Timestamp::from_micros(row.record.at_us));
        let mut known = rows.iter().rev().filter_map(|row| row.record.capacity_mean);
        let capacity = known.find(|capacity| capacity.is_finite() && *capacity > 0.0);
        let settings = Settings::of(rows);
        let load = prepare(trace, Some(subject), &SplitRule::protocol_p1(&trace.id));
        let limits = load.as_ref().ok().and_then(|load| in_protocol(settings.as_ref()?, load.scale, capacity?));
        let bundles = rows.iter().filter_map(|row| row.point.as_ref()?.1.clone()).collect();
        Some(Self {
            subject: subject.to_owned(),
            from: moment(first),
            to: moment(last),
            decisions: rows.len(),
            bundles,
            capacity_per_pod_per_s: capacity.map(thousandths),
            protocol_limits: limits,
            refused: load.err().map(|error| error.to_string()),
            mode_shares: shares(rows.iter().map(|row| &row.mode)),
            decided_by_shares: shares(rows.iter().map(|row| &row.decided_by)),
            ready_pods: ReadyPods::of(rows)?,
            start_ups: StartUps::of(rows),
            settings,
        })
    }

    /// Whether protocol P1 takes the series.
    pub(super) const fn can_be_scored(&self) -> bool {
        self.refused.is_none()
    }

    /// What the user should know.
    pub(super) fn notes(&self) -> Vec<String> {
        let name = &self.subject;
        let mut notes = Vec::new();
        match &self.settings {
            None => notes.push(format!(
                "series `{name}`: the log holds no replay point of it, so bounds, CPU and timing are unknown"
            )),
            Some(settings) if settings.changed => {
                notes.push(format!("series `{name}`: its bounds, CPU or timing changed; told are the last"));
            }
            Some(_) => {}
        }
        match (&self.refused, self.protocol_limits) {
            (Some(refused), _) => notes.push(format!("series `{name}` cannot be scored by protocol P1: {refused}")),
            (None, None) if self.settings.is_some() => notes.push(format!(
                "series `{name}`: no decision estimated the capacity of a pod, so its bounds cannot be told in protocol P1's \
                 pods: evaluate uses P1's own"
            )),
            _ => {}
        }
        notes
    }
}

/// The bounds in pods of protocol P1, whose load is `scale` times the seen one.
fn in_protocol(settings: &Settings, scale: f64, capacity: f64) -> Option<Bounds> {
    let world = Scenario::protocol_p1();
    let factor = scale * capacity / world.true_capacity();
    if !(factor.is_finite() && factor > 0.0) {
        return None;
    }
    let own = world.workload.bounds;
    let pods = |pods: f64| own.clamp(seatrial_core::math::ceil_to_u32(pods));
    // The nearest whole number is one half less, rounded up.
    let min = pods((f64::from(settings.min_replicas) * factor - 0.5).max(0.0));
    Some(Bounds { min, max: pods(f64::from(settings.max_replicas) * factor).max(min) })
}

impl Settings {
    fn of(rows: &[Row]) -> Option<Self> {
        let mut points = rows.iter().filter_map(|row| Some(row.point.as_ref()?.0));
        let first = points.next()?;
        let (mut last, mut changed) = (first, false);
        for workload in points {
            changed |= workload != last;
            last = workload;
        }
        let Workload { bounds, cpu_request_milli, cpu_limit_milli, .. } = last;
        Some(Self {
            min_replicas: bounds.min,
            max_replicas: bounds.max,
            cpu_request_milli,
            cpu_limit_milli,
            scrape_interval_s: last.scrape_interval.as_secs_f64(),
            decision_interval_s: last.decision_interval.as_secs_f64(),
            metric_lag_s: last.metric_lag.as_secs_f64(),
            changed,
        })
    }
}

impl ReadyPods {
    fn of(rows: &[Row]) -> Option<Self> {
        let ready = || rows.iter().map(|row| row.record.ready);
        let sum: f64 = ready().map(f64::from).sum();
        Some(Self { fewest: ready().min()?, mean: thousandths(sum / rows.len() as f64), most: ready().max()? })
    }
}

impl StartUps {
    fn of(rows: &[Row]) -> Option<Self> {
        let mut seconds: Vec<f64> =
            rows.iter().flat_map(|row| row.start_ups.iter().copied().map(Span::as_secs_f64)).collect();
        seconds.sort_by(f64::total_cmp);
        Some(Self {
            count: seconds.len(),
            median_s: thousandths(quantile_of_sorted(&seconds, 0.5)?),
            p975_s: thousandths(quantile_of_sorted(&seconds, LEAD_TIME_LEVEL)?),
        })
    }
}

fn shares<'a>(words: impl Iterator<Item = &'a String>) -> BTreeMap<String, f64> {
    let (mut counts, mut all) = (BTreeMap::<String, f64>::new(), 0.0_f64);
    for word in words {
        *counts.entry(word.clone()).or_default() += 1.0;
        all += 1.0;
    }
    counts.into_iter().map(|(word, count)| (word, thousandths(count / all))).collect()
}

fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(min_replicas: u32, max_replicas: u32) -> Settings {
        Settings {
            min_replicas,
            max_replicas,
            cpu_request_milli: 500,
            cpu_limit_milli: 500,
            scrape_interval_s: 15.0,
            decision_interval_s: 15.0,
            metric_lag_s: 15.0,
            changed: false,
        }
    }

    /// 70 requests/s need 14 pods of 5; P1 makes 1,400 of them, which need 28 pods of 50: twice as many.
    #[test]
    fn bounds_are_told_in_pods_of_the_protocol() {
        let limits = |min, max| in_protocol(&settings(min, max), 20.0, 5.0);
        assert_eq!(limits(2, 20), Some(Bounds { min: 4, max: 40 }));
        assert_eq!(limits(0, 80), Some(Bounds { min: 1, max: 100 }), "P1's own bounds hold");
        let small = in_protocol(&settings(1, 9), 0.1, 50.0);
        assert_eq!(small, Some(Bounds { min: 1, max: 1 }), "the upper one is rounded up, neither is zero");
        assert_eq!(in_protocol(&settings(1, 9), f64::NAN, 5.0), None);
    }
}
