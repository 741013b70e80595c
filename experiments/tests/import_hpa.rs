//! `seatrial import hpa` from manifests to policies, and on bad manifests.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROMETHEUS: &str = "http://prometheus.monitoring:9090";
/// How a stale golden file is made anew, from the folder of the workspace.
const RENEW: &str = "operator/tests/data/from_hpa.yaml is stale: run `seatrial import hpa experiments/tests/data/hpa.yaml \
                     --prometheus http://prometheus.monitoring:9090 > operator/tests/data/from_hpa.yaml`";

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hpa.yaml")
}

fn import(file: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    command.args(["import", "hpa"]).arg(file).args(more).output().unwrap()
}

fn output(file: &Path, more: &[&str]) -> (String, String) {
    let output = import(file, &[&["--prometheus", PROMETHEUS], more].concat());
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{err}");
    (out, err)
}

/// The message about a manifest of this text.
fn refused(text: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.yaml");
    std::fs::write(&file, text).unwrap();
    let out = folder.path().join("out");
    message(&import(&file, &["--prometheus", PROMETHEUS, "--out", out.to_str().unwrap()]), &out)
}

fn message(output: &Output, out: &Path) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{message}");
    assert_eq!(message.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{message}");
    assert!(!out.exists(), "something was written: {message}");
    message
}

#[test]
fn manifests_become_the_committed_policies() {
    let (yaml, notes) = output(&manifests(), &[]);
    let committed =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/tests/data/from_hpa.yaml"));
    assert!(committed.is_ok_and(|committed| committed == yaml), "{RENEW}");
    assert!(notes.contains("skipped Service web"), "{notes}");
    assert!(notes.contains("shop/web: metric Resource memory (Utilization) is left out"), "{notes}");
    assert!(yaml.contains("# Note: metric Resource memory (Utilization) is left out"), "{yaml}");
}

#[test]
fn one_file_per_policy_the_same_bytes_each_time_and_edits_are_safe() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("policies");
    let out_text = out.to_str().unwrap();
    let (first, _) = output(&manifests(), &["--out", out_text]);
    assert!(first.lines().all(|line| line.starts_with("wrote")) && first.lines().count() == 2, "{first}");
    let web = out.join("shop.web.yaml");
    let bytes = std::fs::read(&web).unwrap();
    let (second, _) = output(&manifests(), &["--out", out_text]);
    assert!(second.lines().all(|line| line.starts_with("unchanged")), "{second}");
    assert_eq!(std::fs::read(&web).unwrap(), bytes);
    assert!(out.join("api.yaml").is_file());

    std::fs::write(&web, "mine").unwrap();
    let again = import(&manifests(), &["--prometheus", PROMETHEUS, "--out", out_text]);
    let message = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && message.contains("holds something else"), "{message}");
    assert_eq!(std::fs::read(&web).unwrap(), b"mine");
    output(&manifests(), &["--out", out_text, "--force"]);
    assert_eq!(std::fs::read(&web).unwrap(), bytes);
}

fn autoscaler(version: &str, name: &str, max: &str) -> String {
    format!(
        "apiVersion: {version}\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: {name} }}\nspec:\n  scaleTargetRef: \
         {{ apiVersion: apps/v1, kind: Deployment, name: web }}\n  maxReplicas: {max}\n"
    )
}

#[test]
fn refuses_manifests_that_hold_no_readable_autoscaler() {
    assert!(refused("a: [1\n").contains("not readable as YAML"));
    let chart = refused("kind: {{ .Values.kind }}\n{{- if x }}\n");
    assert!(chart.contains("helm template"), "{chart}");
    assert!(refused("kind: Service\nmetadata: { name: x }\n").contains("holds no HorizontalPodAutoscaler"));
    assert!(refused("").contains("holds no HorizontalPodAutoscaler"));
    assert!(refused("name: x\n").contains("a document without `kind`"));
    assert!(refused(b"kind: \xff\n").contains("not UTF-8"));
    assert!(refused(vec![b'#'; (16 << 20) + 1]).contains("larger than 16 MiB"));
}

#[test]
fn refuses_autoscalers_of_another_version_or_shape() {
    let message = refused(autoscaler("autoscaling/v1", "web", "3"));
    assert!(message.contains("apiVersion `autoscaling/v1`, autoscaling/v2 is needed"), "{message}");
    let message = refused(autoscaler("autoscaling/v2", "web", "many"));
    assert!(message.contains("HorizontalPodAutoscaler web: spec.maxReplicas: "), "{message}");
    let list = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscalerList\nitems:\n- metadata: { name: web }\n";
    assert!(refused(list).contains("missing field `spec`"));
}

#[test]
fn refuses_all_where_one_is_impossible_with_a_line_for_each() {
    let text = [("one", "5"), ("two", "0"), ("Two", "5"), ("one", "6")]
        .map(|(name, max)| autoscaler("autoscaling/v2", name, max));
    let message = refused(text.join("---\n"));
    for part in ["nothing was imported", "\"two\": bounds 1 to 0", "\"Two\": its name", "one: stands twice"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn refuses_an_absent_file_and_an_address_with_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let arguments = |url| ["--prometheus", url, "--out", out.to_str().unwrap()];
    let absent = message(&import(&folder.path().join("no.yaml"), &arguments(PROMETHEUS)), &out);
    assert!(absent.contains("cannot read"), "{absent}");
    let secret = message(&import(&manifests(), &arguments("http://me:hunter2@p:9090")), &out);
    assert!(secret.contains("user or password") && !secret.contains("hunter2"), "{secret}");
    assert!(message(&import(&manifests(), &arguments("p:9090")), &out).contains("is no http:// or https:// address"));
}
