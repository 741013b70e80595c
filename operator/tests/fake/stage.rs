//! One scenario's world: a fake API server with one Deployment, a fake Prometheus, and operators in threads of their own, so that
//! one can be killed with everything that it has started.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser;
use seatrial_operator::cli::{Cli, Command, RunArgs};
use seatrial_operator::clock::Clock;
use seatrial_operator::run::{RunError, run_until};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::api::Api;
use crate::prometheus::Prometheus;
use crate::store::merge;

/// How long a scenario waits for what it expects.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Panics of operators' threads: a task's panic does not end its runtime.
static PANICS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Notes panics from now on; said once per process.
pub(crate) fn note_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        if thread.starts_with("operator") {
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push((thread, panic.to_string()));
        }
        before(panic);
    }));
}

/// A moment so many seconds ago, as the API writes it.
pub(crate) fn ago(seconds: i64) -> String {
    let micros = Clock::wall().micros() - seconds * 1_000_000;
    k8s_openapi::jiff::Timestamp::from_second(micros.div_euclid(1_000_000)).unwrap().to_string()
}

#[expect(clippy::disallowed_methods, reason = "tests of a running operator have deadlines")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// See the module.
pub(crate) struct Stage {
    pub(crate) api: Api,
    pub(crate) prometheus: Prometheus,
    pub(crate) folder: tempfile::TempDir,
    operators: Vec<Operator>,
}

impl Stage {
    /// Four replicas of `web` under 160 requests per second, which is what four pods of a target of 80 % carry.
    pub(crate) async fn new() -> Self {
        let stage = Self {
            api: Api::default(),
            prometheus: Prometheus::start(160.0).await,
            folder: tempfile::tempdir().unwrap(),
            operators: Vec::new(),
        };
        stage.deploy();
        stage
    }

    pub(crate) fn deploy(&self) {
        self.api.create("deployments", "shop", "web", json!({ "kind": "Deployment", "spec": { "replicas": 4 } }));
    }

    /// A policy `web` in Enforce with the rule `hpa`, and `extra` fields of the spec; null removes one.
    pub(crate) fn policy(&self, extra: Value) {
        let mut spec = json!({
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "minReplicas": 2, "maxReplicas": 30, "mode": "Enforce", "policy": { "id": "hpa" },
            "metrics": { "url": self.prometheus.url(), "scrapeIntervalSeconds": 1, "staleAfterSeconds": 10 }
        });
        merge(&mut spec, extra);
        let object = json!({ "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy", "spec": spec });
        self.api.create("scalingpolicies", "shop", "web", object);
    }

    /// Starts an operator without a Lease.
    pub(crate) fn start(&mut self) {
        self.start_with(&["--no-lease"]);
    }

    pub(crate) fn start_with(&mut self, flags: &[&str]) {
        self.operators.push(Operator::start(&self.api, flags));
    }

    /// Kills the operator that was started first: whatever it was doing is not done.
    pub(crate) fn kill_first(&mut self) {
        drop(self.operators.remove(0));
    }

    /// Tells the operator that was started first to stop, and waits for its end.
    pub(crate) async fn stop_first(&mut self) {
        self.operators.remove(0).stopped().await;
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = now() + PATIENCE;
        while !condition(self) {
            assert!(now() < deadline, "waited in vain for: {what}\n{}", self.tale());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a condition has this status and reason.
    pub(crate) async fn until_says(&self, kind: &str, status: &str, reason: &str) {
        let what = format!("{kind}={status} because of {reason}");
        self.until(&what, |stage| {
            let condition = stage.condition(kind);
            condition["status"] == status && condition["reason"] == reason
        })
        .await;
    }

    /// Lets time pass, in which `always` must hold.
    pub(crate) async fn hold(&self, seconds: u64, what: &str, always: impl Fn(&Self) -> bool) {
        let end = now() + Duration::from_secs(seconds);
        while now() < end {
            assert!(always(self), "did not hold: {what}\n{}", self.tale());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn condition(&self, kind: &str) -> Value {
        let policy = self.api.get("scalingpolicies", "web");
        let all = policy["status"]["conditions"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
    }

    pub(crate) fn replicas(&self) -> i64 {
        self.api.get("deployments", "web")["spec"]["replicas"].as_i64().unwrap_or(-1)
    }

    /// What to show when a scenario fails.
    fn tale(&self) -> String {
        let status = &self.api.get("scalingpolicies", "web")["status"];
        let seen = self.api.seen();
        let last: Vec<String> = seen
            .iter()
            .rev()
            .filter(|seen| seen.resource != "leases")
            .take(12)
            .map(|seen| {
                format!("{} {} {} {} {:.1?} ago", seen.verb, seen.resource, seen.name, seen.code, seen.at.elapsed())
            })
            .collect();
        format!("status: {status:#}\nlast of {} requests: {last:#?}", seen.len())
    }

    /// Ends the operators; none may have panicked.
    pub(crate) fn end(self) {
        drop(self);
    }
}

/// `seatrial-operator run` in a thread with its own runtime, as the binary has it.
pub(crate) struct Operator {
    name: String,
    stop: watch::Sender<bool>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Option<Result<(), RunError>>>>,
}

fn arguments(flags: &[&str]) -> RunArgs {
    let usual = [["--listen", "127.0.0.1:0"], ["--timeout-ms", "2000"]];
    let usual = usual.iter().filter(|pair| !flags.contains(&pair[0])).flatten();
    match Cli::parse_from(["seatrial-operator", "run"].iter().chain(usual).chain(flags)).command {
        Command::Run(args) => *args,
        other => panic!("{other:?} is not run"),
    }
}

impl Operator {
    fn start(api: &Api, flags: &[&str]) -> Self {
        let (args, api) = (arguments(flags), api.clone());
        let (stop, stopped) = watch::channel(false);
        let (kill, killed) = oneshot::channel();
        let scenario = std::thread::current().name().unwrap_or_default().to_owned();
        let name = format!("operator of {scenario}");
        let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let result = runtime.block_on(async {
                tokio::select! {
                    result = run_until(&args, api.client(), stopped) => Some(result),
                    _ = killed => None,
                }
            });
            runtime.shutdown_background();
            result
        });
        Self { name, stop, kill: Some(kill), thread: Some(thread.unwrap()) }
    }

    async fn stopped(mut self) {
        let _ = self.stop.send(true);
        let thread = self.thread.take().unwrap();
        let result = tokio::task::spawn_blocking(move || thread.join()).await.unwrap();
        assert!(matches!(result, Ok(Some(Ok(())))), "the operator did not end well: {result:?}");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
        let ended = self.thread.take().map(JoinHandle::join);
        let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        let own: Vec<&String> = panics.iter().filter(|(name, _)| *name == self.name).map(|(_, text)| text).collect();
        if !std::thread::panicking() {
            assert!(own.is_empty() && !matches!(ended, Some(Err(_))), "the operator panicked: {own:?}");
        }
    }
}
