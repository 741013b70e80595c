//! What the requests of a service take, beside their mean: how much it varies, and its quantiles.
//!
//! Waiting for several workers has no closed form unless work is exponential. Who waits is taken to wait (1 + c²) / 2 times as long as
//! with exponential work, c being the standard deviation of work over its mean (Allen and Cunneen; A. O. Allen, Probability,
//! Statistics, and Queueing Theory, 2nd ed. 1990, 5.3), and whether he waits at all as with exponential work. That is exact for
//! exponential work, and for the mean wait at one worker (Pollaczek and Khinchine).

use std::sync::Arc;

/// Points that a work without a formula is looked at in.
const POINTS: u32 = 4_096;
/// Quantiles that are kept of them.
const QUANTILES: u32 = 256;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    spread: f64,
    /// Evenly spaced quantiles over the mean, ascending; `None` is exponential.
    quantiles: Option<Arc<[f64]>>,
}

impl Work {
    /// Exponential.
    pub(crate) const EXPONENTIAL: Self = Self { spread: 1.0, quantiles: None };

    /// Work with this mean and mean square (in seconds and their square), as `draw` makes it of four independent numbers inside
    /// (0, 1): its quantiles are seen in points that fill the cube evenly.
    pub(crate) fn new(mean: f64, mean_square: f64, draw: impl Fn([f64; 4]) -> f64) -> Self {
        let spread = 0.5 * mean_square / (mean * mean);
        if !spread.is_finite() {
            return Self::EXPONENTIAL;
        }
        let mut values: Vec<f64> = (1..=POINTS).map(|index| draw(point(index)) / mean).collect();
        values.sort_unstable_by(f64::total_cmp);
        let every = (POINTS / QUANTILES) as usize;
        Self { spread, quantiles: Some(values.into_iter().skip(every / 2).step_by(every).collect()) }
    }

    /// (1 + c²) / 2: who waits waits so many times as long as with exponential work.
    pub(crate) const fn spread(&self) -> f64 {
        self.spread
    }

    /// Quantiles over the mean; `None` of exponential work, which has a formula.
    pub(crate) fn quantiles(&self) -> Option<&[f64]> {
        self.quantiles.as_deref()
    }
}

/// The additive recurrence on powers of the root of x⁵ = x + 1: as even in four dimensions as the golden ratio is in one.
fn point(index: u32) -> [f64; 4] {
    const ROOT: f64 = 1.167_303_978_261_418_7;
    let mut step = 1.0;
    core::array::from_fn(|_| {
        step /= ROOT;
        let place = (0.5 + step * f64::from(index)).fract();
        place.clamp(f64::EPSILON, 1.0 - f64::EPSILON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each coordinate alone, and the sum of two, which is triangular.
    #[test]
    fn quantiles_are_those_of_what_is_drawn() {
        let check = |draw: fn([f64; 4]) -> f64, mean: f64, quantile: fn(f64) -> f64| {
            let work = Work::new(mean, 1.0, draw);
            let quantiles = work.quantiles().unwrap();
            assert_eq!(quantiles.len(), 256);
            for (place, got) in quantiles.iter().enumerate() {
                let level = (place as f64 + 0.5) / 256.0;
                assert!((got - quantile(level) / mean).abs() < 0.02, "{level}: {got}");
            }
        };
        check(|[unit, ..]| 4.0 * unit, 2.0, |level| 4.0 * level);
        check(|[.., unit]| unit, 0.5, |level| level);
        check(
            |[_, one, other, _]| one + other,
            1.0,
            |level| if level < 0.5 { (2.0 * level).sqrt() } else { 2.0 - (2.0 - 2.0 * level).sqrt() },
        );
    }

    #[test]
    fn nothing_varies_by_nothing() {
        assert_eq!(Work::new(0.0, 0.0, |_| 0.0), Work::EXPONENTIAL);
        assert_eq!(Work::new(3.0, 9.0, |_| 3.0).spread(), 0.5);
    }
}
