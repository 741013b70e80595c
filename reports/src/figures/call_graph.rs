//! The call graph with its load: services as boxes in layers from the clients on, calls as lines whose width is their number and
//! whose colour is the share that failed.
//!
//! Invariants: the place of a box is a function of the run alone; text stays within its box, which is as wide as its numbers need; lines run between boxes, not
//! under them. Graphs of few layers run from left to right, deep ones from top to bottom.

mod layout;

use super::cluster_timeline::{count, heading};
use super::legend::{self, Swatch};
use super::render::text_width;
use super::scene::{Frame, Hold, INK, LABEL, Point, Rgb, SOFT, Scene, fitted_within};
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{csv_field, duration, grouped, percent, short, slug};
use crate::scenario::{ScenarioRun, ServiceTotals, share};
use layout::{Layout, Link, Sizes};

/// The least width of a box, and its height.
const BOX: (f64, f64) = (180.0, 64.0);
/// Left and right of the words in a box.
const PADDING: f64 = 8.0;
/// Between boxes of a layer, and between layers.
const ACROSS: f64 = 18.0;
const SMALL: f64 = 12.0;
const TOP: f64 = 96.0;
const MARGIN: f64 = 16.0;
const WIDEST: f64 = 9.0;
/// Layers, clients included, that fit beside each other.
const MOST_BESIDE: usize = 4;
const CPU: Rgb = (0x56, 0x9f, 0xd0);
/// Up to which share of calls failed, in words and colour.
const FAILED: [(f64, &str, Rgb); 4] = [
    (0.0005, "calls; failed: under 0.05 %", (0xa9, 0xb4, 0xbd)),
    (0.01, "under 1 %", (0xe6, 0x9f, 0x00)),
    (0.1, "under 10 %", (0xd5, 0x5e, 0x00)),
    (f64::INFINITY, "more", (0x80, 0x10, 0x10)),
];

/// Draws the run; `None` where no call was made.
///
/// # Errors
/// [`ReportError::BadTimeline`] if its lists do not fit together, [`ReportError::Draw`] if the backend fails.
pub fn call_graph(run: &ScenarioRun) -> Result<Option<Figure>, ReportError> {
    run.check()?;
    let links = links(run);
    if links.is_empty() {
        return Ok(None);
    }
    let heading = heading("Calls between services", run);
    let scene = scene(run, &links, &heading);
    let sketch = Sketch {
        id: format!("call-graph-{}", slug(&run.name)),
        title: heading.joined(),
        caption: caption(run, &links),
        csv: csv(run),
        scene,
    };
    finish(sketch).map(Some)
}

/// Lines of the drawing; box 0 is the clients, box `s + 1` service `s`. What names no service is left out.
fn links(run: &ScenarioRun) -> Vec<Link> {
    let id = |name: &str| run.timeline.services.iter().position(|service| service == name).map(|id| id + 1);
    let link = |edge: &seatrial_core::record::timeline::Edge| {
        let from = edge.from.as_deref().map_or(Some(0), id)?;
        Some(Link { from, to: id(&edge.to)?, calls: edge.calls, failed: edge.failed })
    };
    run.timeline.edges.iter().filter_map(link).collect()
}

fn scene(run: &ScenarioRun, links: &[Link], heading: &super::place::Heading) -> Scene {
    let boxes = run.services.len() + 1;
    let beside = layout::layers(boxes, links).into_iter().max().unwrap_or(0) < MOST_BESIDE;
    let words: Vec<Words<'_>> = (0..boxes).map(|id| Words::of(run, id)).collect();
    // Numbers are never cut: a cut one is another number.
    let widest = words.iter().map(Words::width).fold(BOX.0, f64::max);
    let sizes = if beside {
        Sizes { along: widest, across: BOX.1, between: 44.0, apart: ACROSS }
    } else {
        Sizes { along: BOX.1, across: widest, between: 52.0, apart: ACROSS }
    };
    let layout = Layout::of(boxes, links, &sizes);
    let (long, wide) = layout.extent();
    let (width, height) = if beside { (long, wide) } else { (wide, long) };
    let mut scene = Scene::new((width + 2.0 * MARGIN).max(720.0), TOP + height + MARGIN);
    scene.heading(heading);
    let entries: Vec<(Swatch, &str)> = FAILED.iter().map(|(_, words, color)| (Swatch::Line(*color), *words)).collect();
    let end = legend::draw(&mut scene, (MARGIN, 72.0), &entries);
    legend::draw(&mut scene, (end + 22.0, 72.0), &[(Swatch::Band(CPU), "CPU used")]);
    let left = ((scene.width - width) / 2.0).max(MARGIN);
    let place =
        |(along, across): Point| if beside { (left + along, TOP + across) } else { (left + across, TOP + along) };
    let most = links.iter().map(|link| link.calls).max().unwrap_or(1).max(1);
    // The widest first, so that thin lines stay visible on them.
    let mut order: Vec<usize> = (0..links.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(links[*i].calls), *i));
    for i in order {
        let path = layout.path(i).into_iter().map(place).collect();
        scene.line(path, color(&links[i]), width_of(links[i].calls, most));
    }
    for (id, words) in words.iter().enumerate() {
        let (x, y) = place(layout.corner(id));
        let frame = Frame { left: x, top: y, right: x + widest, bottom: y + BOX.1 };
        match id.checked_sub(1) {
            None => outline(&mut scene, &frame, ((0xf2, 0xf2, 0xf0), SOFT)),
            Some(service) => service_box(&mut scene, &frame, &run.services[service]),
        }
        words.draw(&mut scene, &frame);
    }
    scene
}

/// Failed calls over calls; of no calls none.
fn failed(link: &Link) -> f64 {
    share(link.failed, link.calls).unwrap_or(0.0)
}

fn color(link: &Link) -> Rgb {
    let class = FAILED.iter().find(|(limit, _, _)| failed(link) < *limit);
    class.map_or(FAILED[0].2, |(_, _, color)| *color)
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls, on paper")]
fn width_of(calls: u64, most: u64) -> f64 {
    (WIDEST * calls as f64 / most as f64).max(1.0)
}

fn outline(scene: &mut Scene, frame: &Frame, (fill, edge): (Rgb, Rgb)) {
    scene.area(frame, fill);
    let Frame { left, top, right, bottom } = *frame;
    scene.line(vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], edge, 1.0);
}

fn service_box(scene: &mut Scene, frame: &Frame, service: &ServiceTotals) {
    outline(scene, frame, ((255, 255, 255), INK));
    if let Some(used) = service.utilisation.filter(|used| used.is_finite()) {
        let right = frame.left + (frame.right - frame.left) * used.clamp(0.0, 1.0);
        scene.area(&Frame { top: frame.bottom - 5.0, right, ..*frame }, CPU);
    }
}

/// What stands in a box.
struct Words<'a> {
    name: &'a str,
    lines: [String; 2],
}

impl<'a> Words<'a> {
    fn of(run: &'a ScenarioRun, id: usize) -> Self {
        let seconds = run.counted_seconds();
        let lines = match id.checked_sub(1) {
            None => Self::of_clients(run, seconds),
            Some(service) => Self::of_service(&run.services[service], seconds),
        };
        Self { name: name(run, id), lines }
    }

    fn of_clients(run: &ScenarioRun, seconds: f64) -> [String; 2] {
        let rate = per_second(run.totals.offered, seconds);
        let bad = match run.totals.bad_share() {
            Some(share) if run.totals.bad > 0 => percent(share, 2),
            none => none.map_or("–", |_| "0").to_owned(),
        };
        let sent = match run.totals.retries {
            0 => format!("{rate} requests/s"),
            retries => format!("{rate}/s + {} retries/s", per_second(retries, seconds)),
        };
        [sent, format!("{bad} % bad · P95 {}", duration(run.totals.latency.p95_s))]
    }

    fn of_service(service: &ServiceTotals, seconds: f64) -> [String; 2] {
        let used = service.utilisation.map_or_else(|| "–".to_owned(), |used| percent(used, 0));
        [
            format!("{} calls/s · {} pods", per_second(service.calls, seconds), grouped(service.mean_ready, 1)),
            format!("CPU {used} % · P95 {}", duration(service.latency.p95_s)),
        ]
    }

    /// Of a box in which no line is cut; a name may be.
    fn width(&self) -> f64 {
        self.lines.iter().map(|line| text_width(line, SMALL)).fold(0.0, f64::max) + 2.0 * PADDING
    }

    fn draw(&self, scene: &mut Scene, frame: &Frame) {
        let (x, room) = (frame.left + PADDING, frame.right - frame.left - 2.0 * PADDING);
        scene.text((x, frame.top + 18.0), &fitted_within(self.name, LABEL, room), (LABEL, INK, Hold::Start));
        for (line, y) in self.lines.iter().zip([34.0, 50.0]) {
            scene.text((x, frame.top + y), line, (SMALL, SOFT, Hold::Start));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls, for people to read")]
fn per_second(number: u64, seconds: f64) -> String {
    short(number as f64 / seconds.max(1e-9))
}

fn name(run: &ScenarioRun, id: usize) -> &str {
    id.checked_sub(1).map_or("clients", |service| &run.services[service].name)
}

fn caption(run: &ScenarioRun, links: &[Link]) -> String {
    let mut text = "Who calls whom, from the clients on. The wider a line, the more calls it stands for, each try counted; its \
                    colour is the share of them that failed. In a box: calls per second, ready pods and CPU used over the \
                    CPU of ready pods, both as means over time, and P95 from arrival at the service to completion. The \
                    bar at the foot is the CPU used."
        .to_owned();
    if let Some(widest) = links.iter().max_by_key(|link| (link.calls, std::cmp::Reverse((link.from, link.to)))) {
        let (from, to) = (name(run, widest.from), name(run, widest.to));
        text += &format!(" The widest: {from} to {to}, {} calls/s.", per_second(widest.calls, run.counted_seconds()));
    }
    let worst = links.iter().filter(|link| link.failed > 0).max_by(|a, b| failed(a).total_cmp(&failed(b)));
    if let Some(worst) = worst {
        let (from, to) = (name(run, worst.from), name(run, worst.to));
        let part = percent(failed(worst), 2);
        text += &format!(" Most failures by share: {from} to {to}, {part} % of {}.", count(worst.calls));
    }
    if run.warm_up_s > 0.0 {
        text += " The warm-up counts in nothing here.";
    }
    text
}

fn csv(run: &ScenarioRun) -> String {
    let mut out = "from,to,calls,failed,failed_share\n".to_owned();
    for edge in &run.timeline.edges {
        let (from, to) = (csv_field(edge.from.as_deref().unwrap_or("clients")), csv_field(&edge.to));
        let part = share(edge.failed, edge.calls).map_or_else(String::new, |part| format!("{part:.6}"));
        out += &format!("{from},{to},{},{},{part}\n", edge.calls, edge.failed);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::sample;

    #[test]
    fn classes_of_failure() {
        let link = |failed| Link { from: 0, to: 1, calls: 10_000, failed };
        let colors: Vec<Rgb> = [0, 4, 5, 99, 100, 999, 1_000, 10_000].map(|failed| color(&link(failed))).to_vec();
        let classes = [0, 0, 1, 1, 2, 2, 3, 3].map(|class| FAILED[class].2);
        assert_eq!(colors, classes);
        assert_eq!(color(&Link { from: 0, to: 1, calls: 0, failed: 0 }), FAILED[0].2);
        assert_eq!((width_of(100, 100), width_of(50, 100), width_of(0, 100)), (9.0, 4.5, 1.0));
    }

    #[test]
    fn boxes_say_name_and_load() {
        let figure = call_graph(&sample::shop()).unwrap().unwrap();
        for word in ["clients", "frontend", "cart-store", "calls/s", "CPU ", "P95 "] {
            assert!(figure.svg.contains(word), "{word}");
        }
        assert!(figure.caption.contains("The widest: frontend to catalogue"), "{}", figure.caption);
        assert_eq!(figure.csv.lines().count(), 15);
    }

    /// A cut number is another number: `P95 108…`.
    #[test]
    fn boxes_are_as_wide_as_their_numbers() {
        let mut run = sample::single(3);
        run.totals.offered = 10_000_000;
        (run.totals.retries, run.totals.bad) = (123_456, 9_294);
        run.totals.latency.p95_s = Some(0.108_123);
        let figure = call_graph(&run).unwrap().unwrap();
        for words in ["222,222/s + 2,743 retries/s", "0.09 % bad · P95 108 ms"] {
            assert!(figure.svg.contains(words), "{words}");
        }
        assert!(!figure.svg.contains('…'));
    }

    #[test]
    fn what_the_caption_counts_leaves_the_warm_up_out() {
        let mut run = sample::single(4);
        run.timeline.edges[0].calls = 3_000;
        let said = |run: &ScenarioRun| call_graph(run).unwrap().unwrap().caption;
        assert!(said(&run).contains("clients to web, 50 calls/s.") && !said(&run).contains("warm-up"));
        run.warm_up_s = 30.0;
        assert!(
            said(&run).contains("clients to web, 100 calls/s.") && said(&run).contains("The warm-up counts in nothing")
        );
    }

    #[test]
    fn no_calls_no_figure_and_unknown_names_are_left_out() {
        let mut run = sample::single(3);
        run.timeline.edges[0].to = "elsewhere".to_owned();
        assert!(call_graph(&run).unwrap().is_none());
    }
}
