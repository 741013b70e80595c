//! The pods of one workload: starting, ready, terminating; every pod-second is paid in one of them.
//!
//! Starting pods are removed first, youngest first, then ready ones, youngest first. Ordinals count the pods created during
//! the episode; the initial pods are older and have none, so start-up draws do not depend on how many there were.

use std::collections::VecDeque;

use seatrial_core::observe::{PodCounts, START_UP_BUCKET, START_UP_BUCKETS};
use seatrial_core::time::{Span, Timestamp};

use super::costs::CostTerms;
use super::world::World;

#[derive(Clone, Copy, Debug)]
struct Starting {
    created_at: Timestamp,
    ready_at: Timestamp,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct PodSet {
    seed: u64,
    created: u64,
    starting: Vec<Starting>,
    /// The earliest moment at which one of them becomes ready.
    next_ready: Option<Timestamp>,
    /// Moment at which each ready pod became ready, ascending.
    ready_since: Vec<Timestamp>,
    gone_at: VecDeque<Timestamp>,
    /// Start-up times of the pods that became ready since they were last taken.
    start_ups: Vec<Span>,
}

impl PodSet {
    /// `ready` pods that have been ready for ever.
    pub(crate) fn new(world: &World, seed: u64, ready: u32) -> Self {
        let room = usize::try_from(world.largest).unwrap_or(0);
        let mut ready_since = Vec::with_capacity(room);
        ready_since.extend((0..ready).map(|_| Timestamp::from_micros(i64::MIN)));
        Self {
            seed,
            created: 0,
            starting: Vec::with_capacity(room),
            next_ready: None,
            ready_since,
            gone_at: VecDeque::with_capacity(room),
            start_ups: Vec::with_capacity(room),
        }
    }

    pub(crate) fn ready(&self) -> u32 {
        count(self.ready_since.len())
    }

    pub(crate) fn starting(&self) -> u32 {
        count(self.starting.len())
    }

    pub(crate) fn terminating(&self) -> u32 {
        count(self.gone_at.len())
    }

    /// Pods that count as replicas: starting and ready.
    pub(crate) fn replicas(&self) -> u32 {
        self.ready() + self.starting()
    }

    /// Creates or removes pods until there are `replicas`; answers with the number of changes.
    pub(crate) fn scale(&mut self, world: &World, now: Timestamp, replicas: u32) -> u32 {
        let present = self.replicas();
        if present == replicas {
            return 0;
        }
        for _ in present..replicas {
            let ready_at = now + world.start_up(self.seed, self.created);
            self.created += 1;
            self.starting.push(Starting { created_at: now, ready_at });
        }
        for _ in replicas..present {
            if self.starting.pop().is_none() {
                self.ready_since.pop();
            }
            self.gone_at.push_back(now + world.termination);
        }
        self.find_next_ready();
        present.abs_diff(replicas)
    }

    /// From now on `ready` pods are ready, because somebody else starts and stops them; the youngest go first.
    pub(crate) fn set_ready(&mut self, now: Timestamp, ready: u32) {
        self.ready_since.resize(usize::try_from(ready).unwrap_or(0), now);
    }

    /// The next moment at which a pod becomes ready.
    pub(crate) fn next_ready(&self) -> Option<Timestamp> {
        self.next_ready
    }

    fn find_next_ready(&mut self) {
        self.next_ready = self.starting.iter().map(|pod| pod.ready_at).min();
    }

    /// Moves the pods whose start-up is over to the ready ones.
    pub(crate) fn become_ready(&mut self, now: Timestamp) {
        if self.next_ready.is_none_or(|next| next > now) {
            return;
        }
        let Self { starting, ready_since, start_ups, .. } = self;
        starting.retain(|pod| {
            let done = pod.ready_at <= now;
            if done {
                ready_since.push(now);
                start_ups.push(pod.ready_at - pod.created_at);
            }
            !done
        });
        self.find_next_ready();
    }

    /// Books the pod-seconds of a stretch in which no pod becomes ready.
    pub(crate) fn pay(&mut self, from: Timestamp, to: Timestamp, terms: &mut CostTerms) {
        let seconds = (to - from).as_secs_f64();
        terms.ready_s += f64::from(self.ready()) * seconds;
        terms.starting_s += f64::from(self.starting()) * seconds;
        while let Some(gone) = self.gone_at.front().filter(|gone| **gone <= to) {
            terms.terminating_s += (*gone - from).max(Span::ZERO).as_secs_f64();
            self.gone_at.pop_front();
        }
        terms.terminating_s += f64::from(self.terminating()) * seconds;
    }

    /// Seconds that the starts under way still take: paid in full at the end.
    pub(crate) fn unfinished_start_s(&self, now: Timestamp) -> f64 {
        self.starting.iter().map(|pod| (pod.ready_at - now).as_secs_f64()).sum()
    }

    /// Counts for a controller; the visible slot, if it is known, samples the pods that were ready all through it.
    pub(crate) fn counts(&self, now: Timestamp, slot_start: Option<Timestamp>) -> PodCounts {
        let mut starting_by_age = [0; START_UP_BUCKETS];
        for pod in &self.starting {
            let bucket = usize::try_from((now - pod.created_at).whole_steps(START_UP_BUCKET)).unwrap_or(0);
            starting_by_age[bucket.min(START_UP_BUCKETS - 1)] += 1;
        }
        let sampled = slot_start.map_or(0, |start| self.ready_since.partition_point(|since| *since <= start));
        PodCounts {
            ready: self.ready(),
            starting_by_age,
            terminating: self.terminating(),
            sampled: count(sampled),
            cpu_milli_per_sampled_pod: 0,
        }
    }

    /// Hands the start-up times seen since the last call to `out`.
    pub(crate) fn take_start_ups(&mut self, out: &mut Vec<Span>) {
        out.clear();
        out.append(&mut self.start_ups);
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn starting_pods_go_first_and_every_second_is_paid() {
        let world = World::new(&Scenario::protocol_p1());
        let mut pods = PodSet::new(&world, 1, 3);
        assert_eq!(pods.scale(&world, at(0), 6), 3);
        assert_eq!((pods.ready(), pods.starting()), (3, 3));
        let mut terms = CostTerms::default();
        pods.pay(at(0), at(10), &mut terms);
        assert_eq!((terms.ready_s, terms.starting_s), (30.0, 30.0));
        let first_two: Vec<Span> = (0..2).map(|ordinal| world.start_up(1, ordinal)).collect();
        assert_eq!(pods.scale(&world, at(10), 5), 1);
        let left: Vec<Span> = pods.starting.iter().map(|pod| pod.ready_at - pod.created_at).collect();
        assert_eq!(left, first_two, "the youngest went");
        assert_eq!(pods.scale(&world, at(10), 2), 3);
        assert_eq!((pods.ready(), pods.starting(), pods.terminating()), (2, 0, 4));
        let mut terms = CostTerms::default();
        pods.pay(at(10), at(12), &mut terms);
        pods.pay(at(12), at(20), &mut terms);
        assert_eq!((terms.ready_s, terms.terminating_s, pods.terminating()), (20.0, 20.0, 0));
    }

    #[test]
    fn draws_follow_ordinals_and_fresh_pods_are_not_sampled() {
        let world = World::new(&Scenario::protocol_p1());
        let mut pods = PodSet::new(&world, 1, 2);
        pods.scale(&world, at(0), 3);
        let ready_at = pods.next_ready().unwrap();
        assert_eq!(ready_at, at(0) + world.start_up(1, 0));
        assert_eq!(pods.counts(at(31), Some(at(0))).starting_by_age[2], 1);
        pods.become_ready(ready_at);
        assert_eq!(pods.next_ready(), None);
        assert_eq!(pods.counts(ready_at, Some(ready_at - Span::from_secs(1))).sampled, 2);
        assert_eq!(pods.counts(ready_at, Some(ready_at)).sampled, 3);
        assert_eq!(pods.counts(ready_at, None).sampled, 0, "nothing is known of a missing slot");
        let mut seen = vec![Span::ZERO];
        pods.take_start_ups(&mut seen);
        assert_eq!(seen, [world.start_up(1, 0)]);
        pods.take_start_ups(&mut seen);
        assert_eq!(seen, []);
    }

    #[test]
    fn an_unfinished_start_is_owed() {
        let world = World::new(&Scenario::protocol_p1());
        let mut pods = PodSet::new(&world, 1, 1);
        pods.scale(&world, at(0), 2);
        let whole = world.start_up(1, 0).as_secs_f64();
        assert_eq!(pods.unfinished_start_s(at(10)), whole - 10.0);
    }
}
