//! Rules on manifests: each dependency has one place and a reason, all come from the public registry, and the bans that
//! crates repeat are still those of the workspace.

use super::TextFile;

/// Crates with a `clippy.toml` of their own, which replaces the root's.
const OWN_BANS: &[&str] = &["core/clippy.toml", "envs/clippy.toml"];

/// All complaints about the workspace's manifests.
pub(super) fn check(files: &[TextFile]) -> Vec<String> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let mut complaints = reasons(text("Cargo.toml"));
    let members = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    complaints.extend(members.flat_map(versions_outside_the_workspace));
    complaints.extend(foreign_sources(text("Cargo.lock")));
    for path in OWN_BANS {
        complaints.extend(lost_bans(text("clippy.toml"), path, text(path)));
    }
    complaints
}

/// Entries of the workspace's table without `# why` at their end.
fn reasons(root: &str) -> Vec<String> {
    let table = root.lines().skip_while(|line| line.trim() != "[workspace.dependencies]").skip(1);
    let entries =
        table.take_while(|line| !line.starts_with('[')).filter(|line| line.contains('=') && !line.starts_with('#'));
    let outside = entries.filter(|line| !line.starts_with("seatrial-"));
    let silent = outside.filter(|line| line.rsplit_once('#').is_none_or(|(_, why)| why.trim().len() < 3));
    silent.map(|line| format!("Cargo.toml: `{}` has no reason: write `# why` behind it", name(line))).collect()
}

/// Dependencies of a member that do not come from the workspace's table.
fn versions_outside_the_workspace(manifest: &TextFile) -> Vec<String> {
    let parsed: toml::Table = match manifest.text.parse() {
        Ok(parsed) => parsed,
        Err(error) => return vec![format!("{}: {error}", manifest.path)],
    };
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let entries = tables.iter().filter_map(|table| parsed.get(*table)?.as_table()).flatten();
    let own = entries.filter(|(_, value)| value.get("workspace").and_then(toml::Value::as_bool) != Some(true));
    own.map(|(name, _)| format!("{}: `{name}` belongs into [workspace.dependencies], with a reason", manifest.path))
        .collect()
}

fn foreign_sources(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    let foreign = sources.filter(|source| !source.contains("github.com/rust-lang/crates.io-index"));
    foreign.map(|source| format!("Cargo.lock: {source} is not the public registry")).collect()
}

fn lost_bans(root: &str, path: &str, own: &str) -> Vec<String> {
    let rules = root.lines().map(str::trim).filter(|line| line.contains('=') && !line.starts_with('#'));
    let own: Vec<&str> = own.lines().map(str::trim).collect();
    rules.filter(|rule| !own.contains(rule)).map(|rule| format!("{path}: lacks the workspace's `{rule}`")).collect()
}

fn name(entry: &str) -> &str {
    entry.split('=').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let root = "[workspace.dependencies]\nseatrial-core = { path = \"core\" }\n# block\na = \"1\" # why\nb = \"1\"\n[profile.dev]\nx = 1\n";
        assert_eq!(reasons(root), ["Cargo.toml: `b` has no reason: write `# why` behind it"]);
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let manifest = file(
            "core/Cargo.toml",
            "[dependencies]\na.workspace = true\nb = \"1\"\n[dev-dependencies]\nc = { version = \"1\" }\n",
        );
        let complaints = versions_outside_the_workspace(&manifest);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("`b`") && complaints[1].contains("`c`"));
        assert!(versions_outside_the_workspace(&file("a/Cargo.toml", "not toml"))[0].starts_with("a/Cargo.toml"));
    }

    #[test]
    fn another_registry_is_found() {
        let lock = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nsource = \"git+https://example.org/a\"\n";
        assert_eq!(foreign_sources(lock).len(), 1);
    }

    #[test]
    fn a_ban_that_a_crate_lost_is_found() {
        let root = "# head = no rule\na = 1\nd = [\n  { path = \"x\" },\n]\n";
        assert!(lost_bans(root, "core/clippy.toml", "a = 1\nd = [\n{ path = \"x\" },\n]").is_empty());
        assert_eq!(
            lost_bans(root, "core/clippy.toml", "a = 1\nd = [\n]"),
            ["core/clippy.toml: lacks the workspace's `{ path = \"x\" },`"]
        );
    }
}
