//! One pass over the resamples for all tracks on a grid.

use seatrial_core::math;

use super::tracks::{Terms, Track};
use crate::stats::{BOOTSTRAP_SEED, Hierarchy, RESAMPLES, Sample, count, draw_seed_counts};

/// What a resample says about one strategy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reduced {
    pub(super) cost: f64,
    pub(super) ln_g: f64,
    pub(super) bad_fraction: f64,
    pub(super) pod_seconds: f64,
    pub(super) changes: f64,
    pub(super) guard_share: f64,
    pub(super) ln_j: f64,
}

impl Reduced {
    /// Geometric mean of J/J*.
    pub(super) fn g(&self) -> f64 {
        math::exp(self.ln_g)
    }

    fn add_scaled(&mut self, other: &Self, factor: f64) {
        self.cost += factor * other.cost;
        self.ln_g += factor * other.ln_g;
        self.bad_fraction += factor * other.bad_fraction;
        self.pod_seconds += factor * other.pod_seconds;
        self.changes += factor * other.changes;
        self.guard_share += factor * other.guard_share;
        self.ln_j += factor * other.ln_j;
    }
}

/// Point estimate and resamples of one strategy.
#[derive(Clone, Debug)]
pub(super) struct Resampled {
    pub(super) point: Reduced,
    pub(super) samples: Vec<Reduced>,
    /// The `n` of its estimates.
    pub(super) units: usize,
}

impl Resampled {
    pub(super) fn each(&self, value: impl Fn(&Reduced) -> f64) -> Vec<f64> {
        self.samples.iter().map(value).collect()
    }
}

/// Bootstraps `tracks`, which all lie on the grid that has this `hierarchy`.
pub(super) fn bootstrap(hierarchy: &Hierarchy, tracks: &[&Track]) -> Vec<Resampled> {
    let identity = hierarchy.identity();
    let mut results: Vec<Resampled> = tracks
        .iter()
        .map(|track| Resampled {
            point: over_seeds(track, &identity, &vec![1; track.seeds.len()]),
            samples: Vec::with_capacity(RESAMPLES as usize),
            units: hierarchy.units(),
        })
        .collect();
    let mut sample = Sample::default();
    let mut counts = Vec::new();
    for index in 0..RESAMPLES {
        hierarchy.draw(BOOTSTRAP_SEED, index, &mut sample);
        for (track, result) in tracks.iter().zip(&mut results) {
            counts.resize(track.seeds.len(), 0);
            draw_seed_counts(BOOTSTRAP_SEED, index, &mut counts);
            result.samples.push(over_seeds(track, &sample, &counts));
        }
    }
    results
}

/// Mean over training seeds, each as often as it was drawn.
fn over_seeds(track: &Track, sample: &Sample, counts: &[u32]) -> Reduced {
    let total: u32 = counts.iter().sum();
    let mut mean = Reduced::default();
    for (terms, n) in track.seeds.iter().zip(counts).filter(|(_, n)| **n > 0) {
        mean.add_scaled(&reduce(terms, sample), f64::from(*n) / f64::from(total));
    }
    mean
}

fn reduce(terms: &[Terms], sample: &Sample) -> Reduced {
    let per_series = 1.0 / count(sample.series.len());
    let mut out = Reduced::default();
    let (mut family, mut ln_sum, mut ln_count) = (0, 0.0, 0.0);
    for drawn in &sample.series {
        let windows = &sample.windows[drawn.windows.clone()];
        let mut sum = Terms::default();
        windows.iter().for_each(|window| sum.add(&terms[*window]));
        let days = count(windows.len());
        let bad_fraction = if sum.requests > 0.0 { sum.bad / sum.requests } else { 0.0 };
        let series = Reduced {
            cost: sum.j / days,
            ln_g: 0.0,
            bad_fraction,
            pod_seconds: sum.pod_seconds / days,
            changes: sum.changes / days,
            guard_share: sum.guard_share / days,
            ln_j: sum.ln_j / days,
        };
        out.add_scaled(&series, per_series);
        if drawn.family != family {
            out.ln_g += ln_sum / ln_count;
            (family, ln_sum, ln_count) = (drawn.family, 0.0, 0.0);
        }
        ln_sum += math::ln(sum.j / sum.oracle);
        ln_count += 1.0;
    }
    out.ln_g = (out.ln_g + ln_sum / ln_count) / count(sample.families);
    out
}
