//! One colour per strategy, the same in every figure. Base: Okabe & Ito's colour-blind-safe set, then Tol's muted set for the
//! attribution rows; directly labelled everywhere, so that colour never carries a meaning alone.

use super::scene::Rgb;

const FIXED: &[(&str, Rgb)] = &[
    ("forecast-max", (0xcc, 0x79, 0xa7)),
    ("headroom", (0xe6, 0x9f, 0x00)),
    ("headroom-constant", (0x99, 0x8a, 0x20)),
    ("headroom-tuned", (0x80, 0x60, 0xd0)),
    ("hpa-default", (0x77, 0x77, 0x77)),
    ("hpa-global", (0x56, 0xb4, 0xe9)),
    ("hpa-tuned", (0x00, 0x72, 0xb2)),
    ("keda-tuned", (0xf2, 0x00, 0x51)),
    ("kpa-tuned", (0xf2, 0x00, 0xf2)),
    ("lazy-capacity-tuned", (0x00, 0x00, 0x80)),
    ("linear-quantile", (0x2b, 0x8c, 0x7e)),
    ("lstm", (0x33, 0x22, 0x88)),
    ("lstm-dqn", (0xd5, 0x5e, 0x00)),
    ("lstm-dqn-no-floor", (0x66, 0x11, 0x00)),
    ("lstm-dqn-persistence", (0xcc, 0x66, 0x77)),
    ("lstm-dqn-random", (0xaa, 0x44, 0x99)),
    ("lstm-dqn-untrained", (0x88, 0x22, 0x55)),
    ("mixture-tuned", (0x28, 0x00, 0xf2)),
    ("mpc-tuned", (0x12, 0x59, 0x2a)),
    ("newsvendor-global", (0x5a, 0x9a, 0x1a)),
    ("newsvendor-tuned", (0x00, 0x9e, 0x73)),
    ("oracle", (0x00, 0x00, 0x00)),
    ("persistence", (0x77, 0x77, 0x77)),
    ("predictive-hpa-tuned", (0x88, 0x00, 0xcc)),
    ("rules-origin", (0x30, 0x51, 0xf2)),
    ("seasonal-naive", (0xb0, 0x80, 0x10)),
    ("seasonal-tuned", (0x00, 0xa6, 0x00)),
    ("static", (0x8c, 0x6d, 0x31)),
    ("static-tuned", (0xcc, 0x00, 0x00)),
];

/// Colours of ids that have none of their own.
const OTHERS: [Rgb; 6] = [
    (0x11, 0x77, 0x33),
    (0x33, 0x22, 0x88),
    (0xcc, 0x66, 0x77),
    (0x44, 0xaa, 0x99),
    (0x99, 0x99, 0x33),
    (0x88, 0x22, 0x55),
];

/// The colour of a strategy or forecaster: a function of its id alone.
pub(crate) fn color(id: &str) -> Rgb {
    let fixed = FIXED.binary_search_by_key(&id, |(known, _)| known).ok().map(|at| FIXED[at].1);
    fixed.unwrap_or_else(|| {
        let sum: usize = id.bytes().enumerate().map(|(i, byte)| (i + 1) * usize::from(byte)).sum();
        OTHERS[sum % OTHERS.len()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_unknown_ids_keep_their_colour() {
        assert!(FIXED.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(color("lstm-dqn"), (0xd5, 0x5e, 0x00));
        assert_eq!(color("a-new-one"), color("a-new-one"));
    }

    /// Of strategies that stand in one figure no two look alike; a forecaster may share a colour with a strategy.
    #[test]
    fn strategies_are_told_apart() {
        let forecasters = ["linear-quantile", "lstm", "persistence", "seasonal-naive"];
        let strategies: Vec<_> = FIXED.iter().filter(|(id, _)| !forecasters.contains(id)).collect();
        let apart = |a: Rgb, b: Rgb| {
            let square = |x: u8, y: u8| (f64::from(x) - f64::from(y)).powi(2);
            (square(a.0, b.0) + square(a.1, b.1) + square(a.2, b.2)).sqrt()
        };
        for (i, (id, color)) in strategies.iter().enumerate() {
            for (other, second) in &strategies[i + 1..] {
                assert!(apart(*color, *second) > 30.0, "{id} and {other}: {}", apart(*color, *second));
            }
        }
    }

    /// WCAG's contrast of graphical objects against white is 3:1; the two palest of Okabe & Ito's colours are held to 1.9.
    #[test]
    fn every_colour_stands_out_from_white() {
        let channel = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        for (id, (r, g, b)) in FIXED {
            let luminance = 0.2126 * channel(*r) + 0.7152 * channel(*g) + 0.0722 * channel(*b);
            let contrast = 1.05 / (luminance + 0.05);
            assert!(contrast > if ["headroom", "hpa-global"].contains(id) { 1.9 } else { 2.9 }, "{id}: {contrast:.2}");
        }
    }
}
