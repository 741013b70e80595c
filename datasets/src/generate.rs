//! Generated load: a base rate times seasons, a ramp and flash crowds, with autocorrelated noise and Poisson counts.
//!
//! A [`Recipe`] is data and a pure function of its seed: the same recipe gives the same bits on every machine (libm, Philox),
//! stream [`Stream::TraceNoise`]. Rates are requests per second, counts are per bin.

use seatrial_core::math;
use seatrial_core::rand::{self, Stream};
use seatrial_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment::{self, DAY};
use crate::trace::{Kind, Provenance, Series, Trace};

/// How a generated trace is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Id of the trace.
    pub id: String,
    /// Start of bin 0.
    #[serde(with = "moment")]
    pub start: Timestamp,
    /// Length of a bin in seconds.
    pub interval_s: u32,
    /// Number of bins.
    pub bins: u32,
    /// Rate that the factors of `components` multiply, requests per second.
    pub base_per_s: f64,
    /// Factors; none = constant.
    pub components: Vec<Component>,
    /// Noise; none = the counts are the expected ones.
    pub noise: Option<Noise>,
    /// Seed of the noise.
    pub seed: u64,
}

/// A factor on the base rate, 1 = no effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Component {
    /// Linear from `from` at the start to `to` at the end of the trace.
    Ramp {
        /// Factor at the start.
        from: f64,
        /// Factor at the end.
        to: f64,
    },
    /// 1 + amplitude · cos(2π · (t − peak) / period), t counted from midnight UTC. Not below 0.
    Season {
        /// Length of a season in hours: 24 for a day.
        period_h: f64,
        /// Between 0 (none) and 1 (down to nothing).
        amplitude: f64,
        /// Hour of the greatest rate.
        peak_h: f64,
    },
    /// One factor per day of the week from Monday, reached at its noon and linear between noons.
    Weekly {
        /// Monday to Sunday.
        factors: [f64; 7],
    },
    /// Linear up to `factor` within `rise_s`, held for `hold_s`, then the excess halves every `half_life_s`.
    FlashCrowd {
        /// When it begins.
        #[serde(with = "moment")]
        start: Timestamp,
        /// Greatest factor.
        factor: f64,
        /// Seconds to reach it.
        rise_s: f64,
        /// Seconds at it.
        hold_s: f64,
        /// Seconds in which the excess halves.
        half_life_s: f64,
    },
}

/// Noise around the expected rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Standard deviation of the log rate (mean-corrected lognormal).
    pub deviation: f64,
    /// Its autocorrelation from bin to bin, 0 to below 1.
    pub autocorrelation: f64,
}

impl Component {
    /// One season a day with its peak at `peak_h` o'clock UTC.
    #[must_use]
    pub const fn diurnal(amplitude: f64, peak_h: f64) -> Self {
        Self::Season { period_h: 24.0, amplitude, peak_h }
    }

    /// The factor at `at`; `through` is how much of the trace has passed, 0 to 1.
    #[must_use]
    pub fn factor(&self, at: Timestamp, through: f64) -> f64 {
        match self {
            Self::Ramp { from, to } => from + (to - from) * through,
            Self::Season { period_h, amplitude, peak_h } => {
                let hour = at.since(at.floor_to(DAY)).as_secs_f64() / 3_600.0;
                let angle = 2.0 * core::f64::consts::PI * (hour - peak_h) / period_h;
                (1.0 + amplitude * libm::cos(angle)).max(0.0)
            }
            Self::Weekly { factors } => weekly(factors, at),
            Self::FlashCrowd { start, factor, rise_s, hold_s, half_life_s } => {
                let t = at.since(*start).as_secs_f64();
                1.0 + (factor - 1.0) * flash_profile(t, *rise_s, *hold_s, *half_life_s)
            }
        }
    }
}

fn weekly(factors: &[f64; 7], at: Timestamp) -> f64 {
    let since_noon = at - Span::from_secs(43_200);
    let noon = since_noon.floor_to(DAY);
    // 1970-01-01 was a Thursday: day 3 of a week that begins on Monday.
    let day = usize::try_from((noon.micros() / DAY.micros() + 3).rem_euclid(7)).unwrap_or(0);
    let share = since_noon.since(noon).as_secs_f64() / DAY.as_secs_f64();
    factors[day] + (factors[(day + 1) % 7] - factors[day]) * share
}

/// 0 before, 0 to 1 while rising, 1 while held, then halving.
fn flash_profile(t: f64, rise_s: f64, hold_s: f64, half_life_s: f64) -> f64 {
    if t < 0.0 {
        0.0
    } else if t < rise_s {
        t / rise_s
    } else if t < rise_s + hold_s {
        1.0
    } else {
        math::exp(-core::f64::consts::LN_2 * (t - rise_s - hold_s) / half_life_s)
    }
}

impl Recipe {
    /// A constant rate, without noise: the start of every other recipe.
    #[must_use]
    pub fn constant(start: Timestamp, interval_s: u32, bins: u32, base_per_s: f64) -> Self {
        let (id, components) = ("generated".to_owned(), Vec::new());
        Self { id, start, interval_s, bins, base_per_s, components, noise: None, seed: 0 }
    }

    /// The recipe with one more factor.
    #[must_use]
    pub fn with(mut self, component: Component) -> Self {
        self.components.push(component);
        self
    }

    /// The recipe with noise.
    #[must_use]
    pub fn with_noise(mut self, noise: Noise, seed: u64) -> Self {
        (self.noise, self.seed) = (Some(noise), seed);
        self
    }

    /// Expected requests per second in the middle of bin `bin`.
    #[must_use]
    pub fn rate_per_s(&self, bin: u32) -> f64 {
        let interval = Span::from_secs(i64::from(self.interval_s));
        let at = self.start + interval * i64::from(bin) + interval / 2;
        let through = (f64::from(bin) + 0.5) / f64::from(self.bins.max(1));
        self.components.iter().fold(self.base_per_s, |rate, component| rate * component.factor(at, through))
    }

    /// Counts per bin: expected ones without noise, else Poisson around the disturbed rate.
    #[must_use]
    pub fn counts(&self) -> Vec<f64> {
        let expected = |bin| self.rate_per_s(bin).max(0.0) * f64::from(self.interval_s);
        let Some(noise) = self.noise else { return (0..self.bins).map(expected).collect() };
        let innovation = noise.deviation * (1.0 - noise.autocorrelation * noise.autocorrelation).max(0.0).sqrt();
        let mut disturbance = 0.0;
        let count = |bin| {
            let normal = rand::standard_normal(self.seed, Stream::TraceNoise, 0, bin);
            disturbance = match bin {
                0 => noise.deviation * normal,
                _ => noise.autocorrelation * disturbance + innovation * normal,
            };
            let mean = expected(bin) * math::exp(disturbance - noise.deviation * noise.deviation / 2.0);
            rand::poisson(mean, rand::uniform(self.seed, Stream::TraceNoise, 1, bin)) as f64
        };
        (0..self.bins).map(count).collect()
    }

    /// The trace: kind rate, one unnamed series, the recipe in its provenance. A recipe without bins gives a series without
    /// values, which no reader or writer accepts.
    #[must_use]
    pub fn build(&self) -> Trace {
        let interval = Span::from_secs(i64::from(self.interval_s));
        let values = self.counts();
        let missing = vec![false; values.len()];
        let series = vec![Series { name: String::new(), start: self.start, interval, values, missing }];
        let mut provenance = Provenance {
            source: Some("generated by seatrial-datasets".to_owned()),
            license: Some("MIT OR Apache-2.0".to_owned()),
            ..Provenance::default()
        };
        // Serialising plain data cannot fail; a recipe with a rate that is no number has no JSON and goes without.
        if let Ok(recipe) = serde_json::to_string(self) {
            provenance.more.insert("recipe".to_owned(), recipe);
        }
        let unit = format!("requests per {} s", self.interval_s);
        let (id, content_hash) = (self.id.clone(), String::new());
        Trace { id, kind: Kind::Rate, unit, interval, series, events: Vec::new(), provenance, content_hash }.rehash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        moment::parse(text).unwrap()
    }

    #[test]
    fn without_components_the_rate_is_the_base() {
        let recipe = Recipe::constant(Timestamp::ZERO, 60, 5, 2.0);
        assert_eq!(recipe.counts(), [120.0; 5]);
    }

    #[test]
    fn a_ramp_is_linear() {
        let recipe = Recipe::constant(Timestamp::ZERO, 60, 4, 8.0).with(Component::Ramp { from: 0.0, to: 1.0 });
        assert_eq!((0..4).map(|bin| recipe.rate_per_s(bin)).collect::<Vec<_>>(), [1.0, 3.0, 5.0, 7.0]);
    }

    #[test]
    fn a_day_peaks_at_its_hour_and_is_lowest_twelve_hours_later() {
        let day = Component::diurnal(0.5, 15.0);
        assert!((day.factor(at("2025-01-01T15:00:00Z"), 0.0) - 1.5).abs() < 1e-12);
        assert!((day.factor(at("2025-01-02T03:00:00Z"), 0.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_week_begins_on_monday() {
        let week = Component::Weekly { factors: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0] };
        // 2025-01-01 was a Wednesday.
        assert!((week.factor(at("2025-01-01T12:00:00Z"), 0.0) - 3.0).abs() < 1e-12);
        assert!((week.factor(at("2025-01-02T00:00:00Z"), 0.0) - 3.5).abs() < 1e-12);
        assert!((week.factor(at("2025-01-05T18:00:00Z"), 0.0) - 5.5).abs() < 1e-12);
    }

    #[test]
    fn a_flash_crowd_rises_holds_and_halves() {
        let (start, factor) = (Timestamp::from_secs(1_000), 9.0);
        let flash = Component::FlashCrowd { start, factor, rise_s: 120.0, hold_s: 600.0, half_life_s: 600.0 };
        for (second, expected) in [(999, 1.0), (1_060, 5.0), (1_120, 9.0), (1_720, 9.0), (2_320, 5.0), (2_920, 3.0)] {
            let found = flash.factor(Timestamp::from_secs(second), 0.0);
            assert!((found - expected).abs() < 1e-9, "{second}: {found}");
        }
    }

    #[test]
    fn noise_has_the_stated_spread_and_repeats() {
        let noise = Noise { deviation: 0.05, autocorrelation: 0.9 };
        let recipe = Recipe::constant(Timestamp::ZERO, 60, 20_000, 1_000.0).with_noise(noise, 3);
        let counts = recipe.counts();
        assert_eq!(counts, recipe.counts());
        assert_ne!(counts, recipe.clone().with_noise(noise, 4).counts());
        let logs: Vec<f64> = counts.iter().map(|count| math::ln(count / 60_000.0)).collect();
        let mean = logs.iter().sum::<f64>() / 20_000.0;
        let deviation = (logs.iter().map(|log| (log - mean) * (log - mean)).sum::<f64>() / 20_000.0).sqrt();
        // Poisson adds 1/60,000 to a variance of 0.0025; 20,000 bins at 0.9 are some 1,000 independent ones.
        assert!((deviation - 0.05).abs() < 0.005, "{deviation}");
        assert!(mean.abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_recipe_survives_as_text() {
        let recipe = crate::recipes::generated_web_1min();
        assert_eq!(serde_json::from_str::<Recipe>(&serde_json::to_string(&recipe).unwrap()).unwrap(), recipe);
    }
}
