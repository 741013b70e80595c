//! What the terminal shows: the verdict first, then the numbers it rests on, aligned, at most a screen.

use seatrial_reports::tuning::TuningNumber;

use super::outcome::Outcome;
use super::verdict::Verdict;
use super::written::Written;

/// Notes beyond these stand on the page alone.
const MOST_NOTES: usize = 6;

/// Tells all outcomes.
pub(super) fn tell(outcomes: &[Outcome], written: &Written, notes: &[String]) {
    for outcome in outcomes {
        say!("{}: {}", outcome.scaler.label(), outcome.sentence());
        say!();
        say_numbers(outcome);
        say_changes(outcome);
        for remark in outcome.remarks() {
            say!("also: {remark}");
        }
        say_basis(outcome);
    }
    say_files(written);
    for note in notes.iter().take(MOST_NOTES) {
        tell!("note: {note}");
    }
    if notes.len() > MOST_NOTES {
        tell!("note: {} more on the page", notes.len() - MOST_NOTES);
    }
}

fn say_numbers(outcome: &Outcome) {
    let after = if outcome.verdict.suggests() { "suggested" } else { "best tried" };
    let change = |line: &TuningNumber| {
        if line.interval.is_empty() { line.change.clone() } else { format!("{} ({})", line.change, line.interval) }
    };
    let heads = ["", "today", after, "change (95 % interval)", "oracle"].map(str::to_owned);
    let lines: Vec<[String; 5]> = outcome
        .numbers()
        .iter()
        .map(|line| [line.name.clone(), line.before.clone(), line.after.clone(), change(line), line.oracle.clone()])
        .collect();
    let rows: Vec<&[String; 5]> = std::iter::once(&heads).chain(&lines).collect();
    let widths: Vec<usize> =
        (0..5).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for row in rows {
        let mut text = format!("  {:<width$}", row[0], width = widths[0]);
        for column in [1, 2, 3, 4] {
            let width = widths[column] + 2;
            // The change reads from its left edge, numbers from their right.
            text += &if column == 3 {
                format!("   {:<width$}", row[column], width = widths[3])
            } else {
                format!("{:>width$}", row[column])
            };
        }
        say!("{}", text.trim_end());
    }
    say!();
}

fn say_changes(outcome: &Outcome) {
    if outcome.verdict != Verdict::Win {
        return;
    }
    let width = outcome.changes.iter().map(|change| change.field.chars().count()).max().unwrap_or(0);
    for change in &outcome.changes {
        let place = change.line.map_or_else(|| "added".to_owned(), |line| format!("line {line}"));
        say!("  {:<width$}  {} → {}  ({place})", change.field, change.before, change.after);
    }
    say!();
}

fn say_basis(outcome: &Outcome) {
    say!("tuned on    {} ({} settings)", outcome.earlier, outcome.search.candidates.len());
    say!("compared on {} ({})", outcome.later, outcome.basis());
    let seconds = outcome.physics.pod_start.as_secs_f64();
    say!("a pod       serves {:.1} requests/s at 100 % CPU and starts in {seconds} s", outcome.physics.capacity);
    say!();
}

fn say_files(written: &Written) {
    if let Some(manifest) = &written.manifest {
        say!("wrote {}: look at it, then apply it; nothing was applied", manifest.display());
    }
    for sentence in &written.by_hand {
        say!("{sentence}");
    }
    say!("wrote {}", written.folder.join("index.html").display());
}
