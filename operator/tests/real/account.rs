//! Who wrote what and when, from the API server's audit log.

use std::path::Path;

use k8s_openapi::jiff;
use seatrial_core::time::Timestamp;
use serde_json::Value;

/// The account that the installation gives the operator.
pub(crate) const OPERATOR: &str = "system:serviceaccount:seatrial-system:seatrial-operator";

/// A write of the operator; Leases are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// When the API server received it.
    pub(crate) at: Timestamp,
    /// Verb, resource with subresource, name.
    pub(crate) what: String,
    /// Which of the operator's tokens it came with.
    pub(crate) credential: String,
    /// The status it was answered with.
    pub(crate) code: u64,
}

impl Write {
    /// Whether it changed the replicas of a workload.
    pub(crate) fn scaled(&self) -> bool {
        self.what.starts_with("patch deployments/scale ") && self.code == 200
    }
}

/// Every write of the operator so far. A line that a killed API server left half is none.
pub(crate) fn writes(run_dir: &Path) -> Vec<Write> {
    let log = std::fs::read_to_string(run_dir.join("audit.jsonl")).unwrap();
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).filter_map(|line| write(&line)).collect()
}

fn write(line: &Value) -> Option<Write> {
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (verb, object) = (part(&line["verb"]), &line["objectRef"]);
    let written = ["create", "update", "patch", "delete", "deletecollection"].contains(&&*verb);
    if !written || line["user"]["username"] != OPERATOR || object["resource"] == "leases" {
        return None;
    }
    let resource = [part(&object["resource"]), part(&object["subresource"])].join("/");
    Some(Write {
        at: moment(&part(&line["requestReceivedTimestamp"])),
        what: format!("{verb} {} {}", resource.trim_end_matches('/'), part(&object["name"])),
        credential: part(&line["user"]["extra"][CREDENTIAL][0]),
        code: line["responseStatus"]["code"].as_u64().unwrap_or(0),
    })
}

/// Where the API server tells tokens of one account apart.
pub(crate) const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// A moment as Kubernetes and the operator's log write it.
pub(crate) fn moment(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"));
    Timestamp::from_micros(at.as_microsecond())
}
