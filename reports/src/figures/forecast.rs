//! Forecast against truth: median, 50 % and 90 % intervals in the half day around the highest peak, and how often they held.

use std::collections::BTreeMap;

use seatrial_core::scaling::forecast::{LEVELS, MEDIAN};

use super::axis::{self, Scale};
use super::palette::color;
use super::scene::{Frame, Hold, INK, LABEL, SOFT, Scene, TITLE, tint};
use super::{Sketch, Source};
use crate::format::{DAY_US, csv_field, day_label, iso_date, percent, slug};
use crate::model::{ForecastRow, ForecastTrack};
use crate::stats::count;

const WIDTH: f64 = 860.0;
const PANEL_HEIGHT: f64 = 230.0;
const BUCKETS: usize = 720;
/// Half a day: a whole one squeezes the intervals into the line.
const SPAN_US: i64 = DAY_US / 2;
/// Forecasters in one figure.
const MOST: usize = 4;
/// Indices into the levels: 90 % from 0.05 to 0.95, 50 % from 0.25 to 0.75.
const NINETY: (usize, usize) = (0, 6);
const FIFTY: (usize, usize) = (2, 4);

struct Track<'a> {
    forecaster: &'a str,
    window: Vec<ForecastRow>,
    coverage_50: f64,
    coverage_90: f64,
    below_99: f64,
}

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    let mut by_series: BTreeMap<&str, Vec<&ForecastTrack>> = BTreeMap::new();
    for track in &source.study.forecasts {
        by_series.entry(&track.series).or_default().push(track);
    }
    by_series.into_iter().filter_map(|(series, tracks)| sketch(series, &tracks)).collect()
}

fn sketch(series: &str, tracks: &[&ForecastTrack]) -> Option<Sketch> {
    let rows = tracks.iter().flat_map(|track| &track.rows).filter(|row| finite(row));
    let peak = rows.max_by(|a, b| a.truth.total_cmp(&b.truth))?;
    let start = (peak.t_us - SPAN_US / 2).div_euclid(DAY_US / 24) * (DAY_US / 24);
    let drawn: Vec<Track<'_>> = tracks.iter().take(MOST).filter_map(|track| of_window(track, start)).collect();
    if drawn.is_empty() {
        return None;
    }
    let title = format!("Forecast and truth: {series}, {}, around the highest peak", day_label(peak.t_us));
    let coverage = drawn.iter().map(|track| {
        format!(
            "{}: {} % of the truth within the 50 % interval, {} % within the 90 % interval, {} % at or below the 99 % quantile",
            track.forecaster,
            percent(track.coverage_50, 1),
            percent(track.coverage_90, 1),
            percent(track.below_99, 1)
        )
    });
    let caption = format!(
        "Greatest rate over the coming horizon on {} around the highest peak, as it came (black) and as forecast: median (line), 50 % (dark) and 90 % (light) \
         intervals. Over the whole span: {}.",
        iso_date(peak.t_us),
        coverage.collect::<Vec<_>>().join("; ")
    );
    let scene = scene(&drawn, &title, start)?;
    Some(Sketch { id: format!("forecast-{}", slug(series)), title, caption, csv: csv(&drawn), scene })
}

fn finite(row: &ForecastRow) -> bool {
    row.truth.is_finite() && row.quantiles.iter().all(|q| q.is_finite())
}

fn of_window(track: &ForecastTrack, start: i64) -> Option<Track<'_>> {
    let rows: Vec<&ForecastRow> = track.rows.iter().filter(|row| finite(row)).collect();
    let share = |holds: &dyn Fn(&ForecastRow) -> bool| {
        count(rows.iter().filter(|row| holds(row)).count()) / count(rows.len().max(1))
    };
    let within =
        |(low, high): (usize, usize)| share(&|row| (row.quantiles[low]..=row.quantiles[high]).contains(&row.truth));
    let window: Vec<&&ForecastRow> = rows.iter().filter(|row| (start..start + SPAN_US).contains(&row.t_us)).collect();
    let size = window.len().div_ceil(BUCKETS).max(1);
    let window: Vec<ForecastRow> = window.iter().step_by(size).map(|row| ***row).collect();
    (window.len() > 1).then(|| Track {
        forecaster: &track.forecaster,
        window,
        coverage_50: within(FIFTY),
        coverage_90: within(NINETY),
        below_99: share(&|row| row.truth <= row.quantiles[LEVELS.len() - 1]),
    })
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
fn scene(tracks: &[Track<'_>], title: &str, start: i64) -> Option<Scene> {
    let highest = |row: &ForecastRow| row.truth.max(row.quantiles[NINETY.1]);
    // A quantile far above everything that came must not flatten the rest: the scale ends at 1.6 times the peak.
    let peak = tracks.iter().flat_map(|t| &t.window).map(|row| row.truth).fold(0.0, f64::max);
    let values = tracks.iter().flat_map(|track| &track.window).map(|row| highest(row).min(1.6 * peak));
    let rate = Scale::linear(values, true)?;
    let time = Scale { low: start as f64, high: (start + SPAN_US) as f64, log: false };
    let mut scene = Scene::new(WIDTH, 44.0 + PANEL_HEIGHT * count(tracks.len()) + 26.0);
    scene.text((16.0, 26.0), title, (TITLE, INK, Hold::Start));
    for (i, track) in tracks.iter().enumerate() {
        let top = 44.0 + PANEL_HEIGHT * count(i);
        let frame = Frame { left: 66.0, top: top + 30.0, right: WIDTH - 26.0, bottom: top + PANEL_HEIGHT - 12.0 };
        axis::time_axis(&mut scene, &frame, &time, i + 1 == tracks.len());
        axis::y_axis(&mut scene, &frame, &rate, 5);
        panel(&mut scene, &frame, track, (&time, &rate));
    }
    Some(scene)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
fn panel(scene: &mut Scene, frame: &Frame, track: &Track<'_>, (time, rate): (&Scale, &Scale)) {
    let paint = color(track.forecaster);
    let x = |row: &ForecastRow| time.x(row.t_us as f64, frame);
    let y = |value: f64| rate.y(value, frame);
    for ((low, high), strength) in [(NINETY, 0.22), (FIFTY, 0.5)] {
        let band = track.window.iter().map(|row| (x(row), y(row.quantiles[high]), y(row.quantiles[low])));
        scene.band(band.collect(), tint(paint, strength));
    }
    scene.line(track.window.iter().map(|row| (x(row), y(row.quantiles[MEDIAN]))).collect(), paint, 1.0);
    scene.line(track.window.iter().map(|row| (x(row), y(row.truth))).collect(), INK, 1.0);
    let head = frame.top - 10.0;
    scene.text((16.0, head), "requests/s", (LABEL, SOFT, Hold::Start));
    scene.text((frame.left + 40.0, head), track.forecaster, (TITLE, paint, Hold::Start));
    let held = format!(
        "truth inside the 50 % band: {} %, the 90 % band: {} %",
        percent(track.coverage_50, 0),
        percent(track.coverage_90, 0)
    );
    scene.text((frame.right, head), &held, (LABEL, SOFT, Hold::End));
}

fn csv(tracks: &[Track<'_>]) -> String {
    let heads: Vec<String> = LEVELS.iter().map(|level| format!("q{level}")).collect();
    let mut out = format!("forecaster,t_us,truth_per_s,{}\n", heads.join(","));
    for track in tracks {
        for row in &track.window {
            let values: Vec<String> = row.quantiles.iter().map(|q| format!("{q:.3}")).collect();
            out += &format!("{},{},{:.3},{}\n", csv_field(track.forecaster), row.t_us, row.truth, values.join(","));
        }
    }
    out
}
