//! One blocking HTTP client with limits on time and size; it follows no redirect, which could carry the token away.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seatrial_datasets::prometheus::{AnswerError, Grid, parse_query_range};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};

use super::request::RangeRequest;
use crate::error::{ExperimentError, Result};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for one answer: a little more than Prometheus' own limit on a query, two minutes.
const ANSWER: Duration = Duration::from_secs(150);
/// Bytes of one answer: some 200 series of 11,000 points.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Asks one server.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    authorization: Option<String>,
}

impl Client {
    /// A client for the server of `request`.
    pub(super) fn new(request: &RangeRequest, token_file: Option<&Path>, ca_file: Option<&Path>) -> Result<Self> {
        let authorization = token_file.map(bearer).transpose()?;
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent("seatrial");
        // Certificates are read only where they are needed: a system without any can still speak plain HTTP.
        let config = if request.url.starts_with("https://") { config.tls_config(tls(ca_file)?) } else { config };
        Ok(Self { agent: config.build().new_agent(), authorization })
    }

    /// The bytes of the answer to one piece.
    pub(super) fn range(&self, request: &RangeRequest, piece: &Grid) -> Result<Vec<u8>> {
        let failed = |detail: String| ExperimentError::Import(format!("{}: {detail}", request.url));
        let mut call = self.agent.get(format!("{}/api/v1/query_range", request.url));
        for (name, value) in request.parameters(piece) {
            call = call.query(name, value);
        }
        if let Some(token) = &self.authorization {
            call = call.header("Authorization", token);
        }
        let mut response = call.call().map_err(|error| failed(explain(&error)))?;
        let status = response.status().as_u16();
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let body = body.map_err(|error| failed(explain(&error)))?;
        if status == 200 { Ok(body) } else { Err(failed(refusal(status, location.as_deref(), &body))) }
    }
}

fn bearer(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).map_err(ExperimentError::io("read", file))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ExperimentError::Usage {
            what: format!("--token-file {} holds no token", file.display()),
            next: "it must hold one line of printable ASCII, the bearer token alone".to_owned(),
        });
    }
    Ok(format!("Bearer {token}"))
}

fn tls(ca_file: Option<&Path>) -> Result<TlsConfig> {
    let authorities = match ca_file {
        Some(file) => given_authorities(file)?,
        None => system_authorities()?,
    };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .build())
}

fn given_authorities(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let text = std::fs::read(file).map_err(ExperimentError::io("read", file))?;
    let certificates = ureq::tls::parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        return Err(ExperimentError::Usage {
            what: format!("--ca-file {} holds no certificate", file.display()),
            next: "give a PEM file with BEGIN CERTIFICATE".to_owned(),
        });
    }
    Ok(certificates)
}

fn system_authorities() -> Result<Vec<Certificate<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(ExperimentError::Usage {
            what: "the system has no certificate authorities".to_owned(),
            next: "name those of the server with --ca-file".to_owned(),
        });
    }
    Ok(found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

/// Whether TLS failed; the handshake's own errors come as I/O errors.
fn is_about_trust(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => true,
        ureq::Error::Io(error) => error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>),
        _ => false,
    }
}

/// Why there is no answer, and what to do.
fn explain(error: &ureq::Error) -> String {
    let next = match error {
        ureq::Error::BodyExceedsLimit(_) => {
            return format!(
                "the answer is larger than {} MiB; aggregate in the query, for example with sum(…)",
                MOST_BYTES >> 20
            );
        }
        ureq::Error::Timeout(_) => "try again; finished pieces are kept",
        error if is_about_trust(error) => "check the certificate; --ca-file names an authority of your own",
        _ => "check --url and that the server runs; finished pieces are kept, the same command goes on",
    };
    format!("{error}; {next}")
}

fn refusal(status: u16, location: Option<&str>, body: &[u8]) -> String {
    // What Prometheus says itself; the page of a proxy is not repeated.
    let detail = match parse_query_range(body) {
        Err(AnswerError::Failed { error_type, message }) => format!(" ({error_type}: {message})"),
        _ => String::new(),
    };
    let next = match status {
        300..400 => format!("give the address it leads to: {}", location.map_or("not stated".into(), cut)),
        400 | 422 => "correct --query, --from, --to or --step".to_owned(),
        401 | 403 => "give a token that may read with --token-file".to_owned(),
        404 | 405 => "check that --url is the base address of Prometheus' HTTP API".to_owned(),
        _ => "try again; finished pieces are kept, the same command goes on".to_owned(),
    };
    format!("the server answers with status {status}{detail}; {next}")
}

/// The beginning of a foreign address, on one line.
fn cut(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_says_what_helps() {
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let by_io = ureq::Error::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, untrusted.clone()));
        for error in [ureq::Error::Rustls(untrusted), by_io] {
            assert!(explain(&error).ends_with("--ca-file names an authority of your own"), "{error}");
        }
        let refused = ureq::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        assert!(explain(&refused).contains("check --url and that the server runs"));
        assert!(explain(&ureq::Error::Timeout(ureq::Timeout::Global)).ends_with("finished pieces are kept"));
    }

    #[test]
    fn foreign_addresses_stay_on_one_short_line() {
        let message = refusal(301, Some(&format!("http://p/\n{}", "x".repeat(1_000))), b"");
        assert!(message.contains("http://p/ xxx") && message.len() < 500, "{message}");
    }
}
