//! Bundles: fetched from a ConfigMap or a folder, verified by the core once per hash, shared by all policies that name it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use http::Request;
use k8s_openapi::api::core::v1::ConfigMap;
use seatrial_core::bundle::{
    Bundle, BundleError, BundleFiles, GOLDEN_FILE, POLICY_FILE, SIZE_LIMIT_BYTES, WEIGHTS_FILE,
};
use seatrial_core::control::error_class::ErrorClass;

use super::api::{Api, segment};
use crate::reconcile::conditions::Reason;
use crate::reconcile::conversation::{LoadedBundle, Problem};
use crate::scaling_policy::BundleSource;

/// Files of an exported folder that no decision needs.
const STUDY_FILES: [&str; 2] = ["learned.json", "tuned.json"];

/// Bundles in use by hash. What nobody uses any more is dropped.
#[derive(Default)]
pub struct Bundles {
    known: Mutex<BTreeMap<String, Weak<Bundle>>>,
}

impl Bundles {
    /// The bundle of `source`, from memory if its hash is known.
    ///
    /// # Errors
    /// With a reason and what to do, if it is not there, too large, not valid or another one.
    pub async fn load(&self, api: &Api, namespace: &str, source: &BundleSource) -> Result<LoadedBundle, Problem> {
        if let Some(bundle) = self.lock().get(&source.hash).and_then(Weak::upgrade) {
            return Ok(LoadedBundle { hash: source.hash.clone(), bundle });
        }
        let (place, files) = match (&source.config_map, &source.path) {
            (Some(reference), _) => {
                let place = format!("ConfigMap {}", reference.name);
                let files = from_config_map(api, namespace, &reference.name).await?;
                (place, files)
            }
            (None, Some(path)) => (path.clone(), from_folder(path.clone()).await?),
            (None, None) => {
                return Err(Problem::new(Reason::SpecRefused, "spec.bundle names neither configMap nor path"));
            }
        };
        let bundle = Arc::new(verify(&place, &files, &source.hash)?);
        let mut known = self.lock();
        known.retain(|_, bundle| bundle.strong_count() > 0);
        known.insert(source.hash.clone(), Arc::downgrade(&bundle));
        Ok(LoadedBundle { hash: source.hash.clone(), bundle })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Weak<Bundle>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifies everything, the golden rows included, then compares the hash with the one that was asked for.
fn verify(place: &str, files: &BundleFiles, expected: &str) -> Result<Bundle, Problem> {
    let refused = |error: &BundleError| {
        let reason =
            if matches!(error, BundleError::TooLarge { .. }) { Reason::BundleTooLarge } else { Reason::BundleRefused };
        Problem::new(reason, format!("{place}: {error}"))
    };
    let bundle = Bundle::load(files).map_err(|error| refused(&error))?;
    if bundle.hash() != expected {
        let message = format!(
            "{place} holds the bundle with hash {}, spec.bundle.hash asks for {expected}: correct one of the two",
            bundle.hash()
        );
        return Err(Problem::new(Reason::BundleHashDiffers, message));
    }
    Ok(bundle)
}

async fn from_config_map(api: &Api, namespace: &str, name: &str) -> Result<BundleFiles, Problem> {
    let not_found = |what: &str| Problem::new(Reason::BundleNotFound, format!("ConfigMap {name} {what}"));
    let impossible = || not_found("cannot exist: correct spec.bundle.configMap.name");
    let plain = segment(name).map_err(|_| impossible())?;
    let request = Request::get(format!("/api/v1/namespaces/{namespace}/configmaps/{plain}"))
        .body(Vec::new())
        .map_err(|_| impossible())?;
    let map: ConfigMap = api.send(request).await.map_err(|failure| match failure.class() {
        ErrorClass::NotFound => {
            not_found("does not exist in this namespace: create it from the folder that seatrial export wrote")
        }
        ErrorClass::Denied => Problem::new(
            Reason::AccessDenied,
            format!("the API server refuses to show ConfigMap {name}: grant the operator get on configmaps"),
        ),
        _ => Problem::new(
            Reason::ApiUnavailable,
            format!("the API server did not show ConfigMap {name}; it is tried again"),
        ),
    })?;
    let texts = map.data.unwrap_or_default().into_iter().map(|(file, text)| (file, text.into_bytes()));
    let bytes = map.binary_data.unwrap_or_default().into_iter().map(|(file, bytes)| (file, bytes.0));
    // `seatrial export` writes what its studies need beside a bundle; a ConfigMap made from the whole folder has it too.
    Ok(texts.chain(bytes).filter(|(file, _)| !STUDY_FILES.contains(&file.as_str())).collect())
}

/// The files of a bundle in `path`. Other files (a mounted volume has links of its own) are left alone.
async fn from_folder(path: String) -> Result<BundleFiles, Problem> {
    let read = move || -> Result<BundleFiles, Problem> {
        let mut files = BundleFiles::new();
        for name in [POLICY_FILE, WEIGHTS_FILE, GOLDEN_FILE] {
            let file = Path::new(&path).join(name);
            let refused =
                |error: std::io::Error| Problem::new(Reason::BundleNotFound, format!("{}: {error}", file.display()));
            let opened = match std::fs::File::open(&file) {
                Ok(opened) => opened,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(refused(error)),
            };
            // What is read is bounded, whatever the file says of its size.
            let mut bytes = Vec::new();
            opened.take(SIZE_LIMIT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(refused)?;
            if bytes.len() > SIZE_LIMIT_BYTES {
                let message = format!("{} has more than the {SIZE_LIMIT_BYTES} bytes of a bundle", file.display());
                return Err(Problem::new(Reason::BundleTooLarge, message));
            }
            files.insert(name.to_owned(), bytes);
        }
        if files.is_empty() {
            let message = format!("{path} holds no bundle: mount the folder that seatrial export wrote there");
            return Err(Problem::new(Reason::BundleNotFound, message));
        }
        Ok(files)
    };
    let stopped = |_| Problem::new(Reason::BundleNotFound, "reading the bundle was broken off");
    tokio::task::spawn_blocking(read).await.map_err(stopped)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_without_end_is_read_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(POLICY_FILE)).unwrap();
        let problem = from_folder(folder.path().display().to_string()).await.unwrap_err();
        assert_eq!(problem.reason, Reason::BundleTooLarge);
        let none = from_folder(folder.path().join("none").display().to_string()).await.unwrap_err();
        assert_eq!(none.reason, Reason::BundleNotFound);
    }
}
