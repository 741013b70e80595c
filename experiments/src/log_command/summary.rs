//! A log in numbers, one row per subject: who decided, what changed, what it cost.
//!
//! Time between two decisions counts with what was seen at the first of them; more than four times the usual distance is a gap,
//! of which nothing is known and nothing counts. Bad requests are a share of requests: slots count by their load. Absent is
//! empty, never zero.

use std::collections::BTreeMap;

use seatrial_core::observe::Feature;
use seatrial_core::record::DecisionRecord;
use seatrial_core::scaling::guard::Rule;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::moment;
use seatrial_reports::format::{csv_field, grouped, percent};

use super::{Log, Row};

/// Distances of this many usual ones are gaps.
const GAP: i64 = 4;

/// The log of one subject.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) subject: String,
    from_us: i64,
    to_us: i64,
    /// Time that no decision speaks for.
    gaps: Span,
    pub(super) decisions: usize,
    /// Decisions by mode.
    modes: BTreeMap<String, usize>,
    /// Decisions by `bundle`, `policy`, `fallback`.
    deciders: BTreeMap<String, usize>,
    /// Decisions that the guard overrode.
    guard: usize,
    /// Decisions that kept the replicas for want of knowledge: no proposal, or the guard's rule on stale metrics.
    holds: usize,
    /// Decisions without a load sample.
    blind: usize,
    /// Decisions for other replicas than were asked for then.
    changes: usize,
    /// Bad requests of all, 0 to 1.
    bad: Option<f64>,
    pub(super) pod_hours: f64,
    /// Ready pods over time.
    mean_ready: Option<f64>,
}

/// A table: heads, then a row per subject.
type Cells = Vec<Vec<String>>;

impl Summary {
    /// Of every subject.
    pub(super) fn of_all(log: &Log) -> Vec<Self> {
        log.subjects.iter().filter_map(|(subject, rows)| Self::of(subject, rows)).collect()
    }

    fn of(subject: &str, rows: &[Row]) -> Option<Self> {
        let (first, last) = (rows.first()?, rows.last()?);
        let number = |holds: &dyn Fn(&DecisionRecord) -> bool| rows.iter().filter(|row| holds(&row.record)).count();
        let usage = Usage::of(rows);
        Some(Self {
            subject: subject.to_owned(),
            from_us: first.record.at_us,
            to_us: last.record.at_us,
            gaps: Span::from_micros(usage.gaps_us),
            decisions: rows.len(),
            modes: tally(rows.iter().map(|row| row.mode.as_str())),
            deciders: tally(rows.iter().map(|row| row.decided_by.as_str())),
            guard: number(&|record| record.overridden),
            holds: number(&held),
            blind: number(&|record| feature(record, Feature::HttpRequestsTotalRate).is_none()),
            changes: number(&|record| record.decided != record.spec_replicas),
            bad: bad_share(rows),
            pod_hours: usage.pod_seconds / 3_600.0,
            mean_ready: (usage.seconds > 0.0).then(|| usage.ready_seconds / usage.seconds),
        })
    }

    fn share(&self, count: usize) -> f64 {
        count as f64 / self.decisions.max(1) as f64
    }

    fn decided_by(&self, who: &str) -> f64 {
        self.share(self.deciders.get(who).copied().unwrap_or(0))
    }

    /// `Enforce 90 %, Shadow 10 %`.
    fn modes(&self) -> String {
        let part = |(mode, count): (&String, &usize)| format!("{mode} {} %", percent(self.share(*count), 0));
        self.modes.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    fn span(&self) -> String {
        [self.from_us, self.to_us].map(|us| moment::format(Timestamp::from_micros(us))).join(" to ")
    }

    /// Some lines for the terminal.
    pub(super) fn lines(&self) -> Vec<String> {
        let counted = |count: usize| format!("{} ({} %)", grouped(count as f64, 0), percent(self.share(count), 1));
        let deciders = self.deciders.iter().map(|(who, count)| format!("{who} {} %", percent(self.share(*count), 1)));
        let gaps = match self.gaps {
            Span::ZERO => String::new(),
            gaps => format!(", of which {} h without a decision", grouped(gaps.as_secs_f64() / 3_600.0, 2)),
        };
        vec![
            format!("subject     {}, {}", self.subject, self.modes()),
            format!("span        {}{gaps}", self.span()),
            format!(
                "decisions   {}: by {}",
                grouped(self.decisions as f64, 0),
                deciders.collect::<Vec<_>>().join(", ")
            ),
            format!("overridden  {} by the guard", counted(self.guard)),
            format!("held        {} for want of metrics; no load sample {}", counted(self.holds), counted(self.blind)),
            format!("changes     {}", counted(self.changes)),
            format!("bad         {} % of requests", self.bad.map_or_else(|| "–".into(), |bad| percent(bad, 2))),
            format!(
                "pod-hours   {}, {} ready pods in the mean",
                grouped(self.pod_hours, 2),
                self.mean_ready.map_or_else(|| "–".into(), |mean| grouped(mean, 2))
            ),
        ]
    }

    fn csv_row(&self) -> Vec<String> {
        let number = |value: f64| format!("{value:.6}");
        let optional = |value: Option<f64>| value.map_or_else(String::new, number);
        let [from, to] = [self.from_us, self.to_us].map(|us| moment::format(Timestamp::from_micros(us)));
        let modes = self.modes.keys().cloned().collect::<Vec<_>>().join(" ");
        let mut row = vec![csv_field(&self.subject), csv_field(&modes), from, to];
        row.push(number(self.gaps.as_secs_f64() / 3_600.0));
        row.push(self.decisions.to_string());
        row.extend(["bundle", "policy", "fallback"].map(|who| number(self.decided_by(who))));
        row.push(number(self.share(self.guard)));
        row.extend([self.holds, self.blind, self.changes].map(|count| count.to_string()));
        row.extend([optional(self.bad), number(self.pod_hours), optional(self.mean_ready)]);
        row
    }

    fn markdown_row(&self) -> Vec<String> {
        let share = |share: f64| percent(share, 1);
        let count = |count: usize| grouped(count as f64, 0);
        let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| grouped(value, 2));
        let mut row = vec![self.subject.replace('|', "\\|"), self.modes(), self.span(), count(self.decisions)];
        row.extend(["bundle", "policy", "fallback"].map(|who| share(self.decided_by(who))));
        row.push(share(self.share(self.guard)));
        row.extend([self.holds, self.blind, self.changes].map(count));
        row.push(optional(self.bad.map(|bad| 100.0 * bad)));
        row.extend([grouped(self.pod_hours, 2), optional(self.mean_ready)]);
        row
    }
}

const CSV_HEAD: &str = "subject,modes,from,to,gap_hours,decisions,bundle_share,policy_share,fallback_share,guard_share,\
                        holds,no_load_sample,changes,bad_share,pod_hours,mean_ready";

const MARKDOWN_HEAD: [&str; 14] = [
    "subject",
    "mode",
    "span",
    "decisions",
    "by bundle, %",
    "by policy, %",
    "by fallback, %",
    "guard overrode, %",
    "holds",
    "no load sample",
    "changes",
    "bad requests, %",
    "pod-hours",
    "mean ready",
];

/// All subjects for programs.
pub(super) fn csv(summaries: &[Summary]) -> String {
    let rows: String = summaries.iter().map(|summary| summary.csv_row().join(",") + "\n").collect();
    format!("{CSV_HEAD}\n{rows}")
}

/// All subjects for readers.
pub(super) fn markdown(summaries: &[Summary]) -> String {
    let mut cells: Cells = vec![MARKDOWN_HEAD.map(str::to_owned).to_vec()];
    cells.push(MARKDOWN_HEAD.iter().enumerate().map(|(i, _)| if i < 3 { "---" } else { "---:" }.to_owned()).collect());
    cells.extend(summaries.iter().map(Summary::markdown_row));
    let table: String = cells.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    format!("{table}\n{NOTES}\n")
}

const NOTES: &str = "A change is a decision for other replicas than were asked for at its time; in Shadow mode it was not carried \
                     out and counts again at the next decision. Pod-hours are those of ready, starting and terminating pods. \
                     Holds kept the replicas for want of metrics. \
                     Bad requests are weighted by load.";

fn tally<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// A recorded feature; what no measurement can be counts as missing.
fn feature(record: &DecisionRecord, feature: Feature) -> Option<f64> {
    record.features[feature as usize].filter(|value| value.is_finite() && *value >= 0.0)
}

fn held(record: &DecisionRecord) -> bool {
    record.proposed.is_none() || record.reason == Rule::StaleMetrics.label()
}

/// Bad requests of all requests, over the decisions that know both.
fn bad_share(rows: &[Row]) -> Option<f64> {
    let known = rows.iter().filter_map(|row| {
        let load = feature(&row.record, Feature::HttpRequestsTotalRate)?;
        Some((load, feature(&row.record, Feature::BadRequestRatio)?))
    });
    let (bad, all) = known.fold((0.0, 0.0), |(bad, all), (load, ratio)| (bad + load * ratio, all + load));
    (all > 0.0).then(|| bad / all)
}

/// Pods over time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Usage {
    pod_seconds: f64,
    ready_seconds: f64,
    seconds: f64,
    gaps_us: i64,
}

impl Usage {
    fn of(rows: &[Row]) -> Self {
        let distance = |pair: &[Row]| pair[1].record.at_us.saturating_sub(pair[0].record.at_us);
        let mut distances: Vec<i64> = rows.windows(2).map(distance).collect();
        distances.sort_unstable();
        let usual = distances.get(distances.len() / 2).copied().unwrap_or(0);
        let mut usage = Self::default();
        for pair in rows.windows(2) {
            let known = distance(pair).min(usual.saturating_mul(GAP));
            usage.gaps_us += distance(pair) - known;
            usage.add(&pair[0].record, known as f64 / 1e6);
        }
        usage
    }

    fn add(&mut self, record: &DecisionRecord, seconds: f64) {
        let DecisionRecord { ready, starting, terminating, .. } = *record;
        self.pod_seconds += seconds * (f64::from(ready) + f64::from(starting) + f64::from(terminating));
        self.ready_seconds += seconds * f64::from(ready);
        self.seconds += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::record::RECORD_VERSION;

    fn row(second: i64, edit: impl Fn(&mut DecisionRecord)) -> Row {
        let mut record = DecisionRecord {
            version: RECORD_VERSION,
            at_us: second * 1_000_000,
            load_at_us: None,
            features: [None; 10],
            spec_replicas: 4,
            ready: 4,
            starting: 0,
            terminating: 0,
            capacity_mean: None,
            capacity_lower: None,
            forecast: None,
            proposed: Some(4),
            action: None,
            decided: 4,
            reason: "load".into(),
            overridden: false,
        };
        edit(&mut record);
        let (mode, decided_by) = ("Shadow".to_owned(), "fallback".to_owned());
        Row { record, mode, decided_by, start_ups: Vec::new(), point: None }
    }

    fn seen(record: &mut DecisionRecord, load: f64, bad: f64) {
        record.features[Feature::HttpRequestsTotalRate as usize] = Some(load);
        record.features[Feature::BadRequestRatio as usize] = Some(bad);
    }

    #[test]
    fn what_was_decided_is_counted_and_weighted_by_load() {
        let rows = [
            row(0, |record| seen(record, 300.0, 0.02)),
            row(15, |record| (record.proposed, record.ready, record.starting) = (None, 3, 2)),
            row(30, |record| (record.decided, record.overridden) = (6, true)),
            row(45, |record| seen(record, 100.0, 0.10)),
            row(60, |record| record.reason = "guard-stale-metrics".into()),
        ];
        let summary = Summary::of("shop/web", &rows).unwrap();
        let counts = (summary.decisions, summary.guard, summary.holds, summary.blind, summary.changes);
        assert_eq!(counts, (5, 1, 2, 3, 1));
        assert!((summary.bad.unwrap() - 16.0 / 400.0).abs() < 1e-12);
        assert!((summary.pod_hours - (4.0 + 5.0 + 4.0 + 4.0) * 15.0 / 3_600.0).abs() < 1e-12);
        assert!((summary.mean_ready.unwrap() - 15.0 / 4.0).abs() < 1e-12);
        assert_eq!(summary.gaps, Span::ZERO);
    }

    #[test]
    fn a_gap_counts_for_four_usual_distances() {
        let rows = [row(0, |_| {}), row(15, |_| {}), row(30, |_| {}), row(3_630, |_| {})];
        let summary = Summary::of("shop/web", &rows).unwrap();
        assert_eq!(summary.gaps, Span::from_secs(3_600 - 60));
        assert!((summary.pod_hours - 4.0 * 90.0 / 3_600.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_known_is_empty() {
        let summary = Summary::of("a,b|c", &[row(0, |_| {})]).unwrap();
        assert_eq!((summary.bad, summary.mean_ready), (None, None));
        let (csv, markdown) = (csv(std::slice::from_ref(&summary)), markdown(&[summary]));
        let width = |line: &str| line.split(',').count();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[1].starts_with("\"a,b|c\",") && width(lines[1]) == width(lines[0]) + 1, "{csv}");
        assert!(markdown.contains("a,b\\|c") && markdown.contains('–'), "{markdown}");
    }
}
