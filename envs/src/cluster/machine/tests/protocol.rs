//! Protocol P1: the same pods as in the fluid kernel.

use proptest::prelude::*;

use super::*;
use crate::fluid::pods::PodSet;
use crate::fluid::world::World;
use crate::scenario::{Regime, Scenario};

/// Both kernels' pods in lockstep.
struct Pair {
    rig: Rig,
    set: PodSet,
    world: World,
}

impl Pair {
    fn new(scenario: &Scenario, seed: u64, initial: u32) -> Self {
        let world = World::new(scenario);
        let set = PodSet::new(&world, seed, initial);
        let rig = Rig::of(Cluster::protocol_p1(scenario, Timestamp::ZERO, seed, initial, true));
        Self { rig, set, world }
    }

    fn run_until(&mut self, seconds: f64) {
        let now = Timestamp::ZERO + Span::from_secs_f64(seconds);
        while let Some(next) = self.set.next_ready().filter(|next| *next <= now) {
            self.set.become_ready(next);
            self.pay(next);
        }
        self.pay(now);
        self.rig.run_until(seconds);
    }

    /// Lets the fluid kernel forget pods that are gone.
    fn pay(&mut self, to: Timestamp) {
        self.set.pay(to, to, &mut crate::fluid::costs::CostTerms::default());
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let counts = self.rig.cluster.counts_of(WEB);
        prop_assert_eq!((counts.starting, counts.ready), (self.set.starting(), self.set.ready()));
        prop_assert_eq!(counts.terminating, self.set.terminating());
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.rig.cluster.take_start_ups(WEB, &mut ours);
        self.set.take_start_ups(&mut theirs);
        // Pods that become ready in one moment are listed in another order.
        ours.sort_unstable();
        theirs.sort_unstable();
        prop_assert_eq!(ours, theirs);
        let now = self.rig.queue.now();
        prop_assert_eq!(self.rig.cluster.unfinished_start_s(WEB, now), self.set.unfinished_start_s(now));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pods_are_those_of_the_fluid_kernel(
        seed in 0..1_000_u64,
        initial in 0..20_u32,
        slow in proptest::bool::ANY,
        steps in proptest::collection::vec((0..40_u32, 0..200_u32), 1..40),
    ) {
        let scenario = Scenario::protocol_p1().under(if slow { Regime::SlowStart } else { Regime::Plain });
        let mut pair = Pair::new(&scenario, seed, initial);
        let mut now = 0.0;
        for (replicas, half_seconds) in steps {
            let at = pair.rig.queue.now();
            let changes = pair.set.scale(&pair.world, at, replicas);
            let before = pair.rig.cluster.churn_of(WEB);
            pair.rig.scale(replicas);
            let after = pair.rig.cluster.churn_of(WEB);
            let churn = after.created + after.deleted - before.created - before.deleted;
            prop_assert_eq!(churn, u64::from(changes));
            now += f64::from(half_seconds) / 2.0;
            pair.run_until(now);
            pair.compare()?;
        }
    }
}

#[test]
fn start_ups_are_drawn_as_in_the_fluid_kernel_and_rounded_only_if_asked() {
    let scenario = Scenario::protocol_p1();
    let world = World::new(&scenario);
    for rounded in [true, false] {
        let mut rig = Rig::of(Cluster::protocol_p1(&scenario, Timestamp::ZERO, 5, 2, rounded));
        let sequences: Vec<u64> = (0..50).collect();
        rig.scale(52);
        let mut exact = 0;
        for ordinal in &sequences {
            let slot = rig.pods()[2 + *ordinal as usize].slot;
            let due = rig.cluster.pods.get(slot).due.since(Timestamp::ZERO);
            let off = (due - world.start_up(5, *ordinal)).micros().abs();
            assert!(off <= if rounded { 0 } else { 500_000 }, "ordinal {ordinal} is off by {off} us");
            exact += i32::from(off == 0);
        }
        assert!(if rounded { exact == 50 } else { exact < 5 });
    }
}

#[test]
fn a_removed_pod_is_there_for_five_seconds_whatever_it_still_does() {
    for drains in [true, false] {
        let mut rig = Rig::of(Cluster::protocol_p1(&Scenario::protocol_p1(), Timestamp::ZERO, 1, 3, false));
        rig.drains = drains;
        rig.scale(4);
        rig.scale(2);
        assert_eq!(rig.counts(), [2, 0, 0, 2, 2]);
        rig.run_until(4.999);
        assert_eq!(rig.counts(), [2, 0, 0, 2, 2]);
        rig.run_until(5.0);
        assert_eq!(rig.counts(), [2, 0, 0, 2, 0]);
    }
}
