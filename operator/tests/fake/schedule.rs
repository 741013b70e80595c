//! Runs all scenarios at the same time: they wait for seconds and work for milliseconds. Each is a test of its own all the same.
//!
//! The first test starts the scenarios that the test program's filter names, or all; every test waits for its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

/// A scenario by name.
pub(crate) type Scenario = (&'static str, fn());

static RUNNING: OnceLock<Mutex<BTreeMap<&'static str, JoinHandle<()>>>> = OnceLock::new();

/// Waits for the scenario `name`.
pub(crate) fn wait(name: &str, all: &[Scenario]) {
    let running = RUNNING.get_or_init(|| Mutex::new(start(all)));
    let thread = running.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    let Some(thread) = thread else { panic!("{name} was not started: the filter of the program does not name it") };
    if let Err(panic) = thread.join() {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        panic!("{}", text.unwrap_or_default());
    }
}

fn start(all: &[Scenario]) -> BTreeMap<&'static str, JoinHandle<()>> {
    crate::stage::note_panics();
    let filters = filters(std::env::args().skip(1));
    let meant = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let begin = |(name, run): &Scenario| {
        let thread = std::thread::Builder::new().name((*name).to_owned()).spawn(*run).unwrap();
        (*name, thread)
    };
    all.iter().filter(|(name, _)| meant(name)).map(begin).collect()
}

/// What names tests among the arguments of a test program: neither its options nor their values (`--skip real_`).
fn filters(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut filters = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        if !is_value && !argument.starts_with('-') {
            filters.push(argument.clone());
        }
        is_value = matches!(argument.as_str(), "--skip" | "--test-threads" | "--color" | "--format" | "--logfile");
    }
    filters
}

#[test]
fn values_of_options_are_no_filters() {
    let of = |arguments: &[&str]| filters(arguments.iter().map(|argument| (*argument).to_owned()));
    assert!(of(&["--quiet", "--skip", "real_", "--test-threads=1"]).is_empty());
    assert_eq!(of(&["--skip", "real_", "watching", "--exact"]), ["watching"]);
}

/// Runs a scenario to its end in a runtime of its own.
pub(crate) fn play(scenario: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(scenario);
}

/// Makes a test of each scenario.
macro_rules! scenarios {
    ($($module:ident: $($name:ident),+ $(,)?;)*) => {
        const SCENARIOS: &[crate::schedule::Scenario] = &[$($((
            concat!("play::", stringify!($module), "::", stringify!($name)),
            || crate::schedule::play(crate::$module::$name()),
        )),+),*];
        $(mod $module {
            $(#[test]
            fn $name() {
                crate::schedule::wait(concat!("play::", stringify!($module), "::", stringify!($name)), super::SCENARIOS);
            })+
        })*
    };
}
pub(crate) use scenarios;
