//! `seatrial evaluate`: a bundle against tuned rules on traces of one's own.

mod fit;

use std::path::PathBuf;

use seatrial_datasets::Locator;
use seatrial_envs::scenario::Regime;
use seatrial_envs::spec::KernelChoice;
use seatrial_envs::spec::service::Balancing;

use crate::bundle_folder::{self, Beside};
use crate::cli::EvaluateArgs;
use crate::commands::Shell;
use crate::config::{Seeds, Study, TraceChoice, Training, Tuning, Window};
use crate::error::Result;
use crate::report::WARNING;
use crate::schedule::Shard;
use crate::study::{self, RulesFrom, Setup};

/// Evaluates a bundle.
///
/// # Errors
/// If the bundle is refused, a trace cannot be used, or scoring fails.
pub fn evaluate(arguments: &EvaluateArgs, shell: &Shell) -> Result<()> {
    let bundle = bundle_folder::load(&arguments.bundle)?;
    let beside = bundle_folder::beside(&arguments.bundle)?;
    let text = toml::to_string(&study_of(arguments)).unwrap_or_default();
    let kernel = arguments.kernel.iter().map(|kernel| format!("kernel={kernel}"));
    let overrides: Vec<String> = kernel.chain(arguments.overrides.iter().cloned()).collect();
    let loaded = crate::config::parse(&text, "evaluate".into(), PathBuf::new(), &overrides)?;
    let mut setup = Setup::open(loaded, &arguments.out, shell, arguments.jobs)?;
    let global = arguments.whole || setup.arenas.iter().all(|arena| !arena.trainable);
    setup.rules_from = if global { RulesFrom::Global } else { RulesFrom::Search };
    if global {
        setup.use_global_rules();
    }
    let locator = Locator::new(shell.trace_folders.clone());
    let warnings = fit::warnings(&bundle.card().provenance.traces, &setup.arenas, &locator);
    setup.notes.extend(warnings.iter().map(|warning| format!("{WARNING}{warning}")));
    if beside == Beside::Nothing {
        setup.tell(
            "the bundle is a copy without the files of studies: no tuned rules and no attribution weights come with it",
        );
    }
    setup.enter(arguments.repeated())?;
    let ingredients = setup.ingredients("evaluate")?;
    study::score(&mut setup, &ingredients, Shard::WHOLE, "evaluate")
}

fn study_of(arguments: &EvaluateArgs) -> Study {
    let window = if arguments.whole { Window::Whole } else { Window::Test };
    let name = arguments.out.file_name().map_or_else(|| "evaluate".into(), |name| name.to_string_lossy().into_owned());
    let strategies = [
        "lstm-dqn",
        "hpa-default",
        "hpa-tuned",
        "newsvendor-tuned",
        "forecast-max",
        "headroom-constant",
        "lstm-dqn-no-floor",
        "lstm-dqn-persistence",
        "lstm-dqn-random",
        "lstm-dqn-untrained",
    ];
    Study {
        name: name.replace(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)), "-"),
        protocol: "p1".into(),
        strategies: strategies.map(str::to_owned).to_vec(),
        registered: false,
        regimes: vec![Regime::Plain],
        kappa_sensitivity: Vec::new(),
        yardsticks: true,
        decisions: true,
        export: false,
        kernel: KernelChoice::Fluid,
        balancing: Balancing::Shared,
        bundle: Some(arguments.bundle.clone()),
        limits: None,
        seeds: Seeds { evaluation: vec![101, 102], tuning: vec![201], training_base: 301, training: 1 },
        tune: Tuning::default(),
        train: Training::default(),
        traces: arguments.traces.iter().map(|id| TraceChoice { window, ..TraceChoice::of(id) }).collect(),
    }
}
