//! The objects behind the fake API server: versions, watches with a short memory, deletion behind finalizers, and Deployments
//! whose pods are there as soon as they are asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::stage::ago;

/// Resource, namespace, name.
pub(crate) type Id = (String, String, String);

/// Events that a watch can begin with; what is older is gone (410).
const REMEMBERED: usize = 256;

/// A line of a watch.
pub(crate) type Line = Arc<str>;

/// A watch that is open.
struct Watcher {
    resource: String,
    namespace: Option<String>,
    lines: UnboundedSender<Line>,
}

impl Watcher {
    fn sees(&self, id: &Id) -> bool {
        self.resource == id.0 && self.namespace.as_ref().is_none_or(|namespace| *namespace == id.1)
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Store {
    version: u64,
    objects: BTreeMap<Id, Value>,
    past: VecDeque<(u64, Id, Line)>,
    /// The newest version that was forgotten.
    forgotten: u64,
    watchers: Vec<Watcher>,
}

pub(crate) fn id(resource: &str, namespace: &str, name: &str) -> Id {
    (resource.to_owned(), namespace.to_owned(), name.to_owned())
}

impl Store {
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&Value> {
        self.objects.get(id)
    }

    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<&Value> {
        let from = (resource.to_owned(), namespace.unwrap_or_default().to_owned(), String::new());
        let same = |id: &Id| id.0 == resource && namespace.is_none_or(|namespace| namespace == id.1);
        self.objects.range(from..).take_while(|(id, _)| same(id)).map(|(_, object)| object).collect()
    }

    /// A watch from `version` on; `None` if that is too long ago.
    pub(crate) fn watch(
        &mut self,
        resource: &str,
        namespace: Option<&str>,
        version: u64,
    ) -> Option<UnboundedReceiver<Line>> {
        if version < self.forgotten {
            return None;
        }
        let (lines, receiver) = unbounded_channel();
        let watcher = Watcher { resource: resource.to_owned(), namespace: namespace.map(str::to_owned), lines };
        for (_, _, line) in self.past.iter().filter(|(at, id, _)| *at > version && watcher.sees(id)) {
            let _ = watcher.lines.send(line.clone());
        }
        self.watchers.push(watcher);
        Some(receiver)
    }

    /// Ends the watches of `resource`, after a last line if there is one.
    pub(crate) fn cut(&mut self, resource: &str, last: Option<&str>) {
        for watcher in self.watchers.extract_if(.., |watcher| watcher.resource == resource) {
            if let Some(line) = last {
                let _ = watcher.lines.send(line.into());
            }
        }
    }

    /// Forgets all events: a watch that resumes is told 410.
    pub(crate) fn forget(&mut self) {
        self.past.clear();
        self.version += 1;
        self.forgotten = self.version;
    }

    /// Creates an object as a user would.
    pub(crate) fn create(&mut self, id: &Id, mut object: Value) -> Value {
        let uid = format!("uid-{}", self.version + 1);
        let metadata =
            json!({ "uid": uid, "creationTimestamp": ago(100), "generation": 1, "name": id.2, "namespace": id.1 });
        merge(&mut object, json!({ "metadata": metadata }));
        self.put("ADDED", id, object)
    }

    /// Changes an object. A changed spec is a new generation; without finalizers a deleted one goes.
    pub(crate) fn change(&mut self, id: &Id, change: impl FnOnce(&mut Value)) -> Option<Value> {
        let before = self.objects.get(id)?.clone();
        let mut after = before.clone();
        change(&mut after);
        if after["spec"] != before["spec"] {
            after["metadata"]["generation"] = json!(before["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        if after == before {
            return Some(after);
        }
        let after = self.put("MODIFIED", id, after);
        if after["metadata"]["deletionTimestamp"].is_string() && finalizers(&after) == 0 {
            self.remove(id);
        }
        Some(after)
    }

    /// Deletes as a user does.
    pub(crate) fn delete(&mut self, id: &Id) {
        let Some(object) = self.objects.get(id) else { return };
        if finalizers(object) == 0 {
            self.remove(id);
        } else {
            self.change(id, |object| object["metadata"]["deletionTimestamp"] = json!(ago(0)));
        }
    }

    fn remove(&mut self, id: &Id) {
        let Some(mut object) = self.objects.remove(id) else { return };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.publish("DELETED", id, &object);
    }

    fn put(&mut self, kind: &str, id: &Id, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.publish(kind, id, &object);
        self.objects.insert(id.clone(), object.clone());
        if id.0 == "deployments" {
            self.roll_out(id, &object);
        }
        object
    }

    fn publish(&mut self, kind: &str, id: &Id, object: &Value) {
        let line: Line = format!("{}\n", json!({ "type": kind, "object": object })).into();
        self.watchers.retain(|watcher| !watcher.sees(id) || watcher.lines.send(line.clone()).is_ok());
        self.past.push_back((self.version, id.clone(), line));
        if self.past.len() > REMEMBERED
            && let Some((version, ..)) = self.past.pop_front()
        {
            self.forgotten = version;
        }
    }

    /// What the Deployment controller, scheduler and kubelet do, at once.
    fn roll_out(&mut self, id: &Id, deployment: &Value) {
        let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1).clamp(0, 200);
        let name = |index: i64| format!("{}-abc-{index:05}", id.2);
        for index in 0..200 {
            let pod = crate::store::id("pods", &id.1, &name(index));
            match (self.objects.contains_key(&pod), index < replicas) {
                (false, true) => {
                    let _ = self.create(&pod, self::pod(&id.2));
                }
                (true, false) => self.remove(&pod),
                _ => {}
            }
        }
    }
}

fn finalizers(object: &Value) -> usize {
    object["metadata"]["finalizers"].as_array().map_or(0, Vec::len)
}

fn pod(app: &str) -> Value {
    let ready = json!({ "type": "Ready", "status": "True", "lastTransitionTime": ago(90) });
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "labels": { "app": app } },
        "spec": { "containers": [{ "name": "app", "resources": { "requests": { "cpu": "4" } } }] },
        "status": { "phase": "Running", "conditions": [ready] }
    })
}

/// RFC 7386.
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(fields) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let into = target.as_object_mut().unwrap();
    for (name, value) in fields {
        if value.is_null() {
            into.remove(&name);
        } else {
            merge(into.entry(name).or_insert(Value::Null), value);
        }
    }
}
