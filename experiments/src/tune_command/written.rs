//! The files: the manifest to apply, the page, the figure, `summary.json` and every setting that was tried.
//!
//! All of them are made before one is written, and none replaces another content without `--force`, nor ever the manifest that
//! was read.

use std::path::{Path, PathBuf};

use seatrial_reports::figures::{Figure, TuningCurve, TuningPoint, TuningRole, tuning_curve};
use seatrial_reports::format::{csv_field, slug};
use seatrial_reports::model::Fact;
use seatrial_reports::stats::Estimate;
use seatrial_reports::tuning::{TuningChange, TuningPage, TuningSection};
use seatrial_reports::write::write_figure;
use serde::Serialize;

use super::Session;
use super::arguments::Objective;
use super::changes;
use super::judgement::Track;
use super::outcome::Outcome;
use super::verdict::Verdict;
use super::yaml::EditError;
use crate::cli::line;
use crate::error::{ExperimentError, Result};
use crate::import_command::{shown, write_new};
use crate::{hash, manifest};

/// Version of `summary.json`.
const SCHEMA: u32 = 1;

/// What was written.
pub(super) struct Written {
    pub(super) folder: PathBuf,
    /// The manifest to apply, if anything is suggested.
    pub(super) manifest: Option<PathBuf>,
    /// Which autoscalers' fields could not be set in the text and so have to be set by hand, and why: a sentence each.
    pub(super) by_hand: Vec<String>,
}

/// Writes everything below `--out`.
///
/// # Errors
/// If a file cannot be written, or another content is there.
pub(super) fn write(session: &Session<'_>, outcomes: &[Outcome], notes: &[String]) -> Result<Written> {
    let folder = folder(session, outcomes);
    let (text, by_hand) = suggested(session, outcomes);
    let changed = text != session.manifest.text;
    let lead = if changed { "not in the manifest that was written" } else { "no manifest was written" };
    let by_hand: Vec<String> = by_hand.iter().map(|why| format!("{lead}: {why}")).collect();
    let name = file_name(&session.arguments.manifest);
    let figures: Vec<Figure> = outcomes.iter().map(figure).collect::<Result<_>>()?;
    let mut files = vec![
        ("summary.json".to_owned(), summary(session, outcomes)?),
        ("tables/settings.csv".to_owned(), settings(outcomes)),
        ("index.html".to_owned(), page(session, outcomes, &figures, (notes, &by_hand, changed.then_some(&name)))?),
    ];
    files.extend(figures.iter().map(|figure| (format!("figures/{}.svg", figure.id), figure.svg.clone())));
    files.extend(changed.then(|| (name.clone(), text)));
    refuse_manifest(&session.arguments.manifest, &folder, &files)?;
    refuse_occupied(&folder, &files, session.arguments.force)?;
    for (name, text) in &files {
        write_new(&folder.join(name), text.as_bytes(), true)?;
    }
    for figure in &figures {
        write_figure(&folder.join("figures"), figure).map_err(|error| ExperimentError::Report(error.to_string()))?;
    }
    Ok(Written { manifest: changed.then(|| folder.join(name)), folder, by_hand })
}

fn folder(session: &Session<'_>, outcomes: &[Outcome]) -> PathBuf {
    let name = match outcomes {
        [only] => only.scaler.name.clone(),
        _ => session.arguments.manifest.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    session.arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("tune-{}", slug(&name))))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "manifest.yaml".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// What runs today is the only record of it: it is never replaced, `--force` or not.
fn refuse_manifest(manifest: &Path, folder: &Path, files: &[(String, String)]) -> Result<()> {
    let own = std::fs::canonicalize(manifest).ok();
    let same = |(name, _): &&(String, String)| own.is_some() && std::fs::canonicalize(folder.join(name)).ok() == own;
    files.iter().find(same).map_or(Ok(()), |(name, _)| {
        Err(ExperimentError::Usage {
            what: format!("{} is the manifest itself, which is never replaced", folder.join(name).display()),
            next: "choose another folder with --out, and copy the file from there after a look".to_owned(),
        })
    })
}

/// Nothing is written if one file would be replaced.
fn refuse_occupied(folder: &Path, files: &[(String, String)], force: bool) -> Result<()> {
    let differs =
        |(name, text): &&(String, String)| std::fs::read(folder.join(name)).is_ok_and(|old| old != text.as_bytes());
    match files.iter().find(differs) {
        Some((name, _)) if !force => Err(ExperimentError::Usage {
            what: format!("{} is there already and holds something else", folder.join(name).display()),
            next: "choose another --out, or replace it with --force".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The manifest with the winning fields, and what has to be set by hand.
fn suggested(session: &Session<'_>, outcomes: &[Outcome]) -> (String, Vec<String>) {
    let (mut text, mut by_hand) = (session.manifest.text.clone(), Vec::new());
    for outcome in outcomes.iter().filter(|outcome| outcome.verdict.suggests()) {
        match changes::apply(&text, outcome.scaler.document, &outcome.changes) {
            Ok(edited) => text = edited,
            Err(error) => by_hand.push(sentence_by_hand(outcome, &error, outcomes.len() > 1)),
        }
    }
    (text, by_hand)
}

fn sentence_by_hand(outcome: &Outcome, error: &EditError, several: bool) -> String {
    let whose = if several { format!("{}: ", outcome.scaler.label()) } else { String::new() };
    let what = if outcome.changes.len() > 1 { "it and the other fields" } else { "it" };
    format!("{whose}{error}; set {what} by hand")
}

fn figure(outcome: &Outcome) -> Result<Figure> {
    let point = |role: TuningRole, words: String, track: &Track| TuningPoint {
        role,
        words,
        replica_hours: track.replica_hours(),
        bad_percent: 100.0 * track.bad_share(),
    };
    let (search, judgement) = (&outcome.search, &outcome.judgement);
    let words = |number: usize| outcome.in_words(&search.candidates[number]);
    // Without a whole day to compare on only today's figures are shown.
    let compared = outcome.hours.is_none();
    let front = judgement.front.iter().filter(|_| compared);
    let mut points: Vec<TuningPoint> =
        front.map(|(number, track)| point(TuningRole::Tried, words(*number), track)).collect();
    let roles = [TuningRole::Cost, TuningRole::Balanced, TuningRole::Slo];
    for ((objective, role), track) in
        Objective::ALL.into_iter().zip(roles).zip(&judgement.by_objective).filter(|_| compared)
    {
        points.push(point(role, words(search.choice(objective)), track));
    }
    points.push(point(TuningRole::Today, words(0), &judgement.today));
    if outcome.verdict.suggests() {
        points.push(point(TuningRole::Suggested, words(search.choice(outcome.objective)), &judgement.suggested));
    }
    points.push(point(TuningRole::Oracle, "knows the future".to_owned(), &judgement.oracle));
    let curve = TuningCurve {
        id: slug(&outcome.scaler.label()),
        title: format!("Settings of {}: what they cost and what they spoil", outcome.scaler.label()),
        place: format!("{}, mean per day; none of them was tuned on", outcome.later),
        points,
    };
    tuning_curve(&curve).map_err(|error| ExperimentError::Report(error.to_string()))
}

/// The arguments to repeat the command; where the files go is no part of them.
fn command(session: &Session<'_>) -> String {
    let arguments = session.arguments;
    let mut words = vec!["tune".to_owned(), "--manifest".to_owned(), arguments.manifest.display().to_string()];
    words.extend(["--trace".to_owned(), arguments.trace.clone()]);
    let series = arguments.series.clone().map(|name| ("--series", name));
    let scaler = arguments.scaler.clone().map(|name| ("--scaler", name));
    let objective = Some(("--objective", arguments.objective.word().to_owned()));
    let start = arguments.pod_start.map(|span| ("--pod-start", shown(span)));
    let rate = arguments.requests_per_pod.map(|rate| ("--requests-per-pod", rate.to_string()));
    let metric = arguments.rate_metric.clone().map(|name| ("--rate-metric", name));
    let given = [series, scaler, objective, start, rate, metric].into_iter().flatten();
    words.extend(given.flat_map(|(option, value)| [option.to_owned(), value]));
    line(&words)
}

fn page(
    session: &Session<'_>,
    outcomes: &[Outcome],
    figures: &[Figure],
    (notes, by_hand, result): (&[String], &[String], Option<&String>),
) -> Result<String> {
    let sections = outcomes.iter().zip(figures).map(|(outcome, figure)| section(session, outcome, figure));
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    let page = TuningPage {
        manifest: file_name(&session.arguments.manifest),
        trace: session.arguments.trace.clone(),
        result: result.cloned().unwrap_or_default(),
        sections: sections.collect(),
        by_hand: by_hand.to_vec(),
        notes: notes.to_vec(),
        provenance: vec![
            fact("command", format!("seatrial {}", command(session))),
            fact("revision", manifest::revision()),
            fact("manifest", hash::of_bytes(session.manifest.text.as_bytes())),
        ],
    };
    page.html().map_err(|error| ExperimentError::Report(error.to_string()))
}

fn section(session: &Session<'_>, outcome: &Outcome, figure: &Figure) -> TuningSection {
    let file = file_name(&session.arguments.manifest);
    let changes = outcome.changes.iter().filter(|_| outcome.verdict.suggests()).map(|change| TuningChange {
        field: change.field.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        place: change.line.map_or_else(|| "added".to_owned(), |line| format!("{file}:{line}")),
    });
    TuningSection {
        name: format!("{} {}", outcome.scaler.kind_name(), outcome.scaler.label()),
        verdict: outcome.sentence(),
        class: match outcome.verdict {
            Verdict::Win => "good",
            Verdict::NothingToWin => "",
            _ => "bad",
        },
        numbers: outcome.numbers(),
        changes: changes.collect(),
        objectives: outcome.objectives(),
        remarks: outcome.remarks(),
        figure: figure.clone(),
        facts: outcome.facts(),
    }
}

/// Every setting that was tried, with what it did on the earlier part.
fn settings(outcomes: &[Outcome]) -> String {
    let mut csv = "autoscaler,settings,changed_fields,replica_hours,bad_requests,requests,changes,cost\n".to_owned();
    for outcome in outcomes {
        let weights = outcome.search.weights(outcome.objective);
        for (candidate, terms) in outcome.search.candidates.iter().zip(&outcome.search.terms) {
            csv += &format!(
                "{},{},{},{},{},{},{},{}\n",
                csv_field(&outcome.scaler.label()),
                csv_field(&outcome.in_words(candidate)),
                candidate.changes(),
                terms.pod_seconds() / 3_600.0,
                terms.bad_requests,
                terms.requests,
                terms.changes,
                terms.j(weights),
            );
        }
    }
    csv
}

#[derive(Serialize)]
struct Summary {
    schema: u32,
    command: String,
    revision: String,
    manifest: String,
    autoscalers: Vec<Scored>,
}

#[derive(Serialize)]
struct Scored {
    name: String,
    kind: &'static str,
    verdict: &'static str,
    sentence: String,
    trace_content: String,
    requests_per_pod: f64,
    pod_start_s: f64,
    kappa: f64,
    tuned_on: String,
    compared_on: String,
    days: usize,
    settings_tried: usize,
    suggested: Vec<Field>,
    today: Costs,
    after: Costs,
    oracle: Costs,
    least_cost_pod_s_per_day: f64,
    change: Changes,
}

#[derive(Serialize)]
struct Field {
    field: String,
    before: String,
    after: String,
}

#[derive(Serialize)]
struct Costs {
    replica_hours_per_day: f64,
    bad_fraction: f64,
    bad_requests_per_day: f64,
    changes_per_day: f64,
    cost_pod_s_per_day: f64,
}

/// Replica-hours and changes as shares, bad requests in their own units; `ln_cost` is the mean over days of ln J(after) − ln J(before).
#[derive(Serialize)]
struct Changes {
    ln_cost: Interval,
    replica_hours: Interval,
    bad_fraction: Interval,
    bad_requests_per_day: Interval,
    changes: Interval,
}

#[derive(Serialize)]
struct Interval {
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    n: usize,
}

impl From<&Estimate> for Interval {
    fn from(estimate: &Estimate) -> Self {
        let value = Some(estimate.value).filter(|value| value.is_finite());
        Self { value, low: estimate.low, high: estimate.high, n: estimate.n }
    }
}

fn summary(session: &Session<'_>, outcomes: &[Outcome]) -> Result<String> {
    let summary = Summary {
        schema: SCHEMA,
        command: format!("seatrial {}", command(session)),
        revision: manifest::revision(),
        manifest: hash::of_bytes(session.manifest.text.as_bytes()),
        autoscalers: outcomes.iter().map(scored).collect(),
    };
    let text = serde_json::to_string_pretty(&summary);
    text.map(|text| text + "\n").map_err(|error| ExperimentError::Report(format!("summary.json: {error}")))
}

fn scored(outcome: &Outcome) -> Scored {
    let weights = outcome.judgement.weights;
    let costs = |track: &Track| Costs {
        replica_hours_per_day: track.replica_hours(),
        bad_fraction: track.bad_share(),
        bad_requests_per_day: track.mean(|terms| terms.bad_requests),
        changes_per_day: track.mean(|terms| terms.changes),
        cost_pod_s_per_day: track.cost(weights),
    };
    let suggested = outcome.changes.iter().filter(|_| outcome.verdict.suggests()).map(|change| Field {
        field: change.field.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
    });
    let figures = &outcome.figures;
    Scored {
        name: outcome.scaler.label(),
        kind: outcome.scaler.kind_name(),
        verdict: outcome.verdict.word(),
        sentence: outcome.sentence(),
        trace_content: outcome.content_hash.clone(),
        requests_per_pod: outcome.physics.capacity,
        pod_start_s: outcome.physics.pod_start.as_secs_f64(),
        kappa: weights.kappa,
        tuned_on: outcome.earlier.clone(),
        compared_on: outcome.later.clone(),
        days: outcome.judgement.today.days.len(),
        settings_tried: outcome.search.candidates.len(),
        suggested: suggested.collect(),
        today: costs(&outcome.judgement.today),
        after: costs(&outcome.judgement.suggested),
        oracle: costs(&outcome.judgement.oracle),
        least_cost_pod_s_per_day: outcome.judgement.least_cost,
        change: Changes {
            ln_cost: (&figures.cost).into(),
            replica_hours: (&figures.replica_hours).into(),
            bad_fraction: (&figures.bad_share).into(),
            bad_requests_per_day: (&figures.bad_requests).into(),
            changes: (&figures.changes).into(),
        },
    }
}
