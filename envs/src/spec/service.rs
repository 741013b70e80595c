//! A service of a scenario: a Deployment that serves requests.

use schemars::JsonSchema;
use seatrial_core::observe::Bounds;
use seatrial_core::scaling::strategy::StrategySpec;
use serde::{Deserialize, Serialize};

use super::distribution::Distribution;
use super::pod::{PodSpec, RolloutSpec, StartSpec, TerminationSpec};
use super::traffic::RetrySpec;

/// A service.
///
/// A pod serves up to `concurrency` requests at once, which share `cores`: each runs at speed min(1, cores / requests in service).
/// So `concurrency = cores = c` is c workers (M/M/c), and one core without a limit of concurrency is processor sharing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Pods at the first moment; those that find room are ready.
    pub replicas: u32,
    /// Who changes their number; absent: nobody.
    #[serde(default)]
    pub autoscaling: Option<AutoscalingSpec>,
    /// Requests that a pod serves at once; absent: any number.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// Cores that the requests of a pod share.
    pub cores: f64,
    /// CPU seconds of a request on a core of its own; times the work factor of its class.
    pub service_time_s: Distribution,
    /// CPU seconds per token, on top of `service_time_s`, for requests that have tokens.
    #[serde(default)]
    pub token_cost: Option<TokenCost>,
    /// Which pod a request goes to.
    #[serde(default)]
    pub balancing: Balancing,
    /// Longest queue in requests per pod (of all ready pods together where they share one); absent: no limit. What comes on top is
    /// dropped.
    #[serde(default)]
    pub queue_limit: Option<u32>,
    /// Whether a request whose deadline has passed while it was queued is thrown away instead of served for nobody.
    #[serde(default = "yes")]
    pub drops_expired: bool,
    /// Whether a worker is held while the calls of its request are under way.
    #[serde(default)]
    pub holds_worker: bool,
    /// Calls to other services, made when a request's own work is done.
    #[serde(default)]
    pub calls: Vec<CallSpec>,
    /// What its pods ask for and use.
    #[serde(default)]
    pub pod: PodSpec,
    /// How a pod becomes ready.
    #[serde(default)]
    pub start: StartSpec,
    /// How a pod ends.
    #[serde(default)]
    pub termination: TerminationSpec,
    /// How a new revision is rolled out, and when.
    #[serde(default)]
    pub rollout: RolloutSpec,
}

impl ServiceSpec {
    /// The most replicas that it can be given.
    #[must_use]
    pub fn most_replicas(&self) -> u32 {
        self.autoscaling.as_ref().map_or(self.replicas, |scaling| scaling.max)
    }
}

/// CPU seconds per token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCost {
    /// Of the prompt.
    pub per_input_token_s: f64,
    /// Of the answer.
    pub per_output_token_s: f64,
}

/// Which pod a request goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Balancing {
    /// One queue for all ready pods; the next free worker takes its head (protocol P1).
    #[default]
    Shared,
    /// One pod after the other.
    RoundRobin,
    /// Any pod.
    Random,
    /// The pod with the fewest requests, in service and queued.
    LeastRequest,
    /// Of two drawn pods the one with fewer requests.
    PowerOfTwo,
}

impl Balancing {
    /// As a file writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::LeastRequest => "least-request",
            Self::PowerOfTwo => "power-of-two",
        }
    }
}

/// A call to another service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallSpec {
    /// The service.
    pub to: String,
    /// Calls of one stage go out together, stages one after the other.
    #[serde(default)]
    pub stage: u32,
    /// Probability that a request makes it.
    #[serde(default = "always")]
    pub probability: f64,
    /// How often, at once.
    #[serde(default = "once")]
    pub count: u32,
    /// Seconds after which the caller gives up; absent: as long as its own client waits.
    #[serde(default)]
    pub timeout_s: Option<f64>,
    /// Whether the caller does without an answer if the call fails.
    #[serde(default)]
    pub optional: bool,
    /// Retries of the caller; absent: none.
    #[serde(default)]
    pub retries: Option<RetrySpec>,
}

/// Who changes the number of pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutoscalingSpec {
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// Policy, forecaster and guard, by their registered ids.
    pub strategy: StrategySpec,
    /// Seconds between decisions of policies without a cadence of their own.
    #[serde(default = "fifteen")]
    pub decision_s: f64,
    /// Start-up time in seconds to plan for until start-ups have been seen.
    #[serde(default = "ninety")]
    pub prior_lead_time_s: f64,
    /// Requests per second that a pod is said to serve; a prior, checked against what is measured.
    #[serde(default)]
    pub stated_capacity_per_s: Option<f64>,
}

impl AutoscalingSpec {
    /// The bounds of replicas.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        Bounds { min: self.min, max: self.max }
    }
}

const fn yes() -> bool {
    true
}

const fn always() -> f64 {
    1.0
}

const fn once() -> u32 {
    1
}

const fn fifteen() -> f64 {
    15.0
}

const fn ninety() -> f64 {
    90.0
}
