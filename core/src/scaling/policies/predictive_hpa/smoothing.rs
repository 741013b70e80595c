//! The model `HoltWinters`: what statsmodels' `ExponentialSmoothing(series, trend, seasonal, seasonal_periods,
//! initialization_method="estimated").fit(…, optimized=False).forecast(1)` answers.
//!
//! With nothing optimised, "estimated" is the heuristic of Hyndman et al. (Forecasting with Exponential Smoothing, 2008, 2.6.1):
//! a centred moving average over the first cycles (at most five, or as many as ten averages take), the mean deviation of each
//! phase from it as seasons, and a line through the first ten averages as level and trend. Then the recursion runs over the
//! whole series, at every sync anew.

use serde::{Deserialize, Serialize};

/// Longest series, the newest count included.
pub(super) const MOST_COUNTS: usize = 2_000;
/// Longest season: half of the longest series.
const MOST_PERIODS: usize = MOST_COUNTS / 2;
/// Averages that the first line goes through.
const LINE: usize = 10;

/// How a component joins the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// By a sum.
    #[serde(alias = "add")]
    Additive,
    /// By a product.
    #[serde(alias = "mul")]
    Multiplicative,
}

impl Form {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Additive => a + b,
            Self::Multiplicative => a * b,
        }
    }

    fn part(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Additive => a - b,
            Self::Multiplicative => a / b,
        }
    }
}

/// The model's settings; shares of the newest value are 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smoothing {
    pub(super) alpha: f64,
    pub(super) beta: f64,
    pub(super) gamma: f64,
    pub(super) trend: Form,
    pub(super) seasonal: Form,
    /// Counts per season, 2 to 1,000.
    pub(super) periods: usize,
}

/// Level, trend and seasons by phase.
struct Components {
    level: f64,
    trend: f64,
    season: [f64; MOST_PERIODS],
}

impl Smoothing {
    /// Fewest counts that the model is asked with.
    pub(super) const fn fewest(&self) -> usize {
        let (two_seasons, line) = (2 * self.periods, LINE + 2 * (self.periods / 2));
        if two_seasons > line { two_seasons } else { line }
    }

    /// The forecast one step after `series`; `None` where the original fails: counts of zero under a product, or a result that
    /// is not a number.
    pub(super) fn forecast(&self, series: &[f64]) -> Option<f64> {
        let products = self.trend == Form::Multiplicative || self.seasonal == Form::Multiplicative;
        if series.len() < self.fewest() || (products && series.iter().any(|count| *count <= 0.0)) {
            return None;
        }
        let mut state = self.initialise(series);
        let mut phase = 0;
        for count in series {
            self.smooth(*count, phase, &mut state);
            phase = if phase + 1 == self.periods { 0 } else { phase + 1 };
        }
        let value = self.seasonal.join(self.trend.join(state.level, state.trend), state.season[phase]);
        value.is_finite().then_some(value)
    }

    fn smooth(&self, count: f64, phase: usize, state: &mut Components) {
        let expected = self.trend.join(state.level, state.trend);
        let season = state.season[phase];
        let level = self.alpha * self.seasonal.part(count, season) + (1.0 - self.alpha) * expected;
        state.trend = self.beta * self.trend.part(level, state.level) + (1.0 - self.beta) * state.trend;
        state.level = level;
        state.season[phase] = self.gamma * self.seasonal.part(count, expected) + (1.0 - self.gamma) * season;
    }

    fn initialise(&self, series: &[f64]) -> Components {
        let cycles = (series.len() / self.periods).min(5).max(self.fewest_for_line().div_ceil(self.periods));
        let series = &series[..series.len().min(self.periods * cycles)];
        let half = self.periods / 2;
        let (mut sums, mut counts) = ([0.0; MOST_PERIODS], [0.0; MOST_PERIODS]);
        let mut line = [0.0; LINE];
        for (index, average) in (half..).zip(Averages::new(series, self.periods)) {
            sums[index % self.periods] += self.seasonal.part(series[index], average);
            counts[index % self.periods] += 1.0;
            if let Some(point) = line.get_mut(index - half) {
                *point = average;
            }
        }
        for (sum, count) in sums.iter_mut().zip(counts).take(self.periods) {
            *sum /= count;
        }
        let mean = sums[..self.periods].iter().sum::<f64>() / float(self.periods);
        for season in &mut sums[..self.periods] {
            *season = self.seasonal.part(*season, mean);
        }
        let (level, slope) = intercept_and_slope(&line);
        let trend = if self.trend == Form::Additive { slope } else { 1.0 + slope / level };
        Components { level, trend, season: sums }
    }

    const fn fewest_for_line(&self) -> usize {
        LINE + 2 * (self.periods / 2)
    }
}

/// Centred moving averages over a season, the first of them half a season after the start; over an even season the mean of the
/// two that lie around the centre.
struct Averages<'a> {
    series: &'a [f64],
    periods: usize,
    /// Where the window begins, and the sum over it: of whole numbers, hence exact.
    start: usize,
    sum: f64,
}

impl<'a> Averages<'a> {
    fn new(series: &'a [f64], periods: usize) -> Self {
        let sum = series.iter().take(periods).sum();
        Self { series, periods, start: 0, sum }
    }
}

impl Iterator for Averages<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let (even, end) = (self.periods.is_multiple_of(2), self.start + self.periods);
        if end > self.series.len() || (even && end == self.series.len()) {
            return None;
        }
        let first = self.sum / float(self.periods);
        if let Some(entering) = self.series.get(end) {
            self.sum += entering - self.series[self.start];
        }
        self.start += 1;
        Some(if even { (first + self.sum / float(self.periods)) / 2.0 } else { first })
    }
}

/// Least squares through the points at 1, 2, …, 10, at 0.
fn intercept_and_slope(points: &[f64; LINE]) -> (f64, f64) {
    let mean = points.iter().sum::<f64>() / float(LINE);
    let middle = (float(LINE) + 1.0) / 2.0;
    let (mut product, mut square, mut place) = (0.0, 0.0, 1.0);
    for point in points {
        product += (place - middle) * (point - mean);
        square += (place - middle) * (place - middle);
        place += 1.0;
    }
    let slope = product / square;
    (mean - slope * middle, slope)
}

#[expect(clippy::cast_precision_loss, reason = "at most some thousand")]
const fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::Form::{Additive, Multiplicative};
    use super::*;

    const SHORT: [f64; 15] = [5.0, 7.0, 9.0, 6.0, 5.0, 8.0, 10.0, 6.0, 6.0, 8.0, 11.0, 7.0, 7.0, 9.0, 12.0];
    const WAVES: [f64; 21] = [
        30.0, 42.0, 55.0, 61.0, 48.0, 33.0, 28.0, 40.0, 57.0, 66.0, 51.0, 36.0, 31.0, 45.0, 52.0, 70.0, 47.0, 30.0,
        25.0, 41.0, 60.0,
    ];

    /// 70 counts: (7 i² + 3 i) mod 23 + 4.
    fn scattered() -> Vec<f64> {
        (0..70_u32).map(|i| f64::from((7 * i * i + 3 * i) % 23 + 4)).collect()
    }

    /// Series; alpha, beta, gamma; periods; trend and season; answer.
    type Case<'a> = (&'a [f64], [f64; 3], usize, Form, Form, f64);

    /// Answers of statsmodels 0.15.0: the call of the module's text, `forecast(steps=1)[0]`.
    #[test]
    fn forecasts_as_statsmodels_does() {
        let scattered = scattered();
        let cases: [Case<'_>; 13] = [
            (&SHORT, [0.9, 0.9, 0.9], 4, Additive, Additive, 2.494_137_012_434_115_3),
            (&SHORT, [0.2, 0.1, 0.3], 4, Additive, Multiplicative, 7.558_556_210_431_008),
            (&SHORT, [0.5, 0.3, 0.2], 4, Multiplicative, Additive, 8.175_818_183_958_071),
            (&SHORT, [0.5, 0.3, 0.2], 4, Multiplicative, Multiplicative, 7.681_654_391_741_087_6),
            (&SHORT, [0.9, 0.9, 0.9], 5, Additive, Additive, 31.622_366_349_825_33),
            (&WAVES, [0.3, 0.2, 0.1], 5, Additive, Additive, 32.910_277_367_762_31),
            (&WAVES, [0.4, 0.1, 0.3], 6, Additive, Multiplicative, 65.592_674_554_555_83),
            (&WAVES, [0.4, 0.1, 0.3], 7, Multiplicative, Multiplicative, 54.553_634_612_901_54),
            (&WAVES, [0.6, 0.0, 1.0], 10, Additive, Additive, 17.823_565_053_126_572),
            (&scattered, [0.3, 0.1, 0.2], 12, Additive, Additive, 4.961_947_469_871_699),
            (&scattered, [0.3, 0.1, 0.2], 2, Additive, Multiplicative, 11.756_740_662_471_396),
            (&scattered, [0.1, 0.05, 0.1], 29, Additive, Additive, 24.074_195_320_758_676),
            (&scattered, [0.1, 0.05, 0.1], 30, Multiplicative, Multiplicative, 10.796_061_164_141_953),
        ];
        for (series, [alpha, beta, gamma], periods, trend, seasonal, expected) in cases {
            let smoothing = Smoothing { alpha, beta, gamma, trend, seasonal, periods };
            let got = smoothing.forecast(series).unwrap();
            assert!((got - expected).abs() < 1e-9 * expected, "{smoothing:?}: {got} {expected}");
        }
    }

    #[test]
    fn gives_no_answer_where_the_original_fails() {
        let smoothing = |trend, seasonal| Smoothing { alpha: 0.5, beta: 0.1, gamma: 0.1, trend, seasonal, periods: 4 };
        let mut idle = SHORT;
        idle[3] = 0.0;
        assert!(smoothing(Additive, Additive).forecast(&idle).is_some());
        assert_eq!(smoothing(Additive, Multiplicative).forecast(&idle), None);
        assert_eq!(smoothing(Multiplicative, Additive).forecast(&idle), None);
        assert_eq!(smoothing(Additive, Additive).forecast(&SHORT[..13]), None, "fewer than 10 + 4");
        assert!(smoothing(Additive, Additive).forecast(&SHORT[..14]).is_some());
        assert_eq!(
            Smoothing { periods: 8, ..smoothing(Additive, Additive) }.forecast(&SHORT),
            None,
            "fewer than 2 × 8"
        );
    }
}
