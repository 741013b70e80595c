//! The requests of a record, one by one, and the pods of another.

use std::path::Path;
use std::sync::Arc;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::Kind;
use seatrial_datasets::reader::inspect;
use seatrial_datasets::recorded::{Recorded, read_columns};
use seatrial_envs::spec::wording::quoted;
use seatrial_envs::spec::{ListedPod, ListedRequest};

use super::rows::{at_least_zero, small};
use super::{Refusal, Sources};

/// Columns of requests; a record without tokens has requests all the same.
const REQUEST_COLUMNS: [&str; 3] = ["timestamp", "input_tokens", "output_tokens"];
const POD_COLUMNS: [&str; 6] = ["timestamp", "scheduled_at", "deleted_at", "cpu_milli", "memory_mib", "num_gpu"];

/// When rows happened, on the scenario's clock: those that are not there are left out.
fn moments(rows: &Recorded, key: &str, from: Span) -> Result<Vec<Timestamp>, Refusal> {
    let at_us = rows.moment("timestamp").map_err(|error| Refusal::new(key, error))?;
    if at_us.iter().any(Option::is_none) {
        return Err(Refusal::new(key, "names a record in which a `timestamp` is missing: write the file again"));
    }
    let first_us = at_us.iter().flatten().min().copied().unwrap_or(0);
    let moved = |at_us: &i64| Timestamp::from_micros(at_us.saturating_sub(first_us).saturating_sub(from.micros()));
    Ok(at_us.iter().flatten().map(moved).collect())
}

impl Sources<'_> {
    /// The requests of the record called `id` within the scenario, in order of time.
    pub(super) fn requests(&self, at: &str, id: &str, from: Span) -> Result<Arc<[ListedRequest]>, Refusal> {
        let key = format!("{at}.id");
        let rows = self.rows(&key, id, &REQUEST_COLUMNS)?;
        let moments = moments(&rows, &key, from)?;
        self.are_events(&key, id)?;
        let end = Timestamp::ZERO + self.duration;
        if moments.iter().max().is_none_or(|last| *last < end) {
            let there_s = moments.iter().max().map_or(0.0, |last| last.since(Timestamp::ZERO).as_secs_f64()).max(0.0);
            let lasts_s = self.duration.as_secs_f64();
            let detail = format!(
                "is {}: from there the record has {there_s:.0} s of requests, and the scenario lasts {lasts_s} s; start earlier \
                 or shorten duration_s",
                from.as_secs_f64()
            );
            return Err(Refusal::new(format!("{at}.from_s"), detail));
        }
        let input = small(&rows, &key, "input_tokens")?;
        let output = small(&rows, &key, "output_tokens")?;
        let mut requests: Vec<ListedRequest> = (0..rows.rows())
            .map(|row| ListedRequest { at: moments[row], input_tokens: input[row], output_tokens: output[row] })
            .filter(|request| request.at >= Timestamp::ZERO && request.at < end)
            .collect();
        requests.sort_by_key(|request| request.at);
        Ok(requests.into())
    }

    /// Rows of another kind are not single requests, however many there are.
    fn are_events(&self, key: &str, id: &str) -> Result<(), Refusal> {
        let kind = inspect(&self.file(key, id)?).map_err(|error| Refusal::new(key, error))?;
        if kind == Kind::Event {
            return Ok(());
        }
        let detail = format!(
            "names {}, a trace of kind `{kind}`: its rows are values over time, not single requests; write source = {{ trace = {{ \
             id = … }} }}",
            quoted(id)
        );
        Err(Refusal::new(key, detail))
    }

    /// The pods of the record called `id` that exist within the scenario, in order of creation.
    pub(super) fn pods(&self, key: &str, id: &str, from: Span) -> Result<Arc<[ListedPod]>, Refusal> {
        let rows = self.rows(key, id, &POD_COLUMNS)?;
        let created = moments(&rows, key, from)?;
        let refuse = |error| Refusal::new(key, error);
        let bound_us = rows.moment("scheduled_at").map_err(refuse)?;
        let deleted_us = rows.moment("deleted_at").map_err(refuse)?;
        let sizes = [at_least_zero(&rows, key, "cpu_milli")?, at_least_zero(&rows, key, "memory_mib")?];
        let gpus = at_least_zero(&rows, key, "num_gpu")?;
        let end = Timestamp::ZERO + self.duration;
        let mut pods = Vec::new();
        for row in 0..rows.rows() {
            let Some(bound) = bound_us[row] else { continue };
            let lifetime = deleted_us[row].map(|deleted| Span::from_micros((deleted - bound).max(0)));
            let Some((created, lifetime)) = within(created[row], lifetime, end) else { continue };
            let (cpu_milli, memory_mib, gpus) = (sizes[0][row], sizes[1][row], gpus[row]);
            pods.push(ListedPod { created, lifetime, cpu_milli, memory_mib, gpus });
        }
        if pods.is_empty() {
            return Err(Refusal::new(
                key,
                format!("names `{id}`, of which no pod falls into the scenario; move trace_from_s"),
            ));
        }
        pods.sort_by_key(|pod| pod.created);
        Ok(pods.into())
    }

    fn rows(&self, key: &str, id: &str, columns: &[&str]) -> Result<Recorded, Refusal> {
        read_rows(&self.file(key, id)?, key, columns)
    }
}

pub(super) fn read_rows(path: &Path, key: &str, columns: &[&str]) -> Result<Recorded, Refusal> {
    read_columns(path, columns).map_err(|error| Refusal::new(key, error))
}

/// A pod as the scenario meets it: what is left of it at the start, or nothing if it is over or not yet there.
fn within(created: Timestamp, lifetime: Option<Span>, end: Timestamp) -> Option<(Timestamp, Option<Span>)> {
    if created >= end {
        return None;
    }
    let before = Timestamp::ZERO.since(created).max(Span::ZERO);
    let left = lifetime.map(|lifetime| lifetime - before);
    let gone = left.is_some_and(|left| left <= Span::ZERO) && before > Span::ZERO;
    (!gone).then_some((created.max(Timestamp::ZERO), left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_cut_to_the_scenario() {
        let (at, span, end) = (Timestamp::from_secs, Span::from_secs, Timestamp::from_secs(100));
        assert_eq!(within(at(10), Some(span(5)), end), Some((at(10), Some(span(5)))));
        assert_eq!(within(at(-10), Some(span(25)), end), Some((at(0), Some(span(15)))));
        assert_eq!(within(at(-10), Some(span(10)), end), None, "gone before the start");
        assert_eq!(within(at(-10), None, end), Some((at(0), None)));
        assert_eq!(within(at(100), None, end), None);
        assert_eq!(within(at(0), Some(span(0)), end), Some((at(0), Some(span(0)))));
    }
}
