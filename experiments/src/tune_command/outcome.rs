//! What was found for one autoscaler, and how its numbers are written: the same words on the terminal, the page and in files.

use seatrial_core::time::Span;
use seatrial_reports::format::{grouped, span_label};
use seatrial_reports::model::Fact;
use seatrial_reports::stats::Estimate;
use seatrial_reports::tuning::{TuningChoice, TuningNumber};

use super::arguments::Objective;
use super::candidates::Candidate;
use super::changes::{self, Change};
use super::inputs::Offered;
use super::judgement::{Judgement, Track};
use super::manifest::{Manifest, Scaler, Signal};
use super::parts::{self, Parts};
use super::search::Search;
use super::verdict::{self, Figures, Verdict, share, with_interval};
use super::world::Physics;
use crate::import_command::shown;

/// One autoscaler's outcome.
pub(super) struct Outcome {
    pub(super) scaler: Scaler,
    pub(super) objective: Objective,
    pub(super) physics: Physics,
    pub(super) interval: Span,
    pub(super) missing_share: f64,
    pub(super) estimated: bool,
    pub(super) content_hash: String,
    /// Days of the later part, in words.
    pub(super) later: String,
    /// Days of the earlier part, in words.
    pub(super) earlier: String,
    pub(super) search: Search,
    pub(super) judgement: Judgement,
    pub(super) figures: Figures,
    pub(super) verdict: Verdict,
    /// What the chosen settings change.
    pub(super) changes: Vec<Change>,
}

/// What an outcome is made from.
pub(super) struct Evidence {
    pub(super) parts: Parts,
    pub(super) physics: Physics,
    pub(super) search: Search,
    pub(super) judgement: Judgement,
}

impl Outcome {
    pub(super) fn new(
        scaler: &Scaler,
        offered: &Offered,
        evidence: Evidence,
        manifest: &Manifest,
        objective: Objective,
    ) -> Self {
        let Evidence { parts, physics, search, judgement } = evidence;
        let figures = Figures::of(&judgement);
        let verdict = verdict::of(&judgement, &figures, offered.interval);
        let chosen = &search.candidates[search.choice(objective)];
        let changes = changes::of(chosen, scaler, manifest);
        let label = |part: &std::ops::Range<usize>| {
            let (from, to) = parts::bounds(offered, part);
            span_label(from.micros(), to.micros() - 1)
        };
        Self {
            later: label(&parts.later),
            earlier: label(&parts.tuning),
            scaler: scaler.clone(),
            objective,
            physics,
            interval: offered.interval,
            missing_share: offered.missing_share(),
            estimated: offered.estimated,
            content_hash: offered.content_hash.clone(),
            search,
            judgement,
            figures,
            verdict,
            changes,
        }
    }

    /// The verdict in one sentence.
    pub(super) fn sentence(&self) -> String {
        verdict::sentence(self.verdict, &self.judgement, &self.figures, &self.scaler)
    }

    pub(super) fn remarks(&self) -> Vec<String> {
        verdict::remarks(self.verdict, &self.judgement, &self.scaler)
    }

    /// Notes about this autoscaler and its data.
    pub(super) fn notes(&self, capacity_stated: bool) -> Vec<String> {
        let label = self.scaler.label();
        let mut notes: Vec<String> = self.scaler.notes.iter().map(|note| format!("{label}: {note}")).collect();
        if !capacity_stated {
            let capacity = grouped(self.physics.capacity, 1);
            notes.push(format!("{label}: one pod at 100 % CPU serves {capacity} requests/s, as the trace shows it"));
        }
        if self.missing_share > 0.0 {
            let missing = share(self.missing_share);
            notes.push(format!("{label}: {missing} of the bins have no value; they hold the last one"));
        }
        if self.interval > Span::from_secs(60) {
            let seconds = self.interval.as_secs_f64();
            notes.push(format!("{label}: bins of {seconds} s hide shorter bursts, so bad requests are understated"));
        }
        notes
    }

    /// The lines of before and after.
    pub(super) fn numbers(&self) -> Vec<TuningNumber> {
        let Judgement { today, suggested, oracle, weights, least_cost, .. } = &self.judgement;
        let line = |name: &str, show: &dyn Fn(&Track) -> String, change: String| {
            let (value, interval) = apart(&change);
            let name = name.to_owned();
            TuningNumber {
                name,
                before: show(today),
                after: show(suggested),
                change: value,
                interval,
                oracle: show(oracle),
            }
        };
        let relative = |estimate: &Estimate| with_interval(estimate, verdict::percent);
        let over = |track: &Track| format!("{:.2} ×", track.cost(*weights) / least_cost.max(f64::MIN_POSITIVE));
        let cost = with_interval(&self.figures.cost, |log| verdict::percent(seatrial_core::math::exp(log) - 1.0));
        vec![
            line(
                "replica-hours a day",
                &|track| grouped(track.replica_hours(), 1),
                relative(&self.figures.replica_hours),
            ),
            line("bad requests", &|track| share(track.bad_share()), with_interval(&self.figures.bad_share, share)),
            line(
                "bad requests a day",
                &|track| grouped(track.mean(|terms| terms.bad_requests), 0),
                with_interval(&self.figures.bad_requests, |count| grouped(count, 0)),
            ),
            line(
                "changes a day",
                &|track| grouped(track.mean(|terms| terms.changes), 0),
                relative(&self.figures.changes),
            ),
            line("cost, over the least", &over, cost),
        ]
    }

    /// A setting in words.
    pub(super) fn in_words(&self, candidate: &Candidate) -> String {
        let scaler = &self.scaler;
        let target = candidate.target.unwrap_or(scaler.metric.target);
        let mut words = vec![match scaler.metric.signal {
            Signal::Cpu => format!("CPU {target} %"),
            Signal::RequestRate => format!("{target} requests/s per pod"),
        }];
        let (up, down) = (scaler.rules(true), scaler.rules(false));
        let hold = candidate.hold_s.or(down.stabilization_window_seconds).unwrap_or(300);
        words.push(format!("down after {hold} s"));
        let window = candidate.up_window_s.or(up.stabilization_window_seconds).unwrap_or(0);
        if window > 0 {
            words.push(format!("up after {window} s"));
        }
        let policies = |own: &Option<Vec<_>>, up| changes::in_words(own.as_deref().unwrap_or(&scaler.policies(up)));
        words.push(format!("up by {}", policies(&candidate.up, true)));
        words.push(format!("down by {}", policies(&candidate.down, false)));
        words.join(", ")
    }

    /// What each objective would choose.
    pub(super) fn objectives(&self) -> Vec<TuningChoice> {
        let all = Objective::ALL.into_iter().zip(&self.judgement.by_objective);
        all.map(|(objective, track)| TuningChoice {
            objective: format!("{} ({})", objective.word(), objective.kappa()),
            settings: self.in_words(&self.search.candidates[self.search.choice(objective)]),
            replica_hours: grouped(track.replica_hours(), 1),
            bad: share(track.bad_share()),
            changes: grouped(track.mean(|terms| terms.changes), 0),
            asked: objective == self.objective,
        })
        .collect()
    }

    /// What the numbers rest on.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
        let requests = self.judgement.today.mean(|terms| terms.requests);
        let load = if self.estimated { " (estimated from replicas and CPU)" } else { "" };
        vec![
            fact("today", self.in_words(&Candidate::default())),
            fact("replicas", format!("{} to {}", self.scaler.min, self.scaler.max)),
            fact("load", format!("{} requests a day{load}", grouped(requests, 0))),
            fact("one pod", format!("serves {} requests/s at 100 % CPU", grouped(self.physics.capacity, 1))),
            fact("pod start", format!("{} (median; lognormal, sigma 0.2)", shown(self.physics.pod_start))),
            fact("tuned on", format!("{}, {} settings", self.earlier, self.search.candidates.len())),
            fact("compared on", format!("{}, {} days, 2 seeds", self.later, self.judgement.today.days.len())),
            fact("bad request", "waited more than 120 ms for a worker, or was dropped or given up".to_owned()),
            fact("trace content", self.content_hash.clone()),
        ]
    }
}

/// `−1 % (−2 to 0 %)` as value and interval.
fn apart(text: &str) -> (String, String) {
    text.split_once(" (").map_or_else(
        || (text.to_owned(), String::new()),
        |(value, interval)| (value.to_owned(), interval.trim_end_matches(')').to_owned()),
    )
}
