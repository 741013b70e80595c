//! A simulated scenario run as plain data, and its page: what the cluster did, interval by interval, and what it cost.
//!
//! Here, and not beside the simulator, because reports know no simulator: whoever ran the scenario fills a [`ScenarioRun`].
//! Invariants: quantiles of a whole run come from the run's own histogram, never from quantiles of its intervals; a number that
//! cannot be had is absent, never zero; the headline is made of numbers alone.

mod page;
#[cfg(test)]
pub(crate) mod sample;
mod tables;
#[cfg(test)]
mod tests;

use seatrial_core::record::timeline::Timeline;
use seatrial_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::ReportError;
use crate::model::Fact;

pub use page::scenario_page;
pub use tables::scenario_tables;

/// A run of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioRun {
    /// Name of the scenario.
    pub name: String,
    /// What the scenario is for, in a sentence or two.
    pub summary: String,
    /// `events` or `fluid`.
    pub kernel: String,
    /// Seed of all draws.
    pub seed: u64,
    /// Seconds from the start that count in the timeline and in the conservation alone, and in no other total.
    pub warm_up_s: f64,
    /// Answers later than this are bad, in seconds; `None` without such an objective.
    pub objective_s: Option<f64>,
    /// What happened, by interval.
    pub timeline: Timeline,
    /// Sums over the run.
    pub totals: Totals,
    /// Where every request is; `None` of a kernel that does not count them one by one.
    pub conservation: Option<Conservation>,
    /// One per service of the timeline, by id.
    pub services: Vec<ServiceTotals>,
    /// Changes of replicas that somebody decided, in order of time.
    pub decisions: Vec<Decision>,
    /// What is to be known to read the page right; text in backticks is code.
    pub notes: Vec<String>,
    /// How far the numbers spread over further seeds, a line each; empty if there were none.
    pub spread: Vec<String>,
    /// The least that any decisions can cost, a sentence each; empty where that is not known.
    pub bound: Vec<String>,
    /// How to make it again.
    pub provenance: Vec<Fact>,
}

/// Sums over a run without its warm-up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Requests that clients began.
    pub offered: u64,
    /// Tries beyond the first.
    pub retries: u64,
    /// Requests that failed, or were answered too late.
    pub bad: u64,
    /// From first try to answer, of the requests answered.
    pub latency: Latency,
    /// Pod-seconds of all pods, whatever their state, with the rest of the starts under way at the end.
    pub pod_seconds: f64,
    /// What J is made of.
    pub costs: Vec<CostTerm>,
}

/// Requests of the whole run, warm-up included, and where they went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conservation {
    /// Requests that clients began.
    pub offered: u64,
    /// Where they went, each once: answered, failed, under way, and whatever else the kernel knows.
    pub ends: Vec<EndCount>,
}

/// Name of the requests that the end of a run found on their way.
pub const UNDER_WAY: &str = "under way";

/// How many requests ended in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndCount {
    /// In a word or two: `answered`, `failed`, `under way`.
    pub name: String,
    /// Requests.
    pub requests: u64,
}

/// Quantiles of a whole run in seconds; `None` where nothing was completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Median.
    pub p50_s: Option<f64>,
    /// 95 %.
    pub p95_s: Option<f64>,
    /// 99 %.
    pub p99_s: Option<f64>,
    /// 99.9 %.
    pub p999_s: Option<f64>,
}

/// A term of J.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostTerm {
    /// What is counted: `pod-seconds`, `bad requests`, `changes of replicas`.
    pub name: String,
    /// How many of them.
    pub amount: f64,
    /// Price of one, in pod-seconds.
    pub price: f64,
}

impl CostTerm {
    /// Amount times price, in pod-seconds.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.amount * self.price
    }
}

impl Totals {
    /// J: the sum of its terms, in pod-seconds.
    #[must_use]
    pub fn j(&self) -> f64 {
        self.costs.iter().map(CostTerm::cost).sum()
    }

    /// Bad requests over offered ones; `None` if none was offered.
    #[must_use]
    pub fn bad_share(&self) -> Option<f64> {
        share(self.bad, self.offered)
    }
}

/// A service over the run without its warm-up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceTotals {
    /// Its name, as in the timeline.
    pub name: String,
    /// Calls that arrived, each try counted.
    pub calls: u64,
    /// Of them those that the service did not complete.
    pub failed: u64,
    /// Mean number of ready pods.
    pub mean_ready: f64,
    /// Most ready pods at a time.
    pub most_ready: u32,
    /// CPU seconds used over CPU seconds that ready pods had; `None` if there was no ready pod.
    pub utilisation: Option<f64>,
    /// From arrival at the service to completion, of the calls completed.
    pub latency: Latency,
    /// Pod-seconds of all pods, whatever their state, with the rest of the starts under way at the end.
    pub pod_seconds: f64,
}

impl ServiceTotals {
    /// What the timeline says of a service after the warm-up, with `cores` to a pod; latency and pod-seconds it cannot say.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "intervals and cores, for people to read")]
    pub fn of_timeline(timeline: &Timeline, service: usize, (warm_up_s, cores): (f64, f64)) -> Self {
        let interval_s = timeline.interval.as_secs_f64();
        let services = timeline.services.len().max(1);
        let counts = |interval: usize| (interval + 1) as f64 * interval_s > warm_up_s;
        let all = timeline.service_rows.iter().skip(service).step_by(services).enumerate();
        let rows: Vec<_> = all.filter(|(interval, _)| counts(*interval)).map(|(_, row)| row).collect();
        let ready: f64 = rows.iter().map(|row| f64::from(row.ready)).sum();
        let cpu_s: f64 = rows.iter().map(|row| row.cpu_s).sum();
        let had_s = ready * interval_s * cores;
        Self {
            name: timeline.services.get(service).cloned().unwrap_or_default(),
            calls: rows.iter().map(|row| row.arrived).sum(),
            failed: rows.iter().map(|row| row.failed).sum(),
            mean_ready: if rows.is_empty() { 0.0 } else { ready / crate::stats::count(rows.len()) },
            most_ready: rows.iter().map(|row| row.ready).max().unwrap_or(0),
            utilisation: (had_s > 0.0).then(|| cpu_s / had_s),
            ..Self::default()
        }
    }
}

/// A change of replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Of which service.
    pub service: String,
    /// Replicas asked for before.
    pub from: u32,
    /// Replicas asked for from now on.
    pub to: u32,
    /// Why, in words; may be empty.
    pub reason: String,
}

/// `part / whole`; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of requests, for people to read")]
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl ScenarioRun {
    /// Simulated seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        crate::stats::count(self.timeline.client_rows.len()) * self.timeline.interval.as_secs_f64()
    }

    /// Simulated seconds that count in the totals.
    #[must_use]
    pub fn counted_seconds(&self) -> f64 {
        (self.seconds() - self.warm_up_s).max(0.0)
    }

    /// Whether every list of the run is as long as the timeline says, and its scales ascend: what the figures rely on.
    ///
    /// # Errors
    /// [`ReportError::BadTimeline`] with what does not fit.
    pub fn check(&self) -> Result<(), ReportError> {
        let t = &self.timeline;
        let (intervals, classes) = (t.client_rows.len(), t.latency_edges_s.len().saturating_sub(1));
        let bad = |field: &'static str, found: String, expected: String| {
            Err(ReportError::BadTimeline { scenario: self.name.clone(), field, found, expected })
        };
        if intervals == 0 || t.interval.micros() <= 0 {
            let found = format!("{intervals} of {} µs", t.interval.micros());
            return bad("intervals", found, "at least one of a positive length".to_owned());
        }
        for (field, found, expected) in [
            ("service_rows", t.service_rows.len(), intervals * t.services.len()),
            ("pool_rows", t.pool_rows.len(), intervals * t.pools.len()),
            ("latency_counts", t.latency_counts.len(), intervals * classes),
            ("services", self.services.len(), t.services.len()),
        ] {
            if found != expected {
                return bad(field, format!("{found} rows"), expected.to_string());
            }
        }
        // An edge that is no number ascends from nothing.
        if !t.latency_edges_s.windows(2).all(|pair| pair[0] < pair[1]) {
            return bad("latency_edges_s", "edges that do not ascend".to_owned(), "ascending seconds".to_owned());
        }
        Ok(())
    }
}
