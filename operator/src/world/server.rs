//! The world's HTTP server: `/metrics` asks the world for its present, `/healthz` says that it lives.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::exposition::CONTENT_TYPE;

/// Where a scrape waits for its text; `None` while the pods are not known.
pub(crate) type Answer = oneshot::Sender<Option<String>>;

/// Serves until `stop` turns true.
pub(crate) async fn serve(listener: TcpListener, world: mpsc::Sender<Answer>, mut stop: watch::Receiver<bool>) {
    let routes = Router::new().route("/metrics", get(metrics)).route("/healthz", get(async || "ok")).with_state(world);
    let stopped = async move { stopped(&mut stop).await };
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the world's server ended");
    }
}

/// Waits until `stop` turns true, or nobody is left who could turn it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn metrics(State(world): State<mpsc::Sender<Answer>>) -> Response {
    let (sender, answer) = oneshot::channel();
    let asked = world.send(sender).await.is_ok();
    match answer.await {
        Ok(Some(text)) if asked => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "the pods are not known yet").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the world is over").into_response(),
    }
}
