//! The default queries read back the gym's features from what the demo world exposes.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]

use std::collections::BTreeMap;

use seatrial_core::observe::{FEATURE_COUNT, Feature, Metrics};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::load::{EpisodeLoad, Traffic};
use seatrial_envs::rehearsal::replay_features;
use seatrial_envs::scenario::Scenario;
use seatrial_operator::queries::DEFAULT_QUERIES;
use seatrial_operator::reconcile::Pace;
use seatrial_operator::world::exposition::{self, Labels, Sizes};
use seatrial_operator::world::fleet::{Fleet, PodKey};
use seatrial_operator::world::stage::{Rhythm, Stage};

const START: Timestamp = Timestamp::from_secs(86_400);
const WALL: Timestamp = Timestamp::from_secs(1_800_000_000);
const SIZES: Sizes = Sizes {
    resident_bytes: Some(64 << 20),
    virtual_bytes: Some(256 << 20),
    request_bytes: None,
    response_bytes: Some(2_000),
};

fn load(rate: f64) -> EpisodeLoad {
    EpisodeLoad::new(START, Span::from_secs(60), vec![rate; 10], vec![rate; 30]).unwrap()
}

fn four_pods() -> Fleet {
    (0..4).map(|pod| (PodKey { name: format!("web-5d9c7b6f4-abcd{pod}"), uid: "1".into() }, true)).collect()
}

/// Samples of a page by their names and labels.
type Page = BTreeMap<String, f64>;

/// Reads a page and checks its grammar: each sample belongs to the family that was announced last.
fn read(text: &str) -> Page {
    let (mut page, mut family) = (Page::new(), "");
    for line in text.lines() {
        if let Some(announced) = line.strip_prefix("# TYPE ") {
            family = announced.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let suffix = name[..name.find('{').unwrap()].strip_prefix(family).unwrap();
            assert!(["", "_bucket", "_sum", "_count"].contains(&suffix), "{line}");
            assert!(page.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
        }
    }
    page
}

fn sum(page: &Page, name: &str, label: &str) -> Option<f64> {
    let wanted = |key: &&String| {
        let pod = key.contains("namespace=\"shop\",pod=\"web-5d9c7b6f4-abcd");
        key.split('{').next() == Some(name) && pod && key.contains(label)
    };
    let values: Vec<f64> = page.keys().filter(wanted).map(|key| page[key]).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// What the default queries mean, on two pages that are `seconds` apart.
fn evaluate(before: &Page, after: &Page, seconds: f64) -> [Option<f64>; FEATURE_COUNT] {
    let rate = |name: &str, label: &str| Some((sum(after, name, label)? - sum(before, name, label)?) / seconds);
    let mut values = [None; FEATURE_COUNT];
    let mut put = |feature: Feature, value| values[feature as usize] = value;
    put(Feature::ProcessCpuSecondsTotalRate, rate("process_cpu_seconds_total", ""));
    put(Feature::ProcessResidentMemoryBytes, sum(after, "process_resident_memory_bytes", ""));
    put(Feature::ProcessVirtualMemoryBytes, sum(after, "process_virtual_memory_bytes", ""));
    put(Feature::HttpRequestDurationSecondsSumRate, rate("http_request_duration_seconds_sum", ""));
    put(Feature::HttpRequestsTotalRate, rate("http_requests_total", ""));
    put(Feature::HttpRequestDurationSecondsCountRate, rate("http_request_duration_seconds_count", ""));
    put(Feature::ProcessOpenFds, sum(after, "process_open_fds", ""));
    put(Feature::HttpResponseSizeBytesSumRate, rate("http_response_size_bytes_sum", ""));
    put(Feature::HttpRequestSizeBytesCountRate, rate("http_request_size_bytes_count", ""));
    let good = rate("http_request_duration_seconds_bucket", "le=\"0.12\"").unwrap();
    let all = rate("http_requests_total", "").unwrap();
    put(Feature::BadRequestRatio, (all > 0.0).then(|| (1.0 - good / all).max(0.0)));
    values
}

/// The features of the `slot`-th slot of four pods under `rate`, read from two scrapes, and those of the gym.
fn both(rate: f64, pace: i64, slot: usize) -> ([Option<f64>; FEATURE_COUNT], Metrics) {
    let (p1, load) = (Scenario::protocol_p1(), load(rate));
    let traffic = Traffic::new(&p1, &load, 7).unwrap();
    let mut stage = Stage::new(&p1, &traffic, Rhythm { pace: Pace(pace), lag: Span::ZERO }).unwrap();
    stage.tell(WALL, four_pods());
    stage.scrape(WALL);
    let interval = Span::from_secs(15) / pace;
    let labels = Labels { namespace: "shop", objective_s: 0.12 };
    let mut page = |slots: usize| {
        stage.scrape(WALL + interval * i64::try_from(slots).unwrap());
        read(&exposition::text(&stage, &labels, &SIZES))
    };
    let (before, after) = (page(slot), page(slot + 1));
    let gym = replay_features(&p1, &load, 7, &[(START, 4)]).unwrap();
    (evaluate(&before, &after, interval.as_secs_f64()), gym[slot].1)
}

#[test]
fn constant_load_on_four_pods_reads_as_in_the_gym() {
    for (rate, bad) in [(60.0, 0.0..0.001), (160.0, 0.001..0.2), (194.0, 0.2..0.9), (260.0, 1.0..1.1)] {
        for (pace, slot) in [(1, 2), (15, 3), (15, 20)] {
            let (read, gym) = both(rate, pace, slot);
            for feature in [
                Feature::ProcessCpuSecondsTotalRate,
                Feature::HttpRequestDurationSecondsSumRate,
                Feature::HttpRequestsTotalRate,
                Feature::HttpRequestDurationSecondsCountRate,
                Feature::BadRequestRatio,
            ] {
                let (read, gym) = (read[feature as usize].unwrap(), gym.get(feature).unwrap().value);
                assert!((read - gym).abs() <= 0.01 * gym + 1e-9, "{feature:?} at {rate}/s, ×{pace}: {read} {gym}");
            }
            let ratio = gym.get(Feature::BadRequestRatio).unwrap().value;
            assert!(bad.contains(&ratio), "the case is what it should be: {ratio} at {rate}/s");
        }
    }
}

/// The gym knows nothing of these; they follow from the five that it knows, or from what the user said.
#[test]
fn the_other_features_follow_from_what_is_known() {
    let (read, gym) = both(160.0, 15, 3);
    let of = |feature: Feature| read[feature as usize].unwrap();
    let completed = gym.get(Feature::HttpRequestDurationSecondsCountRate).unwrap().value;
    let in_progress = gym.get(Feature::HttpRequestDurationSecondsSumRate).unwrap().value;
    for (feature, expected) in [
        (Feature::ProcessResidentMemoryBytes, 4.0 * 67_108_864.0),
        (Feature::ProcessVirtualMemoryBytes, 4.0 * 268_435_456.0),
        (Feature::ProcessOpenFds, in_progress),
        (Feature::HttpResponseSizeBytesSumRate, 2_000.0 * completed),
        (Feature::HttpRequestSizeBytesCountRate, completed),
    ] {
        assert!((of(feature) / expected - 1.0).abs() < 0.01, "{feature:?}: {} {expected}", of(feature));
        assert_eq!(gym.get(feature), None, "{feature:?}");
    }
}

#[test]
fn what_nobody_said_is_not_shown() {
    let (p1, load) = (Scenario::protocol_p1(), load(100.0));
    let traffic = Traffic::new(&p1, &load, 7).unwrap();
    let mut stage = Stage::new(&p1, &traffic, Rhythm { pace: Pace(1), lag: Span::ZERO }).unwrap();
    stage.tell(WALL, four_pods());
    stage.scrape(WALL);
    stage.scrape(WALL + Span::from_secs(20));
    let text = exposition::text(&stage, &Labels { namespace: "shop", objective_s: 0.12 }, &Sizes::default());
    for name in ["process_resident_memory_bytes", "process_virtual_memory_bytes", "_size_bytes_sum"] {
        assert!(!text.contains(name), "{name}");
    }
    assert_eq!(text.matches("pod=").count(), 4 * 9, "{text}");
    assert!(text.contains("seatrial_world_unrouted_requests_total{namespace=\"shop\"} 0\n"));
    assert!(text.ends_with('\n') && text.contains(",le=\"+Inf\"} "));
}

/// `evaluate` is written by hand: each metric that it reads must be one that a default query names.
#[test]
fn every_default_query_finds_its_metric() {
    let (p1, load) = (Scenario::protocol_p1(), load(100.0));
    let traffic = Traffic::new(&p1, &load, 7).unwrap();
    let mut stage = Stage::new(&p1, &traffic, Rhythm { pace: Pace(1), lag: Span::ZERO }).unwrap();
    stage.tell(WALL, four_pods());
    let page = read(&exposition::text(&stage, &Labels { namespace: "shop", objective_s: 0.12 }, &SIZES));
    for (name, query) in DEFAULT_QUERIES {
        let named: Vec<&str> = query
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("http_") || word.starts_with("process_"))
            .collect();
        assert!(!named.is_empty(), "{name}");
        for metric in named {
            assert!(sum(&page, metric, "").is_some(), "{name}: {metric} is not exposed");
        }
    }
}
