//! Whether a run folder holds the study that is asked for. Cells of two studies in one folder would be evidence for neither.
//!
//! Studies are the same if every key is. Of the strategies, those may differ that the study does not name itself: policies that
//! `registered` adds (a program may have learnt new ones) and rows that its bundle has no weights for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{self, Study};
use crate::error::{ExperimentError, Result};
use crate::run_folder::RunFolder;
use crate::strategies::{self, Recipe};

/// Differences that are named; more are counted.
const MOST_NAMED: usize = 3;

/// Refuses `folder` if another study than `asked` was begun there.
pub(super) fn check(folder: &RunFolder, asked: &Study) -> Result<()> {
    let differing = match config::of_run(folder) {
        Ok(loaded) => differences(&loaded.study, asked),
        Err(error) => vec![format!("its configuration cannot be read ({error})")],
    };
    if differing.is_empty() {
        return Ok(());
    }
    let more = differing.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let named = differing.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    let detail =
        format!("holds a run of another configuration: {named}{more}. Choose another --out, or delete the folder");
    Err(ExperimentError::RunFolder { path: folder.root().to_owned(), detail })
}

fn differences(there: &Study, asked: &Study) -> Vec<String> {
    let (there, asked) = without_additions(there, asked);
    let (there, asked) = (leaves(&there), leaves(&asked));
    let keys: std::collections::BTreeSet<&String> = there.keys().chain(asked.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), ToString::to_string);
    keys.into_iter()
        .filter(|key| there.get(*key) != asked.get(*key))
        .map(|key| format!("`{key}` is {} there, {} here", shown(there.get(key)), shown(asked.get(key))))
        .collect()
}

/// Both studies without the strategies that only one of them has and that the study does not name itself.
fn without_additions(there: &Study, asked: &Study) -> (Study, Study) {
    let strip = |of: &Study, other: &Study| {
        let kept = |id: &String| other.strategies.contains(id) || !is_addition(id, of);
        Study { strategies: of.strategies.iter().filter(|id| kept(id)).cloned().collect(), ..of.clone() }
    };
    (strip(there, asked), strip(asked, there))
}

fn is_addition(id: &str, study: &Study) -> bool {
    let Ok(strategy) = strategies::find(id, "") else { return study.registered };
    match strategy.recipe {
        Recipe::Registered(_) | Recipe::Default(_) => study.registered && strategies::is_registered(&strategy),
        Recipe::Learned(_) => study.bundle.is_some(),
        Recipe::Tuned(_) | Recipe::Global(_) => false,
    }
}

/// Dotted keys with their values; lists of plain values stay whole.
fn leaves(study: &Study) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    let mut open = vec![(String::new(), serde_json::to_value(study).unwrap_or_default())];
    while let Some((key, value)) = open.pop() {
        let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        match value {
            Value::Object(object) => open.extend(object.into_iter().map(|(name, value)| (below(&name), value))),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                open.extend(items.into_iter().enumerate().map(|(index, value)| (below(&index.to_string()), value)));
            }
            Value::Null => {}
            plain => drop(leaves.insert(key, plain)),
        }
    }
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> Study {
        config::load("quick", &[]).unwrap().study
    }

    #[test]
    fn differing_keys_are_named_with_both_values() {
        let mut other = quick();
        assert!(differences(&quick(), &other).is_empty());
        other.seeds.evaluation = vec![103];
        other.traces[1].headline = true;
        let found = differences(&quick(), &other);
        assert_eq!(
            found,
            ["`seeds.evaluation` is [101,102] there, [103] here", "`traces.1.headline` is false there, true here"]
        );
        other = quick();
        other.bundle = None;
        assert_eq!(differences(&quick(), &other), ["`bundle` is \"../bundles/quick\" there, absent here"]);
    }

    #[test]
    fn only_strategies_that_the_study_does_not_name_may_come_and_go() {
        let with = |more: &[&str]| {
            let mut study = quick();
            study.strategies.extend(more.iter().map(|id| (*id).to_owned()));
            study
        };
        assert!(differences(&quick(), &with(&["headroom"])).is_empty(), "a new registered policy");
        assert!(differences(&with(&["headroom", "gone"]), &quick()).is_empty(), "a policy that is gone");
        assert_eq!(differences(&quick(), &with(&["hpa-global"])).len(), 1);
        let mut without = quick();
        without.strategies.retain(|id| id != "lstm-dqn-persistence");
        assert!(differences(&without, &quick()).is_empty(), "no weights in the bundle");
        without.bundle = None;
        let mut asked = quick();
        asked.bundle = None;
        assert_eq!(differences(&without, &asked).len(), 1, "without a bundle every row is the study's own");
    }
}
