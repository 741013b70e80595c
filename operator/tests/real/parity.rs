//! The operator sees and decides what the gym does: half an hour in real time, then the gym is fed with the pods that were
//! ready, and both are laid side by side.
//!
//! The world begins with the first scrape, and scrapes come at the gym's slot length, so the gym's slots end where the samples
//! are: no interpolation, and no phase to be found. What is left of the phase is how late a scrape is answered; it is shown.
//!
//! Decisions are made again by the core from the state in which the operator began, on the logged observations with the metrics,
//! their times and the pods' CPU replaced by the gym's. Pods come from the log: in both worlds they are what the API server tells.

mod errors;
mod seen;

use seatrial_core::record::OperatedDecision;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::load::EpisodeLoad;
use seatrial_operator::clock::Clock;
use seatrial_operator::world::WorldSettings;
use seatrial_operator::world::load::Part;
use seatrial_operator::world::log::ready_pods;

use self::errors::show;
use self::seen::Seen;
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

fn show_latencies(stage: &Stage, began: Timestamp, rows: &[OperatedDecision]) {
    let writes: Vec<Write> = stage.writes();
    let latencies = evidence::latencies(stage, began, rows, &writes);
    let at = |share: f64| latencies.get(((latencies.len().max(1) - 1) as f64 * share) as usize);
    println!("end of scrape to scale write: {} writes, median {:?} s, most {:?} s", latencies.len(), at(0.5), at(1.0));
}
