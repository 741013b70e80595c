//! The circuit of one destination: after failures in a row nothing is sent for a while, then one probe at a time.
//!
//! Backoff and budget limit retries; the circuit also holds back first tries, so that a thousand keys do not each find out that
//! a server is down. Invariants: while it is open nothing is admitted; while it is half-open one request is under way; every
//! state is left in bounded time, also when a probe never reports. An answer counts only for the state in which its request was
//! admitted, so a late one neither closes nor opens anything. What blames a destination is
//! [`ErrorClass::blames_destination`]: a refusal shows that the server lives. A clock that runs backwards ends the wait.
//!
//! Sources: Nygard, "Release It!" (2007); five failures in a row as Envoy's outlier detection (`consecutive_5xx`), 5 s of rest as
//! Hystrix (`sleepWindowInMilliseconds`); the rest doubles up to 30 s as the reflector's back-off.

use serde::{Deserialize, Serialize};

use super::error_class::ErrorClass;
use crate::time::{Span, Timestamp};

/// Numbers of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CircuitConfig {
    /// Failures in a row that open it, at least 1.
    pub failures: u32,
    /// First rest, in microseconds, above zero; a failed probe doubles it.
    #[serde(rename = "rest_us")]
    pub rest: Span,
    /// Longest rest, in microseconds, at least the first.
    #[serde(rename = "longest_rest_us")]
    pub longest_rest: Span,
}

impl Default for CircuitConfig {
    fn default() -> Self {
        Self { failures: 5, rest: Span::from_secs(5), longest_rest: Span::from_secs(30) }
    }
}

/// Why a circuit was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CircuitError {
    /// It would be open from the start.
    #[error("circuit: `failures` must be at least 1; 5 is the default")]
    Failures,
    /// No rest at all, or a longest one below the first.
    #[error("circuit: `rest_us` must be above 0 and at most `longest_rest_us`; 5 s and 30 s are the defaults")]
    Rest,
}

/// What a circuit does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// Lets all pass.
    Closed,
    /// Lets none pass.
    Open,
    /// Lets one pass and waits for its answer.
    HalfOpen,
}

impl CircuitState {
    /// Label for metrics and log.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// Permission for one request; hand it back with the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    epoch: u64,
}

/// The circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circuit {
    config: CircuitConfig,
    phase: Phase,
    /// Counts changes of phase and lost probes: a late answer belongs to an earlier one.
    epoch: u64,
    /// The rest that the next opening takes.
    rest: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed {
        failures: u32,
    },
    /// Nothing passes before `rest` is over; a probe under way renews it.
    Open {
        from: Timestamp,
        rest: Span,
        probing: bool,
    },
}

impl Circuit {
    /// A closed circuit.
    ///
    /// # Errors
    /// Numbers out of range.
    pub fn new(config: CircuitConfig) -> Result<Self, CircuitError> {
        if config.failures == 0 {
            return Err(CircuitError::Failures);
        }
        if config.rest <= Span::ZERO || config.longest_rest < config.rest {
            return Err(CircuitError::Rest);
        }
        Ok(Self { config, phase: Phase::Closed { failures: 0 }, epoch: 0, rest: config.rest })
    }

    /// Asks to send a request; the error says when to ask again.
    ///
    /// # Errors
    /// The circuit is open, or half-open with a probe under way.
    pub fn admit(&mut self, now: Timestamp) -> Result<Admission, Timestamp> {
        if let Phase::Open { from, rest, .. } = self.phase {
            let until = from + rest;
            if now < until && now >= from {
                return Err(until);
            }
            // A probe that has not reported after a whole rest counts as lost, and the next one goes.
            self.enter(Phase::Open { from: now, rest, probing: true });
        }
        Ok(Admission { epoch: self.epoch })
    }

    /// The outcome of an admitted request: the class of its failure, or `None` for a success.
    pub fn report(&mut self, admission: Admission, failure: Option<ErrorClass>, now: Timestamp) {
        if admission.epoch != self.epoch {
            return;
        }
        let failed = failure.is_some_and(ErrorClass::blames_destination);
        match self.phase {
            Phase::Closed { .. } if !failed => self.phase = Phase::Closed { failures: 0 },
            Phase::Closed { failures } if failures + 1 < self.config.failures => {
                self.phase = Phase::Closed { failures: failures + 1 };
            }
            Phase::Open { .. } if !failed => self.close(),
            Phase::Closed { .. } | Phase::Open { .. } => self.open(now),
        }
    }

    /// What it does now.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CircuitState {
        match self.phase {
            Phase::Closed { .. } => CircuitState::Closed,
            Phase::Open { from, rest, probing: false } if now >= from && now < from + rest => CircuitState::Open,
            Phase::Open { .. } => CircuitState::HalfOpen,
        }
    }

    fn open(&mut self, now: Timestamp) {
        let rest = self.rest;
        self.enter(Phase::Open { from: now, rest, probing: false });
        self.rest = (rest * 2).min(self.config.longest_rest);
    }

    fn close(&mut self) {
        self.enter(Phase::Closed { failures: 0 });
        self.rest = self.config.rest;
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Option<ErrorClass> = Some(ErrorClass::Transient);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn circuit() -> Circuit {
        Circuit::new(CircuitConfig { failures: 3, rest: Span::from_secs(5), longest_rest: Span::from_secs(12) })
            .unwrap()
    }

    fn opened() -> Circuit {
        let mut circuit = circuit();
        (0..3).for_each(|_| send(&mut circuit, 0, DOWN));
        circuit
    }

    /// Sends a request and reports its outcome in the same moment.
    fn send(circuit: &mut Circuit, second: i64, outcome: Option<ErrorClass>) {
        let admission = circuit.admit(at(second)).unwrap();
        circuit.report(admission, outcome, at(second));
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let mut circuit = circuit();
        for outcome in [DOWN, DOWN, None, DOWN, Some(ErrorClass::Timeout)] {
            send(&mut circuit, 0, outcome);
            assert_eq!(circuit.state(at(0)), CircuitState::Closed, "a success between starts the count anew");
        }
        send(&mut circuit, 0, DOWN);
        assert_eq!(circuit.state(at(0)), CircuitState::Open);
        assert_eq!(circuit.admit(at(0)), Err(at(5)));
    }

    #[test]
    fn a_living_server_that_refuses_opens_nothing() {
        let mut circuit = circuit();
        for class in [ErrorClass::Conflict, ErrorClass::Throttled, ErrorClass::Denied, ErrorClass::Invalid].repeat(3) {
            send(&mut circuit, 0, Some(class));
        }
        assert_eq!(circuit.state(at(0)), CircuitState::Closed);
    }

    #[test]
    fn one_probe_passes_and_closes_it() {
        let mut circuit = opened();
        assert_eq!(circuit.state(at(5)), CircuitState::HalfOpen);
        let probe = circuit.admit(at(5)).unwrap();
        assert_eq!(circuit.admit(at(6)), Err(at(10)), "one at a time");
        circuit.report(probe, Some(ErrorClass::NotFound), at(7));
        assert_eq!(circuit.state(at(7)), CircuitState::Closed);
        (0..2).for_each(|_| send(&mut circuit, 7, DOWN));
        assert_eq!(circuit.state(at(7)), CircuitState::Closed, "the count starts anew");
    }

    #[test]
    fn failed_probes_double_the_rest_and_success_resets_it() {
        let mut circuit = opened();
        for (probe_at, next) in [(5, 15), (15, 27), (27, 39)] {
            send(&mut circuit, probe_at, DOWN);
            assert_eq!(circuit.admit(at(probe_at)), Err(at(next)));
        }
        send(&mut circuit, 39, None);
        (0..3).for_each(|_| send(&mut circuit, 40, DOWN));
        assert_eq!(circuit.admit(at(40)), Err(at(45)));
    }

    #[test]
    fn a_lost_probe_blocks_nothing_for_good() {
        let mut circuit = opened();
        let lost = circuit.admit(at(5)).unwrap();
        let probe = circuit.admit(at(10)).unwrap();
        circuit.report(lost, None, at(11));
        assert_eq!(circuit.state(at(11)), CircuitState::HalfOpen, "it counts as lost");
        circuit.report(probe, None, at(12));
        assert_eq!(circuit.state(at(12)), CircuitState::Closed);
    }

    #[test]
    fn late_answers_change_nothing() {
        let mut circuit = circuit();
        let slow = circuit.admit(at(0)).unwrap();
        (0..3).for_each(|_| send(&mut circuit, 1, DOWN));
        circuit.report(slow, None, at(2));
        assert_eq!(circuit.admit(at(2)), Err(at(6)));
        let probe = circuit.admit(at(6)).unwrap();
        circuit.report(slow, DOWN, at(6));
        circuit.report(probe, None, at(6));
        circuit.report(probe, DOWN, at(6));
        assert_eq!(circuit, Circuit { epoch: circuit.epoch, ..self::circuit() });
    }

    #[test]
    fn a_clock_that_runs_backwards_ends_the_rest() {
        let mut circuit = opened();
        assert_eq!(circuit.state(at(-60)), CircuitState::HalfOpen);
        assert!(circuit.admit(at(-60)).is_ok());
        assert_eq!(circuit.admit(at(-58)), Err(at(-55)));
    }

    #[test]
    fn refuses_numbers_out_of_range() {
        let good = CircuitConfig::default();
        let refused = |config| Circuit::new(config).unwrap_err();
        assert_eq!(refused(CircuitConfig { failures: 0, ..good }), CircuitError::Failures);
        assert_eq!(refused(CircuitConfig { rest: Span::ZERO, ..good }), CircuitError::Rest);
        assert_eq!(refused(CircuitConfig { longest_rest: Span::from_secs(4), ..good }), CircuitError::Rest);
        assert!(Circuit::new(good).is_ok());
    }
}
