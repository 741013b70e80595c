//! A control plane with the operator installed, a workload on simulated nodes, the demo world and a Prometheus that scrapes it.
//!
//! Model time runs fifteen times as fast as the clock, unless a test says otherwise: a scrape of fifteen seconds is one second, a
//! start-up of a minute four.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use seatrial_core::bundle::{Bundle, BundleFiles, GOLDEN_FILE, POLICY_FILE, WEIGHTS_FILE};
use seatrial_core::time::{Span, Timestamp};
use seatrial_operator::world::log::{self, Entry};
use serde_json::Value;

use super::account::{self, CREDENTIAL, Write as Written};
use super::control_plane::ControlPlane;
use super::process::{Process, free_address, page, until};
use super::{account::moment, loads};

/// Model seconds in a second of the clock, unless a test says otherwise.
pub(crate) const PACE: i64 = 15;
/// Time between scrapes and of a start-up, in seconds of model time, as protocol P1 says.
pub(crate) const SCRAPE_S: i64 = 15;
const START_UP_S: i64 = 60;

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: default }
spec:
  replicas: REPLICAS
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web }
      annotations: { pod-ready.stage.kwok.x-k8s.io/delay: START_UP }
    spec:
      containers:
      - { name: web, image: "registry.invalid/web", resources: { requests: { cpu: "4" }, limits: { cpu: "4" } } }
"#;

/// See the module. Programs end before the control plane.
pub(crate) struct Stage {
    prometheus: Option<Process>,
    _world: Process,
    world_at: SocketAddr,
    prometheus_at: SocketAddr,
    /// Model seconds in a second of the clock.
    pub(crate) pace: i64,
    pub(crate) plane: ControlPlane,
}

impl Stage {
    /// A workload of so many ready replicas under the load of `rates` per minute of model time; `None`, said loudly, where that
    /// is impossible.
    pub(crate) async fn start(test: &str, rates: &[f64], replicas: u32) -> Option<Self> {
        Self::start_paced(test, PACE, rates, replicas).await
    }

    /// The same with so many model seconds in a second of the clock.
    pub(crate) async fn start_paced(test: &str, pace: i64, rates: &[f64], replicas: u32) -> Option<Self> {
        if !prometheus_is_installed(test) {
            return None;
        }
        let options = ["--with", "all", "--nodes", "6", "--audit", "--hpa-sync", "1s"];
        let plane = ControlPlane::start(test, &options)?;
        let start_up = format!("{}s", START_UP_S / pace);
        plane.apply(&DEPLOYMENT.replace("REPLICAS", &replicas.to_string()).replace("START_UP", &start_up)).unwrap();
        install(&plane);
        let (world_at, prometheus_at) = (free_address(), free_address());
        let world = world(&plane, world_at, &loads::write(plane.scratch(), rates), pace);
        until("the replicas are ready", 60 + START_UP_S / pace, || {
            (plane.get(&["deployment", "web"])["status"]["readyReplicas"] == replicas).then_some(())
        })
        .await;
        until("the world listens", 30, || page(world_at, "/healthz")).await;
        let mut stage = Self { prometheus: None, _world: world, world_at, prometheus_at, pace, plane };
        stage.start_prometheus();
        until("the load is known", 30 + SCRAPE_S / pace, || stage.newest("http_requests_total")).await;
        Some(stage)
    }

    /// Starts Prometheus, with the data that it had.
    pub(crate) fn start_prometheus(&mut self) {
        let folder = self.plane.scratch();
        let config = format!(
            "global: {{ scrape_interval: {0}s, scrape_timeout: {0}s }}\n\
             scrape_configs:\n- {{ job_name: world, honor_labels: true, static_configs: [ {{ targets: ['{1}'] }} ] }}\n",
            self.scrape_s(),
            self.world_at
        );
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command.arg("--config.file").arg(file).arg("--storage.tsdb.path").arg(folder.join("prometheus"));
        command.arg(format!("--web.listen-address={}", self.prometheus_at));
        self.prometheus = Some(Process::spawn("prometheus", command, folder));
    }

    /// kill -9.
    pub(crate) fn kill_prometheus(&mut self) {
        self.prometheus.take().unwrap().kill();
    }

    /// A value of the newest sample of `series` in Prometheus.
    pub(crate) fn newest(&self, series: &str) -> Option<f64> {
        self.value(&format!("/api/v1/query?query={series}"))
    }

    /// A value of the newest sample of `series` at `at`.
    pub(crate) fn value_at(&self, series: &str, at: Timestamp) -> Option<f64> {
        self.value(&format!("/api/v1/query?query={series}&time={:.6}", at.micros() as f64 / 1e6))
    }

    fn value(&self, path: &str) -> Option<f64> {
        let answer: Value = serde_json::from_str(&page(self.prometheus_at, path)?).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// Seconds of the clock between scrapes.
    fn scrape_s(&self) -> i64 {
        SCRAPE_S / self.pace
    }

    /// The metrics of a policy.
    pub(crate) fn metrics(&self) -> String {
        let (url, scrape_s) = (format!("http://{}", self.prometheus_at), self.scrape_s());
        format!("{{ url: \"{url}\", scrapeIntervalSeconds: {scrape_s}, staleAfterSeconds: {} }}", 3 * scrape_s)
    }

    /// Applies the policy `web` of the workload, with these lines in its spec.
    pub(crate) fn apply_policy(&self, lines: &str) {
        let policy = format!(
            "apiVersion: seatrial.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: {{ name: web, namespace: default }}\nspec:\n  \
             targetRef: {{ name: web }}\n  minReplicas: 2\n  maxReplicas: 40\n  metrics: {}\n  {lines}\n",
            self.metrics()
        );
        self.plane.apply(&policy).unwrap();
    }

    /// Waits until the policy is in this phase.
    pub(crate) async fn until_phase(&self, phase: &str) {
        until(&format!("the phase is {phase}"), 10, || (self.try_status()?["phase"] == phase).then_some(())).await;
    }

    /// The status of the policy; null if it has none yet.
    pub(crate) fn status(&self) -> Value {
        self.plane.get(&["scalingpolicy", "web"])["status"].clone()
    }

    /// Waits until a condition of the policy has this status.
    pub(crate) async fn until_condition(&self, kind: &str, expected: &str, limit_s: i64) {
        until(&format!("{kind} is {expected}"), limit_s, || {
            let status = self.try_status()?;
            (condition(&status, kind)["status"] == expected).then_some(())
        })
        .await;
    }

    /// The status of the policy, unless the API server is away.
    fn try_status(&self) -> Option<Value> {
        let answer = self.plane.try_kubectl(&["get", "scalingpolicy", "web", "-o", "json"], "");
        let policy: Value = serde_json::from_slice(&answer.stdout).ok()?;
        Some(policy["status"].clone())
    }

    /// Replicas that the workload is asked for.
    pub(crate) fn replicas(&self) -> u64 {
        self.plane.get(&["deployment", "web"])["spec"]["replicas"].as_u64().unwrap()
    }

    /// Every write of the operators so far.
    pub(crate) fn writes(&self) -> Vec<Written> {
        account::writes(&self.plane.run_dir())
    }

    /// What really happened so far.
    pub(crate) fn happened(&self) -> Vec<Entry> {
        log::read(&std::fs::read_to_string(self.plane.scratch().join("world.csv")).unwrap()).unwrap()
    }
}

/// The condition of a status; null if it is not there.
fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or(Value::Null)
}

fn prometheus_is_installed(test: &str) -> bool {
    let found =
        Command::new("prometheus").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        let text =
            format!("SKIPPED {test}: there is no program `prometheus` in PATH; install the package `prometheus`\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    found
}

/// Everything of the installation but its Deployment, which could not run here: the operator runs beside the cluster.
fn install(plane: &ControlPlane) {
    let whole = include_str!("../../yaml/install.yaml");
    let rest: Vec<&str> = whole.split("\n---\n").filter(|object| !object.contains("\nkind: Deployment\n")).collect();
    plane.apply(&rest.join("\n---\n")).unwrap();
    plane.kubectl(&["wait", "--for=condition=Established", "crd/scalingpolicies.seatrial.dev"]);
}

fn world(plane: &ControlPlane, address: SocketAddr, trace: &Path, pace: i64) -> Process {
    let mut command = program(plane);
    command.env("KUBECONFIG", plane.kubeconfig()).arg("world").arg("--trace").arg(trace);
    command.args(["--part", "whole", "--namespace", "default", "--deployment", "web"]);
    command.args(["--time-scale", &pace.to_string(), "--listen", &address.to_string()]);
    command.arg("--log").arg(plane.scratch().join("world.csv"));
    Process::spawn("world", command, plane.scratch())
}

/// The operator's program, as it was when the test began: another build may replace it meanwhile.
fn program(plane: &ControlPlane) -> Command {
    let (built, kept) = (env!("CARGO_BIN_EXE_seatrial-operator"), plane.scratch().join("seatrial-operator"));
    if !kept.exists() {
        std::fs::hard_link(built, &kept).or_else(|_| std::fs::copy(built, &kept).map(|_| ())).unwrap();
    }
    let mut command = Command::new(kept);
    command.env("NO_COLOR", "1");
    command
}

/// The bundle that is committed, which the cluster gets as the ConfigMap `quick`.
pub(crate) fn quick_bundle() -> Bundle {
    let read = |name: &&str| ((*name).to_owned(), std::fs::read(quick_folder().join(name)).unwrap());
    let files: BundleFiles = [POLICY_FILE, WEIGHTS_FILE, GOLDEN_FILE].iter().map(read).collect();
    Bundle::load(&files).unwrap()
}

fn quick_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/bundles/quick")
}

/// Puts the committed bundle into the cluster; the line of a spec that names it.
pub(crate) fn put_quick_bundle(plane: &ControlPlane, bundle: &Bundle) -> String {
    let from = |name: &str| format!("--from-file={}", quick_folder().join(name).display());
    plane.kubectl(&["create", "configmap", "quick", &from(POLICY_FILE), &from(WEIGHTS_FILE), &from(GOLDEN_FILE)]);
    format!("bundle: {{ configMap: {{ name: quick }}, hash: {} }}", bundle.hash())
}

/// An operator with a token of its own.
pub(crate) struct Operator {
    pub(crate) process: Process,
    /// Folder of its decision log.
    pub(crate) log: PathBuf,
    /// What the audit log calls its token.
    pub(crate) credential: String,
    listen: SocketAddr,
}

impl Operator {
    /// Starts one as the installation would, and waits until it is ready.
    pub(crate) async fn start(stage: &Stage, name: &str) -> Self {
        let (folder, listen) = (stage.plane.scratch(), free_address());
        let (kubeconfig, credential) = account(&stage.plane, &folder.join(format!("{name}.kubeconfig")));
        let log = folder.join(format!("{name}-decisions"));
        let mut command = program(&stage.plane);
        command.env("KUBECONFIG", kubeconfig).arg("run").arg("--log").arg(&log);
        command.args(["--listen", &listen.to_string(), "--lease-namespace", "seatrial-system"]);
        command.args(["--log-seconds", "10", "--time-scale", &stage.pace.to_string()]);
        let operator = Self { process: Process::spawn(name, command, folder), log, credential, listen };
        until("the operator is ready", 30, || page(listen, "/readyz")).await;
        operator
    }

    /// A sample of its own metrics, summed over labels; `None` while it does not answer.
    pub(crate) fn counted(&self, name: &str) -> Option<f64> {
        let text = page(self.listen, "/metrics")?;
        let of = |line: &str| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        };
        Some(text.lines().filter_map(of).sum())
    }

    /// Decisions that it made.
    pub(crate) fn decisions(&self) -> f64 {
        self.counted("seatrial_decisions_total").unwrap_or(0.0)
    }

    /// Waits for so many more decisions.
    pub(crate) async fn until_decisions(&self, more: f64, limit_s: i64) {
        let before = self.decisions();
        until(&format!("{more} more decisions"), limit_s, || (self.decisions() >= before + more).then_some(())).await;
    }

    /// Whether it leads.
    pub(crate) fn leads(&self) -> bool {
        self.counted("leader_election_master_status") == Some(1.0)
    }

    /// Where the clock and model time were the same.
    pub(crate) fn origin(&self) -> Timestamp {
        let output = self.process.output();
        let line = output.lines().find(|line| line.contains(": begins ")).unwrap();
        moment(line.split(' ').next().unwrap())
    }
}

/// A configuration with a fresh token of the operator's account, and the token's name in the audit log.
fn account(plane: &ControlPlane, path: &Path) -> (PathBuf, String) {
    let token = plane.kubectl(&["create", "token", "seatrial-operator", "-n", "seatrial-system", "--duration=1h"]);
    let mut config: Value = serde_json::from_str(&plane.kubectl(&["config", "view", "--raw", "-o", "json"])).unwrap();
    config["users"][0]["user"] = serde_json::json!({ "token": token.trim() });
    std::fs::write(path, config.to_string()).unwrap();
    let who = plane.kubectl(&["--kubeconfig", path.to_str().unwrap(), "auth", "whoami", "-o", "json"]);
    let who: Value = serde_json::from_str(&who).unwrap();
    let info = &who["status"]["userInfo"];
    assert_eq!(info["username"], account::OPERATOR);
    (path.to_owned(), info["extra"][CREDENTIAL][0].as_str().unwrap().to_owned())
}

/// A span of the clock of so many bins of the trace.
pub(crate) fn bins(count: i64) -> Span {
    loads::BIN * count / PACE
}
