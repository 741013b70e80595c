//! What the client does with each kind of misbehaviour.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::prometheus::{Grid, Instant};
use seatrial_operator::prometheus::{Client, ClientConfig, Kind, PrometheusError};
use tokio::net::TcpListener;

use super::server::{Act, Server, answer, empty, success, vector};

const AT: Timestamp = Timestamp::from_micros(1_795_254_065_209_765);

/// Long enough for a busy machine, where nothing hangs.
fn config(url: &str) -> ClientConfig {
    ClientConfig { timeout: Duration::from_secs(60), ..ClientConfig::new(url) }
}

async fn ask(config: ClientConfig) -> Result<Instant, PrometheusError> {
    Client::new(config).unwrap().query("up", AT).await
}

#[tokio::test]
async fn asks_as_prometheus_wants_to_be_asked() {
    let server = Server::always(200, &vector("1.5")).await;
    let client = Client::new(config(&format!("{}/prefix/", server.url))).unwrap();
    let long = format!("sum(up{{a=~\"é+&=%\"}}) {}", "or vector(0) ".repeat(2_000));
    let got = client.query(&long, AT).await.unwrap();
    assert!(matches!(&got, Instant::Vector(series) if series[0].point.value == 1.5), "{got:?}");
    let seen = server.last();
    assert_eq!(seen.line, "POST /prefix/api/v1/query HTTP/1.1");
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    assert!(!seen.headers.contains_key("authorization"));
    assert_eq!((seen.form["query"].as_str(), seen.form["time"].as_str()), (long.as_str(), "1795254065.209"));
}

#[tokio::test]
async fn ranges_are_asked_by_start_end_and_step() {
    let server = Server::always(200, &success(r#"{"resultType":"matrix","result":[]}"#)).await;
    let client = Client::new(config(&server.url)).unwrap();
    let grid = Grid::between(AT, AT + Span::from_secs(31), Span::from_secs(15));
    assert!(client.query_range("up", &grid).await.unwrap().series.is_empty());
    let form = server.last().form;
    assert_eq!((&*form["start"], &*form["end"], &*form["step"]), ("1795254065.209", "1795254095.209", "15.000"));
    let nothing = Grid::between(AT, AT - Span::from_secs(1), Span::from_secs(15));
    assert!(client.query_range("up", &nothing).await.unwrap().series.is_empty());
    assert_eq!(server.requests(), 1, "an empty range is not asked");
}

#[tokio::test]
async fn every_status_has_its_class_and_is_asked_once() {
    let parse_error =
        r#"{"status":"error","errorType":"bad_data","error":"1:6: parse error: unclosed left parenthesis"}"#;
    let execution = r#"{"status":"error","errorType":"execution","error":"found duplicate series"}"#;
    let busy = r#"{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}"#;
    for (status, body, kind, part) in [
        (400, parse_error, Kind::QueryRefused, "unclosed left parenthesis"),
        (422, execution, Kind::QueryRefused, "found duplicate series"),
        (200, parse_error, Kind::QueryRefused, "unclosed left parenthesis"),
        (400, "what?", Kind::NotPrometheus, "HTTP 400"),
        (401, "", Kind::Denied, "HTTP 401"),
        (403, "<html>", Kind::Denied, "tokenFile"),
        (404, "404 page not found\n", Kind::NotPrometheus, "base address"),
        (429, "slow down", Kind::Unavailable, "HTTP 429"),
        (500, "panic", Kind::Unavailable, "no reason given"),
        (503, busy, Kind::Unavailable, "query timed out"),
        (200, "<html>log in</html>", Kind::NotPrometheus, "line 1"),
        (200, r#"{"status":"success","data":{"resultType":"vec"#, Kind::NotPrometheus, "EOF"),
        (204, "", Kind::NotPrometheus, "EOF"),
    ] {
        let server = Server::always(status, body).await;
        let error = ask(config(&server.url)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert!(error.to_string().contains(part), "{status} {body}: {error}");
        assert_eq!(server.requests(), 1, "{status}: no retry");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::always(200, &vector("1")).await;
    for status in [301, 302, 307, 308] {
        let location = format!("{}/api/v1/query", elsewhere.url);
        let head = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let server = Server::start(move |_, _| Act::Bytes(head.clone().into_bytes())).await;
        let error = ask(config(&server.url)).await.unwrap_err();
        assert!(error.kind() == Kind::NotPrometheus && error.to_string().contains("redirect"), "{error}");
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn broken_connections_are_errors_and_not_retried() {
    for (bytes, what) in [
        (&b""[..], "closed before an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"status\"", "closed in the body"),
        (b"HTTP/1.1 200 OK\r\nContent-", "closed in the head"),
        (b"220 smtp.example.com ESMTP\r\n", "another protocol"),
        (b"\x16\x03\x01\x00\x00", "TLS where none was asked for"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a bad chunk"),
    ] {
        let server = Server::start(move |_, _| Act::Bytes(bytes.to_vec())).await;
        let error = ask(config(&server.url)).await.unwrap_err();
        assert!(matches!(error, PrometheusError::Unreachable { .. }), "{what}: {error}");
        assert_eq!(server.requests(), 1, "{what}");
    }
    let endless_head = [&b"HTTP/1.1 200 OK\r\nX: "[..], &vec![b'a'; 1 << 20]].concat();
    let server = Server::start(move |_, _| Act::Bytes(endless_head.clone())).await;
    assert!(matches!(ask(config(&server.url)).await.unwrap_err(), PrometheusError::Unreachable { .. }));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ask(config(&url)).await.unwrap_err();
    assert!(matches!(&error, PrometheusError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&url) && error.to_string().contains("refused"), "{error}");
    let error = ask(config("http://no-such-host.invalid:9090")).await.unwrap_err();
    assert!(error.to_string().contains("dns error"), "{error}");
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_time_out() {
    let half = answer(200, &vector("1"));
    for bytes in ["".to_owned(), half[..20].to_owned(), half[..half.len() - 5].to_owned()] {
        let server = Server::start(move |_, _| Act::Hang(bytes.clone().into_bytes())).await;
        let hasty = ClientConfig { timeout: Duration::from_millis(100), ..ClientConfig::new(&server.url) };
        let error = ask(hasty).await.unwrap_err();
        assert_eq!(error, PrometheusError::TimedOut { url: server.url.clone(), limit_ms: 100 });
        assert_eq!((error.kind(), server.requests()), (Kind::Unavailable, 1));
    }
}

#[tokio::test]
async fn waiting_for_a_turn_counts_against_the_time() {
    let server = Server::start(|_, _| Act::Hang(Vec::new())).await;
    let config = ClientConfig { timeout: Duration::from_millis(100), concurrency: 1, ..ClientConfig::new(&server.url) };
    let client = Client::new(config).unwrap();
    let all = futures_util::future::join_all((0..20).map(|_| client.query("up", AT))).await;
    assert!(all.iter().all(|answer| matches!(answer, Err(PrometheusError::TimedOut { .. }))), "{all:?}");
    // The first one's turn may be handed on in the moment in which it ends.
    assert!(server.requests() <= 2, "{} requests reached a server that hangs", server.requests());
}

#[tokio::test]
async fn large_answers_are_cut_off_whether_announced_or_not() {
    const LIMIT: usize = 256 * 1024;
    const MOST_IN_FLIGHT: usize = 16 << 20;
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n".to_owned(),
        "HTTP/1.1 500 OK\r\nContent-Length: 10485760\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        let sent = head.clone();
        let server = Server::start(move |_, _| Act::Endless(sent.clone())).await;
        let error = ask(ClientConfig { answer_limit_bytes: LIMIT, ..config(&server.url) }).await.unwrap_err();
        assert_eq!(error, PrometheusError::TooLarge { url: server.url.clone(), limit_bytes: LIMIT }, "{head}");
        // The server notices that nobody reads: what it wrote is what the client read and the sockets' buffers hold.
        let _cut = server.cut_off.acquire().await.unwrap();
        let written = server.written.load(Ordering::Relaxed);
        assert!(written < LIMIT + MOST_IN_FLIGHT, "{head}: {written} bytes were taken");
        assert_eq!(server.requests(), 1);
    }
    let fitting = vector(&format!("{}1", "0".repeat(LIMIT / 2)));
    let server = Server::always(200, &fitting).await;
    assert!(ask(ClientConfig { answer_limit_bytes: LIMIT, ..config(&server.url) }).await.is_ok());
}

#[tokio::test]
async fn no_more_requests_at_a_time_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let barrier = Arc::new(tokio::sync::Barrier::new(3));
    let (in_flight, greatest) = (now.clone(), most.clone());
    let handler = move || {
        let (now, most, barrier) = (in_flight.clone(), greatest.clone(), barrier.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Three at a time or nobody comes through.
            barrier.wait().await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            empty()
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/api/v1/query", axum::routing::post(handler));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(ClientConfig { concurrency: 3, ..config(&url) }).unwrap();
    let all = futures_util::future::join_all((0..12).map(|_| client.query("up", AT))).await;
    assert!(all.iter().all(|answer| answer == &Ok(Instant::Vector(Vec::new()))), "{all:?}");
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_rotated_token_is_in_force_at_once() {
    let server = Server::start(|_, seen| match seen.headers.get("authorization").map(String::as_str) {
        Some("Bearer second") => Act::Answer(200, vector("1")),
        _ => Act::Answer(401, String::new()),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("token"), folder.path().join("next"));
    fs::write(&path, "first\n").unwrap();
    let config = ClientConfig {
        token_file: Some(path.clone()),
        credentials_folder: Some(folder.path().to_owned()),
        ..config(&server.url)
    };
    let client = Client::new(config).unwrap();
    let error = client.query("up", AT).await.unwrap_err();
    assert_eq!(error, PrometheusError::Denied { url: server.url.clone(), status: 401 });
    assert!(!format!("{error} {error:?} {client:?}").contains("first"));
    fs::write(&next, "second\n").unwrap();
    fs::rename(&next, &path).unwrap();
    assert!(client.query("up", AT).await.is_ok());
    fs::remove_file(&path).unwrap();
    let error = client.query("up", AT).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured, "{error}");
    assert_eq!(server.requests(), 2, "without its token nothing is sent");
}

#[tokio::test]
async fn a_server_that_comes_back_is_reached_again() {
    let server = Server::start(|number, _| match number {
        0 => Act::Answer(200, vector("1")),
        1 => Act::Bytes(Vec::new()),
        _ => Act::Answer(200, vector("2")),
    })
    .await;
    let client = Client::new(config(&server.url)).unwrap();
    assert!(client.query("up", AT).await.is_ok());
    assert_eq!(client.query("up", AT).await.unwrap_err().kind(), Kind::Unavailable);
    assert!(client.query("up", AT).await.is_ok());
    assert_eq!(server.requests(), 3);
}
