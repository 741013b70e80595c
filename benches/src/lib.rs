//! What the benchmarks share: one workload, one day of load, one observation. Every benchmark asserts a checksum of its work.

use seatrial_core::nets::Weights;
use seatrial_core::observe::{Feature, Observation, PodCounts, Pods, Sample, Workload};
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::config::ConfigError;
use seatrial_core::scaling::policies::{Ingredients, PolicyRow};
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::load::{EpisodeLoad, LoadError};

/// Hidden widths of the benchmarked nets: those of the shipped bundle.
pub const FORECASTER_HIDDEN: usize = 32;
/// See [`FORECASTER_HIDDEN`].
pub const AGENT_HIDDEN: usize = 64;

/// A day of one-minute bins: a daily wave between 100 and 1,300 requests/s.
///
/// # Errors
/// None for these rates; the type is the library's.
pub fn day_of_load() -> Result<EpisodeLoad, LoadError> {
    let wave = |bin: i32| 700.0 - 600.0 * libm::cos(f64::from(bin) / 1_440.0 * core::f64::consts::TAU);
    let rates: Vec<f64> = (0..1_440).map(wave).collect();
    EpisodeLoad::new(Timestamp::from_secs(86_400), Span::from_secs(60), rates.clone(), rates)
}

/// The strategy of a registry row with its defaults, on `lstm` where it needs a forecast.
///
/// # Errors
/// If the row's defaults do not build: a bug of the row.
pub fn autoscaler(row: &PolicyRow, workload: &Workload, weights: &Weights) -> Result<Autoscaler, ConfigError> {
    let forecaster = row.needs_forecast.then(|| Choice::of("lstm"));
    StrategySpec { forecaster, ..StrategySpec::of(row.id) }.build(&Ingredients { workload, weights: Some(weights) })
}

/// What a controller sees in step `step` of a load that wanders around 600 requests/s on 14 ready pods.
pub fn observe(step: i64, seen: &mut Observation) {
    let now = Timestamp::from_secs(86_400 + 15 * step);
    let rate = 600.0 + 100.0 * libm::sin(step as f64 / 20.0);
    seen.now = now;
    seen.pods = Pods::Homogeneous(PodCounts {
        ready: 14,
        sampled: 14,
        cpu_milli_per_sampled_pod: 3_400,
        ..PodCounts::default()
    });
    let at = now - Span::from_secs(15);
    for (feature, value) in [
        (Feature::ProcessCpuSecondsTotalRate, rate * 0.08),
        (Feature::HttpRequestsTotalRate, rate),
        (Feature::HttpRequestDurationSecondsCountRate, rate),
        (Feature::HttpRequestDurationSecondsSumRate, rate * 0.082),
        (Feature::BadRequestRatio, 0.001),
    ] {
        seen.metrics.set(feature, Some(Sample { at, value }));
    }
}
