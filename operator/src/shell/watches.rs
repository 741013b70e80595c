//! The watches: policies, pods, autoscalers. Each tells its events to one channel, and begins anew when it breaks.

use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, DefaultBackoff, Event, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc;

use crate::scaling_policy::ScalingPolicy;

/// What a watch told.
#[derive(Debug)]
pub enum Told {
    /// Of a policy.
    Policy(Event<ScalingPolicy>),
    /// Of a pod.
    Pod(Event<Pod>),
    /// Of an autoscaler.
    Autoscaler(Event<HorizontalPodAutoscaler>),
    /// A watch failed and begins anew; what it was about.
    Broken(&'static str),
}

/// Longest pause before a broken watch begins anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Starts the watches, in one namespace or all; they end with the receiver.
#[must_use]
pub fn start(client: &Client, namespace: Option<&str>) -> mpsc::Receiver<Told> {
    let (sender, receiver) = mpsc::channel(1_024);
    tokio::spawn(pass_on(api::<ScalingPolicy>(client, namespace), "scalingpolicies", sender.clone(), Told::Policy));
    tokio::spawn(pass_on(api::<Pod>(client, namespace), "pods", sender.clone(), Told::Pod));
    let autoscalers = api::<HorizontalPodAutoscaler>(client, namespace);
    tokio::spawn(pass_on(autoscalers, "horizontalpodautoscalers", sender, Told::Autoscaler));
    receiver
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

async fn pass_on<K>(api: Api<K>, what: &'static str, sender: mpsc::Sender<Told>, tell: fn(Event<K>) -> Told)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let stream = watcher(api, Config::default()).backoff(DefaultBackoff::default());
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        let told = match event {
            Ok(event) => tell(event),
            Err(error) => {
                tracing::warn!(watch = what, %error, longest_pause_s = LONGEST_PAUSE.as_secs(), "watch broken, it begins anew");
                Told::Broken(what)
            }
        };
        if sender.send(told).await.is_err() {
            return;
        }
    }
}
