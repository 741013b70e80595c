//! What is asked of the server, and the pieces of time it is asked in.

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::prometheus::{Grid, MOST_POINTS, format_seconds};
use serde::Serialize;

use crate::error::{ExperimentError, Result};
use crate::import_command::PrometheusArgs;

/// More steps than this are taken for a slip in the moments or the step (95 years of minutes).
const MOST_STEPS: usize = 50_000_000;

/// A range query; its hash keeps its pieces apart from another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RangeRequest {
    /// Base address without a final slash.
    pub(super) url: String,
    pub(super) query: String,
    pub(super) from_us: i64,
    pub(super) to_us: i64,
    pub(super) step_us: i64,
}

impl RangeRequest {
    /// What the command line asks, checked.
    pub(super) fn new(arguments: &PrometheusArgs, now: Timestamp) -> Result<Self> {
        let all = (&arguments.url, &arguments.query, arguments.from, arguments.to, arguments.step);
        let (Some(url), Some(query), Some(from), Some(to), Some(step)) = all else {
            return Err(usage(
                "a range query needs --url, --query, --from, --to and --step",
                "give them all, or --dump",
            ));
        };
        if from > to {
            return Err(usage("--from is later than --to", "exchange them"));
        }
        if to > now {
            return Err(usage(
                "--to has not come yet",
                "give a moment that has passed: the same command must always give the same trace",
            ));
        }
        if [from.micros(), step.micros()].iter().any(|micros| micros % 1_000 != 0) {
            return Err(usage("--from is finer than a millisecond", "Prometheus counts in milliseconds: round it"));
        }
        let steps = Grid::between(from, to, step).count;
        if steps > MOST_STEPS {
            return Err(usage(&format!("the span has {steps} steps"), "correct --from, --to or --step"));
        }
        let url = base_address("--url", url)?;
        Ok(Self { url, query: query.clone(), from_us: from.micros(), to_us: to.micros(), step_us: step.micros() })
    }

    /// The pieces in order, each as large as Prometheus allows; together they hold every step once.
    pub(super) fn pieces(&self) -> Vec<Grid> {
        let [from, to] = [self.from_us, self.to_us].map(Timestamp::from_micros);
        Grid::between(from, to, Span::from_micros(self.step_us)).chunks(MOST_POINTS).collect()
    }

    /// The parameters of a piece.
    pub(super) fn parameters(&self, piece: &Grid) -> [(&'static str, String); 4] {
        [
            ("query", self.query.clone()),
            ("start", format_seconds(piece.first)),
            ("end", format_seconds(piece.last().unwrap_or(piece.first))),
            ("step", format_seconds(Timestamp::ZERO + piece.step)),
        ]
    }
}

fn usage(what: &str, next: &str) -> ExperimentError {
    ExperimentError::Usage { what: what.to_owned(), next: next.to_owned() }
}

/// An http(s) address without a final slash. One with a password is refused: it would be written into files.
pub(in crate::import_command) fn base_address(option: &str, url: &str) -> Result<String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let plain = |rest: &&str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(rest) = rest.filter(plain).filter(|rest| !rest.starts_with('/') && url.len() <= 2_048) else {
        let what = format!("{option}: `{url}` is no http:// or https:// address");
        return Err(usage(&what, "write it as http://prometheus.monitoring:9090"));
    };
    if rest.contains(['?', '#']) {
        return Err(usage(&format!("{option}: `{url}` has parameters"), "give the base address alone"));
    }
    if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
        // Not repeated: it holds a secret.
        return Err(usage(&format!("{option} holds a user or password"), "give a token in a file instead"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_without_overlap_and_are_sent_exactly() {
        let [from_us, to_us, step_us] = [500_000, 180_000_000_000, 15_000_000];
        let request = RangeRequest { url: "http://p:9090".into(), query: "up".into(), from_us, to_us, step_us };
        let sent: Vec<_> =
            request.pieces().iter().map(|piece| request.parameters(piece).map(|(_, value)| value)).collect();
        // 12,000 steps from 0.5 s: 11,000 and 1,000.
        assert_eq!(sent, [["up", "0.500", "164985.500", "15.000"], ["up", "165000.500", "179985.500", "15.000"]]);
    }

    #[test]
    fn an_address_is_a_base_without_secrets() {
        assert_eq!(base_address("--url", "https://p.example/prom/").unwrap(), "https://p.example/prom");
        let refused = |url: &str| base_address("--url", url).unwrap_err().to_string();
        for url in ["p:9090", "ftp://p", "http://", "http:///x", "http://a b", "http://é"] {
            assert!(refused(url).contains("is no http:// or https:// address"), "{url}");
        }
        assert!(refused("http://p/x?y=1").contains("has parameters"));
        let message = refused("http://me:secret@p:9090");
        assert!(message.contains("user or password") && !message.contains("secret"), "{message}");
    }
}
