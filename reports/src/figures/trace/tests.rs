//! The picture of a trace: its texts, its heads, and what is drawn of nothing.

use super::*;

const JULY_US: i64 = 804_556_800_000_000;
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// A series of `days`, split as P1 splits `worldcup98`, whose validation and gap are narrow.
fn panel(name: &str, start_us: i64, days: i64) -> TracePanel {
    let at = |per_mille: i64| start_us + days * DAY_US * per_mille / 1_000;
    let column = |k: i64| TraceColumn {
        start_us: at(k),
        end_us: at(k + 1),
        bins: 60,
        missing: usize::from(k % 100 == 7),
        level: Some(TraceLevel { least: 1.0, median: k as f64, greatest: 7_654_321.0 }),
    };
    let edges =
        [("train", 0, 803), ("validation", 803, 820), ("gap", 820, 836), ("test", 836, 951), ("unused", 951, 1_000)];
    let part = |(name, from, to)| TracePart { name, start_us: at(from), end_us: at(to) };
    TracePanel {
        name: name.to_owned(),
        levels: "P50 3,376 · P99.5 132,329 · peak 7,654,321 · 0.01 % missing".to_owned(),
        columns: (0..1_000).map(column).collect(),
        parts: edges.into_iter().map(part).collect(),
    }
}

fn overview(panels: Vec<TracePanel>) -> TraceOverview {
    let wordy = "requests, counted where they arrive and not where they are answered, per bin of the source ";
    TraceOverview {
        id: "some trace/of mine".to_owned(),
        about: format!("rate: {}· bins of 1 min", wordy.repeat(3)),
        unit: wordy.repeat(3),
        time_base: "log time zone -0400 converted to UTC".to_owned(),
        source: Some(wordy.repeat(2)),
        panels,
    }
}

/// Lengths from a day to 60 years, with and without dates.
#[test]
fn no_text_is_clipped_and_no_two_texts_overlap() {
    let lengths = |of: &[i64], start_us: i64| -> Vec<TracePanel> {
        of.iter().map(|days| panel(&format!("series of {days}"), start_us - 7_000 * days * HOUR_US, *days)).collect()
    };
    let several: Vec<i64> = (1..=16).collect();
    for panels in [
        vec![panel("", 893_971_800_000_000, 61)],
        vec![panel("", 0, 7)],
        lengths(&several, JULY_US),
        lengths(&[30, 365, 3_650, 21_900], JULY_US),
        vec![panel("no date", 0, 30), panel("long", 0, 300)],
    ] {
        let figure = trace_overview(&overview(panels)).unwrap();
        let boxes = figure.scene.text_boxes();
        for (i, (text, a)) in boxes.iter().enumerate() {
            assert!(a.inside(figure.scene.width, figure.scene.height), "`{text}` is clipped: {a:?}");
            for (other, b) in &boxes[i + 1..] {
                assert!(!a.overlaps(b), "`{text}` {a:?} over `{other}` {b:?}");
            }
        }
    }
}

#[test]
fn series_of_different_days_say_which() {
    let panels = |days| vec![panel("a", JULY_US, 7), panel("b", JULY_US, days)];
    let head = |days| trace_overview(&overview(panels(days))).unwrap().svg;
    assert!(head(9).contains("\na · 1 Jul to 7 Jul 1995\n") && head(9).contains("\nb · 1 Jul to 9 Jul 1995\n"));
    assert!(head(7).contains("\na\n") && head(7).contains("\nb\n"));
}

#[test]
fn a_series_without_any_value_is_an_empty_panel() {
    let mut empty = panel("", 0, 7);
    empty.columns.iter_mut().for_each(|column| (column.missing, column.level) = (60, None));
    let figure = trace_overview(&overview(vec![empty])).unwrap();
    assert_eq!(figure.id, "some-trace-of-mine");
    assert!(figure.caption.contains("bins without a value") && figure.caption.contains("time: relative"));
    assert!(!figure.svg.contains("#08458A") && !figure.svg.contains("NaN"));
    assert!(figure.csv.lines().skip(1).all(|row| row.ends_with(",60,60,,,")), "{}", figure.csv);
}
