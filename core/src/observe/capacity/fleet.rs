//! The fewest pods that were ready in each of the last slots: metrics of a slot come late, its pods must still be known.
//!
//! Between two looks there were at least as many as the fewer of both. A slot that was not watched from its beginning to its
//! end counts as none: whoever asks learns less, never something wrong. Allocates nothing, remembers [`SLOTS`] slots.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Slots that are remembered: metrics of P1's slots may be 225 s old.
const SLOTS: u8 = 16;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FewestReady {
    /// By slot, a ring; 0 is none or not known.
    fewest: [u16; SLOTS as usize],
    /// Place of the slot in progress.
    open: u8,
    /// Its end.
    open_until: Timestamp,
    /// The last look and what it showed.
    seen_at: Option<Timestamp>,
    ready: u16,
}

impl FewestReady {
    pub(super) const fn new() -> Self {
        Self { fewest: [0; SLOTS as usize], open: 0, open_until: Timestamp::ZERO, seen_at: None, ready: 0 }
    }

    /// Notes that `ready` pods were ready at `now`; slots are `slot` long, which is positive.
    #[inline]
    pub(super) fn note(&mut self, now: Timestamp, ready: u32, slot: Span) {
        let ready = u16::try_from(ready).unwrap_or(u16::MAX);
        match self.seen_at {
            Some(seen_at) if seen_at <= now && now.since(seen_at) < slot * i64::from(SLOTS) => {
                self.fill(seen_at, now, self.ready.min(ready), slot);
            }
            // The first look, or after a pause of which nothing is known, or a clock that was put back.
            _ => {
                let open_until = (now + slot - Span::from_micros(1)).floor_to(slot);
                *self = Self { open_until, ..Self::new() };
            }
        }
        self.seen_at = Some(now);
        self.ready = ready;
    }

    #[inline]
    fn fill(&mut self, from: Timestamp, to: Timestamp, fewest: u16, slot: Span) {
        if from < self.open_until && from < to {
            let open = self.place(0);
            self.fewest[open] = self.fewest[open].min(fewest);
        }
        // Fewer rounds than slots are due: `note` starts anew after a longer time.
        for _ in 0..=SLOTS {
            if self.open_until >= to {
                break;
            }
            self.open = (self.open + 1) % SLOTS;
            self.open_until += slot;
            let open = self.place(0);
            self.fewest[open] = fewest;
        }
    }

    /// The fewest pods that were ready from `end` − `slot` to `end`; 0 if there were none or it is not known.
    #[inline]
    pub(super) fn in_slot(&self, end: Timestamp, slot: Span) -> u16 {
        if self.seen_at.is_none_or(|seen_at| end > seen_at) {
            return 0;
        }
        let begin = end - slot;
        let (mut fewest, mut until) = (u16::MAX, self.open_until);
        for back in 0..SLOTS {
            let since = until - slot;
            if since < end {
                fewest = fewest.min(self.fewest[self.place(back)]);
            }
            if since <= begin {
                return fewest;
            }
            until = since;
        }
        0
    }

    /// Place of the slot that lies `back` slots before the open one.
    fn place(&self, back: u8) -> usize {
        usize::from(self.open.wrapping_sub(back) % SLOTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SLOT: Span = Span::from_secs(15);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn noted(looks: &[(i64, u32)]) -> FewestReady {
        let mut fleet = FewestReady::new();
        for (seconds, ready) in looks {
            fleet.note(at(*seconds), *ready, SLOT);
        }
        fleet
    }

    #[test]
    fn a_slot_has_the_fewest_of_its_looks() {
        let fleet = noted(&[(0, 5), (15, 8), (20, 3), (30, 9), (45, 9)]);
        let slots = [15, 30, 45, 60].map(|end| fleet.in_slot(at(end), SLOT));
        assert_eq!(slots, [5, 3, 9, 0], "the last one is not over");
        assert_eq!(fleet.in_slot(at(44), SLOT), 3, "a window across two slots");
        assert_eq!(fleet.in_slot(at(0), SLOT), 0, "before the first look");
    }

    #[test]
    fn looks_far_apart_stand_for_the_slots_between() {
        let fleet = noted(&[(0, 5), (60, 7), (120, 6)]);
        assert_eq!([15, 60, 75, 120].map(|end| fleet.in_slot(at(end), SLOT)), [5, 5, 6, 6]);
        let paused = noted(&[(0, 5), (15, 5), (15 + 240, 5), (270, 4)]);
        assert_eq!([15, 120, 255, 270].map(|end| paused.in_slot(at(end), SLOT)), [0, 0, 0, 4]);
        assert_eq!(noted(&[(30, 5), (45, 5), (0, 5)]).in_slot(at(45), SLOT), 0, "a clock that was put back");
    }

    #[test]
    fn a_slot_that_was_begun_unseen_is_not_known() {
        let fleet = noted(&[(7, 5), (15, 5), (30, 5)]);
        assert_eq!([15, 30].map(|end| fleet.in_slot(at(end), SLOT)), [0, 5]);
    }

    proptest! {
        /// Against all looks kept in a list: the least of each pair of neighbours that reaches into the window.
        #[test]
        fn equals_a_list_of_all_looks(
            gaps in proptest::collection::vec((1_i64..40, 0_u32..9), 2..60), back in 0_i64..300,
        ) {
            let mut now = 0;
            let looks: Vec<(i64, u32)> = gaps.into_iter().map(|(gap, ready)| { now += gap; (now, ready) }).collect();
            let end = (now - back).div_euclid(15) * 15;
            let watched = looks[0].0 <= end - 15 && end <= now;
            let covering = looks.windows(2).filter(|pair| pair[0].0 < end && pair[1].0 > end - 15);
            let expected = covering.map(|pair| pair[0].1.min(pair[1].1)).min().filter(|_| watched).unwrap_or(0);
            let kept = now.div_euclid(15) * 15 - end <= 14 * 15;
            let got = noted(&looks).in_slot(at(end), SLOT);
            prop_assert_eq!(u32::from(got), if kept { expected } else { u32::from(got).min(expected) });
        }

        #[test]
        fn is_total(
            looks in proptest::collection::vec((any::<i64>(), any::<u32>()), 0..20), end: i64, slot in 1..i64::MAX,
        ) {
            let mut fleet = FewestReady::new();
            for (now, ready) in looks {
                fleet.note(Timestamp::from_micros(now), ready, Span::from_micros(slot));
            }
            fleet.in_slot(Timestamp::from_micros(end), Span::from_micros(slot));
        }
    }
}
