//! The plan, run in the kernel: pods are created by the schedule (module `schedule`) and removed when the plan falls.
//!
//! While pods are starting nothing is removed: the cluster would remove the starting ones first, and a plan that falls during a
//! start rises soon after. Pods that stay for that reason serve the next rise, whose creation is then left out.

use seatrial_core::time::{Span, Timestamp};

use super::schedule::{Creation, Task, creations};
use crate::episode::{EpisodeError, EpisodeResult, settle};
use crate::fluid::kernel::Kernel;
use crate::load::Traffic;

/// Runs the plan of `task` on `traffic`.
pub(super) fn run(task: &Task<'_>, traffic: &Traffic) -> Result<EpisodeResult, EpisodeError> {
    let schedule = creations(task);
    let kernel = Kernel::new(*task.world, traffic, task.initial);
    Replay { task, traffic, kernel, wanted: i64::from(task.initial), schedule: &schedule, falls: falls(task) }.run()
}

/// A moment at which the plan falls, and by how many pods.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fall {
    bin: usize,
    pods: u32,
}

/// Falls of the plan, the last one first.
fn falls(task: &Task<'_>) -> Vec<Fall> {
    let mut falls = Vec::new();
    let mut level = task.initial;
    for (bin, ready) in task.plan.iter().enumerate() {
        if *ready < level {
            falls.push(Fall { bin, pods: level - ready });
        }
        level = *ready;
    }
    falls.reverse();
    falls
}

struct Replay<'a> {
    task: &'a Task<'a>,
    traffic: &'a Traffic,
    kernel: Kernel<'a>,
    /// Replicas that the plan and the schedule call for at the moment.
    wanted: i64,
    schedule: &'a [Creation],
    falls: Vec<Fall>,
}

impl Replay<'_> {
    fn run(mut self) -> Result<EpisodeResult, EpisodeError> {
        let end = self.traffic.load().end();
        while let Some(next) = self.next_event().filter(|next| *next < end) {
            self.kernel.advance(next);
            while let Some(fall) = self.falls.pop_if(|fall| self.traffic.load().begin_of(fall.bin) <= next) {
                self.wanted -= i64::from(fall.pods);
            }
            self.remove();
            while let Some((creation, later)) = self.schedule.split_first()
                && self.moment(creation) <= next
            {
                self.schedule = later;
                self.create(*creation);
            }
        }
        self.kernel.advance(end);
        settle(self.kernel, EpisodeResult::at_the_start(self.task.initial))
    }

    fn next_event(&self) -> Option<Timestamp> {
        let fall = self.falls.last().map(|fall| self.traffic.load().begin_of(fall.bin));
        let creation = self.schedule.first().map(|creation| self.moment(creation));
        // Pods that have to go wait until none is starting.
        let owed = if self.excess() > 0 { self.kernel.pods().next_ready() } else { None };
        [fall, creation, owed].into_iter().flatten().min()
    }

    fn moment(&self, creation: &Creation) -> Timestamp {
        let start = self.traffic.load().start();
        start + Span::from_secs_f64(creation.at_s).max(Span::ZERO)
    }

    fn excess(&self) -> i64 {
        i64::from(self.kernel.pods().replicas()) - self.wanted.max(i64::from(self.task.world.smallest))
    }

    fn remove(&mut self) {
        let excess = u32::try_from(self.excess()).unwrap_or(0);
        if excess > 0 && self.kernel.pods().starting() == 0 {
            self.kernel.scale(self.kernel.pods().replicas() - excess);
        }
    }

    fn create(&mut self, creation: Creation) {
        self.wanted += 1;
        let replicas = self.kernel.pods().replicas();
        if i64::from(replicas) >= self.wanted {
            return;
        }
        for _ in 0..creation.thrown_away {
            self.kernel.scale(replicas + 1);
            self.kernel.scale(replicas);
        }
        self.kernel.scale(replicas + 1);
    }
}
