//! Range queries: moments on a grid, cut into pieces that Prometheus accepts, and answers laid back onto the grid.

use seatrial_core::time::{Span, Timestamp};

use super::answer::Point;

/// Most points of one series that Prometheus returns to one range query.
pub const MOST_POINTS: usize = 11_000;

/// A moment from seconds since 1970 as Prometheus prints them: the nearest microsecond (exact for its milliseconds).
#[must_use]
pub fn parse_seconds(seconds: f64) -> Timestamp {
    Timestamp::ZERO + Span::from_secs_f64(seconds)
}

/// Seconds since 1970 as Prometheus takes them, to the millisecond (its own resolution), rounded down.
#[must_use]
pub fn format_seconds(at: Timestamp) -> String {
    let millis = at.micros().div_euclid(1_000);
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", millis.unsigned_abs() / 1_000, millis.unsigned_abs() % 1_000)
}

/// The moments `first`, `first + step`, … of a range query, all of whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first moment.
    pub first: Timestamp,
    /// Time between two moments.
    pub step: Span,
    /// Number of moments.
    pub count: usize,
}

impl Grid {
    /// The moments from `first` up to and including `last`, both and the step rounded down to milliseconds.
    ///
    /// Empty if `last` is before `first` or the step is under a millisecond.
    #[must_use]
    pub fn between(first: Timestamp, last: Timestamp, step: Span) -> Self {
        let millisecond = Span::from_millis(1);
        let (first, last) = (first.floor_to(millisecond), last.floor_to(millisecond));
        let step = Span::from_millis(step.whole_steps(millisecond));
        let steps = if step > Span::ZERO { last.since(first).whole_steps(step) } else { -1 };
        Self { first, step, count: usize::try_from(steps.saturating_add(1)).unwrap_or(0) }
    }

    /// The moment number `index`.
    #[must_use]
    pub fn at(&self, index: usize) -> Timestamp {
        self.first + self.step * i64::try_from(index).unwrap_or(i64::MAX)
    }

    /// The last moment; `None` if there is none.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.count.checked_sub(1).map(|index| self.at(index))
    }

    /// The grid in pieces of at most `most` moments, in order of time; `most` of 0 counts as 1.
    pub fn chunks(self, most: usize) -> impl Iterator<Item = Self> {
        let most = most.max(1);
        (0..self.count).step_by(most).map(move |index| Self {
            first: self.at(index),
            step: self.step,
            count: most.min(self.count - index),
        })
    }

    /// The value at each moment; `None` where `points` has none. Points that lie beside the grid are left out.
    #[must_use]
    pub fn lay(&self, points: &[Point]) -> Vec<Option<f64>> {
        let mut values = vec![None; self.count];
        for point in points {
            if let Some(value) = self.index(point.at).and_then(|index| values.get_mut(index)) {
                *value = Some(point.value);
            }
        }
        values
    }

    /// Index of the moment `at`, if it is one (Prometheus may print milliseconds, hence half a millisecond of slack).
    fn index(&self, at: Timestamp) -> Option<usize> {
        let nearest = at + Span::from_micros(500);
        let index = usize::try_from(nearest.since(self.first).whole_steps(self.step)).ok()?;
        (nearest.since(self.at(index)) < Span::from_millis(1)).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_are_printed_to_the_millisecond() {
        for (micros, text) in [
            (0, "0.000"),
            (1_795_254_065_209_765, "1795254065.209"),
            (1_795_254_065_000_999, "1795254065.000"),
            (-1, "-0.001"),
            (-1_500_000, "-1.500"),
        ] {
            assert_eq!(format_seconds(Timestamp::from_micros(micros)), text, "{micros}");
        }
        assert_eq!(parse_seconds(1e300), Timestamp::from_micros(i64::MAX), "saturates");
    }

    #[test]
    fn both_ends_belong_to_the_grid() {
        let at = Timestamp::from_secs;
        let grid = Grid::between(at(100), at(160), Span::from_secs(15));
        assert_eq!((grid.count, grid.last()), (5, Some(at(160))));
        assert_eq!(Grid::between(at(100), at(159), Span::from_secs(15)).last(), Some(at(145)));
        assert_eq!(Grid::between(at(100), at(99), Span::from_secs(15)).count, 0);
        assert_eq!(Grid::between(at(100), at(200), Span::from_micros(999)).count, 0, "no endless grid");
    }

    #[test]
    fn gaps_stay_gaps_and_strangers_stay_out() {
        let grid = Grid::between(Timestamp::from_secs(100), Timestamp::from_secs(130), Span::from_secs(10));
        let point = |micros, value| Point { at: Timestamp::from_micros(micros), value };
        let points = [point(110_000_499, 1.0), point(130_000_000, 2.0), point(115_000_000, 3.0), point(-1, 4.0)];
        assert_eq!(grid.lay(&points), [None, Some(1.0), None, Some(2.0)]);
    }

    proptest! {
        /// What is printed for a server comes back from it.
        #[test]
        fn milliseconds_survive_print_and_parse(millis in -4_000_000_000_000_i64..4_000_000_000_000) {
            let at = Timestamp::from_micros(millis * 1_000);
            prop_assert_eq!(parse_seconds(format_seconds(at).parse().unwrap()), at);
        }

        #[test]
        fn chunks_are_the_grid_again(count in 0_usize..40_000, most in 0_usize..12_000, step in 1_i64..4_000_000) {
            let grid = Grid { first: Timestamp::from_secs(7), step: Span::from_millis(step), count };
            let mut next = 0;
            for chunk in grid.chunks(most) {
                prop_assert!(chunk.count >= 1 && chunk.count <= most.max(1));
                prop_assert_eq!((chunk.first, chunk.step), (grid.at(next), grid.step));
                next += chunk.count;
            }
            prop_assert_eq!(next, count);
        }

        #[test]
        fn every_moment_finds_its_place(count in 1_usize..300, step in 1_i64..100_000) {
            let grid = Grid { first: Timestamp::from_secs(1_795_254_065), step: Span::from_millis(step), count };
            let points: Vec<Point> = (0..count).map(|i| Point { at: grid.at(i), value: i as f64 }).collect();
            let expected: Vec<Option<f64>> = (0..count).map(|i| Some(i as f64)).collect();
            prop_assert_eq!(grid.lay(&points), expected);
        }
    }
}
