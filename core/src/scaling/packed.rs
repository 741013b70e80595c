//! Lists of numbers in snapshots as one string of hexadecimal digits: exact, and a third of the bytes of a JSON list.
//!
//! For `#[serde(with = …)]` on the fields of states. A list longer than [`MOST`] cannot be of ours and is refused.

use crate::hex;

/// Longest list that is read.
const MOST: usize = 4_096;

/// Whole numbers of 16 bits.
pub(super) mod words {
    use serde::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(words: &[u16], out: S) -> Result<S::Ok, S::Error> {
        super::hex::serialize(words.iter().map(|word| u64::from(*word)), 4, out)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<u16>, D::Error> {
        Ok(super::hex::deserialize(source, 4, super::MOST)?.into_iter().map(|word| (word & 0xffff) as u16).collect())
    }
}

/// Single-precision numbers by their bits; one that is not finite is refused.
pub(super) mod singles {
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(numbers: &[f32], out: S) -> Result<S::Ok, S::Error> {
        super::hex::serialize(numbers.iter().map(|number| u64::from(number.to_bits())), 8, out)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f32>, D::Error> {
        let numbers: Vec<f32> = super::hex::deserialize(source, 8, super::MOST)?
            .into_iter()
            .map(|bits| f32::from_bits(bits as u32))
            .collect();
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
