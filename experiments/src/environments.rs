//! `docs/environments.md`, made from the registry of environments by `cargo xtask generate`: a test compares it with what is
//! committed.

use std::fmt::Write as _;

use seatrial_envs::registry::{ENVIRONMENTS, EnvironmentRow};
use seatrial_envs::spec::KernelChoice;

/// Where it is committed, relative to the repository.
#[cfg(test)]
const PATH: &str = "docs/environments.md";

const HEAD: &str = "\
# Environments

Made from the registry by `cargo xtask generate`; edit the rows (`envs/src/registry.rs`), not this page.

An environment is a batch of independent simulated clusters that a learner steps together (`seatrial_core::rl::VectorEnv`). The
meaning is Gymnasium's: a reset takes seeds, *terminated* and *truncated* are apart, and the true last observation of an episode stands
beside the first one of the next. There is no reward but a realised cost: lower is better. The number behind an id is its version: what
entries and actions mean never changes under one id. The same seed, load and actions give the same bytes on any machine, whatever the
size of the batch.

Entries are single-precision numbers, never NaN, clamped to their bounds; an action is the number of a row. In the tables *load* is the
rate of requests in the youngest slot that metrics show, *capacity* the lower confidence bound of what one pod can serve (estimated, never
given), *P50* and its like are quantiles of the forecast of the greatest rate within its horizon, and *asked* are the replicas asked for.

";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    out += "| id | the agent decides | kernels | entries | actions |\n|---|---|---|---:|---:|\n";
    for row in ENVIRONMENTS {
        let (entries, actions) = ((row.observations)().len(), (row.actions)().len());
        let kernels = kernels(row);
        let _ = writeln!(out, "| [`{id}`](#{id}) | {} | {kernels} | {entries} | {actions} |", row.summary, id = row.id);
    }
    ENVIRONMENTS.iter().for_each(|row| environment(row, &mut out));
    out
}

fn kernels(row: &EnvironmentRow) -> String {
    let name = |kernel: &KernelChoice| match kernel {
        KernelChoice::Fluid => "fluid",
        KernelChoice::Events => "events",
    };
    row.kernels.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn environment(row: &EnvironmentRow, out: &mut String) {
    let _ = writeln!(out, "\n## {}\n\nThe agent decides {}.\n", row.id, row.summary);
    let _ = writeln!(out, "- cost of a step: {}\n- kernels: {}\n", row.cost, kernels(row));
    out.push_str("### Observation\n\n| index | name | meaning | least | greatest |\n|---:|---|---|---:|---:|\n");
    for (index, entry) in (row.observations)().iter().enumerate() {
        let _ = writeln!(out, "| {index} | `{}` | {} | {} | {} |", entry.name, entry.meaning, entry.low, entry.high);
    }
    out.push_str("\n### Actions\n\n| action | meaning |\n|---:|---|\n");
    for action in (row.actions)() {
        let _ = writeln!(out, "| {} | {} |", action.index, action.meaning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_that_of_the_registry() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PATH);
        assert!(std::fs::read_to_string(path).unwrap() == page(), "{PATH} is stale: run `cargo xtask generate`");
    }

    /// Names of one environment are apart, every meaning is said, and no text breaks the table that it stands in.
    #[test]
    fn every_entry_of_every_environment_has_a_row_that_says_what_it_is() {
        let page = page();
        for row in ENVIRONMENTS {
            assert!(page.contains(&format!("\n## {}\n", row.id)) && !row.kernels.is_empty(), "{}", row.id);
            let (entries, actions) = ((row.observations)(), (row.actions)());
            let names: std::collections::BTreeSet<_> = entries.iter().map(|entry| entry.name).collect();
            assert_eq!(names.len(), entries.len(), "{}: a name twice", row.id);
            for entry in &entries {
                assert!(entry.low < entry.high, "{}: {}", row.id, entry.name);
                assert!(page.contains(&format!("| `{}` | {} |", entry.name, entry.meaning)), "{}", entry.name);
            }
            let texts = entries.iter().map(|entry| entry.meaning).chain(actions.iter().map(|one| one.meaning.as_str()));
            assert!(texts.into_iter().all(|text| !text.is_empty() && !text.contains(['|', '\n'])), "{}", row.id);
            let env = (row.example)(row.kernels[0], 1).unwrap();
            assert_eq!((env.observation_len(), env.action_count()), (entries.len(), actions.len()), "{}", row.id);
        }
    }
}
