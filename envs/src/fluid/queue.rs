//! Waiting while rate and ready pods are constant: Erlang C without backlog, a fluid that fills or drains with it.
//!
//! With a backlog b ahead of it a request may wait b / capacity less, so P(bad) = C · exp(−spare · (objective − b / capacity)), and 1
//! once the objective is used up. While the backlog drains at the spare rate that has a closed integral; no time step is involved.
//! Work that is not exponential makes those who wait do so longer or shorter ([`super::work`]).
//! At or above capacity every request is bad. Never is the share of bad requests below its value at zero backlog: the
//! oracle's bound rests on that.

use seatrial_core::math;

use super::in_service::InService;
use super::work::Work;
use super::world::World;

/// P(wait) below this counts as 0; no cost shows it.
pub(crate) const NEVER: f64 = 1e-15;

/// Requests per second, pods, and what they serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) rate: f64,
    pub(crate) ready: u32,
    pub(crate) capacity: f64,
}

/// Waiting at one rate and one number of ready pods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    rate: f64,
    ready: u32,
    capacity: f64,
    spare: f64,
    /// Per second, at which the probability to wait longer falls: the spare rate for exponential work.
    decay: f64,
    /// P(wait > 0) in M/M/c, 1 in overload.
    p_wait: f64,
    /// P(wait > objective) without backlog.
    pub(crate) p_bad: f64,
    mean_wait_s: f64,
}

/// What a stretch of time did, in requests and request-seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Flow {
    pub(crate) arrivals: f64,
    pub(crate) completed: f64,
    /// Beyond the queue limit or given up.
    pub(crate) dropped: f64,
    pub(crate) bad: f64,
    /// Queue at the end.
    pub(crate) backlog: f64,
    /// Seconds waited, summed over the requests that arrived.
    pub(crate) waited_s: f64,
}

impl Waiting {
    pub(crate) fn new(world: &World, rate: f64, ready: u32) -> Self {
        let servers = world.workers * ready;
        let capacity = f64::from(servers) / world.mean_s;
        if capacity <= rate {
            return Self::overloaded(rate, ready, capacity);
        }
        Self::with_p_wait(world, rate, ready, math::erlang_c(servers, rate * world.mean_s))
    }

    /// Waiting with Erlang C already known; it is not looked at in overload.
    pub(crate) fn with_p_wait(world: &World, rate: f64, ready: u32, p_wait: f64) -> Self {
        let capacity = f64::from(world.workers * ready) / world.mean_s;
        if capacity <= rate {
            return Self::overloaded(rate, ready, capacity);
        }
        let tail = if p_wait > NEVER { math::exp(-world.decay(capacity - rate) * world.slo_wait_s) } else { 0.0 };
        Self::below_capacity(world, Load { rate, ready, capacity }, p_wait, tail)
    }

    /// At or above capacity.
    #[inline]
    pub(crate) const fn overloaded(rate: f64, ready: u32, capacity: f64) -> Self {
        let spare = capacity - rate;
        Self { rate, ready, capacity, spare, decay: spare, p_wait: 1.0, p_bad: 1.0, mean_wait_s: 0.0 }
    }

    /// Below capacity, with P(wait > 0) and the tail beyond the objective already known: exp(−spare · objective) for exponential work.
    #[inline]
    pub(crate) fn below_capacity(world: &World, load: Load, p_wait: f64, tail: f64) -> Self {
        let Load { rate, ready, capacity } = load;
        let spare = capacity - rate;
        let decay = world.decay(spare);
        let mean_wait_s = (p_wait / decay).min(world.timeout_s);
        Self { rate, ready, capacity, spare, decay, p_wait, p_bad: p_wait * tail, mean_wait_s }
    }

    /// The service of who comes without a backlog, as if it had always been so.
    pub(crate) fn in_service(&self, world: &World) -> InService {
        InService::steady(self.rate_through(), world.mean_s, self.mean_wait_s)
    }

    /// Whether it describes this rate and these pods: the memo of the kernel.
    pub(crate) fn is_for(&self, rate: f64, ready: u32) -> bool {
        self.ready == ready && self.rate.to_bits() == rate.to_bits()
    }

    /// Whether both describe the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.is_for(other.rate, other.ready)
    }

    /// Requests per second that the ready pods can serve.
    pub(crate) const fn capacity(&self) -> f64 {
        self.capacity
    }

    /// Requests per second that are completed without a backlog that shrinks.
    pub(crate) const fn rate_through(&self) -> f64 {
        if self.spare <= 0.0 { self.capacity } else { self.rate }
    }

    /// P95 of the wait without backlog in seconds, from C · exp(−decay · t) = 0.05; 0 at or above capacity.
    pub(crate) fn random_p95_s(&self) -> f64 {
        // At most one in twenty waits at all: no logarithm is needed to see that.
        if self.spare <= 0.0 || self.p_wait <= 0.05 { 0.0 } else { math::ln(self.p_wait / 0.05) / self.decay }
    }

    /// P95 of the wait behind a backlog, in seconds, given [`Self::random_p95_s`]; at most the client timeout.
    pub(crate) fn p95_behind_s(&self, world: &World, random_s: f64, backlog: f64) -> f64 {
        if self.capacity <= 0.0 {
            return if self.rate > 0.0 { world.timeout_s } else { 0.0 };
        }
        (backlog / self.capacity + random_s).min(world.timeout_s)
    }

    /// Lets `dt_s` seconds pass with `backlog` requests queued at their beginning.
    #[inline]
    pub(crate) fn flow(&self, world: &World, backlog: f64, dt_s: f64) -> Flow {
        if backlog == 0.0 && self.spare > 0.0 {
            return self.steady(dt_s);
        }
        let limit = world.longest_queue(self.capacity);
        let kept = backlog.min(limit);
        let mut flow = if self.spare <= 0.0 {
            self.fill(world, kept, limit, dt_s)
        } else if kept > 0.0 {
            self.drain(world, kept, dt_s)
        } else {
            self.steady(dt_s)
        };
        flow.dropped += backlog - kept;
        flow
    }

    /// Seconds until `backlog` is gone, if it shrinks.
    pub(crate) fn drained_in_s(&self, world: &World, backlog: f64) -> Option<f64> {
        let kept = backlog.min(world.longest_queue(self.capacity));
        (kept > 0.0 && self.spare > 0.0).then(|| kept / self.spare)
    }

    /// Seconds until no more fit into the queue, if it grows and some still do.
    pub(crate) fn full_in_s(&self, world: &World, backlog: f64) -> Option<f64> {
        let room = world.longest_queue(self.capacity) - backlog;
        (room > 0.0 && self.spare < 0.0).then(|| room / -self.spare)
    }

    /// The distribution of the time from arrival to completion without backlog, below capacity: P(T > t), of M/M/c for exponential work.
    fn stays_longer(&self, world: &World, work: &Work, seconds: f64) -> f64 {
        if let Some(quantiles) = work.quantiles() {
            let left = |unit: &f64| {
                let after_s = seconds - unit * world.mean_s;
                if after_s < 0.0 { 1.0 } else { self.p_wait * math::exp(-self.decay * after_s) }
            };
            return quantiles.iter().map(left).sum::<f64>() / quantiles.len().max(1) as f64;
        }
        let (service, spare) = (1.0 / world.mean_s, self.spare);
        let served = math::exp(-service * seconds);
        // At equal rates the difference quotient becomes a derivative.
        let waited = if (service - spare).abs() < 1e-9 * service {
            (1.0 + service * seconds) * served
        } else {
            (service * math::exp(-spare * seconds) - spare * served) / (service - spare)
        };
        (1.0 - self.p_wait) * served + self.p_wait * waited
    }

    /// The time that a share `level` of the calls does not exceed from arrival to completion, without backlog and below capacity.
    pub(crate) fn stay_quantile_s(&self, world: &World, work: &Work, level: f64) -> Option<f64> {
        if self.spare <= 0.0 || self.rate <= 0.0 {
            return None;
        }
        let (mut low, mut high) = (0.0, world.mean_s);
        while self.stays_longer(world, work, high) > 1.0 - level {
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.stays_longer(world, work, middle) > 1.0 - level { low = middle } else { high = middle }
        }
        Some(high)
    }

    /// Whether the pods are too few, so that a queue grows or stays.
    pub(crate) const fn is_short(&self) -> bool {
        self.spare <= 0.0
    }

    /// Time without anybody queued, below capacity; nothing happens at or above it.
    #[inline]
    pub(crate) fn steady(&self, dt_s: f64) -> Flow {
        let arrivals = self.rate * dt_s;
        Flow {
            arrivals,
            completed: arrivals,
            bad: arrivals * self.p_bad,
            waited_s: arrivals * self.mean_wait_s,
            ..Flow::default()
        }
    }

    fn fill(&self, world: &World, backlog: f64, limit: f64, dt_s: f64) -> Flow {
        let arrivals = self.rate * dt_s;
        let grown = backlog - self.spare * dt_s;
        let end = grown.min(limit);
        let wait_s = if self.capacity > 0.0 { 0.5 * (backlog + end) / self.capacity } else { world.timeout_s };
        Flow {
            arrivals,
            completed: self.capacity * dt_s,
            dropped: grown - end,
            bad: arrivals,
            backlog: end,
            waited_s: arrivals * wait_s,
        }
    }

    fn drain(&self, world: &World, backlog: f64, dt_s: f64) -> Flow {
        let busy_s = (backlog / self.spare).min(dt_s);
        let end = if busy_s < dt_s { 0.0 } else { (backlog - self.spare * busy_s).max(0.0) };
        let arrivals = self.rate * dt_s;
        let bad_s = self.bad_seconds(world, backlog, busy_s) + (dt_s - busy_s) * self.p_bad;
        let queued_s = 0.5 * (backlog + end) / self.capacity * self.rate * busy_s;
        Flow {
            arrivals,
            completed: self.capacity * busy_s + self.rate * (dt_s - busy_s),
            dropped: 0.0,
            bad: self.rate * bad_s,
            backlog: end,
            waited_s: arrivals * self.mean_wait_s + queued_s,
        }
    }

    /// Integral of P(bad) over `busy_s` seconds of draining from `backlog`.
    fn bad_seconds(&self, world: &World, backlog: f64, busy_s: f64) -> f64 {
        let allowed = world.slo_wait_s * self.capacity;
        let late_s = ((backlog - allowed) / self.spare).clamp(0.0, busy_s);
        let rest_s = busy_s - late_s;
        let queued_s = (backlog - self.spare * late_s) / self.capacity;
        // P falls exponentially in time: at rate spare² / capacity for exponential work.
        let at_first = self.p_wait * math::exp(-self.decay * (world.slo_wait_s - queued_s).max(0.0));
        let decay = self.decay * self.spare / self.capacity;
        let exponent = decay * rest_s;
        let lasting_s =
            if exponent < 1e-6 { rest_s * (1.0 - 0.5 * exponent) } else { (1.0 - math::exp(-exponent)) / decay };
        late_s + at_first * lasting_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// The same rules in steps of a millisecond, written from protocol P1 §6 with Erlang C as a sum.
    #[expect(clippy::disallowed_methods, reason = "the reference uses std's exp on purpose")]
    fn stepped(rate: f64, pods: u32, mut backlog: f64, seconds: u32) -> Flow {
        let servers = f64::from(4 * pods);
        let capacity = servers / 0.08;
        let offered = rate * 0.08;
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..4 * pods {
            term *= offered / f64::from(k);
            sum += term;
        }
        let last = term * offered / servers / (1.0 - offered / servers);
        let erlang = last / (sum + last);
        let dt = 1e-3;
        let mut total = Flow::default();
        for _ in 0..seconds * 1_000 {
            let limit = 5.0 * capacity;
            total.dropped += (backlog - limit).max(0.0);
            backlog = backlog.min(limit);
            let left = 0.120 - backlog / capacity;
            let bad = if left < 0.0 || rate >= capacity { 1.0 } else { erlang * f64::exp(-(capacity - rate) * left) };
            let served = (backlog + rate * dt).min(capacity * dt);
            total.arrivals += rate * dt;
            total.bad += rate * dt * bad;
            total.completed += served;
            backlog += rate * dt - served;
        }
        total.dropped += (backlog - 5.0 * capacity).max(0.0);
        total.backlog = backlog.min(5.0 * capacity);
        total
    }

    #[test]
    fn closed_form_equals_millisecond_steps() {
        let world = World::new(&Scenario::protocol_p1());
        let cases = [
            (400.0, 10, 0.0),
            (400.0, 10, 300.0),
            (400.0, 10, 30.0),
            (480.0, 10, 900.0),
            (499.0, 10, 55.0),
            (700.0, 10, 0.0),
            (700.0, 10, 2_400.0),
            (90.0, 2, 4_000.0),
            (45.0, 1, 4.0),
        ];
        for (rate, pods, backlog) in cases {
            let got = Waiting::new(&world, rate, pods).flow(&world, backlog, 20.0);
            let expected = stepped(rate, pods, backlog, 20);
            for (name, got, expected) in [
                ("arrivals", got.arrivals, expected.arrivals),
                ("completed", got.completed, expected.completed),
                ("dropped", got.dropped, expected.dropped),
                ("bad", got.bad, expected.bad),
                ("backlog", got.backlog, expected.backlog),
            ] {
                let close = (got - expected).abs() <= 2e-3 * expected.abs() + 0.5;
                assert!(close, "{name} at {rate} on {pods} with {backlog}: {got} {expected}");
            }
        }
    }

    #[test]
    fn conserves_requests_and_composes() {
        let world = World::new(&Scenario::protocol_p1());
        for (rate, pods, backlog) in
            [(400.0, 10, 700.0), (700.0, 3, 700.0), (0.0, 0, 9.0), (5.0, 0, 0.0), (0.0, 2, 900.0)]
        {
            let waiting = Waiting::new(&world, rate, pods);
            let whole = waiting.flow(&world, backlog, 8.0);
            let balance = backlog + whole.arrivals - whole.completed - whole.dropped - whole.backlog;
            assert!(balance.abs() < 1e-9, "{rate} on {pods}: {balance}");
            let first = waiting.flow(&world, backlog, 3.0);
            let second = waiting.flow(&world, first.backlog, 5.0);
            assert!((first.bad + second.bad - whole.bad).abs() < 1e-9 * (1.0 + whole.bad), "{rate} on {pods}");
            assert!((first.dropped + second.dropped - whole.dropped).abs() < 1e-9, "{rate} on {pods}");
            assert!((second.backlog - whole.backlog).abs() < 1e-9, "{rate} on {pods}");
        }
    }

    /// Where a queue in requests is allowed it fills while no pod is ready, and the first pod serves what its clients wait for.
    #[test]
    fn requests_wait_for_a_first_pod_up_to_the_limit() {
        let p1 = World::new(&Scenario::protocol_p1());
        let world = p1.with_queue_limit(Some(100.0));
        let none = Waiting::new(&world, 30.0, 0);
        let first = none.flow(&world, 0.0, 2.0);
        assert_eq!((first.backlog, first.dropped, first.bad, first.completed), (60.0, 0.0, 60.0, 0.0));
        let full = none.flow(&world, first.backlog, 2.0);
        assert_eq!((full.backlog, full.dropped), (100.0, 20.0));
        let silent = Waiting::new(&world, 0.0, 0).flow(&world, 100.0, 60.0);
        assert_eq!((silent.backlog, silent.dropped), (100.0, 0.0), "who waits goes on waiting");
        let served = Waiting::new(&world, 0.0, 1).flow(&world, 100.0, 2.0);
        assert!((served.completed - 100.0).abs() < 1e-9 && served.backlog == 0.0);
        let other = none.flow(&p1, 0.0, 2.0);
        assert_eq!((other.backlog, other.dropped), (0.0, 60.0), "protocol P1 has no such queue");
        // With pods the clients' patience binds: 5 s of 50 requests/s.
        assert_eq!(Waiting::new(&world, 90.0, 1).flow(&p1.with_queue_limit(Some(1e9)), 0.0, 60.0).backlog, 250.0);
    }

    /// M/M/1: the time in the system is exponential with rate μ − λ.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the reference uses std's ln on purpose")]
    fn the_stay_of_one_worker_is_exponential() {
        let mut p1 = Scenario::protocol_p1();
        p1.service.workers = 1;
        let world = World::new(&p1);
        let waiting = Waiting::new(&world, 10.0, 1);
        for level in [0.5, 0.95, 0.99_f64] {
            let expected = -(1.0 - level).ln() / (1.0 / 0.08 - 10.0);
            assert!((waiting.stay_quantile_s(&world, &Work::EXPONENTIAL, level).unwrap() - expected).abs() < 1e-9);
        }
        assert_eq!(Waiting::new(&world, 12.5, 1).stay_quantile_s(&world, &Work::EXPONENTIAL, 0.5), None);
    }

    /// M/D/1: Pollaczek and Khinchine give half the mean wait of M/M/1, and nobody is served in less than the constant.
    #[test]
    fn constant_work_waits_half_as_long() {
        let mut p1 = Scenario::protocol_p1();
        p1.service.workers = 1;
        let work = Work::new(1.0, 1.0, |_| 1.0);
        let world = World::new(&p1).with_work(&work);
        let waiting = Waiting::new(&world, 10.0, 1);
        let flow = waiting.steady(100.0);
        // λ E[S²] / 2 (1 − ρ) = 10 · 0.0064 / 0.4 = 0.16 s.
        assert!((flow.waited_s / flow.arrivals - 0.16).abs() < 1e-12, "{flow:?}");
        let plain = Waiting::new(&World::new(&p1), 10.0, 1);
        assert!(waiting.p_bad < plain.p_bad && waiting.random_p95_s() * 2.0 == plain.random_p95_s());
        let quantile = |level| waiting.stay_quantile_s(&world, &work, level).unwrap();
        assert!((quantile(0.1) - 0.08).abs() < 1e-9, "one in five does not wait: {}", quantile(0.1));
        // 0.8 · exp(−5 t) = 0.05 after 0.08 s of service.
        assert!((quantile(0.95) - 0.08 - waiting.random_p95_s()).abs() < 1e-9 && waiting.random_p95_s() > 0.1);
        let behind = waiting.flow(&world, 1.0, 1.0).bad;
        assert!(behind > waiting.flow(&world, 0.0, 1.0).bad && behind < plain.flow(&world, 1.0, 1.0).bad);
    }

    #[test]
    fn a_backlog_never_makes_it_better() {
        let world = World::new(&Scenario::protocol_p1());
        for rate in [10.0, 100.0, 240.0, 249.9, 250.0, 400.0] {
            let waiting = Waiting::new(&world, rate, 5);
            let mut least = waiting.flow(&world, 0.0, 1.0).bad;
            for backlog in 0..200 {
                let bad = waiting.flow(&world, f64::from(backlog) * 5.0, 1.0).bad;
                assert!(bad >= least - 1e-12, "rate {rate}, backlog {backlog}");
                assert!(bad <= rate + 1e-9);
                least = bad;
            }
        }
    }

    /// P95 of M/M/c by its definition: C · exp(−spare · t) = 0.05.
    #[test]
    fn p95_inverts_the_tail() {
        let world = World::new(&Scenario::protocol_p1());
        let p95 = |rate, ready, backlog| {
            let waiting = Waiting::new(&world, rate, ready);
            waiting.p95_behind_s(&world, waiting.random_p95_s(), backlog)
        };
        let t = p95(180.0, 4, 0.0);
        assert!(t > 0.0);
        assert!((math::wait_exceeds(16, 180.0, 0.08, t) - 0.05).abs() < 1e-9);
        assert_eq!(p95(400.0, 4, 1_000.0), 5.0);
        assert_eq!(p95(1.0, 4, 0.0), 0.0);
        assert_eq!(p95(1.0, 0, 0.0), 5.0);
    }
}
