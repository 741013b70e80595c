//! The waiting table of protocol P1's reference, an independent implementation: P(wait > 120 ms) by balancing.

use super::*;

/// Pods, load, and the table's figures for shared, round robin, random and least loaded per pod.
const TABLE: [(u32, f64, [f64; 4]); 5] = [
    (1, 0.80, [0.186, 0.179, 0.178, 0.177]),
    (2, 0.90, [0.206, 0.338, 0.432, 0.223]),
    (5, 0.90, [0.029, 0.255, 0.436, 0.050]),
    (10, 0.95, [0.025, 0.462, 0.645, 0.035]),
    (28, 0.90, [0.000, 0.215, 0.418, 0.000]),
];
const BALANCING: [&str; 4] = ["shared", "round-robin", "random", "least-request"];

fn beyond_120_ms(pods: u32, load: f64, balancing: &str, seconds: i64, seed: u64) -> f64 {
    let keys = json!({"cores": 4.0, "concurrency": 4, "balancing": balancing, "service_time_s": {"exponential": {"mean": 0.08}}});
    let spec = spec(json!({"a": service(keys)}));
    let mut world = World::of(&spec, seconds, &[&[load * 50.0 * f64::from(pods)]], seed).pods(0, 0..pods);
    world.until(seconds as f64);
    world.serving.conservation().unwrap();
    world.serving.ingress(FIRST).bad as f64 / world.totals(0).started as f64
}

/// The table's figures are one run each; it says not how long. They may be off by three standard deviations of a run of ours
/// (which cannot be longer than theirs for this to hold), by ours over so many seeds, and by their rounding.
fn check(rows: &[(u32, f64, [f64; 4])], seconds: i64, seeds: u64) {
    for (pods, load, figures) in rows {
        for (balancing, figure) in BALANCING.iter().zip(figures) {
            let runs: Vec<f64> =
                (1..=seeds).map(|seed| beyond_120_ms(*pods, *load, balancing, seconds, seed)).collect();
            let (mean, error) = mean_and_error(&runs);
            let deviation = error * (seeds as f64).sqrt();
            let tolerance = 3.0 * (deviation * deviation + error * error).sqrt() + 0.0005;
            println!("{pods} pods at {load}, {balancing}: {mean:.4} ± {tolerance:.4}, table {figure}");
            assert!(
                (mean - figure).abs() <= tolerance,
                "{pods} pods at {load}, {balancing}: {mean} ± {tolerance}, table {figure}"
            );
        }
    }
}

#[test]
fn waiting_table_of_the_protocol_up_to_five_pods() {
    check(&TABLE[..3], 600, 4);
}

#[test]
#[ignore = "long: half a minute in the release profile; cargo test --release -p seatrial-envs -- --ignored waiting_table"]
fn waiting_table_of_the_protocol_in_full() {
    check(&TABLE, 3_600, 10);
}
