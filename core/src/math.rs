//! Arithmetic that is the same on every machine: transcendental functions from libm, never from std, and sums in a fixed order.
//!
//! `f64` is for costs and estimates, `f32` for features and nets. `sqrt` is exact by IEEE 754 and may come from anywhere.

mod normal;
mod queueing;
mod single;

pub use normal::{normal_cdf, normal_quantile};
pub use queueing::{erlang_c, round_robin_wait_exceeds, wait_exceeds};
pub use single::{ln_f32, ln_f32_lanes, sigmoid_f32, tanh_f32};

/// Natural exponential.
#[must_use]
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// Cosine.
#[must_use]
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// Natural logarithm.
#[must_use]
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// The smallest whole number not below `x`, clamped to `0..=u32::MAX`; NaN is 0.
///
/// A ratio such as 3.0000000000000004, which arithmetic makes of 3, counts as 3: a relative 1e-9 is forgiven, as in the
/// horizontal autoscalers' own practice of comparing with a tolerance. Use [`libm::ceil`] where a source is followed to the letter.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float-to-int casts saturate, NaN is 0")]
pub fn ceil_to_u32(x: f64) -> u32 {
    let forgiven = x * (1.0 - 1e-9);
    // Casting truncates, which for positive numbers is the floor; a library call would cost more than the rest of a decision.
    let whole = forgiven as u32;
    whole.saturating_add(u32::from(f64::from(whole) < forgiven))
}

/// Linear interpolation of the `q`-quantile in `sorted` (ascending); `None` if empty.
///
/// The definition of NumPy's default and of R's type 7.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = (position as usize).min(last);
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceil_forgives_dust_and_nothing_more() {
        assert_eq!(ceil_to_u32(3.000_000_000_000_000_4), 3);
        assert_eq!(ceil_to_u32(3.000_001), 4);
        assert_eq!(ceil_to_u32(-2.0), 0);
        assert_eq!(ceil_to_u32(f64::NAN), 0);
        assert_eq!(ceil_to_u32(f64::INFINITY), u32::MAX);
    }

    /// `numpy.quantile([1, 2, 4, 8], [0, .25, .5, .9, 1])`.
    #[test]
    fn quantiles_as_numpy() {
        let data = [1.0, 2.0, 4.0, 8.0];
        for (q, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile_of_sorted(&data, q).unwrap() - expected).abs() < 1e-12);
        }
        assert_eq!(quantile_of_sorted(&[], 0.5), None);
    }
}
