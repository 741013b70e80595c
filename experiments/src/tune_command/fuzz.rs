//! Mutated manifests and traces: readers answer with a result or an error, never with a panic, and edits change nothing else.
//!
//! The mutations are drawn by the counter-based generator, so a failure comes back with its number.

use seatrial_core::rand::{Stream, below};

use super::candidates::Candidate;
use super::{changes, inputs, manifest, parts, yaml};

const MANIFESTS: [&str; 3] = [
    include_str!("../../tests/data/tune/web.yaml"),
    include_str!("../../tests/data/tune/nasa.yaml"),
    include_str!("../../tests/data/tune/app.yaml"),
];

/// Draws of one mutation.
struct Draws {
    case: u64,
    index: u32,
}

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.index += 1;
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(below(0xF022, Stream::Search, self.case, self.index, bound)).unwrap()
    }
}

/// Pieces that parsers stumble over.
const PIECES: [&str; 28] = [
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: ",
    "\"",
    "'",
    "#",
    "|\n",
    ">\n",
    "---\n",
    "\t",
    "é",
    "\u{feff}",
    "-1",
    "99999999999999999999",
    "1e309",
    "null",
    "!!int ",
    "? ",
    "%",
    ",",
];

/// One to four random cuts, doublings, swaps and insertions.
fn mutated(text: &str, case: u64) -> String {
    let mut draws = Draws { case, index: 0 };
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=draws.below(3) {
        let from = draws.below(chars.len()).min(chars.len());
        let to = (from + draws.below(24)).min(chars.len());
        match draws.below(16) {
            0 => drop(chars.drain(from..to)),
            1 => {
                let piece: Vec<char> = chars[from..to].to_vec();
                let at = draws.below(chars.len());
                chars.splice(at..at, piece);
            }
            2 => {
                let piece = PIECES[draws.below(PIECES.len())].chars();
                chars.splice(from..from, piece);
            }
            3 => {
                let piece = PIECES[draws.below(PIECES.len())].chars();
                chars.splice(from..to, piece);
            }
            4 => chars.truncate(from),
            // Most mutations are small, so that some texts still say something.
            _ => {
                let digit = char::from(b'0' + u8::try_from(draws.below(10)).unwrap());
                chars.splice(from..(from + 1).min(chars.len()), [digit]);
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn no_manifest_makes_the_reader_or_the_editor_panic() {
    let candidate = Candidate { target: Some(61.0), hold_s: Some(45), ..Candidate::default() };
    let (mut read, mut edited) = (0, 0);
    for case in 0..20_000_u64 {
        let text = mutated(MANIFESTS[usize::try_from(case % 3).unwrap()], case);
        let Ok(manifest) = manifest::parse("f", &text, None) else { continue };
        read += 1;
        for scaler in &manifest.scalers {
            let wanted = changes::of(&candidate, scaler, &manifest);
            let Ok(after) = changes::apply(&text, scaler.document, &wanted) else { continue };
            edited += 1;
            let again =
                manifest::parse("f", &after, None).unwrap_or_else(|faults| panic!("case {case}: {faults:?}\n{after}"));
            let same = again.scalers.iter().find(|other| other.label() == scaler.label()).unwrap();
            assert!((same.metric.target - 61.0).abs() < 1e-9, "case {case}:\n{after}");
            assert_eq!(same.rules(false).stabilization_window_seconds, Some(45), "case {case}:\n{after}");
        }
    }
    // The harness reaches what is behind the parser, or it would prove nothing.
    assert!(read > 4_000 && edited > 3_000, "{read} read, {edited} edited");
}

fn csv() -> String {
    let rows =
        (0..90).map(|minute| format!("2026-01-05T{:02}:{:02}:00Z,{},3,55.5\n", minute / 60, minute % 60, 600 + minute));
    "time,requests,replicas,cpu_percent\n".to_owned() + &rows.collect::<String>()
}

fn answer() -> String {
    let points: Vec<String> = (0..90).map(|i| format!("[{},\"{}.5\"]", 1_700_000_000 + 60 * i, 10 + i)).collect();
    let series = |name: &str| format!("{{\"metric\":{{\"service\":\"{name}\"}},\"values\":[{}]}}", points.join(","));
    format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{},{}]}}}}",
        series("web"),
        series("api")
    )
}

#[test]
fn no_trace_makes_the_readers_panic() {
    let sources = [csv(), answer()];
    let mut read = [0, 0];
    for case in 0..6_000_u64 {
        let which = usize::try_from(case % 2).unwrap();
        let text = mutated(&sources[which], 1_000_000 + case);
        let Ok(inputs) = inputs::foreign("f", text.as_bytes()) else { continue };
        read[which] += 1;
        for offered in &inputs.series {
            // Short as it is, splitting must come to an answer or an error.
            let _ = parts::split(offered, "f");
        }
    }
    assert!(read.iter().all(|read| *read > 100), "{read:?}");
}

#[test]
fn bytes_that_are_no_text_and_trees_without_end_are_refused() {
    assert!(inputs::foreign("f", &[0xff, 0xfe, 0x00]).is_err());
    assert!(inputs::foreign("f", b"").is_err());
    let deep = "[".repeat(100_000);
    assert!(yaml::read(&deep).is_err());
    let levels: String =
        (1..12).map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(","))).collect();
    let bomb = format!("a0: &a0 x\n{levels}");
    assert!(yaml::read(&bomb).unwrap_err().reason.contains("aliases unfolded"));
    assert!(yaml::read("a: &a [*a]\n").is_err());
}
