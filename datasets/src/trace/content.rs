//! The content hash: BLAKE3 over what a trace says, not over how its file is encoded.
//!
//! Canonical form: kind, unit, then per series in order of name: name, grid, count, value bits (little endian) and missing
//! flags, or the moments of events. Texts are length-prefixed. Id and provenance do not count: a renamed copy is the same.

use super::{EventSeries, Series, Trace};

impl Trace {
    /// Sorts series by name and sets [`Trace::content_hash`]; call it after building a trace by hand.
    #[must_use]
    pub fn rehash(mut self) -> Self {
        self.series.sort_by(|a, b| a.name.cmp(&b.name));
        self.events.sort_by(|a, b| a.name.cmp(&b.name));
        self.content_hash = self.hash();
        self
    }

    fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        text(&mut hasher, "seatrial trace 1");
        text(&mut hasher, self.kind.word());
        text(&mut hasher, &self.unit);
        self.series.iter().for_each(|series| gridded(&mut hasher, series));
        self.events.iter().for_each(|series| events(&mut hasher, series));
        hasher.finalize().to_hex().to_string()
    }
}

fn gridded(hasher: &mut blake3::Hasher, series: &Series) {
    text(hasher, &series.name);
    hasher.update(&series.start.micros().to_le_bytes());
    hasher.update(&series.interval.micros().to_le_bytes());
    count(hasher, series.values.len());
    for (value, missing) in series.values.iter().zip(&series.missing) {
        // Adding zero makes -0.0 the same as 0.0.
        hasher.update(&(value + 0.0).to_bits().to_le_bytes());
        hasher.update(&[u8::from(*missing)]);
    }
}

fn events(hasher: &mut blake3::Hasher, series: &EventSeries) {
    text(hasher, &series.name);
    count(hasher, series.at.len());
    for at in &series.at {
        hasher.update(&at.micros().to_le_bytes());
    }
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    count(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn count(hasher: &mut blake3::Hasher, count: usize) {
    hasher.update(&(count as u64).to_le_bytes());
}
