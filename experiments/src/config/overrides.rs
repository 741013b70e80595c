//! `--set key=value`: a dotted key and a TOML value, laid over the file before it is checked.

use toml::{Table, Value};

use crate::error::{ExperimentError, Result};

/// Lays `key=value` over `table`, creating tables on the way. `traces.0.window` reaches into arrays.
///
/// A value that is not TOML is taken as a string, so that `--set name=try` needs no quotes.
///
/// # Errors
/// If there is no `=`, the key is empty, or the path runs through something that is neither table nor array.
pub(super) fn lay_over(table: &mut Table, assignment: &str) -> Result<()> {
    let Some((key, text)) = assignment.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
        return Err(ExperimentError::Usage {
            what: format!("--set {assignment}: no `key=value`"),
            next: "write for example --set seeds.training=5".into(),
        });
    };
    let path: Vec<&str> = key.trim().split('.').collect();
    let mut root = Value::Table(std::mem::take(table));
    let set = set(&mut root, &path, parse(text.trim()));
    if let Value::Table(changed) = root {
        *table = changed;
    }
    set.map_err(|at| ExperimentError::Usage {
        what: format!("--set {assignment}: there is no `{at}` to set a key in"),
        next: "see the keys of the study's TOML file".into(),
    })
}

fn parse(text: &str) -> Value {
    format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(root: &mut Value, path: &[&str], value: Value) -> std::result::Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        *root = value;
        return Ok(());
    };
    let slot = match root {
        Value::Table(table) => table.entry((*first).to_owned()).or_insert_with(|| Value::Table(Table::new())),
        Value::Array(array) => {
            first.parse::<usize>().ok().and_then(|index| array.get_mut(index)).ok_or_else(|| (*first).to_owned())?
        }
        _ => return Err((*first).to_owned()),
    };
    set(slot, rest, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn sets_dotted_keys_arrays_and_bare_words() {
        let mut config = table("name = \"a\"\n[seeds]\ntraining = 1\n[[traces]]\nid = \"x\"\n");
        for assignment in ["seeds.training=5", "traces.0.window=last-day", "tune.trials = 7", "name=try"] {
            lay_over(&mut config, assignment).unwrap();
        }
        let expected = "name = \"try\"\n[seeds]\ntraining = 5\n[[traces]]\nid = \"x\"\nwindow = \"last-day\"\n[tune]\ntrials = 7\n";
        assert_eq!(config, table(expected));
    }

    #[test]
    fn refuses_what_is_no_assignment_or_leads_nowhere() {
        let mut config = table("name = \"a\"\n[[traces]]\nid = \"x\"\n");
        for wrong in ["name", "=3", "name.deeper=1", "traces.4.id=y", "traces.first=y"] {
            assert!(lay_over(&mut config, wrong).unwrap_err().is_usage(), "{wrong}");
        }
        assert_eq!(config, table("name = \"a\"\n[[traces]]\nid = \"x\"\n"), "a refused assignment changes nothing");
    }
}
