//! A real control plane for tests: etcd and kube-apiserver, and on demand controllers, scheduler and simulated nodes.
//!
//! Tests that use it have names that begin with `real_`. They run where `SEATRIAL_ENVTEST` names the folder of `start`, `restart`
//! and `stop`; elsewhere they say on the terminal that they were skipped, past the test harness, which hides what passes.
//!
//! Everything that was started ends with the [`ControlPlane`], or within seconds after the test process, however that ends.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program that includes this module uses another part of it"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tempfile::TempDir;

/// A running control plane.
pub(crate) struct ControlPlane {
    envtest: PathBuf,
    binaries: PathBuf,
    /// Removed after the processes are gone.
    folder: TempDir,
}

/// The folder of the control plane's scripts; `None`, said loudly, where it is not there.
pub(crate) fn envtest(test: &str) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the real tier lies on this machine is known to the environment alone"
    )]
    let folder = std::env::var_os("SEATRIAL_ENVTEST").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        let text = format!("SKIPPED {test}: SEATRIAL_ENVTEST does not name a folder with a real control plane\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    folder.map(PathBuf::from)
}

impl ControlPlane {
    /// Starts one for `test` with the options of `start` (`--with all`, `--nodes 2`, `--audit`, …); `None` where tests cannot.
    pub(crate) fn start(test: &str, options: &[&str]) -> Option<Self> {
        let envtest = envtest(test)?;
        let folder = TempDir::with_prefix(format!("seatrial-{test}-")).unwrap();
        let installed = succeed(Command::new(envtest.join("install")));
        let mut start = Command::new(envtest.join("start"));
        start.args(options).args(["--parent", &std::process::id().to_string()]).arg(folder.path().join("run"));
        succeed(start);
        let binaries = PathBuf::from(installed.lines().last().unwrap());
        Some(Self { envtest, binaries, folder })
    }

    /// Where it keeps its files: `kubeconfig`, `ports`, `pids`, `logs/`, `pki/`, `audit.jsonl`.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// An administrator's configuration.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.run_dir().join("kubeconfig")
    }

    /// A folder that is removed with it.
    pub(crate) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// An administrator's client, without kube's own retry, as the operator's.
    pub(crate) async fn client(&self) -> Client {
        Client::try_from(self.config().await).unwrap()
    }

    /// An administrator's configuration for kube, to be changed before it becomes a client.
    pub(crate) async fn config(&self) -> Config {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).unwrap();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.default_retry = false;
        config
    }

    /// What kubectl prints; it must succeed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        succeed(self.kubectl_command(arguments))
    }

    /// What kubectl says and prints, however it ends, with `input` on its standard input.
    pub(crate) fn try_kubectl(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.kubectl_command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may refuse its arguments before it reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Applies YAML by server-side apply, unknown fields refused: what kubectl printed, or what it says is wrong.
    pub(crate) fn apply(&self, yaml: &str) -> Result<String, String> {
        let arguments = ["apply", "--server-side", "--validate=strict", "--field-manager=test", "-f", "-"];
        let output = self.try_kubectl(&arguments, yaml);
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The object as JSON.
    pub(crate) fn get(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(&[&["get", "-o", "json"], arguments].concat())).unwrap()
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binaries.join("kubectl"));
        // kubectl keeps what it discovers; a folder of its own, so that no other control plane's answers are in it.
        command.env("KUBECONFIG", self.kubeconfig()).env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"));
        command.args(arguments);
        command
    }

    /// Kills a component and starts it again on the same port and data, after `down_s` seconds.
    pub(crate) fn crash(&self, component: &str, down_s: u32) {
        let mut command = Command::new(self.envtest.join("restart"));
        command.args(["--kill", "--down", &down_s.to_string()]).arg(self.run_dir()).arg(component);
        succeed(command);
    }

    /// The process of a component: to be stopped and continued, never to be reaped.
    pub(crate) fn pid(&self, component: &str) -> u32 {
        let pids = std::fs::read_to_string(self.run_dir().join("pids")).unwrap();
        let of = |line: &str| line.strip_prefix(component)?.strip_prefix(' ')?.split(' ').next()?.parse().ok();
        pids.lines().find_map(of).unwrap_or_else(|| panic!("{component} is not in\n{pids}"))
    }

    /// The requests that were answered so far, if it was started with `--audit`: one JSON object each; watches give two.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.run_dir().join("audit.jsonl")).unwrap();
        // The last line may be half written.
        let complete = log.rfind('\n').map_or("", |end| &log[..end]);
        complete.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The writes among them that the account `user` did, Leases left out: verb, resource with subresource, name.
    pub(crate) fn writes_by(&self, user: &str) -> Vec<String> {
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = |line: &Value| {
            let (verb, object) = (part(&line["verb"]), &line["objectRef"]);
            let written = ["create", "update", "patch", "delete", "deletecollection"].contains(&&*verb);
            let counts = written && line["user"]["username"] == user && object["resource"] != "leases";
            let resource = [part(&object["resource"]), part(&object["subresource"])].join("/");
            counts.then(|| format!("{verb} {} {}", resource.trim_end_matches('/'), part(&object["name"])))
        };
        self.audit().iter().filter_map(of).collect()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let stop = self.envtest.join("stop");
        let _ = Command::new(stop).args(["--grace", "0", "--purge"]).arg(self.run_dir()).output();
    }
}

fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
