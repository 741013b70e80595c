//! Loads that environments share: per slot the true rate, the realised count and the forecast, computed once.

use seatrial_core::scaling::forecast::{DynForecaster, LEVEL_COUNT, Quantiles};
use seatrial_core::scaling::forecasters::CachedForecast;
use seatrial_core::scaling::headroom_space::ln_quantiles;
use seatrial_core::time::Timestamp;

use super::AutoscaleError;
use crate::fluid::world::World;
use crate::load::{EpisodeLoad, Traffic};
use crate::scenario::Scenario;

/// One load as one seed realised it, with a forecast for each decision.
#[derive(Clone, Debug)]
pub struct TrainingLoad {
    pub(crate) start: Timestamp,
    pub(crate) slots: Vec<Slot>,
    /// The first slot at whose beginning an episode can begin.
    first: usize,
}

/// What an environment needs to know at the decision at the beginning of a slot and in that slot: one cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(crate) struct Slot {
    /// True requests per second in this slot.
    pub(crate) rate: f64,
    /// Realised requests per second of the slot that is visible now; NaN if it is missing.
    pub(crate) visible_per_s: f64,
    /// Standard normal of that slot's mean service time.
    pub(crate) visible_deviate: f64,
    /// Median of the forecast made now; not positive if there is none.
    pub(crate) median: f64,
    pub(crate) ln_forecast: [f32; LEVEL_COUNT],
}

/// The loads that episodes are drawn from, each as likely as its number of possible beginnings.
#[derive(Clone, Debug)]
pub struct TrainingLoads {
    pub(super) loads: Vec<TrainingLoad>,
    lag_slots: usize,
}

impl TrainingLoad {
    /// `load` as `seed` realises it, under the scenario's regime. `forecasts[i]` is the forecast made at the decision at the
    /// beginning of slot i (`CachedForecast::record(…).table()` with a step of one decision); those before the first known
    /// one are never used.
    ///
    /// # Errors
    /// If bins are not whole slots or the number of forecasts is not that of the slots.
    pub fn new(
        scenario: &Scenario,
        load: &EpisodeLoad,
        seed: u64,
        forecasts: &[Option<Quantiles>],
    ) -> Result<Self, AutoscaleError> {
        let traffic = Traffic::new(scenario, load, seed)?;
        let count = traffic.realised_per_s().len();
        if forecasts.len() != count {
            return Err(AutoscaleError::Forecasts { load: 0, slots: count, forecasts: forecasts.len() });
        }
        let (start, step, lag) = (traffic.load().start(), traffic.slot(), World::new(scenario).lag);
        let row = |(index, forecast): (i64, &Option<Quantiles>)| {
            let now = start + step * index;
            let visible = traffic.visible_slot(now, lag);
            Slot {
                rate: traffic.rate_in_slot(index).unwrap_or(0.0),
                visible_per_s: traffic.visible_load(now, lag).map_or(f64::NAN, |sample| sample.value),
                visible_deviate: traffic.service_deviate(visible),
                median: forecast.map_or(-1.0, |forecast| forecast.median()),
                ln_forecast: forecast.as_ref().map_or([0.0; LEVEL_COUNT], ln_quantiles),
            }
        };
        let first = forecasts.iter().rposition(Option::is_none).map_or(0, |last| last + 1);
        Ok(Self { start, slots: (0..).zip(forecasts).map(row).collect(), first })
    }
}

impl TrainingLoad {
    /// The first slot at whose beginning an episode can begin.
    pub(crate) const fn first(&self) -> usize {
        self.first
    }

    /// [`TrainingLoad::new`] with the forecasts that `forecaster` makes online, warmed up by the load's history.
    ///
    /// # Errors
    /// If bins are not whole slots.
    pub fn record(
        scenario: &Scenario,
        load: &EpisodeLoad,
        seed: u64,
        forecaster: &dyn DynForecaster,
    ) -> Result<Self, AutoscaleError> {
        let traffic = Traffic::new(scenario, load, seed)?;
        let (start, step, lag) = (traffic.load().start(), traffic.slot(), World::new(scenario).lag);
        let warm_up: Vec<_> = traffic.warm_up(lag).collect();
        let decisions = (0..).zip(traffic.realised_per_s());
        let visible: Vec<_> = decisions.map(|(index, _)| traffic.visible_load(start + step * index, lag)).collect();
        let forecasts = CachedForecast::record(forecaster, &warm_up, start, step, &visible);
        Self::new(scenario, load, seed, forecasts.table())
    }
}

impl TrainingLoads {
    /// The loads, for environments in this scenario.
    ///
    /// # Errors
    /// If there are none.
    pub fn new(scenario: &Scenario, mut loads: Vec<TrainingLoad>) -> Result<Self, AutoscaleError> {
        if loads.is_empty() {
            return Err(AutoscaleError::Range { key: "loads", got: "0".into(), allowed: "at least 1" });
        }
        let world = World::new(scenario);
        let lag_slots = lag_slots(&world);
        for load in &mut loads {
            // The first observation shows a slot that begins this long before the decision.
            load.first = load.first.max(lag_slots + 1);
        }
        Ok(Self { loads, lag_slots })
    }

    /// Slots between the decision and the end of the youngest visible one.
    pub(super) const fn lag_slots(&self) -> usize {
        self.lag_slots
    }

    /// The loads apart, each for environments of its own.
    #[must_use]
    pub fn apart(&self) -> Vec<Self> {
        self.loads.iter().map(|load| Self { loads: vec![load.clone()], lag_slots: self.lag_slots }).collect()
    }

    /// Decisions of the longest episode that every load has room for.
    #[must_use]
    pub fn longest_episode(&self) -> u32 {
        let usable = self.loads.iter().map(|load| load.slots.len().saturating_sub(load.first + 1)).min();
        u32::try_from(usable.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Checks that every load has room for an episode of so many decisions.
    pub(super) fn check_room(&self, steps: u32) -> Result<(), AutoscaleError> {
        let needed = usize::try_from(steps).unwrap_or(usize::MAX);
        for (index, load) in self.loads.iter().enumerate() {
            let usable = load.slots.len().saturating_sub(load.first);
            // The last observation is a decision that must have a forecast too.
            if usable < needed + 1 {
                return Err(AutoscaleError::TooShort { load: index, usable: usable.saturating_sub(1), needed });
            }
        }
        Ok(())
    }

    /// The load and first slot of an episode of `steps` decisions for a draw in (0, 1): all beginnings are alike.
    pub(super) fn beginning(&self, steps: usize, unit: f64) -> (usize, usize) {
        let rooms = self.loads.iter().map(|load| (load.first, load.slots.len().saturating_sub(load.first + steps)));
        drawn(&rooms, unit)
    }
}

/// Which load and slot a draw in (0, 1) means, from the first slot of each load and how many beginnings it has room for.
pub(crate) fn drawn(rooms: &(impl Iterator<Item = (usize, usize)> + Clone), unit: f64) -> (usize, usize) {
    let total: usize = rooms.clone().map(|(_, room)| room).sum();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let mut rank = ((unit * total as f64) as usize).min(total.saturating_sub(1));
    for (index, (first, room)) in rooms.clone().enumerate() {
        if rank < room {
            return (index, first + rank);
        }
        rank -= room;
    }
    (0, rooms.clone().next().map_or(0, |(first, _)| first))
}

/// Whole slots of metric lag, rounded up.
pub(crate) fn lag_slots(world: &World) -> usize {
    let slots = -((-world.lag).whole_steps(world.slot));
    usize::try_from(slots).unwrap_or(0)
}
