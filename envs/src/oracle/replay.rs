//! The plan, run in the kernel: pods are created early enough for their true start-up times and removed when the plan falls.
//!
//! Pods get their draws in the order of creation, so a short start may stand behind a long one. Two rules are tried and the
//! cheaper run is the upper bound: look at the next pod's own start (it comes in time, those behind it may come late), or at
//! the longest start among all pods that the coming rise needs (nobody is late, some are early). While pods are starting
//! nothing is removed: the cluster would remove the starting ones first, and a plan that falls during a start rises soon after.

use seatrial_core::time::{Span, Timestamp};

use crate::episode::EpisodeError;
use crate::fluid::kernel::{Kernel, Settled};
use crate::fluid::world::World;
use crate::load::{Traffic, signed};

/// How far ahead a creation looks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LookAhead {
    /// The next pod's own start-up.
    Own,
    /// The longest start-up among the pods needed at once.
    Longest,
}

/// Runs the plan by both rules and answers with the cheaper run.
pub(crate) fn cheapest(world: &World, traffic: &Traffic, initial: u32, plan: &[u32]) -> Result<Settled, EpisodeError> {
    let own = Replay::new(world, traffic, initial, plan).run(LookAhead::Own)?;
    let longest = Replay::new(world, traffic, initial, plan).run(LookAhead::Longest)?;
    Ok(if longest.total.j(world.costs) < own.total.j(world.costs) { longest } else { own })
}

struct Replay<'a> {
    world: &'a World,
    kernel: Kernel<'a>,
    plan: &'a [u32],
    start: Timestamp,
    bin: Span,
    /// Start-up time of the next created pod.
    own: Span,
    longest: Span,
}

impl<'a> Replay<'a> {
    fn new(world: &'a World, traffic: &'a Traffic, initial: u32, plan: &'a [u32]) -> Self {
        let (start, bin) = (traffic.load().start(), traffic.load().interval());
        let kernel = Kernel::new(*world, traffic, initial);
        let own = kernel.pods().next_start_up(world, 0);
        Self { world, kernel, plan, start, bin, own, longest: world.longest_start_up() }
    }

    fn run(mut self, look_ahead: LookAhead) -> Result<Settled, EpisodeError> {
        let end = self.start + self.bin * signed(self.plan.len());
        let mut now = self.start;
        while now < end {
            if self.is_due(now, look_ahead) {
                self.kernel.advance(now);
                self.create(now, look_ahead);
                self.remove(now);
            }
            now += self.world.step;
        }
        self.kernel.advance(end);
        let settled = self.kernel.settle();
        let conserved = settled.imbalance <= 1e-6;
        if conserved { Ok(settled) } else { Err(EpisodeError::NotConserved { relative: settled.imbalance }) }
    }

    /// Whether anything may have to be done: pods are missing within the look-ahead, or there are more than that calls for.
    fn is_due(&self, now: Timestamp, look_ahead: LookAhead) -> bool {
        let replicas = self.kernel.pods().replicas();
        let needed = self.most_within(now, self.own);
        let longer = look_ahead == LookAhead::Longest && self.most_within(now, self.longest) > replicas;
        needed != replicas || longer
    }

    fn create(&mut self, now: Timestamp, look_ahead: LookAhead) {
        loop {
            let replicas = self.kernel.pods().replicas();
            if self.most_within(now, self.ahead(replicas, now, look_ahead)) <= replicas {
                return;
            }
            self.kernel.scale(replicas + 1);
            self.own = self.kernel.pods().next_start_up(self.world, 0);
        }
    }

    fn ahead(&self, replicas: u32, now: Timestamp, look_ahead: LookAhead) -> Span {
        if look_ahead == LookAhead::Own {
            return self.own;
        }
        let missing = self.most_within(now, self.longest).saturating_sub(replicas);
        let pods = self.kernel.pods();
        (1..u64::from(missing)).map(|ahead| pods.next_start_up(self.world, ahead)).fold(self.own, Span::max)
    }

    fn remove(&mut self, now: Timestamp) {
        let pods = self.kernel.pods();
        let kept = self.most_within(now, self.own);
        if pods.starting() == 0 && pods.ready() > kept {
            self.kernel.scale(kept);
        }
    }

    /// Greatest planned level from `now` until `ahead` later.
    fn most_within(&self, now: Timestamp, ahead: Span) -> u32 {
        let last = self.plan.len() - 1;
        let index = |at: Timestamp| usize::try_from((at - self.start).whole_steps(self.bin)).unwrap_or(0).min(last);
        self.plan[index(now)..=index(now + ahead)].iter().copied().max().unwrap_or(0)
    }
}
