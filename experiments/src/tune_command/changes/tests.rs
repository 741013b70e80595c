//! Edits of real-world layouts: only the changed fields change, and what is read back is what was meant.

use super::*;
use crate::tune_command::candidates;
use crate::tune_command::manifest::parse;

const WEB: &str = include_str!("../../../tests/data/tune/web.yaml");
const NASA: &str = include_str!("../../../tests/data/tune/nasa.yaml");
const APP: &str = include_str!("../../../tests/data/tune/app.yaml");

const fn percent(value: i32, period_seconds: u32) -> ScalingPolicy {
    ScalingPolicy { kind: ScalingPolicyKind::Percent, value, period_seconds }
}

fn everything(target: f64) -> Candidate {
    Candidate {
        target: Some(target),
        hold_s: Some(120),
        up_window_s: None,
        up: Some(vec![ScalingPolicy { kind: ScalingPolicyKind::Pods, value: 4, period_seconds: 15 }, percent(100, 15)]),
        down: Some(vec![percent(100, 15)]),
    }
}

fn applied(text: &str, candidate: &Candidate) -> Result<String, EditError> {
    let manifest = parse("f", text, None).unwrap();
    let scaler = &manifest.scalers[0];
    apply(text, scaler.document, &of(candidate, scaler, &manifest))
}

/// Lines of `before` that are not in `after`, and the other way round.
fn difference<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let lacking = |a: &'a str, b: &str| -> Vec<&'a str> {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(str::trim).collect()
    };
    (lacking(before, after), lacking(after, before))
}

#[test]
fn a_manifest_in_blocks_keeps_its_comments_and_order() {
    let after = applied(WEB, &everything(72.0)).unwrap();
    let (gone, new) = difference(WEB, &after);
    assert_eq!(
        gone,
        [
            "averageUtilization: 50   # set by feel in 2023",
            "stabilizationWindowSeconds: 600  # was 300, raised after the incident",
            "value: 10",
            "periodSeconds: 60",
            "- {type: Pods, value: 10, periodSeconds: 60}",
        ]
    );
    assert_eq!(
        new,
        [
            "averageUtilization: 72   # set by feel in 2023",
            "stabilizationWindowSeconds: 120  # was 300, raised after the incident",
            "value: 100",
            "periodSeconds: 15",
            "- {type: Pods, value: 4, periodSeconds: 15}",
            "value: 100",
            "periodSeconds: 15",
        ]
    );
    assert!(
        after.ends_with(
            "periodSeconds: 15}\n        - type: Percent\n          value: 100\n          periodSeconds: 15\n"
        ),
        "{after}"
    );
    assert!(after.contains("# at most 10 pods a minute"), "{after}");
}

#[test]
fn fields_that_are_absent_are_added_in_the_style_of_their_neighbours() {
    let after = applied(NASA, &everything(2.4)).unwrap();
    assert!(after.contains("averageValue: \"2400m\"}   # measured"), "{after}");
    let behavior = "  behavior:\n    scaleUp:\n      policies:\n      - type: Pods\n        value: 4\n        periodSeconds: 15\n      \
                    - type: Percent\n        value: 100\n        periodSeconds: 15\n    scaleDown:\n      \
                    stabilizationWindowSeconds: 120\n      policies:\n      - type: Percent\n";
    assert!(after.contains(behavior), "{after}");
    let bare = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: a\nspec:\n  scaleTargetRef:\n    name: a\n  maxReplicas: 5";
    let after = applied(bare, &Candidate { target: Some(70.0), ..Candidate::default() }).unwrap();
    assert!(after.ends_with("  maxReplicas: 5\n  metrics:\n  - type: Resource\n    resource:\n      name: cpu\n      target:\n        type: Utilization\n        averageUtilization: 70"), "{after}");
}

#[test]
fn json_stays_json() {
    let json = "{\n  \"apiVersion\": \"autoscaling/v2\", \"kind\": \"HorizontalPodAutoscaler\", \"metadata\": {\"name\": \"a\"},\n  \"spec\": {\n    \
                \"scaleTargetRef\": {\"name\": \"a\"},\n    \"maxReplicas\": 5\n  }\n}\n";
    let after = applied(json, &everything(70.0)).unwrap();
    let value: serde_json::Value = serde_json::from_str(&after).unwrap();
    assert_eq!(value["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
    assert_eq!(value["spec"]["behavior"]["scaleDown"]["policies"][0]["value"], 100);
    assert!(after.contains("\n    \"maxReplicas\": 5,\n    \"metrics\": ["), "{after}");
}

#[test]
fn what_comes_through_a_merge_key_is_not_changed_at_its_source() {
    let only_hold = Candidate { hold_s: Some(60), ..Candidate::default() };
    // The merged `scaleDown` is a map: a new one beside it would hide the rest of it, so only a whole one may be added.
    let after = applied(APP, &only_hold);
    match after {
        Ok(text) => {
            assert!(text.contains("scaleDown: {stabilizationWindowSeconds: 300}"), "the source stays: {text}");
            let manifest = parse("f", &text, None).unwrap();
            assert_eq!(manifest.scalers[0].rules(false).stabilization_window_seconds, Some(60));
        }
        Err(error) => panic!("{error}"),
    }
    let target = applied(APP, &Candidate { target: Some(55.0), ..Candidate::default() }).unwrap();
    assert_eq!(difference(APP, &target), (vec!["threshold: '40'"], vec!["threshold: '55'"]));
}

#[test]
fn an_alias_in_the_place_of_a_value_is_replaced_and_its_anchor_is_not_touched() {
    let text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a, annotations: {cpu: &cpu 60}}\nspec:\n  scaleTargetRef: {name: a}\n  \
                maxReplicas: 5\n  metrics:\n  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: *cpu}}\n";
    let after = applied(text, &Candidate { target: Some(75.0), ..Candidate::default() }).unwrap();
    assert!(after.contains("cpu: &cpu 60") && after.contains("averageUtilization: 75}"), "{after}");
    // The other way round a change would show in the annotation: refused, by the line of the value.
    let text = text.replace("&cpu 60", "x").replace("averageUtilization: *cpu", "averageUtilization: &cpu 60");
    let text = format!("{text}  minReplicas: 1\nstatus: {{currentReplicas: *cpu}}\n");
    let error = applied(&text, &Candidate { target: Some(75.0), ..Candidate::default() }).unwrap_err();
    assert!(error.to_string().contains("is shared by an anchor (line 9)"), "{error}");
}

#[test]
fn line_ends_of_windows_stay() {
    let text = WEB.replace('\n', "\r\n");
    let after = applied(&text, &everything(72.0)).unwrap();
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    assert_eq!(after.replace("\r\n", "\n"), applied(WEB, &everything(72.0)).unwrap());
}

/// Every candidate of every shipped manifest: the edited text reads back as that setting, and setting it again changes nothing.
#[test]
fn every_candidate_reads_back_as_it_was_meant() {
    for text in [WEB, NASA, APP] {
        let manifest = parse("f", text, None).unwrap();
        let scaler = &manifest.scalers[0];
        for candidate in candidates::all(scaler, 50.0).iter().step_by(17) {
            let after = applied(text, candidate).unwrap_or_else(|error| panic!("{candidate:?}: {error}"));
            let again = parse("f", &after, None).unwrap();
            let read = &again.scalers[0];
            let target = candidate.target.unwrap_or(scaler.metric.target);
            assert!((read.metric.target - target).abs() < 1e-9, "{candidate:?}");
            assert_eq!(read.policies(true), candidate.up.clone().unwrap_or_else(|| scaler.policies(true)));
            assert_eq!(read.policies(false), candidate.down.clone().unwrap_or_else(|| scaler.policies(false)));
            let hold = candidate.hold_s.or(scaler.rules(false).stabilization_window_seconds);
            assert_eq!(read.rules(false).stabilization_window_seconds, hold);
            assert_eq!((read.min, read.max, &again.skipped), (scaler.min, scaler.max, &manifest.skipped));
        }
    }
}
