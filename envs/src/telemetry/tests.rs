//! Telemetry against hand-made counters, against the fluid kernel's view of the same load, and against whole series.

mod series;

use seatrial_core::observe::promql::Point;
use seatrial_core::observe::{Feature, PodPhase, Sample};
use seatrial_core::time::Span;

use super::*;
use crate::load::{EpisodeLoad, Traffic};
use crate::scenario::Regime;

const SERVICE: ServiceId = ServiceId(0);
const START: Timestamp = Timestamp::from_secs(86_400);

/// Counters that are read off a rule of time, and a note of every scrape that read them.
struct Hand<P, I> {
    now: Timestamp,
    pod: P,
    ingress: I,
    memory_bytes: Option<f64>,
    scraped: Vec<(PodId, Timestamp)>,
}

impl<P, I> Source for Hand<P, I>
where
    P: FnMut(PodId, Timestamp) -> PodCounters,
    I: FnMut(ServiceId, Timestamp) -> IngressCounters,
{
    fn pod(&mut self, pod: PodId) -> PodCounters {
        self.scraped.push((pod, self.now));
        (self.pod)(pod, self.now)
    }

    fn ingress(&mut self, service: ServiceId) -> IngressCounters {
        (self.ingress)(service, self.now)
    }

    fn memory_bytes(&mut self, _: PodId) -> Option<f64> {
        self.memory_bytes
    }
}

/// Telemetry with its own queue and hand.
struct Alone<P, I> {
    telemetry: Telemetry,
    queue: EventQueue<Event>,
    hand: Hand<P, I>,
}

impl<P, I> Alone<P, I>
where
    P: FnMut(PodId, Timestamp) -> PodCounters,
    I: FnMut(ServiceId, Timestamp) -> IngressCounters,
{
    fn new(telemetry: Telemetry, pod: P, ingress: I) -> Self {
        let hand = Hand { now: START, pod, ingress, memory_bytes: None, scraped: Vec::new() };
        let mut alone = Self { telemetry, queue: EventQueue::new(START), hand };
        alone.telemetry.begin(&mut alone.queue).unwrap();
        alone
    }

    /// Handles every scrape up to and including `until`.
    fn run(&mut self, until: Timestamp) {
        while let Some((at, event)) = self.queue.pop_until(until) {
            self.hand.now = at;
            self.telemetry.handle(event, &mut self.queue, &mut self.hand).unwrap();
        }
        self.queue.pass_until(until);
    }

    fn run_s(&mut self, until_s: i64) {
        self.run(second(until_s));
    }

    fn tell(&mut self, pod: PodId, what: Change) {
        self.tell_of(SERVICE, pod, what);
    }

    fn tell_of(&mut self, service: ServiceId, pod: PodId, what: Change) {
        self.telemetry.apply(&PodChange { pod, service, what }, &mut self.queue).unwrap();
    }

    fn feature(&self, now_s: i64, feature: Feature) -> Option<f64> {
        self.telemetry.metrics(second(now_s), SERVICE).get(feature).map(|sample| sample.value)
    }
}

fn second(seconds: i64) -> Timestamp {
    START + Span::from_secs(seconds)
}

fn pod(slot: u32, generation: u32) -> PodId {
    PodId { slot, generation }
}

fn telemetry(spec: &MetricsSpec) -> Telemetry {
    Telemetry::new(spec, 1, START, 7).unwrap()
}

fn nobody(_: ServiceId, _: Timestamp) -> IngressCounters {
    IngressCounters::default()
}

/// A pod that from `START` on completes 10 requests a second of 0.25 s each, on two cores.
fn steady(_: PodId, now: Timestamp) -> PodCounters {
    let seconds = (now - START).as_secs_f64();
    PodCounters { completed: (10.0 * seconds) as u64, duration_s: 2.5 * seconds, cpu_s: 2.0 * seconds, in_flight: 3 }
}

/// Two hours of past and one of present that never stands still.
fn hour() -> EpisodeLoad {
    let rates = |bins: u32, phase: u32| -> Vec<f64> {
        (0..bins).map(move |bin| 40.0 + f64::from((7 * bin + phase) % 23)).collect()
    };
    EpisodeLoad::new(START, Span::from_secs(60), rates(60, 3), rates(120, 0)).unwrap()
}

/// The counts of `traffic`, as the ingress counts them: all of a slot by its end.
fn counted(traffic: &Traffic, now: Timestamp) -> IngressCounters {
    let slots = usize::try_from((now - START).whole_steps(traffic.slot())).unwrap();
    let counts = traffic.realised_per_s()[..slots].iter().map(|per_s| (per_s * 15.0).round());
    IngressCounters { arrived: counts.sum::<f64>() as u64, bad: 0 }
}

/// The same values at the same moments missing and not, bit for bit, from the first moment on and between scrapes too.
#[test]
fn an_hour_of_arrivals_is_seen_as_the_fluid_kernel_sees_it() {
    let lossy = [(Regime::Plain, 15.0), (Regime::LostScrapes, 15.0), (Regime::MetricLag, 15.0)];
    let lags = [0.0, 7.0, 44.0, 3_600.0].map(|lag_s| (Regime::LostScrapes, lag_s));
    let (mut seen, mut missing) = (0, 0);
    for (regime, lag_s) in lossy.into_iter().chain(lags) {
        let mut scenario = Scenario::protocol_p1().under(regime);
        scenario.metrics.lag_s = lag_s;
        let traffic = Traffic::new(&scenario, &hour(), 7).unwrap();
        let spec = pipeline_of(&scenario);
        let mut alone = Alone::new(telemetry(&spec), steady, |_, now| counted(&traffic, now));
        let slot_s = spec.scrape_s;
        alone.telemetry.recall(SERVICE, |slot| {
            traffic.realised(slot).map(|rate| PastArrivals { arrived: (rate * slot_s + 0.5).floor(), bad: None })
        });
        for now_s in 0..=3_600 {
            alone.run_s(now_s);
            let expected = traffic.visible_load(second(now_s), Span::from_secs_f64(spec.lag_s));
            let got = alone.telemetry.metrics(second(now_s), SERVICE).get(Feature::HttpRequestsTotalRate);
            assert_eq!(got, expected, "{regime:?}, lag {} s, second {now_s}", spec.lag_s);
            *(if expected.is_some() { &mut seen } else { &mut missing }) += 1;
        }
    }
    assert!(seen > 10_000 && missing > 1_000, "{seen} seen, {missing} missing");
}

#[test]
fn the_regimes_of_the_protocol_are_pipelines() {
    let p1 = Scenario::protocol_p1();
    assert_eq!(pipeline_of(&p1), MetricsSpec::default());
    assert_eq!(pipeline_of(&p1.under(Regime::MetricLag)), MetricsSpec { lag_s: 60.0, ..MetricsSpec::default() });
    let lossy = MetricsSpec { lost_scrape_probability: 0.1, ..MetricsSpec::default() };
    assert_eq!(pipeline_of(&p1.under(Regime::LostScrapes)), lossy);
}

#[test]
fn rates_of_pods_are_summed_and_what_is_not_modelled_is_missing() {
    let bad = |_, now: Timestamp| {
        let seconds = (now - START).whole_steps(Span::from_secs(1)) as u64;
        IngressCounters { arrived: 24 * seconds, bad: 6 * seconds }
    };
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), steady, bad);
    alone.hand.memory_bytes = Some(1_000.0);
    for slot in 0..3 {
        alone.tell(pod(slot, 0), Change::Started);
    }
    alone.run_s(30);
    let metrics = alone.telemetry.metrics(second(30), SERVICE);
    let expected = [
        (Feature::ProcessCpuSecondsTotalRate, Some(6.0)),
        (Feature::ProcessResidentMemoryBytes, Some(3_000.0)),
        (Feature::ProcessVirtualMemoryBytes, None),
        (Feature::HttpRequestDurationSecondsSumRate, Some(7.5)),
        (Feature::HttpRequestsTotalRate, Some(24.0)),
        (Feature::HttpRequestDurationSecondsCountRate, Some(30.0)),
        (Feature::ProcessOpenFds, None),
        (Feature::HttpResponseSizeBytesSumRate, None),
        (Feature::HttpRequestSizeBytesCountRate, None),
        (Feature::BadRequestRatio, Some(0.25)),
    ];
    for (feature, value) in expected {
        assert_eq!(metrics.get(feature), value.map(|value| Sample { at: second(15), value }), "{feature:?}");
    }
    assert_eq!(alone.telemetry.metrics(second(29), SERVICE).get(Feature::HttpRequestsTotalRate), None, "one scrape");
    alone.hand.memory_bytes = None;
    alone.run_s(60);
    assert_eq!(alone.feature(60, Feature::ProcessResidentMemoryBytes), None, "no value is no sample of zero");
}

#[test]
fn a_ratio_needs_requests_and_is_never_above_one() {
    let late = |_, now: Timestamp| match (now - START).whole_steps(Span::from_secs(15)) {
        0 => IngressCounters::default(),
        1 => IngressCounters { arrived: 4, bad: 1 },
        // Three that came earlier turned out bad beside the one that came.
        2 => IngressCounters { arrived: 5, bad: 5 },
        _ => IngressCounters { arrived: 5, bad: 6 },
    };
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), steady, late);
    alone.run_s(60);
    let ratios = [30, 45, 60].map(|now_s| alone.feature(now_s, Feature::BadRequestRatio));
    assert_eq!(ratios, [Some(0.25), Some(1.0), None]);
}

/// What a pod did since its last scrape is lost with it; what was scraped before stays in sight as long as its range.
#[test]
fn a_pod_that_ends_takes_its_last_counts_with_it() {
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), steady, nobody);
    alone.hand.memory_bytes = Some(10.0);
    alone.tell(pod(0, 0), Change::Started);
    alone.tell(pod(1, 0), Change::Started);
    alone.run_s(40);
    alone.tell(pod(1, 0), Change::Stopped);
    // The slot has its next pod, whose counters this world makes no younger: its first scrape shows no rate.
    alone.run_s(41);
    alone.tell(pod(1, 1), Change::Started);
    alone.run_s(90);
    let (cpu, memory) = (Feature::ProcessCpuSecondsTotalRate, Feature::ProcessResidentMemoryBytes);
    let seen = [45, 60, 75].map(|now_s| (alone.feature(now_s, cpu), alone.feature(now_s, memory)));
    // Of slot 30 to 45 the ended pod has no second scrape, nor has the new one.
    assert_eq!(seen, [(Some(4.0), Some(20.0)), (Some(2.0), Some(20.0)), (Some(4.0), Some(20.0))]);
    assert_eq!(alone.telemetry.cpu(second(90), pod(1, 0)), None, "its place is another's");
}

#[test]
fn a_container_that_starts_anew_is_a_reset() {
    let restarted = |_, now: Timestamp| {
        let since = if now < second(37) { START } else { second(37) };
        PodCounters { cpu_s: 2.0 * (now - since).as_secs_f64(), ..PodCounters::default() }
    };
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), restarted, nobody);
    alone.tell(pod(0, 0), Change::Started);
    alone.run_s(36);
    alone.tell(pod(0, 0), Change::Stopped);
    alone.run_s(37);
    alone.tell(pod(0, 0), Change::Started);
    alone.run_s(90);
    // At 45 the counter stands at 16, after 60 at 30: a reset counts what was reached after it, over 15 s.
    let seen = [45, 60, 75].map(|now_s| alone.feature(now_s, Feature::ProcessCpuSecondsTotalRate));
    assert_eq!(seen, [Some(2.0), Some(16.0 / 15.0), Some(2.0)]);
    let cpu = |now_s| alone.telemetry.cpu(second(now_s), pod(0, 0)).map(|sample| sample.value_milli);
    // metrics-server does not average over a restart, and 8 s are too short for a first sample.
    assert_eq!([45, 60, 75].map(cpu), [Some(2_000), None, Some(2_000)]);
}

#[test]
fn during_an_outage_nothing_is_known() {
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), steady, |_, now| IngressCounters {
        arrived: (now - START).whole_steps(Span::from_secs(1)) as u64,
        bad: 0,
    });
    alone.hand.memory_bytes = Some(10.0);
    alone.tell(pod(0, 0), Change::Started);
    alone.run_s(40);
    alone.telemetry.begin_outage();
    alone.run_s(50);
    // A second outage inside the first ends nothing.
    alone.telemetry.begin_outage();
    alone.telemetry.end_outage();
    alone.run_s(70);
    alone.telemetry.end_outage();
    alone.run_s(120);
    let features = [Feature::HttpRequestsTotalRate, Feature::ProcessCpuSecondsTotalRate];
    for (now_s, known) in [(45, true), (60, false), (75, false), (89, false), (90, false), (105, true)] {
        for feature in features {
            assert_eq!(alone.feature(now_s, feature).is_some(), known, "{feature:?} at {now_s}");
        }
        assert_eq!(alone.telemetry.cpu(second(now_s), pod(0, 0)).is_some(), known, "CPU at {now_s}");
        // A gauge needs one scrape.
        assert_eq!(alone.feature(now_s, Feature::ProcessResidentMemoryBytes).is_some(), known || now_s == 90);
    }
    assert_eq!(alone.telemetry.clone().end_outage(), (), "an end too many is none");
}

#[test]
fn a_pod_on_a_silent_node_does_not_answer() {
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), steady, nobody);
    alone.tell(pod(0, 0), Change::Started);
    alone.run_s(20);
    alone.tell(pod(0, 0), Change::Speed(0.0));
    alone.run_s(50);
    alone.tell(pod(0, 0), Change::Speed(0.5));
    alone.run_s(90);
    let scraped: Vec<_> = alone.hand.scraped.iter().map(|(_, at)| (*at - START).micros() / 1_000_000).collect();
    assert_eq!(scraped, [0, 15, 60, 75, 90]);
    // Of the range that ends at 60 only that scrape is there.
    let seen = [30, 45, 75, 90].map(|now_s| alone.feature(now_s, Feature::ProcessCpuSecondsTotalRate));
    assert_eq!(seen, [Some(2.0), None, None, Some(2.0)]);
}

#[test]
fn cpu_of_a_pod_is_metrics_servers_mean() {
    // 0.3337 cores until 60 s, then none.
    let uneven = |_, now: Timestamp| {
        let seconds = (now - START).as_secs_f64().min(60.0);
        PodCounters { cpu_s: 0.333_7 * seconds, ..PodCounters::default() }
    };
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), uneven, nobody);
    alone.tell(pod(0, 0), Change::Started);
    alone.run_s(120);
    let cpu = |now_s| alone.telemetry.cpu(second(now_s), pod(0, 0));
    assert_eq!(cpu(29), None, "one scrape");
    let sample =
        |value_milli, end_s| Some(CpuSample { value_milli, window_end: second(end_s), window: Span::from_secs(15) });
    // Thousandths are rounded up.
    assert_eq!([cpu(30), cpu(44), cpu(45)], [sample(334, 15), sample(334, 15), sample(334, 30)]);
    assert_eq!([cpu(75), cpu(90)], [sample(334, 60), sample(0, 75)]);
    assert_eq!(alone.telemetry.cpu(second(90), pod(5, 0)), None, "nobody knows it");
}

/// `freshContainerMinMetricsResolution`: from ten seconds on the first scrape alone is a sample since the start.
#[test]
fn a_fresh_container_has_a_sample_from_ten_seconds_on() {
    for (start_us, expected_us) in [(5_000_000, Some(10_000_000)), (5_000_001, None), (1, Some(14_999_999)), (0, None)]
    {
        let started = START + Span::from_micros(start_us);
        let young = move |_, now: Timestamp| PodCounters {
            cpu_s: 1.5 * (now - started).as_secs_f64(),
            ..PodCounters::default()
        };
        let mut alone = Alone::new(telemetry(&MetricsSpec::default()), young, nobody);
        if start_us > 0 {
            alone.run(started);
        }
        alone.tell(pod(0, 0), Change::Started);
        alone.run_s(15);
        let sample = alone.telemetry.cpu(second(30), pod(0, 0));
        if start_us == 0 {
            assert_eq!(sample.map(|sample| (sample.value_milli, sample.window.micros())), Some((1_500, 15_000_000)));
        } else {
            assert_eq!(sample.map(|sample| sample.window.micros()), expected_us, "started after {start_us} µs");
            assert!(sample.is_none_or(|sample| sample.value_milli == 1_500 && sample.window_end == second(15)));
        }
    }
}

#[test]
fn an_observation_holds_the_pods_with_what_is_known_of_them() {
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), steady, nobody);
    alone.tell(pod(0, 0), Change::Started);
    alone.run_s(40);
    alone.tell(pod(1, 0), Change::Started);
    alone.run_s(60);
    let view = Pod {
        phase: PodPhase::Running,
        deleted: false,
        created_at: START,
        started_at: Some(START),
        ready: None,
        cpu_request_milli: Some(4_000),
        cpu: None,
    };
    let mut out = Observation::unknown(START, 2);
    for _ in 0..2 {
        let views = [(pod(0, 0), view.clone()), (pod(1, 0), view.clone())];
        alone.telemetry.observe(second(60), SERVICE, views, &mut out);
        assert_eq!((out.now, out.spec_replicas), (second(60), 2));
        assert_eq!(out.metrics, alone.telemetry.metrics(second(60), SERVICE));
        let Pods::Each(each) = &out.pods else { panic!("one by one") };
        let cpu: Vec<_> = each.iter().map(|pod| pod.cpu.map(|sample| sample.value_milli)).collect();
        assert_eq!(cpu, [Some(2_000), None]);
        assert_eq!(each[0], Pod { cpu: each[0].cpu, ..view.clone() }, "the rest is the cluster's");
    }
}

/// The whole interval is used, everybody keeps his place, and an end between two scrapes plans nothing twice.
#[test]
fn with_jitter_each_pod_is_scraped_once_an_interval() {
    let spec = MetricsSpec { jitter: 1.0, ..MetricsSpec::default() };
    let mut alone = Alone::new(telemetry(&spec), steady, nobody);
    let pods: Vec<_> = (0..50).map(|slot| pod(slot, 0)).collect();
    pods.iter().for_each(|pod| alone.tell(*pod, Change::Started));
    alone.run_s(100);
    for again in [pods[3], pods[4]] {
        alone.tell(again, Change::Stopped);
        alone.tell(again, Change::Started);
    }
    alone.run_s(200);
    for pod in pods {
        let moments: Vec<_> = alone.hand.scraped.iter().filter(|(of, _)| *of == pod).map(|(_, at)| *at).collect();
        assert!((13..=14).contains(&moments.len()), "{} scrapes of {pod:?}", moments.len());
        assert!(moments.windows(2).all(|pair| pair[1] - pair[0] == Span::from_secs(15)), "{pod:?}: {moments:?}");
    }
    let places: std::collections::BTreeSet<_> =
        alone.hand.scraped.iter().map(|(_, at)| at.micros() % 15_000_000).collect();
    assert_eq!(places.len(), 50, "each at its own moment");
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut alone = Alone::new(telemetry(&MetricsSpec::default()), steady, nobody);
    alone.tell(pod(0, 0), Change::Started);
    alone.run_s(30);
    let snapshot = alone.telemetry.clone();
    alone.run_s(300);
    let now = second(30);
    let cpu = |telemetry: &Telemetry| telemetry.metrics(now, SERVICE).get(Feature::ProcessCpuSecondsTotalRate);
    assert_eq!(cpu(&snapshot).map(|sample| sample.value), Some(2.0));
    assert_eq!(cpu(&alone.telemetry), None, "out of the rings by now");
    assert!(size_of::<Event>() <= 12);
}
