//! The demo world scraped by a real Prometheus, read with the operator's own reader and default queries.
//!
//! Runs where the program `prometheus` is installed; elsewhere it says on the terminal that it was skipped.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use seatrial_core::observe::{Feature, Metrics};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::load::EpisodeLoad;
use seatrial_envs::rehearsal::replay_features;
use seatrial_envs::scenario::Scenario;
use seatrial_operator::clock::Clock;
use seatrial_operator::prometheus::{Client, ClientConfig, Reader, ReaderSettings};
use seatrial_operator::reconcile::Pace;
use seatrial_operator::world::fleet::{Fleet, PodKey};
use seatrial_operator::world::stage::Rhythm;
use seatrial_operator::world::{World, WorldSettings, log};
use tokio::sync::{mpsc, watch};

const START: Timestamp = Timestamp::from_secs(86_400);
const PACE: i64 = 15;
const ENOUGH: usize = 8;

struct Prometheus(Child);

impl Prometheus {
    fn start(folder: &Path, world: SocketAddr, own: SocketAddr) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs:\n- {{ job_name: world, honor_labels: true, static_configs: [ {{ targets: ['{world}'] }} ] }}\n"
        );
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(folder.join("prometheus.log")).unwrap();
        let mut command = Command::new("prometheus");
        command.arg("--config.file").arg(file).arg("--storage.tsdb.path").arg(folder.join("data"));
        command.arg(format!("--web.listen-address={own}"));
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_installed() -> bool {
    let found =
        Command::new("prometheus").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        let text =
            "SKIPPED world_prometheus: there is no program `prometheus` in PATH; install the package `prometheus`\n";
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    found
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn reader(own: SocketAddr) -> Reader {
    let spec = serde_json::json!({
        "targetRef": { "name": "web" }, "maxReplicas": 9,
        "metrics": { "url": "http://unused", "scrapeIntervalSeconds": 1, "staleAfterSeconds": 3 },
    });
    let settings = ReaderSettings::of(&serde_json::from_value(spec).unwrap(), "shop");
    let client = Client::new(ClientConfig::new(format!("http://{own}"))).unwrap();
    Reader::new(client, &settings).unwrap()
}

/// The features after each of [`ENOUGH`] scrapes; the first scrapes are left out, in which counters begin.
async fn read_scrapes(reader: &Reader) -> Vec<(Timestamp, Metrics)> {
    let mut read: Vec<(Timestamp, Metrics)> = Vec::new();
    let mut poll = tokio::time::interval(Duration::from_millis(100));
    while read.len() < ENOUGH + 3 {
        poll.tick().await;
        let now = Clock::wall();
        // It answers with errors until it is up.
        let Ok(Some(at)) = reader.read_sample_time(now).await else { continue };
        if read.last().is_none_or(|(last, _)| *last < at) {
            let answer = reader.read_features(now, at).await;
            assert!(answer.problems.is_empty(), "{:?}", answer.problems);
            read.push((at, answer.metrics));
        }
    }
    read.split_off(3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test]
async fn the_operator_reads_the_gyms_features_through_a_real_prometheus() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("world.csv");
    let load = EpisodeLoad::new(START, Span::from_secs(60), vec![180.0; 60], vec![180.0; 30]).unwrap();
    let settings = WorldSettings {
        rhythm: Rhythm { pace: Pace(PACE), lag: Span::ZERO },
        log: Some(csv.clone()),
        ..WorldSettings::new("a constant", "shop", "web")
    };
    let world = World::with_load(settings, load.clone()).await.unwrap();
    let (tell, fleets) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let own = free_address();
    let _prometheus = Prometheus::start(folder.path(), world.address(), own);
    let world = tokio::spawn(world.run(fleets, stopped));
    let four: Fleet =
        (0..4).map(|pod| (PodKey { name: format!("web-5d9c7b6f4-abcd{pod}"), uid: "1".into() }, true)).collect();
    tell.send(four).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(60), read_scrapes(&reader(own))).await.unwrap();
    stop.send(true).unwrap();
    world.await.unwrap().unwrap();

    let entries = log::read(&std::fs::read_to_string(csv).unwrap()).unwrap();
    let (began, _) = log::origin(&entries).unwrap();
    let gym = replay_features(&Scenario::protocol_p1(), &load, 1, &log::ready_pods(&entries)).unwrap();
    for feature in [
        Feature::ProcessCpuSecondsTotalRate,
        Feature::HttpRequestDurationSecondsSumRate,
        Feature::HttpRequestsTotalRate,
        Feature::HttpRequestDurationSecondsCountRate,
        Feature::BadRequestRatio,
    ] {
        let errors = read.iter().map(|(at, metrics)| {
            let slots = at.since(began).as_secs_f64() * PACE as f64 / 15.0;
            let (_, same) = gym[slots.round() as usize - 1];
            let (read, gym) = (metrics.get(feature).unwrap().value, same.get(feature).unwrap().value);
            (read / gym - 1.0).abs()
        });
        let errors: Vec<f64> = errors.collect();
        assert!(median(errors.clone()) <= 0.02, "{feature:?}: {errors:?}");
    }
}
