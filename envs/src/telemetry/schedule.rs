//! When a target is scraped, whether the scrape succeeds, and which moment is the youngest that anybody sees.
//!
//! Pure functions of the pipeline's numbers and the seed. The grid of scrapes begins at the scenario's start and reaches to both
//! sides of it, so that a world may run in before.

use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::{Span, Timestamp};

use super::TelemetryError;
use crate::ids::PodId;
use crate::spec::MetricsSpec;

/// Longest lag in scrape intervals: what a ring has to hold.
const MOST_INTERVALS_OF_LAG: i64 = 3_600;
/// Which draw of an interval decides over all targets that are scraped together; those of pods with their own moments follow it.
const TOGETHER: u32 = 0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    start: Timestamp,
    pub(super) interval: Span,
    pub(super) lag: Span,
    jitter: f64,
    lost_probability: f64,
    seed: u64,
}

impl Schedule {
    pub(super) fn new(spec: &MetricsSpec, start: Timestamp, seed: u64) -> Result<Self, TelemetryError> {
        check("scrape_s", spec.scrape_s, 0.001..=86_400.0, "0.001 to 86400")?;
        check("jitter", spec.jitter, 0.0..=1.0, "0 to 1")?;
        check("lost_scrape_probability", spec.lost_scrape_probability, 0.0..=1.0, "0 to 1")?;
        let (interval, lag) = (Span::from_secs_f64(spec.scrape_s), Span::from_secs_f64(spec.lag_s));
        let longest_s = (interval * MOST_INTERVALS_OF_LAG).as_secs_f64();
        check("lag_s", spec.lag_s, 0.0..=longest_s, "0 to 3600 scrape intervals")?;
        Ok(Self { start, interval, lag, jitter: spec.jitter, lost_probability: spec.lost_scrape_probability, seed })
    }

    /// Whether pods have moments of their own.
    pub(super) fn is_jittered(&self) -> bool {
        self.jitter > 0.0
    }

    /// What the range of a rate covers: two intervals, so that without its left edge it holds two scrapes.
    pub(super) fn range(&self) -> Span {
        self.interval * 2
    }

    /// Scrapes that a ring must remember: from the range before the youngest visible moment until now.
    pub(super) fn remembered(&self) -> usize {
        let lag = -(-self.lag).whole_steps(self.interval);
        usize::try_from(lag + 4).unwrap_or(0)
    }

    /// How long after the end of a target nothing of it is seen any more.
    pub(super) fn memory(&self) -> Span {
        self.lag + self.interval * 3
    }

    /// The first moment of the grid at or after `now`.
    pub(super) fn next(&self, now: Timestamp) -> Timestamp {
        self.next_with_offset(now, Span::ZERO)
    }

    /// The first moment at or after `now` at which `pod` is scraped.
    pub(super) fn next_of_pod(&self, now: Timestamp, pod: PodId) -> Timestamp {
        self.next_with_offset(now, self.offset(pod))
    }

    fn next_with_offset(&self, now: Timestamp, offset: Span) -> Timestamp {
        let origin = self.start + offset;
        origin + self.interval * -(origin - now).whole_steps(self.interval)
    }

    fn offset(&self, pod: PodId) -> Span {
        let unit = uniform(self.seed, Stream::ScrapeOffset, ordinal(pod), 0);
        Span::from_secs_f64(self.jitter * self.interval.as_secs_f64() * unit)
    }

    /// Whether the scrape at `at` of everything that is scraped together is lost: the draw of [`crate::load::Traffic`].
    pub(super) fn is_lost(&self, at: Timestamp) -> bool {
        self.draws_loss(at, TOGETHER)
    }

    /// Whether the scrape at `at` of a pod with its own moments is lost.
    pub(super) fn is_lost_for_pod(&self, at: Timestamp, pod: PodId) -> bool {
        self.draws_loss(at, pod.slot.saturating_add(TOGETHER + 1))
    }

    fn draws_loss(&self, at: Timestamp, index: u32) -> bool {
        let interval = at.micros().div_euclid(self.interval.micros()).cast_unsigned();
        self.lost_probability > 0.0 && uniform(self.seed, Stream::LostScrape, interval, index) < self.lost_probability
    }

    /// Whether the scrape at `at` of a pod is lost, with or without moments of its own.
    pub(super) fn is_lost_of_pod(&self, at: Timestamp, pod: PodId) -> bool {
        if self.is_jittered() { self.is_lost_for_pod(at, pod) } else { self.is_lost(at) }
    }

    /// When `pod` was scraped in the slot that began `slots` before the origin, and how much of that slot had passed, 0 to 1.
    pub(super) fn of_pod_before_start(&self, slots: i64, pod: PodId) -> (Timestamp, f64) {
        let offset = if self.is_jittered() { self.offset(pod) } else { Span::ZERO };
        (self.before_start(slots) + offset, offset.as_secs_f64() / self.interval.as_secs_f64())
    }

    /// The youngest moment that is visible at `now`: the last end of a slot that is `lag` old.
    pub(super) fn visible(&self, now: Timestamp) -> Timestamp {
        self.start + self.interval * (now - self.lag - self.start).whole_steps(self.interval)
    }

    /// The grid's moment `slots` before its origin.
    pub(super) fn before_start(&self, slots: i64) -> Timestamp {
        self.start - self.interval * slots
    }
}

/// A number for a pod that no other pod has.
fn ordinal(pod: PodId) -> u64 {
    (u64::from(pod.generation) << 32) | u64::from(pod.slot)
}

fn check(
    key: &'static str,
    got: f64,
    range: core::ops::RangeInclusive<f64>,
    allowed: &'static str,
) -> Result<(), TelemetryError> {
    if range.contains(&got) { Ok(()) } else { Err(TelemetryError::Range { key, got, allowed }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> MetricsSpec {
        MetricsSpec::default()
    }

    fn schedule(spec: MetricsSpec) -> Schedule {
        Schedule::new(&spec, Timestamp::from_secs(100), 7).unwrap()
    }

    #[test]
    fn every_number_out_of_its_range_is_refused_by_name() {
        let cases = [
            ("scrape_s", MetricsSpec { scrape_s: 0.0, ..spec() }),
            ("scrape_s", MetricsSpec { scrape_s: f64::NAN, ..spec() }),
            ("jitter", MetricsSpec { jitter: 1.5, ..spec() }),
            ("lag_s", MetricsSpec { lag_s: -1.0, ..spec() }),
            ("lag_s", MetricsSpec { scrape_s: 1.0, lag_s: 3_601.0, ..spec() }),
            ("lost_scrape_probability", MetricsSpec { lost_scrape_probability: -0.1, ..spec() }),
        ];
        for (key, spec) in cases {
            let error = Schedule::new(&spec, Timestamp::ZERO, 1).unwrap_err().to_string();
            assert!(error.contains(&format!("metrics.{key}")), "{error}");
        }
    }

    #[test]
    fn the_grid_reaches_to_both_sides_of_the_start() {
        let grid = schedule(spec());
        let next = |now_us| grid.next(Timestamp::from_micros(now_us)).micros();
        assert_eq!(next(100_000_000), 100_000_000);
        assert_eq!(next(100_000_001), 115_000_000);
        assert_eq!(next(84_999_999), 85_000_000);
        assert_eq!(grid.visible(Timestamp::from_secs(129)), Timestamp::from_secs(100));
        assert_eq!(grid.visible(Timestamp::from_secs(130)), Timestamp::from_secs(115));
        assert_eq!(grid.visible(Timestamp::from_secs(100)), Timestamp::from_secs(85));
    }

    #[test]
    fn pods_are_spread_over_the_jittered_share_of_the_interval_and_keep_their_places() {
        let half = schedule(MetricsSpec { jitter: 0.5, ..spec() });
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for slot in 0..2_000 {
            let pod = PodId { slot, generation: slot % 3 };
            let first = half.next_of_pod(Timestamp::from_secs(200), pod);
            assert_eq!(half.next_of_pod(first + Span::from_micros(1), pod), first + Span::from_secs(15));
            assert_eq!(half.next_of_pod(first, pod), first);
            let place = (first - Timestamp::from_secs(190)).as_secs_f64() % 15.0;
            (least, most) = (least.min(place), most.max(place));
        }
        assert!((0.0..0.02).contains(&least) && (7.48..=7.5).contains(&most), "{least} to {most}");
    }

    /// 99.9 % of 20,000 draws of probability 0.1 lie within 3.3 standard errors.
    #[test]
    fn pods_with_moments_of_their_own_lose_scrapes_each_for_itself() {
        let lossy = schedule(MetricsSpec { jitter: 1.0, lost_scrape_probability: 0.1, ..spec() });
        let (mut lost, mut both) = (0_u32, 0_u32);
        for k in 0..20_000 {
            let at = Timestamp::from_secs(15 * k);
            let [one, other] = [0, 1].map(|slot| lossy.is_lost_for_pod(at, PodId { slot, generation: 0 }));
            lost += u32::from(one);
            both += u32::from(one && other);
        }
        let share = |count: u32| f64::from(count) / 20_000.0;
        assert!((share(lost) - 0.1).abs() < 3.3 * (0.09_f64 / 20_000.0).sqrt(), "{lost}");
        assert!((share(both) - 0.01).abs() < 3.3 * (0.0099_f64 / 20_000.0).sqrt(), "{both}");
    }
}
