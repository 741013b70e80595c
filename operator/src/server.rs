//! The operator's own HTTP server: `/metrics`, `/healthz`, `/readyz`.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::telemetry::Shared;

/// Serves on `address` until `stop` turns true; answers with the address that is listened on.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn start(
    address: SocketAddr,
    telemetry: Shared,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let routes = routes(telemetry);
    tokio::spawn(async move {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "the server of health and metrics ended");
        }
    });
    Ok(address)
}

fn routes(telemetry: Shared) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(telemetry)
}

async fn metrics(State(telemetry): State<Shared>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], telemetry.text()).into_response()
}

async fn healthz(State(telemetry): State<Shared>) -> (StatusCode, &'static str) {
    if telemetry.is_alive(Clock::wall()) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::INTERNAL_SERVER_ERROR, "the loop is stuck")
    }
}

async fn readyz(State(telemetry): State<Shared>) -> (StatusCode, &'static str) {
    match telemetry.not_ready(Clock::wall()) {
        None => (StatusCode::OK, "ok"),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::{STUCK_AFTER, Telemetry};
    use seatrial_core::control::work_queue::WorkQueue;
    use seatrial_core::time::{Span, Timestamp};

    #[test]
    fn health_and_readiness_can_fail() {
        let telemetry = Telemetry::new();
        let at = Timestamp::from_secs(1_000);
        assert!(telemetry.is_alive(at) && telemetry.not_ready(at).is_some(), "alive, but nothing is listed");
        let queue = WorkQueue::new(Span::from_secs(10));
        telemetry.watch_queue(&queue, true, true, at);
        assert_eq!(telemetry.not_ready(at), None);
        assert!(!telemetry.is_alive(at + STUCK_AFTER) && telemetry.not_ready(at + STUCK_AFTER).is_some());
    }

    #[test]
    fn names_are_those_that_dashboards_know() {
        let telemetry = Telemetry::new();
        telemetry.watch_queue(&WorkQueue::new(Span::from_secs(10)), true, true, Timestamp::from_secs(1));
        telemetry.queue_wait(Span::from_millis(3));
        telemetry.cycle(Span::from_millis(3));
        telemetry.answered(&crate::reconcile::conversation::Reply::Written(Ok(())));
        telemetry.count_log(&crate::decision_log::DecisionLog::off());
        let text = telemetry.text();
        for name in [
            "controller_runtime_reconcile_total{",
            "controller_runtime_reconcile_time_seconds_bucket{",
            "workqueue_depth{",
            "workqueue_adds_total{",
            "workqueue_queue_duration_seconds_bucket{",
            "leader_election_master_status 1",
            "seatrial_decision_log_rows_total 0",
        ] {
            assert!(text.contains(name), "{name} is not in\n{text}");
        }
    }
}
