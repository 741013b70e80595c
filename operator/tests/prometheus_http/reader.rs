//! What the reader asks, how often, and what it makes of it.

use std::time::Duration;

use seatrial_core::observe::Feature;
use seatrial_core::time::{Span, Timestamp};
use seatrial_operator::prometheus::{Asked, Client, ClientConfig, Kind, PrometheusError, Reader, ReaderSettings};
use seatrial_operator::queries::FEATURES;
use seatrial_operator::scaling_policy::Queries;

use super::server::{Act, Seen, Server, empty, success, vector};

const SAMPLE: Timestamp = Timestamp::from_micros(1_795_254_064_904_000);
const NOW: Timestamp = Timestamp::from_micros(1_795_254_065_209_765);

fn settings() -> ReaderSettings {
    let spec = serde_json::json!({
        "targetRef": { "name": "web" }, "maxReplicas": 9, "metrics": { "url": "http://unused" },
    });
    ReaderSettings::of(&serde_json::from_value(spec).unwrap(), "shop")
}

fn reader(server: &Server, settings: &ReaderSettings) -> Reader {
    let config = ClientConfig { timeout: Duration::from_secs(60), ..ClientConfig::new(&server.url) };
    Reader::new(Client::new(config).unwrap(), settings).unwrap()
}

fn asks_sample_time(seen: &Seen) -> bool {
    seen.form["query"].starts_with("max(timestamp(")
}

/// A server whose newest sample is `sample`, and whose features are as `feature` says.
async fn prometheus(sample: &str, feature: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Server {
    let sample = vector(sample);
    Server::start(move |_, seen| if asks_sample_time(seen) { Act::Answer(200, sample.clone()) } else { feature(seen) })
        .await
}

#[tokio::test]
async fn reads_ten_features_of_one_moment() {
    let server = prometheus("1795254064.904", |_| Act::Answer(200, vector("3.25"))).await;
    let read = reader(&server, &settings()).read_metrics(NOW).await;
    assert_eq!((read.sample_at, &*read.problems), (Some(SAMPLE), &[][..]));
    for (feature, name) in FEATURES {
        let sample = read.metrics.get(feature).unwrap();
        assert_eq!((sample.at, sample.value), (SAMPLE, 3.25), "{name}");
    }
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 11);
    assert!(seen.iter().all(|seen| seen.form["time"] == "1795254065.209"), "all at the same moment");
    let cpu = r#"sum(irate(process_cpu_seconds_total{namespace="shop",pod=~"web-[0-9a-z]{1,10}-[0-9a-z]{5}"}[30s]))"#;
    assert!(seen.iter().any(|seen| seen.form["query"] == cpu), "{seen:?}");
    assert!(seen.iter().any(|seen| seen.form["query"].contains(r#"le=~"0.12([.]0)?""#)), "{seen:?}");
}

#[tokio::test]
async fn is_not_evaluated_exactly_at_a_scrape() {
    let server = prometheus("1795254064.904", |_| Act::Answer(200, vector("1"))).await;
    let read = reader(&server, &settings()).read_features(SAMPLE + Span::from_secs(15), SAMPLE).await;
    assert!(read.problems.is_empty(), "{read:?}");
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 10);
    assert!(seen.iter().all(|seen| seen.form["time"] == "1795254079.905"), "{seen:?}");
}

#[tokio::test]
async fn without_a_fresh_sample_the_features_are_not_asked_for() {
    for (sample, known, kind) in [
        ("1795254019.000", Some(Timestamp::from_secs(1_795_254_019)), Some(Kind::Stale)),
        ("1795254066.300", None, Some(Kind::FutureSamples)),
        ("NaN", None, Some(Kind::NotOneNumber)),
    ] {
        let server = prometheus(sample, |_| Act::Answer(200, vector("1"))).await;
        let read = reader(&server, &settings()).read_metrics(NOW).await;
        let kinds: Vec<Option<Kind>> = read.problems.iter().map(|(_, problem)| Some(problem.kind())).collect();
        assert_eq!((read.sample_at, kinds), (known, vec![kind]), "{sample}");
        assert_eq!(read.problems[0].0, Asked::SampleTime);
        assert!(FEATURES.iter().all(|(feature, _)| read.metrics.get(*feature).is_none()), "{sample}");
        assert_eq!(server.requests(), 1, "{sample}");
    }
    let server = Server::always(200, &empty()).await;
    let read = reader(&server, &settings()).read_metrics(NOW).await;
    assert_eq!((read.sample_at, read.problems.len(), server.requests()), (None, 0, 1), "missing is no error");
}

#[tokio::test]
async fn an_answer_that_is_no_number_takes_only_its_feature() {
    let two = r#"{"metric":{"pod":"a"},"value":[1,"1"]},{"metric":{"pod":"b"},"value":[1,"2"]}"#;
    let two = success(&format!(r#"{{"resultType":"vector","result":[{two}]}}"#));
    let server = prometheus("1795254064.904", move |seen| {
        let query = &*seen.form["query"];
        match query {
            _ if query.contains("open_fds") => Act::Answer(200, empty()),
            _ if query.contains("resident") => Act::Answer(200, two.clone()),
            _ if query.contains("bucket") => Act::Answer(200, vector("NaN")),
            _ if query.contains("response_size") => {
                Act::Answer(400, r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.to_owned())
            }
            _ => Act::Answer(200, vector("7")),
        }
    })
    .await;
    let read = reader(&server, &settings()).read_metrics(NOW).await;
    assert!(read.metrics.get(Feature::HttpRequestsTotalRate).is_some());
    let known = FEATURES.iter().filter(|(feature, _)| read.metrics.get(*feature).is_some()).count();
    assert_eq!(known, 6);
    let problems: Vec<(Asked, Kind)> = read.problems.iter().map(|(asked, problem)| (*asked, problem.kind())).collect();
    assert_eq!(
        problems,
        [
            (Asked::Feature(Feature::ProcessResidentMemoryBytes), Kind::NotOneNumber),
            (Asked::Feature(Feature::HttpResponseSizeBytesSumRate), Kind::QueryRefused),
            (Asked::Feature(Feature::BadRequestRatio), Kind::NotOneNumber),
        ]
    );
    assert_eq!(server.requests(), 11);
}

#[tokio::test]
async fn a_server_that_fails_halfway_takes_everything() {
    let server = prometheus("1795254064.904", |seen| {
        if seen.form["query"].contains("open_fds") { Act::Bytes(Vec::new()) } else { Act::Answer(200, vector("7")) }
    })
    .await;
    let read = reader(&server, &settings()).read_metrics(NOW).await;
    assert!(FEATURES.iter().all(|(feature, _)| read.metrics.get(*feature).is_none()));
    assert_eq!((read.problems.len(), read.problems[0].1.kind()), (1, Kind::Unavailable), "{read:?}");
    assert_eq!(server.requests(), 11, "nothing is retried");
}

#[tokio::test]
async fn own_queries_are_used_and_too_long_ones_refused() {
    let server = Server::always(200, &vector("1795254064.904")).await;
    let mut own = settings();
    own.queries = Some(Queries { sample_time: Some("time() - $wait".to_owned()), ..Queries::default() });
    assert_eq!(reader(&server, &own).read_sample_time(NOW).await, Ok(Some(SAMPLE)));
    assert_eq!(server.last().form["query"], "time() - 0.12");
    own.queries = Some(Queries { process_open_fds: Some("$pods ".repeat(1 << 13)), ..Queries::default() });
    let client = Client::new(ClientConfig::new(&server.url)).unwrap();
    let (asked, error) = Reader::new(client, &own).unwrap_err();
    assert_eq!((asked, error.kind()), (Asked::Feature(Feature::ProcessOpenFds), Kind::QueryRefused));
}

/// Answers a range query as Prometheus does: refuses more than 11,000 steps, else the seconds since `SAMPLE`, with gaps.
fn range(seen: &Seen) -> Act {
    let number = |name: &str| seen.form[name].parse::<f64>().unwrap();
    let (start, end, step) = (number("start"), number("end"), number("step"));
    if (end - start) / step > 11_000.0 {
        let error =
            r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points"}"#;
        return Act::Answer(400, error.to_owned());
    }
    let steps = ((end - start) / step) as usize;
    let since = |i: usize| (start + i as f64 * step - 1_795_254_064.904).floor();
    let points: Vec<String> = (0..=steps)
        .filter(|i| since(*i) as i64 % 105 != 0)
        .map(|i| format!("[{:.3},\"{}\"]", start + i as f64 * step, since(i)))
        .collect();
    Act::Answer(
        200,
        success(&format!(r#"{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{}]}}]}}"#, points.join(","))),
    )
}

#[tokio::test]
async fn a_long_history_comes_in_pieces_that_prometheus_accepts() {
    let server = Server::start(|_, seen| range(seen)).await;
    let slot = Span::from_secs(15);
    let to = SAMPLE + slot * 24_999;
    let slots = reader(&server, &settings()).read_history(SAMPLE, to, slot).await.unwrap();
    assert_eq!((slots.len(), server.requests()), (25_000, 3));
    for (index, past) in slots.iter().enumerate() {
        let seconds = 15 * index as i64;
        assert_eq!((past.end, past.length), (SAMPLE + slot * index as i64, slot));
        // Evaluated half a second after the slot's end; the server rounds that down.
        let expected = (seconds % 105 != 0).then_some(seconds as f64);
        assert_eq!(past.arrival_rate, expected, "slot {index}");
    }
    assert_eq!(server.last().line, "POST /api/v1/query_range HTTP/1.1");
    assert!(server.last().form["query"].starts_with("sum(irate(http_requests_total{namespace=\"shop\""));
}

#[tokio::test]
async fn half_a_history_is_none() {
    let server =
        Server::start(|number, seen| if number == 1 { Act::Answer(503, String::new()) } else { range(seen) }).await;
    let slot = Span::from_secs(15);
    let error = reader(&server, &settings()).read_history(SAMPLE, SAMPLE + slot * 24_999, slot).await.unwrap_err();
    assert!(matches!(error, PrometheusError::Server { status: 503, .. }), "{error}");
    assert_eq!(server.requests(), 2);
}
