//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! Each rule is a pure function from texts to complaints, so that a test can show it fire; this file reads the checkout
//! and hands the texts over. `cargo test -p xtask` runs the same rules on the checkout.

mod dependencies;
mod manifests;
mod registries;
mod sources;

use crate::failure::Failure;
use crate::generate;
use crate::shell::Shell;
use std::path::Path;

/// A text file of the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TextFile {
    /// Relative to the root, with `/` between folders.
    path: String,
    text: String,
}

/// Folders that hold no source of ours.
const SKIPPED_FOLDERS: &[&str] = &[".git", "target", "runs", "node_modules"];

/// Endings of the files whose text is ours.
const TEXT_ENDINGS: &[&str] =
    &[".rs", ".toml", ".md", ".yaml", ".yml", ".json", ".py", ".sh", ".html", ".lock", ".ci/run"];

/// Checks every rule on the checkout and fails with all complaints.
pub(crate) fn run(shell: &Shell) -> Result<(), Failure> {
    let complaints = complaints(shell)?;
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Failure::Untidy(complaints))
}

fn complaints(shell: &Shell) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    collect(shell.root(), "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut complaints: Vec<String> = files.iter().flat_map(sources::check).collect();
    complaints.extend(registries::check(&files));
    complaints.extend(manifests::check(&files));
    // The train lane is named so that its edges are in the graph; nothing is built.
    let metadata = shell.read("cargo", &["metadata", "--format-version=1", "--locked", crate::lanes::TRAIN])?;
    complaints.extend(dependencies::check(&metadata)?);
    let missing = generate::missing(shell);
    complaints
        .extend(missing.iter().map(|path| format!("{path}: generated file is missing: run `cargo xtask generate`")));
    Ok(complaints)
}

fn collect(root: &Path, relative: &str, files: &mut Vec<TextFile>) -> Result<(), Failure> {
    let folder = root.join(relative);
    let failed = |doing, path: &Path, source| Failure::File { doing, path: path.to_owned(), source };
    for entry in std::fs::read_dir(&folder).map_err(|source| failed("listing", &folder, source))? {
        let entry = entry.map_err(|source| failed("listing", &folder, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if relative.is_empty() { name.clone() } else { format!("{relative}/{name}") };
        let kind = entry.file_type().map_err(|source| failed("reading the type of", &entry.path(), source))?;
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            collect(root, &path, files)?;
        } else if kind.is_file() && TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending)) {
            let text =
                std::fs::read_to_string(entry.path()).map_err(|source| failed("reading", &entry.path(), source))?;
            files.push(TextFile { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let complaints = complaints(&Shell::open().unwrap()).unwrap();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}
