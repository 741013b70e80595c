//! What was counted before the start: a world that begins in the middle of a day knows the scrapes of just before, as if the pods
//! that are there had served them. Counters are negative there and reach zero at the start; a rate sees differences alone.

use seatrial_core::time::Timestamp;

use super::Telemetry;
use super::reading::{IngressTotals, PodTotals};
use super::rings::Row;
use crate::ids::{PodId, ServiceId};

/// What came to a service in a scrape slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PastArrivals {
    /// Calls.
    pub arrived: f64,
    /// Of them bad ones, if known.
    pub bad: Option<f64>,
}

/// What a pod did in a scrape slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PastWork {
    /// Calls completed.
    pub completed: f64,
    /// Seconds from their arrival to completion, summed.
    pub duration_s: f64,
    /// CPU seconds used.
    pub cpu_s: f64,
}

/// A pod that has run for long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastPod {
    /// The pod.
    pub pod: PodId,
    /// When its container started.
    pub started: Timestamp,
    /// Bytes of memory that it used all the while; `None` where memory is not modelled.
    pub memory_bytes: Option<f64>,
}

impl Telemetry {
    /// Fills the ring of a service's ingress with what was `counted` before the start in slot −1, −2 and so on, `None` where nothing is
    /// known. Only for a world that begins at the start; one that runs in before it counts itself.
    pub fn recall(&mut self, service: ServiceId, counted: impl Fn(i64) -> Option<PastArrivals>) {
        let slots = self.known(counted);
        for back in (1..=slots.len()).rev() {
            let bad = slots[..back].iter().map(|slot| slot.bad).sum::<Option<f64>>();
            let arrived = slots[..back].iter().map(|slot| slot.arrived).sum::<f64>();
            let totals = IngressTotals { arrived: -arrived, bad: bad.map(|bad| -bad) };
            let at = self.schedule.before_start(signed(back));
            let found = (!self.schedule.is_lost(at)).then_some(totals);
            self.ingresses.push(service.index(), Row { at, found });
        }
    }

    /// The same for a pod that runs: its ring is empty until the first scrape.
    pub fn recall_pod(&mut self, past: PastPod, counted: impl Fn(i64) -> Option<PastWork>) {
        let Some(track) = self.tracks.of_pod(past.pod) else { return };
        self.tracks.set_started(track, past.started);
        let slots = self.known(counted);
        for back in (1..=slots.len()).rev() {
            let (at, part) = self.schedule.of_pod_before_start(signed(back), past.pod);
            // Of the slot in which it is scraped, what is left of it counts before the start.
            let since = |of: fn(&PastWork) -> f64| {
                slots[..back - 1].iter().map(of).sum::<f64>() + (1.0 - part) * of(&slots[back - 1])
            };
            let totals = PodTotals {
                started: past.started,
                completed: -since(|slot| slot.completed),
                duration_s: -since(|slot| slot.duration_s),
                cpu_s: -since(|slot| slot.cpu_s),
                memory_bytes: past.memory_bytes,
            };
            let found = (!self.schedule.is_lost_of_pod(at, past.pod)).then_some(totals);
            self.pods.push(track, Row { at, found });
        }
    }

    /// Slots −1, −2 and so on as far as anything is known and anybody looks.
    pub(crate) fn known<T>(&self, counted: impl Fn(i64) -> Option<T>) -> Vec<T> {
        (1..=signed(self.schedule.remembered())).map_while(|back| counted(-back)).collect()
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(0)
}
