//! A pending event with its place in the one total order: time, then insertion.

use core::cmp::Ordering;

use seatrial_core::time::Timestamp;

/// A pending event. Entries compare by urgency: the *earlier* is the *greater*, so that a max-heap yields the next
/// event and a sorted vector holds it at its end, where taking it is cheap. The event itself takes no part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<E> {
    pub(super) at: Timestamp,
    /// Number of the push; unique in a queue, so no two entries are equal.
    pub(super) sequence: u64,
    pub(super) event: E,
}

impl<E> Entry<E> {
    const fn key(&self) -> (i64, u64) {
        (self.at.micros(), self.sequence)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}
