//! `seatrial import prometheus` against a server of canned answers, from a saved answer, and on bad input.
//!
//! The server stands in for Prometheus' range API only: it answers from the parameters that it is sent and counts them.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use seatrial_datasets::{moment, read_trace};

/// What the server answers to a piece.
type Answer = dyn Fn(&Request) -> (u16, String) + Send + Sync;

/// A request as it came.
#[derive(Clone, Debug)]
struct Request {
    path: String,
    authorization: Option<String>,
    start: i64,
    end: i64,
    step: i64,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let first = lines.next()?;
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let authorization = headers.iter().find_map(|line| line.strip_prefix("authorization: ").map(str::to_owned));
        let path = first.split(' ').nth(1)?.to_owned();
        let parameter = |name: &str| {
            let (_, text) = path.split_once(&format!("{name}="))?;
            let seconds: f64 = text.split('&').next()?.parse().ok()?;
            Some(seconds as i64)
        };
        let (start, end, step) = (parameter("start")?, parameter("end")?, parameter("step")?);
        Some(Self { path, authorization, start, end, step })
    }
}

/// A server that runs until the process ends.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(answer: Box<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = Request::read(&stream) else { continue };
                let (status, body) = answer(&request);
                seen.lock().unwrap().push(request);
                let head = format!(
                    "HTTP/1.1 {status} X\r\nLocation: /elsewhere\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // The client may hang up in the middle of a long answer.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { url, requests }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// One series with the value `at mod 1000` at each step, without the points in `hole`.
fn matrix(request: &Request, hole: std::ops::Range<i64>) -> String {
    let steps = (request.start..=request.end).step_by(usize::try_from(request.step).unwrap());
    let points: Vec<String> =
        steps.filter(|at| !hole.contains(at)).map(|at| format!("[{at},\"{}\"]", at % 1_000)).collect();
    format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"app":"web"}},"values":[{}]}}]}},"warnings":["a block is gone"]}}"#,
        points.join(",")
    )
}

/// A parameter as a server reads it.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let plain = |text: &str| text.replace('+', " ");
    let first = parts.next().map(plain).unwrap_or_default();
    let rest = parts.map(|part| {
        let code = u8::from_str_radix(&part[..2], 16).unwrap();
        format!("{}{}", char::from(code), plain(&part[2..]))
    });
    std::iter::once(first).chain(rest).collect()
}

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Answers that are kept.
    fn pieces(&self) -> Vec<PathBuf> {
        let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries(&self.path("x.parquet.part")).flat_map(|folder| entries(&folder).collect::<Vec<_>>()).collect()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn seatrial(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"] {
            command.env_remove(proxy);
        }
        command.args(["import", "prometheus", "--out", &self.text("x.parquet")]).args(arguments).output().unwrap()
    }

    /// Three days from 15-second steps: 17,281 points in two pieces.
    fn import(&self, url: &str, more: &[&str]) -> Output {
        let span = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-04T00:00:00Z", "--step", "15s"];
        let query = "sum(rate(x{app=\"a+b&c\"}[1m]))";
        self.seatrial(&[&["--url", url, "--query", query], &span[..], more].concat())
    }
}

fn error(output: &Output) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

const START: i64 = 1_767_225_600;

#[test]
fn a_range_comes_in_pieces_and_a_hole_is_missing() {
    let server = Server::start(Box::new(|request| (200, matrix(request, START + 60..START + 90))));
    let bench = Bench::new();
    let token = bench.write("token", "s3cret\n");
    let output = bench.import(&format!("{}/", server.url), &["--token-file", &token]);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{notes}");
    assert!(notes.contains("Prometheus says: a block is gone") && notes.contains("2 of 17281 bins"), "{notes}");

    let requests = server.requests.lock().unwrap().clone();
    let spans: Vec<(i64, i64)> = requests.iter().map(|request| (request.start - START, request.end - START)).collect();
    assert_eq!(spans, [(0, 10_999 * 15), (11_000 * 15, 3 * 86_400)]);
    // Decoded as forms are, where a plus is a blank.
    let (_, sent) = requests[0].path.split_once("query=").unwrap();
    assert_eq!(decoded(sent.split('&').next().unwrap()), "sum(rate(x{app=\"a+b&c\"}[1m]))", "{requests:?}");
    assert_eq!(requests[0].authorization.as_deref(), Some("Bearer s3cret"));

    let trace = read_trace(&bench.path("x.parquet")).unwrap();
    let only = trace.series(None).unwrap();
    assert_eq!((moment::format(only.start), only.values.len()), ("2026-01-01T00:00:00Z".to_owned(), 17_281));
    // 1767225600 mod 1000 = 600 requests/s are 9000 in 15 s.
    assert_eq!(only.values[..7], [9_000.0, 9_225.0, 9_450.0, 9_675.0, 9_675.0, 9_675.0, 10_350.0]);
    assert_eq!(only.missing[..7], [false, false, false, false, true, true, false]);
    assert_eq!(trace.provenance.source.as_deref(), Some(server.url.as_str()));
    let bytes = std::fs::read(bench.path("x.parquet")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"s3cret"), "the token is in the file");
    assert!(!bench.path("x.parquet.part").exists());
}

#[test]
fn a_finished_trace_is_not_fetched_again_and_another_query_needs_force() {
    let server = Server::start(Box::new(|request| (200, matrix(request, 0..0))));
    let bench = Bench::new();
    assert!(bench.import(&server.url, &[]).status.success());
    let bytes = std::fs::read(bench.path("x.parquet")).unwrap();
    let again = bench.import(&server.url, &[]);
    assert!(String::from_utf8(again.stdout).unwrap().starts_with("finished"));
    assert_eq!(server.count(), 2, "nothing more was fetched");
    assert!(error(&bench.import(&server.url, &["--series", "app"])).contains("holds something else"));
    assert_eq!(server.count(), 2);
    assert!(bench.import(&server.url, &["--force"]).status.success());
    assert_eq!((server.count(), std::fs::read(bench.path("x.parquet")).unwrap()), (4, bytes));
}

#[test]
fn a_stopped_import_goes_on_with_the_pieces_it_has() {
    let (well, sick) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(Vec::new())));
    let (is_well, asked) = (Arc::clone(&well), Arc::clone(&sick));
    let server = Server::start(Box::new(move |request| {
        asked.lock().unwrap().push(request.start - START);
        let fails = request.start > START && !*is_well.lock().unwrap();
        if fails { (503, "busy".to_owned()) } else { (200, matrix(request, 0..0)) }
    }));
    let bench = Bench::new();
    let message = error(&bench.import(&server.url, &[]));
    assert!(message.contains("status 503") && message.contains("the same command goes on"), "{message}");
    assert!(!bench.path("x.parquet").exists());
    assert_eq!(bench.pieces().len(), 1);

    // Another query for the same target neither takes these pieces nor removes them while it fails itself.
    let other = ["--url", &server.url, "--query", "up", "--from", "2026-01-01", "--to", "2026-01-04", "--step", "15s"];
    error(&bench.seatrial(&other));
    assert_eq!(bench.pieces().len(), 2);

    *well.lock().unwrap() = true;
    assert!(bench.import(&server.url, &[]).status.success());
    assert_eq!(*sick.lock().unwrap(), [0, 165_000, 0, 165_000, 165_000], "the first piece was fetched once");
    assert!(!bench.path("x.parquet.part").exists());
    let straight = Bench::new();
    assert!(straight.import(&server.url, &[]).status.success());
    let [one, two] = [&bench, &straight].map(|bench| std::fs::read(bench.path("x.parquet")).unwrap());
    assert_eq!(one, two);
}

#[test]
fn a_damaged_piece_is_fetched_again() {
    let server = Server::start(Box::new(|request| {
        if request.start > START { (500, String::new()) } else { (200, matrix(request, 0..0)) }
    }));
    let bench = Bench::new();
    error(&bench.import(&server.url, &[]));
    std::fs::write(&bench.pieces()[0], "{\"status\":\"succ").unwrap();
    error(&bench.import(&server.url, &[]));
    let starts: Vec<i64> = server.requests.lock().unwrap().iter().map(|request| request.start - START).collect();
    assert_eq!(starts, [0, 165_000, 0, 165_000]);
}

#[test]
fn what_the_server_says_is_passed_on_with_what_to_do() {
    let bad_data = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
    let cases: [(u16, &str, &str); 7] = [
        (400, bad_data, "status 400 (bad_data: parse error: unexpected end); correct --query"),
        (401, "<html>", "status 401; give a token"),
        (404, "", "status 404; check that --url"),
        (302, "", "leads to: /elsewhere"),
        (200, "<html>", "not an answer of Prometheus"),
        (200, bad_data, "Prometheus says bad_data"),
        (200, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "the answer holds no value"),
    ];
    for (status, body, expected) in cases {
        let server = Server::start(Box::new(move |_| (status, body.to_owned())));
        let bench = Bench::new();
        let message = error(&bench.import(&server.url, &[]));
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(!bench.path("x.parquet").exists());
    }
}

#[test]
fn refuses_an_endless_answer_and_a_server_that_is_not_there() {
    let server = Server::start(Box::new(|_| (200, " ".repeat((64 << 20) + 1))));
    let message = error(&Bench::new().import(&server.url, &[]));
    assert!(message.contains("larger than 64 MiB; aggregate"), "{message}");
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let message = error(&Bench::new().import(&format!("http://{address}"), &[]));
    assert!(message.contains("check --url and that the server runs"), "{message}");
}

#[test]
fn refuses_impossible_requests_before_asking() {
    let bench = Bench::new();
    let server = Server::start(Box::new(|request| (200, matrix(request, 0..0))));
    let ask = |from: &str, to: &str, more: &[&str]| {
        let fixed = ["--url", &server.url, "--query", "up", "--step", "15s", "--from", from, "--to", to];
        error(&bench.seatrial(&[&fixed, more].concat()))
    };
    assert!(ask("2026-01-02", "2026-01-01", &[]).contains("--from is later than --to"));
    assert!(ask("2026-01-02", "2999-01-01", &[]).contains("--to has not come yet"));
    assert!(ask("2026-01-02T00:00:00.0001Z", "2026-01-03", &[]).contains("finer than a millisecond"));
    assert!(ask("0001-01-01", "2026-01-01", &[]).contains("steps; correct --from"));
    let empty = bench.write("empty", "\n");
    assert!(ask("2026-01-01", "2026-01-02", &["--token-file", &empty]).contains("holds no token"));
    let (https, span) = ("https://127.0.0.1:1", ["--from", "2026-01-01", "--to", "2026-01-02", "--step", "15s"]);
    let no_pem = bench.write("ca", "nothing");
    let message =
        error(&bench.seatrial(&[&["--url", https, "--query", "up", "--ca-file", &no_pem], &span[..]].concat()));
    assert!(message.contains("holds no certificate"), "{message}");
    assert!(error(&bench.seatrial(&["--url", &server.url])).contains("--query"));
    assert!(error(&bench.seatrial(&[])).contains("--url <URL>|--dump"));
    assert_eq!(server.count(), 0);
}

#[test]
fn a_saved_answer_becomes_the_trace_that_the_server_gives() {
    let bench = Bench::new();
    let request = Request { path: String::new(), authorization: None, start: START, end: START + 600, step: 60 };
    let dump = bench.write("dump.json", &matrix(&request, START + 120..START + 180));
    let output = bench.seatrial(&["--dump", &dump, "--series", "app"]);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && notes.contains("interval: 60 s"), "{notes}");
    let trace = read_trace(&bench.path("x.parquet")).unwrap();
    let web = trace.series(Some("web")).unwrap();
    assert_eq!((web.values[0], web.missing_count(), web.values.len()), (36_000.0, 1, 11));
    assert_eq!(trace.provenance.source.as_deref(), Some("dump.json"));
    let hash = blake3::hash(&std::fs::read(&dump).unwrap()).to_hex().to_string();
    assert_eq!(trace.provenance.more["source_blake3"], hash);

    let again = bench.seatrial(&["--dump", &dump, "--series", "app"]);
    assert!(String::from_utf8(again.stdout).unwrap().starts_with("unchanged"));
    let broken = bench.write("broken.json", "{");
    assert!(error(&bench.seatrial(&["--dump", &broken, "--force"])).contains("not an answer of Prometheus"));
    assert!(error(&bench.seatrial(&["--dump", &dump, "--series", "pod", "--force"])).contains("has no label `pod`"));
    assert!(error(&bench.seatrial(&["--dump", &dump, "--query", "up"])).contains("cannot be used with"));
}
