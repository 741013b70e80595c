//! The page and the files of runs of all shapes.

use super::*;
use crate::figures::of_scenario;
use crate::write::write_scenario;

fn rendered(run: &ScenarioRun) -> String {
    scenario_page(run, &of_scenario(run).unwrap()).unwrap()
}

#[test]
fn the_page_is_self_contained_and_says_everything() {
    let html = rendered(&sample::shop());
    for word in ["<script", "src=\"http", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
    for word in [
        "default-src 'none'",
        "width=device-width",
        "Seatrial scenario · events kernel · 30 min · seed 7",
        "% bad, P95 410 ms, ",
        "P99 1.9 s, P99.9 4.2 s.",
        "requests offered = ",
        "<p>No decisions can lead to a J below 900. </p>",
        "Synthetic data of a test: no result.",
        "<h2 id=\"prices\">",
        "node web-2 is unreachable",
        "utilisation 0.97 of 0.75",
        "<dt>revision</dt><dd>a85ab61</dd>",
    ] {
        assert!(html.contains(word), "{word}");
    }
    assert_eq!(html.matches("<figure").count(), 3);
    assert_eq!(html.matches("<figure").count(), html.matches("<svg").count());
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
}

#[test]
fn runs_of_all_shapes_have_a_page() {
    for (name, run) in sample::all() {
        let html = rendered(&run);
        assert!(!html.contains("NaN") && !html.contains("inf "), "{name}");
        assert_eq!(html.contains("id=\"events\""), !run.timeline.marks.is_empty(), "{name}");
    }
    let dead = rendered(&sample::dead(40));
    assert!(
        dead.contains("100.00 % bad, P95 – of those answered") && dead.contains("P50 –, P95 –, P99 –, P99.9 –."),
        "no zero for what is absent"
    );
    let marked = rendered(&sample::marked());
    assert!(marked.contains("Events: the first 60 of 500"));
}

#[test]
fn what_does_not_add_up_is_said() {
    let mut run = sample::shop();
    assert!(rendered(&run).contains("class=\"held soft\""));
    let change = |run: &mut ScenarioRun, change: fn(&mut Conservation)| change(run.conservation.as_mut().unwrap());
    change(&mut run, |count| count.ends[0].requests -= 3);
    let html = rendered(&run);
    assert!(html.contains("does not hold: 3 missing") && html.contains("class=\"broken\""));
    change(&mut run, |count| count.ends[0].requests += 5);
    assert!(rendered(&run).contains("does not hold: 2 too many"));
    change(&mut run, |count| count.ends.clear());
    assert!(rendered(&run).contains("requests offered = nothing does not hold"));
}

/// A kernel that follows no request has no line of counts that add up, and no quantiles of a whole run.
#[test]
fn a_flow_claims_no_counts() {
    let mut run = sample::shop();
    assert!(rendered(&run).contains("P99.9") && rendered(&run).contains("requests offered"));
    run.conservation = None;
    let html = rendered(&run);
    assert!(!html.contains("P99.9") && !html.contains("requests offered") && !html.contains("P95 –"), "{html}");
}

#[test]
fn j_is_the_sum_of_its_terms() {
    let term = |amount, price| CostTerm { name: "x".to_owned(), amount, price };
    let totals = Totals { costs: vec![term(100.0, 1.0), term(3.0, 5.0)], bad: 1, offered: 4, ..Totals::default() };
    assert_eq!((totals.j(), totals.bad_share()), (115.0, Some(0.25)));
    assert_eq!(Totals::default().bad_share(), None);
}

/// Two services, three intervals of 10 s of which the first is warm-up; worked by hand.
#[test]
fn totals_of_a_service_leave_the_warm_up_out() {
    use seatrial_core::record::timeline::ServiceRow;
    let row = |ready, arrived, cpu_s| ServiceRow { ready, arrived, cpu_s, failed: 1, ..ServiceRow::default() };
    let mut timeline = sample::single(3).timeline;
    timeline.interval = seatrial_core::time::Span::from_secs(10);
    timeline.services = vec!["a".to_owned(), "b".to_owned()];
    let other = row(99, 99, 99.0);
    timeline.service_rows = vec![other, row(9, 500, 80.0), other, row(2, 100, 30.0), other, row(4, 300, 90.0)];
    let b = ServiceTotals::of_timeline(&timeline, 1, (10.0, 4.0));
    assert_eq!((b.name.as_str(), b.calls, b.failed, b.mean_ready, b.most_ready), ("b", 400, 2, 3.0, 4));
    assert_eq!(b.utilisation, Some(0.5));
    assert_eq!(ServiceTotals::of_timeline(&timeline, 1, (99.0, 4.0)).utilisation, None);
}

/// 100 of 1,000 calls failed for the callers, 1 % in the service's own count.
#[test]
fn calls_that_were_given_up_are_explained() {
    let mut run = sample::single(3);
    (run.services[0].calls, run.services[0].failed) = (1_000, 10);
    (run.timeline.edges[0].calls, run.timeline.edges[0].failed) = (1_000, 100);
    let html = rendered(&run);
    assert!(
        html.contains("10.00 % of the calls to web failed for those who made them, and 1.00 % in the table"),
        "{html}"
    );
    run.timeline.edges[0].failed = 10;
    assert!(!rendered(&run).contains("failed for those who made them"));
}

#[test]
fn a_run_is_one_draw_and_its_prices_are_explained() {
    let html = rendered(&sample::single(3));
    for words in [
        "<li>One run with seed 7; another seed gives other numbers (<code>--seeds N</code> shows how far they spread).</li>",
        "A start that is under way when the run ends is paid in full, a termination until the end alone.",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let mut one = sample::single(3);
    one.services[0].most_ready = 1;
    assert!(rendered(&one).contains(", at most 1 pod ready"));
}

#[test]
fn the_warm_up_is_shown_and_not_counted() {
    let (_, dated) = sample::all().remove(1);
    assert_eq!((dated.seconds(), dated.counted_seconds()), (1_800.0, 1_560.0));
    let html = rendered(&dated);
    for word in ["(warm-up included).", "requests in 26 min:", "The first 4 min (shaded) are warm-up", "<dd>4 min</dd>"]
    {
        assert!(html.contains(word), "{word}");
    }
    assert!(!rendered(&sample::shop()).contains("warm-up"));
}

#[test]
fn names_from_outside_cannot_inject_markup() {
    let mut run = sample::shop();
    run.name = "<script>alert(1)</script>".to_owned();
    run.timeline.marks[0].text = "<b>x</b>".to_owned();
    run.notes = vec!["`a<b>`".to_owned()];
    let html = rendered(&run);
    assert!(!html.contains("<script") && !html.contains("<b>"));
    assert!(html.contains("<code>a&lt;b&gt;</code>"));
}

#[test]
fn every_guard_on_the_lists_of_a_run_fires() {
    type Break = fn(&mut ScenarioRun);
    let breaks: [(Break, &str); 7] = [
        (|run| run.timeline.client_rows.clear(), "`intervals` of its run holds 0 of 15000000 µs"),
        (|run| run.timeline.interval = seatrial_core::time::Span::ZERO, "`intervals` of its run holds 120 of 0 µs"),
        (|run| run.timeline.service_rows.truncate(5), "`service_rows` of its run holds 5 rows, expected 1320"),
        (|run| run.timeline.pool_rows.truncate(5), "`pool_rows` of its run holds 5 rows, expected 240"),
        (|run| run.timeline.latency_counts.truncate(5), "`latency_counts` of its run holds 5 rows, expected 7200"),
        (|run| run.services.truncate(1), "`services` of its run holds 1 rows, expected 11"),
        (
            |run| run.timeline.latency_edges_s[3] = f64::NAN,
            "`latency_edges_s` of its run holds edges that do not ascend",
        ),
    ];
    for (change, expected) in breaks {
        let mut run = sample::shop();
        change(&mut run);
        let error = run.check().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_written_run_is_complete_and_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let run = sample::single(30);
    let read = |name: &str| -> Vec<Vec<u8>> {
        let paths = write_scenario(&folder.path().join(name), &run).unwrap();
        assert_eq!((paths.figures.len(), paths.tables.len()), (9, 4));
        let all = [vec![paths.index], paths.figures, paths.tables].concat();
        assert!(all.iter().all(|path| path.starts_with(folder.path().join(name).join("report"))));
        all.iter().map(|path| std::fs::read(path).unwrap()).collect()
    };
    assert_eq!(read("a"), read("b"));
}

#[test]
fn tables_are_rectangular() {
    for (name, run) in sample::all() {
        for (file, csv) in scenario_tables(&run) {
            let width = csv.lines().next().unwrap().split(',').count();
            assert!(csv.lines().all(|line| line.split(',').count() == width), "{name} {file}");
        }
    }
}
