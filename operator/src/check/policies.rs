//! Each ScalingPolicy, looked at as a cycle of `run` would: target, pods, conflicts, bundle or rule, metrics.

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api as ObjectApi, ListParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher::Event;
use kube::{Client, Resource};
use seatrial_core::control::error_class::{ErrorClass, Failure};
use serde::de::DeserializeOwned;

use super::report::Finding;
use super::{Doctor, cure, metrics, words};
use crate::index::{Index, Key};
use crate::reconcile::Pace;
use crate::reconcile::consent;
use crate::reconcile::conversation::{Facts, LoadedBundle, PodFacts, Problem, Reply, Request};
use crate::reconcile::deciders::{self, Deciders};
use crate::scaling_policy::ScalingPolicy;
use crate::selector;
use crate::shell::api;

/// Objects per page of a list.
const PAGE: u32 = 500;

/// Looks at all policies, or at those of one namespace.
pub(super) async fn look(doctor: &Doctor, namespace: Option<&str>) -> Vec<Finding> {
    let index = match gather(doctor, namespace).await {
        Ok(index) => index,
        Err((what, failure)) => {
            let text = format!("{what} cannot be listed ({}): {}", words(&failure), cure(&failure));
            return vec![Finding::fail("policies", text)];
        }
    };
    let keys: Vec<Key> = index.keys().cloned().collect();
    if keys.is_empty() {
        return vec![Finding::note("policies", "there is no ScalingPolicy yet: the operator's README has a first one")];
    }
    let mut findings = Vec::new();
    for key in &keys {
        findings.extend(one(doctor, &index, key).await);
    }
    findings
}

/// What the watches of `run` would have told.
async fn gather(doctor: &Doctor, namespace: Option<&str>) -> Result<Index, (&'static str, Failure)> {
    let (client, mut index) = (doctor.api.client(), Index::default());
    let policies = list::<ScalingPolicy>(doctor, scope(client, namespace))
        .await
        .map_err(|failure| ("scalingpolicies", failure))?;
    let namespaces: BTreeSet<String> = policies.iter().filter_map(|policy| policy.metadata.namespace.clone()).collect();
    index.policy(Event::Init);
    for policy in policies {
        index.policy(Event::InitApply(policy));
    }
    index.policy(Event::InitDone);
    index.pod(Event::Init);
    index.autoscaler(Event::Init);
    for namespace in &namespaces {
        for pod in list::<Pod>(doctor, scope(client, Some(namespace))).await.map_err(|failure| ("pods", failure))? {
            index.pod(Event::InitApply(pod));
        }
        let autoscalers = list::<HorizontalPodAutoscaler>(doctor, scope(client, Some(namespace))).await;
        for autoscaler in autoscalers.map_err(|failure| ("horizontalpodautoscalers", failure))? {
            index.autoscaler(Event::InitApply(autoscaler));
        }
    }
    index.pod(Event::InitDone);
    index.autoscaler(Event::InitDone);
    Ok(index)
}

fn scope<K>(client: &Client, namespace: Option<&str>) -> ObjectApi<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    namespace
        .map_or_else(|| ObjectApi::all(client.clone()), |namespace| ObjectApi::namespaced(client.clone(), namespace))
}

async fn list<K>(doctor: &Doctor, objects: ObjectApi<K>) -> Result<Vec<K>, Failure>
where
    K: Clone + Debug + DeserializeOwned,
{
    let (mut found, mut page) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let answer = tokio::time::timeout(doctor.api.timeout(), objects.list(&page)).await;
        let answer = answer.map_err(|_| Failure::transport(seatrial_core::control::error_class::Transport::Timeout))?;
        let answer = answer.map_err(|error| api::of_error(&error))?;
        found.extend(answer.items);
        match answer.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = ListParams::default().limit(PAGE).continue_token(&token),
            None => return Ok(found),
        }
    }
}

async fn one(doctor: &Doctor, index: &Index, key: &Key) -> Vec<Finding> {
    let what = format!("policy {}/{}", key.0, key.1);
    let Some(policy) = index.get(key).cloned() else { return Vec::new() };
    let (target, selected) = target(doctor, key, &policy, &what).await;
    let pods = selected.map(|text| pods(doctor, index, key, &text));
    let mut findings = vec![target];
    let Some(facts) = index.facts(key, pods.clone().unwrap_or_default()) else { return findings };
    findings.extend(conflict(&facts, &what));
    let (bundle, loaded) = bundle(doctor, key, &policy, &what).await;
    findings.extend(bundle);
    if pods.is_some() {
        findings.push(decider(&policy, &facts.pods, loaded, &what));
    }
    findings.extend(metrics::look(doctor, key, &policy, &what).await);
    findings
}

/// The target's scale, and the selector of its pods.
async fn target(doctor: &Doctor, key: &Key, policy: &ScalingPolicy, what: &str) -> (Finding, Option<String>) {
    let target = &policy.spec.target_ref;
    let name = format!("{} {}", target.kind, target.name);
    let performed = doctor.hands.perform(key, policy, Request::ReadScale, Ok(None)).await;
    let failure = match performed.reply {
        Reply::Scale(Ok(scale)) => {
            let text = format!("the scale of {name} is readable: {} replicas", scale.spec_replicas);
            return (Finding::good(what, text), Some(performed.selector.unwrap_or_default()));
        }
        Reply::Scale(Err(failure)) => failure,
        _ => return (Finding::fail(what, format!("the scale of {name} was not answered")), None),
    };
    let text = match failure.class() {
        ErrorClass::NotFound => format!(
            "there is no {name} with a scale subresource in {}: create it, or correct spec.targetRef (now {} {})",
            key.0, target.api_version, target.kind
        ),
        ErrorClass::Denied => format!(
            "the scale of {name} may not be read: add get and patch on {}'s scale subresource to ClusterRole seatrial-operator",
            target.kind
        ),
        _ => format!("the scale of {name} ({}): {}", words(&failure), cure(&failure)),
    };
    (Finding::fail(what, text), None)
}

fn pods(doctor: &Doctor, index: &Index, key: &Key, selected: &str) -> PodFacts {
    selector::parse(selected).map(|selector| index.pods(key, &selector, &doctor.clock)).unwrap_or_default()
}

fn conflict(facts: &Facts, what: &str) -> Option<Finding> {
    consent::conflict(facts).map(|finding| Finding::fail(what, finding.message))
}

async fn bundle(
    doctor: &Doctor,
    key: &Key,
    policy: &ScalingPolicy,
    what: &str,
) -> (Option<Finding>, Option<LoadedBundle>) {
    let Some(source) = &policy.spec.bundle else { return (None, None) };
    let performed = doctor.hands.perform(key, policy, Request::LoadBundle(source.clone()), Ok(None)).await;
    match performed.reply {
        Reply::Bundle(Ok(loaded)) => {
            let text = format!("bundle {} loads, hash and golden rows hold", loaded.bundle.card().id);
            (Some(Finding::good(what, text)), Some(loaded))
        }
        Reply::Bundle(Err(problem)) => (Some(Finding::fail(what, problem.message)), None),
        _ => (Some(Finding::fail(what, "the bundle was not answered")), None),
    }
}

/// Whether what decides can be built for the pods that there are.
fn decider(policy: &ScalingPolicy, pods: &PodFacts, loaded: Option<LoadedBundle>, what: &str) -> Finding {
    match build(policy, pods, loaded) {
        Ok(who) => Finding::good(what, format!("{who} decides, mode {:?}", policy.spec.mode)),
        Err(problem) => Finding::fail(what, problem.message),
    }
}

fn build(policy: &ScalingPolicy, pods: &PodFacts, loaded: Option<LoadedBundle>) -> Result<String, Problem> {
    let spec = &policy.spec;
    let trained_for = loaded.as_ref().map(|loaded| &loaded.bundle);
    let mut deciders = Deciders::new(spec, deciders::workload(spec, pods, trained_for, Pace(1))?)?;
    match (loaded, &spec.policy) {
        (Some(loaded), _) => {
            let who = format!("bundle {}", loaded.bundle.card().id);
            deciders.name_bundle(loaded)?;
            Ok(who)
        }
        (None, Some(rule)) => {
            deciders.name_rule(rule)?;
            Ok(format!("policy {}", rule.id))
        }
        (None, None) => Ok("the fallback".to_owned()),
    }
}
