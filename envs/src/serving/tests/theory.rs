//! Queueing theory: what is known exactly must lie inside the 99 % interval over 30 seeds.

use seatrial_core::math::{erlang_c, wait_exceeds};

use super::*;

/// Quantile 0.995 of Student's t with 29 degrees of freedom (tables).
const T_29: f64 = 2.756;
const SEEDS: u64 = 30;

/// What a run without its warm-up shows.
#[derive(Clone, Copy, Debug)]
struct Seen {
    waited: f64,
    mean_wait_s: f64,
    beyond: f64,
    mean_sojourn_s: f64,
    arrival_rate: f64,
    /// Time average of calls in the system, sampled.
    mean_present: f64,
}

struct Case {
    keys: Value,
    rate: f64,
    pods: u32,
    warm_up_s: f64,
    run_s: f64,
}

impl Case {
    fn new(keys: Value, rate: f64) -> Self {
        Self { keys, rate, pods: 1, warm_up_s: 100.0, run_s: 1_000.0 }
    }

    fn run(&self, seed: u64) -> Seen {
        let spec = spec(json!({"a": service(self.keys.clone())}));
        let end_s = self.warm_up_s + self.run_s;
        // One bin, so that its count is all that is fixed; bins are whole scrape slots.
        let bin_s = (end_s / 15.0).ceil() as i64 * 15;
        let mut world = World::of(&spec, bin_s, &[&[self.rate]], seed).pods(0, 0..self.pods);
        world.until(self.warm_up_s);
        let (before, bad_before) = (world.totals(0), world.serving.ingress(FIRST).bad);
        let (mut present, mut samples) = (0.0, 0.0);
        let mut at_s = self.warm_up_s;
        while at_s < end_s {
            // Not a whole fraction of anything else.
            at_s += 0.137;
            world.until(at_s.min(end_s));
            present += f64::from(world.serving.queued(FIRST) + world.serving.in_service(FIRST));
            samples += 1.0;
        }
        let (after, bad) = (world.totals(0), world.serving.ingress(FIRST).bad);
        let started = (after.started - before.started) as f64;
        world.serving.conservation().unwrap();
        Seen {
            waited: (after.waited - before.waited) as f64 / started,
            mean_wait_s: (after.wait_s - before.wait_s) / started,
            beyond: (bad - bad_before) as f64 / started,
            mean_sojourn_s: (after.sojourn_s - before.sojourn_s) / (after.completed - before.completed) as f64,
            arrival_rate: (after.arrived - before.arrived) as f64 / self.run_s,
            mean_present: present / samples,
        }
    }

    fn seeds(&self) -> Vec<Seen> {
        (1..=SEEDS).map(|seed| self.run(seed)).collect()
    }
}

/// Panics unless `expected` lies inside the interval.
#[track_caller]
fn assert_inside(what: &str, runs: &[Seen], expected: f64, of: impl Fn(&Seen) -> f64) {
    let values: Vec<f64> = runs.iter().map(of).collect();
    let (mean, error) = mean_and_error(&values);
    println!("{what}: {mean:.5} ± {:.5}, theory {expected:.5}", T_29 * error);
    assert!((mean - expected).abs() <= T_29 * error, "{what}: {mean} ± {}, theory {expected}", T_29 * error);
}

fn check_mmc(workers: u32, load: f64) {
    let mean_s = 0.08;
    let keys = json!({"cores": f64::from(workers), "concurrency": workers, "service_time_s": {"exponential": {"mean": mean_s}}});
    let rate = load * f64::from(workers) / mean_s;
    let case = Case::new(keys, rate);
    // As many requests at every number of workers.
    let runs = Case { run_s: (40_000.0 / rate).max(200.0), ..case }.seeds();
    let p_wait = erlang_c(workers, rate * mean_s);
    let name = |what: &str| format!("M/M/{workers} at {load}, {what}");
    assert_inside(&name("P(wait > 0)"), &runs, p_wait, |seen| seen.waited);
    let mean_wait_s = p_wait / (f64::from(workers) / mean_s - rate);
    assert_inside(&name("mean wait"), &runs, mean_wait_s, |seen| seen.mean_wait_s);
    assert_inside(&name("P(wait > 0.12 s)"), &runs, wait_exceeds(workers, rate, mean_s, 0.12), |seen| seen.beyond);
    assert_inside(&name("L - λW"), &runs, 0.0, |seen| seen.mean_present - seen.arrival_rate * seen.mean_sojourn_s);
}

#[test]
fn one_worker_waits_as_erlang_says() {
    check_mmc(1, 0.7);
}

#[test]
fn four_workers_wait_as_erlang_says() {
    check_mmc(4, 0.8);
}

#[test]
fn twenty_workers_wait_as_erlang_says() {
    check_mmc(20, 0.9);
}

/// Pods with one queue are one pool of workers.
#[test]
fn pods_that_share_a_queue_are_one_pool() {
    let keys = json!({"cores": 4.0, "concurrency": 4, "service_time_s": {"exponential": {"mean": 0.08}}});
    let runs = Case { pods: 2, run_s: 500.0, ..Case::new(keys, 80.0) }.seeds();
    assert_inside("2 pods at 0.8, P(wait > 0)", &runs, erlang_c(8, 6.4), |seen| seen.waited);
}

/// Pollaczek and Khinchine: of constant work the mean wait is half that of exponential work.
#[test]
fn constant_work_waits_half_as_long() {
    let (mean_s, load) = (0.05, 0.8);
    let runs = Case::new(json!({"service_time_s": {"constant": mean_s}}), load / mean_s).seeds();
    assert_inside("M/D/1 at 0.8, mean wait", &runs, load * mean_s / (2.0 * (1.0 - load)), |seen| seen.mean_wait_s);
}

/// Kleinrock: in processor sharing the mean time in the system depends on the mean of the work alone.
fn check_sharing(name: &str, work: Value) {
    let (mean_s, load) = (0.05, 0.7);
    let keys = json!({"concurrency": null, "service_time_s": work});
    let runs = Case::new(keys, load / mean_s).seeds();
    assert_inside(&format!("M/{name}/1-PS at 0.7, sojourn"), &runs, mean_s / (1.0 - load), |seen| seen.mean_sojourn_s);
    let gap = |seen: &Seen| seen.mean_present - seen.arrival_rate * seen.mean_sojourn_s;
    assert_inside(&format!("M/{name}/1-PS at 0.7, L - λW"), &runs, 0.0, gap);
}

#[test]
fn processor_sharing_of_exponential_work() {
    check_sharing("M", json!({"exponential": {"mean": 0.05}}));
}

#[test]
fn processor_sharing_does_not_feel_the_shape_of_the_work() {
    check_sharing("D", json!({"constant": 0.05}));
    check_sharing("U", json!({"uniform": {"low": 0.0, "high": 0.1}}));
}

/// M/M/1/K by a queue limit: an arrival is turned away with the probability of a full system.
#[test]
fn a_queue_limit_turns_away_as_many_as_it_must() {
    let (limit, load) = (3, 0.9);
    let keys = json!({"service_time_s": {"exponential": {"mean": 0.08}}, "queue_limit": limit});
    let spec = spec(json!({"a": service(keys)}));
    let turned_away = |seed| {
        let mut world = World::of(&spec, 900, &[&[load / 0.08]], seed).pods(0, 0..1);
        world.until(900.0);
        let totals = world.totals(0);
        totals.failed as f64 / totals.arrived as f64
    };
    let (mean, error) = mean_and_error(&(1..=SEEDS).map(turned_away).collect::<Vec<_>>());
    let weights: Vec<f64> =
        (0..=limit + 1).scan(1.0, |weight, _| Some(core::mem::replace(weight, *weight * load))).collect();
    let expected = weights.last().unwrap() / weights.iter().sum::<f64>();
    assert!((mean - expected).abs() <= T_29 * error, "{mean} ± {}, theory {expected}", T_29 * error);
}
