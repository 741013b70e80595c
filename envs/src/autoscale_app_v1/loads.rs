//! Loads of an application: per slot and service what [`crate::autoscale_v1`] keeps per slot, computed once and shared.

use seatrial_core::scaling::forecast::DynForecaster;
use seatrial_core::time::Timestamp;

use crate::app::service_seed;
use crate::autoscale_v1::loads::{Slot, lag_slots};
use crate::autoscale_v1::{AutoscaleError, TrainingLoad};
use crate::fluid::world::World;
use crate::spec::lower::Lowered;

/// The loads of all services as one seed realised them, with a forecast for each decision.
#[derive(Clone, Debug)]
pub struct AppLoad {
    pub(super) start: Timestamp,
    /// Row `slot × services + service`.
    pub(super) slots: Vec<Slot>,
    /// Requests per second from outside: row `slot × entries + entry`.
    pub(super) direct: Vec<f64>,
    /// The first slot at whose beginning an episode can begin.
    first: usize,
    count: usize,
    services: usize,
}

/// The loads that episodes are drawn from, each as likely as its number of possible beginnings.
#[derive(Clone, Debug)]
pub struct AppLoads {
    pub(super) loads: Vec<AppLoad>,
    lag_slots: usize,
}

impl AppLoad {
    /// The loads of `application` as `seed` realises them, with the forecasts that `forecaster` makes for each service of the calls
    /// that would come if no service kept any back.
    ///
    /// # Errors
    /// If bins are not whole slots.
    pub fn record(application: &Lowered, seed: u64, forecaster: &dyn DynForecaster) -> Result<Self, AutoscaleError> {
        let mut each = Vec::with_capacity(application.services.len());
        for (id, service) in application.services.iter().enumerate() {
            each.push(TrainingLoad::record(&service.scenario, &service.nominal, service_seed(seed, id), forecaster)?);
        }
        let count = each.iter().map(|load| load.slots.len()).min().unwrap_or(0);
        let slots = (0..count).flat_map(|slot| each.iter().map(move |load| load.slots[slot])).collect();
        let mut direct = Vec::new();
        for slot in 0..count {
            for service in application.services.iter() {
                let Some(load) = &service.direct else { continue };
                let per_bin = load.interval().whole_steps(World::new(&service.scenario).slot).max(1);
                let bin = slot / usize::try_from(per_bin).unwrap_or(1);
                direct.push(load.rates_per_s().get(bin).copied().unwrap_or(0.0));
            }
        }
        let first = each.iter().map(TrainingLoad::first).max().unwrap_or(0);
        let start = each.first().map_or(Timestamp::ZERO, |load| load.start);
        Ok(Self { start, slots, direct, first, count, services: each.len() })
    }
}

impl AppLoads {
    /// The loads, for applications like `application`.
    ///
    /// # Errors
    /// If there are none.
    pub fn new(application: &Lowered, mut loads: Vec<AppLoad>) -> Result<Self, AutoscaleError> {
        let lags = application.services.iter().map(|service| lag_slots(&World::new(&service.scenario)));
        let lag_slots = lags.max().unwrap_or(0);
        if loads.is_empty() {
            return Err(AutoscaleError::Range { key: "loads", got: "0".into(), allowed: "at least 1" });
        }
        for load in &mut loads {
            load.first = load.first.max(lag_slots + 1);
        }
        Ok(Self { loads, lag_slots })
    }

    pub(super) const fn lag_slots(&self) -> usize {
        self.lag_slots
    }

    /// Checks that every load is one of so many services and has room for an episode of so many decisions.
    pub(super) fn check(&self, services: usize, steps: u32) -> Result<(), AutoscaleError> {
        let needed = usize::try_from(steps).unwrap_or(usize::MAX);
        for (index, load) in self.loads.iter().enumerate() {
            if load.services != services {
                return Err(AutoscaleError::Range {
                    key: "loads",
                    got: format!("one of {} services", load.services),
                    allowed: "those of the application",
                });
            }
            let usable = load.count.saturating_sub(load.first);
            if usable < needed + 1 {
                return Err(AutoscaleError::TooShort { load: index, usable: usable.saturating_sub(1), needed });
            }
        }
        Ok(())
    }

    /// The load and first slot of an episode of `steps` decisions for a draw in (0, 1): all beginnings are alike.
    pub(super) fn beginning(&self, steps: usize, unit: f64) -> (usize, usize) {
        let rooms = self.loads.iter().map(|load| (load.first, load.count.saturating_sub(load.first + steps)));
        crate::autoscale_v1::loads::drawn(&rooms, unit)
    }
}
