//! Properties of backoff over arbitrary tables and histories, and delays that client-go really computed.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test reads vectors from files")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use proptest::prelude::*;
use seatrial_core::control::backoff::{BackoffRow, BackoffState, BackoffTable, FailedTry, LONGEST_HINT};
use seatrial_core::control::error_class::ErrorClass;
use seatrial_core::time::{Span, Timestamp};
use serde_json::Value;

/// First delay and what the cap adds to it: up to 17 minutes.
fn ordinary() -> impl Strategy<Value = (i64, i64)> {
    (1_i64..10_000_000, 0_i64..1_000_000_000)
}

fn row_of(spans: impl Strategy<Value = (i64, i64)>) -> impl Strategy<Value = BackoffRow> {
    (spans, 1.0..=100.0_f64, 0.0..=1.0_f64, any::<bool>()).prop_map(|((first, more), factor, jitter, at_once)| {
        let cap = Span::from_micros(first) + Span::from_micros(more);
        BackoffRow { first: Span::from_micros(first), factor, cap, jitter, at_once }
    })
}

/// Any row that is allowed, up to the end of time.
fn row() -> impl Strategy<Value = BackoffRow> {
    row_of(prop_oneof![ordinary(), (1..=i64::MAX, 1..=i64::MAX)])
}

#[derive(Clone, Copy, Debug)]
struct Step {
    /// When it fails: this many thousandths of the delay that was answered before.
    thousandths: i64,
    class: ErrorClass,
    hint: Option<i64>,
    draw: f64,
}

fn step() -> impl Strategy<Value = Step> {
    let hint = proptest::option::of(prop_oneof![-10_i64..5_000_000_000, any::<i64>()]);
    let thousandths = prop_oneof![2 => Just(1_000), 2 => 0_i64..1_000, 1 => 1_000_i64..3_000];
    (thousandths, proptest::sample::select(&ErrorClass::ALL[..3]), hint, 0.0..1.0_f64)
        .prop_map(|(thousandths, class, hint, draw)| Step { thousandths, class, hint, draw })
}

/// One failure and its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    failed: FailedTry,
    before: BackoffState,
    delay: Span,
    after: BackoffState,
}

fn replay(table: &BackoffTable, steps: &[Step]) -> Vec<Answer> {
    let (mut from, mut delay, mut before) = (Timestamp::ZERO, Span::ZERO, BackoffState::default());
    let mut answers = Vec::new();
    for step in steps {
        let passed = i128::from(delay.micros()) * i128::from(step.thousandths) / 1_000;
        let at = from + Span::from_micros(passed.try_into().unwrap_or(i64::MAX));
        let failed = FailedTry { class: step.class, server_hint: step.hint.map(Span::from_micros), at };
        let after;
        (delay, after) = table.next(before, &failed, step.draw);
        answers.push(Answer { failed, before, delay, after });
        (from, before) = (at, after);
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn delays_stay_in_their_bounds(row in row(), steps in proptest::collection::vec(step(), 1..60)) {
        let table = BackoffTable::uniform(row).unwrap();
        for Answer { failed, before, delay, .. } in replay(&table, &steps) {
            let hint = failed.server_hint.unwrap_or(Span::ZERO).clamp(Span::ZERO, LONGEST_HINT);
            let left = before.waits_until().map_or(Span::ZERO, |until| (until - failed.at).max(Span::ZERO));
            prop_assert!(delay >= hint.max(left), "a hint and what was left are lower bounds");
            // Doubles hold microseconds exactly up to 285 years; a millionth part covers the caps beyond.
            let cap = row.cap + row.cap / 1_000_000;
            prop_assert!(delay <= cap.max(hint + cap).max(left), "never above the cap but for a hint or a rest");
            prop_assert!(delay >= Span::ZERO);
        }
    }

    #[test]
    fn a_step_is_taken_only_if_the_delay_was_served(row in row(), steps in proptest::collection::vec(step(), 1..60)) {
        let table = BackoffTable::uniform(row).unwrap();
        for Answer { failed, before, after, .. } in replay(&table, &steps) {
            let served = before.waits_until().is_none_or(|until| until <= failed.at);
            for class in ErrorClass::ALL {
                let first = before.failures(class) == 0;
                let counts = class == failed.class && (served || first);
                prop_assert_eq!(after.failures(class), before.failures(class) + u16::from(counts));
            }
        }
    }

    /// Without hints, and with every delay served, the range that a delay is drawn from is `[(1 - j)·d, d]`, and d never falls.
    #[test]
    fn served_delays_never_fall_and_jitter_keeps_its_share(row in row_of(ordinary()), draw in 0.0..1.0_f64) {
        let table = BackoffTable::uniform(row).unwrap();
        let served = |draw| {
            let step = Step { thousandths: 1_000, class: ErrorClass::Timeout, hint: None, draw };
            replay(&table, &[step; 40]).iter().map(|answer| answer.delay).collect::<Vec<_>>()
        };
        let (lowest, drawn, highest) = (served(0.0), served(draw), served(1.0));
        prop_assert!(highest.windows(2).all(|pair| pair[0] <= pair[1]), "{highest:?}");
        for ((low, mid), high) in lowest.into_iter().zip(drawn).zip(highest) {
            prop_assert!(low <= mid && mid <= high);
            let expected = high.as_secs_f64() * (1.0 - row.jitter);
            prop_assert!((low.as_secs_f64() - expected).abs() <= 3e-6 + high.as_secs_f64() * 1e-9, "{low:?} of {high:?}");
        }
    }

    #[test]
    fn the_same_history_gives_the_same_answers(row in row(), steps in proptest::collection::vec(step(), 1..30)) {
        let table = BackoffTable::uniform(row).unwrap();
        prop_assert_eq!(replay(&table, &steps), replay(&table.clone(), &steps));
    }
}

/// Cases of a family, or nothing with a word about it where the environment does not name the folder.
fn vectors(family: &str) -> Vec<Value> {
    let Some(folder) = std::env::var_os("SEATRIAL_VECTORS") else {
        eprintln!("{family}: SKIPPED, SEATRIAL_VECTORS is not set: point it to the folder of golden vectors");
        return Vec::new();
    };
    let path = PathBuf::from(folder).join(format!("{family}.jsonl.gz"));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let parse = |line: std::io::Result<String>| serde_json::from_str(&line.unwrap_or_default());
    lines.map(|line| parse(line).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).collect()
}

fn number(case: &Value, key: &str) -> i64 {
    case[key].as_i64().unwrap_or_else(|| panic!("{key} of {case}"))
}

/// Numbers of another system in nanoseconds as one row for all classes, if such a row makes sense.
fn plain_row(base_ns: i64, max_ns: i64, factor: f64) -> Option<BackoffTable> {
    let (first, cap) = (Span::from_micros(base_ns / 1_000), Span::from_micros(max_ns / 1_000));
    BackoffTable::uniform(BackoffRow { first, factor, cap, jitter: 0.0, at_once: false }).ok()
}

fn close(got: Span, expected_ns: i64) -> bool {
    (got.micros() - expected_ns / 1_000).abs() <= 1 + expected_ns / 1_000_000_000
}

/// client-go's exponential limiter counts every failure; if each comes when its delay was served, ours must say the same.
#[test]
fn vectors_of_the_exponential_limiter() {
    let cases = vectors("workqueue_limiters");
    let mut compared = 0;
    for case in cases.iter().filter(|case| case["limiter"]["kind"] == "exponential") {
        let (base, max) = (number(&case["limiter"], "base_ns"), number(&case["limiter"], "max_ns"));
        let Some(table) = plain_row(base, max, 2.0) else { continue };
        let mut states: BTreeMap<&str, BackoffState> = BTreeMap::new();
        for op in case["ops"].as_array().unwrap() {
            let state = states.entry(op["item"].as_str().unwrap()).or_default();
            match op["op"].as_str().unwrap() {
                "when" => {
                    let at = state.waits_until().unwrap_or(Timestamp::ZERO);
                    let failed = FailedTry { class: ErrorClass::Transient, server_hint: None, at };
                    let (delay, after) = table.next(*state, &failed, 0.5);
                    assert!(close(delay, number(op, "delay_ns")), "case {}: {delay:?}, {op}", case["id"]);
                    *state = after;
                    compared += 1;
                }
                "forget" => *state = state.succeeded(),
                _ => assert_eq!(i64::from(state.failures(ErrorClass::Transient)), number(op, "requeues")),
            }
        }
    }
    assert!(cases.is_empty() || compared > 1_000, "only {compared} delays were compared");
    println!("exponential limiter: {compared} delays agree");
}

/// apimachinery's `wait.Backoff`, up to where its steps run out.
#[test]
fn vectors_of_wait_backoff() {
    let cases = vectors("backoffs");
    let mut compared = 0;
    for case in cases.iter().filter(|case| case["kind"] == "wait_backoff") {
        let cap = if number(case, "cap_ns") == 0 { i64::MAX } else { number(case, "cap_ns") };
        let factor = case["factor"].as_f64().unwrap();
        let Some(table) = plain_row(number(case, "duration_ns"), cap, factor) else { continue };
        let mut state = BackoffState::default();
        for expected in case["expect_delay_ns"].as_array().unwrap().iter().take(number(case, "steps") as usize) {
            let at = state.waits_until().unwrap_or(Timestamp::ZERO);
            let failed = FailedTry { class: ErrorClass::Transient, server_hint: None, at };
            let delay;
            (delay, state) = table.next(state, &failed, 0.5);
            // Past the largest moment nothing can be served.
            if state.waits_until() == Some(Timestamp::from_micros(i64::MAX)) {
                break;
            }
            assert!(close(delay, expected.as_i64().unwrap()), "case {}: {delay:?}, not {expected} ns", case["id"]);
            compared += 1;
        }
    }
    assert!(cases.is_empty() || compared > 300, "only {compared} delays were compared");
    println!("wait.Backoff: {compared} delays agree");
}
