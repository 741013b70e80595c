//! Pods that come and go at odd moments under a load that they cannot always serve.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seatrial_envs::load::EpisodeLoad;

use super::*;
use crate::world::fleet::PodKey;

const START: Timestamp = Timestamp::from_secs(86_400);
const WALL: Timestamp = Timestamp::from_secs(1_800_000_000);
const RATES: [f64; 6] = [120.0, 190.0, 260.0, 90.0, 0.0, 205.0];

fn traffic() -> Traffic {
    let load = EpisodeLoad::new(START, Span::from_secs(60), RATES.to_vec(), vec![RATES[0]; 30]).unwrap();
    Traffic::new(&Scenario::protocol_p1(), &load, 3).unwrap()
}

fn rhythm(pace: i64, lag_s: i64) -> Rhythm {
    Rhythm { pace: Pace(pace), lag: Span::from_secs(lag_s) }
}

fn stage(traffic: &Traffic, rhythm: Rhythm) -> Stage<'_> {
    Stage::new(&Scenario::protocol_p1(), traffic, rhythm).unwrap()
}

/// Pods 0 to `exist`, of which those below `serve` serve.
fn fleet(exist: u32, serve: u32) -> Fleet {
    (0..exist).map(|pod| (PodKey { name: format!("web-{pod}"), uid: "1".into() }, pod < serve)).collect()
}

fn wall(ms: i64) -> Timestamp {
    WALL + Span::from_millis(ms)
}

fn requests(stage: &Stage<'_>) -> f64 {
    stage.counters().pods().map(|(_, counted)| counted.amounts.requests).sum()
}

/// Requests of the first `slots` slots, from the counts that were drawn.
fn drawn(traffic: &Traffic, slots: usize) -> f64 {
    traffic.realised_per_s()[..slots].iter().sum::<f64>() * 15.0
}

#[test]
fn time_begins_with_the_first_scrape() {
    let traffic = traffic();
    let mut stage = stage(&traffic, rhythm(1, 0));
    stage.tell(wall(0), fleet(4, 4));
    stage.advance(wall(50_000));
    assert_eq!((stage.now(), requests(&stage)), (START, 0.0));
    stage.scrape(wall(60_000));
    assert_eq!((stage.now(), requests(&stage)), (START, 0.0));
    stage.scrape(wall(75_000));
    assert_eq!(stage.now(), START + Span::from_secs(15));
    assert!((requests(&stage) - drawn(&traffic, 1)).abs() < 1e-9, "a slot from scrape to scrape");
    stage.scrape(wall(70_000));
    assert_eq!(stage.now(), START + Span::from_secs(15), "a clock that is set back stops time, not more");
}

/// Over a second of the clock a counter grows by what a second of the trace holds.
#[test]
fn a_time_scale_keeps_rates_by_the_clock() {
    let traffic = traffic();
    for pace in [1, 15] {
        let mut stage = stage(&traffic, rhythm(pace, 0));
        stage.tell(WALL, fleet(4, 4));
        stage.scrape(WALL);
        let slot_ms = 15_000 / pace;
        for slot in 0..20 {
            let before = requests(&stage);
            stage.scrape(wall((slot + 1) * slot_ms));
            let per_wall_s = (requests(&stage) - before) / (slot_ms as f64 / 1_000.0);
            let expected = traffic.realised_per_s()[slot as usize];
            assert!((per_wall_s - expected).abs() < 1e-6, "×{pace}, slot {slot}: {per_wall_s} {expected}");
        }
    }
}

#[test]
fn a_lag_delays_requests_and_pods() {
    let traffic = traffic();
    let mut late = stage(&traffic, rhythm(15, 30));
    let mut prompt = stage(&traffic, rhythm(15, 0));
    for stage in [&mut late, &mut prompt] {
        stage.tell(WALL, fleet(4, 4));
        stage.scrape(WALL);
        stage.tell(wall(1_500), fleet(6, 5));
    }
    late.scrape(wall(3_000));
    assert_eq!((late.now(), late.counters().pods().count()), (START + Span::from_secs(15), 4));
    late.scrape(wall(6_000));
    prompt.scrape(wall(4_000));
    let counted = |stage: &Stage<'_>| stage.counters().pods().map(|(_, pod)| pod.amounts).collect::<Vec<_>>();
    assert_eq!(counted(&late).len(), 6);
    for (late, prompt) in counted(&late).iter().zip(counted(&prompt)) {
        assert!((late.requests - prompt.requests).abs() < 1e-9, "what was 30 s ago: {late:?} {prompt:?}");
    }
    let (late, prompt) = (late.take_rows(), prompt.take_rows());
    assert_eq!(late.len(), prompt.len());
    assert_eq!(late[0].wall.since(prompt[0].wall), Span::from_secs(2), "30 s of the trace are 2 s of the clock");
}

#[test]
fn the_log_says_who_was_ready_when() {
    let traffic = traffic();
    let mut stage = stage(&traffic, rhythm(1, 0));
    stage.tell(WALL, fleet(4, 4));
    stage.scrape(WALL);
    stage.tell(wall(20_000), fleet(5, 4));
    stage.tell(wall(22_500), fleet(5, 5));
    stage.scrape(wall(50_000));
    let rows = stage.take_rows();
    let shown: Vec<(i64, i64, u32)> = rows
        .iter()
        .map(|row| (row.from.since(START).micros() / 1_000, row.until.since(START).micros() / 1_000, row.ready))
        .collect();
    assert_eq!(shown, [(0, 15_000, 4), (15_000, 22_500, 4), (22_500, 30_000, 5), (30_000, 45_000, 5)]);
    assert_eq!(rows[1].wall, wall(22_500));
    assert!((rows[0].requests - drawn(&traffic, 1)).abs() < 1e-9);
    assert!(stage.take_rows().is_empty());
}

#[test]
fn another_stage_begins_anew() {
    let traffic = traffic();
    let mut first = stage(&traffic, rhythm(15, 0));
    first.tell(WALL, fleet(2, 2));
    first.scrape(WALL);
    first.scrape(wall(5_000));
    assert!(requests(&first) > 0.0);
    let mut again = stage(&traffic, rhythm(15, 0));
    again.tell(wall(6_000), fleet(2, 2));
    again.scrape(wall(6_000));
    assert_eq!((requests(&again), again.now()), (0.0, START), "a counter reset, and the trace from its beginning");
    again.scrape(wall(11_000));
    assert_eq!(requests(&again), requests(&first), "the same requests");
    first.scrape(wall(60_000));
    assert!(first.is_over() && first.now() == START + Span::from_secs(360));
}

proptest! {
    /// Whatever pods come and go and whenever somebody looks: counters of a pod never fall, and no request is lost or invented.
    #[test]
    fn requests_are_conserved_and_counters_never_fall(
        steps in prop::collection::vec((0_i64..4_000, 0_u32..8, 0_u32..8, any::<bool>()), 1..80),
        pace in 1_i64..16,
    ) {
        let traffic = traffic();
        let mut stage = stage(&traffic, rhythm(pace, 0));
        stage.tell(WALL, fleet(3, 2));
        stage.scrape(WALL);
        let (mut ms, mut gone) = (0, 0.0);
        let mut before: BTreeMap<PodKey, Amounts> = BTreeMap::new();
        for (gap, exist, serve, looks) in steps {
            ms += gap;
            if looks {
                stage.scrape(wall(ms));
            }
            stage.advance(wall(ms));
            let now: BTreeMap<PodKey, Amounts> =
                stage.counters().pods().map(|(key, counted)| (key.clone(), counted.amounts)).collect();
            for (key, old) in &before {
                let new = now[key];
                prop_assert!(new.requests >= old.requests && new.good >= old.good && new.completed >= old.completed);
                prop_assert!(new.cpu_s >= old.cpu_s && new.duration_s >= old.duration_s);
            }
            gone += now.iter().filter(|(key, _)| !fleet(exist, serve).contains_key(key)).map(|(_, a)| a.requests).sum::<f64>();
            stage.tell(wall(ms), fleet(exist, serve));
            stage.advance(wall(ms));
            before = stage.counters().pods().map(|(key, counted)| (key.clone(), counted.amounts)).collect();
        }
        let over = stage.now().since(START);
        let slots = usize::try_from(over.whole_steps(traffic.slot())).unwrap();
        let rest_s = (over - traffic.slot() * slots as i64).as_secs_f64();
        let rest = traffic.realised_per_s().get(slots).map_or(0.0, |rate| rate * rest_s);
        let counted = (requests(&stage) + gone + stage.counters().unrouted()) * pace as f64;
        let expected = drawn(&traffic, slots) + rest;
        prop_assert!((counted - expected).abs() < 1e-6 * (1.0 + expected), "{counted} {expected}");
        let logged: f64 = stage.take_rows().iter().map(|row| row.requests).sum();
        prop_assert!(logged <= expected + 1e-6 && logged >= expected - 260.0 * 1.1 * 15.0, "{logged} {expected}");
    }
}
