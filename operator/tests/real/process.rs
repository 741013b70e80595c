//! A program that a test runs: its output goes to a file, whose end is shown when the test fails; it ends with the test.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use seatrial_core::time::{Span, Timestamp};
use seatrial_operator::clock::Clock;

/// Lines of a log that are shown when a test fails.
const LAST_LINES: usize = 40;

/// See the module.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Runs `command`; both its outputs go to `name.log` in `folder`.
    pub(crate) fn spawn(name: &str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// What it wrote so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits for its end.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let signal = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &signal]).status().unwrap().success());
        until(&format!("{} ends", self.name), 20, || self.child.try_wait().unwrap()).await
    }

    /// Its resident memory in MiB, as the kernel counts it.
    pub(crate) fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1_024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let end = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            // Past the test harness, which would show it before what failed.
            let _ = std::io::stderr().write_all(format!("---- end of {}.log\n{end}\n", self.name).as_bytes());
        }
    }
}

/// An address of this machine on which nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The body of a page, if it is answered with 200.
pub(crate) fn page(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (head.split(' ').nth(1) == Some("200")).then(|| body.to_owned())
}

/// What `look` finds, looking four times a second; fails after `limit_s` seconds.
pub(crate) async fn until<T>(what: &str, limit_s: i64, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Clock::wall() + Span::from_secs(limit_s);
    let mut poll = tokio::time::interval(Duration::from_millis(250));
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        poll.tick().await;
        if let Some(found) = look() {
            return found;
        }
        assert!(Clock::wall() < deadline, "{what}: not within {limit_s} s");
    }
}

/// Waits until the clock shows `at`.
pub(crate) async fn until_time(at: Timestamp) {
    let seconds = at.since(Clock::wall()).whole_steps(Span::from_secs(1));
    until("the clock goes on", seconds + 60, || (Clock::wall() >= at).then_some(())).await;
}
