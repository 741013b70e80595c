//! What holds for every figure of a simulated run, over runs of all shapes.

use super::*;
use crate::scenario::sample;

fn drawn() -> Vec<(String, Figure)> {
    let mut figures = Vec::new();
    for (name, run) in sample::all() {
        figures.extend(of_scenario(&run).unwrap().into_iter().map(|figure| (name.to_owned(), figure)));
    }
    let rows = balancing::tests::rows();
    figures.push(("rules".to_owned(), balancing_sensitivity("worldcup98, seven days", &rows).unwrap()));
    figures
        .push(("kernels".to_owned(), kernel_validity("five scenarios, 30 seeds", &validity::tests::rows()).unwrap()));
    figures
}

#[test]
fn no_text_is_clipped_and_no_two_texts_overlap() {
    for (name, figure) in drawn() {
        let boxes = figure.scene.text_boxes();
        for (i, (text, a)) in boxes.iter().enumerate() {
            assert!(
                a.inside(figure.scene.width, figure.scene.height),
                "{name} {}: `{text}` is clipped: {a:?}",
                figure.id
            );
            for (other, b) in &boxes[i + 1..] {
                assert!(!a.overlaps(b), "{name} {}: `{text}` over `{other}`", figure.id);
            }
        }
    }
}

#[test]
fn data_is_rectangular_and_numbers_are_finite() {
    for (name, figure) in drawn() {
        let width = figure.csv.lines().next().unwrap().split(',').count();
        assert!(
            figure.csv.lines().count() > 1 && figure.csv.lines().all(|line| line.split(',').count() == width),
            "{name}"
        );
        for word in ["NaN", "-2147483648", "2147483647"] {
            assert!(!figure.svg.contains(word), "{name} {}: {word}", figure.id);
        }
        assert!(!figure.caption.is_empty() && figure.title.contains(':'), "{name}");
    }
}

#[test]
fn same_data_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let rendered = |tag: &str| -> Vec<(String, String, Vec<u8>)> {
        let figures = of_scenario(&sample::shop()).unwrap();
        let bytes = |figure: &Figure| {
            let path = folder.path().join(format!("{}-{tag}.png", figure.id));
            png_to(&figure.scene, &path).unwrap();
            (figure.svg.clone(), figure.csv.clone(), std::fs::read(path).unwrap())
        };
        figures.iter().map(bytes).collect()
    };
    assert_eq!(rendered("a"), rendered("b"));
}

#[test]
fn names_from_outside_cannot_inject_markup() {
    let mut run = sample::shop();
    run.timeline.services[0] = "</svg><script>".to_owned();
    run.services[0].name.clone_from(&run.timeline.services[0]);
    run.timeline
        .edges
        .iter_mut()
        .filter(|edge| edge.to == "frontend")
        .for_each(|edge| edge.to = "</svg><script>".to_owned());
    run.timeline.marks[0].text = "<script>&\u{7}".to_owned();
    for figure in of_scenario(&run).unwrap() {
        assert!(!figure.svg.contains("<script"), "{}", figure.id);
    }
}

#[test]
fn dump_for_eyes() {
    for (_, figure) in drawn().into_iter().rev().take(2) {
        png_to(&figure.scene, &std::path::PathBuf::from("/tmp/figs").join(format!("{}.png", figure.id))).unwrap();
    }
}
