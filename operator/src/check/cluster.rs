//! The API server, what the account may do there, and the Lease.

use k8s_openapi::api::coordination::v1::Lease;
use seatrial_core::control::error_class::ErrorClass;
use serde_json::{Value, json};

use super::report::Finding;
use super::{cure, get, review, words};
use crate::manifest::objects::NAME;
use crate::manifest::permissions::{Grant, OWN, WATCHED};
use crate::shell::api::Api;

/// Oldest Kubernetes whose API has all that the installation uses (rules in types, flow control v1).
const OLDEST: (u32, u32) = (1, 30);

/// Whether the API server answers, which version it is, and who is asking.
pub(super) async fn reach(api: &Api, server: &str) -> Finding {
    let version = match get(api, "/version").await {
        Ok(version) => version,
        Err(failure) => {
            let text = format!("{server} cannot be used ({}): {}", words(&failure), cure(&failure));
            return Finding::fail("cluster", text);
        }
    };
    let name = version["gitVersion"].as_str().unwrap_or("of no version").to_owned();
    match number(&version) {
        Some(number) if number >= OLDEST => {
            Finding::good("cluster", format!("{server} is {name}, asked as {}", who(api).await))
        }
        _ => {
            let text = format!("{server} is {name}: Kubernetes {}.{} or later is needed", OLDEST.0, OLDEST.1);
            Finding::fail("cluster", text)
        }
    }
}

/// `1` and `34` of `{"major": "1", "minor": "34+"}`.
fn number(version: &Value) -> Option<(u32, u32)> {
    let part = |name: &str| {
        let text = version[name].as_str()?;
        text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
    };
    Some((part("major")?, part("minor")?))
}

async fn who(api: &Api) -> String {
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let answer = review(api, "/apis/authentication.k8s.io/v1/selfsubjectreviews", &body).await;
    let name = answer.ok().and_then(|review| Some(review["status"]["userInfo"]["username"].as_str()?.to_owned()));
    name.unwrap_or_else(|| "an account that the API server does not name".to_owned())
}

/// One finding for each grant of the operator's roles: the verbs that are there, or those that are missing.
pub(super) async fn permissions(api: &Api, namespace: Option<&str>, lease_namespace: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for grant in WATCHED {
        findings.push(granted(api, grant, namespace, None).await);
    }
    for grant in OWN {
        findings.push(granted(api, grant, Some(lease_namespace), Some(NAME)).await);
    }
    findings
}

async fn granted(api: &Api, grant: &Grant, namespace: Option<&str>, name: Option<&str>) -> Finding {
    let place = namespace.map_or("all namespaces".to_owned(), |namespace| format!("namespace {namespace}"));
    let subject = |resource: &str| {
        if grant.group.is_empty() { resource.to_owned() } else { format!("{resource} ({})", grant.group) }
    };
    let mut missing = Vec::new();
    for resource in grant.resources {
        for verb in grant.verbs {
            let name = name.filter(|_| *verb != "create");
            match may(api, verb, (grant.group, resource, name), namespace).await {
                Ok(true) => {}
                Ok(false) => missing.push(format!("{verb} {}", subject(resource))),
                Err(why) => return Finding::fail("permissions", why),
            }
        }
    }
    if missing.is_empty() {
        let resources = grant.resources.iter().map(|resource| subject(resource)).collect::<Vec<_>>().join(", ");
        return Finding::good("permissions", format!("{} {resources} in {place}", grant.verbs.join(", ")));
    }
    let missing = missing.join("; ");
    Finding::fail(
        "permissions",
        format!("not granted in {place}: {missing}. It {}: apply the roles of install.yaml", grant.why),
    )
}

async fn may(
    api: &Api,
    verb: &str,
    (group, resource, name): (&str, &str, Option<&str>),
    namespace: Option<&str>,
) -> Result<bool, String> {
    let (plural, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let asked = json!({
        "verb": verb, "group": group, "resource": plural, "subresource": subresource,
        "namespace": namespace.unwrap_or_default(), "name": name.unwrap_or_default()
    });
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": { "resourceAttributes": asked }
    });
    match review(api, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &body).await {
        Ok(answer) => Ok(answer["status"]["allowed"] == true),
        Err(failure) => {
            Err(format!("the API server does not say what is granted ({}): {}", words(&failure), cure(&failure)))
        }
    }
}

/// Who leads.
pub(super) async fn lease(api: &Api, namespace: &str) -> Finding {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}");
    let place = format!("Lease {namespace}/{NAME}");
    let lease = match get(api, &path).await {
        Ok(value) => serde_json::from_value::<Lease>(value).unwrap_or_default(),
        Err(failure) if failure.class() == ErrorClass::NotFound => {
            return Finding::note("lease", format!("{place} is not there yet: the first operator makes it"));
        }
        Err(failure) => return Finding::fail("lease", format!("{place} ({}): {}", words(&failure), cure(&failure))),
    };
    match lease.spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty()) {
        Some(holder) => Finding::good("lease", format!("{place} is held by {holder}")),
        None => Finding::note("lease", format!("{place} is held by nobody: no operator runs")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_providers_write_them() {
        for (major, minor, expected) in [
            ("1", "34", Some((1, 34))),
            ("1", "30+", Some((1, 30))),
            ("1", "9", Some((1, 9))),
            ("1", "", None),
            ("v1", "x", None),
        ] {
            assert_eq!(number(&json!({ "major": major, "minor": minor })), expected);
        }
        assert!(number(&json!({})).is_none() && Some((1, 9)) < Some(OLDEST));
    }
}
