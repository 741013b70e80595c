//! A stage: one part of one series under one regime and one seed, realised once and shared by every strategy that plays on it.
//!
//! Offered arrivals do not depend on actions, so a stage also keeps each forecaster's forecasts: they are computed once and
//! looked up by every entrant that plans on them (a test shows that decisions are the same as online).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use seatrial_core::observe::Sample;
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::forecast::DynForecaster;
use seatrial_core::scaling::forecasters::CachedForecast;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::episode::{self, Driver, EpisodeResult, RowSink, no_rows, run_on, warm_state};
use seatrial_envs::load::Traffic;
use seatrial_envs::scenario::Scenario;

use crate::arena::{Arena, Part};
use crate::contest::Entrant;
use crate::error::{ExperimentError, Result};
use crate::kernel::Kernel;
use crate::protocol;

/// See the module.
pub struct Stage {
    /// What it is called in messages.
    pub label: String,
    /// The world.
    pub scenario: Scenario,
    /// The traffic.
    pub traffic: Traffic,
    kernel: Kernel,
    visible: OnceLock<Visible>,
    forecasts: Mutex<BTreeMap<String, Arc<OnceLock<CachedForecast>>>>,
}

/// What a forecaster gets to see: slots before the first decision, then one sample per decision.
#[derive(Debug)]
struct Visible {
    warm_up: Vec<PastSlot>,
    samples: Vec<Option<Sample>>,
}

impl Stage {
    /// Realises `part` of `arena` with `seed`.
    ///
    /// # Errors
    /// If the bins do not fit the scenario.
    pub fn new(arena: &Arena, part: &Part, scenario: &Scenario, seed: u64) -> Result<Self> {
        let label = arena.label();
        let traffic = Traffic::new(scenario, &arena.episode(part)?, seed)
            .map_err(|error| ExperimentError::Environment { place: label.clone(), detail: error.to_string() })?;
        Ok(Self {
            label,
            scenario: scenario.clone(),
            traffic,
            kernel: Kernel::Fluid,
            visible: OnceLock::new(),
            forecasts: Mutex::new(BTreeMap::new()),
        })
    }

    /// The same stage on another kernel than the fluid one.
    #[must_use]
    pub fn on(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// Plays `entrant` over the whole stage.
    ///
    /// # Errors
    /// If it cannot be built, or the kernel refuses the episode.
    pub fn play(&self, entrant: &Entrant, rows: RowSink<'_>) -> Result<EpisodeResult> {
        self.drive(&self.autoscaler(entrant)?, rows)
    }

    /// Plays an autoscaler that was built elsewhere.
    ///
    /// # Errors
    /// If the kernel refuses the episode.
    pub fn drive(&self, autoscaler: &Autoscaler, rows: RowSink<'_>) -> Result<EpisodeResult> {
        let state = warm_state(autoscaler, &self.scenario, &self.traffic);
        let driver = Driver { autoscaler, state };
        self.kernel.run(&self.scenario, &self.traffic, driver, rows).map_err(|error| self.error(&error))
    }

    /// The entrant's autoscaler, with this stage's cache in the place of its forecaster.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn autoscaler(&self, entrant: &Entrant) -> Result<Autoscaler> {
        let source = |source| ExperimentError::Strategy { strategy: entrant.strategy.clone(), source };
        let weights = entrant.weights.as_ref().map(|hashed| &hashed.weights);
        let ingredients = Ingredients { workload: &self.scenario.workload, weights };
        let cached = self.forecast(entrant)?.map(|cached| Box::new(cached) as Box<dyn DynForecaster>);
        entrant.spec.build_around(cached, &ingredients).map_err(source)
    }

    /// The forecasts that the entrant's forecaster makes on this stage; computed at the first call.
    ///
    /// # Errors
    /// If the forecaster cannot be built.
    pub fn forecast(&self, entrant: &Entrant) -> Result<Option<CachedForecast>> {
        let Some(hash) = entrant.forecaster_hash() else { return Ok(None) };
        let weights = entrant.weights.as_ref().map(|hashed| &hashed.weights);
        let ingredients = Ingredients { workload: &self.scenario.workload, weights };
        let source = |source| ExperimentError::Strategy { strategy: entrant.strategy.clone(), source };
        let Some(forecaster) = entrant.spec.build_forecaster(&ingredients).map_err(source)? else { return Ok(None) };
        let visible = self.visible()?;
        let slot = {
            let mut forecasts = self.forecasts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(forecasts.entry(hash).or_default())
        };
        let (start, step) = (self.start(), self.scenario.workload.decision_interval);
        let record = || CachedForecast::record(&*forecaster, &visible.warm_up, start, step, &visible.samples);
        Ok(Some(slot.get_or_init(record).clone()))
    }

    /// First moment.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.traffic.load().start()
    }

    /// The greatest true rate over `horizon` from `from` on: what a forecast is about.
    #[must_use]
    pub fn greatest_rate(&self, from: Timestamp, horizon: Span) -> Option<f64> {
        let slot = self.traffic.slot();
        let first = from.since(self.start()).whole_steps(slot);
        let count = horizon.whole_steps(slot).max(1);
        (first..first + count)
            .map(|index| self.traffic.rate_in_slot(index))
            .try_fold(0.0, |greatest: f64, rate| rate.map(|rate| greatest.max(rate)))
    }

    /// What forecasters see, as the fluid kernel shows it: recorded once while a constant plays. The event kernel shows the same
    /// arrivals (a test compares them), at a thousand times the work.
    fn visible(&self) -> Result<&Visible> {
        if let Some(visible) = self.visible.get() {
            return Ok(visible);
        }
        let recorded = self.record_visible()?;
        Ok(self.visible.get_or_init(|| recorded))
    }

    fn record_visible(&self) -> Result<Visible> {
        let constant = StrategySpec::of(protocol::CONSTANT_POLICY)
            .build(&Ingredients { workload: &self.scenario.workload, weights: None })
            .map_err(|source| ExperimentError::Strategy { strategy: protocol::CONSTANT_POLICY.into(), source })?;
        let mut samples = Vec::new();
        let mut lag = None;
        let driver = Driver { autoscaler: &constant, state: warm_state(&constant, &self.scenario, &self.traffic) };
        let mut rows = |row: &episode::StepRow<'_>| {
            let sample = row.view.observation.arrival_rate();
            lag = lag.or_else(|| sample.map(|sample| row.at.since(sample.at)));
            samples.push(sample);
        };
        run_on(&self.scenario, &self.traffic, driver, &mut rows).map_err(|error| self.error(&error))?;
        // The sample of the first decision is the youngest visible slot; everything older is warm-up.
        let first_visible = self.start() - lag.unwrap_or(self.scenario.workload.metric_lag);
        let warm_up = self.traffic.past_slots().take_while(|slot| slot.end < first_visible).collect();
        Ok(Visible { warm_up, samples })
    }

    fn error(&self, error: &episode::EpisodeError) -> ExperimentError {
        ExperimentError::Environment { place: self.label.clone(), detail: error.to_string() }
    }

    /// Plays an entrant for its costs alone.
    ///
    /// # Errors
    /// See [`Self::play`].
    pub fn score(&self, entrant: &Entrant) -> Result<EpisodeResult> {
        self.play(entrant, &mut no_rows)
    }
}
