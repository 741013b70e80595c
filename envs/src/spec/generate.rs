//! Generated rates: a function of time, averaged over bins exactly (by its integral), so that no bin width loses a request.
//!
//! A constant is one bin, in which requests arrive as a Poisson process whose count is kept. Everything else has bins of a minute,
//! as the traces of protocol P1, or of a scrape interval where that is longer. An hour before the start is known: a generator is a
//! function of all time, so it goes on there as it begins.

use seatrial_core::math;
use seatrial_core::time::{Span, Timestamp};

use super::traffic::SourceSpec;
use crate::load::{EpisodeLoad, LoadError};

const BIN_S: f64 = 60.0;
const PAST_S: f64 = 3_600.0;

/// The rates of a generator from the epoch on for `duration`, in bins that are whole numbers of `scrape`; `None` for a recorded
/// source. The last bin may end after the duration.
///
/// # Errors
/// If a rate is negative or not a number, or the scrape interval is 0: what a check refuses.
pub fn generated(source: &SourceSpec, duration: Span, scrape: Span) -> Result<Option<EpisodeLoad>, LoadError> {
    let Some(curve) = Curve::new(source) else { return Ok(None) };
    let step = if scrape > Span::ZERO { scrape } else { return Err(LoadError::Interval { got_us: 0, step_us: 1 }) };
    let least = if matches!(source, SourceSpec::Constant { .. }) { duration } else { Span::from_secs_f64(BIN_S) };
    let width = step * whole(least, step);
    let (bins, past) = (whole(duration, width), whole(Span::from_secs_f64(PAST_S), width));
    let means = |bins: std::ops::Range<i64>| -> Vec<f64> { bins.map(|bin| curve.mean(width, bin)).collect() };
    EpisodeLoad::new(Timestamp::ZERO, width, means(0..bins), means(-past..0)).map(Some)
}

/// How many of `step` cover `span`, at least one.
fn whole(span: Span, step: Span) -> i64 {
    (span.whole_steps(step) + i64::from(span.micros() % step.micros() != 0)).max(1)
}

/// A rate as a function of time.
#[derive(Debug)]
enum Curve {
    Constant(f64),
    Sine { mean: f64, amplitude: f64, period_s: f64 },
    Flash(Flash),
    Points { points: Vec<[f64; 2]>, areas: Vec<f64> },
}

#[derive(Debug)]
struct Flash {
    base: f64,
    excess: f64,
    at_s: f64,
    rise_s: f64,
    hold_s: f64,
    halving_s: f64,
}

impl Curve {
    fn new(source: &SourceSpec) -> Option<Self> {
        Some(match source {
            SourceSpec::Trace { .. } | SourceSpec::Requests { .. } => return None,
            SourceSpec::Constant { rate_per_s } => Self::Constant(*rate_per_s),
            SourceSpec::Sine { mean_per_s, amplitude_per_s, period_s } => {
                Self::Sine { mean: *mean_per_s, amplitude: *amplitude_per_s, period_s: *period_s }
            }
            SourceSpec::Flash { base_per_s, peak_per_s, at_s, rise_s, hold_s, halving_s } => Self::Flash(Flash {
                base: *base_per_s,
                excess: peak_per_s - base_per_s,
                at_s: *at_s,
                rise_s: *rise_s,
                hold_s: *hold_s,
                halving_s: *halving_s,
            }),
            SourceSpec::Points { points } => Self::of_points(points),
        })
    }

    fn of_points(points: &[[f64; 2]]) -> Self {
        let mut areas = vec![0.0; points.len().min(1)];
        let mut area = 0.0;
        for pair in points.windows(2) {
            area += 0.5 * (pair[0][1] + pair[1][1]) * (pair[1][0] - pair[0][0]);
            areas.push(area);
        }
        Self::Points { points: points.to_vec(), areas }
    }

    /// Mean rate of the bin.
    fn mean(&self, width: Span, bin: i64) -> f64 {
        if let Self::Constant(rate) = self {
            return *rate;
        }
        let edge = |bin: i64| (width * bin).as_secs_f64();
        let (from_s, to_s) = (edge(bin), edge(bin + 1));
        // The difference of two integrals may miss zero by its rounding.
        ((self.integral(to_s) - self.integral(from_s)) / (to_s - from_s)).max(0.0)
    }

    /// An antiderivative of the rate.
    fn integral(&self, at_s: f64) -> f64 {
        match self {
            Self::Constant(rate) => rate * at_s,
            Self::Sine { mean, amplitude, period_s } => {
                let radians_per_s = 2.0 * core::f64::consts::PI / period_s;
                mean * at_s - amplitude / radians_per_s * math::cos(radians_per_s * at_s)
            }
            Self::Flash(flash) => flash.integral(at_s),
            Self::Points { points, areas } => integral_of_points(points, areas, at_s),
        }
    }
}

impl Flash {
    fn integral(&self, at_s: f64) -> f64 {
        let since_s = (at_s - self.at_s).max(0.0);
        let rising_s = since_s.min(self.rise_s);
        let risen = if self.rise_s > 0.0 { 0.5 * rising_s * rising_s / self.rise_s } else { 0.0 };
        let held_s = (since_s - self.rise_s).clamp(0.0, self.hold_s);
        let falling_s = (since_s - self.rise_s - self.hold_s).max(0.0);
        let lifetime_s = self.halving_s / core::f64::consts::LN_2;
        let fallen = lifetime_s * (1.0 - math::exp(-falling_s / lifetime_s));
        self.base * at_s + self.excess * (risen + held_s + fallen)
    }
}

fn integral_of_points(points: &[[f64; 2]], areas: &[f64], at_s: f64) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return 0.0 };
    let passed = points.partition_point(|point| point[0] <= at_s);
    let Some(before) = passed.checked_sub(1) else { return first[1] * (at_s - first[0]) };
    let [from_s, rate] = points[before];
    let since_s = at_s - from_s;
    match points.get(passed) {
        None => areas[before] + last[1] * since_s,
        Some([to_s, next]) => areas[before] + since_s * (rate + 0.5 * (next - rate) * since_s / (to_s - from_s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: Span = Span::from_secs(15);

    fn rates(source: &SourceSpec, seconds: i64) -> EpisodeLoad {
        generated(source, Span::from_secs(seconds), SCRAPE).unwrap().unwrap()
    }

    #[test]
    fn a_constant_is_one_bin_that_covers_the_scenario() {
        let load = rates(&SourceSpec::Constant { rate_per_s: 12.5 }, 100);
        assert_eq!((load.rates_per_s(), load.interval()), (&[12.5][..], Span::from_secs(105)));
        assert_eq!(load.past_rates_per_s().len(), 35, "an hour in bins of 105 s, rounded up");
    }

    #[test]
    fn a_ramp_is_averaged_over_each_minute() {
        let load = rates(&SourceSpec::Points { points: vec![[60.0, 0.0], [180.0, 120.0]] }, 270);
        assert_eq!(load.rates_per_s(), [0.0, 30.0, 90.0, 120.0, 120.0]);
        assert_eq!(load.past_rates_per_s(), vec![0.0; 60]);
        assert_eq!(rates(&SourceSpec::Points { points: vec![[90.0, 7.0]] }, 120).rates_per_s(), [7.0, 7.0]);
    }

    /// Against a sum over milliseconds of the curve as the schema words it.
    #[test]
    fn a_flash_and_a_wave_agree_with_a_fine_sum() {
        let flash = SourceSpec::Flash {
            base_per_s: 20.0,
            peak_per_s: 120.0,
            at_s: 90.0,
            rise_s: 45.0,
            hold_s: 100.0,
            halving_s: 80.0,
        };
        let sine = SourceSpec::Sine { mean_per_s: 50.0, amplitude_per_s: 30.0, period_s: 400.0 };
        let flash_at = |t: f64| match t - 90.0 {
            s if s <= 0.0 => 20.0,
            s if s < 45.0 => 20.0 + 100.0 * s / 45.0,
            s if s < 145.0 => 120.0,
            s => 20.0 + 100.0 * libm_pow(0.5, (s - 145.0) / 80.0),
        };
        let sine_at = |t: f64| 50.0 + 30.0 * math::cos(2.0 * core::f64::consts::PI * (t / 400.0 - 0.25));
        for (bin, (one, other)) in
            rates(&flash, 600).rates_per_s().iter().zip(rates(&sine, 600).rates_per_s()).enumerate()
        {
            let mean = |curve: &dyn Fn(f64) -> f64| {
                let moments = (0..60_000).map(|milli| 60.0 * bin as f64 + (f64::from(milli) + 0.5) / 1_000.0);
                moments.map(curve).sum::<f64>() / 60_000.0
            };
            assert!((one - mean(&flash_at)).abs() < 1e-6, "flash, minute {bin}: {one}");
            assert!((other - mean(&sine_at)).abs() < 1e-6, "wave, minute {bin}: {other}");
        }
    }

    fn libm_pow(base: f64, exponent: f64) -> f64 {
        math::exp(exponent * math::ln(base))
    }

    #[test]
    fn recorded_sources_are_not_generated() {
        let source = SourceSpec::Requests { id: "x".into(), from_s: 0.0 };
        assert_eq!(generated(&source, SCRAPE, SCRAPE), Ok(None));
        let source = SourceSpec::Constant { rate_per_s: 1.0 };
        assert!(generated(&source, SCRAPE, Span::ZERO).is_err());
    }
}
