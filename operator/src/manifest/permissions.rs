//! What the operator may do: the one list from which roles are written and which `check` asks the API server about.
//!
//! Each grant stands for requests of the shell: watches list and watch (they never get), the hands patch, Events are
//! created and counted up. Least privilege is tried on a real API server by `tests/real/manifests.rs`.

use serde_json::{Value, json};

/// Some verbs on some resources of one API group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// API group; empty is the core group.
    pub group: &'static str,
    /// Plural names, a subresource after a slash.
    pub resources: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// What it is for.
    pub why: &'static str,
}

/// Granted where policies are watched: the whole cluster, or one namespace.
pub const WATCHED: &[Grant] = &[
    Grant {
        group: "seatrial.dev",
        resources: &["scalingpolicies"],
        verbs: &["list", "watch", "patch"],
        why: "reads policies; patches only the finalizer that restores an autoscaler's minimum",
    },
    Grant {
        group: "seatrial.dev",
        resources: &["scalingpolicies/status"],
        verbs: &["patch"],
        why: "writes the status",
    },
    Grant {
        group: "",
        resources: &["pods"],
        verbs: &["list", "watch"],
        why: "counts the target's pods, reads their CPU requests",
    },
    Grant { group: "", resources: &["configmaps"], verbs: &["get"], why: "reads the bundle that a policy names" },
    Grant {
        group: "autoscaling",
        resources: &["horizontalpodautoscalers"],
        verbs: &["list", "watch", "patch"],
        why: "finds autoscalers that target the workload; patches minReplicas with actuator hpa-min",
    },
    Grant {
        group: "apps",
        resources: &["deployments/scale", "replicasets/scale", "statefulsets/scale"],
        verbs: &["get", "patch"],
        why: "reads and writes replicas, nothing else of a workload; add the scale subresource of other kinds here",
    },
    Grant { group: "events.k8s.io", resources: &["events"], verbs: &["create", "patch"], why: "tells what changed" },
];

/// Granted in the operator's own namespace alone.
pub const OWN: &[Grant] = &[
    Grant {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["create"],
        why: "the first operator makes the Lease; create cannot be limited to a name",
    },
    Grant {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["get", "update"],
        why: "holds its own Lease, no other",
    },
];

impl Grant {
    /// The rule of a role; `name` limits it to one object.
    #[must_use]
    pub fn rule(&self, name: Option<&str>) -> Value {
        let mut rule = json!({ "apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs });
        if let Some(name) = name.filter(|_| !self.verbs.contains(&"create")) {
            rule["resourceNames"] = json!([name]);
        }
        rule
    }
}
