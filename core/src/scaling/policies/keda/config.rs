//! Config of `keda`: the parts of a `ScaledObject` that matter here, and the settings of the autoscaler behind it.

use serde::{Deserialize, Serialize};

use super::activation::{Activation, Pauses};
use super::fallback::Fallback;
use super::trigger::{CpuTarget, External, TriggerConfig};
use crate::observe::Bounds;
use crate::scaling::config::ConfigError;
use crate::scaling::policies::Ingredients;
use crate::scaling::policies::hpa::adapter::{Adapter, Metric, Settings, seconds, signed};
use crate::scaling::policies::hpa::behavior::{Behavior, SelectPolicy};
use crate::time::Span;

/// Most triggers of one object here.
pub(super) const MOST_TRIGGERS: usize = 8;
const DEFAULT_PERCENT: f64 = 80.0;
const WEEK: (u32, &str) = (604_800, "0 to 604800");

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    /// The triggers, 1 to 8.
    triggers: Vec<TriggerConfig>,
    /// `pollingInterval`, 1 to 3,600.
    polling_interval_s: u32,
    /// `cooldownPeriod`, 0 to 604,800.
    cooldown_period_s: u32,
    /// `initialCooldownPeriod`, 0 to 604,800.
    initial_cooldown_period_s: u32,
    /// `minReplicaCount`; `null` is the workload's.
    min_replica_count: Option<u32>,
    /// `maxReplicaCount`; `null` is the workload's.
    max_replica_count: Option<u32>,
    /// `idleReplicaCount`: fewer than the fewest, while nothing is active.
    idle_replica_count: Option<u32>,
    /// `fallback` of the API object.
    fallback: Option<Fallback>,
    /// `advanced.horizontalPodAutoscalerConfig.behavior` of the API object.
    behavior: Option<Behavior>,
    /// Annotation `autoscaling.keda.sh/paused`.
    paused: bool,
    /// Annotation `autoscaling.keda.sh/paused-replicas`; it pauses too.
    paused_replicas: Option<u32>,
    /// Annotation `autoscaling.keda.sh/paused-scale-in`.
    paused_scale_in: bool,
    /// Annotation `autoscaling.keda.sh/paused-scale-out`.
    paused_scale_out: bool,
    /// Annotation `autoscaling.keda.sh/force-activation`.
    force_activation: bool,
    /// Setting of the autoscaler's controller; see `hpa`.
    tolerance: f64,
    /// Setting of the autoscaler's controller; see `hpa`.
    downscale_stabilization_s: u32,
    /// Setting of the autoscaler's controller; see `hpa`.
    cpu_initialization_period_s: u32,
    /// Setting of the autoscaler's controller; see `hpa`.
    initial_readiness_delay_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            triggers: vec![TriggerConfig::Cpu { metric_type: CpuTarget::Utilization, value: DEFAULT_PERCENT }],
            polling_interval_s: 30,
            cooldown_period_s: 300,
            initial_cooldown_period_s: 0,
            min_replica_count: None,
            max_replica_count: None,
            idle_replica_count: None,
            fallback: None,
            behavior: None,
            paused: false,
            paused_replicas: None,
            paused_scale_in: false,
            paused_scale_out: false,
            force_activation: false,
            tolerance: 0.1,
            downscale_stabilization_s: 300,
            cpu_initialization_period_s: 300,
            initial_readiness_delay_s: 30,
        }
    }
}

/// What the policy is made of.
pub(super) struct Parts {
    pub(super) adapter: Adapter,
    /// One per trigger; `None` for those that the autoscaler reads itself.
    pub(super) triggers: Vec<Option<External>>,
    pub(super) activation: Activation,
    pub(super) fallback: Option<Fallback>,
    pub(super) pauses: Pauses,
    pub(super) paused_replicas: Option<u32>,
    pub(super) polling_interval: Span,
}

impl Config {
    pub(super) fn build(&self, id: &'static str, ingredients: &Ingredients<'_>) -> Result<Parts, ConfigError> {
        let bounds = self.bounds(id, ingredients.workload.bounds)?;
        let (metrics, triggers) = self.triggers(id)?;
        self.check_fallback(id, &triggers)?;
        if self.polling_interval_s == 0 {
            return Err(ConfigError::Range { id, key: "polling_interval_s", got: "0".into(), allowed: "1 to 3600" });
        }
        let hour = (3_600, "1 to 3600");
        Ok(Parts {
            adapter: self.adapter(id, metrics, bounds, ingredients)?,
            triggers,
            activation: Activation {
                min_replicas: signed(bounds.min),
                idle_replicas: self.idle(id, bounds, ingredients)?,
                cooldown: seconds(id, "cooldown_period_s", self.cooldown_period_s, WEEK)?,
                initial_cooldown: seconds(id, "initial_cooldown_period_s", self.initial_cooldown_period_s, WEEK)?,
                fallback_replicas: self.fallback.map(|fallback| signed(fallback.replicas)),
            },
            fallback: self.fallback,
            pauses: Pauses {
                all: self.paused || self.paused_replicas.is_some(),
                scale_in: self.paused_scale_in,
                scale_out: self.paused_scale_out,
                force_activation: self.force_activation,
            },
            paused_replicas: self.paused_replicas,
            polling_interval: seconds(id, "polling_interval_s", self.polling_interval_s, hour)?,
        })
    }

    /// Fewest and most replicas, within the workload's.
    fn bounds(&self, id: &'static str, workload: Bounds) -> Result<Bounds, ConfigError> {
        let max = self.max_replica_count.unwrap_or(workload.max);
        if max == 0 {
            let allowed = "at least 1";
            return Err(ConfigError::Range { id, key: "max_replica_count", got: "0".into(), allowed });
        }
        let min = self.min_replica_count.unwrap_or(workload.min);
        if min > max {
            let got = format!("{min} (of at most {max})");
            let allowed = "at most `max_replica_count`";
            return Err(ConfigError::Range { id, key: "min_replica_count", got, allowed });
        }
        Ok(Bounds { min: workload.clamp(min), max: workload.clamp(max) })
    }

    fn idle(
        &self,
        id: &'static str,
        bounds: Bounds,
        ingredients: &Ingredients<'_>,
    ) -> Result<Option<i32>, ConfigError> {
        let Some(idle) = self.idle_replica_count else { return Ok(None) };
        if idle < bounds.min && idle >= ingredients.workload.bounds.min {
            return Ok(Some(signed(idle)));
        }
        let allowed = "at least the workload's fewest replicas and less than `min_replica_count`";
        Err(ConfigError::Range { id, key: "idle_replica_count", got: idle.to_string(), allowed })
    }

    fn triggers(&self, id: &'static str) -> Result<(Vec<Metric>, Vec<Option<External>>), ConfigError> {
        if self.triggers.is_empty() || self.triggers.len() > MOST_TRIGGERS {
            let got = format!("a list of {}", self.triggers.len());
            return Err(ConfigError::Range { id, key: "triggers", got, allowed: "1 to 8 triggers" });
        }
        let built: Result<Vec<_>, _> = self.triggers.iter().map(|trigger| trigger.build(id)).collect();
        Ok(built?.into_iter().unzip())
    }

    fn check_fallback(&self, id: &'static str, triggers: &[Option<External>]) -> Result<(), ConfigError> {
        if self.fallback.is_some() && triggers.iter().all(Option::is_none) {
            let allowed =
                "absent, or beside a trigger that is not `cpu`: a fallback stands in for external metrics alone";
            return Err(ConfigError::Range { id, key: "fallback", got: "given".into(), allowed });
        }
        Ok(())
    }

    fn adapter(
        &self,
        id: &'static str,
        metrics: Vec<Metric>,
        bounds: Bounds,
        ingredients: &Ingredients<'_>,
    ) -> Result<Adapter, ConfigError> {
        let behavior = self.paused_behavior();
        let settings = Settings {
            tolerance: self.tolerance,
            behavior: behavior.as_ref(),
            downscale_stabilization_s: self.downscale_stabilization_s,
            cpu_initialization_period_s: self.cpu_initialization_period_s,
            initial_readiness_delay_s: self.initial_readiness_delay_s,
        };
        // KEDA gives its autoscaler at least one replica: zero is the executor's.
        Adapter::new(id, metrics, &settings, (bounds.min.max(1), bounds.max), ingredients)
    }

    /// The behaviour of the autoscaler: a paused direction is disabled there, which makes a behaviour where there was none.
    fn paused_behavior(&self) -> Option<Behavior> {
        let mut behavior = self.behavior.clone();
        if self.paused_scale_in {
            let rules = &mut behavior.get_or_insert_default().scale_down;
            rules.get_or_insert_default().select_policy = Some(SelectPolicy::Disabled);
        }
        if self.paused_scale_out {
            let rules = &mut behavior.get_or_insert_default().scale_up;
            rules.get_or_insert_default().select_policy = Some(SelectPolicy::Disabled);
        }
        behavior
    }
}
