//! A strategy is one file, one `mod` and one row: a file without a row is a strategy that nobody can run.

use super::TextFile;

/// A folder whose files are rows of the registry beside it.
struct Registry {
    /// The file that holds the list; its folder has the same path without `.rs`.
    list: &'static str,
    /// Files of the folder that serve several rows and are no strategies.
    shared: &'static [&'static str],
}

const REGISTRIES: &[Registry] = &[
    Registry { list: "core/src/scaling/policies.rs", shared: &["tests"] },
    Registry { list: "core/src/scaling/forecasters.rs", shared: &["cached", "encoding", "intake", "tests"] },
];

/// All complaints about the registries of the workspace.
pub(super) fn check(files: &[TextFile]) -> Vec<String> {
    REGISTRIES.iter().flat_map(|registry| check_one(registry, files)).collect()
}

fn check_one(registry: &Registry, files: &[TextFile]) -> Vec<String> {
    let Some(list) = files.iter().find(|file| file.path == registry.list) else {
        return vec![format!(
            "{}: the registry is gone: say where it went in xtask/src/tidy/registries.rs",
            registry.list
        )];
    };
    let folder = format!("{}/", registry.list.trim_end_matches(".rs"));
    let stems = files.iter().filter_map(|file| file.path.strip_prefix(&folder)?.strip_suffix(".rs"));
    let strategies = stems.filter(|stem| !stem.contains('/') && !registry.shared.contains(stem));
    let forgotten = strategies.filter(|stem| !has_row(&list.text, stem));
    forgotten.map(|stem| format!("{folder}{stem}.rs: no row: add `{stem}::ROW` to {}", registry.list)).collect()
}

/// Whether the list names a constant of the module, as `hpa::ROW` or `hpa::DEFAULT_ROW`.
fn has_row(list: &str, stem: &str) -> bool {
    let code = list.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut paths =
        code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':' && c != '#'));
    paths.any(|path| {
        path.trim_start_matches("r#")
            .strip_prefix(stem)
            .is_some_and(|rest| rest.starts_with("::") && rest.ends_with("ROW"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const REGISTRY: Registry = Registry { list: "p.rs", shared: &["tests"] };

    #[test]
    fn a_file_without_a_row_is_found() {
        let list = file(
            "p.rs",
            "mod hpa;\nmod hpa_two;\nmod r#static;\n// `hpa_two::ROW` in a comment is no row\nconst ALL: &[Row] = &[hpa::ROW, r#static::ROW];",
        );
        let files = [
            list,
            file("p/hpa.rs", ""),
            file("p/hpa_two.rs", ""),
            file("p/static.rs", ""),
            file("p/tests.rs", ""),
            file("p/hpa/metric.rs", ""),
        ];
        assert_eq!(check_one(&REGISTRY, &files), ["p/hpa_two.rs: no row: add `hpa_two::ROW` to p.rs"]);
    }

    #[test]
    fn a_lost_registry_is_found() {
        assert!(check_one(&REGISTRY, &[])[0].contains("the registry is gone"));
    }
}
