//! The watch of a Deployment's pods, by its selector.

use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::core::Selector;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, DefaultBackoff, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc;

use super::fleet::{Fleet, Fold};

/// Pause before the Deployment is looked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the fleets of a Deployment, first of all pods that are there, then after each change, until nobody listens.
pub(crate) async fn tell_fleets(client: Client, namespace: String, deployment: String, fleets: mpsc::Sender<Fleet>) {
    let selector = wait_for_selector(&Api::namespaced(client.clone(), &namespace), &deployment).await;
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let stream = watcher(pods, Config::default().labels_from(&selector)).backoff(DefaultBackoff::default());
    let mut stream = std::pin::pin!(stream);
    let mut fold = Fold::default();
    while let Some(event) = stream.next().await {
        let changed = match event {
            Ok(event) => fold.step(event),
            Err(error) => {
                tracing::warn!(%error, "watch of the pods broken, it begins anew");
                None
            }
        };
        if let Some(fleet) = changed
            && fleets.send(fleet).await.is_err()
        {
            return;
        }
    }
}

async fn wait_for_selector(deployments: &Api<Deployment>, name: &str) -> Selector {
    let mut told = false;
    loop {
        let problem = match selector(deployments, name).await {
            Ok(selector) => return selector,
            Err(problem) => problem,
        };
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(deployment = name, problem, "the world waits for its Deployment");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn selector(deployments: &Api<Deployment>, name: &str) -> Result<Selector, String> {
    let deployment = deployments.get(name).await.map_err(|error| error.to_string())?;
    let spec = deployment.spec.ok_or("it has no spec")?;
    Selector::try_from(spec.selector).map_err(|error| error.to_string())
}
