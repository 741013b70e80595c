//! What a simulated cluster did, over time: requests, latency, queues, pods by state, nodes by state, and the moments that matter,
//! as panels on one time axis.
//!
//! Long runs are drawn by stretches, each shown as it was at one real moment or by its extreme, never by a mean that nobody saw:
//! rates over the whole stretch; pods and nodes at its moment with the most of them not ready; the longest queue; the highest
//! quantile of any of its intervals. The CSV holds these stretches.

mod marks;
mod panels;
mod stretches;

use super::axis::{self, Scale};
use super::place::Heading;
use super::scene::{Frame, Rgb, Scene};
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{csv_field, duration, grouped, percent, slug};
use crate::scenario::ScenarioRun;
use panels::Panel;
use stretches::Stretches;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 66.0;
/// Right of the panels stand the names of their lines.
const RIGHT: f64 = 136.0;
/// Below the heading.
const TOP: f64 = 62.0;
/// Services with a panel of their own; one more is not worth folding.
const MOST_SERVICES: usize = 6;
const MOST_POOLS: usize = 4;
/// Behind what counts in no total.
const WARM_UP: Rgb = (0xf1, 0xf0, 0xea);

/// Services, or pools, that share a panel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    members: Vec<usize>,
}

/// Draws the run.
///
/// # Errors
/// [`ReportError::BadTimeline`] if its lists do not fit together, [`ReportError::Draw`] if the backend fails.
pub fn cluster_timeline(run: &ScenarioRun) -> Result<Figure, ReportError> {
    run.check()?;
    let stretches = Stretches::new(&run.timeline);
    let (services, pools) = (service_groups(run), pool_groups(run));
    let heading = heading("The cluster over time", run);
    let scene = scene(run, &stretches, (&services, &pools), &heading);
    finish(Sketch {
        id: format!("cluster-timeline-{}", slug(&run.name)),
        title: heading.joined(),
        caption: caption(run, &stretches, &services),
        csv: csv(&stretches, &services, &pools),
        scene,
    })
}

/// The heading of a figure of a run.
pub(super) fn heading(what: &str, run: &ScenarioRun) -> Heading {
    let length = duration(Some(run.seconds()));
    let place = format!("{}, {length} on the {} kernel, seed {}", run.name, run.kernel, run.seed);
    Heading { title: what.to_owned(), place }
}

/// The busiest services by themselves, in the order of their ids, and the others together.
fn service_groups(run: &ScenarioRun) -> Vec<Group> {
    let calls: Vec<u64> = run.services.iter().map(|service| service.calls).collect();
    grouped_by(&run.timeline.services, &calls, (MOST_SERVICES, "other services"))
}

fn pool_groups(run: &ScenarioRun) -> Vec<Group> {
    let pools = run.timeline.pools.len();
    let rows = &run.timeline.pool_rows;
    let most = |pool: usize| rows.iter().skip(pool).step_by(pools.max(1)).map(|row| u64::from(row.ready)).max();
    let sizes: Vec<u64> = (0..pools).map(|pool| most(pool).unwrap_or(0)).collect();
    grouped_by(&run.timeline.pools, &sizes, (MOST_POOLS, "other pools"))
}

fn grouped_by(names: &[String], sizes: &[u64], (most, rest): (usize, &str)) -> Vec<Group> {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|id| (std::cmp::Reverse(sizes[*id]), *id));
    let split = if names.len() > most + 1 { most } else { names.len() };
    let (own, folded) = order.split_at(split);
    let mut own = own.to_vec();
    own.sort_unstable();
    let mut groups: Vec<Group> =
        own.into_iter().map(|id| Group { name: names[id].clone(), members: vec![id] }).collect();
    if !folded.is_empty() {
        groups.push(Group { name: format!("{} {rest}", folded.len()), members: folded.to_vec() });
    }
    groups
}

fn scene(
    run: &ScenarioRun,
    stretches: &Stretches<'_>,
    (services, pools): (&[Group], &[Group]),
    heading: &Heading,
) -> Scene {
    let time = stretches.time();
    let mut panels = vec![Panel::Requests, Panel::Latency, Panel::Queue];
    panels.extend(services.iter().enumerate().map(|(i, group)| Panel::Pods { group, legend: i == 0 }));
    panels.extend(pools.iter().enumerate().map(|(i, group)| Panel::Nodes { group, legend: i == 0 }));
    let across = Frame { left: LEFT, right: WIDTH - RIGHT, top: TOP, bottom: TOP };
    let band = marks::arrange(&run.timeline.marks, &time, &across, WIDTH - 8.0);
    let panels_top = TOP + band.height();
    let mut frames = Vec::with_capacity(panels.len());
    let mut y = panels_top;
    for panel in &panels {
        let top = y + panel.head();
        frames.push(Frame { top, bottom: top + panel.height(services.len() + pools.len()), ..across });
        y = top + panel.height(services.len() + pools.len()) + 8.0;
    }
    let mut scene = Scene::new(WIDTH, y + 26.0);
    scene.heading(heading);
    for (i, (panel, frame)) in panels.iter().zip(&frames).enumerate() {
        let warm = Frame { right: time.x(time.low + 1e6 * run.warm_up_s, frame), ..*frame };
        if warm.right > warm.left {
            scene.area(&warm, WARM_UP);
        }
        axis::time_axis(&mut scene, frame, &time, i + 1 == panels.len());
        panel.draw(&mut scene, frame, (run, stretches, &time));
        band.lines(&mut scene, frame);
    }
    band.draw(&mut scene, panels_top);
    scene
}

fn caption(run: &ScenarioRun, stretches: &Stretches<'_>, services: &[Group]) -> String {
    let totals = &run.totals;
    let bad = totals.bad_share().map_or_else(|| "–".to_owned(), |share| percent(share, 2));
    let mut text = format!(
        "Requests per second as clients saw them, quantiles of the time from first try to answer (logarithmic), calls that \
         wait, pods and nodes by state, and what happened when. {} requests, {} retries, {bad} % bad; P95 {}, P99 {} of \
         all that were answered.",
        count(totals.offered),
        count(totals.retries),
        duration(totals.latency.p95_s),
        duration(totals.latency.p99_s),
    );
    if let Some(folded) = services.iter().find(|group| group.members.len() > 1) {
        text += &format!(
            " The {MOST_SERVICES} services with the most calls have a panel each; the other {} share one.",
            folded.members.len()
        );
    }
    if stretches.has_unreachable() {
        text += " Unreachable pods are on a node that has been silent for so long that they left the endpoints; until they are deleted \
                 and made anew elsewhere they are neither ready nor starting.";
    }
    if stretches.size() > 1 {
        text += &format!(
            " Drawn by stretches of {}: pods and nodes at the moment with the most of them not ready, the longest queue, the \
             highest quantile of any interval.",
            duration(Some(stretches.seconds()))
        );
    }
    if run.warm_up_s > 0.0 {
        text += &format!(" The first {} (shaded) are warm-up and count in no total.", duration(Some(run.warm_up_s)));
    }
    if !run.timeline.marks.is_empty() {
        text += " Events of one kind that lie close together share a label; all of them are in the table of events.";
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts, for people to read")]
pub(super) fn count(number: u64) -> String {
    grouped(number as f64, 0)
}

fn csv(stretches: &Stretches<'_>, services: &[Group], pools: &[Group]) -> String {
    let mut heads: Vec<String> = ["t_us", "offered_per_s", "answered_per_s", "failed_per_s", "retries_per_s"]
        .into_iter()
        .chain(["p50_s", "p95_s", "p99_s", "queued"])
        .map(str::to_owned)
        .collect();
    for group in services {
        let column = |what| csv_field(&format!("{} {what}", group.name));
        heads.extend(["ready", "starting", "unreachable", "pending", "terminating", "desired"].map(column));
    }
    for group in pools {
        let column = |what| csv_field(&format!("pool {} {what}", group.name));
        heads.extend(["ready", "provisioning", "lost", "requested"].map(column));
    }
    let mut out = heads.join(",") + "\n";
    for k in 0..stretches.len() {
        let optional = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.6}"));
        let rates: [fn(&seatrial_core::record::timeline::ClientRow) -> u64; 4] =
            [|row| row.offered, |row| row.done, |row| row.failed, |row| row.retries];
        let mut cells = vec![stretches.start_us(k).to_string()];
        cells.extend(rates.map(|of| format!("{:.4}", stretches.rate(k, of))));
        cells.extend([
            optional(stretches.greatest(k, |row| row.p50_s)),
            optional(stretches.greatest(k, |row| row.p95_s)),
            optional(stretches.greatest(k, |row| row.p99_s)),
            stretches.queued(k, None).to_string(),
        ]);
        for group in services {
            let row = stretches.pods(k, &group.members);
            let states = [row.ready, row.starting, row.unreachable, row.pending, row.terminating, row.desired];
            cells.extend(states.map(|pods| pods.to_string()));
        }
        for group in pools {
            let row = stretches.nodes(k, &group.members);
            cells.extend([row.ready, row.provisioning, row.lost].map(|n| n.to_string()));
            cells.push(format!("{:.3}", row.requested));
        }
        out += &(cells.join(",") + "\n");
    }
    out
}

/// The time axis of a run.
#[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
fn span(from_us: i64, to_us: i64) -> Scale {
    Scale { low: from_us as f64, high: to_us as f64, log: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::sample;

    #[test]
    fn the_busiest_services_keep_a_panel_and_one_more_is_not_folded() {
        let names = |n: usize| (0..n).map(|i| format!("s{i}")).collect::<Vec<_>>();
        let sizes: Vec<u64> = [5, 1, 9, 3, 8, 2, 7, 4].to_vec();
        let groups = grouped_by(&names(8), &sizes, (6, "other services"));
        assert_eq!(groups.len(), 7);
        assert_eq!(groups[5].name, "s7");
        assert_eq!(groups[6], Group { name: "2 other services".to_owned(), members: vec![5, 1] });
        assert_eq!(grouped_by(&names(7), &sizes[..7], (6, "other services")).len(), 7);
        assert!(grouped_by(&[], &[], (4, "other pools")).is_empty());
    }

    #[test]
    fn panels_and_words_say_what_the_run_holds() {
        let figure = cluster_timeline(&sample::shop()).unwrap();
        for word in ["frontend: pods", "5 other services: pods", "pool web: nodes", "7 × evicted", "answered"] {
            assert!(figure.svg.contains(word), "{word}");
        }
        assert!(
            figure.caption.contains("The 6 services with the most calls have a panel each; the other 5 share one.")
        );
        assert!(!figure.caption.contains("stretches"), "120 intervals are drawn one by one");
        assert_eq!(figure.csv.lines().count(), 121);
        let single = cluster_timeline(&sample::single(1)).unwrap();
        assert!(!single.svg.contains("nodes"), "no pools, no panel of nodes");
        let has_legend = |figure: &Figure| figure.scene.text_boxes().iter().any(|(text, _)| text == "unreachable");
        assert!(has_legend(&figure) && figure.caption.contains("Unreachable pods are on a node"));
        assert!(!has_legend(&single) && !single.caption.contains("nreachable"), "nothing was lost");
        assert!(figure.svg.contains("the line is "), "it is said whose queue the line is");
        let long = cluster_timeline(&sample::crowd(30, 2_000)).unwrap();
        assert!(long.caption.contains("Drawn by stretches of 105 s"), "{}", long.caption);
        let dead = cluster_timeline(&sample::dead(40)).unwrap();
        assert!(dead.svg.contains("no request was answered"));
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let mut run = sample::single(4);
        run.timeline.service_rows.pop();
        let error = cluster_timeline(&run).unwrap_err().to_string();
        assert!(error.contains("`service_rows` of its run holds 3 rows, expected 4"), "{error}");
    }
}
