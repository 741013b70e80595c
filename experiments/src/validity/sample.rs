//! A mean over seeds with its interval by Student's t: seeds are independent draws, and what is averaged over a run is nearly normal.

use seatrial_reports::stats;
use serde::{Deserialize, Serialize};

/// Quantiles 0.975 and 0.995 of Student's t by degrees of freedom from 1 on (tables of the distribution).
const T: [[f64; 2]; 30] = [
    [12.706, 63.657],
    [4.303, 9.925],
    [3.182, 5.841],
    [2.776, 4.604],
    [2.571, 4.032],
    [2.447, 3.707],
    [2.365, 3.499],
    [2.306, 3.355],
    [2.262, 3.250],
    [2.228, 3.169],
    [2.201, 3.106],
    [2.179, 3.055],
    [2.160, 3.012],
    [2.145, 2.977],
    [2.131, 2.947],
    [2.120, 2.921],
    [2.110, 2.898],
    [2.101, 2.878],
    [2.093, 2.861],
    [2.086, 2.845],
    [2.080, 2.831],
    [2.074, 2.819],
    [2.069, 2.807],
    [2.064, 2.797],
    [2.060, 2.787],
    [2.056, 2.779],
    [2.052, 2.771],
    [2.048, 2.763],
    [2.045, 2.756],
    [2.042, 2.750],
];

/// Coverage of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// 95 %.
    P95,
    /// 99 %.
    P99,
}

/// A mean and the half width of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Mean over seeds.
    pub mean: f64,
    /// Half of the interval's width; absent with one seed.
    pub half: Option<f64>,
}

impl Interval {
    /// Of one value per seed; `None` without any.
    #[must_use]
    pub fn of(values: &[f64], coverage: Coverage) -> Option<Self> {
        let mean = stats::mean(values)?;
        let n = values.len();
        if n < 2 {
            return Some(Self { mean, half: None });
        }
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let error = (squares / stats::count(n - 1) / stats::count(n)).sqrt();
        // Beyond the table t falls by less than 5 % to the normal's: the table's last row is on the safe side.
        let row = T[(n - 2).min(T.len() - 1)];
        let t = if coverage == Coverage::P95 { row[0] } else { row[1] };
        Some(Self { mean, half: Some(t * error) })
    }

    /// Lower and upper end; both the mean with one seed.
    #[must_use]
    pub fn ends(&self) -> (f64, f64) {
        let half = self.half.unwrap_or(0.0);
        (self.mean - half, self.mean + half)
    }

    /// Whether `value` lies inside.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        let (low, high) = self.ends();
        (low..=high).contains(&value)
    }

    /// Whether the interval exists and does not hold 0: the sign is known.
    #[must_use]
    pub fn sign(&self) -> Option<bool> {
        let (low, high) = self.ends();
        (self.half.is_some() && (low > 0.0 || high < 0.0)).then_some(self.mean > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: mean 4, variance 4, standard error sqrt(4 / 5) = 0.8944; with 4 degrees of freedom t is 2.776 and 4.604.
    #[test]
    fn intervals_are_those_of_student() {
        let values = [2.0, 3.0, 3.0, 5.0, 7.0];
        for (coverage, half) in [(Coverage::P95, 2.483), (Coverage::P99, 4.118)] {
            let interval = Interval::of(&values, coverage).unwrap();
            assert!(
                (interval.mean - 4.0).abs() < 1e-12 && (interval.half.unwrap() - half).abs() < 1e-3,
                "{interval:?}"
            );
        }
        assert_eq!(Interval::of(&[], Coverage::P95), None);
    }

    #[test]
    fn a_sign_is_known_when_zero_lies_outside() {
        let of = |values: &[f64]| Interval::of(values, Coverage::P95).unwrap();
        assert_eq!(of(&[1.0, 1.1, 0.9]).sign(), Some(true));
        assert_eq!(of(&[-1.0, -1.1, -0.9]).sign(), Some(false));
        assert_eq!(of(&[1.0, -1.1, 0.9]).sign(), None);
        assert_eq!(of(&[5.0]).sign(), None, "one seed knows no spread");
        assert!(of(&[1.0, 1.1, 0.9]).holds(1.05) && !of(&[1.0, 1.1, 0.9]).holds(2.0));
    }
}
