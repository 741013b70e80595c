//! The scale-down delay: the greatest wish of the last so many slots of 2 s.
//!
//! After Knative's `max.TimeWindow`: slots are counted from the origin of time, the delay covers ceil(delay / 2 s) of them, and
//! of a slot the greatest wish counts. Kept as a queue of falling wishes, so the answer is its front; it never holds more
//! entries than slots and allocates nothing after creation.

use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hex;
use crate::time::{Span, Timestamp};

/// Length of a slot: the autoscaler's tick.
pub const SLOT: Span = Span::from_secs(2);

/// The window of a delay; see the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayWindow {
    slots: u16,
    /// Oldest first, wishes falling, slots rising.
    wishes: VecDeque<Wish>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    slot: i64,
    pods: i32,
}

impl DelayWindow {
    /// A window of this delay; `None` without one. Delays over 36 hours count as 36 hours.
    #[must_use]
    pub fn new(delay: Span) -> Option<Self> {
        let slots = Self::slots_of(delay);
        (slots > 0).then(|| Self { slots, wishes: VecDeque::with_capacity(usize::from(slots)) })
    }

    /// The slots that a delay covers.
    #[must_use]
    pub(super) fn slots_of(delay: Span) -> u16 {
        let begun = delay.micros().max(0).unsigned_abs().div_ceil(SLOT.micros().unsigned_abs());
        u16::try_from(begun).unwrap_or(u16::MAX)
    }

    /// The slots it covers.
    #[must_use]
    pub const fn slots(&self) -> u16 {
        self.slots
    }

    /// Notes a wish and answers with the greatest of the window. After a clock was set back, later wishes are forgotten.
    pub fn record(&mut self, now: Timestamp, pods: i32) -> i32 {
        let slot = now.micros().div_euclid(SLOT.micros());
        while self.wishes.back().is_some_and(|wish| wish.slot > slot || wish.pods <= pods) {
            self.wishes.pop_back();
        }
        while self.wishes.front().is_some_and(|wish| slot - wish.slot >= i64::from(self.slots)) {
            self.wishes.pop_front();
        }
        if self.wishes.back().is_none_or(|last| last.slot != slot) {
            self.wishes.push_back(Wish { slot, pods });
        }
        self.wishes.front().map_or(pods, |wish| wish.pods)
    }
}

/// As it is stored: wishes by their age in slots.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    slots: u16,
    newest_slot: i64,
    wishes: Ages,
}

struct Ages(Vec<(u16, u32)>);

impl Serialize for Ages {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        hex::pairs::serialize(self.0.iter().copied(), out)
    }
}

impl<'de> Deserialize<'de> for Ages {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        hex::pairs::deserialize(source).map(Self)
    }
}

impl Serialize for DelayWindow {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let newest_slot = self.wishes.back().map_or(0, |wish| wish.slot);
        let age = |wish: &Wish| u16::try_from(newest_slot - wish.slot).unwrap_or(u16::MAX);
        let wishes = self.wishes.iter().map(|wish| (age(wish), wish.pods.cast_unsigned())).collect();
        Stored { slots: self.slots, newest_slot, wishes: Ages(wishes) }.serialize(out)
    }
}

impl<'de> Deserialize<'de> for DelayWindow {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(source)?;
        let Ages(ages) = stored.wishes;
        let falls =
            ages.windows(2).all(|pair| pair[0].0 > pair[1].0 && pair[0].1.cast_signed() > pair[1].1.cast_signed());
        let covered = ages.iter().all(|(age, _)| *age < stored.slots);
        if !falls || !covered {
            return Err(serde::de::Error::custom("wishes of a delay out of order, or older than the delay"));
        }
        let mut wishes = VecDeque::with_capacity(usize::from(stored.slots));
        wishes.extend(ages.iter().map(|(age, pods)| Wish {
            slot: stored.newest_slot.saturating_sub(i64::from(*age)),
            pods: pods.cast_signed(),
        }));
        Ok(Self { slots: stored.slots, wishes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(window: &mut DelayWindow, second: i64, pods: i32) -> i32 {
        window.record(Timestamp::from_secs(second), pods)
    }

    #[test]
    fn holds_the_greatest_wish_for_its_slots() {
        // 5 s are three slots: a wish at 100 s counts at 104 s, not at 106 s.
        let mut window = DelayWindow::new(Span::from_secs(5)).unwrap();
        assert_eq!(window.slots(), 3);
        let steps = [(100, 9, 9), (102, 3, 9), (104, 5, 9), (106, 2, 5), (108, 1, 5), (110, 1, 2), (112, 0, 1)];
        for (second, pods, expected) in steps {
            assert_eq!(ask(&mut window, second, pods), expected, "at {second}");
        }
        assert_eq!(DelayWindow::new(Span::ZERO), None);
    }

    #[test]
    fn of_one_slot_the_greatest_wish_counts() {
        let mut window = DelayWindow::new(Span::from_secs(2)).unwrap();
        assert_eq!([ask(&mut window, 100, 4), ask(&mut window, 101, 2), ask(&mut window, 102, 2)], [4, 4, 2]);
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_what_lies_ahead() {
        let mut window = DelayWindow::new(Span::from_secs(10)).unwrap();
        ask(&mut window, 1_000, 50);
        assert_eq!(ask(&mut window, 900, 7), 7);
        assert_eq!(ask(&mut window, 902, 3), 7);
    }

    #[test]
    fn comes_back_from_a_snapshot_and_refuses_what_is_not_one() {
        let mut window = DelayWindow::new(Span::from_secs(600)).unwrap();
        for i in 0..600 {
            ask(&mut window, 2 * i, 100_000 - i32::try_from(i).unwrap());
        }
        let text = serde_json::to_string(&window).unwrap();
        assert!(text.len() < 3_700, "{} bytes for {} wishes", text.len(), window.wishes.len());
        assert_eq!(serde_json::from_str::<DelayWindow>(&text).unwrap(), window);
        let refused = |wishes: &str| {
            let text = serde_json::json!({ "slots": 4, "newest_slot": 9, "wishes": wishes }).to_string();
            serde_json::from_str::<DelayWindow>(&text).unwrap_err().to_string()
        };
        assert!(refused("000100000002000000000002").contains("out of order"), "not falling");
        assert!(refused("000400000002").contains("older than the delay"));
        assert!(refused("00040000000").contains("hexadecimal digits"));
    }
}
