//! Who waits in a queue of a flow, in the order of arrival: parcels that came over some time and leave over some time.
//!
//! Protocol P1 judges a request when it arrives: at or above capacity it is bad, behind a backlog by the backlog over the present
//! capacity. That is right where the objective is short against the time in which queues and pods change. Where it is longer than the
//! grid on which pods change state (jobs that may wait a minute, the first requests of a service without a pod), it is wrong: what a
//! request waits is decided by the pods that come while it waits. There requests are judged when they leave the queue, by what they
//! waited, as the event kernel does, and counted when they are done ([`super::in_service`]).
//!
//! Invariant: the parcels sum to the queue. Who does not fit came last; who gives up came first, and does so at the end of the stretch in
//! which the client's patience ends.

use std::collections::VecDeque;

use super::in_service::{Finished, InService};
use super::queue::{Flow, Waiting};
use super::world::World;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    parcels: VecDeque<Parcel>,
    service: InService,
    /// Seconds since the beginning.
    now_s: f64,
}

/// What following each request shows beside the amounts of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Followed {
    /// Requests that left the queue while every worker was busy: what they use does not scatter.
    pub(crate) at_capacity: f64,
    pub(crate) finished: Finished,
}

impl Followed {
    pub(crate) fn add(&mut self, other: &Self) {
        self.at_capacity += other.at_capacity;
        self.finished.add(&other.finished);
    }

    /// Over some time of which `flow` is all, in the steady state.
    pub(crate) fn steady(world: &World, flow: &Flow) -> Self {
        let Flow { completed, waited_s, .. } = *flow;
        let finished = Finished { requests: completed, service_s: completed * world.mean_s, waited_s };
        Self { at_capacity: 0.0, finished }
    }
}

/// Requests that arrived evenly from one moment to another.
#[derive(Clone, Copy, Debug)]
struct Parcel {
    from_s: f64,
    to_s: f64,
    amount: f64,
}

/// Those who left the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Left {
    late: f64,
    waited_s: f64,
}

impl Line {
    /// Nobody queued, and in service who is there in the steady state.
    pub(crate) fn new(world: &World, waiting: &Waiting) -> Self {
        Self { service: waiting.in_service(world), ..Self::default() }
    }

    /// Lets `dt_s` seconds pass as `flow` says, which began with `backlog` in the queue, and judges in it those who left the queue.
    pub(crate) fn pass(
        &mut self,
        world: &World,
        waiting: &Waiting,
        (backlog, dt_s): (f64, f64),
        flow: &mut Flow,
    ) -> Followed {
        let busy_s =
            waiting.drained_in_s(world, backlog).unwrap_or(if waiting.is_short() { dt_s } else { 0.0 }).min(dt_s);
        let (busy_share, begin_s) = (if dt_s > 0.0 { busy_s / dt_s } else { 0.0 }, self.now_s);
        let came = flow.arrivals * busy_share;
        if came > 0.0 {
            self.parcels.push_back(Parcel { from_s: begin_s, to_s: begin_s + busy_s, amount: came });
        }
        let served = waiting.capacity() * busy_s;
        // Whoever leaves from the middle of the parcel that comes in now was not there before: drops first, at the tail.
        self.keep_first(served + flow.backlog);
        let left = self.leave(served, busy_s, world.slo_wait_s);
        self.keep_first(flow.backlog);
        self.now_s = begin_s + dt_s;
        let gone = self.give_up(world.timeout_s).min(flow.backlog);
        flow.backlog -= gone;
        flow.dropped += gone;
        let steady = waiting.steady(dt_s - busy_s);
        flow.bad = left.late + flow.dropped + steady.bad;
        let mut finished = self.service.pass(world.mean_s, (served, left.waited_s), busy_s);
        finished.add(&self.service.pass(world.mean_s, (steady.completed, steady.waited_s), dt_s - busy_s));
        Followed { at_capacity: served, finished }
    }

    /// Drops who came last until `amount` are left.
    fn keep_first(&mut self, amount: f64) {
        let mut excess = self.parcels.iter().map(|parcel| parcel.amount).sum::<f64>() - amount;
        while let Some(last) = self.parcels.back_mut().filter(|_| excess > 0.0) {
            if last.amount > excess {
                last.to_s -= (last.to_s - last.from_s) * excess / last.amount;
                last.amount -= excess;
                return;
            }
            excess -= last.amount;
            self.parcels.pop_back();
        }
    }

    /// Drops who has waited longer than `timeout_s`; answers with how many.
    fn give_up(&mut self, timeout_s: f64) -> f64 {
        let (mut gone, latest_s) = (0.0, self.now_s - timeout_s);
        while let Some(first) = self.parcels.front_mut().filter(|first| first.from_s < latest_s) {
            if first.to_s > latest_s {
                let part = first.amount * (latest_s - first.from_s) / (first.to_s - first.from_s);
                first.amount -= part;
                first.from_s = latest_s;
                return gone + part;
            }
            gone += first.amount;
            self.parcels.pop_front();
        }
        gone
    }

    /// Serves `amount` from the front, evenly over the next `busy_s` seconds.
    fn leave(&mut self, amount: f64, busy_s: f64, objective_s: f64) -> Left {
        let (mut left, mut served) = (Left::default(), 0.0);
        while let Some(first) = self.parcels.front_mut().filter(|_| served < amount) {
            let part = (amount - served).min(first.amount);
            let middle_s = first.from_s + (first.to_s - first.from_s) * part / first.amount;
            let leaves_s = |served: f64| self.now_s + busy_s * served / amount;
            let waits_s =
                [leaves_s(served) - first.from_s, leaves_s(served + part) - middle_s].map(|wait| wait.max(0.0));
            left.waited_s += part * 0.5 * (waits_s[0] + waits_s[1]);
            left.late += part * share_above(waits_s, objective_s);
            served += part;
            if part < first.amount {
                (first.from_s, first.amount) = (middle_s, first.amount - part);
            } else {
                self.parcels.pop_front();
            }
        }
        left
    }
}

/// Share of what goes evenly from one number to another that is above `limit`.
fn share_above([one, other]: [f64; 2], limit: f64) -> f64 {
    let (low, high) = (one.min(other), one.max(other));
    if high <= limit {
        0.0
    } else if low >= limit {
        1.0
    } else {
        (high - limit) / (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, Service};

    /// Pods of one worker that serve 1 request a second, with a minute's patience and 600 s until clients give up.
    fn world() -> World {
        let p1 = Scenario::protocol_p1();
        let service = Service { workers: 1, mean_s: 1.0 };
        let scenario = Scenario { service, slo_wait_s: 60.0, client_timeout_s: 600.0, queue_limit_s: 600.0, ..p1 };
        World::new(&scenario).with_queue_limit(Some(1_000.0))
    }

    struct Run {
        line: Line,
        backlog: f64,
        bad: f64,
        waited_s: f64,
        dropped: f64,
    }

    impl Run {
        fn new() -> Self {
            Self { line: Line::default(), backlog: 0.0, bad: 0.0, waited_s: 0.0, dropped: 0.0 }
        }

        fn pass(&mut self, rate: f64, ready: u32, dt_s: f64) {
            let world = world();
            let waiting = Waiting::new(&world, rate, ready);
            let mut flow = waiting.flow(&world, self.backlog, dt_s);
            let before_s = self.line.service.waited_s();
            let followed = self.line.pass(&world, &waiting, (self.backlog, dt_s), &mut flow);
            self.backlog = flow.backlog;
            self.bad += flow.bad;
            self.waited_s += followed.finished.waited_s + self.line.service.waited_s() - before_s;
            self.dropped += flow.dropped;
            let queued: f64 = self.line.parcels.iter().map(|parcel| parcel.amount).sum();
            assert!((queued - self.backlog).abs() < 1e-9, "{queued} {}", self.backlog);
        }
    }

    /// Three a second for 100 s and no pod; then ten pods: who came t seconds after the beginning waits 100 − t + 3t/10.
    #[test]
    fn who_waited_for_the_first_pod_is_judged_by_what_he_waited() {
        for parts in [1, 7] {
            let mut run = Run::new();
            (0..parts).for_each(|_| run.pass(3.0, 0, 100.0 / f64::from(parts)));
            assert_eq!((run.bad, run.backlog.round()), (0.0, 300.0));
            (0..parts).for_each(|_| run.pass(0.0, 10, 35.0 / f64::from(parts)));
            assert_eq!(run.backlog, 0.0);
            // 100 − 0.7 t > 60 up to t = 57.14 s; the mean wait is (100 + 30) / 2.
            assert!((run.bad - 3.0 * 40.0 / 0.7).abs() < 1e-6, "{}", run.bad);
            assert!((run.waited_s - 300.0 * 65.0).abs() < 1e-6, "{}", run.waited_s);
        }
    }

    /// 4 a second at 2 pods: the queue grows by 2 a second, and who comes after t seconds waits t.
    #[test]
    fn overload_is_bad_once_the_queue_is_too_long() {
        let mut run = Run::new();
        run.pass(4.0, 2, 60.0);
        assert_eq!((run.bad, run.backlog), (0.0, 120.0));
        run.pass(4.0, 2, 200.0);
        // Those who leave at time u came at u / 2: late from u = 120 s on.
        assert!((run.bad - 2.0 * 140.0).abs() < 1e-6, "{}", run.bad);
        run.pass(0.0, 2, 300.0);
        assert_eq!(run.backlog, 0.0);
        assert!((run.bad - 4.0 * 200.0).abs() < 1e-6, "all who came after a minute: {}", run.bad);
    }

    #[test]
    fn who_does_not_fit_is_bad_and_the_rest_are_those_who_came_first() {
        let mut run = Run::new();
        run.pass(20.0, 0, 100.0);
        assert_eq!((run.backlog, run.dropped, run.bad), (1_000.0, 1_000.0, 1_000.0), "as many as one pod may have");
        assert_eq!(run.line.parcels[0].to_s, 50.0);
        // Pods for 100 a second: the first one came at 0 s and leaves at 100 s, the last one at 50 s and 110 s; all of them are late.
        run.pass(0.0, 100, 20.0);
        assert!((run.waited_s - 1_000.0 * (100.0 + 60.0) / 2.0).abs() < 1e-6, "{}", run.waited_s);
        assert!((run.bad - 2_000.0).abs() < 1e-6, "{}", run.bad);
    }

    /// 1 a second and no pod for 650 s: the first 50 have given up.
    #[test]
    fn who_has_waited_too_long_is_gone() {
        let mut run = Run::new();
        (0..13).for_each(|_| run.pass(1.0, 0, 50.0));
        assert!(
            (run.backlog - 600.0).abs() < 1e-9 && (run.dropped - 50.0).abs() < 1e-9,
            "{} {}",
            run.backlog,
            run.dropped
        );
        assert_eq!(run.bad, run.dropped);
        assert!((run.line.parcels[0].from_s - 50.0).abs() < 1e-9);
    }

    /// A stretch that drains and goes on in the steady state, at once and in parts.
    #[test]
    fn cutting_a_stretch_changes_nothing() {
        let whole = |parts: u32| {
            let mut run = Run::new();
            for (rate, ready, seconds) in [(9.0, 2, 80.0), (3.0, 9, 200.0), (9.5, 9, 50.0), (2.0, 3, 400.0)] {
                (0..parts).for_each(|_| run.pass(rate, ready, seconds / f64::from(parts)));
            }
            (run.bad, run.waited_s)
        };
        let (once, often) = (whole(1), whole(16));
        assert!(once.0 > 100.0 && (once.0 - often.0).abs() < 1e-6 * once.0, "{once:?} {often:?}");
        assert!((once.1 - often.1).abs() < 1e-6 * once.1, "{once:?} {often:?}");
    }
}
