//! The event kernel beside exact answers of queueing theory.
//!
//! M/M/c: Erlang C. M/D/1: Pollaczek and Khinchine. M/G/1 with processor sharing: the mean time in the system depends on the mean
//! of the work alone (Kleinrock). M/M/4 with shared cores: its number in the system is that of M/M/4. M/M/1/K: the share turned
//! away is the probability of a full system. Little's law holds for all, and is checked without being assumed: the number present is
//! sampled, rates and times are counted.

use rayon::prelude::*;
use seatrial_core::math::{erlang_c, exp, wait_exceeds};
use seatrial_reports::stats;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Effort;
use super::queue::{Load, Queue};
use super::sample::{Coverage, Interval};
use crate::error::Result;

/// Seconds between samples of the number present: no whole fraction of anything else.
const SAMPLE_S: f64 = 0.137;
/// Objective of waiting that requests are judged by, the schema's default.
const OBJECTIVE_S: f64 = 0.12;
const MEAN_S: f64 = 0.08;
/// A share is asked for only if theory has so many of its events over all seeds of the full effort: none seen is no interval.
const FEWEST_EVENTS: f64 = 100.0;

/// A measure of a model beside its theory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Which queue.
    pub model: String,
    /// Offered work over workers.
    pub load: f64,
    /// What is measured.
    pub measure: String,
    /// The exact answer.
    pub theory: f64,
    /// Mean over seeds with its 99 % interval.
    pub measured: Interval,
    /// Seeds.
    pub seeds: u64,
}

impl Row {
    /// Whether theory lies in the interval.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.measured.holds(self.theory)
    }
}

/// What a run without its warm-up shows.
#[derive(Clone, Copy, Debug)]
struct Seen {
    waited: f64,
    mean_wait_s: f64,
    beyond: f64,
    mean_sojourn_s: f64,
    turned_away: f64,
    arrival_rate: f64,
    mean_present: f64,
}

/// A measure, its exact answer, and how a run shows it.
type Answer = (&'static str, f64, fn(&Seen) -> f64);

/// A queue with its answers.
#[derive(Clone, Debug)]
pub struct Case {
    model: String,
    load: f64,
    queue: Load,
    answers: Vec<Answer>,
}

impl Case {
    /// Names of its rows: model, load and measure.
    pub fn names(&self) -> impl Iterator<Item = (String, f64, &'static str)> + '_ {
        self.answers.iter().map(|(measure, ..)| (self.model.clone(), self.load, *measure))
    }

    fn run(&self, seed: u64, length: f64) -> Result<Seen> {
        let queue = &self.queue;
        let run_s = (queue.end_s - queue.warm_up_s) * length;
        let end_s = queue.warm_up_s + run_s;
        let mut world = Queue::new(&Load { end_s, ..queue.clone() }, seed)?;
        world.until(queue.warm_up_s)?;
        let (before, bad_before) = (world.totals(), world.bad());
        let (mut present, mut samples, mut at_s) = (0.0, 0.0, queue.warm_up_s);
        while at_s < end_s {
            at_s += SAMPLE_S;
            world.until(at_s.min(end_s))?;
            present += world.present();
            samples += 1.0;
        }
        world.check()?;
        let (after, bad) = (world.totals(), world.bad());
        let started = float(after.started - before.started);
        let arrived = float(after.arrived - before.arrived);
        Ok(Seen {
            waited: float(after.waited - before.waited) / started,
            mean_wait_s: (after.wait_s - before.wait_s) / started,
            beyond: float(bad - bad_before) / started,
            mean_sojourn_s: (after.sojourn_s - before.sojourn_s) / float(after.completed - before.completed),
            turned_away: float(after.failed - before.failed) / arrived,
            arrival_rate: arrived / run_s,
            mean_present: present / samples,
        })
    }

    /// Its rows.
    ///
    /// # Errors
    /// A bug of the kernel.
    pub fn measure(&self, effort: Effort) -> Result<Vec<Row>> {
        let runs: Result<Vec<Seen>> =
            (1..=effort.queue_seeds).into_par_iter().map(|seed| self.run(seed, effort.length)).collect();
        let runs = runs?;
        let row = |(measure, theory, of): &Answer| {
            let values: Vec<f64> = runs.iter().map(of).collect();
            Some(Row {
                model: self.model.clone(),
                load: self.load,
                measure: (*measure).to_owned(),
                theory: *theory,
                measured: Interval::of(&values, Coverage::P99)?,
                seeds: effort.queue_seeds,
            })
        };
        Ok(self.answers.iter().filter_map(row).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// Little's law.
const LITTLE: Answer = ("L − λW", 0.0, |seen| seen.mean_present - seen.arrival_rate * seen.mean_sojourn_s);

fn mmc(workers: u32, load: f64) -> Case {
    let c = f64::from(workers);
    let rate_per_s = load * c / MEAN_S;
    // What a queue remembers: its relaxation time (Cohen, "The single server queue").
    let memory_s = MEAN_S / c / ((1.0 - load.sqrt()) * (1.0 - load.sqrt()));
    let (warm_up_s, run_s) = ((10.0 * memory_s).max(30.0), (200.0 * memory_s).max(200.0));
    let keys = json!({"cores": c, "concurrency": workers, "service_time_s": {"exponential": {"mean": MEAN_S}}});
    let p_wait = erlang_c(workers, load * c);
    let beyond = wait_exceeds(workers, rate_per_s, MEAN_S, OBJECTIVE_S);
    let mut answers: Vec<Answer> = vec![
        ("P(wait > 0)", p_wait, |seen| seen.waited),
        ("mean wait, s", p_wait / (c / MEAN_S - rate_per_s), |seen| seen.mean_wait_s),
    ];
    if beyond * rate_per_s * run_s * float(Effort::FULL.queue_seeds) >= FEWEST_EVENTS {
        answers.push(("P(wait > 0.12 s)", beyond, |seen| seen.beyond));
    }
    answers.push(LITTLE);
    Case {
        model: format!("M/M/{workers}"),
        load,
        queue: Load { keys, rate_per_s, pods: 1, warm_up_s, end_s: warm_up_s + run_s },
        answers,
    }
}

/// A queue of a thousand seconds.
fn plain(model: &str, (mean_s, load): (f64, f64), keys: Value, answers: Vec<Answer>) -> Case {
    let queue = Load { keys, rate_per_s: load / mean_s, pods: 1, warm_up_s: 100.0, end_s: 1_100.0 };
    Case { model: model.to_owned(), load, queue, answers }
}

fn constant_work(load: f64) -> Case {
    let mean_s = 0.05;
    let theory = load * mean_s / (2.0 * (1.0 - load));
    let answers: Vec<Answer> = vec![("mean wait, s", theory, |seen| seen.mean_wait_s), LITTLE];
    plain("M/D/1", (mean_s, load), json!({"service_time_s": {"constant": mean_s}}), answers)
}

fn sharing(work: &str, distribution: &Value) -> Case {
    let (mean_s, load) = (0.05, 0.7);
    let answers: Vec<Answer> = vec![("mean stay, s", mean_s / (1.0 - load), |seen| seen.mean_sojourn_s), LITTLE];
    let keys = json!({"concurrency": null, "service_time_s": distribution});
    let mut case = plain(&format!("M/{work}/1-PS"), (mean_s, load), keys, answers);
    // Whole stays vary more than waits: four times as long.
    case.queue.end_s = 4_100.0;
    case
}

fn shared_cores() -> Case {
    let (load, rate_per_s) = (0.8, 40.0);
    let theory = MEAN_S + erlang_c(4, rate_per_s * MEAN_S) / (4.0 / MEAN_S - rate_per_s);
    let keys = json!({"cores": 4.0, "concurrency": null, "service_time_s": {"exponential": {"mean": MEAN_S}}});
    let answers: Vec<Answer> = vec![("mean stay, s", theory, |seen| seen.mean_sojourn_s), LITTLE];
    let queue = Load { keys, rate_per_s, pods: 1, warm_up_s: 100.0, end_s: 1_100.0 };
    Case { model: "M/M/4-PS".to_owned(), load, queue, answers }
}

fn two_pods() -> Case {
    let (load, rate_per_s) = (0.8, 80.0);
    let keys = json!({"cores": 4.0, "concurrency": 4, "service_time_s": {"exponential": {"mean": MEAN_S}}});
    let answers: Vec<Answer> = vec![("P(wait > 0)", erlang_c(8, rate_per_s * MEAN_S), |seen| seen.waited)];
    let queue = Load { keys, rate_per_s, pods: 2, warm_up_s: 100.0, end_s: 600.0 };
    Case { model: "2 pods of 4, one queue: M/M/8".to_owned(), load, queue, answers }
}

fn limited() -> Case {
    let (limit, load) = (3, 0.9);
    let weights: Vec<f64> = (0..=limit + 1).map(|present| f64::powi(load, present)).collect();
    let theory = weights[weights.len() - 1] / weights.iter().sum::<f64>();
    let keys = json!({"service_time_s": {"exponential": {"mean": MEAN_S}}, "queue_limit": limit});
    plain("M/M/1/4", (MEAN_S, load), keys, vec![("share turned away", theory, |seen| seen.turned_away)])
}

/// All queues that are compared, in the order of the page.
#[must_use]
pub fn cases() -> Vec<Case> {
    let loads = [0.5, 0.8, 0.95];
    let mut cases: Vec<Case> =
        [1, 4, 20, 40].into_iter().flat_map(|workers| loads.map(|load| mmc(workers, load))).collect();
    cases.extend([two_pods(), limited(), constant_work(0.5), constant_work(0.8)]);
    // A lognormal with mean 0.05 and the spread 1: median = mean / exp(1 / 2).
    let median = 0.05 / exp(0.5);
    cases.extend([
        sharing("M", &json!({"exponential": {"mean": 0.05}})),
        sharing("D", &json!({"constant": 0.05})),
        sharing("U", &json!({"uniform": {"low": 0.0, "high": 0.1}})),
        sharing("LogN", &json!({"lognormal": {"median": median, "sigma": 1.0}})),
        shared_cores(),
    ]);
    cases
}

/// Rows of all cases.
///
/// # Errors
/// A bug of the kernel.
pub fn measure(effort: Effort) -> Result<Vec<Row>> {
    let rows: Result<Vec<Vec<Row>>> = cases().iter().map(|case| case.measure(effort)).collect();
    Ok(rows?.concat())
}

/// Probability that `misses` or more of `rows` exact answers fall out of 99 % intervals by chance (binomial).
#[must_use]
pub fn chance_of_misses(rows: usize, misses: usize) -> f64 {
    let n = stats::count(rows);
    let mut term = f64::powi(0.99, i32::try_from(rows).unwrap_or(i32::MAX));
    let mut below = 0.0;
    for k in 0..misses {
        below += term;
        term *= (n - stats::count(k)) / stats::count(k + 1) * 0.01 / 0.99;
    }
    1.0 - below
}
