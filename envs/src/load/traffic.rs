//! A load as one seed realises it: the rates that the kernel prices and the counts that metrics show.
//!
//! Made once per (load, seed) and shared by all strategies of a study.

use seatrial_core::observe::Sample;
use seatrial_core::rand::{Stream, standard_normal, uniform};
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::{Span, Timestamp};

use super::split::{slots_per_bin, split_bin};
use super::{EpisodeLoad, LONGEST_HISTORY, LoadError, signed, slot_rates};
use crate::scenario::Scenario;

/// See the module.
#[derive(Clone, Debug)]
pub struct Traffic {
    load: EpisodeLoad,
    seed: u64,
    slot: Span,
    lost_probability: f64,
    realised_per_s: Vec<f64>,
    /// Realised rates of the past slots, oldest first: what warms strategies up and what the first metrics show.
    past_per_s: Vec<f64>,
    /// Standard normal deviate of each slot's mean service time.
    service_deviates: Vec<f64>,
}

/// Bins of the past that are realised at least: more than the longest lag needs.
const RECENT_BINS: i64 = 256;

impl Traffic {
    /// The traffic of `load` under the scenario's regime.
    ///
    /// # Errors
    /// If bins are not whole numbers of scrape slots.
    pub fn new(scenario: &Scenario, load: &EpisodeLoad, seed: u64) -> Result<Self, LoadError> {
        let slot = Span::from_secs_f64(scenario.metrics.scrape_s);
        let load = load.under(scenario.regime, seed);
        let realised_per_s = slot_rates(&load, seed, slot)?;
        let mut past_per_s = Vec::new();
        for bin in -history_bins(&load).max(RECENT_BINS).min(signed(load.past_rates_per_s().len()))..0 {
            split_bin(&load, seed, slot, bin, &mut past_per_s);
        }
        let lost_probability = scenario.regime.lost_scrape_probability(scenario.metrics.lost_scrape_probability);
        let mut traffic =
            Self { load, seed, slot, lost_probability, realised_per_s, past_per_s, service_deviates: Vec::new() };
        let slots = 0..signed(traffic.realised_per_s.len());
        traffic.service_deviates = slots.map(|slot| traffic.draw_service_deviate(slot)).collect();
        Ok(traffic)
    }

    /// The load, as the regime made it.
    #[must_use]
    pub const fn load(&self) -> &EpisodeLoad {
        &self.load
    }

    /// The seed of every draw.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Length of a slot: the scrape interval.
    #[must_use]
    pub const fn slot(&self) -> Span {
        self.slot
    }

    /// Realised requests per second of each slot from the start on.
    #[must_use]
    pub fn realised_per_s(&self) -> &[f64] {
        &self.realised_per_s
    }

    /// Realised requests per second of the slot with the given index relative to the start; `None` where nothing is known.
    #[must_use]
    pub fn realised(&self, slot: i64) -> Option<f64> {
        let at = |rates: &[f64], index: i64| usize::try_from(index).ok().and_then(|index| rates.get(index).copied());
        if slot >= 0 {
            at(&self.realised_per_s, slot)
        } else {
            at(&self.past_per_s, slot + signed(self.past_per_s.len()))
        }
    }

    /// True requests per second in the slot; `None` where nothing is known.
    #[must_use]
    pub fn rate_in_slot(&self, slot: i64) -> Option<f64> {
        let per_bin = self.load.interval().whole_steps(self.slot).max(1);
        self.load.rate_of_bin(slot.div_euclid(per_bin))
    }

    /// End of the slot with the given index relative to the start.
    #[must_use]
    pub fn slot_end(&self, slot: i64) -> Timestamp {
        self.load.start() + self.slot * (slot + 1)
    }

    /// Whether metrics of the slot are missing: its rate needs the scrapes at its beginning and at its end.
    ///
    /// A range of two scrape intervals without its left edge holds these two and no others, so a lost scrape takes two slots.
    #[must_use]
    pub fn is_missing(&self, slot: i64) -> bool {
        self.scrape_is_lost(slot) || self.scrape_is_lost(slot - 1)
    }

    /// Whether the scrape at the end of the slot is lost.
    fn scrape_is_lost(&self, slot: i64) -> bool {
        self.lost_probability > 0.0
            && uniform(self.seed, Stream::LostScrape, self.absolute_slot(slot), 0) < self.lost_probability
    }

    /// Standard normal deviate of the slot's mean service time.
    #[must_use]
    pub(crate) fn service_deviate(&self, slot: i64) -> f64 {
        let known = usize::try_from(slot).ok().and_then(|slot| self.service_deviates.get(slot));
        known.copied().unwrap_or_else(|| self.draw_service_deviate(slot))
    }

    fn draw_service_deviate(&self, slot: i64) -> f64 {
        standard_normal(self.seed, Stream::CpuPerRequest, self.absolute_slot(slot), 0)
    }

    fn absolute_slot(&self, slot: i64) -> u64 {
        self.slot_end(slot).micros().div_euclid(self.slot.micros()).cast_unsigned()
    }

    /// Number of the youngest slot that is visible at `now` when metrics are `lag` old.
    pub(crate) fn visible_slot(&self, now: Timestamp, lag: Span) -> i64 {
        (now - lag - self.load.start()).whole_steps(self.slot) - 1
    }

    /// The load sample that a decision at `now` sees when metrics are `lag` old; `None` is missing.
    #[must_use]
    pub fn visible_load(&self, now: Timestamp, lag: Span) -> Option<Sample> {
        let slot = self.visible_slot(now, lag);
        let value = self.realised(slot).filter(|_| !self.is_missing(slot))?;
        Some(Sample { at: self.slot_end(slot), value })
    }

    /// The history that a state has absorbed before its first decision: older than the slot which that decision sees.
    pub fn warm_up(&self, lag: Span) -> impl Iterator<Item = PastSlot> + '_ {
        let first_visible_end = self.slot_end(self.visible_slot(self.load.start(), lag));
        self.past_slots().take_while(move |past| past.end < first_visible_end)
    }

    /// The slots before the start, oldest first, at most [`LONGEST_HISTORY`]; lost scrapes and lost history are missing.
    #[must_use]
    pub fn past_slots(&self) -> PastSlots<'_> {
        let bins = history_bins(&self.load).min(signed(self.load.past_rates_per_s().len()));
        let slots = bins * signed(slots_per_bin(&self.load, self.slot));
        PastSlots { traffic: self, next: -slots }
    }
}

/// Bins of the longest history.
fn history_bins(load: &EpisodeLoad) -> i64 {
    LONGEST_HISTORY.whole_steps(load.interval())
}

/// Iterator over the slots before an episode.
#[derive(Clone, Debug)]
pub struct PastSlots<'a> {
    traffic: &'a Traffic,
    /// Number of the next slot relative to the start.
    next: i64,
}

impl Iterator for PastSlots<'_> {
    type Item = PastSlot;

    fn next(&mut self) -> Option<PastSlot> {
        if self.next >= 0 {
            return None;
        }
        let Traffic { load, slot, .. } = self.traffic;
        let index = self.next;
        self.next += 1;
        let end = self.traffic.slot_end(index);
        let known = end <= load.start() - load.lost_history() && !self.traffic.is_missing(index);
        let arrival_rate = if known { self.traffic.realised(index) } else { None };
        Some(PastSlot { end, length: *slot, arrival_rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Regime;

    fn days(count: usize) -> EpisodeLoad {
        let rates: Vec<f64> = (0..count * 1_440).map(|bin| 100.0 + (bin % 97) as f64).collect();
        EpisodeLoad::new(Timestamp::from_secs(86_400 * 10), Span::from_secs(60), vec![150.0; 60], rates).unwrap()
    }

    #[test]
    fn the_past_ends_where_the_episode_begins() {
        let traffic = Traffic::new(&Scenario::protocol_p1(), &days(2), 7).unwrap();
        let past: Vec<PastSlot> = traffic.past_slots().collect();
        assert_eq!(past.len(), 2 * 5_760);
        assert_eq!(past.last().unwrap().end, traffic.load().start());
        assert_eq!(past[0].end, traffic.load().start() - Span::from_secs(2 * 86_400) + Span::from_secs(15));
        for back in 1..=8 {
            assert_eq!(past[past.len() - back].arrival_rate, traffic.realised(-(back as i64)), "{back} slots back");
        }
        assert_eq!(traffic.realised(-100_000), None);
        assert_eq!(traffic.rate_in_slot(-1), Some(100.0 + f64::from(2_879 % 97)));
    }

    /// The past of one episode is the traffic of an episode that starts earlier.
    #[test]
    fn past_and_present_are_the_same_draws() {
        let later = days(1);
        let earlier = EpisodeLoad::new(
            later.start() - Span::from_secs(86_400),
            later.interval(),
            later.past_rates_per_s().to_vec(),
            vec![],
        )
        .unwrap();
        let p1 = Scenario::protocol_p1();
        let past: Vec<f64> =
            Traffic::new(&p1, &later, 3).unwrap().past_slots().filter_map(|slot| slot.arrival_rate).collect();
        assert_eq!(past, Traffic::new(&p1, &earlier, 3).unwrap().realised_per_s());
    }

    #[test]
    fn history_is_at_most_eight_days() {
        let traffic = Traffic::new(&Scenario::protocol_p1(), &days(10), 7).unwrap();
        assert_eq!(traffic.past_slots().count(), 8 * 5_760);
    }

    #[test]
    fn a_day_of_history_is_lost() {
        let scenario = Scenario::protocol_p1().under(Regime::HistoryLost);
        let traffic = Traffic::new(&scenario, &days(3), 7).unwrap();
        let missing: Vec<bool> = traffic.past_slots().map(|slot| slot.arrival_rate.is_none()).collect();
        assert!(missing[..2 * 5_760].iter().all(|missing| !missing));
        assert!(missing[2 * 5_760..].iter().all(|missing| *missing));
    }

    /// A rate over two scrapes needs both of them: of independent losses of p, 1 − (1 − p)² of the slots are missing.
    #[test]
    fn each_lost_scrape_leaves_two_slots_missing() {
        let scenario = Scenario::protocol_p1().under(Regime::LostScrapes);
        let traffic = Traffic::new(&scenario, &days(8), 7).unwrap();
        let past: Vec<PastSlot> = traffic.past_slots().collect();
        let missing = past.iter().filter(|slot| slot.arrival_rate.is_none()).count() as f64 / past.len() as f64;
        assert!((missing - 0.19).abs() < 5.0 * (0.19_f64 * 0.81 / past.len() as f64).sqrt(), "{missing}");
        let inner = past.split(|slot| slot.arrival_rate.is_some()).skip(1).filter(|run| !run.is_empty());
        let (shortest, last) = (inner.clone().map(<[PastSlot]>::len).min(), past.last().unwrap());
        assert!(shortest == Some(2) || (shortest == Some(1) && last.arrival_rate.is_none()), "{shortest:?}");
        let plain = Traffic::new(&Scenario::protocol_p1(), &days(8), 7).unwrap();
        for (seen, true_slot) in past.iter().zip(plain.past_slots()) {
            assert!(true_slot.arrival_rate.is_some());
            assert!(seen.arrival_rate.is_none() || *seen == true_slot, "no count is invented: {seen:?}");
        }
    }

    /// What a decision sees and what a restarted state reads from the past are missing together, across the start too.
    #[test]
    fn past_and_present_miss_the_same_slots() {
        let scenario = Scenario::protocol_p1().under(Regime::LostScrapes);
        let (lag, slot) = (Span::from_secs(15), Span::from_secs(15));
        for seed in 0..40 {
            let traffic = Traffic::new(&scenario, &days(1), seed).unwrap();
            let past: Vec<PastSlot> = traffic.past_slots().collect();
            let youngest = traffic.visible_load(traffic.load().start() + lag, lag);
            let expected = past.last().unwrap();
            assert_eq!(youngest.map(|sample| sample.value), expected.arrival_rate);
            let first = traffic.visible_load(traffic.load().start() + lag + slot, lag);
            assert!(first.is_none() || !traffic.scrape_is_lost(-1), "seed {seed}: a rate over a lost scrape");
        }
    }
}
