//! A Prometheus that knows one workload's load, and can be told to misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use seatrial_operator::clock::Clock;
use tokio::net::TcpListener;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Normal,
    /// Features are NaN.
    NotANumber,
    /// Features have two series.
    Two,
    /// Nothing has an answer.
    Empty,
    /// Sample times lie a minute ahead.
    Future,
    /// Sample times lie an hour back.
    Stale,
    /// 10 MB without end in sight.
    Huge,
    /// Answers after a minute.
    Slow,
    /// Asks for credentials.
    Denied,
    /// 400, as for PromQL that cannot be parsed.
    BadQuery,
    /// A page of something else.
    Garbage,
    /// 503.
    Failing,
    /// Breaks the connection off.
    Down,
}

struct Shared {
    mode: Mutex<Mode>,
    rate: Mutex<f64>,
    sample_times: AtomicUsize,
    features: AtomicUsize,
    histories: AtomicUsize,
}

/// See the module. Ends with the runtime that it was started in.
#[derive(Clone)]
pub(crate) struct Prometheus {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one whose workload gets `rate` requests per second.
    pub(crate) async fn start(rate: f64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            mode: Mutex::new(Mode::Normal),
            rate: Mutex::new(rate),
            sample_times: AtomicUsize::new(0),
            features: AtomicUsize::new(0),
            histories: AtomicUsize::new(0),
        });
        let routes = Router::new().fallback(serve).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { shared, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    pub(crate) fn load(&self, rate: f64) {
        *self.shared.rate.lock().unwrap() = rate;
    }

    /// Questions for the sample time.
    pub(crate) fn sample_times(&self) -> usize {
        self.shared.sample_times.load(Ordering::Relaxed)
    }

    /// Times that all features were read: as many as there were decisions on metrics.
    pub(crate) fn reads(&self) -> usize {
        self.shared.features.load(Ordering::Relaxed)
    }

    /// Range queries.
    pub(crate) fn histories(&self) -> usize {
        self.shared.histories.load(Ordering::Relaxed)
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: axum::extract::Request) -> Response<Body> {
    let range = request.uri().path().ends_with("query_range");
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let form = decode_form(&body);
    let query = form.get("query").cloned().unwrap_or_default();
    let is_time = query.starts_with("max(timestamp(");
    if range {
        shared.histories.fetch_add(1, Ordering::Relaxed);
    } else if is_time {
        shared.sample_times.fetch_add(1, Ordering::Relaxed);
    } else if query.contains("process_open_fds") {
        shared.features.fetch_add(1, Ordering::Relaxed);
    }
    let mode = *shared.mode.lock().unwrap();
    let text = |code: u16, text: &str| (StatusCode::from_u16(code).unwrap(), text.to_owned()).into_response();
    match mode {
        Mode::Denied => return text(401, "who are you?"),
        Mode::BadQuery => return text(400, r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#),
        Mode::Garbage => return text(200, "<html>welcome</html>"),
        Mode::Failing => return text(503, "later"),
        Mode::Huge => return text(200, &" ".repeat(10_000_000)),
        Mode::Slow => tokio::time::sleep(Duration::from_secs(60)).await,
        Mode::Down => {
            let broken = futures_util::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("down"))]);
            return Response::new(Body::from_stream(broken));
        }
        _ => {}
    }
    let rate = *shared.rate.lock().unwrap();
    if range {
        return text(200, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#);
    }
    text(200, &vector(&if is_time { sample_time(mode) } else { feature(mode, &query, rate) }))
}

/// Scrapes come at whole seconds.
fn sample_time(mode: Mode) -> Vec<String> {
    let now = Clock::wall().micros().div_euclid(1_000_000);
    match mode {
        Mode::Empty => Vec::new(),
        Mode::Future => vec![(now + 60).to_string()],
        Mode::Stale => vec![(now - 3_600).to_string()],
        _ => vec![now.to_string()],
    }
}

/// 80 ms of CPU for a request, all of them good.
fn feature(mode: Mode, query: &str, rate: f64) -> Vec<String> {
    let value = match query {
        query if query.contains("_bucket") => 0.0,
        query if query.contains("process_cpu_seconds") => rate * 0.08,
        query if query.contains("memory_bytes") => 1e8,
        query if query.contains("open_fds") => 12.0,
        query if query.contains("duration_seconds_sum") => rate * 0.05,
        _ => rate,
    };
    match mode {
        Mode::Empty => Vec::new(),
        Mode::NotANumber => vec!["NaN".to_owned()],
        Mode::Two => vec![value.to_string(), value.to_string()],
        _ => vec![value.to_string()],
    }
}

fn vector(values: &[String]) -> String {
    let at = Clock::wall().micros().div_euclid(1_000_000);
    let series =
        |(index, value): (usize, &String)| format!(r#"{{"metric":{{"i":"{index}"}},"value":[{at},"{value}"]}}"#);
    let series: Vec<String> = values.iter().enumerate().map(series).collect();
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#, series.join(","))
}

/// `application/x-www-form-urlencoded`.
fn decode_form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect()
}

fn decode(value: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), value.bytes());
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                bytes.push(u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
