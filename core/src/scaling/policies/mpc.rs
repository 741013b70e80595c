//! `mpc`: model-predictive control with a chance constraint, over a short horizon.
//!
//! At every decision it finds the plan of replicas that is cheapest in expectation under the forecast, makes its first step,
//! and plans anew at the next one (receding horizon).
//!
//! **Scenarios.** The eight quantiles of the forecast are eight scenarios; each has the probability mass between the midpoints
//! of its level and its neighbours'. A forecast says no more than the greatest rate of one window, so the path inside is ours:
//! in a scenario above the present rate the rate rises in a straight line from the present rate, at the beginning of the
//! window, to the quantile at its end, and stays there; in a scenario below, the whole window must lie below the present rate,
//! so the rate falls at once. A greatest rate that comes early and passes looks to this plan like one that comes late and
//! stays.
//!
//! **Stages.** The lead time is cut into stages of a decision interval (more than 24: of a 24th of the lead time). Until it has
//! passed only pods that exist can serve: those that are ready, and those that start, from the stage in which their age
//! reaches the lead time. In these stages a plan can only remove pods, those that start first, as Kubernetes does. After the
//! lead time a plan may stand at any level; there the rates are constant, so that one level for all `tail_steps` is optimal
//! (with linear costs of change, going to the cheapest visited level at once is never dearer).
//!
//! **Cost** in pod-seconds: pods that exist × time + κ × expected bad requests ([`waiting`](crate::scaling)'s formula) + 5 per
//! change; a pod bought now also pays its lead time, a pod removed 5 s of termination.
//!
//! **Chance constraint.** After the lead time the pods must keep utilisation at or below `utilisation` with probability at
//! least `level`: P(rate ≤ utilisation × capacity × pods) ≥ level, which is a lower bound of pods from one quantile. It yields
//! to the workload's upper bound. Before the lead time has passed nothing could be done about it, so it does not bind. A
//! scenario that not even the upper bound serves is worth no pod (all its requests are bad anyway), beyond what this asks for.
//!
//! **Solution.** Exact dynamic programming over replica levels in a neighbourhood of the present and of every scenario's need;
//! costs of change are linear, so a stage takes two passes over the levels. Where the neighbourhood has more than 64 levels
//! they are thinned out evenly, around the present number. Nothing is remembered between decisions.
//!
//! Sources: Roy, Dubey, Gokhale, "Efficient autoscaling in the cloud using predictive models for workload forecasting", IEEE
//! CLOUD 2011 (receding horizon over replicas, SLA, resource and reconfiguration costs); OptScaler, VLDB 2024 (chance
//! constraint on a forecast's quantile); protocol P1 for the costs.

mod plan;

use serde::{Deserialize, Serialize};

use self::plan::{Costs, Outlook, Plan, SCENARIOS, Supply};
use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::observe::{Bounds, Observation, START_UP_BUCKET};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::forecast::Quantiles;
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::scaling::waiting::{self, WaitModel};
use crate::time::{Span, Timestamp};

const ID: &str = "mpc";

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "the cheapest plan over a short horizon that keeps utilisation within a chance constraint",
    sources: &["Roy, Dubey, Gokhale, IEEE CLOUD 2011", "OptScaler, VLDB 2024", "protocol P1, costs"],
    deviations: &[],
    needs_forecast: true,
    needs_weights: false,
    guard: GuardProfile::Full,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Pod-seconds that a bad request is worth, 0 to 1,000.
    kappa: f64,
    /// Probability with which the constraint must hold, 0.01 to 0.999.
    level: f64,
    /// Greatest utilisation of the constraint, 0.1 to 2.
    utilisation: f64,
    /// Decision intervals for which the plan reaches beyond the lead time, 1 to 240.
    tail_steps: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { kappa: 1.0, level: 0.9, utilisation: 0.9, tail_steps: 20 }
    }
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    in_range(ID, "kappa", config.kappa, 0.0..=1_000.0, "0 to 1000")?;
    in_range(ID, "level", config.level, 0.01..=0.999, "0.01 to 0.999")?;
    in_range(ID, "utilisation", config.utilisation, 0.1..=2.0, "0.1 to 2")?;
    in_range(ID, "tail_steps", f64::from(config.tail_steps), 1.0..=240.0, "1 to 240")?;
    let workload = ingredients.workload;
    let waits = WaitModel::of(workload).up_to(ID, workload.bounds)?;
    Ok(Box::new(Mpc {
        config,
        waits,
        bounds: workload.bounds,
        interval: workload.decision_interval.max(Span::from_secs(1)),
    }))
}

struct Mpc {
    config: Config,
    waits: WaitModel,
    bounds: Bounds,
    interval: Span,
}

impl Policy for Mpc {
    type State = ();

    fn initial_state(&self) {}

    fn step(&self, now: Timestamp, view: &View<'_>, (): &mut ()) -> Proposal {
        let forecast = view.forecast.copied();
        let capacity = waiting::sound_capacity(view.capacity);
        let scenarios = forecast.and_then(|quantiles| scenarios(&quantiles));
        let (Some(quantiles), Some(scenarios), Some(capacity)) = (forecast, scenarios, capacity) else {
            return Proposal { forecast, ..Proposal::none(Reason::MetricMissing) };
        };
        let stages = plan::stages(view.lead_time, self.interval);
        let supply = supply(view.observation, self.bounds, view.lead_time, stages);
        let outlook = outlook(now, view.observation, &quantiles, scenarios);
        let required = quantiles.at(self.config.level) / (self.config.utilisation * capacity);
        let wish = Plan {
            waits: self.waits,
            capacity,
            bounds: self.bounds,
            costs: self.costs(stages),
            required: crate::math::ceil_to_u32(required),
        }
        .first_step(&supply, &outlook);
        let reason = if wish == view.observation.spec_replicas { Reason::Hold } else { Reason::Forecast };
        Proposal { forecast, ..Proposal::of(wish, reason) }
    }
}

impl Mpc {
    fn costs(&self, stages: plan::Stages) -> Costs {
        let tail_s = f64::from(self.config.tail_steps) * self.interval.as_secs_f64();
        Costs::of_protocol(self.config.kappa, stages, tail_s)
    }
}

/// The quantiles as rates of scenarios; `None` if they are no rates.
fn scenarios(quantiles: &Quantiles) -> Option<[f64; SCENARIOS]> {
    let mut rates = [0.0; SCENARIOS];
    for (rate, value) in rates.iter_mut().zip(quantiles.values) {
        *rate = waiting::sound_rate(value)?;
    }
    Some(rates)
}

fn outlook(now: Timestamp, seen: &Observation, quantiles: &Quantiles, greatest: [f64; SCENARIOS]) -> Outlook {
    let present = seen.arrival_rate().and_then(|sample| waiting::sound_rate(sample.value));
    Outlook {
        present: present.unwrap_or(greatest[crate::scaling::forecast::MEDIAN]),
        greatest,
        elapsed_s: now.since(quantiles.from).as_secs_f64(),
        window_s: quantiles.horizon.as_secs_f64(),
    }
}

/// The pods that were asked for, by the stage from which they serve: ready ones first, then the oldest that start. Those that
/// were asked for and not yet seen serve after the lead time.
fn supply(seen: &Observation, bounds: Bounds, lead: Span, stages: plan::Stages) -> Supply {
    let counts = seen.pods.counts(seen.now);
    let existing = bounds.clamp(seen.spec_replicas);
    let ready = counts.ready.min(existing);
    let mut supply = Supply { existing, serving: [ready; plan::MOST_STAGES], stages };
    let mut unseen = existing - ready;
    for (bucket, starting) in counts.starting_by_age.into_iter().enumerate().rev() {
        let starting = starting.min(unseen);
        unseen -= starting;
        let left = lead - START_UP_BUCKET * bucket as i64;
        for serving in supply.serving.iter_mut().skip(stages.first_after(left)) {
            *serving += starting;
        }
    }
    supply
}

#[cfg(test)]
mod tests;
