//! What the watches have told, folded into the few things that cycles ask for. Pure: events in, facts out.
//!
//! A watch that begins anew (410, a dropped connection) lists again; what it no longer lists is gone, and until its list is
//! complete the old state stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::core::Selector;
use kube::runtime::watcher::Event;
use seatrial_core::time::Span;

use crate::clock::Clock;
use crate::pods::{self, PodFact};
use crate::reconcile::conversation::{Facts, PodFacts};
use crate::reconcile::hpa_min::{HpaFact, MARKER_ANNOTATION};
use crate::scaling_policy::{Mode, ScalingPolicy, TargetRef};

/// Namespace and name.
pub type Key = (String, String);

/// One kind of object by key, with the list in progress.
#[derive(Debug)]
struct Shelf<T> {
    objects: BTreeMap<Key, T>,
    listing: Option<BTreeMap<Key, T>>,
    listed: bool,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), listing: None, listed: false }
    }
}

impl<T: PartialEq> Shelf<T> {
    /// Folds an event in; answers with the keys whose entry changed, and what stood there before.
    fn fold<K: ResourceExt>(&mut self, event: Event<K>, fact: impl Fn(K) -> T) -> BTreeMap<Key, Option<T>> {
        match event {
            Event::Init => self.listing = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let key = key(&object);
                self.listing.get_or_insert_default().insert(key, fact(object));
            }
            Event::InitDone => return self.replace(),
            Event::Apply(object) => {
                let (key, new) = (key(&object), fact(object));
                if self.objects.get(&key) != Some(&new) {
                    let old = self.objects.insert(key.clone(), new);
                    return BTreeMap::from([(key, old)]);
                }
            }
            Event::Delete(object) => {
                let key = key(&object);
                let old = self.objects.remove(&key);
                return BTreeMap::from([(key, old)]);
            }
        }
        BTreeMap::new()
    }

    fn replace(&mut self) -> BTreeMap<Key, Option<T>> {
        self.listed = true;
        let new = self.listing.take().unwrap_or_default();
        let mut old = std::mem::replace(&mut self.objects, new);
        let mut changed = BTreeMap::new();
        for (key, fact) in &self.objects {
            let before = old.remove(key);
            if before.as_ref() != Some(fact) {
                changed.insert(key.clone(), before);
            }
        }
        changed.extend(old.into_iter().map(|(key, fact)| (key, Some(fact))));
        changed
    }

    fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a Key, &'a T)> {
        self.objects
            .range((namespace.to_owned(), String::new())..)
            .take_while(move |((other, _), _)| other == namespace)
    }
}

fn key(object: &impl ResourceExt) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// An autoscaler with what it targets.
#[derive(Clone, Debug, PartialEq)]
struct Autoscaler {
    kind: String,
    target: String,
    fact: HpaFact,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Index {
    policies: Shelf<Arc<ScalingPolicy>>,
    pods: Shelf<PodFact>,
    autoscalers: Shelf<Autoscaler>,
}

impl Index {
    /// Whether every kind was listed once: before that, a conflict could be overlooked.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.policies.listed && self.pods.listed && self.autoscalers.listed
    }

    /// Folds an event of a policy in; answers with the policies to look at: a status alone (the operator's own writing) is no
    /// reason.
    pub fn policy(&mut self, event: Event<ScalingPolicy>) -> BTreeSet<Key> {
        let changed = self.policies.fold(event, Arc::new).into_iter();
        let news = changed.filter(|(key, before)| is_news(before.as_ref(), self.policies.objects.get(key)));
        news.map(|(key, _)| key).collect()
    }

    /// Folds an event of a pod in.
    pub fn pod(&mut self, event: Event<Pod>) {
        self.pods.fold(event, |pod| PodFact::of(&pod));
    }

    /// Folds an event of an autoscaler in; answers with the policies of the same targets.
    pub fn autoscaler(&mut self, event: Event<HorizontalPodAutoscaler>) -> BTreeSet<Key> {
        let changed = self.autoscalers.fold(event, |object| autoscaler(&object));
        let namespaces: BTreeSet<String> = changed.into_keys().map(|(namespace, _)| namespace).collect();
        self.policies.objects.keys().filter(|(namespace, _)| namespaces.contains(namespace)).cloned().collect()
    }

    /// The policy of `key`.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Arc<ScalingPolicy>> {
        self.policies.objects.get(key)
    }

    /// All policies.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.policies.objects.keys()
    }

    /// What is known for a step of `key`, with the pods that its cycle has counted.
    #[must_use]
    pub fn facts(&self, key: &Key, pods: PodFacts) -> Option<Facts> {
        let policy = self.get(key)?.clone();
        let autoscalers = self.autoscalers_of(&key.0, &policy.spec.target_ref);
        let elder = self.elder(key, &policy);
        Some(Facts { policy, pods, autoscalers, elder })
    }

    /// The pods in the namespace of `key` that `selector` selects, counted: once per cycle, for a namespace may have many.
    #[must_use]
    pub fn pods(&self, key: &Key, selector: &Selector, clock: &Clock) -> PodFacts {
        let seconds = self.get(key).map_or(15, |policy| policy.spec.metrics.scrape_interval_seconds);
        let scrape = clock.pace().scaled(Span::from_secs(i64::from(seconds)));
        let own = self.pods.in_namespace(&key.0).map(|(_, pod)| pod).filter(|pod| pod.is_selected_by(selector));
        pods::facts(own, scrape, clock)
    }

    fn autoscalers_of(&self, namespace: &str, target: &TargetRef) -> Vec<HpaFact> {
        let same = |other: &Autoscaler| other.kind == target.kind && other.target == target.name;
        self.autoscalers
            .in_namespace(namespace)
            .filter(|(_, other)| same(other))
            .map(|(_, other)| other.fact.clone())
            .collect()
    }

    /// The oldest other policy that may write to the same target, if it is older than `policy`; of the same age, the first by
    /// name. One that only watches is in nobody's way.
    fn elder(&self, key: &Key, policy: &ScalingPolicy) -> Option<String> {
        let age = |policy: &ScalingPolicy| {
            let created = policy.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (created, policy.name_any())
        };
        let same = |other: &ScalingPolicy| {
            let (a, b) = (&other.spec.target_ref, &policy.spec.target_ref);
            let same = group(a) == group(b) && a.kind == b.kind && a.name == b.name;
            same && other.spec.mode != Mode::Shadow && other.metadata.deletion_timestamp.is_none()
        };
        let others = self.policies.in_namespace(&key.0).filter(|(other, _)| *other != key).map(|(_, other)| other);
        let oldest = others.filter(|other| same(other)).min_by_key(|other| age(other))?;
        (age(oldest) < age(policy)).then(|| oldest.name_any())
    }
}

/// The API group, whatever the version.
fn group(target: &TargetRef) -> &str {
    target.api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// Whether a cycle has something new to look at.
fn is_news(before: Option<&Arc<ScalingPolicy>>, after: Option<&Arc<ScalingPolicy>>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return true };
    let (a, b) = (&before.metadata, &after.metadata);
    a.generation != b.generation
        || a.uid != b.uid
        || a.annotations != b.annotations
        || a.finalizers != b.finalizers
        || a.deletion_timestamp != b.deletion_timestamp
}

fn autoscaler(object: &HorizontalPodAutoscaler) -> Autoscaler {
    let target = object.spec.as_ref().map(|spec| (&spec.scale_target_ref.kind, &spec.scale_target_ref.name));
    let (kind, target) = target.map(|(kind, name)| (kind.clone(), name.clone())).unwrap_or_default();
    Autoscaler {
        kind,
        target,
        fact: HpaFact {
            name: object.name_any(),
            resource_version: object.resource_version(),
            min_replicas: object.spec.as_ref().and_then(|spec| spec.min_replicas),
            max_replicas: object.spec.as_ref().map_or(1, |spec| spec.max_replicas),
            marker: object.annotations().get(MARKER_ANNOTATION).cloned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, second: u32, generation: i64) -> ScalingPolicy {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy",
            "metadata": { "name": name, "namespace": "shop", "generation": generation,
                "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z") },
            "spec": { "targetRef": { "name": "web" }, "maxReplicas": 9, "mode": "Recommend", "metrics": { "url": "http://p:9090" } }
        }))
        .unwrap()
    }

    fn hpa(name: &str, target: &str) -> HorizontalPodAutoscaler {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": name, "namespace": "shop" },
            "spec": { "maxReplicas": 9, "scaleTargetRef": { "kind": "Deployment", "name": target } }
        }))
        .unwrap()
    }

    fn keys(names: &[&str]) -> BTreeSet<Key> {
        names.iter().map(|name| ("shop".to_owned(), (*name).to_owned())).collect()
    }

    #[test]
    fn a_status_is_no_news_a_spec_is() {
        let mut index = Index::default();
        assert_eq!(index.policy(Event::Apply(policy("a", 0, 1))), keys(&["a"]));
        let mut own = policy("a", 0, 1);
        own.status = Some(crate::scaling_policy::ScalingPolicyStatus::default());
        assert_eq!(index.policy(Event::Apply(own)), keys(&[]));
        assert!(index.get(&("shop".into(), "a".into())).unwrap().status.is_some(), "the status is kept all the same");
        assert_eq!(index.policy(Event::Apply(policy("a", 0, 2))), keys(&["a"]));
        assert_eq!(index.policy(Event::Delete(policy("a", 0, 2))), keys(&["a"]));
    }

    #[test]
    fn a_watch_that_begins_anew_forgets_what_it_no_longer_lists() {
        let mut index = Index::default();
        index.policy(Event::Apply(policy("a", 0, 1)));
        index.policy(Event::Apply(policy("b", 1, 1)));
        index.policy(Event::Init);
        index.policy(Event::InitApply(policy("b", 1, 1)));
        assert_eq!(index.keys().count(), 2, "until the list is complete the old state stands");
        assert_eq!(index.policy(Event::InitDone), keys(&["a"]));
        assert_eq!(index.keys().count(), 1);
    }

    #[test]
    fn conflicts_are_found_by_target() {
        let mut index = Index::default();
        index.policy(Event::Apply(policy("young", 5, 1)));
        index.policy(Event::Apply(policy("old", 1, 1)));
        assert_eq!(index.autoscaler(Event::Apply(hpa("web", "web"))), keys(&["old", "young"]));
        index.autoscaler(Event::Apply(hpa("api", "api")));
        let facts =
            |index: &Index, name: &str| index.facts(&("shop".into(), name.into()), PodFacts::default()).unwrap();
        assert_eq!((facts(&index, "young").elder.as_deref(), facts(&index, "old").elder), (Some("old"), None));
        let mut other = policy("oldest", 0, 1);
        other.spec.target_ref.api_version = "argoproj.io/v1".to_owned();
        index.policy(Event::Apply(other));
        assert_eq!(facts(&index, "old").elder, None, "a workload of another group is another one");
        assert_eq!(facts(&index, "old").autoscalers.iter().map(|hpa| hpa.name.as_str()).collect::<Vec<_>>(), ["web"]);
    }
}
