//! A case on the control plane: its pods as a watch tells of them.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures_util::stream::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::{Config, Error, Event, watcher};
use kube::{Api, Client};
use seatrial_core::time::{Span, Timestamp};
use seatrial_operator::clock::Clock;
use serde_json::json;

use super::super::control_plane::ControlPlane;
use super::super::process::until;
use super::course::{Course, Pods};
use super::{Case, END_S, START_S, Step};

const HASH: &str = "pod-template-hash";

/// Does what the case says, and watches.
pub(super) async fn course(plane: &ControlPlane, case: &Case) -> Course {
    plane.apply(&manifest(case)).unwrap();
    until(&format!("{} has its pods", case.name), 60, || {
        let deployment = plane.get(&["deployment", case.name]);
        let (status, generation) = (&deployment["status"], &deployment["metadata"]["generation"]);
        let settled = status["availableReplicas"] == case.replicas && status["observedGeneration"] == *generation;
        settled.then_some(())
    })
    .await;
    let client = plane.client().await;
    let mut watch = Watch::new(client.clone(), case.name);
    watch.until_listed().await;
    watch.course = Course::new(watch.counted());
    let deployments: Api<Deployment> = Api::default_namespaced(client);
    let begins = Clock::wall();
    for &(at_s, step) in case.steps {
        watch.follow(begins, begins + Span::from_secs_f64(at_s)).await;
        deployments.patch(case.name, &PatchParams::default(), &Patch::Merge(patch(step))).await.unwrap();
    }
    watch.follow(begins, begins + Span::from_secs_f64(case.over_s)).await;
    plane.kubectl(&["delete", "deployment", case.name, "--cascade=foreground"]);
    watch.course
}

fn manifest(case: &Case) -> String {
    let labels = json!({ "app": case.name });
    let amount = |text: &str| text.parse::<u32>().map_or_else(|_| json!(text), |count| json!(count));
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": case.name, "namespace": "default" },
        "spec": {
            "replicas": case.replicas,
            "selector": { "matchLabels": labels },
            "strategy": { "rollingUpdate": {
                "maxSurge": amount(case.max_surge), "maxUnavailable": amount(case.max_unavailable),
            } },
            "template": {
                "metadata": { "labels": labels, "annotations": {
                    "pod-ready.stage.kwok.x-k8s.io/delay": format!("{START_S}s"),
                    "pod-delete.stage.kwok.x-k8s.io/delay": format!("{END_S}s"),
                } },
                "spec": { "containers": [{ "name": "web", "image": "registry.invalid/web" }] },
            },
        },
    })
    .to_string()
}

fn patch(step: Step) -> serde_json::Value {
    match step {
        Step::Scale(replicas) => json!({ "spec": { "replicas": replicas } }),
        Step::Rollout => json!({ "spec": { "template": { "metadata": { "annotations": { "revision": "2" } } } } }),
    }
}

struct Watch {
    events: Pin<Box<dyn Stream<Item = Result<Event<Pod>, Error>> + Send>>,
    /// Revision, ready, deleted, by name.
    pods: BTreeMap<String, (usize, bool, bool)>,
    /// Template hashes in the order in which they appeared.
    revisions: Vec<String>,
    course: Course,
}

impl Watch {
    fn new(client: Client, app: &str) -> Self {
        let pods: Api<Pod> = Api::default_namespaced(client);
        let events = watcher(pods, Config::default().labels(&format!("app={app}"))).boxed();
        Self { events, pods: BTreeMap::new(), revisions: Vec::new(), course: Course::new(Pods::default()) }
    }

    async fn until_listed(&mut self) {
        while !self.step().await {}
    }

    /// Records until the clock shows `until`.
    async fn follow(&mut self, begins: Timestamp, until: Timestamp) {
        loop {
            let left_us = until.since(Clock::wall()).micros();
            let Ok(left_us @ 1..) = u64::try_from(left_us) else { return };
            let waited = tokio::time::timeout(std::time::Duration::from_micros(left_us), self.step()).await;
            if waited.is_ok() {
                self.course.record(Clock::wall().since(begins), self.counted());
            }
        }
    }

    /// Takes an event in; whether it was the end of a list.
    async fn step(&mut self) -> bool {
        let event = self.events.next().await.unwrap().unwrap();
        let listed = matches!(event, Event::InitDone);
        match event {
            Event::Init => assert!(self.pods.is_empty(), "the watch broke: moments are missing"),
            Event::InitDone => {}
            Event::InitApply(pod) | Event::Apply(pod) => self.put(&pod),
            Event::Delete(pod) => drop(self.pods.remove(pod.metadata.name.as_deref().unwrap())),
        }
        listed
    }

    fn put(&mut self, pod: &Pod) {
        let hash = &pod.metadata.labels.as_ref().unwrap()[HASH];
        let known = self.revisions.iter().position(|known| known == hash);
        let revision = known.unwrap_or(self.revisions.len());
        if known.is_none() {
            self.revisions.push(hash.clone());
        }
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let deleted = pod.metadata.deletion_timestamp.is_some();
        self.pods.insert(pod.metadata.name.clone().unwrap(), (revision, ready, deleted));
    }

    fn counted(&self) -> Pods {
        let mut counted = Pods::default();
        for &(revision, ready, deleted) in self.pods.values() {
            counted[revision].count(ready, deleted);
        }
        counted
    }
}
