//! TLS with an authority of one's own, as clusters have.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use seatrial_core::time::Timestamp;
use seatrial_operator::prometheus::{Client, ClientConfig, Kind, PrometheusError};

use super::server::{answer, vector};

struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    /// The configuration of a server that is called `name`.
    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

/// Answers each connection once, on a thread that lives as long as the test's process.
fn serve(config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
            let mut buffer = [0; 16 * 1024];
            // The request is small: it arrives in one record, unless the handshake failed.
            if tls.read(&mut buffer).is_ok_and(|count| count > 0) {
                let _ = tls.write_all(
                    answer(200, &vector("1")).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes(),
                );
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    url
}

fn config(url: &str) -> ClientConfig {
    ClientConfig { timeout: Duration::from_secs(60), ..ClientConfig::new(url) }
}

async fn ask(client: &Client) -> Result<(), PrometheusError> {
    client.query("up", Timestamp::ZERO).await.map(|_| ())
}

#[tokio::test]
async fn only_the_named_authority_is_trusted_and_a_new_one_is_read() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("ca.crt"), folder.path().join("next"));
    fs::write(&path, theirs.pem()).unwrap();
    let url = serve(ours.server("localhost"));
    let client = Client::new(ClientConfig { ca_file: Some(path.clone()), ..config(&url) }).unwrap();
    let error = ask(&client).await.unwrap_err();
    assert!(
        matches!(&error, PrometheusError::Unreachable { detail, .. } if detail.contains("UnknownIssuer")),
        "{error}"
    );
    fs::write(&next, theirs.pem() + &ours.pem()).unwrap();
    fs::rename(&next, &path).unwrap();
    assert_eq!(ask(&client).await, Ok(()));
    fs::remove_file(&path).unwrap();
    assert_eq!(ask(&client).await.unwrap_err().kind(), Kind::Misconfigured);
}

#[tokio::test]
async fn the_certificate_must_name_the_host() {
    let ours = Authority::new("ours");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");
    fs::write(&path, ours.pem()).unwrap();
    let url = serve(ours.server("prometheus.elsewhere"));
    let client = Client::new(ClientConfig { ca_file: Some(path), ..config(&url) }).unwrap();
    let error = ask(&client).await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn the_systems_authorities_do_not_know_ours() {
    let url = serve(Authority::new("ours").server("localhost"));
    let error = ask(&Client::new(config(&url)).unwrap()).await.unwrap_err();
    // A bare image has no authorities at all, and says so.
    assert!(matches!(error, PrometheusError::Unreachable { .. } | PrometheusError::Credentials { .. }), "{error}");
}
