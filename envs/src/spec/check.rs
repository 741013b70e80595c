//! What the shape of a scenario cannot say: ranges, names that must be there, what contradicts itself, what a kernel cannot do.
//!
//! [`check`] finds everything at once, so that a file is corrected in one go. A key is the path by which a TOML file writes it:
//! `services.web.calls[0].to`. A scenario without problems makes a world; what depends on recorded files is told by
//! [`check_inputs`] once they are read. The limits of numbers are far beyond any cluster: they keep virtual time and memory finite.

mod calls;
mod cluster;
mod faults;
mod finding;
mod fluid;
mod service;
mod strategy;
#[cfg(test)]
mod tests;
mod traffic;

use std::fmt;

use finding::{Findings, MOST_SECONDS, NOT_NEGATIVE, POSITIVE_SECONDS, Range, SECONDS, SHARE};

use super::traffic::{ClientSpec, RetrySpec};
use super::{Inputs, KernelChoice, ScenarioSpec, wording};

/// A key whose value cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key in the file.
    pub key: String,
    /// What stands there.
    pub got: String,
    /// What may stand there.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` is {}, must be {}", self.key, self.got, self.allowed)
    }
}

/// All problems of a scenario, a line each: no kernel runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<Problem>);

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "scenario refused; correct")?;
        self.0.iter().try_for_each(|problem| write!(out, "\n  {problem}"))
    }
}

impl core::error::Error for Refused {}

/// Refuses what [`check`] and [`check_inputs`] find: every kernel asks before it runs a scenario. Strategies are left to whoever builds
/// them, because some need weights that no scenario holds.
///
/// # Errors
/// All that is wrong.
pub fn refuse(spec: &ScenarioSpec, inputs: &Inputs) -> Result<(), Refused> {
    let mut problems = check(spec);
    problems.retain(|problem| !problem.key.contains(strategy::KEY));
    if problems.is_empty() {
        problems = check_inputs(spec, inputs);
    }
    if problems.is_empty() { Ok(()) } else { Err(Refused(problems)) }
}

/// Longest scenario: a year.
const LONGEST: Range = Range { low: 1e-6, high: 31_622_400.0, text: "0.000001 to 31,622,400 seconds (a year)" };
/// A scrape interval that a ring of samples can hold.
const SCRAPE: Range = Range { low: 0.1, high: 3_600.0, text: "0.1 to 3,600" };
/// Most scrape intervals of a scenario: each holds a row of every series.
const MOST_SCRAPES: f64 = 10_000_000.0;
/// Most services; the call graph is walked recursively.
const MOST_SERVICES: usize = 1_000;

/// Everything that is wrong with `spec`, in the order of its tables; empty if it can be run.
#[must_use]
pub fn check(spec: &ScenarioSpec) -> Vec<Problem> {
    let mut found = Findings::default();
    top(spec, &mut found);
    client(&spec.client, &mut found);
    metrics(spec, &mut found);
    service::check(spec, &mut found);
    calls::check(spec, &mut found);
    traffic::check(spec, &mut found);
    cluster::check(spec, &mut found);
    faults::check(spec, &mut found);
    if spec.kernel == KernelChoice::Fluid {
        fluid::check(spec, &mut found);
    }
    found.into_problems()
}

/// What is wrong with `spec` given what was read for it: loads that no kernel could play, pods that no recorded node holds;
/// [`check`] has found nothing.
#[must_use]
pub fn check_inputs(spec: &ScenarioSpec, inputs: &Inputs) -> Vec<Problem> {
    let mut found = Findings::default();
    traffic::check_loads(spec, inputs, &mut found);
    cluster::check_inputs(spec, inputs, &mut found);
    found.into_problems()
}

fn top(spec: &ScenarioSpec, found: &mut Findings) {
    found.name("name", &spec.name);
    found.must(!spec.summary.trim().is_empty(), "summary", "empty", "a sentence that says what it is for");
    let plain = wording::is_printable(&spec.summary);
    found.must(plain, "summary", "a text with control characters", "one line of text that can be shown as it is");
    let lasts = found.number("duration_s", spec.duration_s, LONGEST);
    found.number("warm_up_s", spec.warm_up_s, SECONDS);
    let counts = spec.warm_up_s < spec.duration_s || !lasts;
    found.must(counts, "warm_up_s", spec.warm_up_s, "below duration_s: nothing would count");
    found.optional("slo.wait_s", spec.slo.wait_s, SECONDS);
    found.optional("slo.latency_s", spec.slo.latency_s, POSITIVE_SECONDS);
    found.number("costs.kappa", spec.costs.kappa, NOT_NEGATIVE);
    found.number("costs.churn", spec.costs.churn, NOT_NEGATIVE);
    let services = spec.services.len();
    found.must(services <= MOST_SERVICES, "services", format!("{services} services"), "at most 1,000 services");
    let empty = spec.services.is_empty() && spec.workloads.is_empty();
    found.must(!empty, "services", "empty", "at least one service, or one of `workloads`");
}

fn client(client: &ClientSpec, found: &mut Findings) {
    found.optional("client.timeout_s", client.timeout_s, POSITIVE_SECONDS);
    if let Some(retries) = &client.retries {
        retry("client.retries", retries, found);
    }
}

fn retry(at: &str, retries: &RetrySpec, found: &mut Findings) {
    found.count(format!("{at}.attempts"), u64::from(retries.attempts), 1, 100);
    found.number(format!("{at}.base_s"), retries.base_s, SECONDS);
    found.number(format!("{at}.cap_s"), retries.cap_s, SECONDS);
    let grows = retries.cap_s >= retries.base_s || !retries.base_s.is_finite();
    found.must(grows, format!("{at}.cap_s"), retries.cap_s, "at least base_s");
    found.optional(format!("{at}.budget_ratio"), retries.budget_ratio, NOT_NEGATIVE);
}

fn metrics(spec: &ScenarioSpec, found: &mut Findings) {
    let metrics = &spec.metrics;
    let fits = found.number("metrics.scrape_s", metrics.scrape_s, SCRAPE);
    found.number("metrics.jitter", metrics.jitter, SHARE);
    found.number("metrics.lag_s", metrics.lag_s, Range { low: 0.0, high: 86_400.0, text: "0 to 86,400" });
    let lost = Range { low: 0.0, high: 0.999, text: "0 to 0.999: with 1 there would be no metrics at all" };
    found.number("metrics.lost_scrape_probability", metrics.lost_scrape_probability, lost);
    if fits && spec.duration_s <= MOST_SECONDS {
        let enough = spec.duration_s / metrics.scrape_s <= MOST_SCRAPES;
        let allowed = "longer, so that the scenario has at most 10,000,000 scrapes";
        found.must(enough, "metrics.scrape_s", metrics.scrape_s, allowed);
    }
}
