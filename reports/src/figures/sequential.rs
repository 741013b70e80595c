//! Colours of quantities: viridis backwards, so that little is light and much is dark on white paper.
//!
//! Perceptually uniform and readable with any colour vision (Smith & van der Walt, matplotlib 1.5; values of `matplotlib.cm.viridis`).

use super::scene::Rgb;

/// From much to little.
const ANCHORS: [Rgb; 11] = [
    (0x44, 0x01, 0x54),
    (0x48, 0x24, 0x75),
    (0x41, 0x44, 0x87),
    (0x35, 0x5f, 0x8d),
    (0x2a, 0x78, 0x8e),
    (0x21, 0x91, 0x8c),
    (0x22, 0xa8, 0x84),
    (0x44, 0xbf, 0x70),
    (0x7a, 0xd1, 0x51),
    (0xbd, 0xdf, 0x26),
    (0xfd, 0xe7, 0x25),
];

/// The colour of a share from 0, little, to 1, much.
pub(crate) fn quantity(share: f64) -> Rgb {
    let place = (1.0 - share.clamp(0.0, 1.0)) * crate::stats::count(ANCHORS.len() - 1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10")]
    let below = (place.floor() as usize).min(ANCHORS.len() - 2);
    let part = place - crate::stats::count(below);
    let (a, b) = (ANCHORS[below], ANCHORS[below + 1]);
    let mix = |a: u8, b: u8| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
        let mixed = (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
        mixed
    };
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE lightness L*.
    fn lightness((r, g, b): Rgb) -> f64 {
        let channel = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        let y = 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
        116.0 * y.cbrt() - 16.0
    }

    /// More is darker, by about as much at every step.
    #[test]
    fn lightness_falls_evenly() {
        let steps: Vec<f64> = (0..=16).map(|k| lightness(quantity(f64::from(k) / 16.0))).collect();
        let falls: Vec<f64> = steps.windows(2).map(|pair| pair[0] - pair[1]).collect();
        assert!(falls.iter().all(|fall| (2.5..8.0).contains(fall)), "{falls:?}");
        assert_eq!((quantity(-1.0), quantity(2.0)), (ANCHORS[10], ANCHORS[0]));
    }
}
