//! A time window over whole numbers in a state of fixed size.
//!
//! Entries are (latest moment, value), oldest first. Moments that fall into the same fourteenth of the window share an entry,
//! which stays as long as its latest moment: exact while decisions are at least that far apart, otherwise it remembers longer
//! by less than that, never shorter.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

const SLOTS: usize = 16;
/// A window of 14 buckets touches at most 15 of them.
const BUCKETS: i64 = 14;

/// The window; see the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::scaling) struct Window {
    entries: [Entry; SLOTS],
    length: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: Timestamp,
    value: u32,
}

impl Window {
    pub(in crate::scaling) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The value of the oldest entry: the greatest, or the first, of the window, by how values were pushed.
    #[inline]
    pub(in crate::scaling) fn first(&self) -> Option<u32> {
        self.live().first().map(|entry| entry.value)
    }

    /// Notes `value`, forgetting what is as old as `window` and what no longer can be the greatest.
    #[inline]
    pub(in crate::scaling) fn push_keeping_greatest(&mut self, now: Timestamp, value: u32, window: Span) {
        self.forget(now, window);
        let smaller = self.live().iter().rev().take_while(|entry| entry.value <= value).count();
        self.truncate(self.live().len() - smaller);
        self.append(now, value, window);
    }

    /// Notes `value`, forgetting what is as old as `window`; of a bucket the first value stays.
    #[inline]
    pub(in crate::scaling) fn push_keeping_first(&mut self, now: Timestamp, value: u32, window: Span) {
        self.forget(now, window);
        self.append(now, value, window);
    }

    #[inline]
    fn live(&self) -> &[Entry] {
        &self.entries[..usize::from(self.length).min(SLOTS)]
    }

    #[inline]
    fn truncate(&mut self, length: usize) {
        self.length = u8::try_from(length).unwrap_or(0);
    }

    #[inline]
    fn append(&mut self, now: Timestamp, value: u32, window: Span) {
        let length = self.live().len();
        let width = window / BUCKETS;
        // The first test is implied by the second and spares its divisions in the common case.
        let shares = self
            .live()
            .last()
            .is_some_and(|last| now.since(last.at) <= width && last.at.floor_to(width) == now.floor_to(width));
        if let Some(last) = self.entries[..length].last_mut().filter(|_| shares || length == SLOTS) {
            last.at = now;
        } else {
            self.entries[length] = Entry { at: now, value };
            self.truncate(length + 1);
        }
    }

    /// Drops entries as old as `window`, and (a clock that was set back) those from after `now`.
    #[inline]
    fn forget(&mut self, now: Timestamp, window: Span) {
        let live = self.live();
        let old = live.iter().take_while(|entry| now.since(entry.at) >= window).count();
        let later = live[old..].iter().rev().take_while(|entry| entry.at > now).count();
        let kept = live.len() - old - later;
        if old > 0 {
            self.entries.copy_within(old..old + kept, 0);
        }
        self.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn remembers_the_greatest_until_it_is_as_old_as_the_window() {
        let (mut window, span) = (Window::default(), Span::from_secs(60));
        for (second, value, greatest) in [(0, 5, 5), (15, 9, 9), (30, 3, 9), (74, 2, 9), (75, 2, 3), (90, 1, 2)] {
            window.push_keeping_greatest(at(second), value, span);
            assert_eq!(window.first(), Some(greatest), "at {second}");
        }
    }

    #[test]
    fn remembers_the_first_value_of_the_period() {
        let (mut window, span) = (Window::default(), Span::from_secs(30));
        for (second, value, first) in [(0, 5, 5), (15, 9, 5), (30, 12, 9), (45, 20, 12), (200, 1, 1)] {
            window.push_keeping_first(at(second), value, span);
            assert_eq!(window.first(), Some(first), "at {second}");
        }
    }

    /// Against a plain list: never forgets too early, and too late by less than a bucket.
    #[test]
    fn with_dense_pushes_it_errs_on_the_long_side_by_less_than_a_bucket() {
        let (mut window, span, mut all) = (Window::default(), Span::from_secs(140), Vec::new());
        for second in 0..2_000_i64 {
            let value = u32::try_from((second * 7_919) % 501).unwrap();
            all.push(value);
            window.push_keeping_greatest(at(second), value, span);
            let greatest =
                |seconds: i64| *all[usize::try_from((second - seconds + 1).max(0)).unwrap()..].iter().max().unwrap();
            let got = window.first().unwrap();
            assert!(got >= greatest(140) && got <= greatest(151), "at {second}: {got}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_the_future() {
        let (mut window, span) = (Window::default(), Span::from_secs(60));
        window.push_keeping_greatest(at(100), 50, span);
        window.push_keeping_greatest(at(10), 3, span);
        assert_eq!(window.first(), Some(3));
    }
}
