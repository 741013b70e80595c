//! What can go wrong between a query and a number. Each message says what, where and what to do.
//!
//! Messages end up in conditions, which are compared with what was observed: none holds a number that changes from one look
//! to the next.

use seatrial_datasets::prometheus::AnswerError;

/// A query did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrometheusError {
    /// The address cannot be used.
    #[error(
        "spec.metrics.url cannot be used: {detail}. Give Prometheus' base address, such as http://prometheus.monitoring:9090"
    )]
    Address {
        /// Why.
        detail: String,
    },
    /// The file of a token or authority cannot be used.
    #[error("{path}: {detail}. Mount the file into the operator's pod and make it readable")]
    Credentials {
        /// The file.
        path: String,
        /// Why; never its content.
        detail: String,
    },
    /// No connection, or it broke.
    #[error("{url} cannot be reached: {detail}. Check the address, the service and network policies")]
    Unreachable {
        /// Base address.
        url: String,
        /// What the network said.
        detail: String,
    },
    /// No complete answer in time.
    #[error("{url} did not answer within {limit_ms} ms. Check Prometheus' load, or make the query cheaper")]
    TimedOut {
        /// Base address.
        url: String,
        /// The limit.
        limit_ms: u128,
    },
    /// More bytes than are read.
    #[error(
        "{url} answered with more than {limit_bytes} bytes. Reduce the query to one number, for example with sum()"
    )]
    TooLarge {
        /// Base address.
        url: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// The operator may not ask.
    #[error("{url} refuses the operator (HTTP {status}). Check spec.metrics.tokenFile and what its token may read")]
    Denied {
        /// Base address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Prometheus cannot evaluate the query.
    #[error("Prometheus refuses the query: {message}. Mend it in spec.metrics.queries")]
    BadQuery {
        /// Its own words.
        message: String,
    },
    /// Prometheus, or a proxy before it, failed.
    #[error("{url} failed (HTTP {status}): {message}. Look at Prometheus' own log")]
    Server {
        /// Base address.
        url: String,
        /// HTTP status.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// Something else than Prometheus' API answers there.
    #[error(
        "{url} does not answer as Prometheus does: {detail}. Give its base address without /graph, and no login page before it"
    )]
    NotPrometheus {
        /// Base address.
        url: String,
        /// What came.
        detail: String,
    },
    /// Several series where one number is wanted.
    #[error("the query answers with more than one series. Reduce it to one number, for example with sum()")]
    ManySeries {
        /// How many came; not in the message, because it changes with the pods.
        count: usize,
    },
    /// Neither a number nor a vector of one.
    #[error("the query answers with a {found}. Make it one number")]
    NotANumber {
        /// What came.
        found: &'static str,
    },
    /// Not a number, or infinite.
    #[error("the query answers with {value}. Keep it from dividing by zero, for example with `… / (… > 0)`")]
    NotFinite {
        /// `NaN`, `+Inf` or `-Inf`.
        value: &'static str,
    },
    /// Below zero, which no feature can be.
    #[error("the query answers with a negative number. No feature is below zero: use rate(), or clamp_min(…, 0)")]
    Negative,
    /// The filled-in query is longer than what is sent.
    #[error("the query is longer than {limit_bytes} bytes once $pods and the others are filled in. Shorten it")]
    QueryTooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// Samples from the future.
    #[error(
        "the newest sample lies in the future. Compare the clocks of Prometheus, the operator and the target (NTP), or mend queries.sampleTime"
    )]
    FutureSample,
    /// Samples older than the limit.
    #[error(
        "the newest sample is older than spec.metrics.staleAfterSeconds. Check that Prometheus scrapes the target (its page /targets)"
    )]
    StaleSample,
}

/// Classes of errors: what a caller does about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Ask again later: it may pass by itself.
    Unavailable,
    /// Credentials are refused; asking again helps once they were changed.
    Denied,
    /// The spec or a mounted file is wrong; asking again helps once it was changed.
    Misconfigured,
    /// Something else than Prometheus answers.
    NotPrometheus,
    /// The answer is larger than the limit.
    TooLarge,
    /// Prometheus refuses the query.
    QueryRefused,
    /// The answer is not one finite number that is at least zero.
    NotOneNumber,
    /// Samples lie in the future.
    FutureSamples,
    /// Samples are too old.
    Stale,
}

impl PrometheusError {
    /// Its class.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Server { .. } => Kind::Unavailable,
            Self::Denied { .. } => Kind::Denied,
            Self::Address { .. } | Self::Credentials { .. } => Kind::Misconfigured,
            Self::NotPrometheus { .. } => Kind::NotPrometheus,
            Self::TooLarge { .. } => Kind::TooLarge,
            Self::BadQuery { .. } | Self::QueryTooLong { .. } => Kind::QueryRefused,
            Self::ManySeries { .. } | Self::NotANumber { .. } | Self::NotFinite { .. } | Self::Negative => {
                Kind::NotOneNumber
            }
            Self::FutureSample => Kind::FutureSamples,
            Self::StaleSample => Kind::Stale,
        }
    }

    /// Whether it concerns the server and so every query, not the one that was asked.
    #[must_use]
    pub const fn concerns_all_queries(&self) -> bool {
        matches!(self.kind(), Kind::Unavailable | Kind::Denied | Kind::Misconfigured | Kind::NotPrometheus)
    }

    /// From an answer with a status of success that could not be used.
    pub(crate) fn of_answer(url: &str, error: AnswerError) -> Self {
        match error {
            AnswerError::Failed { error_type, message } => {
                Self::BadQuery { message: format!("{error_type}: {message}") }
            }
            AnswerError::Histogram { .. } => Self::NotANumber { found: "native histogram" },
            AnswerError::NotAnAnswer { detail } => Self::NotPrometheus { url: url.to_owned(), detail },
            AnswerError::WrongType { found, .. } => Self::NotANumber { found },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_the_server_takes_every_feature_away() {
        let url = String::new;
        for (error, kind, all) in [
            (PrometheusError::Address { detail: url() }, Kind::Misconfigured, true),
            (PrometheusError::Credentials { path: url(), detail: url() }, Kind::Misconfigured, true),
            (PrometheusError::Unreachable { url: url(), detail: url() }, Kind::Unavailable, true),
            (PrometheusError::TimedOut { url: url(), limit_ms: 1 }, Kind::Unavailable, true),
            (PrometheusError::Server { url: url(), status: 503, message: url() }, Kind::Unavailable, true),
            (PrometheusError::Denied { url: url(), status: 401 }, Kind::Denied, true),
            (PrometheusError::NotPrometheus { url: url(), detail: url() }, Kind::NotPrometheus, true),
            (PrometheusError::TooLarge { url: url(), limit_bytes: 1 }, Kind::TooLarge, false),
            (PrometheusError::BadQuery { message: url() }, Kind::QueryRefused, false),
            (PrometheusError::QueryTooLong { limit_bytes: 1 }, Kind::QueryRefused, false),
            (PrometheusError::ManySeries { count: 2 }, Kind::NotOneNumber, false),
            (PrometheusError::NotANumber { found: "string" }, Kind::NotOneNumber, false),
            (PrometheusError::NotFinite { value: "NaN" }, Kind::NotOneNumber, false),
            (PrometheusError::Negative, Kind::NotOneNumber, false),
            (PrometheusError::FutureSample, Kind::FutureSamples, false),
            (PrometheusError::StaleSample, Kind::Stale, false),
        ] {
            assert_eq!((error.kind(), error.concerns_all_queries()), (kind, all), "{error}");
        }
    }

    #[test]
    fn messages_do_not_change_with_the_number_of_pods() {
        let message = |count| PrometheusError::ManySeries { count }.to_string();
        assert_eq!(message(2), message(3));
    }
}
