//! The README names everything that a user may meet: each reason, each permission, each metric.

use seatrial_core::control::work_queue::WorkQueue;
use seatrial_core::time::{Span, Timestamp};
use seatrial_operator::manifest::permissions::{OWN, WATCHED};
use seatrial_operator::reconcile::conditions::{ConditionType, Reason};
use seatrial_operator::telemetry::Telemetry;

const README: &str = include_str!("../README.md");

#[test]
fn every_reason_is_explained_once() {
    for reason in Reason::ALL {
        let row = format!("\n| `{}` | ", reason.label());
        assert_eq!(README.matches(&row).count(), 1, "{}", reason.label());
    }
    let (_, table) = README.split_once("## Troubleshooting").unwrap_or_default();
    assert_eq!(table.matches("\n| `").count(), Reason::ALL.len(), "a reason that is no more");
    for condition in ConditionType::ALL {
        let label = condition.label();
        assert!(include_str!("../yaml/crd.yaml").contains(label), "{label}");
    }
}

#[test]
fn the_permissions_are_those_of_the_roles() {
    for grant in WATCHED.iter().chain(OWN) {
        let group = if grant.group.is_empty() { "core".to_owned() } else { format!("`{}`", grant.group) };
        let resources: Vec<String> = grant.resources.iter().map(|resource| format!("`{resource}`")).collect();
        let row = format!("| {group} | {} | {} | {} |", resources.join(", "), grant.verbs.join(", "), grant.why);
        assert!(README.contains(&row), "the README lacks\n{row}");
    }
}

#[test]
fn every_metric_is_named() {
    let telemetry = Telemetry::new();
    telemetry.watch_queue(&WorkQueue::new(Span::from_secs(10)), true, true, Timestamp::from_secs(1));
    telemetry.queue_wait(Span::from_millis(3));
    telemetry.cycle(Span::from_millis(3));
    telemetry.watch_broken("pods");
    telemetry.count_log(&seatrial_operator::decision_log::DecisionLog::off());
    let text = telemetry.text();
    let families: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert!(families.len() > 10, "{text}");
    for (name, kind) in families {
        let shown = if kind == "counter" { format!("`{name}_total`") } else { format!("`{name}`") };
        assert!(README.contains(&shown), "the README does not name {shown}");
    }
}
