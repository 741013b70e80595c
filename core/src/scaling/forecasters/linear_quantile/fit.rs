//! Fitting: pinball loss of every quantile, smoothed, minimised by gradient descent in whitened coordinates.
//!
//! The pinball loss has a kink at zero; a quadratic of half-width h rounds it, and h shrinks in stages (convolution-smoothed
//! quantile regression: Fernandes, Guerre & Horta, JBES 2021; Barzilai-Borwein steps: He, Pan, Tan & Zhou, J. Econometrics
//! 2023). Whitening the inputs by the Cholesky factor of their correlation makes the lags, which are nearly collinear, a
//! round problem. It starts from least squares. Deterministic: no draws, sums in the order of rows.

use thiserror::Error;

use super::LinearQuantile;
use crate::math;
use crate::scaling::forecast::{LEVEL_COUNT, LEVELS};
use crate::scaling::forecasters::encoding::INPUT_LEN;

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitOptions {
    /// Added to the diagonal of the inputs' correlation, and shrinks predictions towards a constant by about this share.
    pub ridge: f64,
    /// Most rows used; of more, every n-th is taken.
    pub most_rows: usize,
    /// Passes over the rows per stage of smoothing.
    pub passes: u32,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { ridge: 1e-4, most_rows: 40_000, passes: 20 }
    }
}

/// Why nothing was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FitError {
    /// Inputs and targets differ in number.
    #[error("{inputs} rows of inputs and {targets} targets; pass one target per row")]
    Lengths {
        /// Rows of inputs.
        inputs: usize,
        /// Targets.
        targets: usize,
    },
    /// Too few usable rows.
    #[error("{usable} rows with finite inputs and target; at least {FEWEST_ROWS} are needed, give a longer series")]
    TooFew {
        /// Usable rows.
        usable: usize,
    },
}

/// Ten rows per weight and then some.
const FEWEST_ROWS: usize = 400;
/// Half-widths of the smoothing, in standard deviations of the least-squares residual.
const STAGES: [f64; 4] = [0.5, 0.2, 0.08, 0.03];
/// Whitened inputs and a constant.
const WIDTH: usize = INPUT_LEN + 1;

type Coefficients = [[f64; LEVEL_COUNT]; WIDTH];

/// Fits the quantiles of `targets` to `inputs` (rows).
///
/// # Errors
/// If the lengths differ or fewer than 400 rows are finite.
pub fn fit(inputs: &[[f32; INPUT_LEN]], targets: &[f32], options: &FitOptions) -> Result<LinearQuantile, FitError> {
    if inputs.len() != targets.len() {
        return Err(FitError::Lengths { inputs: inputs.len(), targets: targets.len() });
    }
    let usable: Vec<usize> = (0..inputs.len())
        .filter(|row| targets[*row].is_finite() && inputs[*row].iter().all(|input| input.is_finite()))
        .collect();
    if usable.len() < FEWEST_ROWS {
        return Err(FitError::TooFew { usable: usable.len() });
    }
    let stride = usable.len().div_ceil(options.most_rows.max(FEWEST_ROWS));
    let rows: Vec<usize> = usable.into_iter().step_by(stride).collect();
    let whitening = Whitening::of(inputs, &rows, options.ridge);
    let data: Vec<[f64; WIDTH]> = rows.iter().map(|row| whitening.apply(&inputs[*row])).collect();
    let targets: Vec<f64> = rows.iter().map(|row| f64::from(targets[*row])).collect();
    Ok(whitening.undo(&minimise(&data, &targets, options)))
}

/// z = (x − mean) / sd, then w = L⁻¹ z with L·Lᵀ = correlation + ridge.
struct Whitening {
    mean: [f64; INPUT_LEN],
    /// 1 / standard deviation; 0 for inputs that never change.
    scale: [f64; INPUT_LEN],
    lower: [[f64; INPUT_LEN]; INPUT_LEN],
}

impl Whitening {
    fn of(inputs: &[[f32; INPUT_LEN]], rows: &[usize], ridge: f64) -> Self {
        let count = float(rows.len());
        let (mut mean, mut square) = ([0.0; INPUT_LEN], [0.0; INPUT_LEN]);
        for row in rows {
            for (sum, x) in mean.iter_mut().zip(&inputs[*row]) {
                *sum += f64::from(*x) / count;
            }
        }
        for row in rows {
            for ((sum, x), mean) in square.iter_mut().zip(&inputs[*row]).zip(mean) {
                *sum += (f64::from(*x) - mean) * (f64::from(*x) - mean) / count;
            }
        }
        let scale = square.map(|variance| if variance > 1e-12 { 1.0 / variance.sqrt() } else { 0.0 });
        let mut correlation = [[0.0; INPUT_LEN]; INPUT_LEN];
        for row in rows {
            let z = standardised(&inputs[*row], &mean, &scale);
            for (i, sums) in correlation.iter_mut().enumerate() {
                for (sum, z_j) in sums[..=i].iter_mut().zip(&z) {
                    *sum += z[i] * z_j;
                }
            }
        }
        for (i, sums) in correlation.iter_mut().enumerate() {
            for sum in &mut sums[..=i] {
                *sum /= count;
            }
            // An input that never changes gets a unit diagonal: it stays zero.
            sums[i] += ridge.max(1e-9) + if scale[i] == 0.0 { 1.0 } else { 0.0 };
        }
        Self { mean, scale, lower: cholesky(&correlation) }
    }

    fn apply(&self, x: &[f32; INPUT_LEN]) -> [f64; WIDTH] {
        let z = standardised(x, &self.mean, &self.scale);
        let mut w = [1.0; WIDTH];
        for i in 0..INPUT_LEN {
            let known: f64 = self.lower[i][..i].iter().zip(&w).map(|(l, w)| l * w).sum();
            w[i] = (z[i] - known) / self.lower[i][i];
        }
        w
    }

    fn undo(&self, coefficients: &Coefficients) -> LinearQuantile {
        let column = |level: usize| self.raw(&coefficients.map(|row| row[level]));
        let (weight, bias) = (0..LEVEL_COUNT).map(column).unzip();
        LinearQuantile { weight, bias }
    }

    /// Weights and bias on the raw inputs: solves Lᵀ·θ = u, then divides by the standard deviations.
    #[expect(clippy::cast_possible_truncation, reason = "weights are single precision")]
    fn raw(&self, white: &[f64; WIDTH]) -> (Vec<f32>, f32) {
        let mut theta = [0.0; INPUT_LEN];
        for i in (0..INPUT_LEN).rev() {
            let known: f64 = (i + 1..INPUT_LEN).map(|j| self.lower[j][i] * theta[j]).sum();
            theta[i] = (white[i] - known) / self.lower[i][i];
        }
        let weight: Vec<f64> = theta.iter().zip(self.scale).map(|(theta, scale)| theta * scale).collect();
        let shift: f64 = weight.iter().zip(self.mean).map(|(weight, mean)| weight * mean).sum();
        (weight.into_iter().map(|weight| weight as f32).collect(), (white[INPUT_LEN] - shift) as f32)
    }
}

fn standardised(x: &[f32; INPUT_LEN], mean: &[f64; INPUT_LEN], scale: &[f64; INPUT_LEN]) -> [f64; INPUT_LEN] {
    core::array::from_fn(|i| (f64::from(x[i]) - mean[i]) * scale[i])
}

/// Lower factor of a positive definite matrix of which the lower triangle is given.
fn cholesky(matrix: &[[f64; INPUT_LEN]; INPUT_LEN]) -> [[f64; INPUT_LEN]; INPUT_LEN] {
    let mut lower = [[0.0; INPUT_LEN]; INPUT_LEN];
    for i in 0..INPUT_LEN {
        for j in 0..=i {
            let known: f64 = lower[i][..j].iter().zip(&lower[j]).map(|(a, b)| a * b).sum();
            lower[i][j] =
                if i == j { (matrix[i][i] - known).max(1e-12).sqrt() } else { (matrix[i][j] - known) / lower[j][j] };
        }
    }
    lower
}

fn minimise(data: &[[f64; WIDTH]], targets: &[f64], options: &FitOptions) -> Coefficients {
    let (mut coefficients, spread) = least_squares(data, targets);
    for stage in STAGES {
        let pass = Pass { data, targets, half_width: stage * spread, ridge: options.ridge / spread };
        coefficients = pass.descend(&coefficients, options.passes);
    }
    coefficients
}

/// The least-squares plane (inputs are white, so it is a mean of products), shifted to each quantile of its residuals, and
/// the residuals' standard deviation.
fn least_squares(data: &[[f64; WIDTH]], targets: &[f64]) -> (Coefficients, f64) {
    let count = float(data.len());
    let mean = targets.iter().sum::<f64>() / count;
    let mut slope = [0.0; WIDTH];
    for (row, target) in data.iter().zip(targets) {
        for (sum, w) in slope.iter_mut().zip(row) {
            *sum += w * (target - mean) / count;
        }
    }
    slope[INPUT_LEN] = 0.0;
    let dot = |row: &[f64; WIDTH]| row.iter().zip(&slope).map(|(w, s)| w * s).sum::<f64>();
    let mut residuals: Vec<f64> = data.iter().zip(targets).map(|(row, target)| target - dot(row)).collect();
    residuals.sort_unstable_by(f64::total_cmp);
    let centre = residuals.iter().sum::<f64>() / count;
    let variance = residuals.iter().map(|r| (r - centre) * (r - centre)).sum::<f64>() / count;
    let mut coefficients = slope.map(|slope| [slope; LEVEL_COUNT]);
    coefficients[INPUT_LEN] = LEVELS.map(|level| math::quantile_of_sorted(&residuals, level).unwrap_or(0.0));
    (coefficients, variance.sqrt().max(1e-6))
}

struct Pass<'a> {
    data: &'a [[f64; WIDTH]],
    targets: &'a [f64],
    half_width: f64,
    ridge: f64,
}

impl Pass<'_> {
    /// Barzilai-Borwein descent for each quantile by itself; answers with the best coefficients seen, by smoothed loss.
    fn descend(&self, start: &Coefficients, passes: u32) -> Coefficients {
        let mut at = *start;
        let (mut gradient, losses) = self.gradient(&at);
        let (mut best, mut least) = (at, losses);
        // The smoothed loss curves by at most 1 / (2h) along a white direction.
        let mut steps = [2.0 * self.half_width; LEVEL_COUNT];
        for _ in 0..passes {
            let mut next = at;
            for (next, gradient) in next.iter_mut().zip(&gradient) {
                for level in 0..LEVEL_COUNT {
                    next[level] -= steps[level] * gradient[level];
                }
            }
            let (next_gradient, losses) = self.gradient(&next);
            for level in 0..LEVEL_COUNT {
                steps[level] = step(level, [&at, &next], [&gradient, &next_gradient]).unwrap_or(2.0 * self.half_width);
                if losses[level] < least[level] {
                    least[level] = losses[level];
                    for (best, next) in best.iter_mut().zip(&next) {
                        best[level] = next[level];
                    }
                }
            }
            (at, gradient) = (next, next_gradient);
        }
        best
    }

    /// Gradient and value of the mean smoothed pinball loss with its ridge, for every quantile in one pass.
    fn gradient(&self, at: &Coefficients) -> (Coefficients, [f64; LEVEL_COUNT]) {
        let (mut gradient, mut losses) = ([[0.0; LEVEL_COUNT]; WIDTH], [0.0; LEVEL_COUNT]);
        let (h, inverse) = (self.half_width, 0.5 / self.half_width);
        for (row, target) in self.data.iter().zip(self.targets) {
            let mut slopes = [*target; LEVEL_COUNT];
            for (w, coefficients) in row.iter().zip(at) {
                for (residual, coefficient) in slopes.iter_mut().zip(coefficients) {
                    *residual -= w * coefficient;
                }
            }
            for ((slope, loss), level) in slopes.iter_mut().zip(&mut losses).zip(LEVELS) {
                let residual = *slope;
                let below = (0.5 - residual * inverse).clamp(0.0, 1.0);
                // ∫ of (level − below) from 0, plus the constant that makes it the pinball loss far out.
                *loss += residual * level
                    + if residual.abs() < h {
                        (h - residual) * (h - residual) * 0.5 * inverse
                    } else {
                        (-residual).max(0.0)
                    };
                *slope = below - level;
            }
            for (sums, w) in gradient.iter_mut().zip(row) {
                for (sum, slope) in sums.iter_mut().zip(&slopes) {
                    *sum += w * slope;
                }
            }
        }
        let count = float(self.data.len());
        for (index, (sums, coefficients)) in gradient.iter_mut().zip(at).enumerate() {
            let ridge = if index < INPUT_LEN { self.ridge } else { 0.0 };
            for ((sum, loss), coefficient) in sums.iter_mut().zip(&mut losses).zip(coefficients) {
                *sum = *sum / count + ridge * coefficient;
                *loss += 0.5 * count * ridge * coefficient * coefficient;
            }
        }
        (gradient, losses)
    }
}

/// The shorter of the two Barzilai-Borwein steps; `None` where the curvature is not positive.
fn step(level: usize, at: [&Coefficients; 2], gradients: [&Coefficients; 2]) -> Option<f64> {
    let (mut moved_turned, mut turned_turned) = (0.0, 0.0);
    for index in 0..WIDTH {
        let moved = at[1][index][level] - at[0][index][level];
        let turned = gradients[1][index][level] - gradients[0][index][level];
        moved_turned += moved * turned;
        turned_turned += turned * turned;
    }
    (moved_turned > 0.0 && turned_turned > 0.0).then(|| moved_turned / turned_turned)
}

#[expect(clippy::cast_precision_loss, reason = "row counts")]
const fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::normal_quantile;
    use crate::rand::{Stream, standard_normal};

    /// y = 0.2 + 0.5·x0 − 0.3·x1 + (0.2 + 0.1·x2)·e with x2 in 0..1, nearly collinear lags, an input that never changes.
    fn rows(count: u64) -> (Vec<[f32; INPUT_LEN]>, Vec<f32>) {
        let normal = |row: u64, index: u32| standard_normal(11, Stream::TraceNoise, row, index);
        let row = |row: u64| {
            let base = normal(row, 0);
            let mut x = [0.0_f64; INPUT_LEN];
            for (index, x) in (0..).zip(&mut x) {
                *x = if index < 8 { base + 0.05 * normal(row, index + 1) } else { normal(row, index + 1) };
            }
            x[2] = math::normal_cdf(normal(row, 90));
            x[30] = 1.5;
            let y = 0.2 + 0.5 * x[0] - 0.3 * x[9] + (0.2 + 0.1 * x[2]) * normal(row, 100);
            (x.map(|x| x as f32), y as f32)
        };
        (0..count).map(row).unzip()
    }

    #[test]
    fn finds_the_quantiles_of_a_heteroscedastic_plane() {
        let (inputs, targets) = rows(12_000);
        let fitted = fit(&inputs, &targets, &FitOptions::default()).unwrap();
        for (level, (weight, bias)) in LEVELS.into_iter().zip(fitted.weight.iter().zip(&fitted.bias)) {
            let z = normal_quantile(level);
            let lags: f32 = weight[..2].iter().chain(&weight[3..8]).sum();
            let got = [lags, weight[9], weight[2], bias + 1.5 * weight[30]].map(f64::from);
            for (got, expected) in got.into_iter().zip([0.5, -0.3, 0.1 * z, 0.2 + 0.2 * z]) {
                let tolerance = if level > 0.98 { 0.05 } else { 0.025 };
                assert!((got - expected).abs() < tolerance, "level {level}: {got} where {expected} is expected");
            }
        }
    }

    /// The optimum of quantile regression: residuals' signs are balanced at the level, along every input too (KKT).
    #[test]
    fn satisfies_the_conditions_of_the_optimum() {
        let (inputs, targets) = rows(8_000);
        let fitted = fit(&inputs, &targets, &FitOptions::default()).unwrap();
        for (index, level) in LEVELS.into_iter().enumerate() {
            let mut balance = [0.0_f64; WIDTH];
            for (x, y) in inputs.iter().zip(&targets) {
                let below = if *y < fitted.log_ratios(x)[index] { 1.0 } else { 0.0 };
                for (sum, x) in balance.iter_mut().zip(x.iter().chain(&[1.0])) {
                    *sum += f64::from(*x) * (below - level) / inputs.len() as f64;
                }
            }
            let worst = balance.iter().fold(0.0_f64, |worst, balance| worst.max(balance.abs()));
            assert!(worst < 0.01, "level {level}: {balance:?}");
        }
    }

    #[test]
    fn many_rows_are_thinned_and_bad_ones_left_out() {
        let (mut inputs, mut targets) = rows(3_000);
        let clean = fit(&inputs, &targets, &FitOptions::default()).unwrap();
        inputs.push([f32::NAN; INPUT_LEN]);
        targets.push(1.0);
        inputs.push([0.0; INPUT_LEN]);
        targets.push(f32::INFINITY);
        assert_eq!(fit(&inputs, &targets, &FitOptions::default()).unwrap(), clean);
        let thinned = fit(&inputs, &targets, &FitOptions { most_rows: 1_000, ..FitOptions::default() }).unwrap();
        assert_ne!(thinned, clean);
        assert!((thinned.weight[3][9] - clean.weight[3][9]).abs() < 0.05);
    }

    #[test]
    fn each_error_says_what_to_do() {
        let (inputs, targets) = rows(399);
        assert_eq!(fit(&inputs, &targets, &FitOptions::default()), Err(FitError::TooFew { usable: 399 }));
        let lengths = fit(&inputs, &targets[1..], &FitOptions::default()).unwrap_err();
        assert_eq!(lengths.to_string(), "399 rows of inputs and 398 targets; pass one target per row");
    }
}
