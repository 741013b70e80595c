//! The two optima of the past, from the slopes of one convex value function.
//!
//! Levels are counted from 0; slope i leads from level i to level i + 1. The state is the value function with changes paid on
//! the way up, after it was clipped for the next step. Invariant: slopes ascend and lie in 0..=β of the last step.

use serde::{Deserialize, Serialize};

/// The slopes; see the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hindsight {
    #[serde(with = "bits")]
    slopes: Vec<f64>,
}

impl Hindsight {
    /// For `changes` steps between levels.
    pub(super) fn with_room(changes: usize) -> Self {
        Self { slopes: vec![0.0; changes] }
    }

    /// Number of steps between levels.
    pub(super) fn levels(&self) -> usize {
        self.slopes.len()
    }

    /// Begins anew at `level`: going up from there costs `beta` a level. Allocates only if the number of levels changed.
    pub(super) fn begin_at(&mut self, level: usize, changes: usize, beta: f64) {
        self.slopes.clear();
        self.slopes.resize(level.min(changes), 0.0);
        self.slopes.resize(changes, beta);
    }

    /// Folds in a slot whose cost has these slopes (ascending) and answers with the least and the greatest level that
    /// hindsight allows.
    pub(super) fn fold(&mut self, slot: &[f64], beta: f64) -> (u32, u32) {
        let (mut lower, mut upper) = (0, 0);
        for (slope, added) in self.slopes.iter_mut().zip(slot) {
            // A shorter lead time than before makes changes cheaper.
            let next = slope.min(beta) + added;
            lower += u32::from(next < 0.0);
            upper += u32::from(next <= beta);
            *slope = next.clamp(0.0, beta);
        }
        (lower, upper)
    }
}

/// Doubles by their bits, as one string of hexadecimal digits: exact, and shorter than a list of numbers.
mod bits {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    const DIGITS: usize = 16;
    const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

    pub(super) fn serialize<S: Serializer>(slopes: &[f64], out: S) -> Result<S::Ok, S::Error> {
        let digits = |bits: u64| (0..16).rev().map(move |place| HEXADECIMAL[(bits >> (4 * place) & 15) as usize]);
        let text: String = slopes.iter().flat_map(|slope| digits(slope.to_bits())).map(char::from).collect();
        out.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f64>, D::Error> {
        let text = String::deserialize(source)?;
        if text.len() % DIGITS != 0 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(D::Error::custom("expected a multiple of 16 hexadecimal digits"));
        }
        let slopes: Vec<f64> = (0..text.len() / DIGITS)
            .map(|i| u64::from_str_radix(&text[DIGITS * i..DIGITS * (i + 1)], 16).map(f64::from_bits))
            .collect::<Result<_, _>>()
            .map_err(D::Error::custom)?;
        let ascends = slopes.windows(2).all(|pair| pair[0] <= pair[1]);
        if ascends && slopes.iter().all(|slope| slope.is_finite() && *slope >= 0.0) {
            Ok(slopes)
        } else {
            Err(D::Error::custom("expected slopes that ascend from 0"))
        }
    }
}
