//! Figures: pure functions from a study to a drawing, as SVG and PNG with the shipped font, each with its data as CSV.
//!
//! A figure is drawn onto a scene (a list of marks) and rendered by plotters twice, so both files show the same. Style: two
//! lines above say what is compared and where; one fixed colour-blind-safe colour per strategy, direct labels, a legend line
//! for what is not labelled, units on axes, thin grid; what leaves a scale is an arrow with its value.
//! The registry [`FIGURES`] of a study's figures is alphabetical; a figure is one file, one `mod`, one row. [`decision_log`]
//! and [`trace_overview`] stand beside it: they are drawn from records and from a trace, not from a study. So do the figures of
//! a simulated run ([`of_scenario`]), and those about the kernels ([`balancing_sensitivity`], [`kernel_validity`]).

mod axis;
mod balancing;
mod call_graph;
mod cluster_timeline;
mod cost_over_oracle;
mod cost_violations;
mod decision_log;
mod forecast;
mod foresight;
mod interval;
mod labels;
mod latency_heat;
mod learning;
mod legend;
pub(crate) mod palette;
pub(crate) mod place;
mod regret;
mod render;
#[cfg(test)]
mod scenario_tests;
mod scene;
mod sequential;
mod spread;
mod timeline;
mod trace;
mod tuning;
mod validity;

use crate::error::ReportError;
use crate::evaluation::Evaluation;
use crate::model::StudyData;
use crate::scenario::ScenarioRun;

pub use balancing::{BalancingRow, SHARED, balancing_sensitivity, balancing_table};
pub use call_graph::call_graph;
pub use cluster_timeline::cluster_timeline;
pub use decision_log::decision_log;
pub use latency_heat::latency_heat;
pub(crate) use render::png_to;
pub use trace::{MOST_COLUMNS, TraceColumn, TraceLevel, TraceOverview, TracePanel, TracePart, trace_overview};
pub use tuning::{TuningCurve, TuningPoint, TuningRole, tuning_curve};
pub use validity::{ValidityRow, kernel_validity};

/// What a figure is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The study.
    pub study: &'a StudyData,
    /// Its evaluation.
    pub evaluation: &'a Evaluation,
}

/// A drawn figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// File stem and anchor.
    pub id: String,
    /// Title.
    pub title: String,
    /// What one sees, in words, with the numbers that a reader would look for.
    pub caption: String,
    /// What is drawn, as CSV.
    pub csv: String,
    /// The drawing as SVG.
    pub svg: String,
    pub(crate) scene: scene::Scene,
}

/// A row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct FigureRow {
    /// Permanent id; ids of its figures begin with it.
    pub id: &'static str,
    /// What it shows.
    pub summary: &'static str,
    draw: fn(&Source<'_>) -> Vec<Sketch>,
}

/// A figure before rendering.
pub(crate) struct Sketch {
    id: String,
    title: String,
    caption: String,
    csv: String,
    scene: scene::Scene,
}

/// All figures, by id.
pub const FIGURES: &[FigureRow] = &[
    FigureRow {
        id: "cost-over-oracle",
        summary: "J/J* of every strategy with its 95 % interval",
        draw: cost_over_oracle::draw,
    },
    FigureRow {
        id: "cost-violations",
        summary: "pod-hours against bad requests, with the oracle",
        draw: cost_violations::draw,
    },
    FigureRow { id: "forecast", summary: "forecast quantiles against the truth, with coverage", draw: forecast::draw },
    FigureRow {
        id: "foresight",
        summary: "what knowing the rate ahead is worth, by seconds known",
        draw: foresight::draw,
    },
    FigureRow { id: "learning", summary: "learning curves with the spread over members", draw: learning::draw },
    FigureRow {
        id: "regret",
        summary: "certified regret of every strategy, split into physics, information, lag and rule",
        draw: regret::draw,
    },
    FigureRow { id: "timeline", summary: "demand, capacity, replicas and waiting over time", draw: timeline::draw },
];

/// Draws every figure for which the study has data, in the order of the registry.
///
/// # Errors
/// [`ReportError::Draw`] if the backend fails.
pub fn draw_all(source: &Source<'_>) -> Result<Vec<Figure>, ReportError> {
    FIGURES.iter().flat_map(|row| (row.draw)(source)).map(finish).collect()
}

/// Draws every figure of a simulated run for which it has data: the cluster over time, the latency heat map, the call graph.
///
/// # Errors
/// [`ReportError::BadTimeline`] if the run's lists do not fit together, [`ReportError::Draw`] if the backend fails.
pub fn of_scenario(run: &ScenarioRun) -> Result<Vec<Figure>, ReportError> {
    let mut figures = vec![cluster_timeline(run)?];
    figures.extend(latency_heat(run)?);
    figures.extend(call_graph(run)?);
    Ok(figures)
}

fn finish(sketch: Sketch) -> Result<Figure, ReportError> {
    let svg = render::svg(&sketch.scene).map_err(|reason| ReportError::Draw { figure: sketch.id.clone(), reason })?;
    let Sketch { id, title, caption, csv, scene } = sketch;
    Ok(Figure { id, title, caption, csv, svg, scene })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evaluation, sample};

    fn drawn(study: &StudyData) -> Vec<Figure> {
        let evaluation = evaluation::evaluate(study).unwrap();
        draw_all(&Source { study, evaluation: &evaluation }).unwrap()
    }

    #[test]
    fn registry_is_sorted_and_every_row_draws() {
        assert!(FIGURES.windows(2).all(|pair| pair[0].id < pair[1].id));
        let figures = drawn(&sample::study());
        for row in FIGURES {
            assert!(figures.iter().any(|figure| figure.id.starts_with(row.id)), "{}", row.id);
        }
        for figure in &figures {
            assert!(figure.csv.lines().count() > 1 && !figure.caption.is_empty(), "{}", figure.id);
            let width = figure.csv.lines().next().unwrap().split(',').count();
            assert!(figure.csv.lines().all(|line| line.split(',').count() == width), "{}", figure.id);
        }
    }

    /// Studies that lay figures out in different ways: the sample, long names, waits that fill their scale, one window, a
    /// trace that is not headline, strategies that coincide.
    fn studies() -> Vec<StudyData> {
        type Change = fn(&mut StudyData);
        let changes: [Change; 6] = [
            |_| {},
            |s| {
                let long = "a_trace_with_a_very_long_name_as_clusters_give_them_to_namespaces_and_their_deployments_in_production";
                s.cells.iter_mut().for_each(|cell| cell.family = long.to_owned());
                s.timelines.iter_mut().for_each(|timeline| timeline.series = long.to_owned());
                s.forecasts.iter_mut().for_each(|track| track.series = long.to_owned());
            },
            |s| {
                s.timelines
                    .iter_mut()
                    .flat_map(|t| &mut t.rows)
                    .for_each(|row| row.p95_wait_s = row.p95_wait_s.min(1.0));
            },
            |s| s.cells.iter_mut().for_each(|cell| cell.windows.truncate(1)),
            |s| s.cells.iter_mut().for_each(|cell| cell.headline = false),
            |s| s.cells.iter_mut().flat_map(|cell| &mut cell.windows).for_each(|window| window.bad = 0.0),
        ];
        let changed = |change: Change| {
            let mut study = sample::study();
            change(&mut study);
            study
        };
        changes.into_iter().map(changed).collect()
    }

    #[test]
    fn titles_say_what_where_and_whether_it_counts() {
        let mut study = sample::study();
        study.cells.iter_mut().for_each(|cell| (cell.headline, cell.family) = (false, "all".to_owned()));
        for figure in drawn(&study) {
            let place = if figure.id == "learning" { "10 seeds, 0 to 9" } else { "Jun 1998" };
            assert!(figure.title.contains(place), "{}", figure.title);
            let marked = figure.title.contains("(not headline)");
            assert_eq!(marked, figure.id != "learning", "{}", figure.title);
        }
        assert!(drawn(&sample::study()).iter().all(|figure| !figure.title.contains("not headline")));
    }

    #[test]
    fn no_text_is_clipped_and_no_two_texts_overlap() {
        for figure in studies().iter().flat_map(drawn) {
            let boxes = figure.scene.text_boxes();
            for (i, (text, a)) in boxes.iter().enumerate() {
                assert!(a.inside(figure.scene.width, figure.scene.height), "{}: `{text}` is clipped: {a:?}", figure.id);
                for (other, b) in &boxes[i + 1..] {
                    assert!(!a.overlaps(b), "{}: `{text}` over `{other}`", figure.id);
                }
            }
        }
    }

    #[test]
    fn same_data_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let render = |figures: &[Figure], tag: &str| -> Vec<(String, Vec<u8>)> {
            figures
                .iter()
                .map(|figure| {
                    let path = folder.path().join(format!("{}-{tag}.png", figure.id));
                    png_to(&figure.scene, &path).unwrap();
                    (figure.svg.clone(), std::fs::read(path).unwrap())
                })
                .collect()
        };
        let study = sample::study();
        assert_eq!(render(&drawn(&study)[..2], "a"), render(&drawn(&study)[..2], "b"));
    }

    #[test]
    fn endless_and_absent_waits_are_drawn_within_the_panel() {
        let mut study = sample::study();
        study.timelines[0].rows[100].p95_wait_s = f64::INFINITY;
        study.timelines[0].rows[200].p95_wait_s = f64::NAN;
        for figure in drawn(&study).iter().filter(|figure| figure.id.starts_with("timeline")) {
            assert!(!figure.svg.contains("NaN") && !figure.svg.contains("-2147483648"), "{}", figure.id);
            assert!(!figure.svg.contains("2147483647"), "{}", figure.id);
        }
    }

    #[test]
    fn data_that_cannot_be_drawn_is_left_out() {
        let mut study = sample::study();
        study.timelines.truncate(1);
        study.timelines[0].rows.iter_mut().for_each(|row| row.demand_rate = f64::NAN);
        study.forecasts.iter_mut().for_each(|track| track.rows.clear());
        study.learning.iter_mut().for_each(|row| row.value = f64::INFINITY);
        let ids: Vec<String> = drawn(&study).into_iter().map(|figure| figure.id).collect();
        assert_eq!(ids, ["cost-over-oracle", "cost-violations", "foresight", "regret"]);
    }
}
