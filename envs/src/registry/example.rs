//! Small instances on generated loads: two days with a daily swing, wobble and a surge, under the persistence forecast.

use std::sync::Arc;

use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::rl::VectorEnv;
use seatrial_core::scaling::forecasters;
use seatrial_core::scaling::guard::GuardConfig;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::time::{Span, Timestamp};

use crate::autoscale_v1::{AutoscaleConfig, AutoscaleError, AutoscaleV1, TrainingLoad, TrainingLoads};
use crate::load::{EpisodeLoad, LoadError};
use crate::scenario::Scenario;

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
