//! Requests of environments on the event kernel: each comes, waits and is served, one [`Floor`] per environment.
//!
//! Pods, guard, estimates, lost scrapes and costs stay those of the rows ([`super::rows`]), so that with equal actions both kernels pay
//! the same pod-seconds and changes to the bit; what is put in place of Erlang C is who waits, is served and is bad. Nothing is
//! allocated once a floor has been as full as it gets: it begins its episodes in the memory that it has.

use seatrial_core::time::{Span, Timestamp};

use crate::events::PastEvent;
use crate::fluid::metrics::SlotMetrics;
use crate::serving::SlotLoad;
use crate::world::protocol::floor::{Floor, Totals};

/// See the module.
pub(super) struct Floors {
    floors: Vec<Floor>,
    /// What each had counted when its slot began.
    before: Vec<Totals>,
    termination: Span,
}

/// What a slot was like.
pub(super) struct Served {
    pub(super) metrics: SlotMetrics,
    pub(super) bad: f64,
}

impl Floors {
    /// One like `idle` for each of `envs` environments.
    pub(super) fn new(idle: &Floor, termination: Span, envs: usize) -> Self {
        Self { floors: vec![idle.clone(); envs], before: vec![Totals::default(); envs], termination }
    }

    /// Begins an episode with `pods` ready pods and the requests of a load from a slot on.
    pub(super) fn begin(&mut self, env: usize, seed: u64, from: (&SlotLoad, usize), pods: u32) {
        self.before[env] = Totals::default();
        in_order(self.floors[env].restart(seed, from, pods));
    }

    /// Lets the slot from `begin` to `end` pass with `ready` pods, of which it has at most as many.
    pub(super) fn pass(&mut self, env: usize, begin: Timestamp, end: Timestamp, ready: u32) -> Served {
        let floor = &mut self.floors[env];
        let run = |floor: &mut Floor| {
            floor.leave(floor.ready().saturating_sub(ready), begin + self.termination)?;
            while let Some(gone) = floor.next_gone().filter(|gone| *gone < end) {
                floor.run_before(gone)?;
                floor.stop_gone(gone)?;
            }
            floor.run_before(end)
        };
        let is_sound = in_order(run(floor));
        let totals = floor.totals();
        let counted = totals.since(&core::mem::replace(&mut self.before[env], totals));
        #[expect(clippy::cast_precision_loss, reason = "requests of a slot")]
        let bad = if is_sound { counted.bad as f64 } else { f64::NAN };
        Served { metrics: counted.metrics((end - begin).as_secs_f64()), bad }
    }

    /// At `now`, the end of a slot, pods become ready until there are `ready`; those whose termination is over are gone.
    pub(super) fn join(&mut self, env: usize, now: Timestamp, ready: u32) {
        let floor = &mut self.floors[env];
        let joining = ready.saturating_sub(floor.ready());
        in_order(floor.stop_gone(now).and_then(|()| floor.join(joining, now)));
    }
}

/// Whether events came in order. They do: a floor is never told of the past; should they not, the step costs NaN.
fn in_order(happened: Result<(), PastEvent>) -> bool {
    debug_assert!(happened.is_ok(), "{happened:?}");
    happened.is_ok()
}
