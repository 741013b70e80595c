//! Requests in service as a flow. Metrics count a request, its wait and its service when it is done: with jobs of seconds that is a
//! good part of a scrape interval after it left the queue.
//!
//! Each of the n in service is done at the rate 1 / mean, as exponential work is: n' = taken − n / mean, and the same for the seconds that they
//! have waited; for the seconds that they have been in service a' = n − a / mean. While requests are taken evenly all three have closed
//! forms, so no time step is involved.

use seatrial_core::math;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct InService {
    requests: f64,
    /// Seconds in service so far, summed.
    age_s: f64,
    /// Seconds waited before, summed.
    waited_s: f64,
}

/// Requests that were done, with what they waited and how long they were served, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Finished {
    pub(crate) requests: f64,
    pub(crate) service_s: f64,
    pub(crate) waited_s: f64,
}

impl Finished {
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.service_s += other.service_s;
        self.waited_s += other.waited_s;
    }
}

impl InService {
    /// Where `rate` requests a second have been taken for ever, after `wait_s` each.
    pub(crate) fn steady(rate: f64, mean_s: f64, wait_s: f64) -> Self {
        let requests = rate * mean_s;
        Self { requests, age_s: requests * mean_s, waited_s: requests * wait_s }
    }

    #[cfg(test)]
    pub(crate) const fn waited_s(&self) -> f64 {
        self.waited_s
    }

    /// Takes `taken` requests, who waited `waited_s` together, evenly over `dt_s` seconds; answers with who is done meanwhile.
    pub(crate) fn pass(&mut self, mean_s: f64, (taken, waited_s): (f64, f64), dt_s: f64) -> Finished {
        if dt_s <= 0.0 {
            return Finished::default();
        }
        let decay = math::exp(-dt_s / mean_s);
        let toward = |limit: f64, now: f64| limit + (now - limit) * decay;
        let limit = taken / dt_s * mean_s;
        let beyond = self.requests - limit;
        let after = Self {
            requests: toward(limit, self.requests),
            age_s: toward(limit * mean_s, self.age_s) + beyond * dt_s * decay,
            waited_s: toward(waited_s / dt_s * mean_s, self.waited_s),
        };
        let served_s = limit * dt_s + beyond * mean_s * (1.0 - decay);
        let finished = Finished {
            requests: taken + self.requests - after.requests,
            service_s: served_s + self.age_s - after.age_s,
            waited_s: waited_s + self.waited_s - after.waited_s,
        };
        *self = after;
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9 * (1.0 + other.abs())
    }

    #[test]
    fn what_has_always_been_goes_on() {
        let mut service = InService::steady(6.0, 2.0, 3.0);
        let before = service;
        let done = service.pass(2.0, (60.0, 180.0), 10.0);
        assert!(close(done.requests, 60.0) && close(done.service_s, 120.0) && close(done.waited_s, 180.0), "{done:?}");
        assert!(close(service.requests, before.requests) && close(service.age_s, before.age_s));
    }

    /// A batch taken at once: after t seconds 1 − exp(−t / mean) of it is done, and those are the short ones.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the reference uses std's exp on purpose")]
    fn a_batch_is_done_as_exponential_work_is() {
        let mut service = InService { requests: 100.0, age_s: 0.0, waited_s: 500.0 };
        let done = service.pass(2.0, (0.0, 0.0), 3.0);
        let left = (-1.5_f64).exp();
        assert!(close(done.requests, 100.0 * (1.0 - left)) && close(done.waited_s, 500.0 * (1.0 - left)));
        // ∫ from 0 to 3 of t / 2 · exp(−t / 2) = 2 − 5 exp(−1.5).
        assert!(close(done.service_s, 100.0 * (2.0 - 5.0 * left)), "{done:?}");
        let rest = service.pass(2.0, (0.0, 0.0), 1e3);
        assert!(close(done.service_s + rest.service_s, 200.0) && close(done.requests + rest.requests, 100.0));
    }

    #[test]
    fn cutting_a_stretch_changes_nothing() {
        let run = |parts: u32| {
            let (mut service, mut sum) = (InService::default(), Finished::default());
            for (taken, waited_s, seconds) in [(40.0, 70.0, 4.0), (0.0, 0.0, 1.5), (9.0, 0.0, 30.0)] {
                let parts = f64::from(parts);
                for _ in 0..parts as u32 {
                    sum.add(&service.pass(2.0, (taken / parts, waited_s / parts), seconds / parts));
                }
            }
            sum
        };
        let (once, often) = (run(1), run(13));
        assert!(close(once.requests, often.requests) && close(once.service_s, often.service_s));
        assert!(close(once.waited_s, often.waited_s) && once.requests > 40.0 && once.requests < 49.0);
    }
}
