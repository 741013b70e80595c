//! The operator sees and decides what the gym does: half an hour in real time, then the gym is fed with the pods that were
//! ready, and both are laid side by side.
//!
//! The world begins with the first scrape, and scrapes come at the gym's slot length, so the gym's slots end where the samples
//! are: no interpolation, and no phase to be found. What is left of the phase is how late a scrape is answered; it is shown.
//!
//! Decisions are made again by the core from the state in which the operator began, on the logged observations with the metrics,
//! their times and the pods' CPU replaced by the gym's. Pods come from the log: in both worlds they are what the API server tells.

use std::collections::BTreeMap;

use seatrial_core::bundle::Bundle;
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
use super::process::until_time;
use super::stage::{Operator, PACE, SCRAPE_S, Stage, put_quick_bundle, quick_bundle};
use super::{evidence, loads};

/// How long the operator acts, in model time.
const SPAN: Span = Span::from_secs(30 * 60);
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
const LEAST_EQUAL_FAST: f64 = 0.9;

#[tokio::test]
#[ignore = "soak tier: half an hour of real time"]
async fn soak_parity() {
    parity("soak_parity", 1, LEAST_EQUAL).await;
}

/// The same in two minutes: to work on it.
#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_parity_fifteen_times_as_fast() {
    parity("soak_parity_fast", PACE, LEAST_EQUAL_FAST).await;
}

async fn parity(test: &str, pace: i64, least_equal: f64) {
    let Some(stage) = Stage::start_paced(test, pace, &loads::lines(&WAVES, BINS), REPLICAS).await else { return };
    let bundle = quick_bundle();
    let names_bundle = put_quick_bundle(&stage.plane, &bundle);
    let operator = Operator::start(&stage, "operator").await;
    stage.apply_policy(&format!("mode: Enforce\n  {names_bundle}"));
    until_time(Clock::wall() + SPAN / pace).await;
    println!("resident memory: {:.1} MiB", operator.process.resident_mib());
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
    let of_log = seen.gym(&seen.pods_of_log());
    show("the gym, fed with the ready pods of the decision log", &seen.errors(&of_log));
    let gym = seen.gym(&ready_pods(&seen.entries));
    let errors = seen.errors(&gym);
    show("the gym, fed with the ready pods of the world's log", &errors);
    let (equal, compared) = (seen.equal(&gym, &bundle), seen.rows.len());
    let equal_of_log = seen.equal(&of_log, &bundle);
    println!(
        "decisions on the gym's observations: {equal} of {compared} equal; with the decision log's pods {equal_of_log}"
    );

    assert!(compared as f64 >= 0.9 * SPAN.as_secs_f64() / SCRAPE_S as f64, "{compared} decisions");
    assert!(writes > 20, "the load must move more: {writes} scale writes");
    for (feature, errors) in &errors {
        assert!(errors.median() <= MOST_ERROR, "{feature:?}: the median error is {}", errors.median());
        let alone = errors.only_operator + errors.only_gym;
        assert!(alone <= errors.relative.len() / 20, "{feature:?}: {alone} samples are known to one of both alone");
    }
    assert!(equal as f64 >= least_equal * compared as f64, "{equal} of {compared} decisions are equal");
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

    /// Decisions that the core makes equally on the gym's observations.
    fn equal(&self, gym: &Gym, bundle: &Bundle) -> usize {
        let rows: Vec<OperatedDecision> = self.rows.iter().map(|row| self.as_in_gym(row, gym)).collect();
        let mut otherwise = 0;
        let again = |row: usize, again: seatrial_core::record::DecisionRecord| {
            otherwise += usize::from(again.decided != rows[row].record.decided);
        };
        let report = evidence::replay_telling(&rows, bundle, again);
        assert_eq!(report.skipped, 0, "every decision can be made again");
        rows.len() - otherwise
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
