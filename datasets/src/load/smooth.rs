//! The causal exponential mean of protocol P1. Never a centred mean: its echo, k bins later, can be learnt.

/// Windows are tried up to this many bins (a day of minutes); a series that is still too noisy is refused.
const LONGEST_WINDOW: u32 = 1_441;

/// The windows to try, ascending: 1 (none), then every odd number.
pub(super) fn windows(bins: usize) -> impl Iterator<Item = u32> {
    (1..=LONGEST_WINDOW).step_by(2).take_while(move |window| *window == 1 || *window as usize <= bins)
}

/// y ← y + 2/(k+1) · (x − y), begun at the first known bin; missing bins hold the mean and do not move it.
pub(super) fn causal_mean(rates: &[f64], missing: &[bool], window: u32) -> Vec<f64> {
    let weight = 2.0 / (f64::from(window) + 1.0);
    let mut mean: Option<f64> = None;
    let next = |(rate, missing): (&f64, &bool)| {
        if !missing {
            mean = Some(mean.map_or(*rate, |mean| mean + weight * (rate - mean)));
        }
        mean.unwrap_or(0.0)
    };
    rates.iter().zip(missing).map(next).collect()
}
