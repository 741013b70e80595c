//! The seal of `policy.json`: the key `hash` holds the BLAKE3 hash of the file as it is without these 64 digits.
//!
//! It is taken of the text, not of the values, so that no byte is left out: neither spaces nor the order of keys, nor digits
//! that parse to the same number. The digits must stand in the file exactly once: a second copy would be left out too, and
//! could be put anywhere.

use serde::Deserialize;

use super::card::parse;
use super::{BundleError, POLICY_FILE, hash};

/// The one key that is read before the seal is checked.
#[derive(Deserialize)]
struct Sealed {
    hash: String,
}

/// Checks the seal of a card.
pub(super) fn check(bytes: &[u8]) -> Result<(), BundleError> {
    let Sealed { hash: expected } = parse(POLICY_FILE, bytes)?;
    // What was parsed as JSON is UTF-8 throughout, so that nothing is lost here.
    let text = String::from_utf8_lossy(bytes);
    let found = match text.matches(&expected).count() {
        1 => hash(text.replacen(&expected, "", 1).as_bytes()),
        _ => hash(bytes),
    };
    if found == expected { Ok(()) } else { Err(BundleError::Hash { file: POLICY_FILE, expected, found }) }
}
