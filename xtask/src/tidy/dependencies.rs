//! The dependency table of the workspace as data, checked against `cargo metadata`.
//!
//! Direct edges between our crates are compared with what each may depend on; the crates that a folder must never link
//! are searched in everything it reaches, so that a dependency's dependency cannot smuggle them in.

use crate::failure::Failure;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What one crate may and must not depend on. Our crates are named without their prefix.
struct Rule {
    package: &'static str,
    /// Our crates it may link.
    may: &'static [&'static str],
    /// Our crates that its tests and examples may use besides.
    tests_may: &'static [&'static str],
    /// Groups of outside crates that it must not name itself.
    never_named: &'static [&'static [&'static str]],
    /// Groups of outside crates that nothing it links may bring in.
    never_reached: &'static [&'static [&'static str]],
}

// Groups, by package name; `kube` stands for `kube-core` and the like too.
const TORCH: &[&str] = &["tch", "torch-sys"];
const KUBE: &[&str] = &["kube", "k8s-openapi"];
const POLARS: &[&str] = &["polars"];
const ASYNC: &[&str] = &["tokio", "async-std", "smol", "hyper"];
const THREADS: &[&str] = &["rayon", "crossbeam"];
const RANDOM: &[&str] = &["rand", "fastrand", "getrandom", "rand_chacha"];
const CLOCKS: &[&str] = &["chrono", "time", "jiff"];
const COLUMNS: &[&str] = &["arrow", "parquet"];
const MAIN_ONLY: &[&str] = &["anyhow"];

const PURE: &[&[&str]] = &[THREADS, RANDOM, CLOCKS, MAIN_ONLY];
// Cron schedules need time zones: jiff's bundled ones; its clock and files are banned by core/clippy.toml.
const PURE_WITH_ZONES: &[&[&str]] = &[THREADS, RANDOM, &["chrono", "time"], MAIN_ONLY];

const RULES: &[Rule] = &[
    Rule {
        package: "core",
        may: &[],
        tests_may: &[],
        never_named: PURE_WITH_ZONES,
        never_reached: &[TORCH, KUBE, POLARS, ASYNC, COLUMNS],
    },
    Rule {
        package: "envs",
        may: &["core"],
        tests_may: &[],
        never_named: PURE,
        never_reached: &[TORCH, KUBE, POLARS, ASYNC, COLUMNS],
    },
    Rule {
        package: "agents",
        may: &["core"],
        tests_may: &["envs", "datasets"],
        never_named: PURE,
        never_reached: &[KUBE, POLARS, ASYNC],
    },
    Rule {
        package: "datasets",
        may: &["core"],
        tests_may: &[],
        never_named: &[RANDOM, CLOCKS, MAIN_ONLY],
        never_reached: &[TORCH, KUBE, POLARS, ASYNC],
    },
    Rule {
        package: "reports",
        may: &["core"],
        tests_may: &[],
        never_named: &[RANDOM, CLOCKS, MAIN_ONLY],
        never_reached: &[TORCH, KUBE, POLARS, ASYNC],
    },
    Rule {
        package: "experiments",
        may: &["core", "envs", "agents", "datasets", "reports"],
        tests_may: &[],
        never_named: &[RANDOM],
        never_reached: &[KUBE, POLARS],
    },
    Rule {
        package: "operator",
        may: &["core", "datasets", "envs"],
        tests_may: &[],
        never_named: &[RANDOM],
        never_reached: &[TORCH, POLARS],
    },
    Rule {
        package: "benches",
        may: &["core", "envs", "agents", "datasets", "reports", "experiments"],
        tests_may: &["operator"],
        never_named: &[],
        never_reached: &[],
    },
    Rule {
        package: "xtask",
        may: &[],
        tests_may: &[],
        never_named: &[],
        never_reached: &[TORCH, KUBE, POLARS, ASYNC, COLUMNS],
    },
];

/// The default build: with `agents` cut away (it is behind the train feature) none of these is reached.
const LIGHT_LANE_ROOT: &str = "experiments";
const NEVER_IN_LIGHT_LANE: &[&[&str]] = &[TORCH, KUBE, POLARS, ASYNC];

/// All complaints about the graph that `cargo metadata` printed.
pub(super) fn check(metadata: &str) -> Result<Vec<String>, Failure> {
    let graph = Graph::parse(metadata)?;
    let mut complaints: Vec<String> = RULES.iter().flat_map(|rule| check_edges(rule, &graph)).collect();
    complaints.extend(RULES.iter().flat_map(|rule| check_outside(rule, &graph)));
    complaints.extend(check_light_lane(&graph));
    let unruled = graph.members.iter().filter(|name| RULES.iter().all(|rule| rule.package != short(name)));
    complaints
        .extend(unruled.map(|name| format!("{name}: no row in the dependency table (xtask/src/tidy/dependencies.rs)")));
    Ok(complaints)
}

fn check_edges(rule: &Rule, graph: &Graph) -> Vec<String> {
    let package = full(rule.package);
    let (linked, tested) = (graph.direct(&package, Kind::Linked), graph.direct(&package, Kind::Tested));
    let allowed = |name: &&String| rule.may.contains(&short(name)) || **name == package;
    let allowed_in_tests = |name: &&String| allowed(name) || rule.tests_may.contains(&short(name));
    let ours = |name: &&String| graph.members.contains(*name);
    let bad = linked.iter().filter(ours).filter(|name| !allowed(name));
    let bad_in_tests = tested.iter().filter(ours).filter(|name| !allowed_in_tests(name));
    let mut complaints: Vec<String> = bad.map(|name| format!("{package} may not depend on {name}")).collect();
    complaints.extend(bad_in_tests.map(|name| format!("{package}'s tests may not depend on {name}")));
    complaints
}

fn check_outside(rule: &Rule, graph: &Graph) -> Vec<String> {
    let package = full(rule.package);
    let named = graph.direct(&package, Kind::Linked).into_iter().filter(|name| in_groups(name, rule.never_named));
    let mut complaints: Vec<String> = named.map(|name| format!("{package} may not depend on {name}")).collect();
    let reached = graph.reach(&package, &[]);
    let reached = reached.into_iter().filter(|name| in_groups(name, rule.never_reached));
    complaints.extend(
        reached.map(|name| format!("{package} links {name}: see `cargo tree --package {package} --invert {name}`")),
    );
    complaints
}

fn check_light_lane(graph: &Graph) -> Vec<String> {
    let reached = graph.reach(&full(LIGHT_LANE_ROOT), &[full("agents")]).into_iter();
    let heavy = reached.filter(|name| in_groups(name, NEVER_IN_LIGHT_LANE));
    heavy.map(|name| format!("the light lane links {name}: see `cargo tree --invert {name}`")).collect()
}

fn in_groups(name: &str, groups: &[&[&str]]) -> bool {
    let under = |prefix: &str| name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-'));
    groups.iter().any(|group| group.iter().any(|prefix| under(prefix)))
}

fn full(short: &str) -> String {
    if short == "xtask" { short.to_owned() } else { format!("seatrial-{short}") }
}

fn short(full: &str) -> &str {
    full.strip_prefix("seatrial-").unwrap_or(full)
}

/// Whether an edge is part of what is linked (normal and build dependencies) or serves tests and examples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Linked,
    Tested,
}

/// Who depends on whom, by package name; two versions of a package are one node.
#[derive(Default)]
struct Graph {
    members: BTreeSet<String>,
    edges: BTreeMap<String, Vec<(String, Kind)>>,
}

impl Graph {
    fn parse(metadata: &str) -> Result<Self, Failure> {
        let unreadable = |detail: String| Failure::Output { command: "cargo metadata".to_owned(), detail };
        let json: Value = serde_json::from_str(metadata).map_err(|error| unreadable(error.to_string()))?;
        let names: BTreeMap<&str, &str> = items(&json["packages"])
            .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
            .collect();
        let name_of = |id: &Value| id.as_str().and_then(|id| names.get(id)).map(|name| (*name).to_owned());
        let mut graph =
            Self { members: items(&json["workspace_members"]).filter_map(name_of).collect(), ..Self::default() };
        for node in items(&json["resolve"]["nodes"]) {
            let Some(name) = name_of(&node["id"]) else {
                return Err(unreadable("a node without a package".to_owned()));
            };
            let edges = graph.edges.entry(name).or_default();
            for edge in items(&node["deps"]) {
                edges.extend(
                    name_of(&edge["pkg"]).into_iter().flat_map(|to| kinds(edge).map(move |kind| (to.clone(), kind))),
                );
            }
        }
        if graph.members.is_empty() { Err(unreadable("it lists no members".to_owned())) } else { Ok(graph) }
    }

    fn direct(&self, package: &str, kind: Kind) -> BTreeSet<String> {
        let edges = self.edges.get(package).into_iter().flatten();
        edges.filter(|(_, of)| *of == kind).map(|(to, _)| to.clone()).collect()
    }

    /// Everything linked into `package`, with some packages cut out of the graph.
    fn reach(&self, package: &str, cut: &[String]) -> BTreeSet<String> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![package.to_owned()]);
        while let Some(next) = open.pop() {
            let linked = self.direct(&next, Kind::Linked).into_iter().filter(|name| !cut.contains(name));
            open.extend(linked.filter(|name| seen.insert(name.clone())).collect::<Vec<_>>());
        }
        seen
    }
}

fn kinds(edge: &Value) -> impl Iterator<Item = Kind> + '_ {
    items(&edge["dep_kinds"]).map(|kind| if kind["kind"] == "dev" { Kind::Tested } else { Kind::Linked })
}

fn items(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph of linked edges, `->`, and test edges, `~>`.
    fn graph(edges: &[&str]) -> Graph {
        let mut graph = Graph::default();
        for edge in edges {
            let (from, to, kind) = match edge.split_once(" -> ") {
                Some((from, to)) => (from, to, Kind::Linked),
                None => edge.split_once(" ~> ").map(|(from, to)| (from, to, Kind::Tested)).unwrap(),
            };
            graph.edges.entry(from.to_owned()).or_default().push((to.to_owned(), kind));
            graph
                .members
                .extend([from, to].iter().filter(|name| name.starts_with("seatrial-")).map(|name| (*name).to_owned()));
        }
        graph
    }

    fn rule(package: &str) -> &'static Rule {
        RULES.iter().find(|rule| rule.package == package).unwrap()
    }

    #[test]
    fn an_edge_against_the_table_is_found() {
        let edges = graph(&["seatrial-core -> seatrial-envs", "seatrial-core -> serde"]);
        assert_eq!(check_edges(rule("core"), &edges), ["seatrial-core may not depend on seatrial-envs"]);
    }

    #[test]
    fn tests_may_use_more_but_not_all() {
        let edges = graph(&["seatrial-agents ~> seatrial-envs", "seatrial-agents ~> seatrial-reports"]);
        assert_eq!(check_edges(rule("agents"), &edges), ["seatrial-agents's tests may not depend on seatrial-reports"]);
        let linked = graph(&["seatrial-agents -> seatrial-envs"]);
        assert_eq!(check_edges(rule("agents"), &linked).len(), 1);
    }

    #[test]
    fn forbidden_crates_are_found_named_and_reached() {
        let edges = graph(&["seatrial-core -> rand", "seatrial-core -> a", "a -> b", "b -> kube-client", "b ~> tch"]);
        let complaints = check_outside(rule("core"), &edges);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].ends_with("may not depend on rand"));
        assert!(complaints[1].contains("links kube-client"));
    }

    #[test]
    fn the_light_lane_is_free_of_heavy_crates_but_behind_agents() {
        let behind = graph(&["seatrial-experiments -> seatrial-agents", "seatrial-agents -> tch"]);
        assert!(check_light_lane(&behind).is_empty());
        let heavy = graph(&["seatrial-experiments -> seatrial-reports", "seatrial-reports -> polars-core"]);
        assert_eq!(check_light_lane(&heavy).len(), 1);
    }

    #[test]
    fn metadata_is_read_and_nonsense_refused() {
        let metadata = r#"{"packages":[{"id":"1","name":"seatrial-core"},{"id":"2","name":"tch"}],"workspace_members":["1"],
            "resolve":{"nodes":[{"id":"1","deps":[{"pkg":"2","dep_kinds":[{"kind":null}]}]},{"id":"2","deps":[]}]}}"#;
        let complaints = check(metadata).unwrap();
        assert!(complaints.iter().any(|complaint| complaint.contains("seatrial-core links tch")), "{complaints:?}");
        assert!(check("{}").is_err() && check("no json").is_err());
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        let metadata =
            r#"{"packages":[{"id":"1","name":"seatrial-new"}],"workspace_members":["1"],"resolve":{"nodes":[]}}"#;
        assert!(check(metadata).unwrap()[0].contains("seatrial-new: no row"));
    }
}
