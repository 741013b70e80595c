//! The last scrapes of each target, in one block of memory: writing a scrape allocates nothing, and a clone is a flat copy.
//!
//! A row without content is Prometheus' staleness marker, written where a scrape fails and where a target ends. A second one right
//! after the first says nothing new and is left out, so that between two scrapes that succeed there is at most one: this bounds
//! what a ring must hold.

use seatrial_core::time::Timestamp;

/// What a scrape left behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row<T> {
    pub(super) at: Timestamp,
    /// `None` is a staleness marker.
    pub(super) found: Option<T>,
}

/// Rings of equal capacity.
#[derive(Clone, Debug)]
pub(super) struct Rings<T> {
    capacity: usize,
    heads: Vec<Head>,
    rows: Vec<Row<T>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// Place of the oldest row.
    first: usize,
    len: usize,
}

impl<T: Copy> Rings<T> {
    /// Rings for `scrapes` each, and as many markers between them.
    pub(super) const fn new(scrapes: usize) -> Self {
        Self { capacity: 2 * scrapes, heads: Vec::new(), rows: Vec::new() }
    }

    /// Another ring, empty; its number.
    pub(super) fn add(&mut self) -> usize {
        let blank = Row { at: Timestamp::ZERO, found: None };
        self.rows.resize(self.rows.len() + self.capacity, blank);
        self.heads.push(Head::default());
        self.heads.len() - 1
    }

    pub(super) fn clear(&mut self, ring: usize) {
        self.heads[ring] = Head::default();
    }

    /// Adds the youngest row of a ring; where there is no room the oldest goes.
    pub(super) fn push(&mut self, ring: usize, row: Row<T>) {
        if row.found.is_none() && self.backwards(ring).next().is_none_or(|last| last.found.is_none()) {
            return;
        }
        let capacity = self.capacity;
        let head = &mut self.heads[ring];
        let place = (head.first + head.len) % capacity;
        if head.len < capacity {
            head.len += 1;
        } else {
            head.first = (head.first + 1) % capacity;
        }
        self.rows[ring * capacity + place] = row;
    }

    /// The rows of a ring, youngest first.
    pub(super) fn backwards(&self, ring: usize) -> impl Iterator<Item = &Row<T>> {
        let Head { first, len } = self.heads[ring];
        let rows = &self.rows[ring * self.capacity..(ring + 1) * self.capacity];
        let (young, old) = rows.split_at(first);
        let in_old = len.min(old.len());
        young[..len - in_old].iter().rev().chain(old[..in_old].iter().rev())
    }

    /// The rows of a ring up to `at`, youngest first.
    pub(super) fn seen(&self, ring: usize, at: Timestamp) -> impl Iterator<Item = &Row<T>> {
        self.backwards(ring).skip_while(move |row| row.at > at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(second: i64, found: Option<u32>) -> Row<u32> {
        Row { at: Timestamp::from_secs(second), found }
    }

    #[test]
    fn markers_are_not_repeated_and_begin_nothing() {
        let mut rings = Rings::new(2);
        let ring = rings.add();
        for (second, found) in [(1, None), (2, Some(7)), (3, None), (4, None), (5, Some(8))] {
            rings.push(ring, row(second, found));
        }
        let kept: Vec<_> = rings.backwards(ring).copied().collect();
        assert_eq!(kept, [row(5, Some(8)), row(3, None), row(2, Some(7))]);
        assert_eq!(rings.seen(ring, Timestamp::from_secs(4)).next(), Some(&row(3, None)));
        rings.clear(ring);
        assert_eq!(rings.backwards(ring).count(), 0);
    }

    proptest! {
        /// Two rings side by side hold the youngest rows of their own, whatever comes in which order.
        #[test]
        fn a_ring_holds_the_youngest_rows(
            scrapes in 1_usize..6,
            pushes in prop::collection::vec((0_usize..2, any::<u32>()), 0..80),
        ) {
            let mut rings = Rings::new(scrapes);
            let numbers = [rings.add(), rings.add()];
            let mut all = [Vec::new(), Vec::new()];
            for (second, (which, value)) in (0..).zip(pushes) {
                rings.push(numbers[which], row(second, Some(value)));
                all[which].push(row(second, Some(value)));
            }
            for (ring, all) in numbers.into_iter().zip(all) {
                let kept: Vec<_> = rings.backwards(ring).copied().collect();
                let expected: Vec<_> = all.into_iter().rev().take(2 * scrapes).collect();
                prop_assert_eq!(kept, expected);
            }
        }
    }
}
