//! Observation vector and actions of `autoscale-v1`: shared by the environment that trains and the policy that runs.
//!
//! The agent chooses headroom over the forecast, a rule turns it into replicas (learning.md §2.2, fact 7): action 0 holds,
//! the others are factors of the forecast median, divided by the lower bound of a pod's capacity.
//!
//! Every entry is scale-free, finite and clamped to its bounds, so one net serves workloads of any size. What
//! is missing has a neutral value, and the load's absence an entry of its own. `ln` clamps its argument from below at
//! [`LEAST_RATIO`]. Speed matters: the environment encodes five million times a second, so there is no allocation, no
//! transcendental function but a polynomial `ln`, and the forecast's logarithms come in computed ([`ln_quantiles`]).
//!
//! [`OBSERVATION_NAMES`], [`OBSERVATION_MEANINGS`] and [`OBSERVATION_BOUNDS`] say what each entry is; `docs/environments.md` shows them
//! as one table.

use serde::{Deserialize, Serialize};

use super::forecast::{LEVEL_COUNT, MEDIAN, Quantiles};
use crate::math::{self, ln_f32, ln_f32_lanes};
use crate::observe::{Bounds, START_UP_BUCKETS};
use crate::time::Timestamp;

/// Number of actions; action 0 holds.
pub const ACTION_COUNT: usize = 10;
/// Length of an observation.
pub const OBSERVATION_LEN: usize = 27;
/// Headroom factors by action; that of action 0 (hold) is not used.
pub const FACTORS: [f64; ACTION_COUNT] = [1.0, 1.02, 1.1, 1.18, 1.27, 1.4, 1.55, 1.75, 2.1, 2.8];
/// Least argument of a logarithm.
pub const LEAST_RATIO: f32 = 1e-6;
/// Version of observation and actions: part of a bundle's feature schema; a change of meaning raises it.
pub const SPACE_VERSION: u32 = 1;

/// Lower and upper bound of each entry.
pub const OBSERVATION_BOUNDS: [(f32, f32); OBSERVATION_LEN] = [
    (-5.0, 3.0),
    (-5.0, 3.0),
    (-3.0, 5.0),
    (-3.0, 7.0),
    (-3.0, 3.0),
    (0.0, 2.0),
    (0.0, 2.0),
    (0.0, 2.0),
    (0.0, 2.0),
    (0.0, 2.0),
    (0.0, 2.0),
    (0.0, 1.0),
    (0.0, 1.0),
    (0.0, 1.0),
    (0.0, 1.0),
    (0.0, 2.0),
    (0.0, 1.0),
    (0.0, 1.0),
    (0.0, 4.0),
    (-2.0, 2.0),
    (-2.0, 2.0),
    (-3.0, 3.0),
    (-2.0, 2.0),
    (0.0, 1.0),
    (0.0, 1.0),
    (0.0, 1.0),
    (0.0, 1.0),
];

/// Name of each entry, for generated tables.
pub const OBSERVATION_NAMES: [&str; OBSERVATION_LEN] = [
    "ln_load_over_ready_capacity",
    "ln_p50_over_ready_capacity",
    "ln_asked_capacity_over_p50",
    "ln_p50_over_pod_capacity",
    "ln_p50_over_load",
    "ln_p75_over_p50",
    "ln_p90_over_p75",
    "ln_p95_over_p90",
    "ln_p99_over_p95",
    "ln_p50_over_p25",
    "ln_p25_over_p5",
    "starting_0_30s_share",
    "starting_30_60s_share",
    "starting_60_90s_share",
    "starting_90s_up_share",
    "ready_share",
    "asked_over_most",
    "bad_ratio_log",
    "ln_latency_over_least",
    "ln_load_step_1",
    "ln_load_step_4",
    "ln_load_over_mean",
    "forecast_error_mean",
    "p90_exceeded_share",
    "churn",
    "since_change",
    "load_missing",
];

/// What each entry means, for generated tables. *Capacity* is the lower confidence bound of what one pod can serve, *load* the rate of
/// the youngest visible slot, *P50* and its like are quantiles of the forecast, *asked* are the replicas asked for.
pub const OBSERVATION_MEANINGS: [&str; OBSERVATION_LEN] = [
    "ln(load / (capacity × ready pods))",
    "ln(P50 / (capacity × ready pods))",
    "ln(capacity × asked / P50): headroom as it stands",
    "ln(P50 / capacity): pods' worth of demand",
    "ln(P50 / load)",
    "ln(P75 / P50)",
    "ln(P90 / P75)",
    "ln(P95 / P90)",
    "ln(P99 / P95)",
    "ln(P50 / P25)",
    "ln(P25 / P5)",
    "starting pods younger than 30 s / asked",
    "starting pods of 30 to 60 s / asked",
    "starting pods of 60 to 90 s / asked",
    "starting pods of 90 s and older / asked",
    "ready pods / asked",
    "asked / most replicas allowed",
    "bad requests: ln(1 + 100 × ratio) / ln 101; 0 if missing",
    "ln(mean latency / least latency, which grows by 0.3 % a decision until undercut); 0 if missing",
    "ln(load / load one decision ago)",
    "ln(load / load four decisions ago)",
    "ln(load / its exponential mean over 40 decisions)",
    "exponential mean over 40 decisions of ln(greatest load since / P50 then), of forecasts seven decisions old",
    "exponential mean over 40 decisions of 1 if that load exceeded the P90 then, else 0",
    "exponential mean over 20 decisions of the change of replicas / asked",
    "time since the last change of replicas / 10 minutes",
    "1 if the load sample is missing",
];

/// Logarithms of the quantiles in rates per second, at least `ln(LEAST_RATIO)`: computed once per forecast.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "entries are single precision")]
pub fn ln_quantiles(forecast: &Quantiles) -> [f32; LEVEL_COUNT] {
    forecast.values.map(|value| ln_f32((value as f32).max(LEAST_RATIO)))
}

/// What is known at a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadroomInputs {
    /// The moment of the decision.
    pub now: Timestamp,
    /// [`ln_quantiles`] of the forecast.
    pub ln_forecast: [f32; LEVEL_COUNT],
    /// Offered requests per second in the youngest visible slot; `None` is missing.
    pub load: Option<f32>,
    /// Lower confidence bound of one pod's capacity in requests per second; positive.
    pub capacity_lower: f32,
    /// Replicas asked for before the decision.
    pub asked: u32,
    /// Ready pods.
    pub ready: u32,
    /// Starting pods by age.
    pub starting_by_age: [u32; START_UP_BUCKETS],
    /// Replica bounds.
    pub bounds: Bounds,
    /// Share of bad requests in the youngest visible slot, 0 to 1; `None` is missing.
    pub bad_ratio: Option<f32>,
    /// Mean latency of the completed requests of that slot in seconds; `None` if missing or none was completed.
    pub mean_latency_s: Option<f32>,
}

/// Decisions after which a forecast is held against what came: the 105 s of protocol P1 in steps of 15 s.
const MATURITY: usize = 7;

/// What an observation remembers from decision to decision. It is pushed once per decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadroomMemory {
    /// Logarithms of the last loads, youngest first.
    ln_loads: [f32; MATURITY],
    /// Logarithms of P50 and P90 of the last forecasts, youngest first.
    ln_p50s: [f32; MATURITY],
    ln_p90s: [f32; MATURITY],
    /// Decisions seen, up to [`MATURITY`].
    seen: u8,
    ln_mean_load: f32,
    error_mean: f32,
    exceeded_share: f32,
    churn: f32,
    least_latency_s: f32,
    last_asked: u32,
    last_change: Timestamp,
}

impl Default for HeadroomMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// Weight of a new value in a mean over about `decisions`: 2 / (n + 1).
const fn weight(decisions: f32) -> f32 {
    2.0 / (decisions + 1.0)
}

/// The least latency forgets by this factor per decision (doubling takes an hour), so that it follows a changed workload.
const LATENCY_FORGETTING: f32 = 1.003;

impl HeadroomMemory {
    /// Nothing remembered.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ln_loads: [0.0; MATURITY],
            ln_p50s: [0.0; MATURITY],
            ln_p90s: [0.0; MATURITY],
            seen: 0,
            ln_mean_load: 0.0,
            error_mean: 0.0,
            // What a calibrated forecast has.
            exceeded_share: 0.1,
            churn: 0.0,
            least_latency_s: 0.0,
            last_asked: 0,
            last_change: Timestamp::ZERO,
        }
    }

    /// Folds in a decision's inputs and answers with the logarithm of the load (the last known one if it is missing).
    #[inline]
    fn push(&mut self, inputs: &HeadroomInputs, ln_known_load: f32) -> f32 {
        let first = self.seen == 0;
        let ln_load = match inputs.load {
            Some(_) => ln_known_load,
            None if first => inputs.ln_forecast[MEDIAN],
            None => self.ln_loads[0],
        };
        if first {
            self.ln_loads = [ln_load; MATURITY];
            self.ln_mean_load = ln_load;
            self.last_asked = inputs.asked;
            self.last_change = inputs.now;
        }
        shift(&mut self.ln_loads, ln_load);
        self.ln_mean_load += weight(40.0) * (ln_load - self.ln_mean_load);
        self.judge_forecast();
        shift(&mut self.ln_p50s, inputs.ln_forecast[MEDIAN]);
        shift(&mut self.ln_p90s, inputs.ln_forecast[5]);
        self.seen = (self.seen + 1).min(MATURITY as u8);
        self.note_replicas(inputs);
        ln_load
    }

    /// Holds the forecast of [`MATURITY`] decisions ago against the loads since then.
    #[inline]
    fn judge_forecast(&mut self) {
        if usize::from(self.seen) == MATURITY {
            let greatest =
                self.ln_loads.iter().fold(f32::MIN, |greatest, load| if *load > greatest { *load } else { greatest });
            let error = (greatest - self.ln_p50s[MATURITY - 1]).clamp(-2.0, 2.0);
            let exceeded = if greatest > self.ln_p90s[MATURITY - 1] { 1.0 } else { 0.0 };
            self.error_mean += weight(40.0) * (error - self.error_mean);
            self.exceeded_share += weight(40.0) * (exceeded - self.exceeded_share);
        }
    }

    #[inline]
    fn note_replicas(&mut self, inputs: &HeadroomInputs) {
        let change = ratio(inputs.asked.abs_diff(self.last_asked), inputs.asked.max(1)).min(1.0);
        self.churn += weight(20.0) * (change - self.churn);
        if inputs.asked != self.last_asked {
            self.last_asked = inputs.asked;
            self.last_change = inputs.now;
        }
    }

    /// Latency / least latency of late; 1 if missing.
    #[inline]
    fn latency_ratio(&mut self, seconds: Option<f32>) -> f32 {
        match seconds.filter(|seconds| *seconds > 0.0) {
            Some(seconds) if self.least_latency_s > 0.0 => {
                self.least_latency_s = (self.least_latency_s * LATENCY_FORGETTING).min(seconds);
                seconds / self.least_latency_s
            }
            Some(seconds) => {
                self.least_latency_s = seconds;
                1.0
            }
            None => 1.0,
        }
    }
}

/// Writes the observation of a decision and folds the decision into `memory`. Total; allocates nothing.
///
/// # Panics
/// If `out` is shorter than [`OBSERVATION_LEN`]: a bug of the caller.
pub fn encode(inputs: &HeadroomInputs, memory: &mut HeadroomMemory, out: &mut [f32]) {
    let asked = inputs.asked.max(1);
    // Without a ready pod the utilisation is that of half a pod: as bad as it gets, and finite. ln 1 is exactly 0.
    let [ln_known_load, ln_capacity, ln_ready, ln_asked, ln_bad, ln_latency, ..] = ln_f32_lanes([
        inputs.load.unwrap_or(1.0).max(LEAST_RATIO),
        inputs.capacity_lower.max(LEAST_RATIO),
        float(inputs.ready).max(0.5),
        float(asked),
        inputs.bad_ratio.map_or(1.0, |bad| 1.0 + 100.0 * bad),
        memory.latency_ratio(inputs.mean_latency_s),
        1.0,
        1.0,
    ]);
    let ln_load = memory.push(inputs, ln_known_load);
    let [ln_p5, _, ln_p25, ln_p50, ln_p75, ln_p90, ln_p95, ln_p99] = inputs.ln_forecast;
    let ln_ready_capacity = ln_capacity + ln_ready;
    let ages = &inputs.starting_by_age;
    let values = [
        ln_load - ln_ready_capacity,
        ln_p50 - ln_ready_capacity,
        ln_capacity + ln_asked - ln_p50,
        ln_p50 - ln_capacity,
        ln_p50 - ln_load,
        ln_p75 - ln_p50,
        ln_p90 - ln_p75,
        ln_p95 - ln_p90,
        ln_p99 - ln_p95,
        ln_p50 - ln_p25,
        ln_p25 - ln_p5,
        ratio(ages[0].saturating_add(ages[1]), asked),
        ratio(ages[2].saturating_add(ages[3]), asked),
        ratio(ages[4].saturating_add(ages[5]), asked),
        ratio(ages[6].saturating_add(ages[7]), asked),
        ratio(inputs.ready, asked),
        ratio(inputs.asked, inputs.bounds.max.max(1)),
        ln_bad * (1.0 / 4.615_120_5),
        ln_latency,
        ln_load - memory.ln_loads[1],
        ln_load - memory.ln_loads[4],
        ln_load - memory.ln_mean_load,
        memory.error_mean,
        memory.exceeded_share,
        memory.churn,
        seconds_between(memory.last_change, inputs.now) * (1.0 / 600.0),
        if inputs.load.is_none() { 1.0 } else { 0.0 },
    ];
    for (index, out) in out[..OBSERVATION_LEN].iter_mut().enumerate() {
        // Unlike `clamp`, this also brings NaN (from inputs that are not numbers) into the bounds; unlike `max` and `min`, it is one
        // instruction for four of them.
        let value = if values[index] > LOWEST[index] { values[index] } else { LOWEST[index] };
        *out = if value < HIGHEST[index] { value } else { HIGHEST[index] };
    }
}

/// The bounds by side.
const LOWEST: [f32; OBSERVATION_LEN] = side(true);
const HIGHEST: [f32; OBSERVATION_LEN] = side(false);

const fn side(low: bool) -> [f32; OBSERVATION_LEN] {
    let mut side = [0.0; OBSERVATION_LEN];
    let mut index = 0;
    while index < OBSERVATION_LEN {
        side[index] = if low { OBSERVATION_BOUNDS[index].0 } else { OBSERVATION_BOUNDS[index].1 };
        index += 1;
    }
    side
}

/// Replicas that `action` asks for: factor × `median_rate` / `capacity_lower`, rounded up; action 0 keeps `present`.
///
/// An action that does not exist keeps `present` too; so does a capacity that is not positive or a rate that is no number.
#[must_use]
pub fn replicas_for(action: usize, median_rate: f64, capacity_lower: f64, present: u32) -> u32 {
    match FACTORS.get(action) {
        Some(factor) if action > 0 && capacity_lower > 0.0 && median_rate >= 0.0 => {
            math::ceil_to_u32(factor * median_rate / capacity_lower)
        }
        _ => present,
    }
}

#[inline]
const fn shift(values: &mut [f32; MATURITY], youngest: f32) {
    let [a, b, c, d, e, f, _] = *values;
    *values = [youngest, a, b, c, d, e, f];
}

#[inline]
#[expect(clippy::cast_precision_loss, reason = "replica counts are small")]
const fn float(count: u32) -> f32 {
    count as f32
}

#[inline]
const fn ratio(part: u32, whole: u32) -> f32 {
    float(part) / float(whole)
}

#[inline]
#[expect(clippy::cast_precision_loss, reason = "clamped to ten minutes")]
fn seconds_between(from: Timestamp, to: Timestamp) -> f32 {
    to.since(from).micros().clamp(0, 600_000_000) as f32 * 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rand::{Stream, draw, uniform};
    use crate::time::Span;

    fn forecast(scale: f64) -> Quantiles {
        let values = [80.0, 85.0, 90.0, 100.0, 110.0, 125.0, 140.0, 200.0].map(|value| value * scale);
        Quantiles { from: Timestamp::ZERO, horizon: Span::from_secs(105), values }
    }

    fn inputs(step: i64, scale: f32) -> HeadroomInputs {
        HeadroomInputs {
            now: Timestamp::from_secs(15 * step),
            ln_forecast: ln_quantiles(&forecast(f64::from(scale))),
            load: Some(95.0 * scale),
            capacity_lower: 10.0 * scale,
            asked: 12,
            ready: 10,
            starting_by_age: [1, 0, 0, 1, 0, 0, 0, 0],
            bounds: Bounds { min: 1, max: 100 },
            bad_ratio: Some(0.01),
            mean_latency_s: Some(0.08),
        }
    }

    fn encoded(inputs: &HeadroomInputs, memory: &mut HeadroomMemory) -> [f32; OBSERVATION_LEN] {
        let mut out = [f32::NAN; OBSERVATION_LEN];
        encode(inputs, memory, &mut out);
        out
    }

    fn close(got: f32, expected: f64) {
        assert!((f64::from(got) - expected).abs() < 1e-5, "{got} where {expected} is expected");
    }

    #[test]
    fn entries_mean_what_the_table_says() {
        let mut memory = HeadroomMemory::new();
        let out = encoded(&inputs(0, 1.0), &mut memory);
        close(out[0], libm::log(95.0 / 100.0));
        close(out[1], libm::log(100.0 / 100.0));
        close(out[2], libm::log(120.0 / 100.0));
        close(out[3], libm::log(10.0));
        close(out[4], libm::log(100.0 / 95.0));
        close(out[8], libm::log(200.0 / 140.0));
        close(out[10], libm::log(90.0 / 80.0));
        close(out[11], 1.0 / 12.0);
        close(out[12], 1.0 / 12.0);
        close(out[15], 10.0 / 12.0);
        close(out[16], 0.12);
        close(out[17], libm::log(2.0) / libm::log(101.0));
        let mut later = inputs(1, 1.0);
        (later.load, later.mean_latency_s, later.asked) = (Some(190.0), Some(0.16), 24);
        let out = encoded(&later, &mut memory);
        close(out[19], libm::log(2.0));
        close(out[18], libm::log(2.0 / 1.003));
        close(out[24], 0.5 * 2.0 / 21.0);
        assert_eq!(out[25], 0.0, "just changed");
        later.now = Timestamp::from_secs(15 + 300);
        close(encoded(&later, &mut memory)[25], 0.5);
    }

    #[test]
    fn a_scaled_workload_looks_the_same() {
        let (mut one, mut many) = (HeadroomMemory::new(), HeadroomMemory::new());
        for step in 0..40 {
            let wobble = 1.0 + 0.3 * uniform(1, Stream::TraceNoise, step as u64, 0) as f32;
            let (mut a, mut b) = (inputs(step, 1.0), inputs(step, 1_000.0));
            (a.load, b.load) = (Some(90.0 * wobble), Some(90_000.0 * wobble));
            for (a, b) in encoded(&a, &mut one).into_iter().zip(encoded(&b, &mut many)) {
                assert!((a - b).abs() < 2e-5, "{a} {b}");
            }
        }
    }

    #[test]
    fn forecasts_are_held_against_what_came() {
        let mut memory = HeadroomMemory::new();
        for step in 0..400 {
            let mut seen = inputs(step, 1.0);
            seen.load = Some(150.0);
            encoded(&seen, &mut memory);
        }
        let out = encoded(&inputs(400, 1.0), &mut memory);
        assert!((f64::from(out[22]) - libm::log(1.5)).abs() < 1e-3, "{}", out[22]);
        assert!(out[23] > 0.999, "150 exceeds the P90 of 125: {}", out[23]);
    }

    #[test]
    fn whatever_comes_in_stays_in_bounds() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -1.0, 1e30, 1e-30, 7.0];
        let mut memory = HeadroomMemory::new();
        for case in 0..2_000_u64 {
            let words = draw(5, Stream::TraceNoise, case, 0);
            let pick = |word: usize, shift: u32| odd[(words[word] >> shift & 7) as usize];
            let seen = HeadroomInputs {
                now: Timestamp::from_micros(i64::from(words[3]) - (1 << 31)),
                ln_forecast: core::array::from_fn(|level| pick(0, 3 * level as u32)),
                load: (words[1] & 1 == 1).then(|| pick(1, 3)),
                capacity_lower: pick(1, 9),
                asked: words[2] % 200,
                ready: words[2] >> 8 & 127,
                starting_by_age: [words[2] >> 16 & 255; START_UP_BUCKETS],
                bounds: Bounds { min: 0, max: words[2] >> 24 },
                bad_ratio: Some(pick(1, 12)),
                mean_latency_s: Some(pick(1, 15)),
            };
            let out = encoded(&seen, &mut memory);
            for (index, (value, (low, high))) in out.into_iter().zip(OBSERVATION_BOUNDS).enumerate() {
                assert!((low..=high).contains(&value), "case {case}: {} is {value}", OBSERVATION_NAMES[index]);
            }
        }
        let healthy = encoded(&inputs(1 << 20, 1.0), &mut HeadroomMemory::new());
        close(healthy[3], libm::log(10.0));
    }

    #[test]
    fn a_missing_load_carries_the_last_and_says_so() {
        let mut memory = HeadroomMemory::new();
        encoded(&inputs(0, 1.0), &mut memory);
        let mut blind = inputs(1, 1.0);
        (blind.load, blind.bad_ratio, blind.mean_latency_s) = (None, None, None);
        let out = encoded(&blind, &mut memory);
        close(out[0], libm::log(0.95));
        assert_eq!([out[17], out[18], out[19], out[26]], [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn actions_are_factors_over_the_median() {
        assert_eq!(replicas_for(0, 100.0, 10.0, 7), 7, "hold");
        assert_eq!(replicas_for(1, 100.0, 10.0, 7), 11);
        assert_eq!(replicas_for(5, 100.0, 10.0, 7), 14, "1.4 × 10 is 14, not 15");
        assert_eq!(replicas_for(9, 100.0, 10.0, 7), 28);
        assert_eq!(replicas_for(9, 0.0, 10.0, 7), 0, "the guard knows the bounds");
        for (action, median, capacity) in [(10, 1.0, 1.0), (3, f64::NAN, 1.0), (3, 1.0, 0.0), (3, 1.0, f64::NAN)] {
            assert_eq!(replicas_for(action, median, capacity, 7), 7);
        }
        assert!(FACTORS.is_sorted());
    }
}
