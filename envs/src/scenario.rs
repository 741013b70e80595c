//! The scenario of a simulated cluster: everything that is fixed before an episode starts, with protocol P1 as the default.
//!
//! The load is not part of it (see [`crate::load`]). True capacity is: it is read by the kernel alone and no strategy can see it.
//! A regime of protocol P1 is one field; the numbers beside it stay the plain ones, so that a study can cross the two.

mod regime;
mod schema;

pub use regime::Regime;

use schemars::JsonSchema;
use seatrial_core::observe::Workload;
use seatrial_core::time::Span;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A scenario; [`Scenario::protocol_p1`] is the default of every key but those of `workload`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What strategies know beforehand: bounds, requests and limits, cadence, the announced timing of the metrics.
    #[schemars(with = "schema::Workload")]
    pub workload: Workload,
    /// How a pod serves. Hidden from strategies.
    pub service: Service,
    /// How long a pod takes from creation to ready.
    pub start_up: StartUp,
    /// Seconds that a removed pod still exists and is paid.
    pub termination_s: f64,
    /// Longest queue, in seconds of work of the ready pods; what comes on top is dropped.
    pub queue_limit_s: f64,
    /// Seconds after which a waiting client gives up.
    pub client_timeout_s: f64,
    /// Longest wait of a good request in seconds.
    pub slo_wait_s: f64,
    /// Prices.
    pub costs: CostWeights,
    /// An episode starts with ceil(rate / this) ready pods, requests per second.
    pub initial_rate_per_pod: f64,
    /// Grid in seconds on which pods change state: 1 in evaluation, 15 in training. Queueing inside is closed-form.
    pub physics_step_s: f64,
    /// The metrics pipeline as it is, which may differ from what the workload announces.
    pub metrics: MetricsPipeline,
    /// The deviation from protocol P1 that this scenario studies.
    pub regime: Regime,
}

/// How a pod serves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Requests that a pod serves at once; a busy worker burns one core.
    pub workers: u32,
    /// Mean of the exponential service time in seconds.
    pub mean_s: f64,
}

/// Lognormal start-up time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartUp {
    /// Median in seconds.
    pub median_s: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

/// Prices in pod-seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostWeights {
    /// Price of a bad request, and of a request left in the queue at the end.
    pub kappa: f64,
    /// Price of each pod created or removed.
    pub churn: f64,
}

/// The metrics pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsPipeline {
    /// Seconds between scrapes; the same as the workload announces.
    pub scrape_s: f64,
    /// Age in seconds of the youngest visible slot's end.
    pub lag_s: f64,
    /// Probability that the samples of a slot are missing.
    pub lost_scrape_probability: f64,
}

/// Why a scenario cannot be run.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ScenarioError {
    /// A value is out of its range.
    #[error("scenario: `{key}` is {got}, must be {allowed}; correct the scenario's configuration")]
    Range {
        /// The key.
        key: &'static str,
        /// The value given.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl Default for Scenario {
    fn default() -> Self {
        Self::protocol_p1()
    }
}

impl Scenario {
    /// Protocol P1 at the physics step of evaluation.
    #[must_use]
    pub const fn protocol_p1() -> Self {
        Self {
            workload: Workload::protocol_p1(),
            service: Service { workers: 4, mean_s: 0.080 },
            start_up: StartUp { median_s: 60.0, sigma: 0.2 },
            termination_s: 5.0,
            queue_limit_s: 5.0,
            client_timeout_s: 5.0,
            slo_wait_s: 0.120,
            costs: CostWeights { kappa: 1.0, churn: 5.0 },
            initial_rate_per_pod: 35.0,
            physics_step_s: 1.0,
            metrics: MetricsPipeline { scrape_s: 15.0, lag_s: 15.0, lost_scrape_probability: 0.0 },
            regime: Regime::Plain,
        }
    }

    /// Protocol P1 at the physics step of training.
    #[must_use]
    pub const fn training_p1() -> Self {
        Self { physics_step_s: 15.0, ..Self::protocol_p1() }
    }

    /// The same world under `regime`.
    #[must_use]
    pub fn under(&self, regime: Regime) -> Self {
        Self { regime, ..self.clone() }
    }

    /// The same world at other prices.
    #[must_use]
    pub fn with_costs(&self, costs: CostWeights) -> Self {
        Self { costs, ..self.clone() }
    }

    /// The same world with another (hidden) service mean: the conformance of protocol P1 runs × 0.5 and × 2 with the load
    /// rescaled by the inverse ([`crate::load::EpisodeLoad::scaled`]). The initial pods follow, so that they are as many.
    #[must_use]
    pub fn with_service_mean(&self, mean_s: f64) -> Self {
        let service = Service { mean_s, ..self.service };
        let initial_rate_per_pod = self.initial_rate_per_pod * self.service.mean_s / mean_s;
        Self { service, initial_rate_per_pod, ..self.clone() }
    }

    /// True requests per second of one ready pod, the regime included. For oracles and tests: strategies must not see it.
    #[must_use]
    pub fn true_capacity(&self) -> f64 {
        f64::from(self.service.workers) / (self.service.mean_s * self.regime.service_factor())
    }

    /// Replicas of the first moment at the given rate.
    #[must_use]
    pub fn initial_replicas(&self, rate_per_s: f64) -> u32 {
        self.workload.bounds.clamp(seatrial_core::math::ceil_to_u32(rate_per_s / self.initial_rate_per_pod))
    }

    /// Checks every range.
    ///
    /// # Errors
    /// The first key that is out of its range.
    pub fn validate(&self) -> Result<(), ScenarioError> {
        self.validate_workload()?;
        self.validate_physics()?;
        self.validate_grid()
    }

    fn validate_workload(&self) -> Result<(), ScenarioError> {
        let Workload { bounds, cpu_limit_milli, cpu_request_milli, prior_lead_time, .. } = self.workload;
        let replicas = 1..=10_000;
        check("workload.bounds.max", bounds.max, replicas.contains(&bounds.max), "1 to 10000")?;
        check("workload.bounds.min", bounds.min, bounds.min <= bounds.max, "at most workload.bounds.max")?;
        check("workload.cpu_request_milli", cpu_request_milli, cpu_request_milli > 0, "above 0")?;
        check("workload.cpu_limit_milli", cpu_limit_milli, cpu_limit_milli > 0, "above 0")?;
        check(
            "workload.prior_lead_time",
            prior_lead_time.micros(),
            prior_lead_time >= Span::ZERO,
            "0 or more microseconds",
        )
    }

    fn validate_physics(&self) -> Result<(), ScenarioError> {
        let workers = self.service.workers;
        check("service.workers", workers, (1..=1_024).contains(&workers), "1 to 1024")?;
        positive("service.mean_s", self.service.mean_s)?;
        positive("initial_rate_per_pod", self.initial_rate_per_pod)?;
        positive("client_timeout_s", self.client_timeout_s)?;
        not_negative("start_up.median_s", self.start_up.median_s)?;
        not_negative("termination_s", self.termination_s)?;
        not_negative("queue_limit_s", self.queue_limit_s)?;
        not_negative("slo_wait_s", self.slo_wait_s)?;
        not_negative("costs.kappa", self.costs.kappa)?;
        not_negative("costs.churn", self.costs.churn)?;
        let sigma = self.start_up.sigma;
        check("start_up.sigma", sigma, (0.0..=2.0).contains(&sigma), "0 to 2")?;
        let lost = self.metrics.lost_scrape_probability;
        check("metrics.lost_scrape_probability", lost, (0.0..=1.0).contains(&lost), "0 to 1")
    }

    fn validate_grid(&self) -> Result<(), ScenarioError> {
        positive("physics_step_s", self.physics_step_s)?;
        not_negative("metrics.lag_s", self.metrics.lag_s)?;
        check("metrics.lag_s", self.metrics.lag_s, self.metrics.lag_s <= 3_600.0, "at most 3600")?;
        let step = Span::from_secs_f64(self.physics_step_s);
        let fits = |span: Span| step > Span::ZERO && span > Span::ZERO && span.micros() % step.micros() == 0;
        let decision = self.workload.decision_interval;
        check(
            "workload.decision_interval",
            decision.micros(),
            fits(decision),
            "a positive multiple of physics_step_s",
        )?;
        let scrape = Span::from_secs_f64(self.metrics.scrape_s);
        check("metrics.scrape_s", self.metrics.scrape_s, fits(scrape), "a positive multiple of physics_step_s")?;
        let same = scrape == self.workload.scrape_interval;
        check("metrics.scrape_s", self.metrics.scrape_s, same, "what workload.scrape_interval announces")
    }
}

fn check<T: Copy + ToString>(
    key: &'static str,
    got: T,
    allowed: bool,
    range: &'static str,
) -> Result<(), ScenarioError> {
    if allowed { Ok(()) } else { Err(ScenarioError::Range { key, got: got.to_string(), allowed: range }) }
}

fn positive(key: &'static str, got: f64) -> Result<(), ScenarioError> {
    check(key, got, got.is_finite() && got > 0.0, "finite and above 0")
}

fn not_negative(key: &'static str, got: f64) -> Result<(), ScenarioError> {
    check(key, got, got.is_finite() && got >= 0.0, "finite and not negative")
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::observe::Bounds;

    #[test]
    fn protocol_p1_is_valid_and_serves_fifty_a_second() {
        assert_eq!(Scenario::protocol_p1().validate(), Ok(()));
        assert_eq!(Scenario::training_p1().validate(), Ok(()));
        assert!((Scenario::protocol_p1().true_capacity() - 50.0).abs() < 1e-12);
        assert_eq!(Scenario::protocol_p1().initial_replicas(36.0), 2);
        assert_eq!(Scenario::protocol_p1().initial_replicas(0.0), 1);
        assert_eq!(Scenario::protocol_p1().initial_replicas(1e9), 100);
    }

    #[test]
    fn another_service_mean_keeps_the_initial_pods() {
        let slow = Scenario::protocol_p1().with_service_mean(0.160);
        assert!((slow.true_capacity() - 25.0).abs() < 1e-12);
        assert_eq!(slow.initial_replicas(500.0), Scenario::protocol_p1().initial_replicas(1_000.0));
    }

    type Edit = fn(&mut Scenario);

    #[test]
    fn every_bad_value_is_named() {
        let with = |edit: Edit| {
            let mut scenario = Scenario::protocol_p1();
            edit(&mut scenario);
            scenario.validate().unwrap_err().to_string()
        };
        let cases: [(&str, Edit); 14] = [
            ("workload.bounds.max", |s| s.workload.bounds = Bounds { min: 0, max: 0 }),
            ("workload.bounds.min", |s| s.workload.bounds = Bounds { min: 5, max: 4 }),
            ("workload.cpu_limit_milli", |s| s.workload.cpu_limit_milli = 0),
            ("service.workers", |s| s.service.workers = 0),
            ("service.mean_s", |s| s.service.mean_s = f64::NAN),
            ("start_up.median_s", |s| s.start_up.median_s = -1.0),
            ("start_up.sigma", |s| s.start_up.sigma = 3.0),
            ("client_timeout_s", |s| s.client_timeout_s = 0.0),
            ("costs.kappa", |s| s.costs.kappa = f64::INFINITY),
            ("metrics.lost_scrape_probability", |s| s.metrics.lost_scrape_probability = 1.5),
            ("metrics.lag_s", |s| s.metrics.lag_s = -1.0),
            ("physics_step_s", |s| s.physics_step_s = 0.0),
            ("workload.decision_interval", |s| s.physics_step_s = 4.0),
            ("workload.scrape_interval", |s| s.metrics.scrape_s = 30.0),
        ];
        for (key, edit) in cases {
            let message = with(edit);
            assert!(message.contains(key), "{key}: {message}");
        }
    }

    #[test]
    fn reads_partial_configs_and_refuses_unknown_keys() {
        let read = |text: &str| serde_json::from_str::<Scenario>(text);
        let slow = read(r#"{"start_up":{"median_s":90,"sigma":0.1},"regime":"flash"}"#).unwrap();
        assert_eq!((slow.start_up.median_s, slow.regime, slow.termination_s), (90.0, Regime::Flash, 5.0));
        for unknown in [r#"{"startup":1}"#, r#"{"costs":{"kappa":1,"churn":5,"x":0}}"#, r#"{"regime":"calm"}"#] {
            assert!(read(unknown).is_err(), "{unknown}");
        }
        let whole = serde_json::to_string(&Scenario::protocol_p1()).unwrap();
        assert_eq!(read(&whole).unwrap(), Scenario::protocol_p1());
    }
}
