//! `seatrial trace`: what it says about a file, the pictures it writes, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use seatrial_datasets::{Column, Table, write_table};

const DAY_S: u32 = 86_400;
/// 2025-03-03T00:00:00Z, a Monday.
const START_S: i64 = 1_740_960_000;
/// The colours of the line and of the test part.
const CURVE: [u8; 3] = [0x08, 0x45, 0x8a];
const TEST_PART: [u8; 3] = [0xfd, 0xe8, 0xdd];

fn seatrial(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seatrial"))
        .args(arguments)
        .current_dir(folder)
        .env("SEATRIAL_TRACES", folder)
        .output()
        .unwrap()
}

fn printed(arguments: &[&str], folder: &Path) -> String {
    let output = seatrial(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Rows of a series: bins of `step_s` seconds from [`START_S`], without those of `holes`.
struct Rows<'a> {
    series: &'a str,
    step_s: u32,
    bins: u32,
    holes: std::ops::Range<u32>,
}

const WEEK: Rows<'_> = Rows { series: "", step_s: 300, bins: 7 * 288, holes: 0..0 };

fn daily(at_s: u32) -> f64 {
    300.0 + 200.0 * libm::sin(f64::from(at_s) / f64::from(DAY_S) * std::f64::consts::TAU)
}

fn write(folder: &Path, id: &str, rows: &[Rows<'_>], value: impl Fn(u32) -> f64) -> PathBuf {
    let (mut at, mut values, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        for bin in (0..row.bins).filter(|bin| !row.holes.contains(bin)) {
            at.push((START_S + i64::from(bin * row.step_s)) * 1_000_000);
            values.push(value(bin * row.step_s));
            names.push(row.series.to_owned());
        }
    }
    let mut table = Table::new().with("timestamp", Column::TimestampUs(at)).unwrap();
    table.push("value", Column::F64(values)).unwrap();
    if rows.len() > 1 {
        table.push("series", Column::Text(names)).unwrap();
    }
    let interval = (rows[0].step_s * 1_000_000).to_string();
    let metadata = [
        ("trace.kind", "rate"),
        ("trace.unit", "requests per bin"),
        ("trace.interval_us", interval.as_str()),
        ("trace.source", "made by a test"),
        ("trace.license", "CC0-1.0"),
    ];
    let path = folder.join(format!("{id}.parquet"));
    write_table(&path, &table, &metadata).unwrap();
    path
}

fn plotted(folder: &Path, id: &str, more: &[&str]) -> String {
    printed(&[&["trace", "plot", id, "--out", "out"], more].concat(), folder);
    std::fs::read_to_string(folder.join(format!("out/{id}.svg"))).unwrap()
}

/// How often a text stands in an SVG.
fn said(svg: &str, text: &str) -> usize {
    svg.matches(&format!(">\n{text}\n</text>")).count()
}

/// The lines of the series in an SVG, as lists of points.
fn curves(svg: &str) -> Vec<Vec<(f64, f64)>> {
    let [r, g, b] = CURVE;
    let stroke = format!("stroke=\"#{r:02X}{g:02X}{b:02X}\"");
    let lines = svg.lines().filter(|line| line.starts_with("<polyline") && line.contains(&stroke));
    let points = |line: &str| {
        let list = line.split_once(" points=\"").unwrap().1.split('"').next().unwrap();
        list.split_whitespace()
            .map(|point| point.split_once(',').unwrap())
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect()
    };
    lines.map(points).collect()
}

/// Width and pixels of an 8-bit RGB PNG: chunks, zlib and the five filters of the specification.
fn decoded(png: &[u8]) -> (usize, Vec<[u8; 3]>) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    let (width, height) = (word(16), word(20));
    assert_eq!(&png[24..29], [8, 2, 0, 0, 0], "8 bits, RGB, not interlaced");
    let (mut at, mut packed) = (8, Vec::new());
    while &png[at + 4..at + 8] != b"IEND" {
        if &png[at + 4..at + 8] == b"IDAT" {
            packed.extend_from_slice(&png[at + 8..at + 8 + word(at)]);
        }
        at += 12 + word(at);
    }
    let mut raw = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut raw).unwrap();
    assert_eq!(raw.len(), height * (1 + 3 * width));
    let mut above = vec![0_u8; 3 * width];
    let mut pixels = Vec::with_capacity(width * height);
    for row in raw.chunks(1 + 3 * width) {
        let mut line = row[1..].to_vec();
        for i in 0..line.len() {
            let (left, corner) = if i < 3 { (0, 0) } else { (line[i - 3], above[i - 3]) };
            let by = match row[0] {
                0 => 0,
                1 => left,
                2 => above[i],
                3 => u8::midpoint(left, above[i]),
                4 => paeth(left, above[i], corner),
                filter => panic!("no filter {filter}"),
            };
            line[i] = line[i].wrapping_add(by);
        }
        pixels.extend(line.chunks(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]));
        above = line;
    }
    (width, pixels)
}

fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(above) - i16::from(corner);
    [left, above, corner].into_iter().min_by_key(|value| (guess - i16::from(*value)).abs()).unwrap()
}

#[test]
fn a_plot_is_svg_png_and_csv_and_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "week", &[WEEK], daily);
    let first = printed(&["trace", "plot", "week", "--out", "a"], folder.path());
    assert_eq!(first.lines().collect::<Vec<_>>(), ["a/week.svg", "a/week.png", "a/week.csv"]);
    printed(&["trace", "plot", "week", "--out", "b"], folder.path());
    let read = |path: &str| std::fs::read(folder.path().join(path)).unwrap();
    for extension in ["svg", "png", "csv"] {
        assert_eq!(read(&format!("a/week.{extension}")), read(&format!("b/week.{extension}")), "{extension}");
    }
    assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 3);
    let (width, pixels) = decoded(&read("a/week.png"));
    assert_eq!(width, 2 * 960);
    let share = |color: [u8; 3]| pixels.iter().filter(|pixel| **pixel == color).count() as f64 / pixels.len() as f64;
    assert!(share(CURVE) > 0.002, "the line covers {}", share(CURVE));
    // A fifth of the panel, which takes some three fifths of the picture.
    assert!((0.05..0.2).contains(&share(TEST_PART)), "the test part covers {}", share(TEST_PART));
}

#[test]
fn without_a_folder_the_plot_goes_to_runs() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Some_Week", &[WEEK], daily);
    let said = printed(&["trace", "plot", "Some_Week"], folder.path());
    assert!(said.starts_with("runs/trace-some-week/Some_Week.svg\n"), "{said}");
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["Some_Week.parquet", "runs"]);
}

#[test]
fn a_gap_splits_the_line() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "whole", &[WEEK], daily);
    write(folder.path(), "gappy", &[Rows { holes: 400..700, ..WEEK }], daily);
    let whole = plotted(folder.path(), "whole", &[]);
    assert_eq!(curves(&whole).len(), 1);
    assert!(!whole.contains("bins without a value"));
    let gappy = plotted(folder.path(), "gappy", &[]);
    let lines = curves(&gappy);
    assert_eq!(lines.len(), 2);
    // 300 of 2,016 bins: the lines are that share of the panel apart.
    let (left, right) = (lines[0][0].0, lines[1].last().unwrap().0);
    let gap = lines[1][0].0 - lines[0].last().unwrap().0;
    assert!((gap / (right - left) - 300.0 / 2_016.0).abs() < 0.004, "{gap} of {}", right - left);
    assert!(gappy.contains("14.9 % missing") && gappy.contains("bins without a value"));
    let csv = std::fs::read_to_string(folder.path().join("out/gappy.csv")).unwrap();
    assert!(csv.lines().any(|row| row.ends_with(",,,")), "a column without values is empty, not zero");
}

#[test]
fn the_parts_of_the_split_are_named_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "week", &[WEEK], daily);
    let svg = plotted(folder.path(), "week", &[]);
    for part in ["train", "validation", "gap", "test"] {
        assert_eq!(said(&svg, part), 1, "{part}");
    }
    // P1: the test is the last fifth, from 14:20; a column of the picture holds two or three bins.
    let csv = std::fs::read_to_string(folder.path().join("out/week.csv")).unwrap();
    let first_test = csv.lines().find(|row| row.starts_with(",test,")).unwrap();
    assert!(
        first_test.starts_with(",test,2025-03-08T14:3") || first_test.starts_with(",test,2025-03-08T14:2"),
        "{first_test}"
    );
    write(folder.path(), "short", &[Rows { bins: 288, ..WEEK }], daily);
    let svg = plotted(folder.path(), "short", &[]);
    assert!(said(&svg, "test only") == 1 && said(&svg, "train") == 0);
    let [r, g, b] = TEST_PART;
    assert!(svg.contains(&format!("fill=\"#{r:02X}{g:02X}{b:02X}\"")), "a test-only series has the colour of the test");
}

#[test]
fn a_long_series_is_a_range_and_a_median_that_keep_the_peak() {
    let folder = tempfile::tempdir().unwrap();
    let long = Rows { step_s: 60, bins: 28 * 1_440, ..WEEK };
    write(folder.path(), "long", &[long], |at| if at == 60 * 33_333 { 98_765.0 } else { daily(at) });
    let svg = plotted(folder.path(), "long", &[]);
    let lines = curves(&svg);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].len() < 1_000 && svg.len() < 100_000, "{} points, {} bytes", lines[0].len(), svg.len());
    assert!(svg.contains("peak 98,765") && said(&svg, "100,000") == 1 && said(&svg, "5 Mar") == 1);
    let csv = std::fs::read_to_string(folder.path().join("out/long.csv")).unwrap();
    assert_eq!(csv.lines().filter(|row| row.ends_with(",98765")).count(), 1);
    let bins: usize = csv.lines().skip(1).map(|row| row.split(',').nth(4).unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(bins, 28 * 1_440);
}

#[test]
fn several_series_are_several_panels() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..20).map(|i| format!("app{i:02}")).collect();
    let rows: Vec<Rows<'_>> = names.iter().map(|name| Rows { series: name, bins: 1_000, ..WEEK }).collect();
    write(folder.path(), "apps", &rows, daily);
    let output = seatrial(&["trace", "plot", "apps", "--out", "out"], folder.path());
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("first 16 of 20 series") && note.contains("--series"), "{note}");
    let svg = std::fs::read_to_string(folder.path().join("out/apps.svg")).unwrap();
    assert!(said(&svg, "app15") == 1 && said(&svg, "app16") == 0);
    assert_eq!(curves(&svg).len(), 16);

    let svg = plotted(folder.path(), "apps", &["--series", "app19,app03", "--series", "app07"]);
    assert!(["app03", "app07", "app19"].iter().all(|name| said(&svg, name) == 1));
    assert_eq!(curves(&svg).len(), 3);

    let output = seatrial(&["trace", "plot", "apps", "--series", "app99", "--out", "none"], folder.path());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("`app99`") && message.contains("app00"), "{message}");
    assert!(!folder.path().join("none").exists());

    let table = printed(&["trace", "describe", "apps"], folder.path());
    assert_eq!(table.lines().filter(|line| line.starts_with("app")).count(), 20, "{table}");
    assert!(table.contains("P99.5") && table.contains("--series"), "{table}");
}

#[test]
fn describe_tells_everything_in_words_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "gappy", &[Rows { holes: 400..700, ..WEEK }], daily);
    let said = printed(&["trace", "describe", "gappy"], folder.path());
    for words in [
        "rate, requests per bin",
        "made by a test",
        "CC0-1.0",
        "2025-03-03T00:00:00Z to 2025-03-10T00:00:00Z (7 d)",
        "2016 of 300 s (5 min), 300 missing (14.9 %)",
        "peak 500 at 2025-03-03T06:00:00Z",
        "1 request/s of the source becomes ",
        "k = 1",
        "never in the headline",
        "P1 train      2025-03-03T00:00:00Z to 2025-03-07T21:35:00Z",
        "P1 test       2025-03-08T14:20:00Z to 2025-03-10T00:00:00Z",
    ] {
        assert!(said.contains(words), "`{words}` in\n{said}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&printed(&["trace", "describe", "gappy", "--json"], folder.path())).unwrap();
    let series = &json["series"][0];
    assert_eq!((&json["id"], &series["missing"], &series["bins"]), (&"gappy".into(), &300.into(), &2_016.into()));
    assert_eq!(series["p1"]["parts"][3]["start"], "2025-03-08T14:20:00Z");
    assert!(said.contains(json["content_hash"].as_str().unwrap()));
    // The P99.5 of training is 1,400 requests/s after scaling by P1, and training holds the peaks.
    let scale = series["p1"]["scale"].as_f64().unwrap();
    assert!((scale * series["values"]["p99_5"].as_f64().unwrap() / 300.0 - 1_400.0).abs() < 14.0, "{scale}");
}

#[test]
fn events_are_drawn_as_counts() {
    let folder = tempfile::tempdir().unwrap();
    let at: Vec<i64> = (0..400).map(|i| (START_S + i * i) * 1_000_000).collect();
    let table = Table::new()
        .with("value", Column::F64(vec![1.0; at.len()]))
        .and_then(|table| table.with("timestamp", Column::TimestampUs(at)))
        .unwrap();
    write_table(&folder.path().join("mails.parquet"), &table, &[("trace.kind", "event"), ("trace.unit", "one mail")])
        .unwrap();
    let svg = plotted(folder.path(), "mails", &[]);
    assert!(svg.contains("events per 5 min (one mail)") && said(&svg, "train") == 0);
    let csv = std::fs::read_to_string(folder.path().join("out/mails.csv")).unwrap();
    // Every event is in a bin, and each bin in a row of its own.
    let events: f64 = csv.lines().skip(1).map(|row| row.rsplit(',').next().unwrap().parse::<f64>().unwrap()).sum();
    assert!((events - 400.0).abs() < 1e-9, "{events}");
    let said = printed(&["trace", "describe", "mails"], folder.path());
    assert!(said.contains("400 events, 2025-03-03T00:00:00Z to"), "{said}");
}

type Spoil = fn(&Path);

const SPOILT: [(&str, Spoil); 10] = [
    ("`value` is missing", |folder| raw(folder, None)),
    ("has type", |folder| raw(folder, Some(Column::Text(vec!["a".into(), "b".into()])))),
    ("`trace.kind` is absent", |folder| {
        let table = Table::new().with("timestamp", Column::TimestampUs(vec![0])).unwrap();
        let table = table.with("value", Column::F64(vec![1.0])).unwrap();
        write_table(&folder.join("bad.parquet"), &table, &[]).unwrap();
    }),
    ("not after the row before", |folder| {
        let table = Table::new().with("timestamp", Column::TimestampUs(vec![300_000_000, 0])).unwrap();
        let table = table.with("value", Column::F64(vec![1.0, 2.0])).unwrap();
        write_table(&folder.join("bad.parquet"), &table, &[("trace.kind", "rate")]).unwrap();
    }),
    ("row 7 is NaN", |folder| drop(write(folder, "bad", &[WEEK], |at| if at == 2_100 { f64::NAN } else { 1.0 }))),
    ("cannot be negative", |folder| drop(write(folder, "bad", &[WEEK], |at| 5.0 - f64::from(at)))),
    ("holds no rows", |folder| drop(write(folder, "bad", &[Rows { bins: 0, ..WEEK }], daily))),
    ("truncated", |folder| {
        let bytes = std::fs::read(write(folder, "bad", &[WEEK], daily)).unwrap();
        std::fs::write(folder.join("bad.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("not found", |_| {}),
    ("is a folder", |folder| std::fs::create_dir(folder.join("bad.parquet")).unwrap()),
];

fn raw(folder: &Path, value: Option<Column>) {
    let mut table = Table::new().with("timestamp", Column::TimestampUs(vec![0, 300_000_000])).unwrap();
    value.into_iter().for_each(|value| table.push("value", value).unwrap());
    write_table(&folder.join("bad.parquet"), &table, &[("trace.kind", "rate")]).unwrap();
}

#[test]
fn bad_input_is_one_error_and_leaves_nothing_behind() {
    for (words, spoil) in SPOILT {
        let folder = tempfile::tempdir().unwrap();
        spoil(folder.path());
        for command in
            [&["describe", "bad.parquet"][..], &["describe", "bad.parquet", "--json"], &["plot", "bad.parquet"]]
        {
            let output = seatrial(&[&["trace"], command].concat(), folder.path());
            let message = String::from_utf8(output.stderr).unwrap();
            assert!(matches!(output.status.code(), Some(1 | 2)), "{words}: {:?}", output.status);
            assert_eq!(message.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{message}");
            assert!(message.contains("bad.parquet") && message.contains(words), "expected `{words}`: {message}");
            assert!(output.stdout.is_empty() && !message.contains("panicked"), "{message}");
            let left =
                std::fs::read_dir(folder.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name() != "bad.parquet");
            assert_eq!(left.count(), 0, "{words}: {command:?} left something behind");
        }
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "week", &[WEEK], daily);
    std::fs::write(folder.path().join("taken"), "mine").unwrap();
    std::fs::create_dir_all(folder.path().join("out/week.png")).unwrap();
    for (out, word) in [("taken", "taken"), ("out", "week.png")] {
        let output = seatrial(&["trace", "plot", "week", "--out", out], folder.path());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("cannot") && message.contains(word), "{message}");
    }
    let left = std::fs::read_dir(folder.path().join("out")).unwrap();
    assert!(left.map(|e| e.unwrap().file_name()).all(|name| !name.to_string_lossy().contains("partial")));
}
