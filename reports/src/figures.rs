//! Figures: pure functions from a study to a drawing, as SVG and PNG with the shipped font, each with its data as CSV.
//!
//! A figure is drawn onto a scene (a list of marks) and rendered by plotters twice, so both files show the same. Style:
//! one fixed colour-blind-safe colour per strategy, direct labels, units on axes, thin grid, no legend box.
//! The registry [`FIGURES`] is alphabetical; a figure is one file, one `mod`, one row.

mod axis;
mod cost_over_oracle;
mod cost_violations;
mod forecast;
mod labels;
mod learning;
pub(crate) mod palette;
mod render;
mod scene;
mod timeline;

use crate::error::ReportError;
use crate::evaluation::Evaluation;
use crate::model::StudyData;

pub(crate) use render::png_to;

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
    FigureRow { id: "learning", summary: "learning curves with the spread over members", draw: learning::draw },
    FigureRow { id: "timeline", summary: "demand, capacity, replicas and waiting over time", draw: timeline::draw },
];

/// Draws every figure for which the study has data, in the order of the registry.
///
/// # Errors
/// [`ReportError::Draw`] if the backend fails.
pub fn draw_all(source: &Source<'_>) -> Result<Vec<Figure>, ReportError> {
    FIGURES.iter().flat_map(|row| (row.draw)(source)).map(finish).collect()
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

    #[test]
    fn no_text_is_clipped_and_no_two_texts_overlap() {
        for figure in drawn(&sample::study()) {
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
        assert!(ids.iter().all(|id| id.starts_with("cost-")), "{ids:?}");
    }
}
