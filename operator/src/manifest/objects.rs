//! Every object of an installation but the resource type, as the API server wants it.

use serde_json::{Value, json};

use super::permissions::{OWN, WATCHED};

/// Name of every object of the operator, and of its Lease.
pub const NAME: &str = "seatrial-operator";
/// Namespace of a plain installation.
pub const NAMESPACE: &str = "seatrial-system";
/// Secret and ConfigMap whose files are mounted where policies may name them.
const CREDENTIALS: &str = "seatrial-credentials";
const PORT: u16 = 8080;
/// The drain of 8 s, then two requests of at most 5 s that give the Lease back.
const GRACE_SECONDS: u32 = 20;
/// Nobody, as distroless images number it.
const USER: u32 = 65_532;

/// What differs between installations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Image with the binary at `/seatrial-operator`.
    pub image: String,
    /// Namespace of the operator.
    pub namespace: String,
    /// Operators; one leads, the others wait.
    pub replicas: u32,
    /// Only this namespace is watched. Default: all.
    pub watch: Option<String>,
    /// PersistentVolumeClaim that keeps the decision log. Default: it goes with the pod.
    pub claim: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image: format!("{NAME}:{}", env!("CARGO_PKG_VERSION")),
            namespace: NAMESPACE.to_owned(),
            replicas: 1,
            watch: None,
            claim: None,
        }
    }
}

/// One object with a comment for who reads the YAML.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is for.
    pub comment: String,
    /// The object.
    pub object: Value,
}

fn part(comment: impl Into<String>, object: Value) -> Part {
    Part { comment: comment.into(), object }
}

/// Every object but the resource type, in the order in which they are applied.
#[must_use]
pub fn parts(settings: &Settings) -> Vec<Part> {
    let mut parts = vec![
        part("The operator's namespace.", namespace(settings)),
        part("Who the operator is.", account(settings)),
        part(role_comment("What the operator may do where it watches:", WATCHED), watched_role(settings)),
        part("… in every namespace, or in the one that is watched.", watched_binding(settings)),
        part(role_comment("What it may do in its own namespace:", OWN), own_role(settings)),
        part("… as that account.", own_binding(settings)),
        part("The operator.", deployment(settings)),
        part("Its metrics.", service(settings)),
        part("Its share of the API server's seats.", priority_level()),
        part("Its requests use that share, so that they neither starve nor are starved.", flow_schema(settings)),
        part("Its Lease goes before its work: a busy operator keeps leading.", lease_flow_schema(settings)),
    ];
    if settings.replicas > 1 {
        parts.push(part("One operator stays while nodes are drained.", disruption_budget(settings)));
    }
    parts
}

fn role_comment(first: &str, grants: &[super::permissions::Grant]) -> String {
    grants
        .iter()
        .fold(first.to_owned(), |text, grant| format!("{text}\n- {}: {}", grant.resources.join(", "), grant.why))
}

fn labels() -> Value {
    json!({ "app.kubernetes.io/name": NAME })
}

fn metadata(namespace: Option<&str>) -> Value {
    let mut metadata = json!({ "name": NAME, "labels": labels() });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

fn namespace(settings: &Settings) -> Value {
    let mut labels = labels();
    labels["pod-security.kubernetes.io/enforce"] = json!("restricted");
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": settings.namespace, "labels": labels } })
}

fn account(settings: &Settings) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(Some(&settings.namespace)),
        "automountServiceAccountToken": false
    })
}

fn watched_role(_: &Settings) -> Value {
    let rules: Vec<Value> = WATCHED.iter().map(|grant| grant.rule(None)).collect();
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata(None), "rules": rules })
}

fn watched_binding(settings: &Settings) -> Value {
    let kind = if settings.watch.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
    binding(settings, (kind, settings.watch.as_deref()), ("ClusterRole", NAME))
}

fn own_role(settings: &Settings) -> Value {
    let rules: Vec<Value> = OWN.iter().map(|grant| grant.rule(Some(NAME))).collect();
    let mut metadata = metadata(Some(&settings.namespace));
    metadata["name"] = json!(LEASE_ROLE);
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules })
}

/// Its own name: with `watch` set to the operator's own namespace, both bindings lie there.
const LEASE_ROLE: &str = "seatrial-operator-lease";

fn own_binding(settings: &Settings) -> Value {
    let mut object = binding(settings, ("RoleBinding", Some(&settings.namespace)), ("Role", LEASE_ROLE));
    object["metadata"]["name"] = json!(LEASE_ROLE);
    object
}

fn binding(settings: &Settings, (kind, place): (&str, Option<&str>), (role_kind, role): (&str, &str)) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata(place),
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": NAME, "namespace": settings.namespace }]
    })
}

fn deployment(settings: &Settings) -> Value {
    // A volume that one node holds cannot be held by two pods while one replaces the other.
    let strategy = if settings.claim.is_some() { "Recreate" } else { "RollingUpdate" };
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(Some(&settings.namespace)),
        "spec": {
            "replicas": settings.replicas,
            "selector": { "matchLabels": labels() },
            "strategy": { "type": strategy },
            "template": { "metadata": { "labels": labels() }, "spec": pod(settings) }
        }
    })
}

fn pod(settings: &Settings) -> Value {
    json!({
        "serviceAccountName": NAME,
        "automountServiceAccountToken": true,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": { "type": "RuntimeDefault" }
        },
        "containers": [container(settings)],
        "volumes": [decisions(settings), credentials()]
    })
}

fn container(settings: &Settings) -> Value {
    let probe = |path: &str, period_s: u32| {
        json!({
            "httpGet": { "path": path, "port": "http" }, "periodSeconds": period_s, "timeoutSeconds": 3, "failureThreshold": 3
        })
    };
    json!({
        "name": "operator",
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments(settings),
        "env": [{ "name": "RUST_LOG", "value": "info" }],
        "ports": [{ "name": "http", "containerPort": PORT }],
        "livenessProbe": probe("/healthz", 10),
        "readinessProbe": probe("/readyz", 5),
        // No CPU limit: throttling would delay decisions by whole scheduling periods.
        "resources": { "requests": { "cpu": "50m", "memory": "64Mi" }, "limits": { "memory": "256Mi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] }
        },
        "volumeMounts": [
            { "name": "decisions", "mountPath": "/var/lib/seatrial" },
            { "name": "credentials", "mountPath": "/etc/seatrial/credentials", "readOnly": true }
        ]
    })
}

fn arguments(settings: &Settings) -> Vec<String> {
    let mut arguments = vec![
        "run".to_owned(),
        format!("--listen=0.0.0.0:{PORT}"),
        "--log=/var/lib/seatrial/decisions".to_owned(),
        "--log-mebibytes=256".to_owned(),
    ];
    arguments.extend(settings.watch.as_ref().map(|namespace| format!("--namespace={namespace}")));
    arguments
}

fn decisions(settings: &Settings) -> Value {
    match &settings.claim {
        Some(claim) => json!({ "name": "decisions", "persistentVolumeClaim": { "claimName": claim } }),
        // Twice the log's own cap: a pod that exceeds the limit is evicted.
        None => json!({ "name": "decisions", "emptyDir": { "sizeLimit": "512Mi" } }),
    }
}

fn credentials() -> Value {
    let source = json!({ "name": CREDENTIALS, "optional": true });
    json!({ "name": "credentials", "projected": { "sources": [{ "secret": source }, { "configMap": source }] } })
}

fn service(settings: &Settings) -> Value {
    let mut metadata = metadata(Some(&settings.namespace));
    metadata["annotations"] = json!({ "prometheus.io/scrape": "true", "prometheus.io/port": PORT.to_string() });
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": { "selector": labels(), "ports": [{ "name": "http", "port": PORT, "targetPort": "http" }] }
    })
}

fn priority_level() -> Value {
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration", "metadata": metadata(None),
        "spec": { "type": "Limited", "limited": {
            "nominalConcurrencyShares": 10,
            "lendablePercent": 50,
            "limitResponse": { "type": "Queue", "queuing": { "queues": 16, "handSize": 4, "queueLengthLimit": 50 } }
        } }
    })
}

fn flow_schema(settings: &Settings) -> Value {
    let rules =
        json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "namespaces": ["*"], "clusterScope": true }]);
    schema(settings, NAME, (900, NAME), &rules)
}

fn lease_flow_schema(settings: &Settings) -> Value {
    let rules = json!([{
        "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"],
        "namespaces": [settings.namespace]
    }]);
    schema(settings, LEASE_ROLE, (800, "leader-election"), &rules)
}

fn schema(settings: &Settings, name: &str, (precedence, level): (u32, &str), rules: &Value) -> Value {
    let account = json!({ "name": NAME, "namespace": settings.namespace });
    let mut metadata = metadata(None);
    metadata["name"] = json!(name);
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": metadata,
        "spec": {
            "matchingPrecedence": precedence,
            "priorityLevelConfiguration": { "name": level },
            "distinguisherMethod": { "type": "ByNamespace" },
            "rules": [{
                "subjects": [{ "kind": "ServiceAccount", "serviceAccount": account }],
                "resourceRules": rules
            }]
        }
    })
}

fn disruption_budget(settings: &Settings) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(Some(&settings.namespace)),
        "spec": { "minAvailable": 1, "selector": { "matchLabels": labels() } }
    })
}
