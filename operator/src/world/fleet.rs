//! Which pods there are and which of them serve, folded from what a watch tells.
//!
//! A pod is there from its creation until the API server forgets it or it has run to its end; it serves while it is Ready and
//! nobody has asked for its end. As in the gym, a pod that is to go serves no more.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;

/// A pod, told apart from another of the same name by its uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodKey {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// The pods that are there, each with whether it serves.
pub type Fleet = BTreeMap<PodKey, bool>;

/// Folds a watch into fleets.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    fleet: Fleet,
    /// What a list that is not complete has told so far.
    listed: Option<Fleet>,
}

impl Fold {
    /// Takes an event in: the fleet, if it is known as a whole and the event changed it, or completed it.
    pub fn step(&mut self, event: Event<Pod>) -> Option<Fleet> {
        match event {
            Event::Init => self.listed = Some(Fleet::new()),
            Event::InitApply(pod) => put(self.listed.get_or_insert_default(), &pod),
            Event::InitDone => {
                self.fleet = self.listed.take().unwrap_or_default();
                return Some(self.fleet.clone());
            }
            Event::Apply(pod) => return self.changed(|fleet| put(fleet, &pod)),
            Event::Delete(pod) => return self.changed(|fleet| fleet.retain(|other, _| *other != key(&pod))),
        }
        None
    }

    fn changed(&mut self, change: impl FnOnce(&mut Fleet)) -> Option<Fleet> {
        let before = self.fleet.clone();
        change(&mut self.fleet);
        (self.fleet != before).then(|| self.fleet.clone())
    }
}

fn key(pod: &Pod) -> PodKey {
    let metadata = &pod.metadata;
    PodKey { name: metadata.name.clone().unwrap_or_default(), uid: metadata.uid.clone().unwrap_or_default() }
}

fn put(fleet: &mut Fleet, pod: &Pod) {
    let key = key(pod);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        fleet.remove(&key);
    } else {
        // Who comes under the name of another that was missed comes in its place.
        fleet.retain(|other, _| other.name != key.name || other.uid == key.uid);
        fleet.insert(key, serves(pod));
    }
}

fn serves(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, uid: &str, ready: &str) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": name, "uid": uid },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": ready }] },
        }))
        .unwrap()
    }

    fn shown(fleet: Option<Fleet>) -> Option<Vec<String>> {
        let show = |(key, serves): (PodKey, bool)| format!("{}/{}{}", key.name, key.uid, if serves { "+" } else { "" });
        fleet.map(|fleet| fleet.into_iter().map(show).collect())
    }

    #[test]
    fn a_list_counts_when_it_is_complete_and_replaces_what_was_known() {
        let mut fold = Fold::default();
        assert_eq!(fold.step(Event::Init), None);
        assert_eq!(fold.step(Event::InitApply(pod("a", "1", "True"))), None);
        assert_eq!(fold.step(Event::InitApply(pod("b", "2", "False"))), None);
        assert_eq!(shown(fold.step(Event::InitDone)).unwrap(), ["a/1+", "b/2"]);
        assert_eq!(fold.step(Event::Init), None);
        assert_eq!(shown(fold.step(Event::Apply(pod("b", "2", "True")))).unwrap(), ["a/1+", "b/2+"], "old news count");
        assert_eq!(fold.step(Event::InitApply(pod("b", "2", "True"))), None);
        assert_eq!(shown(fold.step(Event::InitDone)).unwrap(), ["b/2+"], "a is gone");
    }

    #[test]
    fn pods_come_serve_and_go() {
        let mut fold = Fold::default();
        fold.step(Event::Init);
        assert_eq!(shown(fold.step(Event::InitDone)).unwrap(), Vec::<String>::new());
        assert_eq!(shown(fold.step(Event::Apply(pod("a", "1", "Unknown")))).unwrap(), ["a/1"]);
        assert_eq!(shown(fold.step(Event::Apply(pod("a", "1", "True")))).unwrap(), ["a/1+"]);
        assert_eq!(fold.step(Event::Apply(pod("a", "1", "True"))), None, "nothing new");
        let mut leaving = pod("a", "1", "True");
        leaving.metadata.deletion_timestamp = serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap();
        assert_eq!(shown(fold.step(Event::Apply(leaving))).unwrap(), ["a/1"]);
        assert_eq!(shown(fold.step(Event::Apply(pod("a", "2", "True")))).unwrap(), ["a/2+"], "its end was missed");
        let mut done = pod("a", "2", "True");
        done.status.as_mut().unwrap().phase = Some("Failed".to_owned());
        assert_eq!(shown(fold.step(Event::Apply(done))).unwrap(), Vec::<String>::new());
        assert_eq!(fold.step(Event::Delete(pod("a", "2", "True"))), None);
    }
}
