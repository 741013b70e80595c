//! Which windows a resample holds: families drawn with replacement, within each its series, within each its days.
//!
//! Draws are addressed by (resample, position) in [`Stream::Bootstrap`], so all strategies meet the same resamples and paired
//! differences keep their pairing. Training seeds are drawn at positions of their own: crossed, not nested.

use seatrial_core::rand::{self, Stream};

/// First position of the draws of training seeds: far above any count of windows.
const SEED_POSITION: u32 = 1 << 30;

/// The shape of a comparison: the number of days of each series of each family. Windows are numbered in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hierarchy {
    families: Vec<Vec<usize>>,
    starts: Vec<Vec<usize>>,
}

/// One series as drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Position among the drawn families.
    pub family: usize,
    /// Windows, as numbered by the hierarchy, with repetitions.
    pub windows: core::ops::Range<usize>,
}

/// One resample. Buffers are reused from one resample to the next.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The drawn series.
    pub series: Vec<Drawn>,
    /// Windows of all drawn series, one after the other; [`Drawn::windows`] points into it.
    pub windows: Vec<usize>,
    /// Number of drawn families.
    pub families: usize,
}

impl Hierarchy {
    /// From the number of days by family and series. Series without days and families without series are left out.
    #[must_use]
    pub fn new(families: Vec<Vec<usize>>) -> Self {
        let kept: Vec<Vec<usize>> = families
            .into_iter()
            .map(|series| series.into_iter().filter(|days| *days > 0).collect::<Vec<_>>())
            .filter(|series| !series.is_empty())
            .collect();
        let mut next = 0;
        let mut take = |days: &usize| {
            next += days;
            next - days
        };
        let starts = kept.iter().map(|series| series.iter().map(&mut take).collect()).collect();
        Self { families: kept, starts }
    }

    /// Number of windows.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.families.iter().flatten().sum()
    }

    /// Number of series.
    #[must_use]
    pub fn series(&self) -> usize {
        self.families.iter().map(Vec::len).sum()
    }

    /// Number of families.
    #[must_use]
    pub const fn families(&self) -> usize {
        self.families.len()
    }

    /// The `n` of an estimate: series, or windows if there is one series.
    #[must_use]
    pub fn units(&self) -> usize {
        if self.series() == 1 { self.windows() } else { self.series() }
    }

    /// Every window once: what the point estimate is made of.
    #[must_use]
    pub fn identity(&self) -> Sample {
        let mut sample = Sample { families: self.families.len(), ..Sample::default() };
        for (family, series) in self.families.iter().enumerate() {
            for days in series {
                let first = sample.windows.len();
                sample.windows.extend(first..first + days);
                sample.series.push(Drawn { family, windows: first..first + days });
            }
        }
        sample
    }

    /// Resample number `index` under `seed`, into `sample`.
    pub fn draw(&self, seed: u64, index: u32, sample: &mut Sample) {
        let mut position = 0;
        let mut below = |bound: usize| {
            position += 1;
            draw_below(seed, index, position - 1, bound)
        };
        sample.series.clear();
        sample.windows.clear();
        sample.families = self.families.len();
        for slot in 0..self.families.len() {
            let family = below(self.families.len());
            let series = &self.families[family];
            for _ in 0..series.len() {
                let chosen = below(series.len());
                let first = sample.windows.len();
                for _ in 0..series[chosen] {
                    sample.windows.push(self.starts[family][chosen] + below(series[chosen]));
                }
                sample.series.push(Drawn { family: slot, windows: first..sample.windows.len() });
            }
        }
    }
}

/// How often each of `seeds` training seeds is in resample number `index`: the same for all strategies with as many seeds.
pub(crate) fn draw_seed_counts(seed: u64, index: u32, counts: &mut [u32]) {
    counts.fill(0);
    for k in 0..counts.len() {
        let position = SEED_POSITION.saturating_add(u32::try_from(k).unwrap_or(u32::MAX));
        let chosen = draw_below(seed, index, position, counts.len());
        counts[chosen] += 1;
    }
}

fn draw_below(seed: u64, index: u32, position: u32, bound: usize) -> usize {
    // A choice among one needs no draw.
    if bound < 2 {
        return 0;
    }
    usize::try_from(rand::below(seed, Stream::Bootstrap, u64::from(index), position, bound as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Hierarchy {
        Hierarchy::new(vec![vec![7], vec![2, 0, 3], vec![]])
    }

    #[test]
    fn counts_and_leaves_out_the_empty() {
        let shape = shape();
        assert_eq!((shape.families(), shape.series(), shape.windows(), shape.units()), (2, 3, 12, 3));
        assert_eq!(Hierarchy::new(vec![vec![7]]).units(), 7);
        assert_eq!(shape.identity().windows, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn a_drawn_series_holds_its_own_days_only_and_repeats_by_address() {
        let shape = shape();
        let (mut sample, mut again) = (Sample::default(), Sample::default());
        let ranges = [0..7, 7..9, 9..12];
        let mut seen = [false; 12];
        for index in 0..200 {
            shape.draw(3, index, &mut sample);
            shape.draw(3, index, &mut again);
            assert_eq!(sample.windows, again.windows);
            for drawn in &sample.series {
                let windows = &sample.windows[drawn.windows.clone()];
                let home = ranges.iter().find(|range| range.contains(&windows[0])).unwrap();
                assert_eq!(windows.len(), home.len());
                assert!(windows.iter().all(|window| home.contains(window)));
                windows.iter().for_each(|window| seen[*window] = true);
            }
        }
        assert_eq!(seen, [true; 12]);
    }

    /// The variance of a bootstrap mean of n days is σ²/n: for 0..7, Var = 4 and so 4/7.
    #[test]
    fn the_spread_of_resampled_means_is_that_of_theory() {
        let shape = Hierarchy::new(vec![vec![7]]);
        let mut sample = Sample::default();
        let (mut sum, mut squares) = (0.0, 0.0);
        for index in 0..20_000 {
            shape.draw(1, index, &mut sample);
            let mean = sample.windows.iter().map(|window| *window as f64).sum::<f64>() / 7.0;
            sum += mean;
            squares += mean * mean;
        }
        let mean = sum / 20_000.0;
        let variance = squares / 20_000.0 - mean * mean;
        assert!((mean - 3.0).abs() < 0.03, "{mean}");
        assert!((variance - 4.0 / 7.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn seeds_are_drawn_with_replacement_and_the_same_for_everyone() {
        let (mut a, mut b) = ([0; 10], [0; 10]);
        draw_seed_counts(1, 5, &mut a);
        draw_seed_counts(1, 5, &mut b);
        assert_eq!(a, b);
        assert_eq!(a.iter().sum::<u32>(), 10);
        let mut total = [0; 10];
        for index in 0..1_000 {
            draw_seed_counts(1, index, &mut a);
            total.iter_mut().zip(a).for_each(|(t, c)| *t += c);
        }
        assert!(total.iter().all(|c| (850..1_150).contains(c)), "{total:?}");
    }
}
