//! What each pod has counted: what happened is split evenly over the pods that serve.
//!
//! A pod counts from 0 from the moment it exists, so that the first interval in which it serves begins with a known value.
//! Requests that come while no pod serves reach none: they are kept beside, and no pod ever shows them.

use std::collections::BTreeMap;

use seatrial_envs::rehearsal::Amounts;

use super::fleet::{Fleet, PodKey};

/// A pod's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// Whether it serves.
    pub serves: bool,
    /// What it has counted.
    pub amounts: Amounts,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    pods: BTreeMap<PodKey, Counted>,
    unrouted: f64,
}

impl Counters {
    /// From now on these pods are there.
    pub fn set(&mut self, fleet: &Fleet) {
        self.pods.retain(|key, _| fleet.contains_key(key));
        for (key, serves) in fleet {
            self.pods.entry(key.clone()).or_default().serves = *serves;
        }
    }

    /// Pods that serve.
    #[must_use]
    pub fn serving(&self) -> u32 {
        let serving = self.pods.values().filter(|pod| pod.serves).count();
        u32::try_from(serving).unwrap_or(u32::MAX)
    }

    /// Counts `amounts`, `times` over, on the pods that serve.
    pub fn add(&mut self, amounts: &Amounts, times: f64) {
        match self.serving() {
            0 => self.unrouted += amounts.requests * times,
            serving => {
                let share = times / f64::from(serving);
                self.pods.values_mut().filter(|pod| pod.serves).for_each(|pod| pod.amounts.add(amounts, share));
            }
        }
    }

    /// The pods that are there, by name.
    pub fn pods(&self) -> impl Iterator<Item = (&PodKey, &Counted)> {
        self.pods.iter()
    }

    /// Requests that came while no pod served.
    #[must_use]
    pub const fn unrouted(&self) -> f64 {
        self.unrouted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(pods: &[(&str, bool)]) -> Fleet {
        pods.iter().map(|(name, serves)| (PodKey { name: (*name).into(), uid: "1".into() }, *serves)).collect()
    }

    fn requests(counters: &Counters) -> Vec<f64> {
        counters.pods().map(|(_, counted)| counted.amounts.requests).collect()
    }

    #[test]
    fn serving_pods_share_evenly_and_the_others_stand_still() {
        let happened = Amounts { requests: 12.0, good: 6.0, completed: 12.0, cpu_s: 1.2, duration_s: 3.0 };
        let mut counters = Counters::default();
        counters.add(&happened, 1.0);
        assert_eq!((requests(&counters), counters.unrouted()), (vec![], 12.0));
        counters.set(&fleet(&[("a", true), ("b", false)]));
        assert_eq!(requests(&counters), [0.0, 0.0], "from 0 from the moment it exists");
        counters.add(&happened, 0.5);
        counters.set(&fleet(&[("a", true), ("b", true), ("c", true)]));
        counters.add(&happened, 1.0);
        assert_eq!(requests(&counters), [10.0, 4.0, 4.0]);
        counters.set(&fleet(&[("a", false), ("b", true)]));
        counters.add(&happened, 1.0);
        assert_eq!(
            (requests(&counters), counters.serving()),
            (vec![10.0, 16.0], 1),
            "who stands still keeps its counters"
        );
        counters.set(&fleet(&[("c", true)]));
        assert_eq!(requests(&counters), [0.0], "who comes back begins anew");
        assert_eq!(counters.unrouted(), 12.0);
    }
}
