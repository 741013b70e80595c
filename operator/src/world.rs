//! The demo world: real pods of a Deployment under a simulated load, so that decisions have consequences.
//!
//! It watches which pods of a Deployment are ready, lets the fluid kernel of `seatrial-envs` pass over a trace with that many
//! pods, and serves what the pods would count as Prometheus' text format. Deployment controller, scheduler and nodes are
//! those of the cluster; only the requests are made up. It comes with the feature `rehearse`.
//!
//! | module | what |
//! |---|---|
//! | [`args`] | the command line |
//! | [`load`] | from a trace to the load of a rehearsal |
//! | [`fleet`] | pure: which pods there are and which of them serve, from what a watch tells |
//! | [`counters`] | pure: what each pod has counted |
//! | [`stage`] | pure: fleet, kernel and counters in time |
//! | [`exposition`] | pure: counters as text |
//! | [`log`] | what really happened, as CSV |
//!
//! Time begins with the first scrape: the gym's slots begin and end with scrapes too, so both show the same numbers. With a
//! time scale s, model time passes s times as fast and counters advance by 1/s of what happens: rates by the clock are those
//! of the trace, and whoever looks divides scrape interval, cadence, windows and start-up times by s.
//!
//! Invariants: no queueing is reimplemented here; a counter of a pod never falls; all of a world begins anew with its process.

pub mod args;
pub mod counters;
mod error;
pub mod exposition;
pub mod fleet;
pub mod load;
pub mod log;
mod server;
pub mod stage;
mod watching;

pub use args::WorldArgs;
pub use error::WorldError;

use std::net::SocketAddr;
use std::time::Duration;

use kube::Client;
use seatrial_core::time::Span;
use seatrial_datasets::Locator;
use seatrial_envs::load::{EpisodeLoad, Traffic};
use seatrial_envs::scenario::Scenario;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::reconcile::Pace;
use exposition::Sizes;
use fleet::Fleet;
use load::Part;
use log::Log;
use stage::{Rhythm, Stage};

/// How often time passes although nobody scrapes, so that the log grows.
const TICK: Duration = Duration::from_secs(1);

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct WorldSettings {
    /// Where traces are.
    pub traces: Locator,
    /// Id or path of the trace.
    pub trace: String,
    /// The series, where the trace has several.
    pub series: Option<String>,
    /// The part of it that is played.
    pub part: Part,
    /// How far into the part it begins, in model time.
    pub from: Span,
    /// Pods, service and objective.
    pub scenario: Scenario,
    /// Seed of the counts within bins.
    pub seed: u64,
    /// Time scale and lag.
    pub rhythm: Rhythm,
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub deployment: String,
    /// Address of /metrics and /healthz.
    pub listen: SocketAddr,
    /// File for what really happened.
    pub log: Option<std::path::PathBuf>,
    /// Sizes that the kernel does not know.
    pub sizes: Sizes,
}

impl WorldSettings {
    /// Protocol P1 on the test part of `trace`, in real time, on a free port of this machine.
    #[must_use]
    pub fn new(trace: &str, namespace: &str, deployment: &str) -> Self {
        Self {
            traces: Locator::default(),
            trace: trace.to_owned(),
            series: None,
            part: Part::Test,
            from: Span::ZERO,
            scenario: Scenario::protocol_p1(),
            seed: 1,
            rhythm: Rhythm { pace: Pace(1), lag: Span::ZERO },
            namespace: namespace.to_owned(),
            deployment: deployment.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            log: None,
            sizes: Sizes::default(),
        }
    }

    /// The load that is played: a comparison with the gym starts from the same.
    ///
    /// # Errors
    /// If there is no such trace, series or part, or it is no load.
    pub fn load(&self) -> Result<EpisodeLoad, WorldError> {
        let trace = self.traces.open(&self.trace)?;
        load::episode(&trace, self.series.as_deref(), self.part, self.from)
    }
}

/// Runs until `stop` turns true or the trace is over, on the cluster that `KUBECONFIG` or the pod's service account names.
///
/// # Errors
/// If it cannot begin, or the log cannot be written.
pub async fn run(settings: WorldSettings, stop: watch::Receiver<bool>) -> Result<(), WorldError> {
    let client = crate::run::client().await?;
    World::bind(settings).await?.watch(client, stop).await
}

/// A world that listens and has not begun.
#[derive(Debug)]
pub struct World {
    settings: WorldSettings,
    load: EpisodeLoad,
    listener: TcpListener,
    address: SocketAddr,
}

impl World {
    /// Reads the trace and listens.
    ///
    /// # Errors
    /// If the trace cannot be played or the address cannot be listened on.
    pub async fn bind(settings: WorldSettings) -> Result<Self, WorldError> {
        let load = settings.load()?;
        Self::with_load(settings, load).await
    }

    /// Listens, with a load of one's own instead of a trace.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn with_load(settings: WorldSettings, load: EpisodeLoad) -> Result<Self, WorldError> {
        let cannot = |source| WorldError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self { settings, load, listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs on the pods of the Deployment.
    ///
    /// # Errors
    /// As [`World::run`].
    pub async fn watch(self, client: Client, stop: watch::Receiver<bool>) -> Result<(), WorldError> {
        let (sender, fleets) = mpsc::channel(64);
        let watch =
            watching::tell_fleets(client, self.settings.namespace.clone(), self.settings.deployment.clone(), sender);
        tokio::select! {
            ended = self.run(fleets, stop) => ended,
            () = watch => Ok(()),
        }
    }

    /// Runs on the pods that `fleets` tells of, until `stop` turns true or the load is over.
    ///
    /// # Errors
    /// If load and scenario do not fit, or the log cannot be written.
    pub async fn run(
        self,
        mut fleets: mpsc::Receiver<Fleet>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), WorldError> {
        let Self { settings, load, listener, address } = self;
        let mut log = settings.log.as_deref().map(Log::create).transpose()?;
        let traffic = Traffic::new(&settings.scenario, &load, settings.seed)?;
        let mut stage = Stage::new(&settings.scenario, &traffic, settings.rhythm)?;
        let labels = exposition::Labels { namespace: &settings.namespace, objective_s: settings.scenario.slo_wait_s };
        let (sender, mut asked) = mpsc::channel(16);
        let serving = server::serve(listener, sender, stop.clone());
        tokio::pin!(serving);
        tracing::info!(%address, deployment = settings.deployment, "the world waits for pods and for a first scrape");
        let (mut listed, mut tick) = (false, tokio::time::interval(TICK));
        while !stage.is_over() {
            tokio::select! {
                () = server::stopped(&mut stop) => break,
                () = &mut serving => break,
                Some(fleet) = fleets.recv() => {
                    listed = true;
                    stage.tell(Clock::wall(), fleet);
                }
                Some(answer) = asked.recv() => {
                    let text = listed.then(|| {
                        stage.scrape(Clock::wall());
                        exposition::text(&stage, &labels, &settings.sizes)
                    });
                    // Whoever asked may have gone.
                    let _ = answer.send(text);
                }
                _ = tick.tick() => stage.advance(Clock::wall()),
            }
            if let Some(log) = &mut log {
                log.write(&stage.take_rows())?;
            }
        }
        tracing::info!(trace_is_over = stage.is_over(), "the world ended");
        Ok(())
    }
}
