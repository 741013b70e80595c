//! Files that a policy names: read with a limit, only from where they may lie, never shown.
//!
//! The path comes from a namespaced resource, so whoever writes one must not be able to send the operator's own service
//! account token to an address of their choice: with a credentials folder, every file must lie inside it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use http::HeaderValue;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::error::PrometheusError;

/// Most bytes of a token or of a file of authorities.
const LARGEST_FILE: u64 = 1 << 20;

/// What tells that a file was replaced: Kubernetes swaps a link, other tools rewrite the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// The stamp of `path`, if it is there.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp { modified: found.modified().ok(), length: found.len(), inode: found.ino() })
}

/// The `Authorization` header of the token in `path`.
pub(super) fn bearer(path: &Path, folder: Option<&Path>) -> Result<HeaderValue, PrometheusError> {
    let bytes = read(path, folder)?;
    let refuse = || refused(path, "holds no token: one line of visible ASCII is expected");
    let token = std::str::from_utf8(&bytes).map_err(|_| refuse())?.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse());
    }
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| refuse())?;
    header.set_sensitive(true);
    Ok(header)
}

/// The certificates in `path`.
pub(super) fn authorities(path: &Path, folder: Option<&Path>) -> Result<rustls::RootCertStore, PrometheusError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(path, folder)?) {
        let certificate = certificate.map_err(|error| refused(path, &format!("is not PEM ({error})")))?;
        roots.add(certificate).map_err(|error| refused(path, &format!("holds a bad certificate ({error})")))?;
    }
    if roots.is_empty() {
        return Err(refused(path, "holds no certificate in PEM form"));
    }
    Ok(roots)
}

fn read(path: &Path, folder: Option<&Path>) -> Result<Vec<u8>, PrometheusError> {
    let failed = |error: std::io::Error| refused(path, &format!("cannot be read ({error})"));
    let real = path.canonicalize().map_err(failed)?;
    if folder.is_some_and(|folder| !inside(&real, folder)) {
        return Err(refused(path, "lies outside the folder that the operator may read credentials from"));
    }
    // A device or pipe would block, and never end.
    if !fs::metadata(&real).map_err(failed)?.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(&real).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(refused(path, "is larger than 1 MiB"));
    }
    Ok(bytes)
}

fn inside(real: &Path, folder: &Path) -> bool {
    folder.canonicalize().is_ok_and(|folder: PathBuf| real.starts_with(folder))
}

fn refused(path: &Path, detail: &str) -> PrometheusError {
    PrometheusError::Credentials { path: path.display().to_string(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "  s3cret\n").unwrap();
        let header = bearer(&path, None).unwrap();
        assert_eq!(header.to_str().unwrap(), "Bearer s3cret");
        assert!(!format!("{header:?}").contains("s3cret"));
        for (content, what) in [(&b""[..], "no token"), (b"s3cret two\n", "no token"), (b"\xff", "no token")] {
            fs::write(&path, content).unwrap();
            let error = bearer(&path, None).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn only_regular_files_of_a_sane_size_inside_the_folder_are_read() {
        let (allowed, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let own = other.path().join("serviceaccount-token");
        fs::write(&own, "own").unwrap();
        let link = allowed.path().join("link");
        std::os::unix::fs::symlink(&own, &link).unwrap();
        let big = allowed.path().join("big");
        fs::write(&big, vec![b'a'; (LARGEST_FILE + 1) as usize]).unwrap();
        let good = allowed.path().join("good");
        fs::write(&good, "good").unwrap();
        let roundabout = allowed.path().join("..").join(other.path().file_name().unwrap()).join("serviceaccount-token");
        for (path, what) in [
            (own, "outside"),
            (link, "outside"),
            (roundabout, "outside"),
            (PathBuf::from("/dev/zero"), "outside"),
            (allowed.path().to_owned(), "regular"),
            (big, "larger"),
            (allowed.path().join("absent"), "cannot be read"),
        ] {
            let error = bearer(&path, Some(allowed.path())).unwrap_err();
            assert!(matches!(&error, PrometheusError::Credentials { detail, .. } if detail.contains(what)), "{error}");
        }
        assert!(bearer(&good, Some(allowed.path())).is_ok());
        assert!(bearer(Path::new("/dev/zero"), None).unwrap_err().to_string().contains("regular"));
    }

    #[test]
    fn authorities_must_be_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        for (content, what) in [
            ("", "no certificate"),
            ("no PEM at all", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "bad certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "not PEM"),
        ] {
            fs::write(&path, content).unwrap();
            let error = authorities(&path, None).unwrap_err().to_string();
            assert!(error.contains(what), "{content:?}: {error}");
        }
    }

    #[test]
    fn a_replaced_file_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join("ca"), folder.path().join("next"));
        assert_eq!(stamp(&path), None);
        fs::write(&path, "one").unwrap();
        let before = stamp(&path);
        assert_eq!(before, stamp(&path));
        fs::write(&next, "two").unwrap();
        fs::rename(&next, &path).unwrap();
        assert_ne!(before, stamp(&path));
    }
}
