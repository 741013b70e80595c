//! Reads the cases of a family, runs a check on each, and reports the first that differs: file, id, step, expected, got.

use std::fmt::Debug;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

/// Where a case and this repository part ways. Later steps follow from this one, so a case stops here.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The case.
    pub(crate) id: u64,
    /// The index of its step or operation; `None` where the case is a single question.
    pub(crate) step: Option<usize>,
    /// What the real system answered.
    pub(crate) expected: String,
    /// What came out here.
    pub(crate) got: String,
}

impl Difference {
    /// Nothing where both agree, else a difference that shows them as Rust writes them.
    pub(crate) fn between<T: PartialEq + Debug>(
        id: u64,
        step: Option<usize>,
        expected: &T,
        got: &T,
    ) -> Result<(), Self> {
        if expected == got {
            return Ok(());
        }
        Err(Self { id, step, expected: format!("{expected:?}"), got: format!("{got:?}") })
    }

    fn report(&self, file: &str) -> String {
        let Self { id, step, expected, got } = self;
        let step = step.map(|step| format!(", step {step}")).unwrap_or_default();
        format!("{file}, id {id}{step}:\n  expected {expected}\n  got      {got}")
    }
}

/// Runs `check` on every case of the committed sample and, where `SEATRIAL_VECTORS` names their folder, of the full file.
pub(crate) fn run<C: DeserializeOwned>(family: &str, check: impl Fn(&C) -> Result<(), Difference>) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{family}.sample.jsonl.gz"));
    let sampled = run_file(&sample, &check).unwrap_or_else(|report| panic!("{report}"));
    match full_file(family) {
        Some(full) => {
            let ran = run_file(&full, &check).unwrap_or_else(|report| panic!("{report}"));
            println!("{family}: all {ran} cases agree, and the {sampled} of the committed sample");
        }
        None => println!("{family}: the {sampled} cases of the committed sample agree (SEATRIAL_VECTORS is not set)"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the full vectors lie outside the checkout")]
fn full_file(family: &str) -> Option<PathBuf> {
    std::env::var_os("SEATRIAL_VECTORS").map(|folder| PathBuf::from(folder).join(format!("{family}.jsonl.gz")))
}

/// The number of cases that agree, or the report of the first that does not.
#[expect(clippy::disallowed_types, reason = "vectors are read from files")]
fn run_file<C: DeserializeOwned>(path: &Path, check: &impl Fn(&C) -> Result<(), Difference>) -> Result<usize, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    let mut ran = 0;
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let unreadable = |error: &dyn std::fmt::Display| format!("{name}, line {}: {error}", ran + 1);
        let line = line.map_err(|error| unreadable(&error))?;
        let case: C = serde_json::from_str(&line).map_err(|error| unreadable(&error))?;
        check(&case).map_err(|difference| difference.report(name))?;
        ran += 1;
    }
    if ran == 0 { Err(format!("{name} is empty")) } else { Ok(ran) }
}

/// The reader's own tests: a report that never fires would let every family pass.
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct AnyCase {
        id: u64,
    }

    /// The samples of the core, also where another crate includes this file.
    fn sample(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data").join(name)
    }

    #[test]
    fn vectors_that_differ_are_reported_with_file_id_step_expected_and_got() {
        let report = run_file(&sample("cron.sample.jsonl.gz"), &|case: &AnyCase| {
            Difference::between(case.id, Some(3), &"up", if case.id == 0 { &"up" } else { &"down" })
        })
        .unwrap_err();
        let (place, rest) = report.split_once('\n').unwrap();
        assert!(place.starts_with("cron.sample.jsonl.gz, id ") && place.ends_with(", step 3:"), "{report}");
        assert!(!place.contains("id 0,"), "the first case agrees: {report}");
        assert_eq!(rest, "  expected \"up\"\n  got      \"down\"");
    }

    #[test]
    fn vectors_that_are_absent_or_of_another_shape_are_errors() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Narrow {
            #[serde(rename = "id")]
            _id: u64,
        }
        let absent = run_file(&sample("none.jsonl.gz"), &|_: &AnyCase| Ok(())).unwrap_err();
        assert!(absent.contains("none.jsonl.gz"), "{absent}");
        let overlooked = run_file(&sample("cron.sample.jsonl.gz"), &|_: &Narrow| Ok(())).unwrap_err();
        assert!(overlooked.starts_with("cron.sample.jsonl.gz, line 1: unknown field"), "{overlooked}");
    }
}
