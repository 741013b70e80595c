//! Content addresses: BLAKE3 over canonical JSON (keys in the order of the types) or raw bytes, as lower-case hex.

use serde::Serialize;

/// Hash of bytes.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Hash of the JSON of a value. Values of this crate have no maps of random order, so equal values have equal hashes.
#[must_use]
pub fn of_json<T: Serialize>(value: &T) -> String {
    // Plain data always serialises; an empty text would still be an address, only a useless one.
    of_bytes(serde_json::to_string(value).unwrap_or_default().as_bytes())
}

/// The first 16 digits, for people.
#[must_use]
pub fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}
