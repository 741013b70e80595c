//! Buckets and wishes in snapshots as one string of hexadecimal digits: exact, and a third of the bytes of a JSON list.

use crate::hex;

/// Longest list that is read: more than any configuration has.
const MOST: usize = 1_024;

/// Doubles by their bits; one that is not finite is refused.
pub(super) mod numbers {
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(numbers: &[f64], out: S) -> Result<S::Ok, S::Error> {
        super::hex::serialize(numbers.iter().map(|number| number.to_bits()), 16, out)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f64>, D::Error> {
        let numbers: Vec<f64> =
            super::hex::deserialize(source, 16, super::MOST)?.into_iter().map(f64::from_bits).collect();
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(numbers)
        } else {
            Err(D::Error::custom("a number that is not finite"))
        }
    }
}

/// Pairs of 16 and 32 bits.
pub(super) mod pairs {
    use serde::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        pairs: impl Iterator<Item = (u16, u32)>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        super::hex::serialize(pairs.map(|(a, b)| u64::from(a) << 32 | u64::from(b)), 12, out)
    }

    #[expect(clippy::cast_possible_truncation, reason = "cut apart")]
    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<(u16, u32)>, D::Error> {
        let words = super::hex::deserialize(source, 12, super::MOST)?;
        Ok(words.into_iter().map(|word| ((word >> 32) as u16, word as u32)).collect())
    }
}
