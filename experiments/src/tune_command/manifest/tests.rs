//! One manifest per thing that can be in it, and one per refusal: each names line, column, key and what is allowed.

use super::*;

fn read(text: &str) -> Manifest {
    parse("hpa.yaml", text, None).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The faults of the autoscaler `web` with these lines in its spec, which begin on line 6.
fn refused(spec: &str) -> Vec<String> {
    parse("hpa.yaml", &hpa(spec), None).unwrap_err().iter().map(ToString::to_string).collect()
}

fn hpa(spec: &str) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: web, namespace: shop }}\nspec:\n  \
         scaleTargetRef: {{ apiVersion: apps/v1, kind: Deployment, name: front }}\n{spec}"
    )
}

const CPU: &str = "  metrics:\n  - type: Resource\n    resource: { name: cpu, target: { type: Utilization, averageUtilization: 60 } }\n";

#[test]
fn defaults_are_those_of_kubernetes() {
    let manifest = read(&hpa("  maxReplicas: 10\n"));
    let web = &manifest.scalers[0];
    assert_eq!((web.label().as_str(), web.target.as_str(), web.min, web.max), ("shop/web", "front", 1, 10));
    assert_eq!((web.metric.signal, web.metric.target, web.behavior.is_none()), (Signal::Cpu, 80.0, true));
    assert!(web.notes[0].contains("default of 80 % CPU"), "{:?}", web.notes);
    assert!(["web", "front", "shop/web", "shop/front"].iter().all(|name| web.answers_to(name)));
    assert!(!web.answers_to("shop"));
}

#[test]
fn shipped_manifests_are_read_with_everything_around_them() {
    let web = read(include_str!("../../../tests/data/tune/web.yaml"));
    assert_eq!(web.skipped, ["Service web"]);
    let scaler = &web.scalers[0];
    assert_eq!((scaler.metric.target, scaler.min, scaler.document), (50.0, 3, 1));
    assert_eq!(scaler.rules(false).stabilization_window_seconds, Some(600));
    assert_eq!(scaler.policies(true).len(), 1);
    let nasa = read(include_str!("../../../tests/data/tune/nasa.yaml"));
    assert_eq!((nasa.scalers[0].metric.signal, nasa.scalers[0].metric.target), (Signal::RequestRate, 2.0));
    let app = read(include_str!("../../../tests/data/tune/app.yaml"));
    let scaler = &app.scalers[0];
    assert_eq!((scaler.kind, scaler.metric.target, scaler.max), (Kind::ScaledObject, 40.0, 60));
    assert_eq!(scaler.rules(false).stabilization_window_seconds, Some(300), "through the merge key");
    let keda = scaler.keda.as_ref().unwrap();
    assert_eq!((keda.config["polling_interval_s"].as_u64(), keda.fixed.len(), scaler.least()), (Some(15), 1, 1));
    assert_eq!(keda.fixed[0]["desiredReplicas"], 6);
}

#[test]
fn lists_and_several_documents_hold_several() {
    let item = |name: &str| {
        format!("- metadata: {{ name: {name} }}\n  spec: {{ scaleTargetRef: {{ name: {name} }}, maxReplicas: 5 }}\n")
    };
    let list =
        format!("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscalerList\nitems:\n{}{}", item("a"), item("b"));
    let manifest = read(&format!("{list}---\n---\n{}", hpa("  maxReplicas: 10\n")));
    let labels: Vec<String> = manifest.scalers.iter().map(Scaler::label).collect();
    assert_eq!(labels, ["a", "b", "shop/web"]);
    assert_eq!(yaml::shown(&manifest.scalers[1].root), "items[1]");
}

#[test]
fn version_one_has_a_target_alone() {
    let text = "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {scaleTargetRef: {name: a}, \
                maxReplicas: 5, targetCPUUtilizationPercentage: 55}\n";
    let manifest = read(text);
    assert_eq!((manifest.scalers[0].kind, manifest.scalers[0].metric.target), (Kind::HpaV1, 55.0));
}

#[test]
fn impossible_limits_name_line_column_key_and_what_is_allowed() {
    let cases = [
        (
            "  minReplicas: 11\n  maxReplicas: 10\n",
            "6:16: `spec.minReplicas` is 11, must be at most `spec.maxReplicas` (10)",
        ),
        ("  maxReplicas: 0\n", "6:16: `spec.maxReplicas` is 0, must be a whole number from 1 to 10000"),
        (
            "  minReplicas: -1\n  maxReplicas: 10\n",
            "6:16: `spec.minReplicas` is -1, must be a whole number from 0 to 10000",
        ),
        ("  maxReplicas: \"10\"\n", "6:16: `spec.maxReplicas` is the text \"10\", must be a whole number"),
        ("  minReplicas: 2\n", "5:3: `spec.maxReplicas` is missing, must be a whole number from 1 to 10000"),
        (
            "  maxReplicas: 9\n  metrics: []\n",
            "7:12: `spec.metrics` is a list of 0, must be a list of metrics, or absent",
        ),
        (
            "  maxReplicas: 9\n  behavior: { scaleDown: { policies: [] } }\n",
            "`spec.behavior.scaleDown.policies` is a list of 0, must be a list of 1 to 16 policies",
        ),
        (
            "  maxReplicas: 9\n  behavior: { scaleUp: { stabilizationWindowSeconds: 3601 } }\n",
            "`spec.behavior.scaleUp.stabilizationWindowSeconds` is 3601, must be a whole number from 0 to 3600",
        ),
        (
            "  maxReplicas: 9\n  behavior: { scaleUp: { policies: [{ type: Nodes, value: 0, periodSeconds: 60 }] } }\n",
            "`spec.behavior.scaleUp.policies[0].type` is Nodes, must be Pods or Percent",
        ),
        (
            "  maxReplicas: 9\n  behavior: { scaleUp: { selectPolicy: Median } }\n",
            "is Median, must be Max, Min or Disabled",
        ),
        ("  maxReplicas: 9\n  behavior: { scaleUp: { tolerance: 1.5 } }\n", "is 1.5, must be a share from 0 to 1"),
        ("  maxReplicas: 9\n  maxReplicas: 10\n", "7:3: key `maxReplicas` stands twice"),
    ];
    for (spec, expected) in cases {
        let faults = refused(spec);
        assert!(faults[0].contains(expected), "{spec}: {faults:?}");
    }
    let zero = hpa(&format!("  maxReplicas: 9\n{}", CPU.replace("60", "0")));
    let message = parse("hpa.yaml", &zero, None).unwrap_err()[0].to_string();
    assert!(message.contains("averageUtilization` is 0, must be a whole number from 1 to 1000"), "{message}");
    assert_eq!(refused("  maxReplicas: 0\n  behavior: { scaleUp: { selectPolicy: X } }\n").len(), 2, "all at once");
}

#[test]
fn metrics_of_the_wrong_kind_teach_and_beside_a_right_one_are_kept() {
    let memory = "  metrics:\n  - type: Resource\n    resource: { name: memory, target: { type: Utilization, averageUtilization: 60 } }\n";
    let faults = refused(&format!("  maxReplicas: 9\n{memory}"));
    assert!(faults[0].contains("memory does not follow the load") && faults[0].contains("tuned are CPU"), "{faults:?}");
    let millis = CPU.replace("type: Utilization, averageUtilization: 60", "type: AverageValue, averageValue: 500m");
    assert!(refused(&format!("  maxReplicas: 9\n{millis}"))[0].contains("write it as Utilization"));
    let queue = "  metrics:\n  - type: External\n    external: { metric: { name: queue_depth }, target: { type: AverageValue, averageValue: 5 } }\n";
    let text = hpa(&format!("  maxReplicas: 9\n{queue}"));
    assert!(parse("f", &text, None).unwrap_err()[0].to_string().contains("--rate-metric queue_depth"));
    assert_eq!(parse("f", &text, Some("queue_depth")).unwrap().scalers[0].metric.target, 5.0);
    let both = hpa(&format!("  maxReplicas: 9\n{CPU}{}", memory.trim_start_matches("  metrics:\n")));
    let manifest = read(&both);
    assert_eq!(manifest.scalers[0].metric.target, 60.0);
    assert!(
        manifest.scalers[0].notes[0].contains("`spec.metrics[1].resource`: memory")
            || manifest.scalers[0].notes[0].contains("`spec.metrics[1]`: memory")
    );
}

#[test]
fn other_triggers_of_keda_are_refused_by_their_type() {
    let text = include_str!("../../../tests/data/tune/app.yaml").replace("type: prometheus", "type: kafka");
    let faults = parse("keda.yaml", &text, None).unwrap_err();
    let message = faults[0].to_string();
    assert!(message.contains("is kafka; tuned are triggers of type prometheus"), "{message}");
    let slow = include_str!("../../../tests/data/tune/app.yaml").replace("threshold: '40'", "threshold: '0'");
    assert!(parse("keda.yaml", &slow, None).unwrap_err()[0].to_string().contains("threshold` is the text \"0\""));
}

/// The faults of the shipped ScaledObject with a piece of its text replaced.
fn refused_object(old: &str, new: &str) -> Vec<String> {
    let text = include_str!("../../../tests/data/tune/app.yaml");
    assert!(text.contains(old), "{old}");
    let faults = parse("keda.yaml", &text.replace(old, new), None).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_formula_over_triggers_is_refused_at_its_key() {
    let formula = "  advanced:\n    scalingModifiers:\n      formula: a + b\n      target: '5'\n";
    let faults = refused_object("  advanced:\n", formula);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("17:5: `spec.advanced.scalingModifiers`: formulas are not simulated"), "{faults:?}");
    assert!(faults[0].ends_with("tune without it, or set targets by hand"), "{faults:?}");
    // KEDA takes an empty one for none.
    assert!(refused_object("  advanced:\n", "  advanced:\n    scalingModifiers: {}\n").is_empty());
}

#[test]
fn a_paused_object_is_refused_by_the_annotation() {
    let with = |annotation: &str| refused_object("  labels:", &format!("  annotations: {{{annotation}}}\n  labels:"));
    let whole = with("autoscaling.keda.sh/paused: 'true'");
    assert_eq!(
        whole,
        [
            "8:17: annotation `autoscaling.keda.sh/paused`: the object is paused: nothing scales it; remove the annotation to tune"
        ]
    );
    assert!(with("autoscaling.keda.sh/paused-replicas: '3'")[0].contains("is paused: nothing scales it"));
    assert!(with("autoscaling.keda.sh/paused-scale-in: 'true'")[0].contains("paused: nothing takes replicas away"));
    assert!(with("autoscaling.keda.sh/paused-scale-out: 'true'")[0].contains("paused: nothing adds replicas"));
    // As KEDA reads a Boolean: what is none pauses, and so does any number of replicas.
    assert_eq!(with("autoscaling.keda.sh/paused: 'yes'").len(), 1);
    assert_eq!(with("autoscaling.keda.sh/paused-replicas: 'false'").len(), 1);
    for no in ["'false'", "'F'", "'0'", "false"] {
        assert!(with(&format!("autoscaling.keda.sh/paused: {no}, other: x")).is_empty(), "{no}");
    }
}

#[test]
fn a_schedule_that_does_not_parse_is_refused_at_its_field() {
    let zone = refused_object("timezone: Europe/Berlin", "timezone: Europe/Berln");
    assert!(zone[0].starts_with("27:28: `spec.triggers[1].metadata.timezone`"), "{zone:?}");
    assert!(zone[0].contains("Europe/Berln"), "{zone:?}");
    let start = refused_object("start: 0 8 * * 1-5", "start: 0 25 * * 1-5");
    assert!(start[0].contains("`spec.triggers[1].metadata.start`") && start[0].contains("25"), "{start:?}");
    let end = refused_object("end: 0 18 * * 1-5", "end: 0 18 * *");
    assert!(end[0].contains("`spec.triggers[1].metadata.end`"), "{end:?}");
    let same = refused_object("end: 0 18 * * 1-5", "end: 0 8 * * 1-5");
    assert!(same[0].contains("`spec.triggers[1].metadata.end`"), "{same:?}");
}

#[test]
fn a_disabled_direction_is_told_unless_sleep_gives_replicas_back() {
    let disabled = |direction: &str| {
        let spec = format!("  maxReplicas: 9\n  behavior: {{ {direction}: {{ selectPolicy: Disabled }} }}\n");
        read(&hpa(&spec)).scalers[0].clone()
    };
    let down = disabled("scaleDown");
    assert_eq!((down.frozen(), down.disabled_notes().len()), (Some(false), 1));
    assert!(
        down.disabled_notes()[0].starts_with("scaleDown is disabled in the manifest: replicas that are there today")
    );
    let up = disabled("scaleUp");
    assert_eq!(up.frozen(), Some(true));
    assert!(up.disabled_notes()[0].starts_with("scaleUp is disabled in the manifest: "), "{:?}", up.disabled_notes());
    let plain = read(&hpa("  maxReplicas: 9\n"));
    assert_eq!((plain.scalers[0].frozen(), plain.scalers[0].disabled_notes().len()), (None, 0));
    let app = include_str!("../../../tests/data/tune/app.yaml")
        .replace("{stabilizationWindowSeconds: 300}", "{selectPolicy: Disabled}");
    assert_eq!(read(&app).scalers[0].frozen(), Some(false), "one replica at least: never asleep");
    let sleeper = read(&app.replace("minReplicaCount: 1", "minReplicaCount: 0")).scalers[0].clone();
    assert_eq!(sleeper.frozen(), None);
    assert!(sleeper.disabled_notes()[0].contains("only when KEDA puts the workload to sleep"));
}

#[test]
fn what_is_no_manifest_says_what_would_be_one() {
    let message = |text: &str| parse("f", text, None).unwrap_err()[0].to_string();
    assert!(message("").contains("holds no HorizontalPodAutoscaler"));
    assert!(
        message("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n").contains("holds no HorizontalPodAutoscaler")
    );
    assert!(message("a: [\n").contains("not readable as YAML"));
    assert!(
        message("name: {{ .Values.name }}\n---\nx: 1\n").contains("without `kind`")
            || message("name: {{ .Values.name }}\n").contains("helm template")
    );
    assert!(message("just text\n").contains("without `kind`"));
    let beta = hpa("  maxReplicas: 9\n").replace("autoscaling/v2", "autoscaling/v2beta2");
    assert!(message(&beta).contains("1:13: apiVersion is `autoscaling/v2beta2`, allowed are autoscaling/v2"));
    let twice = format!("{0}---\n{0}", hpa("  maxReplicas: 9\n"));
    assert!(message(&twice).contains("shop/web stands twice"));
}
