//! What was exported is what is run: one changed byte in a bundle or in the files of a study beside it, and both commands
//! that read the folder refuse it with one message that names the file and what to do.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use seatrial_core::bundle::{GOLDEN_FILE, POLICY_FILE, WEIGHTS_FILE, hash};
use seatrial_experiments::bundle_folder;
use seatrial_experiments::learned::{LEARNED_FILE, LearnedSet};
use seatrial_experiments::tuned::{TUNED_FILE, Tuned};

const FORECASTER: &str = "forecasters/google_cluster_5min.safetensors";
const PERSISTENCE: &str = "attribution/persistence.safetensors";

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/quick")
}

/// A copy of the committed bundle, to be spoilt.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        for folder in ["", "attribution", "forecasters"] {
            std::fs::create_dir_all(copy.path(folder)).unwrap();
            for entry in std::fs::read_dir(committed().join(folder)).unwrap() {
                let file = entry.unwrap();
                if file.path().is_file() {
                    std::fs::copy(file.path(), copy.path(folder).join(file.file_name())).unwrap();
                }
            }
        }
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("bundle").join(name)
    }

    /// Replaces the first `from` of a text file.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        std::fs::write(self.path(name), text.replacen(from, to, 1)).unwrap();
    }

    /// Turns the last bit of a file around.
    fn flip(&self, name: &str) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Seals the card again, as someone would who knows how.
    fn reseal(&self) {
        let text = std::fs::read_to_string(self.path(POLICY_FILE)).unwrap();
        let old = &text[text.rfind("\"hash\": \"").unwrap() + 9..][..64];
        let open = text.replacen(old, "", 1);
        std::fs::write(self.path(POLICY_FILE), text.replacen(old, &hash(open.as_bytes()), 1)).unwrap();
    }

    fn seatrial(&self, arguments: &[&str]) -> Output {
        let out = self.0.path().join("out");
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
        command.args(arguments).arg("--out").arg(out).env_remove("SEATRIAL_TRACES").output().unwrap()
    }

    fn evaluate(&self) -> Output {
        self.evaluate_with(&[])
    }

    fn evaluate_with(&self, more: &[&str]) -> Output {
        let bundle = self.path("").display().to_string();
        self.seatrial(&[&["evaluate", "--bundle", &bundle, "--traces", "generated_web_1min"], more].concat())
    }

    /// The last day under one seed, with rules tuned as little as can be.
    fn evaluate_briefly(&self) -> Output {
        let sets = ["tune.grid_share=0.01", "tune.days=1", "tune.physics_step_s=15", "traces.0.window=last-day"];
        let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        self.evaluate_with(&[&more[..], &["--set", "seeds.evaluation=[101]"]].concat())
    }

    /// An operator's copy: the files of studies stay behind.
    fn strip(&self) {
        for folder in ["attribution", "forecasters"] {
            std::fs::remove_dir_all(self.path(folder)).unwrap();
        }
        for file in [LEARNED_FILE, TUNED_FILE] {
            std::fs::remove_file(self.path(file)).unwrap();
        }
    }

    fn manifest(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.0.path().join("out/manifest.json")).unwrap()).unwrap()
    }

    /// `run quick` from this folder instead of the committed one.
    fn run(&self, more: &[&str]) -> Output {
        let bundle = format!("bundle={:?}", self.path("").display().to_string());
        self.seatrial(&[&["run", "quick", "--set", &bundle], more].concat())
    }
}

/// The one message of a command that must fail.
fn message(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.lines().filter(|line| line.starts_with("error: ")).count() == 1 && !text.contains("panicked"),
        "{text}"
    );
    text
}

/// Both commands refuse the folder after `change`, naming the file, both hashes in full, and a remedy.
fn refused(file: &str, change: impl FnOnce(&Copy)) {
    let copy = Copy::new();
    change(&copy);
    for output in [copy.evaluate(), copy.run(&[])] {
        let text = message(&output);
        let digests = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64);
        let mut digests: Vec<&str> = digests.collect();
        digests.dedup();
        assert!(text.contains(file) && digests.len() == 2, "{file}: {text}");
        assert!(!text.contains(": bundle: ") && !text.contains("bundle bundle"), "the folder is named once: {text}");
        assert!(["copy it again", "restore it"].iter().any(|remedy| text.contains(remedy)), "{file}: {text}");
    }
}

#[test]
fn an_edited_digit_of_evidence_is_refused() {
    refused(POLICY_FILE, |copy| copy.edit(POLICY_FILE, "\"value\": -0.0", "\"value\": -0.1"));
}

#[test]
fn edited_parameters_of_rules_are_refused() {
    refused(TUNED_FILE, |copy| copy.edit(TUNED_FILE, "\"margin\": 1.", "\"margin\": 2."));
}

#[test]
fn an_edited_forecaster_is_refused() {
    refused(FORECASTER, |copy| copy.flip(FORECASTER));
}

#[test]
fn an_edited_list_of_members_is_refused() {
    refused(LEARNED_FILE, |copy| copy.edit(LEARNED_FILE, "\"seed\": 30", "\"seed\": 31"));
}

#[test]
fn edited_attribution_weights_are_refused() {
    refused(PERSISTENCE, |copy| copy.flip(PERSISTENCE));
}

#[test]
fn edited_weights_are_refused() {
    refused(WEIGHTS_FILE, |copy| copy.flip(WEIGHTS_FILE));
}

#[test]
fn edited_golden_rows_are_refused() {
    refused(GOLDEN_FILE, |copy| copy.edit(GOLDEN_FILE, "\"replicas\":", "\"replicas\":1"));
}

#[test]
fn parameters_are_refused_without_a_card_that_names_them() {
    // Rules alone need no weights, so nothing else would open the card.
    let rules = ["--set", "strategies=[\"hpa-tuned\"]", "--set", "registered=false"];
    let copy = Copy::new();
    copy.edit(TUNED_FILE, "\"margin\": 1.", "\"margin\": 2.");
    assert!(message(&copy.run(&rules)).contains(TUNED_FILE));
    for name in [POLICY_FILE, WEIGHTS_FILE, GOLDEN_FILE] {
        std::fs::remove_file(copy.path(name)).unwrap();
    }
    let text = message(&copy.run(&rules));
    assert!(text.contains("no policy.json"), "{text}");

    let copy = Copy::new();
    copy.edit(POLICY_FILE, &format!("\"{TUNED_FILE}\""), "\"other.json\"");
    std::fs::copy(copy.path(TUNED_FILE), copy.path("other.json")).unwrap();
    copy.reseal();
    bundle_folder::load(&copy.path("")).unwrap();
    let text = message(&copy.run(&rules));
    assert!(text.contains("tuned.json") && text.contains("does not name this file"), "{text}");
}

#[test]
fn an_edited_forecaster_of_a_run_is_refused() {
    let run = Copy::new();
    std::fs::remove_file(run.path(POLICY_FILE)).unwrap();
    std::fs::write(run.path("config.resolved.toml"), "").unwrap();
    assert!(Tuned::read(&run.path("")).unwrap().unwrap().pooled().is_some());
    run.flip(FORECASTER);
    let text = Tuned::read(&run.path("")).unwrap_err().to_string();
    assert!(text.contains(FORECASTER) && text.contains("where tuned.json says"), "{text}");
}

#[test]
fn a_copy_without_the_files_of_studies_is_whole_for_an_operator() {
    let copy = Copy::new();
    let whole = bundle_folder::load(&copy.path("")).unwrap().hash().to_owned();
    assert_eq!(bundle_folder::load(&committed()).unwrap().hash(), whole);
    copy.strip();
    assert_eq!(bundle_folder::load(&copy.path("")).unwrap().hash(), whole);
    assert!(Tuned::read(&copy.path("")).unwrap().is_none());
    assert_eq!(LearnedSet::read(&copy.path("")).unwrap().members().len(), 1);
}

/// The strategies of the cells that were scored.
fn scored(copy: &Copy) -> std::collections::BTreeSet<String> {
    let cells = seatrial_experiments::cells::read_cells(&copy.0.path().join("out/cells.parquet")).unwrap();
    cells.into_iter().map(|cell| cell.row.strategy).collect()
}

fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn a_sealed_file_that_is_gone_is_refused_by_whoever_runs_from_it() {
    for gone in [TUNED_FILE, LEARNED_FILE, PERSISTENCE, FORECASTER] {
        let copy = Copy::new();
        std::fs::remove_file(copy.path(gone)).unwrap();
        for output in [copy.run(&[]), copy.evaluate()] {
            let text = message(&output);
            assert!(text.contains(gone) && text.contains("which policy.json names"), "{gone}: {text}");
            assert!(!copy.0.path().join("out").exists(), "{gone} left a folder");
        }
    }
    let copy = Copy::new();
    copy.strip();
    let text = message(&copy.run(&[]));
    assert!(text.contains("which policy.json names"), "{text}");
}

#[test]
fn a_number_of_training_seeds_is_refused_where_a_bundle_has_trained_already() {
    let copy = Copy::new();
    let output = copy.run(&["--seeds", "5"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("--seeds 5") && text.contains("trains nothing"), "{text}");
    let brief = ["--set", "strategies=[\"lstm-dqn\"]", "--set", "registered=false", "--traces", "google_cluster_5min"];
    told(&copy.run(&[&brief[..], &["--set", "seeds.training=5", "--set", "seeds.training_base=400"]].concat()));
    let seeds = &copy.manifest()["seeds"];
    assert!(seeds["training"] == 1 && seeds["training_base"] == 301, "{seeds}");
}

#[test]
fn an_evaluation_has_every_row_that_the_bundle_can_fill_and_says_why_others_are_not_there() {
    let rows = ["headroom-constant", "lstm-dqn-persistence"];
    let whole = Copy::new();
    told(&whole.evaluate_briefly());
    assert!(rows.iter().all(|row| scored(&whole).contains(*row)), "{:?}", scored(&whole));
    let constants = |folder: &Path| Tuned::read(folder).unwrap().unwrap().constant_headroom;
    assert_eq!(constants(&whole.0.path().join("out")), constants(&committed()));

    let copy = Copy::new();
    copy.strip();
    let text = told(&copy.evaluate_briefly());
    assert!(rows.iter().all(|row| !scored(&copy).contains(*row)), "{:?}", scored(&copy));
    for why in ["without the files of studies", "no agent trained on the persistence", "no constant headroom"] {
        assert!(text.contains(why), "{why}: {text}");
    }
    assert!(scored(&copy).contains("lstm-dqn-untrained"));
    assert_eq!(copy.manifest()["weights"], whole.manifest()["weights"], "the card says the seed");
    // The same command resumes in the folder that it left.
    told(&copy.evaluate_briefly());
}
