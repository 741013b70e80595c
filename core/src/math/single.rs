//! Single-precision functions for features and nets: deterministic, free of branches where it pays, so that loops vectorise.

/// Natural logarithm for positive normal `x`, relative error below 2e-7 away from 1 and absolute error below 1e-7 near it.
///
/// Zero, negative and subnormal input is clamped to the smallest normal number (about −87.3), NaN stays NaN.
#[must_use]
#[inline]
pub fn ln_f32(x: f32) -> f32 {
    if x.is_nan() { x } else { ln_of_bits(x.max(f32::MIN_POSITIVE).to_bits()) }
}

/// Of the bits of a positive normal number.
#[inline]
#[expect(clippy::cast_possible_wrap, clippy::cast_precision_loss, reason = "bits of a float")]
fn ln_of_bits(bits: u32) -> f32 {
    // Split x = 2^e · m with m in [2/3, 4/3): Cephes' reduction.
    let shifted = bits.wrapping_sub(0x3f2a_aaab);
    let exponent = (shifted as i32 >> 23) as f32;
    let f = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f2a_aaab)) - 1.0;
    // atanh series: ln(1+f) = 2 atanh(s), s = f/(2+f), |s| < 0.2.
    let s = f / (2.0 + f);
    let z = s * s;
    let series = s * z * (0.666_666_6 + z * (0.400_000_1 + z * (0.285_714_3 + z * 0.222_222_2)));
    exponent * 9.058_001e-6 + (2.0 * s + series) + exponent * 0.693_138_1
}

/// [`ln_f32`] of each, bit for bit; NaN aside there is no branch, so that lanes are computed side by side.
#[must_use]
#[inline]
pub fn ln_f32_lanes<const LANES: usize>(xs: [f32; LANES]) -> [f32; LANES] {
    let mut lns = [0.0; LANES];
    for (ln, x) in lns.iter_mut().zip(xs) {
        *ln = ln_of_bits(x.max(f32::MIN_POSITIVE).to_bits());
    }
    for (ln, x) in lns.iter_mut().zip(xs) {
        *ln = if x.is_nan() { x } else { *ln };
    }
    lns
}

/// Logistic function, from `libm::expf`.
#[must_use]
pub fn sigmoid_f32(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// Hyperbolic tangent, from libm.
#[must_use]
pub fn tanh_f32(x: f32) -> f32 {
    libm::tanhf(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_the_function_to_the_bit() {
        let mut x = 1e-8_f32;
        while x < 1e9 {
            let xs = [x, -x, 0.0, x + 1.0, f32::NAN, f32::INFINITY, 1e-42, 1.0];
            assert_eq!(ln_f32_lanes(xs).map(f32::to_bits), xs.map(|x| ln_f32(x).to_bits()));
            x *= 1.37;
        }
    }

    #[test]
    fn ln_is_close_to_libm() {
        let mut x = 1e-6_f32;
        while x < 1e7 {
            let exact = libm::log(f64::from(x));
            let error = (f64::from(ln_f32(x)) - exact).abs();
            assert!(error <= 2e-7 * exact.abs().max(0.5), "ln {x}: error {error}");
            x *= 1.001_7;
        }
        assert_eq!(ln_f32(1.0), 0.0);
        assert!(ln_f32(0.0) < -87.0 && ln_f32(-1.0).is_finite());
        assert!(ln_f32(f32::NAN).is_nan());
    }
}
