//! Forecast against truth: median, 50 % and 90 % intervals in the two hours around the steepest rise, and how often they held.
//!
//! Two hours, because over half a day the intervals are thinner than the line; the steepest rise, because there forecasts differ.

use std::collections::BTreeMap;

use seatrial_core::scaling::forecast::{LEVELS, MEDIAN};

use super::axis::{self, Scale};
use super::legend::{self, Swatch};
use super::palette::color;
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, SOFT, Scene, TITLE, tint};
use super::{Sketch, Source};
use crate::format::{DAY_US, clock_label, csv_field, grouped, percent, slug, span_label, zone};
use crate::model::{ForecastRow, ForecastTrack, StudyData};
use crate::stats::count;

const WIDTH: f64 = 860.0;
const TOP: f64 = 84.0;
const PANEL_HEIGHT: f64 = 240.0;
const BUCKETS: usize = 720;
const HOUR_US: i64 = DAY_US / 24;
const SPAN_US: i64 = 2 * HOUR_US;
/// Over which time a rise is measured.
const RISE_US: i64 = HOUR_US / 4;
/// Windows begin at multiples of this.
const GRID_US: i64 = HOUR_US / 6;
/// Forecasters in one figure.
const MOST: usize = 4;
/// A quantile beyond this many times the peak leaves the scale.
const BEYOND_PEAK: f64 = 1.6;
/// Indices into the levels: 90 % from 0.05 to 0.95, 50 % from 0.25 to 0.75.
const NINETY: (usize, usize) = (0, 6);
const FIFTY: (usize, usize) = (2, 4);
const SOFT_BAND: f64 = 0.28;
const STRONG_BAND: f64 = 0.6;

struct Track<'a> {
    forecaster: &'a str,
    window: Vec<ForecastRow>,
    /// Shares of the truth within 50 %, within 90 %, at or below the 99 % quantile; `None` of a forecast without spread.
    coverage: Option<[f64; 3]>,
}

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    let mut by_series: BTreeMap<&str, Vec<&ForecastTrack>> = BTreeMap::new();
    for track in &source.study.forecasts {
        by_series.entry(&track.series).or_default().push(track);
    }
    by_series.into_iter().filter_map(|(series, tracks)| sketch(series, &tracks, source.study)).collect()
}

fn sketch(series: &str, tracks: &[&ForecastTrack], study: &StudyData) -> Option<Sketch> {
    let truth: Vec<(i64, f64)> = {
        let longest = tracks.iter().max_by_key(|track| track.rows.len())?;
        longest.rows.iter().filter(|row| finite(row)).map(|row| (row.t_us, row.truth)).collect()
    };
    let start = window_start(&truth)?;
    let drawn: Vec<Track<'_>> = tracks.iter().take(MOST).filter_map(|track| of_window(track, start)).collect();
    if drawn.is_empty() {
        return None;
    }
    let (from, to) = (clock_label(start), clock_label(start + SPAN_US));
    let stretch = format!("{}, {from} to {to}{}", span_label(start, start), zone(start));
    let place = format!("{series}, {stretch}: the steepest rise of the scored part");
    let heading = Heading::of_series("Forecast against truth by forecaster", series, study, place);
    let caption = format!(
        "Greatest rate over the coming horizon, as it came (black) and as forecast: median (line), 50 % (dark) and 90 % (light) intervals, \
         {stretch}, around the steepest rise of {series}. Over the whole scored part: {}.",
        drawn.iter().map(coverage_in_words).collect::<Vec<_>>().join("; ")
    );
    let scene = scene(&drawn, &heading, start)?;
    Some(Sketch { id: format!("forecast-{}", slug(series)), title: heading.joined(), caption, csv: csv(&drawn), scene })
}

fn coverage_in_words(track: &Track<'_>) -> String {
    match track.coverage {
        None => format!("{} gives one number without an interval", track.forecaster),
        Some([fifty, ninety, below]) => format!(
            "{}: {} % of the truth within the 50 % interval, {} % within the 90 % interval, {} % at or below the 99 % quantile",
            track.forecaster,
            percent(fifty, 1),
            percent(ninety, 1),
            percent(below, 1)
        ),
    }
}

fn finite(row: &ForecastRow) -> bool {
    row.truth.is_finite() && row.quantiles.iter().all(|q| q.is_finite())
}

/// Start of the window that holds the steepest rise at its middle, kept within the data where they are long enough.
fn window_start(truth: &[(i64, f64)]) -> Option<i64> {
    let (first, last) = (truth.first()?.0, truth.last()?.0);
    let (mut behind, mut best) = (0, (f64::NEG_INFINITY, first));
    for (t_us, rate) in truth {
        while truth[behind].0 < t_us - RISE_US {
            behind += 1;
        }
        let rise = rate - truth[behind].1;
        if rise > best.0 {
            best = (rise, *t_us);
        }
    }
    let start = best.1 - RISE_US / 2 - SPAN_US / 2;
    let within = start.min(last - SPAN_US + GRID_US).max(first);
    Some(within.div_euclid(GRID_US) * GRID_US)
}

fn of_window(track: &ForecastTrack, start: i64) -> Option<Track<'_>> {
    let rows: Vec<&ForecastRow> = track.rows.iter().filter(|row| finite(row)).collect();
    let window: Vec<&&ForecastRow> = rows.iter().filter(|row| (start..=start + SPAN_US).contains(&row.t_us)).collect();
    let size = window.len().div_ceil(BUCKETS).max(1);
    let window: Vec<ForecastRow> = window.iter().step_by(size).map(|row| ***row).collect();
    (window.len() > 1).then(|| Track { forecaster: &track.forecaster, window, coverage: coverage(&rows) })
}

fn coverage(rows: &[&ForecastRow]) -> Option<[f64; 3]> {
    let spread = |row: &&&ForecastRow| row.quantiles[NINETY.1] > row.quantiles[NINETY.0];
    rows.iter().find(spread)?;
    let share = |holds: &dyn Fn(&ForecastRow) -> bool| {
        count(rows.iter().filter(|row| holds(row)).count()) / count(rows.len().max(1))
    };
    let within =
        |(low, high): (usize, usize)| share(&|row| (row.quantiles[low]..=row.quantiles[high]).contains(&row.truth));
    Some([within(FIFTY), within(NINETY), share(&|row| row.truth <= row.quantiles[LEVELS.len() - 1])])
}

/// A scale of all that is drawn, from the data and not from zero. A quantile far above everything that came must not flatten
/// the rest: it leaves the scale and is told in words.
fn rate_scale(tracks: &[Track<'_>]) -> Option<Scale> {
    let rows = || tracks.iter().flat_map(|track| &track.window);
    let peak = rows().map(|row| row.truth).fold(0.0, f64::max);
    let values = rows().flat_map(|row| [row.truth, row.quantiles[NINETY.0], row.quantiles[NINETY.1]]);
    Scale::linear(values.map(|value| value.min(BEYOND_PEAK * peak)), false)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
fn scene(tracks: &[Track<'_>], heading: &Heading, start: i64) -> Option<Scene> {
    let rate = rate_scale(tracks)?;
    let time = Scale { low: start as f64, high: (start + SPAN_US) as f64, log: false };
    let mut scene = Scene::new(WIDTH, TOP + PANEL_HEIGHT * count(tracks.len()) + 44.0);
    scene.heading(heading);
    let paint = color(tracks.first()?.forecaster);
    let entries = [
        (Swatch::Line(INK), "truth"),
        (Swatch::Line(paint), "median forecast"),
        (Swatch::Band(tint(paint, STRONG_BAND)), "50 % interval"),
        (Swatch::Band(tint(paint, SOFT_BAND)), "90 % interval (each forecaster in its colour)"),
    ];
    legend::draw(&mut scene, (16.0, 72.0), &entries);
    for (i, track) in tracks.iter().enumerate() {
        let top = TOP + PANEL_HEIGHT * count(i);
        let frame = Frame { left: 66.0, top: top + 34.0, right: WIDTH - 30.0, bottom: top + PANEL_HEIGHT - 10.0 };
        axis::time_axis(&mut scene, &frame, &time, i + 1 == tracks.len());
        axis::y_axis(&mut scene, &frame, &rate, 5);
        panel(&mut scene, &frame, track, (&time, &rate));
    }
    let bottom = TOP + PANEL_HEIGHT * count(tracks.len());
    scene.text(
        (WIDTH / 2.0, bottom + 34.0),
        &format!("time of the forecast{}", zone(start)),
        (LABEL, INK, Hold::Middle),
    );
    Some(scene)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
fn panel(scene: &mut Scene, frame: &Frame, track: &Track<'_>, (time, rate): (&Scale, &Scale)) {
    let paint = color(track.forecaster);
    let x = |row: &ForecastRow| time.x(row.t_us as f64, frame);
    let y = |value: f64| rate.y(value, frame);
    for ((low, high), strength) in [(NINETY, SOFT_BAND), (FIFTY, STRONG_BAND)] {
        let band = track.window.iter().map(|row| (x(row), y(row.quantiles[high]), y(row.quantiles[low])));
        scene.band(band.collect(), tint(paint, strength));
    }
    scene.line(track.window.iter().map(|row| (x(row), y(row.quantiles[MEDIAN]))).collect(), paint, 1.5);
    scene.line(track.window.iter().map(|row| (x(row), y(row.truth))).collect(), INK, 1.25);
    if let Some((row, text)) = beyond(track, rate) {
        let tip = (x(row), frame.top);
        scene.arrow(tip, (0.0, -1.0), (12.0, paint));
        let hold = if tip.0 > (frame.left + frame.right) / 2.0 { Hold::End } else { Hold::Start };
        let aside = if hold == Hold::End { -9.0 } else { 9.0 };
        scene.text((tip.0 + aside, frame.top + 1.1 * LABEL), &text, (LABEL, paint, hold));
    }
    let head = frame.top - 12.0;
    scene.text((16.0, head), "requests/s", (LABEL, SOFT, Hold::Start));
    scene.text((frame.left + 40.0, head), track.forecaster, (TITLE, paint, Hold::Start));
    let held = track.coverage.map_or_else(
        || "one number, no interval".to_owned(),
        |[fifty, ninety, _]| {
            format!(
                "truth of the scored part: {} % in the 50 % interval, {} % in the 90 %",
                percent(fifty, 0),
                percent(ninety, 0)
            )
        },
    );
    scene.text((frame.right, head), &held, (LABEL, SOFT, Hold::End));
}

/// The row whose 95 % quantile lies farthest beyond the scale, with words that say where.
fn beyond<'a>(track: &'a Track<'_>, rate: &Scale) -> Option<(&'a ForecastRow, String)> {
    let high = |row: &ForecastRow| row.quantiles[NINETY.1];
    let farthest = track.window.iter().max_by(|a, b| high(a).total_cmp(&high(b)))?;
    let words = || format!("95 % quantile up to {}", grouped(high(farthest), 0));
    (high(farthest) > rate.high).then(|| (farthest, words()))
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

#[cfg(test)]
mod tests {
    use seatrial_core::scaling::forecast::LEVEL_COUNT;

    use super::*;

    const MINUTE_US: i64 = 60_000_000;

    /// A day of 100/s with a jump of 400/s at 10:00 and a slow climb of 900/s until the evening, which is no steep rise.
    fn day() -> Vec<(i64, f64)> {
        let rate = |minute: i64| {
            let climb = (minute - 700).max(0) as f64;
            if (600..700).contains(&minute) { 500.0 } else { 100.0 + climb }
        };
        (0..1_440).map(|minute| (minute * MINUTE_US, rate(minute))).collect()
    }

    #[test]
    fn the_window_holds_the_steepest_rise_near_its_middle() {
        let start = window_start(&day()).unwrap();
        assert_eq!(start, 530 * MINUTE_US);
        assert_eq!(start.rem_euclid(GRID_US), 0);
        let late: Vec<(i64, f64)> = (0..180).map(|m| (m * MINUTE_US, if m > 170 { 9.0 } else { 1.0 })).collect();
        assert_eq!(window_start(&late).unwrap(), 60 * MINUTE_US, "the window ends where the data end");
        let short: Vec<(i64, f64)> = (0..30).map(|m| (m * MINUTE_US, 1.0)).collect();
        assert_eq!(window_start(&short).unwrap(), 0);
        assert_eq!(window_start(&[]), None);
    }

    fn track(quantiles: impl Fn(f64) -> [f64; LEVEL_COUNT]) -> Track<'static> {
        let row = |(t_us, truth): &(i64, f64)| ForecastRow { t_us: *t_us, truth: *truth, quantiles: quantiles(*truth) };
        let window: Vec<ForecastRow> = day()[530..650].iter().map(row).collect();
        let coverage = coverage(&window.iter().collect::<Vec<_>>());
        Track { forecaster: "lstm", window, coverage }
    }

    #[test]
    fn the_scale_follows_the_data_and_an_extreme_quantile_becomes_an_arrow() {
        let modest = track(|truth| core::array::from_fn(|k| truth * (0.9 + 0.025 * k as f64)));
        let scale = rate_scale(std::slice::from_ref(&modest)).unwrap();
        assert!(scale.low > 0.0 && scale.high < 600.0, "{scale:?}");
        assert!(beyond(&modest, &scale).is_none());
        assert!(modest.coverage.is_some());
        let wild = track(|truth| core::array::from_fn(|k| if k < 5 { truth } else { truth * 20.0 }));
        let scale =
            rate_scale(&[modest, track(|truth| core::array::from_fn(|k| if k < 5 { truth } else { truth * 20.0 }))]);
        let scale = scale.unwrap();
        assert!(scale.high < 1_000.0, "{scale:?}");
        assert_eq!(beyond(&wild, &scale).unwrap().1, "95 % quantile up to 10,000");
    }

    #[test]
    fn a_forecast_without_spread_has_no_coverage() {
        let point = track(|truth| [truth; LEVEL_COUNT]);
        assert_eq!(point.coverage, None);
        assert!(coverage_in_words(&point).contains("without an interval"));
    }
}
