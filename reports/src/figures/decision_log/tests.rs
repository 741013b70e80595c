//! A synthetic log of two hours at a decision every 15 s: a rise, ten minutes without metrics, a guard that steps in.

use seatrial_core::observe::FEATURE_COUNT;
use seatrial_core::record::RECORD_VERSION;

use super::super::scene::Mark;
use super::*;

fn record(i: i64) -> DecisionRecord {
    let blind = (200..240).contains(&i);
    let rate = 200.0 + 3.0 * (i - 240).max(0) as f64;
    let mut features = [None; FEATURE_COUNT];
    if !blind {
        features[Feature::HttpRequestsTotalRate as usize] = Some(rate);
        features[Feature::HttpRequestDurationSecondsCountRate as usize] = Some(rate);
        features[Feature::HttpRequestDurationSecondsSumRate as usize] = Some(rate * 0.02);
        features[Feature::BadRequestRatio as usize] = Some(if i % 60 == 0 { 0.05 } else { 0.0 });
    }
    let ready = u32::try_from(5 + (i - 240).max(0) / 16).unwrap();
    let changed = i > 240 && i % 16 == 0;
    DecisionRecord {
        version: RECORD_VERSION,
        at_us: 1_767_225_600_000_000 + i * 15_000_000,
        load_at_us: None,
        features,
        spec_replicas: ready,
        ready,
        starting: 0,
        terminating: 0,
        capacity_mean: Some(50.0),
        capacity_lower: None,
        forecast: None,
        proposed: Some(ready),
        action: None,
        decided: ready + u32::from(changed),
        reason: if blind { "guard-stale-metrics" } else { "quantile" }.to_owned(),
        overridden: blind,
    }
}

fn log() -> Vec<DecisionRecord> {
    (0..480).map(record).collect()
}

#[test]
fn a_log_is_drawn_from_its_records_alone() {
    let figure = decision_log("shop/web (lstm-dqn)", &log()).unwrap();
    assert_eq!(figure.id, "decision-log-shop-web-lstm-dqn");
    assert!(figure.title.contains("1 Jan 2026, 00:00 to 01:59 UTC: 480 decisions"), "{}", figure.title);
    // Every sixteenth decision after the 240th changes something: 256, 272 … 464 are 14 of them.
    assert!(figure.caption.contains(
        "Of 480 decisions 14 changed the replicas, the guard overrode 40 (8.3 %), and 40 had no load sample"
    ));
    assert!(figure.caption.contains("quantile 440, guard-stale-metrics 40"), "{}", figure.caption);
    for head in
        ["requests/s", "replicas", "mean latency, ms", "bad requests, %", "guard overrode", "estimated capacity"]
    {
        assert!(figure.svg.contains(head), "{head}");
    }
    let overrides = |mark: &&Mark| matches!(mark, Mark::Line { points, color, width } if *color == DECIDED && *width == 1.5 && points.len() == 2 && points[0].0 == points[1].0);
    // Stretches of two decisions: 40 overridden decisions are 20 ticks.
    assert_eq!(figure.scene.marks.iter().filter(overrides).count(), 20);
}

#[test]
fn csv_keeps_what_is_missing_missing() {
    let figure = decision_log("web", &log()).unwrap();
    let lines: Vec<Vec<&str>> = figure.csv.lines().map(|line| line.split(',').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == 11));
    assert_eq!(lines.len(), 1 + 240);
    assert_eq!(lines[1][1..], ["200.0000", "200.0000", "250.0000", "5", "5", "20.0000", "5.0000", "0", "0", "0"]);
    assert_eq!(lines[101][1..3], ["", ""]);
    assert_eq!(lines[101][6..], ["", "", "0", "2", "2"]);
}

#[test]
fn texts_keep_clear_of_each_other_whatever_was_recorded() {
    let bare: Vec<DecisionRecord> = log()
        .into_iter()
        .map(|record| DecisionRecord { features: [None; FEATURE_COUNT], capacity_mean: None, ..record })
        .collect();
    let short: Vec<DecisionRecord> = log().into_iter().take(2).collect();
    for records in [log(), bare, short] {
        let figure = decision_log("a-namespace/with-a-long-name", &records).unwrap();
        let boxes = figure.scene.text_boxes();
        for (i, (text, a)) in boxes.iter().enumerate() {
            assert!(a.inside(figure.scene.width, figure.scene.height), "`{text}` is clipped: {a:?}");
            assert!(boxes[i + 1..].iter().all(|(_, b)| !a.overlaps(b)), "`{text}` overlaps");
        }
        assert!(!figure.svg.contains("NaN"));
    }
}

#[test]
fn order_does_not_matter_and_files_are_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut reversed = log();
    reversed.reverse();
    let read = |records: &[DecisionRecord], tag: &str| {
        let figure = decision_log("web", records).unwrap();
        let paths = crate::write::write_figure(&folder.path().join(tag), &figure).unwrap();
        paths.map(|path| std::fs::read(path).unwrap())
    };
    assert_eq!(read(&log(), "a"), read(&reversed, "b"));
}

#[test]
fn a_log_with_one_moment_is_refused() {
    for records in [vec![], vec![record(0)], vec![record(3), record(3)]] {
        let error = decision_log("web", &records).unwrap_err().to_string();
        assert!(error.contains("`web`") && error.contains("two of different moments"), "{error}");
    }
}
