//! The demo world on pods that a real Deployment controller, scheduler and simulated nodes make.

use std::net::SocketAddr;
use std::time::Duration;

use seatrial_core::time::Span;
use seatrial_operator::reconcile::Pace;
use seatrial_operator::world::stage::Rhythm;
use seatrial_operator::world::{World, WorldSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::control_plane::ControlPlane;

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: default }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web }
      annotations: { pod-ready.stage.kwok.x-k8s.io/delay: 1s }
    spec: { containers: [ { name: web, image: "registry.invalid/web" } ] }
"#;

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Requests counted by each pod, by name; nothing while the pods are not known.
async fn counted(address: SocketAddr) -> Vec<(String, f64)> {
    let (status, page) = get(address, "/metrics").await;
    assert!(status == 200 || status == 503, "{status}: {page}");
    let of = |line: &str| {
        let rest = line.strip_prefix("http_requests_total{namespace=\"default\",pod=\"")?;
        let (pod, value) = rest.split_once("\"} ")?;
        Some((pod.to_owned(), value.parse().unwrap()))
    };
    page.lines().filter_map(of).collect()
}

/// Scrapes until `enough` holds.
async fn until(address: SocketAddr, what: &str, enough: impl Fn(&[(String, f64)]) -> bool) -> Vec<(String, f64)> {
    let mut poll = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..300 {
        poll.tick().await;
        let pods = counted(address).await;
        if enough(&pods) {
            return pods;
        }
    }
    panic!("{what}: not within 30 s, but {:?}", counted(address).await);
}

#[tokio::test]
async fn real_world_follows_the_pods_of_a_deployment() {
    let Some(plane) = ControlPlane::start("real_world", &["--with", "all", "--nodes", "1"]) else { return };
    let settings = WorldSettings {
        rhythm: Rhythm { pace: Pace(15), lag: Span::ZERO },
        ..WorldSettings::new("generated_web_1min", "default", "web")
    };
    let world = World::bind(settings).await.unwrap();
    let (address, (stop, stopped)) = (world.address(), watch::channel(false));
    let running = tokio::spawn(world.watch(plane.client().await, stopped));
    assert_eq!(get(address, "/healthz").await, (200, "ok".to_owned()));
    assert_eq!(get(address, "/metrics").await.0, 503, "the Deployment is not there yet");

    plane.apply(DEPLOYMENT).unwrap();
    let pods = until(address, "two pods are there", |pods| pods.len() == 2).await;
    assert!(
        pods.iter().all(|(name, requests)| name.starts_with("web-") && *requests == 0.0),
        "not ready yet: {pods:?}"
    );
    let two = until(address, "two pods serve", |pods| pods.len() == 2 && pods.iter().all(|pod| pod.1 > 0.0)).await;

    plane.kubectl(&["scale", "deployment/web", "--replicas=4"]);
    let four = until(address, "four pods serve", |pods| pods.len() == 4 && pods.iter().all(|pod| pod.1 > 0.0)).await;
    for (name, requests) in &two {
        assert!(
            four.iter().any(|(other, later)| other == name && later > requests),
            "{name}: {requests} then {four:?}"
        );
    }
    plane.kubectl(&["scale", "deployment/web", "--replicas=1"]);
    let one = until(address, "one pod is left", |pods| pods.len() == 1).await;
    assert!(four.iter().any(|(name, requests)| *name == one[0].0 && *requests <= one[0].1), "{one:?} of {four:?}");
    stop.send(true).unwrap();
    running.await.unwrap().unwrap();
}
