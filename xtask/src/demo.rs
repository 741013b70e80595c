//! `cargo xtask demo`: the main job on a shipped trace, from libtorch to an exported bundle.

use crate::failure::Failure;
use crate::libtorch;
use crate::shell::Shell;
use crate::steps::Steps;

const CONFIG: &str = "experiments/configs/demo.toml";
const OUT: &str = "runs/demo";

/// Sets up libtorch, builds the train lane, runs the demo study and says where its results lie.
pub(crate) fn run(shell: &Shell) -> Result<(), Failure> {
    let mut steps = Steps::default();
    let mut shell = shell.fork();
    steps.step("libtorch", || {
        shell = libtorch::ensure(&shell)?;
        Ok(())
    })?;
    steps.step("build the train lane", || shell.cargo(&["build", "--release", "--features", "train"]))?;
    steps.step("train, evaluate, report, export", || {
        shell.cargo(&["run", "--release", "--features", "train", "--", "run", CONFIG, "--out", OUT])
    })?;
    println!("{}", steps.summary());
    for (what, path) in [("report", "report/index.html"), ("bundle", "policy")] {
        let path = shell.root().join(OUT).join(path);
        let remark = if path.exists() { "" } else { "  (not there: the output above says why)" };
        println!("{what}: {}{remark}", path.display());
    }
    Ok(())
}
