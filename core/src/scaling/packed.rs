//! Lists of numbers in snapshots as one string of hexadecimal digits: exact, and a third of the bytes of a JSON list.
//!
//! For `#[serde(with = …)]` on the fields of states. A list longer than [`MOST`] cannot be of ours and is refused.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// Longest list that is read.
const MOST: usize = 4_096;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn write(words: impl Iterator<Item = u32>, digits: u32) -> String {
    let nibble = |word: u32, place: u32| char::from(DIGITS[(word >> (4 * place) & 15) as usize]);
    words.flat_map(|word| (0..digits).rev().map(move |place| nibble(word, place))).collect()
}

fn read<'de, D: Deserializer<'de>>(source: D, digits: usize) -> Result<Vec<u32>, D::Error> {
    let text = String::deserialize(source)?;
    let whole = text.len().is_multiple_of(digits) && text.len() <= digits * MOST;
    if !whole || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(D::Error::custom(format!("expected groups of {digits} hexadecimal digits")));
    }
    let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0);
    let word = |group: &[u8]| group.iter().fold(0, |word, digit| word << 4 | value(digit));
    Ok(text.as_bytes().chunks_exact(digits).map(word).collect())
}

/// Whole numbers of 16 bits.
pub(super) mod words {
    use super::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(words: &[u16], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::write(words.iter().map(|word| u32::from(*word)), 4))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<u16>, D::Error> {
        Ok(super::read(source, 4)?.into_iter().map(|word| (word & 0xffff) as u16).collect())
    }
}

/// Single-precision numbers by their bits; one that is not finite is refused.
pub(super) mod singles {
    use super::{Deserializer, Serializer};
    use serde::de::Error as _;

    pub(in super::super) fn serialize<S: Serializer>(numbers: &[f32], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::write(numbers.iter().map(|number| number.to_bits()), 8))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f32>, D::Error> {
        let numbers: Vec<f32> = super::read(source, 8)?.into_iter().map(f32::from_bits).collect();
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(numbers)
        } else {
            Err(D::Error::custom("a number that is not finite"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lists {
        #[serde(with = "super::words")]
        words: Vec<u16>,
        #[serde(with = "super::singles")]
        singles: Vec<f32>,
    }

    #[test]
    fn comes_back_exactly() {
        let lists = Lists { words: vec![0, 1, 0xabcd, u16::MAX], singles: vec![-0.1, 1e-30, 0.0] };
        let text = serde_json::to_string(&lists).unwrap();
        assert!(text.starts_with(r#"{"words":"00000001abcdffff","singles":"bdcccccd"#), "{text}");
        assert_eq!(serde_json::from_str::<Lists>(&text).unwrap(), lists);
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        let refused = |words: &str, singles: &str| {
            let text = serde_json::json!({ "words": words, "singles": singles }).to_string();
            serde_json::from_str::<Lists>(&text).unwrap_err().to_string()
        };
        assert!(refused("00000", "").contains("groups of 4 hexadecimal digits"));
        assert!(refused("000g", "").contains("groups of 4 hexadecimal digits"));
        assert!(refused(&"0000".repeat(4_097), "").contains("groups of 4"));
        assert!(refused("", "7f800000").contains("not finite"));
    }
}
