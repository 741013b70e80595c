//! What was seen on the cluster, told by the slots of the gym.

use std::collections::BTreeMap;

use seatrial_core::observe::{Feature, Metrics, Pods, Sample};
use seatrial_core::record::{ALL_FEATURES, OperatedDecision};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::load::EpisodeLoad;
use seatrial_envs::rehearsal::replay_features;
use seatrial_envs::scenario::Scenario;
use seatrial_operator::world::log::{Entry, origin};

use super::super::evidence;
use super::super::evidence::Nets;
use super::super::stage::SCRAPE_S;
use super::errors::Errors;

/// The gym's features of each slot, by its number.
pub(super) type Gym = BTreeMap<i64, Metrics>;

/// What was seen on the cluster.
pub(super) struct Seen {
    pub(super) rows: Vec<OperatedDecision>,
    pub(super) entries: Vec<Entry>,
    pub(super) load: EpisodeLoad,
    /// Where the operator's model time began, by the clock.
    pub(super) began: Timestamp,
    pub(super) pace: i64,
}

impl Seen {
    /// The operator's model time in the world's.
    fn in_world(&self, at: Timestamp) -> Timestamp {
        let (world_began, _) = origin(&self.entries).unwrap();
        let clock = self.began + at.since(self.began) / self.pace;
        self.load.start() + clock.since(world_began) * self.pace
    }

    /// The number of the slot that ends with the sample of `at`, and by how much the sample misses its end.
    fn slot(&self, at: Timestamp) -> (i64, Span) {
        let slot = Span::from_secs(SCRAPE_S);
        let elapsed = self.in_world(at).since(self.load.start());
        let nearest = (elapsed + slot / 2).whole_steps(slot);
        (nearest, elapsed - slot * nearest)
    }

    /// The ready pods that the decision log tells of: what a decision saw began soon after the one before, for that is when a
    /// scale-down acts, and a start-up here takes four slots.
    pub(super) fn pods_of_log(&self) -> Vec<(Timestamp, u32)> {
        let decided = self.decided_at();
        let before = decided.iter().take(1).chain(&decided);
        before.zip(&self.rows).map(|(at, row)| (*at, row.record.ready)).collect()
    }

    /// When decisions were made, in the world's time.
    fn decided_at(&self) -> Vec<Timestamp> {
        self.rows.iter().map(|row| self.in_world(Timestamp::from_micros(row.record.at_us))).collect()
    }

    /// Decisions at which the operator saw other ready pods than the world had.
    pub(super) fn pods_late(&self) -> usize {
        let other = |at: &Timestamp, row: &OperatedDecision| {
            let now = self.entries.iter().find(|entry| (entry.from..entry.until).contains(at));
            now.is_some_and(|entry| entry.ready != row.record.ready)
        };
        self.decided_at().iter().zip(&self.rows).filter(|(at, row)| other(at, row)).count()
    }

    pub(super) fn gym(&self, ready: &[(Timestamp, u32)]) -> Gym {
        let slots = replay_features(&Scenario::protocol_p1(), &self.load, 1, ready).unwrap();
        (1..).zip(slots.into_iter().map(|(_, metrics)| metrics)).collect()
    }

    /// The samples that were decided on, by the slot that ends with them.
    pub(super) fn samples(&self) -> BTreeMap<i64, &OperatedDecision> {
        self.rows.iter().filter_map(|row| Some((self.slot(load_at(row)?).0, row))).collect()
    }

    /// By how much samples miss the ends of their slots: the most, by the clock.
    pub(super) fn off_phase(&self) -> Span {
        let late = |row| Some(self.slot(load_at(row)?).1);
        let most = self.rows.iter().filter_map(late).map(|late| late.max(Span::ZERO - late)).max();
        most.unwrap_or(Span::ZERO) / self.pace
    }

    /// The errors of every feature that the gym knows.
    pub(super) fn errors(&self, gym: &Gym) -> Vec<(Feature, Errors)> {
        let value = |metrics: &Metrics, feature| metrics.get(feature).map(|sample| sample.value);
        // The gym has no descriptors; the world shows requests in progress, which by Little's law the gym knows.
        let of_gym = |metrics, feature| match feature {
            Feature::ProcessOpenFds => value(metrics, Feature::HttpRequestDurationSecondsSumRate),
            feature => value(metrics, feature),
        };
        let of = |feature| {
            let samples = self.samples();
            let pairs = samples
                .iter()
                .map(|(slot, row)| (value(&row.observation.metrics, feature), of_gym(&gym[slot], feature)));
            (feature, Errors::of(pairs))
        };
        ALL_FEATURES.map(of).into_iter().filter(|(_, errors)| !errors.relative.is_empty()).collect()
    }

    /// Decisions that the core makes otherwise on the gym's observations: the position of the row, and what it decides.
    pub(super) fn otherwise(&self, gym: &Gym, nets: &Nets) -> Vec<(usize, u32)> {
        let rows: Vec<OperatedDecision> = self.rows.iter().map(|row| self.as_in_gym(row, gym)).collect();
        let mut otherwise = Vec::new();
        let again = |row: usize, again: seatrial_core::record::DecisionRecord| {
            if again.decided != rows[row].record.decided {
                otherwise.push((row, again.decided));
            }
        };
        let report = evidence::replay_telling(&rows, nets, again);
        assert_eq!(report.skipped, 0, "every decision can be made again");
        otherwise
    }

    /// What was decided otherwise, with how far from the gym's what was read is.
    pub(super) fn show_otherwise(&self, gym: &Gym, otherwise: &[(usize, u32)]) {
        let rate = |metrics: &Metrics, feature| metrics.get(feature).map(|sample| sample.value);
        for (position, decided) in otherwise {
            let row = &self.rows[*position];
            let Some(at) = load_at(row) else { continue };
            let off = [Feature::HttpRequestsTotalRate, Feature::HttpRequestDurationSecondsSumRate].map(|feature| {
                let (read, of_gym) = (rate(&row.observation.metrics, feature), rate(&gym[&self.slot(at).0], feature));
                read.zip(of_gym).map(|(read, of_gym)| (100.0 * (read / of_gym - 1.0) * 100.0).round() / 100.0)
            });
            println!(
                "  decision {position}: {} here, {decided} in the gym; slot {}, {:.1} s old; requests/s and in flight off by {off:?} %",
                row.record.decided,
                self.slot(at).0,
                (row.record.at_us - at.micros()) as f64 / 1e6
            );
        }
    }

    /// Slots of which the cluster's rate of requests is more than one percent off the gym's. Prometheus loses what a pod counted
    /// after its last scrape, and, to `irate`, what it counted before its first.
    pub(super) fn misread(&self, gym: &Gym) -> Vec<i64> {
        let rate = |metrics: &Metrics| metrics.get(Feature::HttpRequestsTotalRate).map(|sample| sample.value);
        let off = |slot: &i64, row: &OperatedDecision| {
            let pair = rate(&row.observation.metrics).zip(rate(&gym[slot]));
            pair.is_none_or(|(read, of_gym)| (read - of_gym).abs() > 0.01 * of_gym)
        };
        self.samples().iter().filter(|(slot, row)| off(slot, row)).map(|(slot, _)| *slot).collect()
    }

    /// Whether pods became ready or ended within a slot.
    pub(super) fn pods_moved_in(&self, slot: i64) -> bool {
        let length = Span::from_secs(SCRAPE_S);
        let until = self.load.start() + length * slot;
        let mut ready = self
            .entries
            .iter()
            .filter(|entry| entry.from < until && entry.until > until - length)
            .map(|entry| entry.ready);
        let first = ready.next();
        ready.any(|ready| Some(ready) != first)
    }

    /// Whether a decision saw one of these slots, or remembers it.
    pub(super) fn rests_on(&self, row: usize, slots: &[i64], remembers: Span) -> bool {
        let seen = load_at(&self.rows[row]).map(|at| self.slot(at).0);
        let back = remembers.whole_steps(Span::from_secs(SCRAPE_S));
        slots.iter().any(|slot| seen.is_none_or(|seen| (0..=back).contains(&(seen - slot))))
    }

    fn as_in_gym(&self, row: &OperatedDecision, gym: &Gym) -> OperatedDecision {
        let mut row = row.clone();
        let Some(at) = load_at(&row) else { return row };
        let (slot, late) = self.slot(at);
        row.observation.metrics.clear();
        for feature in ALL_FEATURES {
            let of_gym = gym[&slot].get(feature);
            row.observation.metrics.set(feature, of_gym.map(|sample| Sample { at: at - late, ..sample }));
        }
        let cores = gym[&slot].get(Feature::ProcessCpuSecondsTotalRate).map_or(0.0, |sample| sample.value);
        if let Pods::Homogeneous(counts) = &mut row.observation.pods {
            #[expect(clippy::cast_possible_truncation, reason = "a pod has a few thousand")]
            let per_pod = (cores * 1_000.0 / f64::from(counts.sampled.max(1))).round() as i64;
            counts.cpu_milli_per_sampled_pod = per_pod;
        }
        row
    }
}

fn load_at(row: &OperatedDecision) -> Option<Timestamp> {
    row.record.load_at_us.map(Timestamp::from_micros)
}
