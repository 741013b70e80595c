//! The same bytes at every size of the batch: one environment alone, 64 and 1,024 side by side, over several episodes.
//!
//! That threads make no difference either is tested where the threads are, in `seatrial-experiments`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "batch/played.rs"]
mod played;

use std::collections::BTreeSet;
use std::sync::Arc;

use played::Played;
use seatrial_core::rl::VectorEnv;
use seatrial_core::scaling::forecast::Quantiles;
use seatrial_core::scaling::guard::GuardConfig;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::autoscale_v1::{AutoscaleConfig, AutoscaleV1, TrainingLoad, TrainingLoads};
use seatrial_envs::load::EpisodeLoad;
use seatrial_envs::registry;
use seatrial_envs::scenario::{Regime, Scenario};
use seatrial_envs::spec::KernelChoice;

const BATCH: usize = 1_024;
const SMALLER: usize = 64;

/// What every instance of `make(1_024)` shows equals what it shows among 64, and every 41st alone; every seed is another world.
fn same_bytes_at_every_size(name: &str, block: usize, steps: u32, make: impl Fn(usize) -> Box<dyn VectorEnv>) {
    let played = |instances: usize| Played::new(make(instances), block);
    let together = played(BATCH).bytes(0, steps, 0..BATCH);
    let mut among = played(SMALLER);
    for first in (0..BATCH).step_by(SMALLER) {
        let bytes = among.bytes(first as u64, steps, 0..SMALLER);
        assert!(together[first..first + SMALLER] == bytes, "{name}: {SMALLER} from {first} on");
    }
    let mut alone = played(1);
    for index in (0..BATCH).step_by(41) {
        assert!(together[index..=index] == alone.bytes(index as u64, steps, 0..1), "{name}: {index} alone");
    }
    assert_eq!(together.iter().collect::<BTreeSet<_>>().len(), BATCH, "{name}: a world twice");
}

/// Little load, so that every request can come by itself a thousand times over; episodes of eight decisions; lost scrapes.
fn small(kernel: KernelChoice, envs: usize) -> Box<dyn VectorEnv> {
    let scenario = Scenario::training_p1().under(Regime::LostScrapes);
    let rates: Vec<f64> = (0..120).map(|minute| if minute % 20 < 15 { 8.0 } else { 60.0 }).collect();
    let load = EpisodeLoad::new(Timestamp::from_secs(86_400), Span::from_secs(60), rates.clone(), rates).unwrap();
    let forecasts = (0..480).map(|slot| {
        let rate = if slot % 80 < 52 { 9.0 } else { 70.0 };
        Some(Quantiles::certain(load.start() + Span::from_secs(15) * slot, Span::from_secs(105), rate))
    });
    let training = TrainingLoad::new(&scenario, &load, 3, &forecasts.collect::<Vec<_>>()).unwrap();
    let loads = Arc::new(TrainingLoads::new(&scenario, vec![training]).unwrap());
    let config = AutoscaleConfig { scenario, guard: GuardConfig::default(), envs, episode_steps: 8, kernel };
    Box::new(AutoscaleV1::new(&config, loads).unwrap())
}

#[test]
fn autoscale_v1_on_the_fluid_kernel() {
    same_bytes_at_every_size("fluid", 1, 30, |envs| small(KernelChoice::Fluid, envs));
}

#[test]
fn autoscale_v1_on_the_event_kernel() {
    same_bytes_at_every_size("events", 1, 20, |envs| small(KernelChoice::Events, envs));
}

#[test]
fn applications() {
    let row = registry::find("autoscale-app-v1").unwrap();
    same_bytes_at_every_size(row.id, row.rows, 20, |instances| (row.example)(KernelChoice::Fluid, instances).unwrap());
}
