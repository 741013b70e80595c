//! Rules on single files: length, header, names, leftovers, machine paths.

use super::TextFile;

const MOST_LINES: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"];

/// Leftovers of unfinished work; split, so that this file does not accuse itself.
const LEFTOVERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Paths that exist on one machine only, and the folder that only some checkouts have beside them.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("../sha", "red"),
];

/// Who may name the shared folder: they set the variables through which everyone else finds it.
const KNOW_SHARED: &[&str] = &[".ci/run", "xtask/src/shell.rs"];

/// All complaints about one file.
pub(super) fn check(file: &TextFile) -> Vec<String> {
    let mut complaints = Vec::new();
    if file.path.ends_with(".rs") {
        complaints.extend(length(file));
        complaints.extend(header(file));
        complaints.extend(name(file));
    }
    complaints.extend(leftovers(file));
    complaints.extend(machine_paths(file));
    complaints
}

fn length(file: &TextFile) -> Option<String> {
    let lines = file.text.lines().count();
    (lines > MOST_LINES)
        .then(|| format!("{}: {lines} lines, at most {MOST_LINES}: split by what changes together", file.path))
}

fn header(file: &TextFile) -> Option<String> {
    let starts = file.text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//! "));
    (!starts).then(|| format!("{}:1: no `//!` header: say what, why here, invariants, sources", file.path))
}

fn name(file: &TextFile) -> Option<String> {
    let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
    if stem.ends_with("/mod") {
        return Some(format!("{}: `x.rs` stands beside folder `x/`, there is no mod.rs", file.path));
    }
    let empty = stem.split('/').find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("{}: the name `{empty}` says nothing: name it after what is inside", file.path))
}

fn leftovers(file: &TextFile) -> Vec<String> {
    let unfinished = |line: &str| LEFTOVERS.iter().find(|word| has_word(line, word)).copied();
    complain_by_line(file, |line| unfinished(line).map(|word| format!("leftover {word}: finish it or write an issue")))
}

fn machine_paths(file: &TextFile) -> Vec<String> {
    if KNOW_SHARED.contains(&file.path.as_str()) || file.path == "Cargo.lock" {
        return Vec::new();
    }
    let named = |line: &str| MACHINE_PATHS.iter().find(|path| line.contains(*path)).copied();
    complain_by_line(file, |line| {
        named(line).map(|path| format!("names {path}: ids resolve through SEATRIAL_TRACES and SEATRIAL_VECTORS"))
    })
}

fn complain_by_line(file: &TextFile, complaint: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let numbered = file.text.lines().enumerate();
    numbered.filter_map(|(i, line)| complaint(line).map(|why| format!("{}:{}: {why}", file.path, i + 1))).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const GOOD: &str = "//! What it is.\n\nfn f() {}\n";

    fn only(path: &str, text: &str) -> String {
        let complaints = check(&file(path, text));
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        complaints.into_iter().next().unwrap()
    }

    #[test]
    fn a_good_file_passes() {
        assert_eq!(check(&file("core/src/time.rs", GOOD)), Vec::<String>::new());
    }

    #[test]
    fn a_long_file_is_found() {
        let text = format!("{GOOD}{}", "// line\n".repeat(MOST_LINES - 2));
        assert!(only("core/src/time.rs", &text).contains("601 lines"));
    }

    #[test]
    fn a_missing_header_is_found() {
        assert!(only("core/src/time.rs", "fn f() {}\n").contains("no `//!` header"));
        assert!(only("core/src/time.rs", "").contains("no `//!` header"));
    }

    #[test]
    fn empty_names_are_found() {
        assert!(only("core/src/utils.rs", GOOD).contains("`utils`"));
        assert!(only("core/src/common/a.rs", GOOD).contains("`common`"));
        assert!(only("core/src/a/mod.rs", GOOD).contains("mod.rs"));
        assert!(check(&file("core/src/commonness.rs", GOOD)).is_empty());
    }

    #[test]
    fn leftovers_are_found() {
        for word in LEFTOVERS {
            assert!(only("README.md", &format!("a\n# {word}: later")).starts_with("README.md:2: leftover"));
        }
        assert!(check(&file("README.md", &format!("{}ISH", LEFTOVERS[0]))).is_empty());
    }

    #[test]
    fn machine_paths_are_found_but_where_they_are_resolved() {
        for path in MACHINE_PATHS {
            assert!(only("experiments/configs/a.toml", &format!("p = \"{path}x\"")).contains(path));
            assert!(check(&file(".ci/run", path)).is_empty());
        }
    }
}
