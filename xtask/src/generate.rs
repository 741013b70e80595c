//! `cargo xtask generate`: committed files that are made from code.
//!
//! A generator is an example of the crate that owns the code: it prints the file. That the committed file equals what
//! the code would print is a test in that crate, so that a stale file fails the suite and not only this task.

use crate::failure::Failure;
use crate::shell::Shell;

/// One generated file.
struct Generated {
    path: &'static str,
    package: &'static str,
    example: &'static str,
    arguments: &'static [&'static str],
}

const GENERATED: &[Generated] = &[
    schema("core/schemas/policy.schema.json", &["policy"]),
    schema("datasets/schemas/decisions.schema.json", &["decisions"]),
    schema("experiments/schemas/manifest.schema.json", &["manifest"]),
    schema("experiments/schemas/scenario.schema.json", &["scenario"]),
    schema("experiments/schemas/scenario-summary.schema.json", &["scenario-summary"]),
    Generated {
        path: "docs/environments.md",
        package: "seatrial-experiments",
        example: "environments",
        arguments: &[],
    },
    Generated { path: "docs/scenarios.md", package: "seatrial-experiments", example: "scenarios", arguments: &[] },
    Generated { path: "docs/strategies.md", package: "seatrial-experiments", example: "strategies", arguments: &[] },
    operator("operator/yaml/crd.yaml", "crd"),
    operator("operator/chart/seatrial-operator/crds/scalingpolicies.yaml", "crd"),
    operator("operator/yaml/install.yaml", "install"),
];

/// `experiments` sees the crates whose files these schemas describe.
const fn schema(path: &'static str, arguments: &'static [&'static str]) -> Generated {
    Generated { path, package: "seatrial-experiments", example: "schema", arguments }
}

const fn operator(path: &'static str, example: &'static str) -> Generated {
    Generated { path, package: "seatrial-operator", example, arguments: &[] }
}

/// Rewrites every generated file.
pub(crate) fn run(shell: &Shell) -> Result<(), Failure> {
    for file in GENERATED {
        let mut command = vec!["run", "--quiet", "--package", file.package, "--example", file.example, "--"];
        command.extend(file.arguments);
        let text = shell.read("cargo", &command)?;
        let path = shell.root().join(file.path);
        std::fs::write(&path, text).map_err(|source| Failure::File { doing: "writing", path, source })?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

/// The generated files that are not there.
pub(crate) fn missing(shell: &Shell) -> Vec<&'static str> {
    GENERATED.iter().map(|file| file.path).filter(|path| !shell.root().join(path).is_file()).collect()
}
