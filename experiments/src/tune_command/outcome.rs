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

/// Share by which the simulation of today may differ from what was recorded.
const MISFIT: f64 = 0.25;

/// One autoscaler's outcome.
pub(super) struct Outcome {
    pub(super) scaler: Scaler,
    pub(super) objective: Objective,
    pub(super) physics: Physics,
    pub(super) interval: Span,
    pub(super) missing_share: f64,
    pub(super) estimated: bool,
    pub(super) content_hash: String,
    /// Replica-hours a day of the later part as recorded.
    pub(super) recorded: Option<f64>,
    /// Hours of the later part, where it has no whole day.
    pub(super) hours: Option<f64>,
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
        let verdict = verdict::for_scaler(scaler, &judgement, &figures, offered.interval);
        let chosen = &search.candidates[search.choice(objective)];
        let changes = changes::of(chosen, scaler, manifest);
        let label = |part: &std::ops::Range<usize>| {
            let (from, to) = parts::bounds(offered, part);
            span_label(from.micros(), to.micros() - 1)
        };
        Self {
            recorded: recorded_hours(offered, &parts.later),
            hours: (parts.days == 0).then_some(24.0 * judgement.today.length_days),
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
        let found = verdict::remarks(self.verdict, &self.judgement, &self.scaler);
        self.misfit().into_iter().chain(self.scaler.disabled_notes()).chain(found).collect()
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

    /// What is to be said where the simulation of today's settings differs from what was recorded.
    fn misfit(&self) -> Option<String> {
        let (recorded, today) = (self.recorded?, self.judgement.today.replica_hours());
        ((today - recorded).abs() > MISFIT * recorded).then(|| {
            format!(
                "the simulated autoscaler of today takes {today:.1} replica-hours a day, the recording {recorded:.1}: the \
                 model does not fit"
            )
        })
    }

    /// In words, what the later part is.
    pub(super) fn basis(&self) -> String {
        let days = self.judgement.today.days.len();
        match self.hours {
            Some(hours) => format!("{hours:.1} h, scaled to a day"),
            None if days == 1 => "1 day that tuning never saw".to_owned(),
            None => format!("{days} days that tuning never saw"),
        }
    }

    /// Whether nothing can be compared with today: too little was seen, or nothing would come of another setting.
    fn alone(&self) -> bool {
        self.hours.is_some() || matches!(self.verdict, Verdict::DownDisabled | Verdict::UpDisabled)
    }

    /// The lines of before and after.
    pub(super) fn numbers(&self) -> Vec<TuningNumber> {
        let Judgement { today, suggested, oracle, weights, least_cost, .. } = &self.judgement;
        let line = |name: &str, show: &dyn Fn(&Track) -> String, change: String| {
            // Hours of a day that was also tuned on prove nothing: today's figures stand alone.
            let alone = self.alone();
            let (value, interval) = if alone { ("–".to_owned(), String::new()) } else { apart(&change) };
            let name = name.to_owned();
            TuningNumber {
                name,
                before: show(today),
                after: if alone { "–".to_owned() } else { show(suggested) },
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
        if !scaler.disables(false) {
            words.push(format!("down after {hold} s"));
        }
        let window = candidate.up_window_s.or(up.stabilization_window_seconds).unwrap_or(0);
        if window > 0 && !scaler.disables(true) {
            words.push(format!("up after {window} s"));
        }
        let policies = |own: &Option<Vec<_>>, up| changes::in_words(own.as_deref().unwrap_or(&scaler.policies(up)));
        let steps = |word: &str, own: &Option<Vec<_>>, up| {
            if scaler.disables(up) { format!("never {word}") } else { format!("{word} by {}", policies(own, up)) }
        };
        words.push(steps("up", &candidate.up, true));
        words.push(steps("down", &candidate.down, false));
        words.join(", ")
    }

    /// What each objective would choose.
    pub(super) fn objectives(&self) -> Vec<TuningChoice> {
        let shown = if self.alone() { 0 } else { Objective::ALL.len() };
        let all = Objective::ALL.into_iter().take(shown).zip(&self.judgement.by_objective);
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
            fact(
                "queue",
                "all ready pods serve one shared queue (ideal balancing); where requests are spread over pods at random, \
                 more of them wait at the same load, so keep a margin below a high target"
                    .to_owned(),
            ),
            fact("tuned on", format!("{}, {} settings", self.earlier, self.search.candidates.len())),
            fact("compared on", format!("{}, {}, 2 seeds", self.later, self.basis())),
            fact("bad request", "waited more than 120 ms for a worker, or was dropped or given up".to_owned()),
            fact("trace content", self.content_hash.clone()),
        ]
    }
}

/// Replica-hours a day of the bins of a part, where replicas were recorded.
fn recorded_hours(offered: &Offered, part: &std::ops::Range<usize>) -> Option<f64> {
    let replicas = offered.replicas.get(part.clone()).filter(|replicas| !replicas.is_empty())?;
    let mean = replicas.iter().sum::<f64>() / seatrial_reports::stats::count(replicas.len());
    Some(24.0 * mean).filter(|hours| *hours > 0.0)
}

/// `−1 % (−2 to 0 %)` as value and interval.
fn apart(text: &str) -> (String, String) {
    text.split_once(" (").map_or_else(
        || (text.to_owned(), String::new()),
        |(value, interval)| (value.to_owned(), interval.trim_end_matches(')').to_owned()),
    )
}
