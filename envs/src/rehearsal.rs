//! The fluid kernel under pods that somebody else starts and stops: in a rehearsal they live on a real API server.
//!
//! [`Rehearsal`] hands out what real pods would add to their counters, at any moment. A slot's counters end where the gym's
//! metrics of that slot are: inside it, arrivals grow evenly, and the rest follows from what has happened in it so far.
//! [`replay_features`] is the other half of a comparison: what the gym shows when the same pods were ready at the same times.

use seatrial_core::observe::{Metrics, Observation};
use seatrial_core::time::{Span, Timestamp};

use crate::episode::EpisodeError;
use crate::fluid::kernel::Kernel;
use crate::fluid::metrics::SlotMetrics;
use crate::fluid::world::World;
use crate::load::{EpisodeLoad, Traffic};
use crate::scenario::Scenario;

/// What happened in a stretch of time, as counters of all pods together show it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amounts {
    /// Requests that arrived.
    pub requests: f64,
    /// Those among them that were not bad.
    pub good: f64,
    /// Requests that were completed.
    pub completed: f64,
    /// CPU seconds.
    pub cpu_s: f64,
    /// Seconds of waiting and service of the completed requests.
    pub duration_s: f64,
}

impl Amounts {
    /// Those of `seconds` in which a slot's metrics were `shown`.
    fn of(shown: &SlotMetrics, seconds: f64) -> Self {
        let requests = shown.arrivals_per_s * seconds;
        Self {
            requests,
            good: shown.bad_ratio.map_or(0.0, |bad| requests * (1.0 - bad)),
            completed: shown.completed_per_s * seconds,
            cpu_s: shown.cpu_cores * seconds,
            duration_s: shown.duration_s_per_s * seconds,
        }
    }

    /// Adds every amount of `other`, `times` over.
    pub fn add(&mut self, other: &Self, times: f64) {
        *self = self.with(other, |own, other| own + other * times);
    }

    fn with(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            requests: of(self.requests, other.requests),
            good: of(self.good, other.good),
            completed: of(self.completed, other.completed),
            cpu_s: of(self.cpu_s, other.cpu_s),
            duration_s: of(self.duration_s, other.duration_s),
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Rehearsal<'a> {
    kernel: Kernel<'a>,
    traffic: &'a Traffic,
    /// What was handed out of the slot that is not over.
    handed: Amounts,
}

impl<'a> Rehearsal<'a> {
    /// The first moment of `traffic`, with `ready` pods.
    ///
    /// # Errors
    /// If the scenario is not valid or does not fit the traffic.
    pub fn new(scenario: &Scenario, traffic: &'a Traffic, ready: u32) -> Result<Self, EpisodeError> {
        Ok(Self { kernel: kernel(scenario, traffic, ready)?, traffic, handed: Amounts::default() })
    }

    /// Where time has come to.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.kernel.now()
    }

    /// The end of the load: time does not pass beyond it.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.traffic.load().end()
    }

    /// Pods that are ready.
    #[must_use]
    pub fn ready(&self) -> u32 {
        self.kernel.pods().ready()
    }

    /// Requests in the queue.
    #[must_use]
    pub const fn backlog(&self) -> f64 {
        self.kernel.backlog()
    }

    /// The end of the slot that time is in.
    #[must_use]
    pub fn slot_end(&self) -> Timestamp {
        self.traffic.slot_end(self.slot_of(self.now()))
    }

    /// Requests in service or waiting, by Little's law: the mean over the last slot's length, which a slot's first moments alone
    /// would scatter widely.
    #[must_use]
    pub fn in_progress(&self) -> f64 {
        let slot = self.slot_of(self.now() - Span::from_micros(1));
        let ((present, seconds), (last, _)) = (self.shown(slot), self.shown(slot - 1));
        let share = seconds / self.traffic.slot().as_secs_f64();
        present.duration_s_per_s * share + last.duration_s_per_s * (1.0 - share)
    }

    /// From now on `ready` pods are ready.
    pub fn set_ready(&mut self, ready: u32) {
        self.kernel.set_ready(ready);
    }

    /// Lets time pass until `until`, at most the end of the load; answers with what happened. No amount is ever negative.
    pub fn advance(&mut self, until: Timestamp) -> Amounts {
        let until = until.min(self.end());
        let mut happened = Amounts::default();
        while self.now() < until {
            let (slot, slot_end) = (self.slot_of(self.now()), self.slot_end());
            self.kernel.advance(slot_end.min(until));
            happened.add(&self.take(slot), 1.0);
            if self.now() == slot_end {
                self.handed = Amounts::default();
            }
        }
        happened
    }

    /// What came to the amounts of `slot` since they were last taken.
    fn take(&mut self, slot: i64) -> Amounts {
        let (shown, seconds) = self.shown(slot);
        let (so_far, handed) = (Amounts::of(&shown, seconds), self.handed);
        // A mean wait may fall within a slot while few are completed; a counter then waits until it is reached again.
        self.handed = so_far.with(&handed, f64::max);
        self.handed.with(&handed, |so_far, handed| so_far - handed)
    }

    /// What metrics show of a slot as far as it is over, and how many seconds that are.
    fn shown(&self, slot: i64) -> (SlotMetrics, f64) {
        let over = self.now().min(self.traffic.slot_end(slot)) - self.traffic.slot_end(slot - 1);
        // Never 0 where it counts; a slot that has not begun shows nothing.
        let seconds = over.as_secs_f64().max(1e-6);
        let realised = self.traffic.realised(slot).unwrap_or(0.0);
        let deviate = self.traffic.service_deviate(slot);
        (self.kernel.slot_sums(slot).show(self.kernel.world(), seconds, realised, deviate), seconds)
    }

    fn slot_of(&self, at: Timestamp) -> i64 {
        (at - self.traffic.load().start()).whole_steps(self.traffic.slot())
    }
}

fn kernel<'a>(scenario: &Scenario, traffic: &'a Traffic, ready: u32) -> Result<Kernel<'a>, EpisodeError> {
    scenario.validate()?;
    traffic.load().check_interval(Span::from_secs_f64(scenario.physics_step_s))?;
    // What a slot shows is read at its end: how late a strategy sees it is the business of whoever compares.
    let mut world = World::new(scenario);
    world.lag = Span::ZERO;
    Ok(Kernel::new(world, traffic, ready))
}

/// What the gym's metrics show of every slot of `load`, with its end, when `ready` pods were ready from each of the given times
/// on (ascending); before the first of them, as many as then.
///
/// # Errors
/// If scenario or load are not valid or do not fit together.
pub fn replay_features(
    scenario: &Scenario,
    load: &EpisodeLoad,
    seed: u64,
    ready: &[(Timestamp, u32)],
) -> Result<Vec<(Timestamp, Metrics)>, EpisodeError> {
    let traffic = Traffic::new(scenario, load, seed)?;
    let begun = ready.partition_point(|(at, _)| *at <= load.start()).max(1);
    let first = ready.get(begun - 1).map_or(0, |(_, ready)| *ready);
    let mut kernel = kernel(scenario, &traffic, first)?;
    let mut changes = ready.iter().skip(begun).peekable();
    let mut seen = Observation::unknown(load.start(), first);
    let mut features = Vec::with_capacity(traffic.realised_per_s().len());
    while kernel.now() < load.end() {
        let slot_end = kernel.now() + traffic.slot();
        while let Some((at, ready)) = changes.next_if(|(at, _)| *at < slot_end) {
            kernel.advance(*at);
            kernel.set_ready(*ready);
        }
        kernel.advance(slot_end);
        kernel.observe(first, &mut seen);
        features.push((slot_end, seen.metrics));
    }
    Ok(features)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::{Driver, StepRow, run_episode};
    use proptest::prelude::*;
    use seatrial_core::observe::Feature;
    use seatrial_core::scaling::autoscaler::Autoscaler;
    use seatrial_core::scaling::guard::Guard;
    use seatrial_core::scaling::policy::{Policy, Proposal, Reason, View};

    const START: Timestamp = Timestamp::from_secs(86_400);
    const SLOT: Span = Span::from_secs(15);

    fn load(rates: &[f64]) -> EpisodeLoad {
        EpisodeLoad::new(START, Span::from_secs(60), rates.to_vec(), vec![rates[0]; 30]).unwrap()
    }

    fn value(metrics: &Metrics, feature: Feature) -> f64 {
        metrics.get(feature).map_or(f64::NAN, |sample| sample.value)
    }

    /// Pods that come and go at odd moments, under load that rises above what they serve.
    const RATES: [f64; 6] = [120.0, 190.0, 260.0, 90.0, 0.0, 205.0];
    const READY: [(i64, u32); 7] =
        [(0, 4), (70_300, 5), (121_001, 3), (150_000, 0), (153_700, 6), (200_001, 2), (300_000, 4)];

    fn ready() -> Vec<(Timestamp, u32)> {
        READY.map(|(ms, ready)| (START + Span::from_millis(ms), ready)).to_vec()
    }

    #[test]
    fn counters_of_a_slot_end_where_the_gyms_metrics_are() {
        let p1 = Scenario::protocol_p1();
        let load = load(&RATES);
        let gym = replay_features(&p1, &load, 3, &ready()).unwrap();
        let traffic = Traffic::new(&p1, &load, 3).unwrap();
        let mut rehearsal = Rehearsal::new(&p1, &traffic, 4).unwrap();
        let mut changes = ready().into_iter().skip(1).peekable();
        let (mut lossy, mut idle) = (0, 0);
        for (end, metrics) in &gym {
            let mut slot = Amounts::default();
            while let Some((at, ready)) = changes.next_if(|(at, _)| at < end) {
                slot.add(&rehearsal.advance(at), 1.0);
                rehearsal.set_ready(ready);
            }
            slot.add(&rehearsal.advance(*end), 1.0);
            let same = |got: f64, feature| (got / 15.0 - value(metrics, feature)).abs() < 1e-9;
            assert!(same(slot.requests, Feature::HttpRequestsTotalRate), "{slot:?} {metrics:?}");
            assert!(same(slot.completed, Feature::HttpRequestDurationSecondsCountRate), "{slot:?} {metrics:?}");
            assert!(same(slot.cpu_s, Feature::ProcessCpuSecondsTotalRate), "{slot:?} {metrics:?}");
            assert!(same(slot.duration_s, Feature::HttpRequestDurationSecondsSumRate), "{slot:?} {metrics:?}");
            match metrics.get(Feature::BadRequestRatio) {
                Some(bad) => assert!((1.0 - slot.good / slot.requests - bad.value).abs() < 1e-9, "{slot:?} {bad:?}"),
                None => assert_eq!(slot.requests, 0.0),
            }
            lossy += u32::from(value(metrics, Feature::BadRequestRatio) > 0.5);
            idle += u32::from(metrics.get(Feature::BadRequestRatio).is_none());
        }
        assert!(lossy >= 3 && idle == 4, "the case covers loss and silence: {lossy} {idle}");
    }

    /// Wishes for other replicas every 40 s, and looks every second.
    struct Wanderer;

    impl Policy for Wanderer {
        type State = usize;

        fn initial_state(&self) -> usize {
            0
        }

        fn step(&self, now: Timestamp, _view: &View<'_>, _state: &mut usize) -> Proposal {
            let turn = usize::try_from(now.since(START).whole_steps(Span::from_secs(40))).unwrap();
            Proposal::of([4, 7, 3, 3, 6, 2, 5][turn % 7], Reason::Fixed)
        }

        fn cadence(&self) -> Option<Span> {
            Some(Span::from_secs(1))
        }
    }

    /// What a strategy sees in an episode of the gym is, to the bit, the replay of the pods that were ready in it.
    #[test]
    fn a_replay_shows_what_a_strategy_saw() {
        let mut p1 = Scenario::protocol_p1();
        p1.start_up.median_s = 9.0;
        let load = load(&RATES);
        let guard = Guard::bounds_only(p1.workload.bounds);
        let autoscaler = Autoscaler::new(p1.workload, None, Box::new(Wanderer), guard);
        let (mut ready, mut seen) = (Vec::new(), Vec::new());
        let mut rows = |row: &StepRow<'_>| {
            ready.push((row.at, row.ready));
            seen.push(row.view.observation.metrics);
        };
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        run_episode(&p1, &load, 9, driver, &mut rows).unwrap();
        let replayed = replay_features(&p1, &load, 9, &ready).unwrap();
        assert_eq!(replayed.len(), 24);
        let numbers: std::collections::BTreeSet<u32> = ready.iter().map(|(_, ready)| *ready).collect();
        assert!(numbers.len() >= 4, "pods came and went: {numbers:?}");
        let mut compared = 0;
        for metrics in seen {
            let at = metrics.get(Feature::HttpRequestsTotalRate).unwrap().at;
            if let Some((_, replay)) = replayed.iter().find(|(end, _)| *end == at) {
                assert_eq!(*replay, metrics);
                compared += 1;
            }
        }
        assert!(compared > 300, "{compared}");
    }

    proptest! {
        /// However often it is asked: the same amounts, and none of them negative.
        #[test]
        fn amounts_do_not_depend_on_when_they_are_taken(
            steps in prop::collection::vec((1_i64..40_000, 0_u32..7), 1..60),
            asked in prop::collection::vec(1_i64..9_000, 1..200),
        ) {
            let p1 = Scenario::protocol_p1();
            let load = load(&RATES);
            let traffic = Traffic::new(&p1, &load, 5).unwrap();
            let mut seldom = Rehearsal::new(&p1, &traffic, 3).unwrap();
            let mut often = seldom.clone();
            let (mut one, mut many) = (Amounts::default(), Amounts::default());
            let mut gaps = asked.iter().cycle();
            for (ms, ready) in steps {
                let until = seldom.now() + Span::from_millis(ms);
                one.add(&seldom.advance(until), 1.0);
                seldom.set_ready(ready);
                while often.now() < until.min(often.end()) {
                    let next = often.now() + Span::from_millis(*gaps.next().unwrap());
                    let part = often.advance(next.min(until));
                    prop_assert!([part.requests, part.good, part.completed, part.cpu_s, part.duration_s].iter().all(|x| *x >= 0.0), "{part:?}");
                    many.add(&part, 1.0);
                }
                often.set_ready(ready);
            }
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + a.abs());
            prop_assert!(close(one.requests, many.requests) && close(one.completed, many.completed), "{one:?} {many:?}");
            prop_assert!(close(one.cpu_s, many.cpu_s) && close(one.good, many.good), "{one:?} {many:?}");
            prop_assert!(many.duration_s >= one.duration_s - 1e-6, "{one:?} {many:?}");
        }
    }

    /// M/M/16 at 120/s: 9.6 busy workers, and 0.063 waiting (Erlang C 0.0419 · 120 / 80, in Python).
    #[test]
    fn what_is_in_progress_follows_littles_law() {
        let p1 = Scenario::protocol_p1();
        let load = load(&[120.0; 2]);
        let traffic = Traffic::new(&p1, &load, 1).unwrap();
        let mut rehearsal = Rehearsal::new(&p1, &traffic, 4).unwrap();
        rehearsal.advance(START + SLOT);
        assert!((rehearsal.in_progress() / 9.663 - 1.0).abs() < 0.1, "{}", rehearsal.in_progress());
        // A scrape is never answered at the very end of a slot: a moment of the next one says nothing by itself.
        for ms in 1..200 {
            rehearsal.advance(START + SLOT + Span::from_millis(ms));
            assert!((rehearsal.in_progress() / 9.663 - 1.0).abs() < 0.1, "{} after {ms} ms", rehearsal.in_progress());
        }
    }

    #[test]
    fn time_ends_with_the_load_and_bad_scenarios_are_refused() {
        let p1 = Scenario::protocol_p1();
        let load = load(&[10.0]);
        let traffic = Traffic::new(&p1, &load, 1).unwrap();
        let mut rehearsal = Rehearsal::new(&p1, &traffic, 1).unwrap();
        let all = rehearsal.advance(START + Span::from_secs(1_000));
        assert!((all.requests - 600.0).abs() < 1e-9 && rehearsal.now() == rehearsal.end());
        assert_eq!(rehearsal.advance(START + Span::from_secs(2_000)), Amounts::default());
        let wrong = Scenario { client_timeout_s: 0.0, ..p1 };
        assert!(matches!(Rehearsal::new(&wrong, &traffic, 1), Err(EpisodeError::Scenario(_))));
        assert!(matches!(replay_features(&wrong, &load, 1, &[]), Err(EpisodeError::Scenario(_))));
    }
}
