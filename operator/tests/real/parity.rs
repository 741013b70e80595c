//! The operator sees and decides what the gym does: half an hour in real time, then the gym is fed with the pods that were
//! ready, and both are laid side by side.
//!
//! The world begins with the first scrape, and scrapes come at the gym's slot length, so the gym's slots end where the samples
//! are: no interpolation, and no phase to be found. What is left of the phase is how late a scrape is answered; it is shown.
//!
//! Decisions are made again by the core from the state in which the operator began, on the logged observations with the metrics,
//! their times and the pods' CPU replaced by the gym's. Pods come from the log: in both worlds they are what the API server tells.

use std::collections::BTreeMap;

use seatrial_core::observe::{Feature, Metrics, Pods, Sample};
use seatrial_core::record::{ALL_FEATURES, OperatedDecision};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::load::EpisodeLoad;
use seatrial_envs::rehearsal::replay_features;
use seatrial_envs::scenario::Scenario;
use seatrial_operator::clock::Clock;
use seatrial_operator::queries::name_of;
use seatrial_operator::world::WorldSettings;
use seatrial_operator::world::load::Part;
use seatrial_operator::world::log::{Entry, origin, ready_pods};

use super::account::Write;
use super::evidence::Nets;
use super::process::until_time;
use super::stage::{Operator, PACE, SCRAPE_S, Stage, put_quick_bundle, quick_bundle};
use super::{evidence, loads};

/// How long the operator acts, in model time.
pub(super) const SPAN: Span = Span::from_secs(30 * 60);
/// The load in requests per second at bins of a minute: it doubles or halves every few minutes. A pod serves 50.
const WAVES: [(usize, f64); 14] = [
    (0, 250.0),
    (2, 250.0),
    (4, 600.0),
    (6, 900.0),
    (9, 350.0),
    (12, 350.0),
    (14, 800.0),
    (16, 1_100.0),
    (19, 450.0),
    (21, 300.0),
    (24, 900.0),
    (26, 1_000.0),
    (30, 300.0),
    (34, 700.0),
];
const REPLICAS: u32 = 7;
/// Bins of the trace: longer than the test, so that the world does not end before it.
const BINS: usize = 60;
/// What is less is nothing: one bad request in a million, far below one request per second.
const LEAST: f64 = 1e-6;
const MOST_ERROR: f64 = 0.02;
/// Share of decisions that must be equal: in real time, and fifteen times as fast, where a scrape's lateness weighs as much more.
const LEAST_EQUAL: f64 = 0.95;
/// Share of a rule's decisions that may differ although all that it remembers was read well: a rate off by parts of a percent
/// may lie on the other side of a whole pod.
const MOST_UNEXPLAINED: f64 = 0.02;
pub(super) const LEAST_EQUAL_FAST: f64 = 0.9;

/// What decides.
pub(super) enum Named {
    /// The committed bundle.
    Bundle,
    /// A rule: what the spec says of its policy.
    Rule(&'static str),
}

/// One comparison.
pub(super) struct Case {
    pub(super) test: &'static str,
    pub(super) named: Named,
    /// Model seconds in a second of the clock.
    pub(super) pace: i64,
    /// How long the operator acts, in model time, and how often it decides.
    pub(super) span: Span,
    pub(super) cadence: Span,
    /// How far back its decisions look.
    pub(super) remembers: Span,
    /// Scale writes without which it moved too little to show anything.
    pub(super) least_writes: usize,
    pub(super) least_equal: f64,
}

impl Case {
    const fn of_bundle(test: &'static str, pace: i64, least_equal: f64) -> Self {
        let cadence = Span::from_secs(SCRAPE_S);
        Self { test, named: Named::Bundle, pace, span: SPAN, cadence, remembers: SPAN, least_writes: 21, least_equal }
    }

    /// The line of the spec that names what decides, which is in the cluster then; and its nets.
    fn put(&self, stage: &Stage) -> (String, Nets) {
        match self.named {
            Named::Bundle => {
                let bundle = quick_bundle();
                (put_quick_bundle(&stage.plane, &bundle), evidence::nets(&bundle, bundle.hash()))
            }
            Named::Rule(policy) => (format!("policy: {policy}"), Nets::new()),
        }
    }
}

#[tokio::test]
#[ignore = "soak tier: half an hour of real time"]
async fn soak_parity() {
    parity(&Case::of_bundle("soak_parity", 1, LEAST_EQUAL)).await;
}

/// The same in two minutes: to work on it.
#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_parity_fifteen_times_as_fast() {
    parity(&Case::of_bundle("soak_parity_fast", PACE, LEAST_EQUAL_FAST)).await;
}

pub(super) async fn parity(case: &Case) {
    let pace = case.pace;
    let Some(stage) = Stage::start_paced(case.test, pace, &loads::lines(&WAVES, BINS), REPLICAS).await else { return };
    let (names_policy, nets) = case.put(&stage);
    let operator = Operator::start(&stage, "operator").await;
    stage.apply_policy(&format!("mode: Enforce\n  {names_policy}"));
    until_time(Clock::wall() + case.span / pace).await;
    println!("resident memory: {:.1} MiB", operator.process.resident_mib());
    println!("status: {}", stage.status()["lastDecision"]);
    let (began, folder) = (operator.origin(), operator.log.clone());
    assert!(operator.process.terminate().await.success());

    let rows = evidence::decisions(&folder);
    let writes = stage.writes().iter().filter(|write| write.scaled()).count();
    println!("{} decisions, {writes} scale writes", rows.len());
    show_latencies(&stage, began, &rows);
    let seen = Seen { rows, entries: stage.happened(), load: load(&stage), began, pace };
    println!("samples miss the ends of the gym's slots by at most {:.1} ms", 1e3 * seen.off_phase().as_secs_f64());
    let late = seen.pods_late();
    println!("ready pods as the operator saw them: {late} of {} decisions differ from the world's", seen.rows.len());
    assert!(writes >= case.least_writes, "the load must move more: {writes} scale writes");
    compare(case, &seen, &nets);
}

fn compare(case: &Case, seen: &Seen, nets: &Nets) {
    let of_log = seen.gym(&seen.pods_of_log());
    show("the gym, fed with the ready pods of the decision log", &seen.errors(&of_log));
    let gym = seen.gym(&ready_pods(&seen.entries));
    let errors = seen.errors(&gym);
    show("the gym, fed with the ready pods of the world's log", &errors);
    let (otherwise, compared) = (seen.otherwise(&gym, nets), seen.rows.len());
    let equal = compared - otherwise.len();
    let equal_of_log = compared - seen.otherwise(&of_log, nets).len();
    println!(
        "decisions on the gym's observations: {equal} of {compared} equal; with the decision log's pods {equal_of_log}"
    );
    seen.show_otherwise(&gym, &otherwise);
    let misread = seen.misread(&gym);
    let moved = misread.iter().filter(|slot| seen.pods_moved_in(**slot)).count();
    let clean: Vec<usize> = (0..compared).filter(|row| !seen.rests_on(*row, &misread, case.remembers)).collect();
    let clean_otherwise = otherwise.iter().filter(|(row, _)| clean.contains(row)).count();
    println!(
        "slots of which more than 1 % of the requests were not seen: {misread:?}; pods came or went within {moved} of {}; \
         of the {} decisions that rest on none of them, {clean_otherwise} differ",
        misread.len(),
        clean.len()
    );
    let again = evidence::replay_telling(&seen.rows, nets, |_, _| {});
    println!(
        "decisions on the log's own observations: {} made again, {} differ",
        again.compared,
        again.differing.len()
    );

    assert!(compared as f64 >= 0.9 * case.span.as_secs_f64() / case.cadence.as_secs_f64(), "{compared} decisions");
    assert!(again.skipped == 0 && again.differing.is_empty(), "{again:?}");
    for (feature, errors) in &errors {
        assert!(errors.median() <= MOST_ERROR, "{feature:?}: the median error is {}", errors.median());
        let alone = errors.only_operator + errors.only_gym;
        assert!(alone <= errors.relative.len() / 20, "{feature:?}: {alone} samples are known to one of both alone");
    }
    let named_decided = seen.rows.iter().filter(|row| row.decided_by != "fallback").count();
    assert!(named_decided as f64 >= 0.9 * compared as f64, "the fallback decided {}", compared - named_decided);
    assert!(equal as f64 >= case.least_equal * compared as f64, "{equal} of {compared} decisions are equal");
    let excused =
        matches!(case.named, Named::Bundle) || clean_otherwise as f64 <= MOST_UNEXPLAINED * clean.len() as f64;
    assert!(excused, "{clean_otherwise} of {} decisions differ on what was read well", clean.len());
}

/// The load that the world played.
fn load(stage: &Stage) -> EpisodeLoad {
    let trace = stage.plane.scratch().join("rehearsed_load.parquet");
    let settings = WorldSettings { part: Part::Whole, ..WorldSettings::new(trace.to_str().unwrap(), "default", "web") };
    settings.load().unwrap()
}

/// The gym's features of each slot, by its number.
type Gym = BTreeMap<i64, Metrics>;

/// What was seen on the cluster.
struct Seen {
    rows: Vec<OperatedDecision>,
    entries: Vec<Entry>,
    load: EpisodeLoad,
    /// Where the operator's model time began, by the clock.
    began: Timestamp,
    pace: i64,
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
    fn pods_of_log(&self) -> Vec<(Timestamp, u32)> {
        let decided = self.decided_at();
        let before = decided.iter().take(1).chain(&decided);
        before.zip(&self.rows).map(|(at, row)| (*at, row.record.ready)).collect()
    }

    /// When decisions were made, in the world's time.
    fn decided_at(&self) -> Vec<Timestamp> {
        self.rows.iter().map(|row| self.in_world(Timestamp::from_micros(row.record.at_us))).collect()
    }

    /// Decisions at which the operator saw other ready pods than the world had.
    fn pods_late(&self) -> usize {
        let other = |at: &Timestamp, row: &OperatedDecision| {
            let now = self.entries.iter().find(|entry| (entry.from..entry.until).contains(at));
            now.is_some_and(|entry| entry.ready != row.record.ready)
        };
        self.decided_at().iter().zip(&self.rows).filter(|(at, row)| other(at, row)).count()
    }

    fn gym(&self, ready: &[(Timestamp, u32)]) -> Gym {
        let slots = replay_features(&Scenario::protocol_p1(), &self.load, 1, ready).unwrap();
        (1..).zip(slots.into_iter().map(|(_, metrics)| metrics)).collect()
    }

    /// The samples that were decided on, by the slot that ends with them.
    fn samples(&self) -> BTreeMap<i64, &OperatedDecision> {
        self.rows.iter().filter_map(|row| Some((self.slot(load_at(row)?).0, row))).collect()
    }

    /// By how much samples miss the ends of their slots: the most, by the clock.
    fn off_phase(&self) -> Span {
        let late = |row| Some(self.slot(load_at(row)?).1);
        let most = self.rows.iter().filter_map(late).map(|late| late.max(Span::ZERO - late)).max();
        most.unwrap_or(Span::ZERO) / self.pace
    }

    /// The errors of every feature that the gym knows.
    fn errors(&self, gym: &Gym) -> Vec<(Feature, Errors)> {
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
    fn otherwise(&self, gym: &Gym, nets: &Nets) -> Vec<(usize, u32)> {
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
    fn show_otherwise(&self, gym: &Gym, otherwise: &[(usize, u32)]) {
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
    fn misread(&self, gym: &Gym) -> Vec<i64> {
        let rate = |metrics: &Metrics| metrics.get(Feature::HttpRequestsTotalRate).map(|sample| sample.value);
        let off = |slot: &i64, row: &OperatedDecision| {
            let pair = rate(&row.observation.metrics).zip(rate(&gym[slot]));
            pair.is_none_or(|(read, of_gym)| (read - of_gym).abs() > 0.01 * of_gym)
        };
        self.samples().iter().filter(|(slot, row)| off(slot, row)).map(|(slot, _)| *slot).collect()
    }

    /// Whether pods became ready or ended within a slot.
    fn pods_moved_in(&self, slot: i64) -> bool {
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
    fn rests_on(&self, row: usize, slots: &[i64], remembers: Span) -> bool {
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

/// How far a feature is from the gym's.
#[derive(Default)]
struct Errors {
    /// Relative errors where both know it.
    relative: Vec<f64>,
    /// Samples that only the operator knows, and only the gym.
    only_operator: usize,
    only_gym: usize,
}

impl Errors {
    /// Of pairs of what the operator read and what the gym shows.
    fn of(pairs: impl Iterator<Item = (Option<f64>, Option<f64>)>) -> Self {
        let mut errors = Self::default();
        for pair in pairs {
            match pair {
                (Some(read), Some(gym)) => errors.relative.push((read - gym).abs() / gym.max(LEAST)),
                (Some(_), None) => errors.only_operator += 1,
                (None, Some(_)) => errors.only_gym += 1,
                (None, None) => {}
            }
        }
        errors.relative.sort_by(f64::total_cmp);
        errors
    }

    fn median(&self) -> f64 {
        self.at(0.5)
    }

    fn at(&self, share: f64) -> f64 {
        self.relative[((self.relative.len() - 1) as f64 * share).round() as usize]
    }
}

fn show(whose: &str, errors: &[(Feature, Errors)]) {
    println!("relative error against {whose}:");
    println!("  feature                             | samples |  median |    p95 |    most | only operator | only gym");
    for (feature, errors) in errors {
        let percent = |share: f64| 100.0 * errors.at(share);
        println!(
            "  {:35} | {:7} | {:6.3}% | {:5.2}% | {:6.2}% | {:13} | {:8}",
            name_of(*feature),
            errors.relative.len(),
            percent(0.5),
            percent(0.95),
            percent(1.0),
            errors.only_operator,
            errors.only_gym
        );
    }
}

fn show_latencies(stage: &Stage, began: Timestamp, rows: &[OperatedDecision]) {
    let writes: Vec<Write> = stage.writes();
    let latencies = evidence::latencies(stage, began, rows, &writes);
    let at = |share: f64| latencies.get(((latencies.len().max(1) - 1) as f64 * share) as usize);
    println!("end of scrape to scale write: {} writes, median {:?} s, most {:?} s", latencies.len(), at(0.5), at(1.0));
}
