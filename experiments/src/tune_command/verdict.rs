//! What the numbers allow to be said, in one line, and what to do.
//!
//! A suggestion is made only where the paired interval of the cost excludes zero and the gain is worth a rollout. Where the
//! floor or the ceiling binds, or pods start too slowly for any rule, that is said instead: then it is not a matter of the
//! autoscaler's settings.

use seatrial_core::math;
use seatrial_core::time::Span;
use seatrial_reports::stats::Estimate;

use super::arguments::Objective;
use super::judgement::{FAST_START, Judgement, change, change_of_bad_share, difference, log_ratio};
use super::manifest::Scaler;
use super::parts::{COARSE, ENOUGH_DAYS};

/// A gain below this share of the cost is not worth a rollout.
const WORTH: f64 = 0.01;
/// At the floor or the ceiling for this share of the time, a bound decides and not the rule.
const BINDING: f64 = 0.8;
/// Bad requests that came while at the most replicas, above which the ceiling is the trouble.
const CEILING_BAD: f64 = 0.5;
/// A share of bad requests that matters.
const MANY_BAD: f64 = 0.001;
/// A share of bad requests that nobody takes for a saving, unless cost is the objective.
const SPOILT: f64 = 0.01;
/// Share of bins with saturated CPU above which an estimate from it says too little.
const SATURATED: f64 = 0.05;
/// Cost over the least possible above which there is much left that no setting wins.
const FAR: f64 = 0.15;
/// Share of that gap that faster starts must close to be called the trouble.
const CLOSES: f64 = 0.5;
/// Gain of another metric that is worth a word.
const MUCH: f64 = 0.03;

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The suggested settings are cheaper.
    Win,
    /// The interval includes zero, or the gain is too small.
    NothingToWin,
    /// Cheaper only by spoiling more requests than is acceptable.
    Spoils,
    /// CPU was saturated, and hid load.
    Saturated,
    /// A metric that is not simulated may decide.
    OtherMetric,
    /// `minReplicas` holds most of the time.
    Floor,
    /// `maxReplicas` holds when it matters.
    Ceiling,
    /// Pods start too slowly.
    StartUp,
    /// The manifest disables `scaleDown`: what is there stays there, whatever the settings.
    DownDisabled,
    /// The manifest disables `scaleUp`.
    UpDisabled,
    /// Too few days for an interval.
    TooShort,
    /// Bins hide what matters.
    TooCoarse,
}

/// The figures of before and after.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) cost: Estimate,
    pub(super) replica_hours: Estimate,
    pub(super) bad_share: Estimate,
    pub(super) bad_requests: Estimate,
    pub(super) changes: Estimate,
}

impl Verdict {
    /// The word of `summary.json`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::NothingToWin => "nothing-to-win",
            Self::Spoils => "nothing-to-win:spoils-requests",
            Self::Saturated => "too-little-known:saturated",
            Self::OtherMetric => "too-little-known:other-metric",
            Self::Floor => "not-an-hpa-problem:floor",
            Self::Ceiling => "not-an-hpa-problem:ceiling",
            Self::StartUp => "not-an-hpa-problem:start-up",
            Self::DownDisabled => "not-an-hpa-problem:scale-down-disabled",
            Self::UpDisabled => "not-an-hpa-problem:scale-up-disabled",
            Self::TooShort => "too-short",
            Self::TooCoarse => "too-coarse",
        }
    }

    /// Whether a manifest is written.
    pub(super) const fn suggests(self) -> bool {
        matches!(self, Self::Win)
    }
}

impl Figures {
    pub(super) fn of(judgement: &Judgement) -> Self {
        let (today, suggested) = (&judgement.today, &judgement.suggested);
        Self {
            cost: log_ratio(today, suggested, judgement.weights),
            replica_hours: change(today, suggested, seatrial_envs::episode::CostTerms::pod_seconds),
            bad_share: change_of_bad_share(today, suggested),
            bad_requests: difference(today, suggested, |terms| terms.bad_requests),
            changes: change(today, suggested, |terms| terms.changes),
        }
    }
}

/// The verdict for `scaler`: a disabled direction goes before what the numbers say, which start without its history.
pub(super) fn for_scaler(scaler: &Scaler, judgement: &Judgement, figures: &Figures, interval: Span) -> Verdict {
    match scaler.frozen() {
        Some(true) => Verdict::UpDisabled,
        Some(false) => Verdict::DownDisabled,
        None if scaler.rival.is_some() => Verdict::OtherMetric,
        None => of(judgement, figures, interval),
    }
}

/// The verdict over `judgement`, on bins of `interval`.
pub(super) fn of(judgement: &Judgement, figures: &Figures, interval: Span) -> Verdict {
    if interval > COARSE {
        return Verdict::TooCoarse;
    }
    if judgement.today.days.len() < ENOUGH_DAYS || figures.cost.low.is_none() {
        return Verdict::TooShort;
    }
    if judgement.saturated > SATURATED {
        return Verdict::Saturated;
    }
    if squeezed(judgement) {
        return Verdict::Ceiling;
    }
    if figures.cost.high.is_some_and(|high| high < 0.0) && figures.cost.value <= -WORTH {
        return if spoils(judgement) { Verdict::Spoils } else { Verdict::Win };
    }
    if judgement.pressed.floor >= BINDING {
        return Verdict::Floor;
    }
    if judgement.pressed.ceiling >= BINDING {
        return Verdict::Ceiling;
    }
    if starts_too_slowly(judgement) { Verdict::StartUp } else { Verdict::NothingToWin }
}

/// Whether most bad requests come while the ceiling holds, and settings leave many of them.
fn squeezed(judgement: &Judgement) -> bool {
    let bad = judgement.today.bad_share().min(judgement.suggested.bad_share());
    bad >= MANY_BAD && judgement.pressed.bad_at_ceiling >= CEILING_BAD
}

/// Whether a saving is paid with requests by someone who did not ask for cost alone.
fn spoils(judgement: &Judgement) -> bool {
    let (before, after) = (judgement.today.bad_share(), judgement.suggested.bad_share());
    after > SPOILT && after > before && judgement.weights.kappa >= Objective::Balanced.kappa()
}

/// Whether much is left over the least possible cost, and pods that start at once would win most of it.
fn starts_too_slowly(judgement: &Judgement) -> bool {
    let cost = judgement.suggested.cost(judgement.weights);
    let gap = cost - judgement.least_cost;
    let fast = cost - judgement.fast_start.cost(judgement.weights);
    judgement.least_cost > 0.0 && gap / judgement.least_cost >= FAR && fast / gap >= CLOSES
}

/// The verdict as one sentence, with the numbers that carry it.
pub(super) fn sentence(verdict: Verdict, judgement: &Judgement, figures: &Figures, scaler: &Scaler) -> String {
    let days = judgement.today.days.len();
    match verdict {
        Verdict::Win => win(judgement, figures),
        Verdict::NothingToWin => format!(
            "nothing to win: the best of the settings tried differs from today's by {} of the cost",
            with_interval(&figures.cost, |share| percent(math::exp(share) - 1.0))
        ),
        Verdict::Spoils => format!("nothing to win without spoiling requests: {}", win(judgement, figures)),
        Verdict::Saturated => format!(
            "too little is known: CPU was saturated in {:.0} % of the bins and hid more load; give requests per second",
            100.0 * judgement.saturated
        ),
        Verdict::OtherMetric => format!(
            "too little is known: the other metric {} may decide, and it is not simulated",
            scaler.rival.as_deref().unwrap_or_default()
        ),
        Verdict::Floor => {
            let (today, least) = (judgement.today.replica_hours(), judgement.oracle_from_one.as_ref());
            let lower = least.map_or_else(String::new, |least| {
                format!("; with minReplicas 1 a day could do with {:.1} replica-hours instead of {today:.1}", least.replica_hours())
            });
            let share = 100.0 * judgement.pressed.floor;
            format!("not an HPA problem: minReplicas {} holds {share:.0} % of the time, whatever the target{lower}", scaler.least())
        }
        Verdict::Ceiling => format!(
            "not an HPA problem: maxReplicas {} is too low; {:.0} % of the bad requests came while it held",
            scaler.max,
            100.0 * judgement.pressed.bad_at_ceiling
        ),
        Verdict::StartUp => {
            let (cost, fast) = (judgement.suggested.cost(judgement.weights), judgement.fast_start.cost(judgement.weights));
            format!(
                "not an HPA problem: pods start too slowly; no setting wins, but pods ready within {} s would save {:.0} % of the cost",
                FAST_START.as_secs_f64(),
                100.0 * (1.0 - fast / cost)
            )
        }
        Verdict::DownDisabled => "not an HPA problem: scaleDown is disabled in the manifest".to_owned(),
        Verdict::UpDisabled => "not an HPA problem: scaleUp is disabled in the manifest".to_owned(),
        Verdict::TooShort if judgement.today.length_days < 1.0 => {
            let hours = 24.0 * judgement.today.length_days;
            format!("too short for an answer: only today's settings are shown, on {hours:.1} h; give a week or more")
        }
        Verdict::TooShort if days <= 1 => {
            "too short for an answer: before and after are shown without an interval; give a week or more".to_owned()
        }
        Verdict::TooShort => {
            format!("too short for an answer: only {days} days to compare on; give a week or more")
        }
        Verdict::TooCoarse => {
            "too coarse for an answer: bins this long hide the bursts an autoscaler reacts to; export it with a step of 60 s or less".to_owned()
        }
    }
}

fn win(judgement: &Judgement, figures: &Figures) -> String {
    let hours = figures.replica_hours.value;
    let hours =
        format!("{} replica-hours", if hours <= 0.0 { percent(-hours) + " fewer" } else { percent(hours) + " more" });
    let (before, after) = (judgement.today.bad_share(), judgement.suggested.bad_share());
    let bad = if after > before && after >= MANY_BAD && figures.bad_share.excludes(0.0) {
        let more =
            if judgement.weights.kappa < Objective::Slo.kappa() { "; --objective slo weighs them more" } else { "" };
        return format!("{hours} for MORE bad requests: {} instead of {}{more}", share(after), share(before));
    } else if figures.bad_share.excludes(0.0) {
        format!("bad requests {} instead of {}", share(after), share(before))
    } else {
        format!("about as many bad requests ({} instead of {})", share(after), share(before))
    };
    format!("{hours}, {bad}")
}

/// Further findings, a sentence each.
pub(super) fn remarks(verdict: Verdict, judgement: &Judgement, scaler: &Scaler) -> Vec<String> {
    let mut remarks = Vec::new();
    let pressed = judgement.pressed;
    if verdict != Verdict::Floor && pressed.floor >= 0.5 {
        let share = 100.0 * pressed.floor;
        remarks.push(format!("minReplicas {} holds {share:.0} % of the time", scaler.least()));
    }
    if verdict != Verdict::Ceiling && pressed.bad_at_ceiling >= 0.25 && judgement.today.bad_share() >= MANY_BAD {
        let share = 100.0 * pressed.bad_at_ceiling;
        remarks.push(format!("{share:.0} % of today's bad requests came while maxReplicas {} held", scaler.max));
    }
    if let Some((target, track)) = &judgement.on_rate {
        let gain = log_ratio(&judgement.suggested, track, judgement.weights);
        if gain.high.is_some_and(|high| high < 0.0) && gain.value <= -MUCH {
            remarks.push(format!(
                "an autoscaler on requests per second ({target} per pod) would cost another {} less than the best on CPU",
                percent(1.0 - math::exp(gain.value))
            ));
        }
    }
    remarks
}

/// `12.3 %`.
pub(super) fn percent(share: f64) -> String {
    let value = 100.0 * share;
    let value = if value.abs() < 0.05 { 0.0 } else { value };
    format!("{value:.1} %")
}

/// A small share with enough digits: `0.031 %`.
pub(super) fn share(share: f64) -> String {
    let value = 100.0 * share;
    match value.abs() {
        least if least < 5e-7 => "0 %".to_owned(),
        small if small < 0.0995 => format!("{value:.4} %"),
        middle if middle < 9.95 => format!("{value:.2} %"),
        _ => format!("{value:.1} %"),
    }
}

/// `−11.0 % (−12.1 to −9.8 %)`, with a true minus; without an interval where there is none.
pub(super) fn with_interval(estimate: &Estimate, show: impl Fn(f64) -> String) -> String {
    let signed = |value: f64| {
        let text = show(value);
        if let Some(rest) = text.strip_prefix(['-', '−']) {
            format!("−{rest}")
        } else if text == "0" || text.starts_with("0 ") || text.starts_with("0.0 ") {
            text
        } else {
            format!("+{text}")
        }
    };
    if !estimate.value.is_finite() {
        return "–".to_owned();
    }
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            let low = signed(low);
            let low = low.strip_suffix(" %").unwrap_or(&low).to_owned();
            format!("{} ({low} to {})", signed(estimate.value), signed(high))
        }
        _ => signed(estimate.value),
    }
}

#[cfg(test)]
mod tests;
