//! The watches: policies, pods, autoscalers. Each tells its events to one channel, and begins anew when it breaks.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc;

use crate::scaling_policy::ScalingPolicy;

/// What a watch told.
#[derive(Debug)]
pub enum Told {
    /// Of a policy.
    Policy(Box<Event<ScalingPolicy>>),
    /// Of a pod.
    Pod(Box<Event<Pod>>),
    /// Of an autoscaler.
    Autoscaler(Box<Event<HorizontalPodAutoscaler>>),
    /// A watch failed and begins anew; what it was about.
    Broken(&'static str),
}

/// Pauses before a broken watch begins anew: those of client-go's reflector.
const FIRST_PAUSE: Duration = Duration::from_millis(800);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A failure this long after the last pause is one of its own.
const QUIET: Duration = Duration::from_secs(120);
/// A page of a list that has not come by then never will; kube has no limit of its own.
const LONGEST_LIST_SILENCE: Duration = Duration::from_secs(30);
/// A watch without events lasts 290 s and kube ends it 5 s later itself, so this is a watch whose start was never answered.
const LONGEST_WATCH_SILENCE: Duration = Duration::from_secs(330);

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

async fn pass_on<K>(api: Api<K>, what: &'static str, sender: mpsc::Sender<Told>, tell: fn(Box<Event<K>>) -> Told)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut pauses = Pauses::default();
    loop {
        let followed = follow(api.clone(), what, &mut pauses, &sender, tell);
        // A receiver that is gone ends the watch at once, not with its next event.
        tokio::select! {
            why = followed => tracing::warn!(watch = what, why, "watch broken, it begins anew"),
            () = sender.closed() => return,
        }
        if sender.send(Told::Broken(what)).await.is_err() {
            return;
        }
        tokio::time::sleep(pauses.next()).await;
    }
}

/// Passes events on until the stream must begin anew, and answers why.
async fn follow<K>(
    api: Api<K>,
    what: &'static str,
    pauses: &mut Pauses,
    sender: &mpsc::Sender<Told>,
    tell: fn(Box<Event<K>>) -> Told,
) -> String
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut stream = std::pin::pin!(watcher(api, Config::default()));
    let mut lists = true;
    loop {
        let silence = if lists { LONGEST_LIST_SILENCE } else { LONGEST_WATCH_SILENCE };
        let event = match tokio::time::timeout(silence, stream.next()).await {
            Ok(Some(Ok(event))) => event,
            Ok(Some(Err(error))) if may_go_on(&error) => {
                tracing::warn!(watch = what, %error, "watch broken, it goes on from where it was");
                let _ = sender.send(Told::Broken(what)).await;
                tokio::time::sleep(pauses.next()).await;
                continue;
            }
            Ok(Some(Err(error))) => return error.to_string(),
            Ok(None) => return "it ended".to_owned(),
            Err(_) => return format!("no answer in {} s", silence.as_secs()),
        };
        lists = matches!(event, Event::Init | Event::InitApply(_)) || (lists && !matches!(event, Event::InitDone));
        // If nobody listens any more, the caller sees it.
        let _ = sender.send(tell(Box::new(event))).await;
    }
}

/// Whether kube's stream recovers by itself. It takes 410 within a watch for a reason to list again; but if 410 is the answer's
/// own status, it asks for the same version for ever.
fn may_go_on(error: &watcher::Error) -> bool {
    !matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

/// Pauses that double from one failure to the next; a quiet time begins them anew.
#[derive(Default)]
struct Pauses(Option<(Duration, Instant)>);

impl Pauses {
    #[expect(clippy::disallowed_methods, reason = "pauses go by the machine's own clock")]
    fn next(&mut self) -> Duration {
        let pause = match self.0 {
            Some((last, at)) if at.elapsed() < last + QUIET => (last * 2).min(LONGEST_PAUSE),
            _ => FIRST_PAUSE,
        };
        self.0 = Some((pause, Instant::now()));
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let mut pauses = Pauses::default();
        let millis: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(millis, [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn a_version_that_the_server_forgot_is_not_asked_for_again() {
        let of = |code| {
            let status = kube::core::Status { code, ..kube::core::Status::default() };
            watcher::Error::WatchStartFailed(kube::Error::Api(status.boxed()))
        };
        assert!(!may_go_on(&of(410)) && may_go_on(&of(500)) && may_go_on(&watcher::Error::NoResourceVersion));
    }
}
