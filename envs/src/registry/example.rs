//! Small instances on generated loads: two days with a daily swing, wobble and a surge, under the persistence forecast.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::rl::VectorEnv;
use seatrial_core::scaling::forecasters;
use seatrial_core::scaling::guard::GuardConfig;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};

use crate::autoscale_app_v1::{AppConfig, AppLoad, AppLoads, AutoscaleAppV1};
use crate::autoscale_v1::{AutoscaleConfig, AutoscaleError, AutoscaleV1, TrainingLoad, TrainingLoads};
use crate::load::{EpisodeLoad, LoadError};
use crate::scenario::{CostWeights, Scenario};
use crate::spec::lower::{Lowered, lower};
use crate::spec::pod::{PodSpec, RolloutSpec, StartSpec, TerminationSpec};
use crate::spec::service::{AutoscalingSpec, Balancing, CallSpec};
use crate::spec::traffic::SourceSpec;
use crate::spec::{
    ClientSpec, Distribution, Inputs, KernelChoice, MetricsSpec, ScenarioSpec, ServiceSpec, SloSpec, SourceLoad,
    TrafficSpec,
};

const DAY_BINS: u32 = 1_440;
/// Decisions in an episode of an example: short, so that resets happen.
const EPISODE_STEPS: u32 = 96;

/// Two days of minutes between about 40 and 440 requests/s with a surge of twice the rate, and a day before them.
///
/// # Errors
/// None in practice: the rates are valid by construction.
pub fn example_load() -> Result<EpisodeLoad, LoadError> {
    let rates = |from: u32, to: u32| (from..to).map(rate).collect::<Vec<_>>();
    let (past, present) = (rates(0, DAY_BINS), rates(DAY_BINS, 3 * DAY_BINS));
    EpisodeLoad::new(Timestamp::from_secs(86_400), Span::from_secs(60), present, past)
}

fn rate(bin: u32) -> f64 {
    let position = f64::from(bin % DAY_BINS) / f64::from(DAY_BINS);
    // A parabola per day: no trigonometry needed.
    let swing = 4.0 * position * (1.0 - position);
    let wobble = 1.0 + 0.05 * standard_normal(0, Stream::TraceNoise, u64::from(bin), 0);
    let surge = if (2_000..2_030).contains(&bin) { 2.0 } else { 1.0 };
    (40.0 + 400.0 * swing) * wobble.max(0.0) * surge
}

/// [`example_load`] as two seeds realise it, with persistence forecasts.
///
/// # Errors
/// None in practice: scenario and load are valid by construction.
pub fn example_loads() -> Result<Arc<TrainingLoads>, AutoscaleError> {
    let scenario = Scenario::training_p1();
    let ingredients = Ingredients { workload: &scenario.workload, weights: None };
    let forecaster = (forecasters::find("persistence")?.build)(&serde_json::Value::Null, &ingredients)?;
    let load = example_load()?;
    let realise = |seed| TrainingLoad::record(&scenario, &load, seed, &*forecaster);
    Ok(Arc::new(TrainingLoads::new(&scenario, vec![realise(1)?, realise(2)?])?))
}

/// `autoscale-v1` on [`example_loads`].
pub(super) fn autoscale_v1(envs: usize) -> Result<Box<dyn VectorEnv>, AutoscaleError> {
    let config = AutoscaleConfig {
        scenario: Scenario::training_p1(),
        guard: GuardConfig::default(),
        envs,
        episode_steps: EPISODE_STEPS,
    };
    Ok(Box::new(AutoscaleV1::new(&config, example_loads()?)?))
}

/// Services of [`example_shop`].
pub(super) const SHOP_SERVICES: usize = 11;

/// Service, milliseconds of work per call on pods of four workers, and what it calls: (service, probability, count).
type ShopRow = (&'static str, f64, &'static [(&'static str, f64, u32)]);

/// The call graph is that of a well-known demonstration shop (Online Boutique); times and probabilities are
/// round numbers, such that each service is about as busy as the others.
const SHOP: [ShopRow; SHOP_SERVICES] = [
    ("ad", 80.0, &[]),
    ("cart", 70.0, &[("redis", 1.0, 1)]),
    ("catalog", 25.0, &[]),
    (
        "checkout",
        200.0,
        &[
            ("cart", 1.0, 1),
            ("catalog", 1.0, 2),
            ("currency", 1.0, 2),
            ("email", 1.0, 1),
            ("payment", 1.0, 1),
            ("shipping", 1.0, 1),
        ],
    ),
    ("currency", 20.0, &[]),
    ("email", 200.0, &[]),
    (
        "frontend",
        40.0,
        &[
            ("ad", 0.5, 1),
            ("cart", 0.5, 1),
            ("catalog", 1.0, 1),
            ("checkout", 0.2, 1),
            ("currency", 1.0, 2),
            ("recommendation", 0.5, 1),
            ("shipping", 0.2, 1),
        ],
    ),
    ("payment", 200.0, &[]),
    ("recommendation", 80.0, &[("catalog", 1.0, 1)]),
    ("redis", 70.0, &[]),
    ("shipping", 100.0, &[]),
];

/// A shop of eleven services behind one frontend, each with the pods of protocol P1 but for its times.
#[must_use]
pub fn example_shop() -> ScenarioSpec {
    ScenarioSpec {
        name: "example-shop".to_owned(),
        summary: "eleven services behind one frontend".to_owned(),
        kernel: KernelChoice::Fluid,
        duration_s: 2.0 * 86_400.0,
        warm_up_s: 0.0,
        seed: 1,
        slo: SloSpec::default(),
        costs: CostWeights { kappa: 1.0, churn: 5.0 },
        client: ClientSpec::default(),
        services: SHOP.iter().map(|row| (row.0.to_owned(), shop_service(row))).collect(),
        traffic: vec![TrafficSpec {
            service: "frontend".to_owned(),
            source: SourceSpec::Constant { rate_per_s: 40.0 },
            classes: Vec::new(),
        }],
        cluster: None,
        workloads: BTreeMap::new(),
        metrics: MetricsSpec::default(),
        faults: Vec::new(),
    }
}

fn shop_service((_, work_ms, calls): &ShopRow) -> ServiceSpec {
    let call = |(to, probability, count): &(&str, f64, u32)| CallSpec {
        to: (*to).to_owned(),
        stage: 0,
        probability: *probability,
        count: *count,
        timeout_s: None,
        optional: false,
        retries: None,
    };
    ServiceSpec {
        replicas: 1,
        autoscaling: Some(AutoscalingSpec {
            min: 1,
            max: 100,
            strategy: StrategySpec::of("headroom"),
            decision_s: 15.0,
            prior_lead_time_s: 90.0,
            stated_capacity_per_s: None,
        }),
        concurrency: Some(4),
        cores: 4.0,
        service_time_s: Distribution::Exponential { mean: work_ms * 1e-3 },
        token_cost: None,
        balancing: Balancing::Shared,
        queue_limit: None,
        drops_expired: true,
        holds_worker: false,
        calls: calls.iter().map(call).collect(),
        pod: PodSpec::default(),
        start: StartSpec::default(),
        termination: TerminationSpec::default(),
        rollout: RolloutSpec::default(),
    }
}

/// [`example_shop`] under [`example_load`], lowered at a physics step of one decision, and its loads as two seeds realise them.
///
/// # Errors
/// None in practice: scenario and load are valid by construction.
pub fn example_app_loads() -> Result<(Lowered, Arc<AppLoads>), AutoscaleError> {
    let inputs = Inputs { loads: vec![SourceLoad::Rates(example_load()?)], ..Inputs::default() };
    let shop = lower(&example_shop(), &inputs, 15.0)?;
    let workload = shop.services.first().map_or_else(|| Scenario::training_p1().workload, |one| one.scenario.workload);
    let ingredients = Ingredients { workload: &workload, weights: None };
    let forecaster = (forecasters::find("persistence")?.build)(&serde_json::Value::Null, &ingredients)?;
    let loads = vec![AppLoad::record(&shop, 1, &*forecaster)?, AppLoad::record(&shop, 2, &*forecaster)?];
    let loads = Arc::new(AppLoads::new(&shop, loads)?);
    Ok((shop, loads))
}

/// `autoscale-app-v1` on [`example_app_loads`].
pub(super) fn autoscale_app_v1(applications: usize) -> Result<Box<dyn VectorEnv>, AutoscaleError> {
    let (application, loads) = example_app_loads()?;
    let config = AppConfig { application, guard: GuardConfig::default(), applications, episode_steps: EPISODE_STEPS };
    Ok(Box::new(AutoscaleAppV1::new(&config, loads)?))
}
