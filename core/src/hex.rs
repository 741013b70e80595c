//! Lists of whole numbers in snapshots as one string of hexadecimal digits: exact, and a third of the bytes of a JSON list.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes each word with so many digits.
pub(crate) fn serialize<S: Serializer>(
    words: impl Iterator<Item = u64>,
    digits: u32,
    out: S,
) -> Result<S::Ok, S::Error> {
    let nibble = |word: u64, place: u32| char::from(DIGITS[(word >> (4 * place) & 15) as usize]);
    let text: String = words.flat_map(|word| (0..digits).rev().map(move |place| nibble(word, place))).collect();
    out.serialize_str(&text)
}

/// Reads words of so many digits, at most `most` of them: a longer list cannot be of ours and is refused.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    source: D,
    digits: usize,
    most: usize,
) -> Result<Vec<u64>, D::Error> {
    let text = String::deserialize(source)?;
    let whole = text.len().is_multiple_of(digits) && text.len() <= digits * most;
    if !whole || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(D::Error::custom(format!("expected at most {most} groups of {digits} hexadecimal digits")));
    }
    let value = |digit: &u8| u64::from(char::from(*digit).to_digit(16).unwrap_or(0));
    let word = |group: &[u8]| group.iter().fold(0, |word, digit| word << 4 | value(digit));
    Ok(text.as_bytes().chunks_exact(digits).map(word).collect())
}
