//! Who is looked at when: watches fill the index, the core's queue hands out keys, machines step, hands perform.
//!
//! One task owns all of it, so nothing is locked and every step sees one state of the world. Requests run beside it, at most
//! 64 cycles at a time. While another operator leads, watches go on and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::core::Selector;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use seatrial_core::control::work_queue::{Priority, WorkQueue};
use seatrial_core::time::{Span, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::hands::{FIELD_MANAGER, Hands, Performed};
use super::lease::Leadership;
use super::watches::Told;
use crate::clock::Clock;
use crate::index::{Index, Key};
use crate::reconcile::Machine;
use crate::reconcile::conversation::{Happening, Next, PodFacts, Problem, Reply, Request};
use crate::scaling_policy::ScalingPolicy;
use crate::selector;
use crate::telemetry::Telemetry;

/// Most cycles that run at the same time.
const MOST_CYCLES: usize = 64;
/// A ready key is overtaken for at most this long.
const AGEING: Span = Span::from_secs(10);
/// Longest nap: leadership is looked at this often.
const NAP: Duration = Duration::from_millis(250);
/// A clock that shows this much less than before was set back: keys that wait would wait for as long.
const SET_BACK: Span = Span::from_secs(1);
/// After a panic, its policy is looked at again this much later.
const AFTER_A_BUG: Span = Span::from_secs(30);
/// How long a stopping operator waits for what is under way.
const DRAIN: Duration = Duration::from_secs(8);

/// One policy's machine, and what its cycle has found.
struct Subject {
    machine: Machine,
    selector: Option<(String, Selector)>,
    pods: PodFacts,
    newest: Result<Option<Timestamp>, Problem>,
    begun: Timestamp,
}

/// See the module.
pub struct Driver {
    index: Index,
    queue: WorkQueue<Key>,
    subjects: BTreeMap<Key, Subject>,
    running: JoinSet<(Key, Performed)>,
    /// Whose task is which, for one that panics.
    tasks: Vec<(Id, Key)>,
    /// The clock at the last turn of the loop.
    turned: Timestamp,
    hands: Arc<Hands>,
    clock: Clock,
    leadership: Leadership,
    recorder: Recorder,
    telemetry: Arc<Telemetry>,
}

impl Driver {
    /// A driver with nothing to do yet.
    #[must_use]
    pub fn new(client: &Client, hands: Hands, clock: Clock, leadership: Leadership, telemetry: Arc<Telemetry>) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
        Self {
            index: Index::default(),
            queue: WorkQueue::new(AGEING),
            subjects: BTreeMap::new(),
            running: JoinSet::new(),
            tasks: Vec::new(),
            turned: Timestamp::ZERO,
            hands: Arc::new(hands),
            clock,
            leadership,
            recorder: Recorder::new(client.clone(), reporter),
            telemetry,
        }
    }

    /// Runs until `stop` turns true; then what is under way is waited for.
    pub async fn run(mut self, mut watches: mpsc::Receiver<Told>, mut stop: watch::Receiver<bool>) {
        loop {
            self.heed_clock(Clock::wall());
            let leads = self.leadership.is_held();
            if leads && self.index.is_complete() {
                self.begin_cycles();
            } else if !leads {
                self.stand_by();
            }
            self.telemetry.watch_queue(&self.queue, leads, self.index.is_complete(), Clock::wall());
            let nap = self.nap();
            tokio::select! {
                told = watches.recv() => match told {
                    Some(told) => self.hear(told),
                    None => break,
                },
                Some(done) = self.running.join_next_with_id(), if !self.running.is_empty() => self.proceed(done),
                () = tokio::time::sleep(nap) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.drain().await;
    }

    fn hear(&mut self, told: Told) {
        let (keys, priority) = match told {
            Told::Policy(event) => (self.index.policy(*event), Priority::Normal),
            Told::Autoscaler(event) => (self.index.autoscaler(*event), Priority::Low),
            Told::Pod(event) => {
                self.index.pod(*event);
                (BTreeSet::new(), Priority::Low)
            }
            Told::Broken(what) => {
                self.telemetry.watch_broken(what);
                return;
            }
        };
        for key in keys {
            let leaves = self.index.get(&key).is_some_and(|policy| policy.metadata.deletion_timestamp.is_some());
            self.queue.add(key, if leaves { Priority::Critical } else { priority }, Clock::wall());
        }
    }

    /// A state that was not kept up to date is no state: it is built anew when this operator leads again.
    fn stand_by(&mut self) {
        if !self.subjects.is_empty() && self.running.is_empty() {
            self.subjects.clear();
            let now = Clock::wall();
            let keys: Vec<Key> = self.index.keys().cloned().collect();
            for key in keys {
                self.queue.add(key, Priority::Normal, now);
            }
        }
    }

    fn begin_cycles(&mut self) {
        let now = Clock::wall();
        while self.queue.running() < MOST_CYCLES {
            let Some(taken) = self.queue.get(now) else { return };
            self.telemetry.queue_wait(taken.waited);
            self.subject(&taken.key).begun = now;
            self.advance(taken.key, Reply::Wake);
        }
    }

    fn subject(&mut self, key: &Key) -> &mut Subject {
        let pace = self.clock.pace();
        self.subjects.entry(key.clone()).or_insert_with(|| Subject {
            machine: Machine::new(format!("{}/{}", key.0, key.1), pace),
            selector: None,
            pods: PodFacts::default(),
            newest: Ok(None),
            begun: Timestamp::ZERO,
        })
    }

    /// One step of a machine, and the request that follows from it.
    fn advance(&mut self, key: Key, reply: Reply) {
        let pods = self.subject(&key).pods.clone();
        let Some(facts) = self.index.facts(&key, pods) else {
            self.subjects.remove(&key);
            self.queue.done(&key, Clock::wall());
            return;
        };
        let now = self.clock.now();
        let subject = self.subject(&key);
        let next = subject.machine.step(&facts, reply, now);
        let happenings = subject.machine.take_happenings();
        self.tell(&facts.policy, happenings);
        match next {
            Next::Ask(request) => self.ask(key, &facts.policy, request),
            Next::Sleep(at) => self.finish(&key, Some(self.clock.clock_time(at))),
            Next::Forget => self.finish(&key, None),
        }
    }

    fn ask(&mut self, key: Key, policy: &Arc<ScalingPolicy>, request: Request) {
        self.telemetry.asked(&request);
        let newest = self.subject(&key).newest.clone();
        let (hands, policy) = (self.hands.clone(), policy.clone());
        let whose = key.clone();
        let task = self.running.spawn(async move {
            let performed = hands.perform(&key, &policy, request, newest).await;
            (key, performed)
        });
        self.tasks.push((task.id(), whose));
    }

    fn proceed(&mut self, done: Result<(Id, (Key, Performed)), JoinError>) {
        match done {
            Ok((id, (key, performed))) => {
                self.tasks.retain(|(other, _)| *other != id);
                self.take_note(&key, &performed);
                self.telemetry.answered(&performed.reply);
                self.advance(key, performed.reply);
            }
            Err(error) => self.start_over(&error),
        }
    }

    /// A task is never aborted, so it panicked: a bug. It harms its own policy alone, which begins anew.
    fn start_over(&mut self, error: &JoinError) {
        let Some(index) = self.tasks.iter().position(|(id, _)| *id == error.id()) else { return };
        let (_, key) = self.tasks.swap_remove(index);
        tracing::error!(%error, namespace = key.0, name = key.1, "a request ended without an answer; the policy begins anew");
        let now = Clock::wall();
        self.subjects.remove(&key);
        self.queue.done(&key, now);
        self.queue.retry(key, Priority::Low, now + AFTER_A_BUG);
    }

    /// If the clock was set back, every policy is looked at now instead of at a moment that is far again.
    fn heed_clock(&mut self, now: Timestamp) {
        if self.turned.since(now) > SET_BACK {
            tracing::warn!(by_s = self.turned.since(now).as_secs_f64(), "the clock was set back");
            for key in self.index.keys() {
                self.queue.add(key.clone(), Priority::Low, now);
            }
        }
        self.turned = now;
    }

    /// What the rest of the cycle needs of an answer: which pods are meant, and how new the newest sample is.
    fn take_note(&mut self, key: &Key, performed: &Performed) {
        if let Reply::SampleTime(answer) = &performed.reply {
            self.subject(key).newest = answer.clone().map(|_| performed.newest);
        }
        let Reply::Scale(Ok(_)) = &performed.reply else { return };
        let text = performed.selector.clone().unwrap_or_default();
        let subject = self.subject(key);
        if subject.selector.as_ref().is_none_or(|(known, _)| *known != text) {
            subject.selector = selector::parse(&text).map(|selector| (text, selector));
        }
        let pods = match &self.subjects[key].selector {
            Some((_, selector)) => self.index.pods(key, selector, &self.clock),
            None => PodFacts::default(),
        };
        self.subject(key).pods = pods;
    }

    fn finish(&mut self, key: &Key, again_at: Option<Timestamp>) {
        let now = Clock::wall();
        let begun = self.subjects.get(key).map_or(now, |subject| subject.begun);
        self.telemetry.cycle(now.since(begun));
        self.queue.done(key, now);
        match again_at {
            Some(at) => self.queue.add_after(key.clone(), Priority::High, at),
            None => {
                self.subjects.remove(key);
            }
        }
    }

    fn tell(&self, policy: &Arc<ScalingPolicy>, happenings: Vec<Happening>) {
        for happening in happenings {
            tracing::info!(policy = ?policy.metadata.name, reason = happening.reason, "{}", happening.message);
            let event = Event {
                type_: if happening.warning { EventType::Warning } else { EventType::Normal },
                reason: happening.reason.to_owned(),
                note: Some(happening.message.chars().take(1_000).collect()),
                // Events of the same action and reason are counted as one, with the first one's note.
                action: happening.message.chars().take(128).collect(),
                secondary: None,
            };
            let (recorder, reference) = (self.recorder.clone(), policy.object_ref(&()));
            tokio::spawn(async move {
                // An Event is a courtesy: one that cannot be written is not tried again.
                let published = tokio::time::timeout(DRAIN, recorder.publish(&event, &reference)).await;
                if let Ok(Err(error)) = published {
                    tracing::debug!(%error, "event not written");
                }
            });
        }
    }

    fn nap(&self) -> Duration {
        let until = self
            .queue
            .next_at()
            .map_or(NAP.as_micros(), |at| u128::try_from(at.since(Clock::wall()).micros().max(0)).unwrap_or(0));
        let busy = self.queue.running() >= MOST_CYCLES || !self.leadership.is_held() || !self.index.is_complete();
        let until = Duration::from_micros(u64::try_from(until).unwrap_or(u64::MAX));
        if busy { NAP } else { until.min(NAP) }
    }

    /// Lets requests that are under way end; no new ones begin.
    async fn drain(mut self) {
        let ended = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!("requests under way were broken off");
        }
        self.hands.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision_log::DecisionLog;
    use crate::reconcile::Pace;
    use crate::shell::api::Api;
    use crate::shell::hands::PrometheusLimits;
    use kube::runtime::watcher;

    fn driver() -> Driver {
        let nobody = tower::service_fn(|_: http::Request<kube::client::Body>| {
            std::future::pending::<Result<http::Response<kube::client::Body>, std::io::Error>>()
        });
        let client = Client::new(nobody, "default");
        let timeout = Duration::from_millis(1);
        let limits = PrometheusLimits { timeout, answer_limit_bytes: 1, concurrency: 1, credentials_folder: None };
        let clock = Clock::new(Timestamp::ZERO, Pace(1));
        let api = Api::new(client.clone(), timeout);
        let hands = Hands::new(api, clock, limits, Leadership::always(), DecisionLog::off());
        Driver::new(&client, hands, clock, Leadership::always(), Arc::new(Telemetry::new()))
    }

    fn listed(driver: &mut Driver) -> Key {
        let policy = serde_json::from_value(serde_json::json!({
            "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy",
            "metadata": { "name": "web", "namespace": "shop" },
            "spec": { "targetRef": { "name": "web" }, "maxReplicas": 9, "metrics": { "url": "http://p:9090" } }
        }))
        .unwrap();
        driver.index.policy(watcher::Event::Apply(policy));
        ("shop".to_owned(), "web".to_owned())
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_keeps_nobody_waiting() {
        let mut driver = driver();
        let key = listed(&mut driver);
        let (late, early) = (Timestamp::from_secs(90_000), Timestamp::from_secs(3_600));
        driver.heed_clock(late);
        driver.queue.add_after(key, Priority::High, late + Span::from_secs(1));
        driver.heed_clock(late - SET_BACK);
        assert!(driver.queue.get(late - SET_BACK).is_none(), "a second is drift");
        driver.heed_clock(early);
        assert!(driver.queue.get(early).is_some());
    }

    #[tokio::test]
    async fn a_panic_harms_its_own_policy_alone() {
        let mut driver = driver();
        let key = listed(&mut driver);
        driver.queue.add(key.clone(), Priority::Normal, Timestamp::ZERO);
        driver.queue.get(Timestamp::ZERO).unwrap();
        driver.subject(&key);
        let task = driver.running.spawn(async { panic!("a bug") });
        driver.tasks.push((task.id(), key));
        let done = driver.running.join_next_with_id().await.unwrap();
        driver.proceed(done);
        assert!(driver.subjects.is_empty() && driver.tasks.is_empty() && driver.queue.running() == 0);
        let again = driver.queue.next_at().unwrap().since(Clock::wall());
        assert!(again > Span::from_secs(20) && again <= AFTER_A_BUG, "{again:?}");
    }
}
