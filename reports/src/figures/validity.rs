//! The fluid kernel against the event kernel: relative differences by measure and scenario, with the band that is allowed.
//!
//! What fails says so in words on its row, and what cannot be compared says why; neither is left out.

use super::axis::{self, Scale};
use super::interval;
use super::legend::{self, Swatch};
use super::place::Heading;
use super::render::text_width;
use super::scene::{Frame, Hold, INK, LABEL, Rgb, SOFT, Scene, fitted};
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{csv_field, grouped, short};
use crate::stats::Estimate;

/// A measure of a scenario on both kernels.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidityRow {
    /// Name of the scenario.
    pub scenario: String,
    /// `utilisation`, `P95 latency`, `drain time`, `bad fraction`: rows of one measure share a panel.
    pub measure: String,
    /// On the fluid kernel; `None` if it cannot express it.
    pub fluid: Option<f64>,
    /// On the event kernel, mean over seeds.
    pub events: Option<f64>,
    /// Fluid over events less 1; `None` where there is nothing to compare.
    pub difference: Option<f64>,
    /// Lower end of its 95 % interval over seeds.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Seeds.
    pub n: usize,
    /// Greatest relative difference that is allowed; infinite where none is.
    pub band: f64,
    /// Why there is nothing to compare, or what else is to be known; may be empty.
    pub note: String,
}

impl ValidityRow {
    /// Whether the difference lies within the band; `None` where there is nothing to compare.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        self.difference.map(|difference| difference.abs() <= self.band)
    }
}

const WIDTH: f64 = 860.0;
const TOP: f64 = 84.0;
const ROW: f64 = 20.0;
/// Above a panel its name, below it the ticks.
const HEAD: f64 = 28.0;
const FOOT: f64 = 26.0;
const HOLDS: Rgb = (0x00, 0x72, 0xb2);
const FAILS: Rgb = (0xc0, 0x4a, 0x00);
const BAND: Rgb = (0xdd, 0xec, 0xe4);

/// Draws the rows, measures and scenarios in the order they come in; `place` says how they were run, in a line.
///
/// # Errors
/// [`ReportError::Draw`] without rows, or if the backend fails.
pub fn kernel_validity(place: &str, rows: &[ValidityRow]) -> Result<Figure, ReportError> {
    if rows.is_empty() {
        return Err(ReportError::Draw { figure: "validity".to_owned(), reason: "there is no row to draw".to_owned() });
    }
    let heading = Heading {
        title: "The fluid kernel against the event kernel: relative differences".to_owned(),
        place: place.to_owned(),
    };
    finish(Sketch {
        id: "validity".to_owned(),
        title: heading.joined(),
        caption: caption(rows),
        csv: csv(rows),
        scene: scene(rows, &heading),
    })
}

fn by_measure(rows: &[ValidityRow]) -> Vec<(&str, Vec<&ValidityRow>)> {
    let mut panels: Vec<(&str, Vec<&ValidityRow>)> = Vec::new();
    for row in rows {
        match panels.iter_mut().find(|(measure, _)| *measure == row.measure) {
            Some((_, rows)) => rows.push(row),
            None => panels.push((&row.measure, vec![row])),
        }
    }
    panels
}

/// Percent, as far as three bands to either side; what lies further is an arrow.
fn scale_of(rows: &[&ValidityRow]) -> Scale {
    let greatest = |values: Vec<f64>| values.into_iter().filter(|x| x.is_finite()).map(f64::abs).fold(0.0, f64::max);
    let band = greatest(rows.iter().map(|row| row.band).filter(|band| *band <= 0.5).collect());
    let ends = |row: &&ValidityRow| [row.difference, row.low, row.high];
    let seen = greatest(rows.iter().flat_map(ends).flatten().collect());
    let reach = seen.clamp(1.3 * band.max(0.005), (3.0 * band).max(0.05)) * 100.0;
    let scale = Scale::linear([-reach, reach].into_iter(), false);
    scale.unwrap_or(Scale { low: -reach, high: reach, log: false })
}

fn scene(rows: &[ValidityRow], heading: &Heading) -> Scene {
    let panels = by_measure(rows);
    let count = crate::stats::count;
    let height: f64 = panels.iter().map(|(_, rows)| HEAD + count(rows.len()) * ROW + FOOT).sum();
    let names = rows.iter().map(|row| text_width(&row.scenario, LABEL)).fold(0.0, f64::max).min(200.0);
    let mut scene = Scene::new(WIDTH, TOP + height + 24.0);
    scene.heading(heading);
    let mut entries = vec![(Swatch::Band(BAND), "allowed"), (Swatch::Line(INK), "95 % interval over seeds")];
    let panel_scales: Vec<Scale> = panels.iter().map(|(_, rows)| scale_of(rows)).collect();
    let leaves = |(scale, (_, rows)): (&Scale, &(&str, Vec<&ValidityRow>))| {
        rows.iter().filter_map(|row| estimate(row)).any(|estimate| interval::leaves(&estimate, scale))
    };
    if panel_scales.iter().zip(&panels).any(leaves) {
        entries.push((Swatch::Arrow(INK), "goes on beyond the scale"));
    }
    legend::draw(&mut scene, (16.0, 72.0), &entries);
    let mut y = TOP;
    for ((measure, rows), scale) in panels.iter().zip(&panel_scales) {
        let top = y + HEAD;
        let bottom = top + count(rows.len()) * ROW;
        let frame = Frame { left: 16.0 + names + 14.0, top, right: 560.0, bottom };
        panel(&mut scene, &frame, (measure, rows), scale);
        y = bottom + FOOT;
    }
    let middle = 16.0 + names + 14.0;
    let title = "fluid over events less 1, %";
    scene.text(((middle + 560.0) / 2.0, scene.height - 8.0), title, (LABEL, INK, Hold::Middle));
    scene
}

/// In percent.
fn estimate(row: &ValidityRow) -> Option<Estimate> {
    let percent = |x: f64| 100.0 * x;
    let value = row.difference.filter(|x| x.is_finite())?;
    Some(Estimate { value: percent(value), low: row.low.map(percent), high: row.high.map(percent), n: row.n })
}

fn panel(scene: &mut Scene, frame: &Frame, (measure, rows): (&str, &[&ValidityRow]), scale: &Scale) {
    let head = fitted(measure, LABEL, frame.right - frame.left);
    scene.text((frame.left, frame.top - 8.0), &head, (LABEL, INK, Hold::Start));
    for (i, row) in rows.iter().enumerate() {
        let top = frame.top + ROW * crate::stats::count(i);
        let x = |end: f64| scale.x(end, frame);
        let (left, right) = (x((-100.0 * row.band).max(scale.low)), x((100.0 * row.band).min(scale.high)));
        scene.area(&Frame { left, right, top: top + 1.0, bottom: top + ROW - 1.0 }, BAND);
    }
    axis::x_axis(scene, frame, scale, 6);
    let zero = scale.x(0.0, frame);
    scene.line(vec![(zero, frame.top), (zero, frame.bottom)], INK, 1.25);
    for (i, row) in rows.iter().enumerate() {
        let middle = frame.top + ROW * (crate::stats::count(i) + 0.5);
        let baseline = middle + 0.36 * LABEL;
        let name = fitted(&row.scenario, LABEL, frame.left - 30.0);
        scene.text((frame.left - 12.0, baseline), &name, (LABEL, INK, Hold::End));
        let paint = if row.holds() == Some(false) { FAILS } else { HOLDS };
        if let Some(estimate) = estimate(row) {
            interval::draw(scene, (frame, scale, middle), &estimate, (paint, false));
        }
        let words = fitted(&verdict(row), LABEL, WIDTH - frame.right - 24.0);
        let ink = if row.holds() == Some(false) { FAILS } else { SOFT };
        scene.text((frame.right + 14.0, baseline), &words, (LABEL, ink, Hold::Start));
    }
}

fn signed(difference: f64) -> String {
    let sign = if difference < 0.0 { "−" } else { "+" };
    format!("{sign}{} %", grouped(100.0 * difference.abs(), 1))
}

/// What a row says at its right.
fn verdict(row: &ValidityRow) -> String {
    let band = if row.band.is_finite() { format!("±{} %", short(100.0 * row.band)) } else { "any".to_owned() };
    let note = if row.note.is_empty() { String::new() } else { format!("; {}", row.note) };
    match (row.difference, row.holds()) {
        (Some(difference), Some(true)) => format!("{} of {band} allowed{note}", signed(difference)),
        (Some(difference), _) => format!("{}: outside {band}{note}", signed(difference)),
        (None, _) if row.note.is_empty() => "not comparable".to_owned(),
        (None, _) => row.note.clone(),
    }
}

fn caption(rows: &[ValidityRow]) -> String {
    let holds = rows.iter().filter(|row| row.holds() == Some(true)).count();
    let failed: Vec<&ValidityRow> = rows.iter().filter(|row| row.holds() == Some(false)).collect();
    let absent = rows.len() - holds - failed.len();
    let mut text = format!("{holds} of {} comparisons lie within the allowed band.", rows.len() - absent);
    for row in failed {
        text += &format!(" Outside: {} of {}, {}.", row.measure, row.scenario, verdict(row));
    }
    if absent > 0 {
        text += &format!(" {absent} more cannot be made; their rows say why.");
    }
    text
}

fn csv(rows: &[ValidityRow]) -> String {
    let mut out = "scenario,measure,fluid,events,difference,low,high,n,band,verdict,note\n".to_owned();
    let end = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    for row in rows {
        let said = match row.holds() {
            Some(true) => "holds",
            Some(false) => "fails",
            None => "not comparable",
        };
        let numbers = [row.fluid, row.events, row.difference, row.low, row.high].map(end).join(",");
        out += &format!(
            "{},{},{numbers},{},{},{said},{}\n",
            csv_field(&row.scenario),
            csv_field(&row.measure),
            row.n,
            row.band,
            csv_field(&row.note)
        );
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn rows() -> Vec<ValidityRow> {
        let scenarios = ["single-web-service", "flash-crowd", "batch-scale-to-zero", "node-pool-bound", "llm-serving"];
        let measures = [
            ("mean utilisation", 0.02),
            ("P95 latency below 0.9 utilisation", 0.1),
            ("drain time", 0.1),
            ("bad fraction", 0.15),
        ];
        let mut rows = Vec::new();
        for (m, (measure, band)) in (0_i32..).zip(measures) {
            for (s, scenario) in (0_i32..).zip(scenarios) {
                let absent = s == 2 && m > 1;
                let spread = f64::from((7 * m + 5 * s) % 9 - 4) / 4.0;
                let value = if (s, m) == (1, 1) {
                    0.62
                } else if (s, m) == (3, 2) {
                    -0.14
                } else {
                    0.8 * band * spread
                };
                let some = |x: f64| (!absent).then_some(x);
                rows.push(ValidityRow {
                    scenario: scenario.to_owned(),
                    measure: measure.to_owned(),
                    fluid: some(1.0 + value),
                    events: Some(1.0),
                    difference: some(value),
                    low: some(value - 0.2 * band),
                    high: some(value + 0.2 * band),
                    n: 30,
                    band: if (s, m) == (0, 3) { 1.9 } else { band },
                    note: if absent { "events only: scale to zero".to_owned() } else { String::new() },
                });
            }
        }
        rows
    }

    #[test]
    fn failures_are_said_in_words_and_what_is_absent_says_why() {
        let figure = kernel_validity("30 seeds", &rows()).unwrap();
        assert!(figure.caption.starts_with("16 of 18 comparisons lie within the allowed band."), "{}", figure.caption);
        assert!(
            figure
                .caption
                .contains("Outside: P95 latency below 0.9 utilisation of flash-crowd, +62.0 %: outside ±10 %.")
        );
        assert!(figure.caption.ends_with("2 more cannot be made; their rows say why."));
        for word in ["outside ±10 %", "events only: scale to zero", "goes on beyond the scale", "of ±190 % allowed"] {
            assert!(figure.svg.contains(word), "{word}");
        }
        assert_eq!(figure.csv.lines().filter(|line| line.contains(",fails,")).count(), 2);
        assert_eq!(figure.csv.lines().filter(|line| line.contains(",not comparable,")).count(), 2);
    }

    #[test]
    fn the_band_is_inclusive_and_symmetric() {
        let row = |difference| ValidityRow { difference, band: 0.1, ..rows().remove(0) };
        for (difference, holds) in
            [(Some(0.1), Some(true)), (Some(-0.1), Some(true)), (Some(0.1001), Some(false)), (None, None)]
        {
            assert_eq!(row(difference).holds(), holds, "{difference:?}");
        }
        assert_eq!(row(Some(f64::NAN)).holds(), Some(false), "no number is no agreement");
    }

    #[test]
    fn no_rows_are_an_error() {
        assert!(kernel_validity("", &[]).unwrap_err().to_string().contains("there is no row to draw"));
    }
}
