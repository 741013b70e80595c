//! The outside world of the tasks: the environment, the workspace's root, and child processes.
//!
//! Every cargo command goes through [`Shell::cargo`], so that all of them see the same variables: a build script that
//! watches a variable (torch-sys watches `LIBTORCH`) must not be rebuilt because two commands disagree.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Variables that `cargo run` sets for this program and that must not leak into the cargo commands it starts: build
/// scripts may watch them, and would then be rebuilt whenever cargo is called with and without xtask in turn.
const SET_BY_CARGO_RUN: &[&str] = &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME", "OUT_DIR"];

/// The workspace and the variables that its commands run under.
#[derive(Debug)]
pub(crate) struct Shell {
    root: PathBuf,
    variables: BTreeMap<OsString, OsString>,
}

impl Shell {
    /// Finds the workspace and, beside it, the shared folders of traces and vectors.
    pub(crate) fn open() -> Result<Self, Failure> {
        let manifest = variable("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.parent().map(Path::to_path_buf).ok_or_else(|| Failure::Missing {
            what: format!("the workspace above {}", manifest.display()),
            next: "run `cargo xtask` inside the checkout".to_owned(),
        })?;
        let mut shell = Self { root, variables: BTreeMap::new() };
        shell.default_to_shared("SEATRIAL_TRACES", "../shared/traces");
        shell.default_to_shared("SEATRIAL_VECTORS", "../shared/vectors");
        shell.default_to_shared("SEATRIAL_ENVTEST", "../shared/envtest");
        Ok(shell)
    }

    /// The workspace's root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What a child process will see in `name`: our own setting, else the environment's.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(OsStr::new(name)).cloned().or_else(|| variable(name))
    }

    /// Sets `name` for every later command.
    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// A copy of this shell, to be extended by `with`.
    pub(crate) fn fork(&self) -> Self {
        Self { root: self.root.clone(), variables: self.variables.clone() }
    }

    /// The per-user cache folder of Seatrial.
    pub(crate) fn cache(&self) -> Result<PathBuf, Failure> {
        let base = self
            .variable("XDG_CACHE_HOME")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .or_else(|| self.variable("HOME").map(|home| Path::new(&home).join(".cache")));
        base.map(|path| path.join("seatrial")).ok_or_else(|| Failure::Missing {
            what: "a per-user cache folder".to_owned(),
            next: "set XDG_CACHE_HOME or HOME".to_owned(),
        })
    }

    /// Runs cargo in the root, its output shown.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<(), Failure> {
        self.run("cargo", arguments)
    }

    /// Runs a command in the root, its output shown.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<(), Failure> {
        let mut command = self.command(program);
        command.args(arguments);
        finish(&mut command, &line(program, arguments))
    }

    /// Runs a command in the root and returns what it printed; its errors are shown.
    pub(crate) fn read(&self, program: &str, arguments: &[&str]) -> Result<String, Failure> {
        let line = line(program, arguments);
        let mut command = self.command(program);
        command.args(arguments).stderr(Stdio::inherit());
        let output = command.output().map_err(|source| Failure::Start { command: line.clone(), source })?;
        if !output.status.success() {
            return Err(Failure::Command { command: line, status: output.status.to_string() });
        }
        String::from_utf8(output.stdout)
            .map_err(|error| Failure::Output { command: line, detail: format!("not UTF-8: {error}") })
    }

    /// Whether a command exists and says so by exiting with success; shows nothing.
    pub(crate) fn answers(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = self.command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// A command in the root under this shell's variables.
    pub(crate) fn command(&self, program: &str) -> Command {
        let program = if program == "cargo" { cargo_program() } else { program.into() };
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for name in inherited_names() {
            if SET_BY_CARGO_RUN.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.envs(&self.variables);
        command
    }

    fn default_to_shared(&mut self, name: &str, relative: &str) {
        let folder = self.root.join(relative);
        if variable(name).is_none() && folder.is_dir() {
            let folder = folder.canonicalize().unwrap_or(folder);
            self.variables.insert(name.into(), folder.into());
        }
    }
}

/// Waits for a command and turns a bad exit into an error that names `line`.
pub(crate) fn finish(command: &mut Command, line: &str) -> Result<(), Failure> {
    let status = command.status().map_err(|source| Failure::Start { command: line.to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { command: line.to_owned(), status: status.to_string() })
}

/// Prefixes a path list such as `LD_LIBRARY_PATH` by one folder.
pub(crate) fn prefixed(folder: &Path, list: Option<OsString>) -> OsString {
    let mut joined = folder.as_os_str().to_owned();
    for rest in list.into_iter().filter(|rest| !rest.is_empty()) {
        joined.push(":");
        joined.push(rest);
    }
    joined
}

fn line(program: &str, arguments: &[&str]) -> String {
    std::iter::once(program).chain(arguments.iter().copied()).collect::<Vec<_>>().join(" ")
}

fn cargo_program() -> OsString {
    variable("CARGO").unwrap_or_else(|| "cargo".into())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a composition root: tasks are steered by the environment, read here only"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[expect(clippy::disallowed_methods, reason = "a composition root: what must not leak to children has to be listed")]
fn inherited_names() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Shell {
        Shell::open().unwrap()
    }

    #[test]
    fn the_root_is_the_workspace() {
        assert!(shell().root().join("xtask/Cargo.toml").is_file());
    }

    #[test]
    fn a_failing_command_is_named() {
        let message = shell().run("false", &["x"]).unwrap_err().to_string();
        assert!(message.contains("`false x` failed"), "{message}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let message = shell().read("no-such-program-here", &[]).unwrap_err().to_string();
        assert!(message.contains("no-such-program-here") && message.contains("PATH"), "{message}");
        assert!(!shell().answers("no-such-program-here", &[]));
    }

    #[test]
    fn the_cache_follows_xdg_then_home() {
        let at = |xdg: &str| shell().with("XDG_CACHE_HOME", xdg).with("HOME", "/h").cache().unwrap();
        assert_eq!(at("/x"), Path::new("/x/seatrial"));
        assert_eq!(at(""), Path::new("/h/.cache/seatrial"));
    }

    #[test]
    fn a_path_list_gets_no_empty_entry() {
        assert_eq!(prefixed(Path::new("/a"), None), "/a");
        assert_eq!(prefixed(Path::new("/a"), Some("".into())), "/a");
        assert_eq!(prefixed(Path::new("/a"), Some("/b".into())), "/a:/b");
    }

    #[test]
    fn what_cargo_run_sets_does_not_reach_children() {
        let seen = shell().read("env", &[]).unwrap();
        assert!(
            !seen.lines().any(|line| line.starts_with("CARGO_PKG_") || line.starts_with("CARGO_MANIFEST_")),
            "{seen}"
        );
    }
}
