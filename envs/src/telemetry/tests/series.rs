//! Rings that forget against whole series that do not: random clusters with jitter, losses, resets, silent nodes and slots
//! that pods use one after the other.
//!
//! The reference keeps every point that was ever scraped, by pod, finds the visible moment by stepping, and asks Prometheus'
//! functions of the core, which are checked against the real engine.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seatrial_core::observe::promql::{Dialect, Window, instant};

use super::*;

/// What happens to a pod of a slot.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// The next pod of the slot starts, or, if one runs, its container does so anew.
    Start,
    Stop,
    Silence,
    Answer,
}

#[derive(Clone, Debug)]
struct Plan {
    spec: MetricsSpec,
    rate: RateFunction,
    /// Seconds until it happens, slot, what.
    turns: Vec<(f64, u32, Turn)>,
}

fn plans() -> impl Strategy<Value = Plan> {
    let turn =
        prop_oneof![4 => Just(Turn::Start), 2 => Just(Turn::Stop), 1 => Just(Turn::Silence), 1 => Just(Turn::Answer)];
    let spec = (
        prop_oneof![Just(5.0), Just(15.0), Just(30.0)],
        prop_oneof![Just(0.0), Just(0.3), Just(1.0)],
        prop_oneof![Just(0.0), Just(15.0), Just(20.0), Just(60.0), Just(300.0)],
        prop_oneof![Just(0.0), Just(0.2)],
    );
    let spec = spec.prop_map(|(scrape_s, jitter, lag_s, lost_scrape_probability)| MetricsSpec {
        scrape_s,
        jitter,
        lag_s,
        lost_scrape_probability,
    });
    let rate = prop_oneof![Just(RateFunction::Irate), Just(RateFunction::Rate)];
    let turns = prop::collection::vec((0.0..20.0_f64, 0_u32..4, turn), 1..60);
    (spec, rate, turns).prop_map(|(spec, rate, turns)| Plan { spec, rate, turns })
}

/// Everything that ever was scraped, and whose.
#[derive(Default)]
struct Archive {
    now: Timestamp,
    started: BTreeMap<PodId, Timestamp>,
    cpu: BTreeMap<PodId, Vec<Point>>,
    memory: BTreeMap<PodId, Vec<Point>>,
    arrived: Vec<Point>,
}

impl Archive {
    fn end(&mut self, pod: PodId) {
        self.memory.entry(pod).or_default().push(Point::stale(self.now));
    }
}

impl Source for Archive {
    fn pod(&mut self, pod: PodId) -> PodCounters {
        // Faster with each slot, and never evenly.
        let seconds = (self.now - self.started[&pod]).as_secs_f64();
        let cpu_s = f64::from(pod.slot + 1) * seconds + (seconds / 9.0).floor();
        self.cpu.entry(pod).or_default().push(Point::number(self.now, cpu_s));
        PodCounters { cpu_s, ..PodCounters::default() }
    }

    fn ingress(&mut self, _: ServiceId) -> IngressCounters {
        let arrived = ((self.now - START).as_secs_f64() * 3.7) as u64;
        self.arrived.push(Point::number(self.now, arrived as f64));
        IngressCounters { arrived, bad: 0 }
    }

    fn memory_bytes(&mut self, pod: PodId) -> Option<f64> {
        let bytes = f64::from(pod.slot) + self.now.micros() as f64;
        self.memory.entry(pod).or_default().push(Point::number(self.now, bytes));
        Some(bytes)
    }
}

/// A cluster that follows a plan.
struct Cluster {
    telemetry: Telemetry,
    queue: EventQueue<Event>,
    archive: Archive,
    /// Generation of each slot, and whether its pod runs.
    slots: [(u32, bool); 4],
    spec: MetricsSpec,
    rate: RateFunction,
    /// Answers compared that were numbers.
    known: usize,
}

impl Cluster {
    fn new(plan: &Plan) -> Self {
        let telemetry = Telemetry::new(&plan.spec, 1, START, 11).unwrap().with_rate(plan.rate);
        let archive = Archive { now: START, ..Archive::default() };
        let (queue, spec, rate) = (EventQueue::new(START), plan.spec, plan.rate);
        let mut cluster = Self { telemetry, queue, archive, slots: [(0, false); 4], spec, rate, known: 0 };
        cluster.telemetry.begin(&mut cluster.queue).unwrap();
        cluster
    }

    fn run(&mut self, until: Timestamp) {
        while let Some((at, event)) = self.queue.pop_until(until) {
            self.archive.now = at;
            self.telemetry.handle(event, &mut self.queue, &mut self.archive).unwrap();
            self.mark_failures(at);
        }
        self.queue.pass_until(until);
        self.archive.now = until;
    }

    /// Gauges of pods that were due at `at` and left nothing end: Prometheus writes a marker.
    fn mark_failures(&mut self, at: Timestamp) {
        for points in self.archive.memory.values_mut() {
            let due = points.last().is_some_and(|last| at - last.at >= Span::from_secs_f64(self.spec.scrape_s));
            if due {
                points.push(Point::stale(at));
            }
        }
    }

    fn turn(&mut self, slot: u32, turn: Turn) {
        let (generation, runs) = &mut self.slots[slot as usize];
        let what = match (turn, *runs) {
            (Turn::Start, _) => {
                *generation += u32::from(!*runs && self.queue.now().micros() % 2 == 0);
                *runs = true;
                self.archive.started.insert(PodId { slot, generation: *generation }, self.queue.now());
                Change::Started
            }
            (Turn::Stop, true) => {
                *runs = false;
                self.archive.end(PodId { slot, generation: *generation });
                Change::Stopped
            }
            (Turn::Silence, true) => Change::Speed(0.0),
            (Turn::Answer, true) => Change::Speed(1.0),
            _ => return,
        };
        let change = PodChange { pod: PodId { slot, generation: *generation }, service: SERVICE, what };
        self.telemetry.apply(&change, &mut self.queue).unwrap();
    }

    /// The last end of a slot that is old enough, found by walking.
    fn visible(&self) -> Timestamp {
        let (interval, lag) = (Span::from_secs_f64(self.spec.scrape_s), Span::from_secs_f64(self.spec.lag_s));
        let mut visible = START - interval * 1_000;
        while visible + interval <= self.queue.now() - lag {
            visible += interval;
        }
        visible
    }

    fn reference_rate(&self, points: &[Point]) -> Option<f64> {
        let range = Span::from_secs_f64(2.0 * self.spec.scrape_s);
        let window = Window::new(points, self.visible(), range, Dialect::Prometheus3);
        match self.rate {
            RateFunction::Irate => window.irate(),
            RateFunction::Rate => window.rate(),
        }
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let metrics = self.telemetry.metrics(self.queue.now(), SERVICE);
        let get = |feature| metrics.get(feature).map(|sample: Sample| sample.value);
        let cpu = sum(self.archive.cpu.values().map(|points| self.reference_rate(points)));
        let at = self.visible();
        let last = |points: &Vec<Point>| instant(points, at, Dialect::Prometheus3).map(|sample| sample.value);
        let memory = sum(self.archive.memory.values().map(last));
        prop_assert_eq!(get(Feature::HttpRequestsTotalRate), self.reference_rate(&self.archive.arrived));
        for (feature, expected) in
            [(Feature::ProcessCpuSecondsTotalRate, cpu), (Feature::ProcessResidentMemoryBytes, memory)]
        {
            let close = |(got, expected): (f64, f64)| (got - expected).abs() <= 1e-12 * expected.abs();
            let got = get(feature);
            prop_assert!(got.is_some() == expected.is_some(), "{feature:?}: {got:?}, {expected:?}");
            prop_assert!(got.zip(expected).is_none_or(close), "{feature:?}: {got:?}, {expected:?}");
            self.known += usize::from(got.is_some());
        }
        Ok(())
    }
}

fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().reduce(|sum, value| sum + value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn rings_answer_as_whole_series_do(plan in plans()) {
        let mut cluster = Cluster::new(&plan);
        for (wait_s, slot, turn) in &plan.turns {
            cluster.run(cluster.queue.now() + Span::from_secs_f64(*wait_s));
            cluster.turn(*slot, *turn);
            cluster.compare()?;
        }
        let (scrape_s, lag_s) = (plan.spec.scrape_s, plan.spec.lag_s);
        for _ in 0..((lag_s / scrape_s) as usize + 4) {
            cluster.run(cluster.queue.now() + Span::from_secs_f64(scrape_s));
            cluster.compare()?;
        }
    }
}

/// The property above is not about nothing: on a plan without losses most answers are numbers.
#[test]
fn most_answers_are_numbers() {
    let turns = (0..40).map(|turn| (10.0, turn % 4, if turn % 9 == 8 { Turn::Stop } else { Turn::Start })).collect();
    let spec = MetricsSpec { jitter: 1.0, lag_s: 60.0, ..MetricsSpec::default() };
    let plan = Plan { spec, rate: RateFunction::Irate, turns };
    let mut cluster = Cluster::new(&plan);
    for (wait_s, slot, turn) in &plan.turns {
        cluster.run(cluster.queue.now() + Span::from_secs_f64(*wait_s));
        cluster.turn(*slot, *turn);
        cluster.compare().unwrap();
    }
    assert!(cluster.known > 50, "{} of 80", cluster.known);
}
