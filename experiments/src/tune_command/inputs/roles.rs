//! Traces that hold what a workload did, replicas and CPU, with or without its load.
//!
//! With the load, what one pod serves at 100 % CPU is the median of load over (replicas × utilisation). Without it, replicas ×
//! utilisation is the load, in pods' worth of work. CPU is the mean over pods in percent of the request; where it nears 100 %
//! the true load was greater, which is said.

use seatrial_datasets::{Kind, Series, Trace};
use seatrial_reports::stats;

use super::{Offered, ReadError, content_hash, on_slots};

/// Below this utilisation a bin says little about what a request costs.
const LEAST_UTILISATION: f64 = 0.1;
/// At or above this utilisation pods were saturated.
const SATURATED: f64 = 0.95;

/// The series of a trace by what they are.
pub(super) struct Roles<'a> {
    load: Option<&'a Series>,
    replicas: &'a Series,
    cpu: &'a Series,
}

fn holds(name: &str, part: &str) -> bool {
    name.to_lowercase().contains(part)
}

/// Whether a series of that name holds replicas or CPU.
pub(super) fn is_level(name: &str) -> bool {
    holds(name, "replica") || holds(name, "cpu")
}

/// The roles, if the trace is such a one: two or three series, one of replicas, one of CPU.
pub(super) fn of(trace: &Trace) -> Option<Roles<'_>> {
    let named = |part: &str| {
        let mut found = trace.series.iter().filter(|series| holds(&series.name, part));
        found.next().filter(|_| found.next().is_none())
    };
    let (replicas, cpu) = (named("replica")?, named("cpu")?);
    let mut others = trace.series.iter().filter(|series| !is_level(&series.name));
    let load = others.next();
    (replicas.name != cpu.name && others.next().is_none()).then_some(Roles { load, replicas, cpu })
}

impl Roles<'_> {
    /// The load, or its estimate.
    pub(super) fn offered(&self, trace: &Trace, file: &str, notes: &mut Vec<String>) -> Result<Offered, ReadError> {
        // Replicas and CPU are levels whatever the source calls them.
        let (replicas, cpu) = (on_slots(self.replicas, Kind::Gauge, file)?, on_slots(self.cpu, Kind::Gauge, file)?);
        let load = self.load.map(|load| on_slots(load, trace.kind, file)).transpose()?;
        let grid = |series: &Series| (series.start, series.interval, series.values.len());
        if grid(&cpu) != grid(&replicas) || load.as_ref().is_some_and(|load| grid(load) != grid(&replicas)) {
            let detail = "replicas, CPU and load must have the same bins; export them with one step and one span";
            return Err(ReadError::Other(format!("{file}: {detail}")));
        }
        let unit = unit(&cpu, notes);
        let used: Vec<f64> = cpu.values.iter().map(|value| value / unit).collect();
        let work: Vec<f64> = replicas.values.iter().zip(&used).map(|(pods, used)| pods * used).collect();
        let unseen: Vec<bool> = cpu.missing.iter().zip(&replicas.missing).map(|(a, b)| *a || *b).collect();
        let mut offered = Offered {
            name: String::new(),
            start: replicas.start,
            interval: replicas.interval,
            rate_per_s: Vec::new(),
            missing: unseen,
            seen_capacity: None,
            estimated: load.is_none(),
            saturated: 0.0,
            replicas: replicas.values.clone(),
            content_hash: content_hash(trace),
        };
        match load {
            Some(load) => offered.take_load(load, trace.kind, &used, &work),
            None => {
                offered.saturated = note_estimate(&used, notes);
                offered.rate_per_s = work;
            }
        }
        Ok(offered)
    }
}

impl Offered {
    fn take_load(&mut self, load: Series, kind: Kind, used: &[f64], work: &[f64]) {
        let seconds = if kind == Kind::Gauge { 1.0 } else { load.interval.as_secs_f64() };
        self.rate_per_s = load.values.iter().map(|value| value / seconds).collect();
        let telling = |bin: &usize| {
            !self.missing[*bin] && !load.missing[*bin] && used[*bin] >= LEAST_UTILISATION && work[*bin] > 0.0
        };
        let ratios: Vec<f64> =
            (0..load.values.len()).filter(telling).map(|bin| self.rate_per_s[bin] / work[bin]).collect();
        self.seen_capacity = stats::quantile(&ratios, 0.5).filter(|capacity| *capacity > 0.0);
        self.missing = load.missing;
    }
}

/// Says what the estimate is worth; the share of the bins with saturated CPU.
fn note_estimate(used: &[f64], notes: &mut Vec<String>) -> f64 {
    let estimate = "it holds no load: replicas × CPU utilisation stand for it, so what was turned away is not seen";
    notes.push(estimate.to_owned());
    let busy = used.iter().filter(|used| **used >= SATURATED).count();
    let saturated = stats::count(busy) / stats::count(used.len().max(1));
    if busy > 0 {
        let share = 100.0 * saturated;
        let near = 100.0 * SATURATED;
        notes.push(format!(
            "CPU was at {near:.0} % or more in {share:.1} % of the bins: the load there was greater than estimated"
        ));
    }
    saturated
}

/// What 100 % is in the CPU series: 100, or 1 where no value is above 1.5.
fn unit(cpu: &Series, notes: &mut Vec<String>) -> f64 {
    let greatest = cpu.values.iter().copied().fold(0.0, f64::max);
    let unit = if greatest <= 1.5 { 1.0 } else { 100.0 };
    let words = if unit > 1.0 { "percent" } else { "a share of 1" };
    notes.push(format!("CPU (greatest value {greatest:.3}) is read as {words} of the request, mean over pods"));
    unit
}
