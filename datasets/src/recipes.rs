//! Recipes of generated traces that are shipped: the file in `traces/` is rebuilt from here, and a test compares the hashes.
//!
//! To write it again: `cargo run -p seatrial-datasets --example write_generated -- datasets/traces`.

use seatrial_core::time::Timestamp;

use crate::Trace;
use crate::generate::{Component, Noise, Recipe};

/// Ids of generated traces.
pub const IDS: &[&str] = &["generated_web_1min"];

/// The generated trace called `id`.
#[must_use]
pub fn build(id: &str) -> Option<Trace> {
    IDS.contains(&id).then(|| generated_web_1min().build())
}

/// Four weeks of a web service from Wednesday 2025-01-01, in minutes.
///
/// A day with a broad hump in the afternoon and a lesser one in the evening, a quieter weekend, growth by a tenth, and two
/// flash crowds: one on day 8 (training), one in the afternoon of day 27 (the last of the test part). The crowds have the
/// profile of protocol P1's flash regime (2 min up, 10 min held, halving every 10), so that a policy that has learnt from the
/// first can be asked about the second. The length makes validation lie on working days. The noise, 1 % from minute to minute
/// on top of Poisson, gives 3.7 by P1's noise statistic: the median of the native recorded traces is 5, worldcup98 has 13.6.
#[must_use]
pub fn generated_web_1min() -> Recipe {
    let midnight = |day: i64| Timestamp::from_secs(1_735_689_600 + 86_400 * day);
    let flash =
        |start, factor| Component::FlashCrowd { start, factor, rise_s: 120.0, hold_s: 600.0, half_life_s: 600.0 };
    let hours = |hour: i64, minute: i64| seatrial_core::time::Span::from_secs(3_600 * hour + 60 * minute);
    let mut recipe = Recipe::constant(midnight(0), 60, 28 * 1_440, 600.0)
        .with(Component::Ramp { from: 0.95, to: 1.05 })
        .with(Component::diurnal(0.6, 16.0))
        .with(Component::Season { period_h: 12.0, amplitude: 0.2, peak_h: 9.0 })
        .with(Component::Weekly { factors: [1.05, 1.1, 1.1, 1.08, 1.0, 0.75, 0.7] })
        .with(flash(midnight(8) + hours(10, 20), 3.0))
        .with(flash(midnight(27) + hours(14, 5), 2.5))
        .with_noise(Noise { deviation: 0.03, autocorrelation: 0.945 }, 20_250_101);
    recipe.id = "generated_web_1min".to_owned();
    recipe
}
