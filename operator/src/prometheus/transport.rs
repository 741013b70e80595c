//! The HTTP client under a [`Client`](super::Client): connections, TLS, and when both are built anew.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use super::credentials::{self, Stamp};
use super::error::PrometheusError;

/// A pooled HTTP client.
pub(super) type Http = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Idle connections are closed before Prometheus closes them (5 minutes by default).
const IDLE: Duration = Duration::from_secs(30);
/// Most bytes of an answer's head, and of a piece of its body.
const LARGEST_HEAD: usize = 64 * 1024;

/// Builds the client at first use, and again when the file of authorities was replaced.
pub(super) struct Transport {
    pub(super) tls: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) folder: Option<PathBuf>,
    pub(super) timeout: Duration,
    pub(super) connections: usize,
    pub(super) built: Mutex<Option<(Option<Stamp>, Http)>>,
}

impl Transport {
    /// The client for the authorities as they are now.
    pub(super) fn http(&self) -> Result<Http, PrometheusError> {
        let stamp = self.ca_file.as_deref().filter(|_| self.tls).and_then(credentials::stamp);
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        match &*built {
            Some((of, http)) if *of == stamp => Ok(http.clone()),
            _ => {
                let http = self.build()?;
                *built = Some((stamp, http.clone()));
                Ok(http)
            }
        }
    }

    fn build(&self) -> Result<Http, PrometheusError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(self.timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.tls()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(self.connections)
            .http1_max_buf_size(LARGEST_HEAD)
            .build(connector))
    }

    fn tls(&self) -> Result<ClientConfig, PrometheusError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| PrometheusError::Address { detail: error.to_string() })?;
        let builder = match &self.ca_file {
            // Plain HTTP needs no authorities, and a bare image has none.
            _ if !self.tls => builder.with_root_certificates(RootCertStore::empty()),
            Some(path) => builder.with_root_certificates(credentials::authorities(path, self.folder.as_deref())?),
            None => builder.with_native_roots().map_err(|error| PrometheusError::Credentials {
                path: "the system's certificate authorities".to_owned(),
                detail: format!("{error}; name one in spec.metrics.caFile"),
            })?,
        };
        Ok(builder.with_no_client_auth())
    }
}
