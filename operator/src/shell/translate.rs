//! From what Prometheus answers to what the machine is told: problems of the closed set, times of the machine.

use seatrial_core::observe::{Feature, Metrics, Sample};
use seatrial_core::record::ALL_FEATURES;

use crate::clock::Clock;
use crate::prometheus::{Asked, Kind, MetricsRead as Read, PrometheusError};
use crate::queries;
use crate::reconcile::conditions::Reason;
use crate::reconcile::conversation::{MetricsRead, Problem};

/// A problem in words for people: which query, what is wrong, what to do.
#[must_use]
pub fn problem(asked: &str, error: &PrometheusError) -> Problem {
    let reason = match error.kind() {
        Kind::Unavailable | Kind::NotPrometheus => Reason::PrometheusUnavailable,
        Kind::Denied => Reason::PrometheusDenied,
        Kind::Misconfigured => Reason::SpecRefused,
        Kind::TooLarge => Reason::AnswerTooLarge,
        Kind::QueryRefused => Reason::QueryRefused,
        Kind::NotOneNumber => Reason::NotOneNumber,
        Kind::FutureSamples => Reason::FutureSamples,
        Kind::Stale => Reason::Stale,
    };
    let message = if error.concerns_all_queries() { error.to_string() } else { format!("{asked}: {error}") };
    Problem::new(reason, message)
}

/// The name of what was asked, as the spec calls it.
#[must_use]
pub fn name(asked: Asked) -> &'static str {
    match asked {
        Asked::SampleTime => queries::SAMPLE_TIME,
        Asked::Feature(feature) => queries::name_of(feature),
    }
}

/// What was read, in the machine's time. Features that are missing although nothing failed have no samples.
#[must_use]
pub fn metrics(read: &Read, clock: &Clock) -> MetricsRead {
    let mut metrics = Metrics::default();
    for feature in ALL_FEATURES {
        let sample = read.metrics.get(feature);
        metrics.set(feature, sample.map(|sample| Sample { at: clock.model(sample.at), value: sample.value }));
    }
    let failed = read.problems.first().map(|(asked, error)| problem(name(*asked), error));
    MetricsRead { metrics, problem: failed.or_else(|| no_samples(read)) }
}

/// Nothing failed, and yet there is no load: that is what decisions need most. Other features may rightly be absent.
fn no_samples(read: &Read) -> Option<Problem> {
    read.metrics.get(Feature::HttpRequestsTotalRate).is_none().then(|| {
        Problem::new(
            Reason::NoSamples,
            "httpRequestsTotalRate has no samples. Check that Prometheus scrapes the target's pods, and that namespace and pod \
             are labels of its metrics; or set spec.metrics.queries",
        )
    })
}

/// Nothing could be read.
#[must_use]
pub fn unreadable(problem: Problem) -> MetricsRead {
    MetricsRead { metrics: Metrics::default(), problem: Some(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::Pace;
    use seatrial_core::time::Timestamp;

    fn read(value: Option<f64>, problems: Vec<(Asked, PrometheusError)>) -> MetricsRead {
        let mut metrics = Metrics::default();
        let at = Timestamp::from_secs(10);
        metrics.set(Feature::HttpRequestsTotalRate, value.map(|value| Sample { at, value }));
        super::metrics(&Read { metrics, sample_at: Some(at), problems }, &Clock::new(Timestamp::ZERO, Pace(15)))
    }

    #[test]
    fn samples_are_moved_into_the_machines_time() {
        let read = read(Some(7.0), Vec::new());
        let sample = read.metrics.get(Feature::HttpRequestsTotalRate).unwrap();
        assert_eq!((sample.at, sample.value, read.problem), (Timestamp::from_secs(150), 7.0, None));
    }

    #[test]
    fn a_load_without_samples_is_a_problem_of_its_own() {
        assert_eq!(read(None, Vec::new()).problem.unwrap().reason, Reason::NoSamples);
        let stale = vec![(Asked::SampleTime, PrometheusError::StaleSample)];
        assert_eq!(read(None, stale).problem.unwrap().reason, Reason::Stale);
        let one = vec![(Asked::Feature(Feature::ProcessOpenFds), PrometheusError::Negative)];
        let problem = read(Some(1.0), one).problem.unwrap();
        assert!(
            problem.reason == Reason::NotOneNumber && problem.message.starts_with("processOpenFds: "),
            "{problem:?}"
        );
    }
}
