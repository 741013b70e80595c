//! A short form of each section, and the committed page against the rows that the code measures.

use seatrial_envs::app::run_fluid;
use seatrial_envs::spec::Inputs;

use super::*;
use crate::scenario_command::{GALLERY, parse};

const SHORT: Effort = Effort { queue_seeds: 6, scenario_seeds: 3, length: 0.5 };

fn committed() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page::PATH);
    std::fs::read_to_string(path).unwrap()
}

/// Each expected row stands in the page once, and no table has more of its kind.
fn assert_rows(expected: &[String], heading: &str) {
    let page = committed();
    let section = page.split("\n## ").find(|section| section.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("{} has no section `{heading}`", page::PATH));
    for name in expected {
        let count = section.lines().filter(|line| line.starts_with(name.as_str())).count();
        assert_eq!(count, 1, "{}, {heading}: `{name}`: measure it anew (see the page)", page::PATH);
    }
}

#[test]
fn the_committed_page_has_the_rows_that_are_measured() {
    let cases = theory::cases();
    let of_theory = cases.iter().flat_map(theory::Case::names);
    let of_theory: Vec<String> =
        of_theory.map(|(model, load, measure)| page::theory_name(&model, load, measure)).collect();
    assert!(of_theory.len() > 55, "{}", of_theory.len());
    assert_rows(&of_theory, "1. ");
    let of_waiting: Vec<String> =
        waiting::REFERENCE.iter().map(|(pods, load, _)| page::waiting_name(*pods, *load)).collect();
    assert_rows(&of_waiting, "2. ");
    let names = kernels::SETTINGS.iter().flat_map(kernels::Setting::names);
    let of_kernels: Vec<String> = names
        .flat_map(|(scenario, strategy, measures)| {
            measures.into_iter().map(move |measure| page::kernel_name(scenario, strategy, measure))
        })
        .collect();
    assert_rows(&of_kernels, "3. ");
    let of_protocol = protocol::names().map(|(load, strategy)| page::protocol_name(&load, &strategy));
    assert_rows(&of_protocol.collect::<Vec<_>>(), "4. ");
    assert_rows(&bounds::SCENARIOS.map(page::bound_name), "6. ");
}

/// The page says of every scenario that the fluid kernel refuses what the kernel says today.
#[test]
fn the_committed_page_has_todays_refusals() {
    let page = committed();
    let mut refused = 0;
    for (name, text) in GALLERY.iter().filter(|(_, text)| !text.contains("# Needs SEATRIAL_TRACES.")) {
        let said = kernels::refusal(name, &[]).unwrap();
        let row = page.lines().find(|line| line.starts_with(&format!("| {name} | scenario: ")));
        assert_eq!(row.map(str::to_owned), said.map(|said| format!("| {name} | {} |", said.reason)), "{name}\n{text}");
        refused += usize::from(row.is_some());
    }
    assert!(refused >= 4, "{refused}");
}

/// What is events-only is barred: no driver gets it past the fluid kernel.
#[test]
fn a_scenario_with_nodes_is_refused_with_the_key_that_asks_for_them() {
    let (_, text) = GALLERY.iter().find(|(name, _)| *name == kernels::EVENTS_ONLY).unwrap();
    let spec = parse(text, "gallery").unwrap();
    let error = run_fluid(&spec, &Inputs::default(), vec![None]).unwrap_err().to_string();
    assert_eq!(
        error,
        "scenario: `cluster` is given, and the fluid kernel needs none: every pod finds room at once: change it, or say \
         kernel = \"events\""
    );
    let fluid = text.replacen("kernel = \"events\"", "kernel = \"fluid\"", 1);
    let refused = parse(&fluid, "gallery").unwrap_err().to_string();
    assert!(refused.contains("`cluster`"), "{refused}");
}

/// Every fourth case: one of each kind at least.
#[test]
fn single_queues_agree_with_theory_in_short() {
    let mut kinds = std::collections::BTreeSet::new();
    for case in theory::cases().iter().step_by(3) {
        if case.names().any(|(_, load, _)| load > 0.9) {
            continue;
        }
        for row in case.measure(SHORT).unwrap() {
            kinds.insert(row.measure.clone());
            assert!(row.is_inside(), "{row:?}");
        }
    }
    assert!(kinds.len() >= 5, "{kinds:?}");
}

/// A queue whose work is twice as long as theory was told is found out.
#[test]
fn a_wrong_theory_lies_outside() {
    let rows = theory::cases()[0].measure(SHORT).unwrap();
    let wrong = theory::Row { theory: 2.0 * rows[1].theory, ..rows[1].clone() };
    assert!(rows[1].is_inside() && !wrong.is_inside(), "{wrong:?}");
}

/// Three standard errors of our own, and as much for the reference, which is one run.
#[test]
fn the_waiting_table_agrees_in_short() {
    let effort = Effort { queue_seeds: 6, ..SHORT };
    for reference in [waiting::REFERENCE[0], waiting::REFERENCE[1]] {
        let row = waiting::row(reference, effort).unwrap();
        for (column, (ours, theirs)) in waiting::COLUMNS.iter().zip(row.ours.iter().zip(row.reference)) {
            let allowed = ours.half.map_or(0.001, |half| 3.0 * half);
            assert!((ours.mean - theirs).abs() <= allowed, "{column}: {ours:?} {theirs}");
        }
    }
}

#[test]
fn kernels_agree_on_a_scenario_in_short() {
    let batch =
        kernels::SETTINGS.iter().find(|setting| setting.names().any(|name| name.0 == "single-web-service")).unwrap();
    let (rows, order) = batch.measure(Effort { scenario_seeds: 2, ..SHORT }, Some(900.0), &[]).unwrap();
    let held = rows.iter().filter(|row| row.strategy.starts_with("static"));
    for row in held.filter(|row| [kernels::UTILISATION, kernels::BAD].contains(&row.measure.as_str())) {
        assert_eq!(row.holds(), Some(true), "{row:?}");
    }
    assert_eq!((order.pairs, order.reversed.len()), (15, 0), "{order:?}");
    assert!(order.known >= 3, "{order:?}");
}

#[test]
fn protocol_p1_agrees_in_short() {
    let (rows, order) = protocol::single(0.7).unwrap().measure(Effort { scenario_seeds: 2, ..SHORT }).unwrap();
    assert!(rows[0].holds(), "{rows:?}");
    assert!((rows[0].events_utilisation - 0.7).abs() < 0.01, "{rows:?}");
    assert_eq!(order.pairs, 0);
}

#[test]
fn orders_are_known_or_not_and_reversals_are_named() {
    let events = [vec![10.0, 11.0, 12.0], vec![20.0, 21.0, 22.5], vec![9.0, 13.0, 11.0]];
    let fluid = [vec![30.0; 3], vec![20.0; 3], vec![10.0; 3]];
    let order = kernels::Order::of("s", &["a", "b", "c"], &fluid, &events);
    assert_eq!((order.pairs, order.known), (3, 2), "{order:?}");
    assert_eq!(order.reversed, [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn what_is_allowed_is_what_the_design_says() {
    let row = |measure: &str, fluid: f64, events: f64| kernels::Row {
        scenario: String::new(),
        strategy: String::new(),
        measure: measure.to_owned(),
        fluid: Some(fluid),
        events: Some(events),
        difference: (events > 0.0).then(|| sample::Interval { mean: fluid / events - 1.0, half: None }),
        seeds: 1,
    };
    for (measure, fluid, holds) in [
        (kernels::UTILISATION, 0.509, true),
        (kernels::UTILISATION, 0.511, false),
        (kernels::P95, 0.54, true),
        (kernels::P95, 0.56, false),
        (kernels::DRAIN, 0.46, true),
        (kernels::DRAIN, 0.44, false),
        (kernels::BAD, 0.57, true),
        (kernels::BAD, 0.58, false),
    ] {
        assert_eq!(row(measure, fluid, 0.5).holds(), Some(holds), "{measure} {fluid}");
    }
    assert_eq!(row(kernels::BAD, 0.0019, 0.0).holds(), Some(true), "0.002 is allowed where nothing is bad");
    assert_eq!(row(kernels::BAD, 0.0030, 0.0012).holds(), Some(true));
    assert!(row(kernels::BAD, 0.0030, 0.0012).is_small() && !row(kernels::UTILISATION, 0.5, 0.5).is_small());
    assert_eq!(row(kernels::BAD, 0.0030, 0.0).holds(), None);
}

#[test]
fn a_bound_is_one_in_short() {
    let row = bounds::row("node-pool-bound", Effort { scenario_seeds: 2, ..SHORT }, &[]).unwrap();
    assert!(row.holds() && row.oracle.mean < 1.1 && row.own.mean > row.oracle.mean, "{row:?}");
    assert!(row.lower > 1.05 * row.lower_with_room, "the pool binds: {row:?}");
    let low = bounds::Row { oracle: sample::Interval { mean: 0.98, half: None }, ..row };
    assert!(!low.holds());
}

#[test]
fn an_unknown_section_names_those_there_are() {
    let error = Evidence::measure("queues", SHORT, &[]).unwrap_err().to_string();
    assert!(error.contains("bounds, kernels, protocol, theory, waiting"), "{error}");
}

/// A reason whose row is not in any table explains nothing.
#[test]
fn every_reason_fits_a_row() {
    for (pattern, why) in page::reasons_given() {
        let fits = kernels::SETTINGS.iter().flat_map(kernels::Setting::names).any(|(scenario, strategy, measures)| {
            let part = |part: &str, of: &str| part.is_empty() || part == of;
            part(pattern[0], scenario)
                && part(pattern[1], strategy)
                && measures.iter().any(|measure| part(pattern[2], measure))
        });
        assert!(fits && committed().contains(why), "{pattern:?}");
    }
}
