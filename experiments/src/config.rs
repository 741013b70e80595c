//! A study: which strategies meet which traces, under which protocol, with which seeds.
//!
//! Raw TOML becomes a [`Study`] in two steps: the shape (unknown keys are refused with their path), then the meaning
//! ([`Study::check`]). The resolved study is written into the run folder and hashed; whoever has it can repeat the run.

mod overrides;
mod repeated;
mod shape;
mod training;

use std::path::{Path, PathBuf};

use seatrial_core::observe::Bounds;
use seatrial_datasets::SplitRule;
use seatrial_envs::scenario::Regime;
use seatrial_envs::spec::KernelChoice;
pub(crate) use seatrial_envs::spec::nearest;
use seatrial_envs::spec::service::Balancing;
use serde::{Deserialize, Serialize};

pub use training::{AgentTraining, ForecasterTraining, Training};

use crate::error::{ExperimentError, Result};
use crate::run_folder::RunFolder;
use crate::scenario_command::GALLERY;
use crate::strategies;

/// Studies that are built into the binary, so that they work from any folder.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("demo", include_str!("../configs/demo.toml")),
    ("quick", include_str!("../configs/quick.toml")),
    ("shipped", include_str!("../configs/shipped.toml")),
    ("worldcup", include_str!("../configs/worldcup.toml")),
];

/// A study as its TOML file says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Name of the study and of its run folder.
    pub name: String,
    /// Protocol: `p1`.
    pub protocol: String,
    /// Strategy ids, in the order of the tables.
    pub strategies: Vec<String>,
    /// Whether every other registered policy that needs no training runs too, with its default configuration (`static` apart:
    /// a constant that no one chose for this load says nothing).
    #[serde(default)]
    pub registered: bool,
    /// Conditions: `plain`, and others of the protocol's regimes.
    #[serde(default = "plain")]
    pub regimes: Vec<Regime>,
    /// Prices of a bad request at which the costs are told again, beside 1.
    #[serde(default)]
    pub kappa_sensitivity: Vec<f64>,
    /// Whether yardsticks run too, which tell where regret comes from.
    #[serde(default = "yes")]
    pub yardsticks: bool,
    /// Whether one decision log per strategy and series is kept.
    #[serde(default = "yes")]
    pub decisions: bool,
    /// Whether the best trained member is passed through the gate and exported when the run is over.
    #[serde(default)]
    pub export: bool,
    /// Kernel that plays the scored episodes; tuning, training and the gate are on the fluid one in any case.
    #[serde(default = "fluid", skip_serializing_if = "is_fluid")]
    pub kernel: KernelChoice,
    /// On the event kernel: which pod a request goes to.
    #[serde(default, skip_serializing_if = "is_shared")]
    pub balancing: Balancing,
    /// Folder of committed parameters and weights, relative to this file; without it the study tunes and trains by itself.
    #[serde(default)]
    pub bundle: Option<PathBuf>,
    /// Other replica bounds than the protocol's.
    #[serde(default)]
    pub limits: Option<Bounds>,
    /// The seeds.
    pub seeds: Seeds,
    /// How rules are tuned.
    #[serde(default)]
    pub tune: Tuning,
    /// How learners are trained.
    #[serde(default)]
    pub train: Training,
    /// The traces.
    pub traces: Vec<TraceChoice>,
}

/// Seeds by purpose. They never overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// Seeds of the scored episodes.
    pub evaluation: Vec<u64>,
    /// Seeds of tuning, selection and the export gate.
    pub tuning: Vec<u64>,
    /// First training seed.
    pub training_base: u64,
    /// Number of training seeds.
    pub training: usize,
}

/// How rules are tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tuning {
    /// Share of each rule's grid that is tried, in (0, 1]: 1 is the protocol, less is for trying things out.
    pub grid_share: f64,
    /// Days of training before validation that tuning looks at.
    pub days: u32,
    /// Physics step of tuning episodes in seconds.
    pub physics_step_s: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { grid_share: 1.0, days: 7, physics_step_s: 1 }
    }
}

/// A trace of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceChoice {
    /// Id (searched in the trace folders) or path of the file.
    pub id: String,
    /// Only these series.
    #[serde(default)]
    pub series: Vec<String>,
    /// Which part is scored.
    #[serde(default)]
    pub window: Window,
    /// Whether the trace counts for headlines (native at 1 minute or finer).
    #[serde(default = "yes")]
    pub headline: bool,
    /// Another split than the protocol's.
    #[serde(default)]
    pub split: Option<SplitRule>,
}

impl TraceChoice {
    /// The trace `id` as protocol P1 has it.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self { id: id.to_owned(), series: Vec::new(), window: Window::Test, headline: true, split: None }
    }
}

/// Which part of a trace is scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// The test part: at most its first 7 days.
    #[default]
    Test,
    /// The last day of the test part.
    LastDay,
    /// The validation part: for the demo's gate and for looking around without opening the test part.
    Validation,
    /// Everything: nothing is tuned or trained on the trace.
    Whole,
}

const fn fluid() -> KernelChoice {
    KernelChoice::Fluid
}

fn is_fluid(kernel: &KernelChoice) -> bool {
    *kernel == KernelChoice::Fluid
}

fn is_shared(balancing: &Balancing) -> bool {
    *balancing == Balancing::Shared
}

const fn yes() -> bool {
    true
}

fn plain() -> Vec<Regime> {
    vec![Regime::Plain]
}

/// A study with where it came from.
#[derive(Clone, Debug)]
pub struct LoadedStudy {
    /// The study.
    pub study: Study,
    /// Name for messages: the path, or `built-in NAME`.
    pub origin: String,
    /// Folder that relative paths start from.
    pub folder: PathBuf,
}

/// Reads a study by name or path and lays the command line over it.
///
/// # Errors
/// If it cannot be read, is not TOML, has unknown keys or impossible values.
pub fn load(name: &str, overrides: &[String]) -> Result<LoadedStudy> {
    let (text, origin, folder) = match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((known, text)) => ((*text).to_owned(), format!("built-in {known}"), own_folder().join("configs")),
        None => read(Path::new(name))?,
    };
    parse(&text, origin, folder, overrides)
}

/// Folder of this crate in the checkout that the binary was built from: where committed bundles lie.
#[must_use]
pub fn own_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Result<(String, String, PathBuf)> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            if let Some((name, _)) = GALLERY.iter().find(|(name, _)| Path::new(name) == path) {
                return is_a_scenario(name);
            }
            let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return ExperimentError::Usage {
                what: format!("there is no study at {}{}", path.display(), meant(path, &known)),
                next: format!("give the path of a TOML file, or one of the built-in: {}", known.join(", ")),
            };
        }
        ExperimentError::io("read", path)(source)
    })?;
    if text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("services")) {
        return Err(is_a_scenario(&path.display().to_string()));
    }
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok((text, path.display().to_string(), folder))
}

/// A study has no services, a scenario has nothing else.
fn is_a_scenario(name: &str) -> ExperimentError {
    ExperimentError::Usage {
        what: format!("{name} is a scenario, and this command is for studies"),
        next: format!("say: seatrial scenario run {name}"),
    }
}

fn meant(path: &Path, known: &[&str]) -> String {
    let near = path.to_str().and_then(|word| nearest::of(word, known.iter().copied()));
    near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

/// The study of a run folder. The folder is complete, so a bundle that it was made from need not be there.
///
/// # Errors
/// If its configuration cannot be read.
pub fn of_run(folder: &RunFolder) -> Result<LoadedStudy> {
    let path = folder.resolved_config();
    let text = std::fs::read_to_string(&path).map_err(ExperimentError::io("read", &path))?;
    parse(&text, path.display().to_string(), PathBuf::new(), &[])
}

/// Parses the text of a study.
///
/// # Errors
/// See [`load`].
pub fn parse(text: &str, origin: String, folder: PathBuf, overrides: &[String]) -> Result<LoadedStudy> {
    let mut table: toml::Table =
        text.parse().map_err(|error| ExperimentError::config(&origin, "(whole file)", one_line(&error)))?;
    for assignment in overrides {
        overrides::lay_over(&mut table, assignment)?;
    }
    let study: Study = serde_path_to_error::deserialize(toml::Value::Table(table))
        .map_err(|error| shape::refusal(&origin, &error, overrides))?;
    study.check(&origin)?;
    Ok(LoadedStudy { study, origin, folder })
}

/// An error of the TOML parser without its drawing of the source line.
fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

impl Study {
    /// Checks what the shape cannot say.
    ///
    /// # Errors
    /// The first key whose value is impossible.
    pub fn check(&self, origin: &str) -> Result<()> {
        let wrong = |key: &str, detail: &str| Err(ExperimentError::config(origin, key, detail));
        if self.name.is_empty() || !self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return wrong("name", "must be letters, digits, `-`, `_` and `.`: it names a folder");
        }
        if self.protocol != "p1" {
            return wrong("protocol", "the only protocol is `p1`");
        }
        if self.traces.is_empty() {
            return wrong("traces", "a study needs at least one trace");
        }
        if self.strategies.is_empty() {
            return wrong("strategies", "a study needs at least one strategy");
        }
        self.check_balancing(origin)?;
        self.check_repeated(origin)?;
        if !self.regimes.contains(&Regime::Plain) {
            return wrong("regimes", "must contain `plain`: the headline and the tables compare with it");
        }
        if let Some(limits) = self.limits
            && (limits.min > limits.max || limits.max == 0)
        {
            let detail = format!("min {} and max {} leave no number of replicas", limits.min, limits.max);
            return wrong("limits", &detail);
        }
        for strategy in &self.strategies {
            strategies::find(strategy, &format!("{origin}: `strategies`"))?;
        }
        self.check_seeds(origin)?;
        self.tune.check(origin)?;
        self.train.check(origin)
    }

    fn check_seeds(&self, origin: &str) -> Result<()> {
        let Seeds { evaluation, tuning, training_base, training } = &self.seeds;
        let wrong = |key: &str, detail: &str| Err(ExperimentError::config(origin, key, detail));
        if evaluation.is_empty() || tuning.is_empty() {
            return wrong("seeds", "at least one evaluation and one tuning seed are needed");
        }
        if evaluation.iter().any(|seed| tuning.contains(seed)) {
            return wrong("seeds.tuning", "tuning and evaluation must not share a seed");
        }
        let trained = *training_base..training_base.saturating_add(*training as u64);
        if evaluation.iter().chain(tuning).any(|seed| trained.contains(seed)) {
            return wrong("seeds.training_base", "training seeds must be neither tuning nor evaluation seeds");
        }
        if *training == 0 || *training > 256 {
            return wrong("seeds.training", "must be 1 to 256");
        }
        Ok(())
    }
}

impl Tuning {
    fn check(&self, origin: &str) -> Result<()> {
        let wrong = |key: &str, detail: &str| Err(ExperimentError::config(origin, key, detail));
        if !(self.grid_share > 0.0 && self.grid_share <= 1.0) {
            return wrong("tune.grid_share", "must be above 0 and at most 1");
        }
        if ![1, 5, 15].contains(&self.physics_step_s) {
            return wrong("tune.physics_step_s", "must be 1, 5 or 15");
        }
        if self.days == 0 {
            return wrong("tune.days", "must be at least 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
name = "small"
protocol = "p1"
strategies = ["hpa-default"]
[seeds]
evaluation = [1, 2]
tuning = [11]
training_base = 100
training = 2
[[traces]]
id = "some_trace"
"#;

    fn parse_small(overrides: &[&str]) -> Result<LoadedStudy> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        parse(SMALL, "small.toml".into(), PathBuf::new(), &overrides)
    }

    #[test]
    fn built_in_studies_are_valid() {
        for (name, _) in BUILT_IN {
            load(name, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn the_resolved_study_reads_back_as_itself() {
        let study = parse_small(&["traces.0.window=last-day"]).unwrap().study;
        let text = toml::to_string(&study).unwrap();
        assert_eq!(parse(&text, "again".into(), PathBuf::new(), &[]).unwrap().study, study);
    }

    #[test]
    fn every_impossible_value_names_its_key() {
        for (assignment, key, word) in [
            ("traces.0.windw=test", "traces[0].windw", "`window`"),
            ("seeds.evaluatoin=[1]", "seeds.evaluatoin", "`evaluation`"),
            ("colour=red", "colour", "known are name, protocol"),
            ("seeds.evaluation=\"many\"", "seeds.evaluation", "many"),
            ("seeds.tuning=[1]", "seeds.tuning", "share"),
            ("seeds.training_base=10", "seeds.training_base", "neither"),
            ("seeds.training=0", "seeds.training", "1 to 256"),
            ("protocol=p2", "protocol", "p1"),
            ("name=../up", "name", "folder"),
            ("tune.grid_share=2.0", "tune.grid_share", "at most 1"),
            ("kappa_sensitivity=[-1.0]", "kappa_sensitivity", "-1"),
            ("kappa_sensitivity=[1e7]", "kappa_sensitivity", "10000000"),
            ("kappa_sensitivity=[nan]", "kappa_sensitivity", "NaN"),
            ("kappa_sensitivity=[1.0]", "kappa_sensitivity", "1 is the protocol's own"),
            ("kappa_sensitivity=[0.3, 3.0, 0.3]", "kappa_sensitivity", "0.3 twice"),
            ("seeds.evaluation=[1, 2, 1]", "seeds.evaluation", "1 twice"),
            ("seeds.tuning=[11, 11]", "seeds.tuning", "11 twice"),
            ("regimes=[\"plain\", \"plain\"]", "regimes", "`plain` twice"),
            ("traces=[{id=\"a\"},{id=\"b\"},{id=\"a\"}]", "traces[2].id", "`a` twice"),
            (
                "traces=[{id=\"a\",series=[\"x\"]},{id=\"a\",series=[\"y\",\"x\"]}]",
                "traces[1].series",
                "`x` of `a` twice",
            ),
            ("traces.0.series=[\"x\",\"x\"]", "traces[0].series", "`x` twice"),
            ("strategies=[]", "strategies", "at least one"),
            ("limits={min=5,max=4}", "limits", "min 5 and max 4"),
            ("balancing=least-request", "balancing", "`kernel = \"events\"`"),
            ("balancing=fair", "balancing", "round-robin"),
            ("kernel=event", "kernel", "events"),
            ("regimes=[\"flash\"]", "regimes", "plain"),
            ("regimes=[\"flsh\"]", "regimes[0]", "flsh"),
        ] {
            let message = parse_small(&[assignment]).unwrap_err().to_string();
            assert!(message.contains(&format!("`{key}")) && message.contains(word), "{assignment}: {message}");
            assert!(!message.contains('\n'), "{message}");
            assert!(!message.contains("unknown key") || !message.contains("correct it there"), "{message}");
        }
    }

    #[test]
    fn the_kernel_is_written_down_where_it_is_not_the_fluid_one() {
        let default = toml::to_string(&parse_small(&[]).unwrap().study).unwrap();
        assert!(!default.contains("kernel") && !default.contains("balancing"), "{default}");
        assert_eq!(
            toml::to_string(&parse_small(&["kernel=fluid", "balancing=shared"]).unwrap().study).unwrap(),
            default
        );
        let events = parse_small(&["kernel=events", "balancing=power-of-two"]).unwrap().study;
        let text = toml::to_string(&events).unwrap();
        assert!(text.contains("kernel = \"events\"\nbalancing = \"power-of-two\""), "{text}");
        assert_eq!(parse(&text, "again".into(), PathBuf::new(), &[]).unwrap().study, events);
    }

    #[test]
    fn two_parts_of_one_trace_are_two_traces() {
        parse_small(&["traces=[{id=\"a\",series=[\"x\"]},{id=\"a\",series=[\"y\"]}]"]).unwrap();
        parse_small(&["kappa_sensitivity=[0.3, 3.0, 1e6]"]).unwrap();
    }

    #[test]
    fn a_missing_key_is_told_of_the_file() {
        let message = parse("name = \"x\"", "x.toml".into(), PathBuf::new(), &[]).unwrap_err().to_string();
        assert_eq!(message, "x.toml: `(whole file)`: missing field `protocol`; correct the file");
    }

    #[test]
    fn an_unknown_strategy_lists_the_known() {
        let message = parse_small(&["strategies=[\"hpa-defualt\"]"]).unwrap_err().to_string();
        assert!(message.contains("`hpa-defualt`") && message.contains("hpa-default"), "{message}");
    }
}
