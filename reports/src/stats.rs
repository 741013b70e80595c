//! Statistics of paired comparisons: hierarchical bootstrap over family → series → day, crossed with training seed.
//!
//! Why here: one place decides what an interval means. The unit of inference is the series (days where there is one series),
//! never the step or the seed. Resamples are a pure function of a fixed seed, so the same data gives the same bytes.
//! Sources: Davison & Hinkley, "Bootstrap methods and their application" (1997), §2.4 (resampling hierarchical data);
//! Agarwal et al., "Deep RL at the edge of the statistical precipice" (NeurIPS 2021; `rliable`) for IQM and probability of improvement.

mod hierarchy;

pub(crate) use hierarchy::draw_seed_counts;
pub use hierarchy::{Drawn, Hierarchy, Sample};

use seatrial_core::math;
use serde::{Deserialize, Serialize};

/// Resamples behind every interval.
pub const RESAMPLES: u32 = 10_000;
/// Seed of the bootstrap, fixed for all studies.
pub const BOOTSTRAP_SEED: u64 = 0x5EA7_B007;

/// A value with its 95 % percentile interval. One unit gives no interval: `low` and `high` are absent then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Point estimate.
    pub value: f64,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Number of series, or of windows if there is one series.
    pub n: usize,
}

impl Estimate {
    /// From a point estimate and its resampled values, which are sorted in place; values that are not finite are left out.
    ///
    /// With fewer than two units, or with a tenth or more of the resamples undefined, there is no interval.
    #[must_use]
    pub fn from_resamples(value: f64, resampled: &mut Vec<f64>, n: usize) -> Self {
        let asked = resampled.len();
        resampled.retain(|x| x.is_finite());
        let enough = n >= 2 && resampled.len() * 10 > asked * 9;
        resampled.sort_unstable_by(f64::total_cmp);
        let end = |q| if enough { math::quantile_of_sorted(resampled, q) } else { None };
        Self { value, low: end(0.025), high: end(0.975), n }
    }

    /// Whether the interval exists and lies on one side of `reference`.
    #[must_use]
    pub fn excludes(&self, reference: f64) -> bool {
        matches!((self.low, self.high), (Some(low), Some(high)) if low > reference || high < reference)
    }
}

/// Arithmetic mean; `None` if empty.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / count(values.len())) }
}

/// Geometric mean of positive values; `None` if empty or if a value is not positive.
#[must_use]
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.iter().any(|value| value.is_nan() || *value <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = values.iter().map(|value| math::ln(*value)).collect();
    mean(&logs).map(math::exp)
}

/// Interquartile mean as `rliable` defines it: the mean without the ⌊n/4⌋ lowest and highest values; `None` if empty.
#[must_use]
pub fn interquartile_mean(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let cut = sorted.len() / 4;
    mean(&sorted[cut..sorted.len() - cut])
}

/// The `q`-quantile (NumPy's default, R's type 7); `None` if empty.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    math::quantile_of_sorted(&sorted, q)
}

/// Probability that a draw of `a` lies above one of `b`, ties counting half: the Mann-Whitney U over `|a|·|b|`.
#[must_use]
pub fn probability_of_improvement(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let win = |x: f64, y: f64| {
        if x > y {
            1.0
        } else if x == y {
            0.5
        } else {
            0.0
        }
    };
    let wins: f64 = a.iter().map(|x| b.iter().map(|y| win(*x, *y)).sum::<f64>()).sum();
    Some(wins / (count(a.len()) * count(b.len())))
}

/// Skill against a tuned reference: 0 = the reference, 1 = the oracle; `None` if the reference is no worse than the oracle.
#[must_use]
pub fn skill(g_tuned: f64, g: f64) -> Option<f64> {
    (g_tuned > 1.0).then(|| (g_tuned - g) / (g_tuned - 1.0))
}

/// A count as a float.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub const fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [f64; 11] = [3.1, 0.2, 5.5, 1.7, 2.2, 9.4, 4.0, 0.9, 6.3, 2.8, 30.0];

    /// References: `scipy.stats.trim_mean(x, 0.25)`, `scipy.stats.gmean(x)`, `numpy.quantile(x, [.33, .95])`, and
    /// `scipy.stats.mannwhitneyu(x, y).statistic / (len(x) * len(y))` with y = x[:5] + 1, SciPy 1.17.1.
    #[test]
    fn agrees_with_scipy() {
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12 * b.abs().max(1.0), "{a:?} {b}");
        near(interquartile_mean(&DATA), 3.657_142_857_142_857_5);
        near(geometric_mean(&DATA), 3.070_098_992_939_566_3);
        near(quantile(&DATA, 0.33), 2.38);
        near(quantile(&DATA, 0.95), 19.7);
        let shifted: Vec<f64> = DATA[..5].iter().map(|x| x + 1.0).collect();
        near(probability_of_improvement(&DATA, &shifted), 0.490_909_090_909_090_9);
        near(probability_of_improvement(&[1.0, 2.0], &[2.0, 2.0]), 0.25);
    }

    #[test]
    fn empty_and_impossible_input_has_no_answer() {
        assert_eq!(mean(&[]), None);
        assert_eq!(interquartile_mean(&[]), None);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(probability_of_improvement(&[], &[1.0]), None);
        assert_eq!(geometric_mean(&[1.0, 0.0]), None);
        assert_eq!(geometric_mean(&[1.0, f64::NAN]), None);
        assert_eq!(skill(1.0, 1.2), None);
    }

    #[test]
    fn skill_is_zero_at_the_reference_and_one_at_the_oracle() {
        assert_eq!(skill(1.5, 1.5), Some(0.0));
        assert_eq!(skill(1.5, 1.0), Some(1.0));
        assert_eq!(skill(1.5, 2.0), Some(-1.0));
    }

    #[test]
    fn one_unit_or_undefined_resamples_give_no_interval() {
        let one = Estimate::from_resamples(2.0, &mut vec![2.0; 50], 1);
        assert_eq!((one.low, one.high), (None, None));
        assert!(!one.excludes(0.0), "no interval excludes nothing");
        let undefined = Estimate::from_resamples(2.0, &mut [vec![2.0; 50], vec![f64::NAN; 50]].concat(), 9);
        assert_eq!(undefined.low, None);
        let fine = Estimate::from_resamples(2.0, &mut (0..=1_000).map(f64::from).collect(), 9);
        assert_eq!((fine.low, fine.high), (Some(25.0), Some(975.0)));
        assert!(fine.excludes(0.0) && !fine.excludes(30.0));
    }
}
