//! One request, one answer: a client of Prometheus' HTTP API that cannot be made to wait, to swallow or to follow.
//!
//! - No answer takes longer than the time-out; waiting for a turn counts, so that a server that hangs cannot pile up callers.
//! - No more bytes are read than the limit; the rest of the answer is cut off with its connection.
//! - Redirects are errors: a token goes to the address that was named and nowhere else.
//! - Nothing is retried: a caller knows how urgent it is. (The connection pool alone sends a request on a new connection if the
//!   server had closed an idle one before a byte was written.)
//! - The token file is read for every request, so that a rotated token is in force at once; it is never logged.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use seatrial_core::time::Timestamp;
use seatrial_datasets::prometheus::{
    Answer, AnswerError, Grid, Instant, Matrix, format_seconds, parse_query, parse_query_range,
};
use tokio::sync::Semaphore;

use super::credentials;
use super::error::PrometheusError;
use super::transport::Transport;

/// How to reach a server, and the limits on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Base address: `http` or `https`, host, port and perhaps a path prefix.
    pub url: String,
    /// File with a bearer token.
    pub token_file: Option<PathBuf>,
    /// File with certificate authorities (PEM) that replace the system's.
    pub ca_file: Option<PathBuf>,
    /// Folder in which both files must lie; `None` allows any, which only a trusted caller may.
    pub credentials_folder: Option<PathBuf>,
    /// Limit on connecting, and on a request as a whole, waiting for a turn included.
    pub timeout: Duration,
    /// Most bytes of an answer.
    pub answer_limit_bytes: usize,
    /// Most requests at the same time.
    pub concurrency: usize,
}

impl ClientConfig {
    /// 5 seconds, 4 MiB, 16 requests at a time; no credentials.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token_file: None,
            ca_file: None,
            credentials_folder: None,
            timeout: Duration::from_secs(5),
            answer_limit_bytes: 4 << 20,
            concurrency: 16,
        }
    }
}

/// A client of one server. Cheap to clone; clones share connections and limits. Policies on the same server share one.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    base: String,
    token_file: Option<PathBuf>,
    folder: Option<PathBuf>,
    timeout: Duration,
    answer_limit_bytes: usize,
    turns: Semaphore,
    transport: Transport,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.0.base).finish_non_exhaustive()
    }
}

impl Client {
    /// A client; files are read and connections made at the first request.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self, PrometheusError> {
        let (base, tls) = base_address(&config.url)?;
        let concurrency = config.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self(Arc::new(Inner {
            base,
            token_file: config.token_file,
            folder: config.credentials_folder.clone(),
            timeout: config.timeout,
            answer_limit_bytes: config.answer_limit_bytes,
            turns: Semaphore::new(concurrency),
            transport: Transport {
                tls,
                ca_file: config.ca_file,
                folder: config.credentials_folder,
                timeout: config.timeout,
                connections: concurrency,
                built: Mutex::new(None),
            },
        })))
    }

    /// Base address, without a trailing slash.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.0.base
    }

    /// The result of `promql` at `at`, to the millisecond.
    ///
    /// # Errors
    /// If there is no answer, or none that can be read; see [`PrometheusError`].
    pub async fn query(&self, promql: &str, at: Timestamp) -> Result<Instant, PrometheusError> {
        let form = form(&[("query", promql), ("time", &format_seconds(at))]);
        self.0.ask("/api/v1/query", form, parse_query).await
    }

    /// The result of `promql` at each moment of `grid`, which has at most [`MOST_POINTS`](seatrial_datasets::prometheus::MOST_POINTS).
    ///
    /// # Errors
    /// If there is no answer, or none that can be read; see [`PrometheusError`].
    pub async fn query_range(&self, promql: &str, grid: &Grid) -> Result<Matrix, PrometheusError> {
        let Some(last) = grid.last() else { return Ok(Matrix::default()) };
        let step = format_seconds(Timestamp::ZERO + grid.step);
        let range = [("start", &*format_seconds(grid.first)), ("end", &*format_seconds(last)), ("step", &*step)];
        let form = form(&[("query", promql), range[0], range[1], range[2]]);
        self.0.ask("/api/v1/query_range", form, parse_query_range).await
    }
}

impl Inner {
    async fn ask<T>(
        &self,
        path: &str,
        form: String,
        parse: fn(&[u8]) -> Result<Answer<T>, AnswerError>,
    ) -> Result<T, PrometheusError> {
        let timed_out = || PrometheusError::TimedOut { url: self.base.clone(), limit_ms: self.timeout.as_millis() };
        let (status, body) = tokio::time::timeout(self.timeout, self.exchange(path, form))
            .await
            .unwrap_or_else(|_elapsed| Err(timed_out()))?;
        if !status.is_success() {
            return Err(self.failure(status, &body));
        }
        let answer = parse(&body).map_err(|error| PrometheusError::of_answer(&self.base, error))?;
        for warning in &answer.warnings {
            tracing::debug!(url = self.base, warning, "Prometheus warns");
        }
        Ok(answer.data)
    }

    /// Sends one request and reads its answer, or as much of it as says what is wrong.
    async fn exchange(&self, path: &str, form: String) -> Result<(StatusCode, Bytes), PrometheusError> {
        let _turn = self.turns.acquire().await.map_err(|error| self.unreachable(&error))?;
        let request = self.request(path, form)?;
        let http = self.transport.http()?;
        let response = http.request(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if !(status.is_success() || has_words(status)) {
            return Ok((status, Bytes::new()));
        }
        Ok((status, self.body(response).await?))
    }

    fn request(&self, path: &str, form: String) -> Result<Request<Full<Bytes>>, PrometheusError> {
        let mut request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("seatrial-operator/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &self.token_file {
            request = request.header(header::AUTHORIZATION, credentials::bearer(path, self.folder.as_deref())?);
        }
        request.body(Full::new(form.into())).map_err(|error| PrometheusError::Address { detail: error.to_string() })
    }

    async fn body<B>(&self, response: Response<B>) -> Result<Bytes, PrometheusError>
    where
        B: BodyExt<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let limit_bytes = self.answer_limit_bytes;
        let too_large = || PrometheusError::TooLarge { url: self.base.clone(), limit_bytes };
        if response.body().size_hint().lower() > limit_bytes as u64 {
            return Err(too_large());
        }
        match Limited::new(response.into_body(), limit_bytes).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(error) => Err(self.unreachable(&*error)),
        }
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> PrometheusError {
        PrometheusError::Unreachable { url: self.base.clone(), detail: with_causes(error) }
    }

    fn failure(&self, status: StatusCode, body: &[u8]) -> PrometheusError {
        let url = self.base.clone();
        let words = match parse_query(body) {
            Err(AnswerError::Failed { error_type, message }) => Some(format!("{error_type}: {message}")),
            _ => None,
        };
        match (status.as_u16(), words) {
            (status @ (401 | 403), _) => PrometheusError::Denied { url, status },
            (400 | 422, Some(message)) => PrometheusError::BadQuery { message },
            (status, words) if status == 429 || status >= 500 => {
                PrometheusError::Server { url, status, message: words.unwrap_or_else(|| "no reason given".to_owned()) }
            }
            (status @ 300..400, _) => PrometheusError::NotPrometheus {
                url,
                detail: format!("HTTP {status}, a redirect, which is not followed"),
            },
            (status, _) => PrometheusError::NotPrometheus { url, detail: format!("HTTP {status}") },
        }
    }
}

/// Whether Prometheus says in its body what is wrong.
fn has_words(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 422 | 429 | 500..)
}

/// An error with its causes: hyper's own text says only in which phase it happened.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// The address without a trailing slash, and whether it means TLS.
fn base_address(url: &str) -> Result<(String, bool), PrometheusError> {
    let refuse = |detail: &str| PrometheusError::Address { detail: detail.to_owned() };
    if url.contains('@') {
        // Not shown: it may be a password.
        return Err(refuse("it holds user information; use tokenFile for authentication"));
    }
    let uri: Uri = url.parse().map_err(|error| refuse(&format!("`{url}` is no address ({error})")))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(refuse(&format!("`{url}` does not begin with http:// or https://"))),
    };
    if uri.host().is_none_or(str::is_empty) {
        return Err(refuse(&format!("`{url}` names no host")));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(refuse(&format!("`{url}` has a query or fragment")));
    }
    Ok((url.trim_end_matches('/').to_owned(), tls))
}

/// `application/x-www-form-urlencoded`: long queries do not fit into an address.
fn form(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => text.push(char::from(byte)),
                b' ' => text.push('+'),
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_keep_every_byte() {
        let text = form(&[("query", "sum(x{a=~\"b+c\"}) % é\n"), ("time", "1.5")]);
        assert_eq!(text, "query=sum%28x%7Ba%3D~%22b%2Bc%22%7D%29+%25+%C3%A9%0A&time=1.5".replace('~', "%7E"));
    }

    #[test]
    fn addresses_are_bases() {
        for (url, base, tls) in [
            ("http://prometheus:9090", "http://prometheus:9090", false),
            ("https://host/prefix/", "https://host/prefix", true),
            ("http://[::1]:9090//", "http://[::1]:9090", false),
        ] {
            assert_eq!(base_address(url), Ok((base.to_owned(), tls)));
        }
        for (url, what) in [
            ("prometheus:9090", "http://"),
            ("ftp://host", "http://"),
            ("http://", "no address"),
            ("http://host/graph?g0.expr=up", "query or fragment"),
            ("http://host/#x", "query or fragment"),
            ("http://ho st", "no address"),
            ("", "no address"),
        ] {
            let error = base_address(url).unwrap_err().to_string();
            assert!(error.contains(what), "{url}: {error}");
        }
        let error = base_address("https://me:s3cret@host").unwrap_err().to_string();
        assert!(error.contains("tokenFile") && !error.contains("s3cret"), "{error}");
    }
}
