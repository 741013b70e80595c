//! Buckets and wishes in snapshots as one string of hexadecimal digits: exact, and a third of the bytes of a JSON list.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// Longest list that is read: more than any configuration has.
const MOST: usize = 1_024;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn write(words: impl Iterator<Item = u64>, digits: u32) -> String {
    let nibble = |word: u64, place: u32| char::from(DIGITS[(word >> (4 * place) & 15) as usize]);
    words.flat_map(|word| (0..digits).rev().map(move |place| nibble(word, place))).collect()
}

fn read<'de, D: Deserializer<'de>>(source: D, digits: usize) -> Result<Vec<u64>, D::Error> {
    let text = String::deserialize(source)?;
    let whole = text.len().is_multiple_of(digits) && text.len() <= digits * MOST;
    if !whole || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(D::Error::custom(format!("expected at most {MOST} groups of {digits} hexadecimal digits")));
    }
    let value = |digit: &u8| u64::from(char::from(*digit).to_digit(16).unwrap_or(0));
    let word = |group: &[u8]| group.iter().fold(0, |word, digit| word << 4 | value(digit));
    Ok(text.as_bytes().chunks_exact(digits).map(word).collect())
}

/// Doubles by their bits; one that is not finite is refused.
pub(super) mod numbers {
    use super::{Deserializer, Serializer};
    use serde::de::Error as _;

    pub(in super::super) fn serialize<S: Serializer>(numbers: &[f64], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::write(numbers.iter().map(|number| number.to_bits()), 16))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f64>, D::Error> {
        let numbers: Vec<f64> = super::read(source, 16)?.into_iter().map(f64::from_bits).collect();
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(numbers)
        } else {
            Err(D::Error::custom("a number that is not finite"))
        }
    }
}

/// Pairs of 16 and 32 bits.
pub(super) mod pairs {
    use super::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        pairs: impl Iterator<Item = (u16, u32)>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::write(pairs.map(|(a, b)| u64::from(a) << 32 | u64::from(b)), 12))
    }

    #[expect(clippy::cast_possible_truncation, reason = "cut apart")]
    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<(u16, u32)>, D::Error> {
        let words = super::read(source, 12)?;
        Ok(words.into_iter().map(|word| ((word >> 32) as u16, word as u32)).collect())
    }
}
