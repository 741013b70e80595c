//! One request to the API server, with a time-out, a size limit, and a failure in typed parts (Retry-After included).
//!
//! kube's own calls hide the Retry-After header, on which the backoff rests, and its default retry would come on top of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use seatrial_core::control::error_class::{Failure, Transport, retry_after_of};
use seatrial_core::time::Span;
use serde::de::DeserializeOwned;

/// Most bytes of an answer: a ConfigMap is at most 1 MiB, and its bytes grow by a third in base64.
const ANSWER_LIMIT_BYTES: usize = 4 << 20;

/// The API server. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    client: Client,
    timeout: Duration,
    requests: Arc<AtomicU64>,
}

impl Api {
    /// Requests take at most `timeout`.
    #[must_use]
    pub fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, requests: Arc::default() }
    }

    /// The client, for watches and Events.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Longest time of a request.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Requests that were sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The object that the server answers with.
    ///
    /// # Errors
    /// In typed parts; see [`Failure`].
    pub async fn send<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T, Failure> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answered = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        let body = answered.unwrap_or(Err(Failure::transport(Transport::Timeout)))?;
        serde_json::from_slice(&body).map_err(|_| Failure::transport(Transport::Decode))
    }

    async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Vec<u8>, Failure> {
        let response = self.client.send(request.map(Body::from)).await.map_err(|error| of_error(&error))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = Limited::new(response.into_body(), ANSWER_LIMIT_BYTES).collect().await;
        let body = body.map(|body| body.to_bytes().to_vec());
        if status.is_success() {
            return body.map_err(|_| Failure::transport(Transport::Reset));
        }
        Err(of_answer(status.as_u16(), &body.unwrap_or_default()).with_retry_after(retry_after))
    }
}

/// A name from a spec as a part of a path. The schema allows any text; one with `/`, `..`, `?` or `%` would ask for another
/// object than the one that is named, so it names none.
///
/// # Errors
/// As the server answers for a name that does not exist.
pub fn segment(name: &str) -> Result<&str, Failure> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    if plain && !["", ".", ".."].contains(&name) { Ok(name) } else { Err(Failure::answered(404, "NotFound")) }
}

fn retry_after<B>(response: &Response<B>) -> Option<Span> {
    retry_after_of(response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?)
}

/// The failure of an answer: its `Status`, if the body is one.
fn of_answer(code: u16, body: &[u8]) -> Failure {
    serde_json::from_slice::<Status>(body)
        .map_or_else(|_| Failure::answered(code, ""), |status| of_status(code, &status))
}

fn of_status(code: u16, status: &Status) -> Failure {
    let failure = Failure::answered(code, &status.reason);
    let Some(details) = &status.details else { return failure };
    let wait = (details.retry_after_seconds > 0).then(|| Span::from_secs(i64::from(details.retry_after_seconds)));
    failure.with_causes(details.causes.iter().map(|cause| cause.reason.as_str())).with_retry_after(wait)
}

/// The failure of a request that kube itself could not carry out.
#[must_use]
pub fn of_error(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => of_status(status.code, status),
        kube::Error::SerdeError(_)
        | kube::Error::FromUtf8(_)
        | kube::Error::BuildRequest(_)
        | kube::Error::HttpError(_) => Failure::transport(Transport::Decode),
        kube::Error::Auth(_) | kube::Error::TlsRequired | kube::Error::RustlsTls(_) => {
            Failure::transport(Transport::Tls)
        }
        kube::Error::HyperError(error) if error.is_timeout() => Failure::transport(Transport::Timeout),
        kube::Error::Service(_) => Failure::transport(Transport::Connect),
        _ => Failure::transport(Transport::Reset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::control::error_class::ErrorClass;

    #[test]
    fn answers_become_classes_with_their_waits() {
        let quota = br#"{"kind":"Status","code":403,"reason":"Forbidden","details":{"causes":[{"reason":"NamespaceTerminating"}]}}"#;
        let slow = br#"{"kind":"Status","code":500,"reason":"ServerTimeout","details":{"retryAfterSeconds":7}}"#;
        for (code, body, class, wait_s) in [
            (403, &quota[..], ErrorClass::Terminating, None),
            (500, &slow[..], ErrorClass::Timeout, Some(7)),
            (429, b"Too many requests, please try again later.", ErrorClass::Throttled, None),
            (502, b"<html>", ErrorClass::Transient, None),
        ] {
            let failure = of_answer(code, body);
            assert_eq!((failure.class(), failure.retry_after), (class, wait_s.map(Span::from_secs)), "{code}");
        }
    }

    #[test]
    fn names_are_parts_of_a_path_or_nothing() {
        for name in ["web", "web-1.v2", "system:x", "a..b"] {
            assert_eq!(segment(name), Ok(name));
        }
        for name in ["", ".", "..", "../x", "web/scale", "web?x=", "web#", "web%2Fx", "we b", "w\u{e9}b", "web\r\n"] {
            assert_eq!(segment(name).map_err(|failure| failure.class()), Err(ErrorClass::NotFound), "{name}");
        }
    }

    #[test]
    fn the_header_counts_too() {
        let response = Response::builder().header("Retry-After", "3").body(()).unwrap();
        assert_eq!(retry_after(&response), Some(Span::from_secs(3)));
    }
}
