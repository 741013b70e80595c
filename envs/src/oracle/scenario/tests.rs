//! The bound against every plan of a tiny cluster, random schedules on both kernels, and the oracle of protocol P1.

mod attacks;

use super::*;
use crate::oracle::certify;
use crate::spec::{ListedNode, SourceLoad};
use proptest::prelude::*;
use seatrial_core::time::Timestamp;
use serde_json::{Value, json};

/// Protocol P1's service in bins of a minute, with these tables merged in; `web` and its parts are merged one level deeper.
fn scenario(rates: &[f64], tables: &Value) -> (ScenarioSpec, Inputs) {
    let mut whole = json!({
        "name": "test", "summary": "a test", "kernel": "events", "duration_s": 60.0 * rates.len() as f64,
        "services": { "web": {
            "replicas": 3, "concurrency": 4, "cores": 4.0, "service_time_s": { "exponential": { "mean": 0.08 } },
            "autoscaling": { "min": 1, "max": 12, "strategy": { "policy": { "id": "hpa" } } },
        } },
        "traffic": [{ "service": "web", "source": { "constant": { "rate_per_s": 0.0 } } }],
    });
    if tables.is_object() {
        merge(&mut whole, tables);
    }
    let spec = serde_json::from_value(whole).unwrap();
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), rates, vec![rates[0]; 60]).unwrap();
    (spec, Inputs { loads: vec![SourceLoad::Rates(load)], ..Inputs::default() })
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Nodes that hold two pods each: one at first, `most` at last, each provisioned in `provision_s`.
fn pool(most: u32, provision_s: f64) -> Value {
    json!({
        "pools": { "small": {
            "nodes": 1, "min": 1, "max": most, "cpu_milli": 8_000, "memory_mib": 16_384,
            "provision_s": { "constant": provision_s },
        } },
        "autoscaler": {},
    })
}

/// J of replica wishes every 40 s over 240 s, second by second, with nodes, written without kernel or oracle.
struct Reference {
    rates: [f64; 4],
    start_s: i64,
    provision_s: i64,
    most_nodes: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Pod {
    Pending,
    ReadyAt(i64),
}

impl Reference {
    #[expect(clippy::disallowed_methods, reason = "the reference uses std's exp on purpose")]
    fn p_bad(ready: usize, rate: f64) -> f64 {
        let (servers, offered, capacity) = (4 * ready, rate * 0.08, 50.0 * ready as f64);
        if rate >= capacity {
            return 1.0;
        }
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..servers {
            term *= offered / k as f64;
            sum += term;
        }
        let last = term * offered / servers as f64 / (1.0 - offered / servers as f64);
        last / (sum + last) * f64::exp(-(capacity - rate) * 0.120)
    }

    /// Backlog is priced as if it did no harm: that is cheaper than the world. Every ten seconds pods without room have nodes ordered,
    /// two pods each, beyond those on their way.
    fn j(&self, initial: usize, wishes: &[usize]) -> f64 {
        let mut pods: Vec<Pod> = (0..initial).map(|pod| if pod < 2 { Pod::ReadyAt(0) } else { Pod::Pending }).collect();
        let (mut nodes, mut arrivals, mut j) = (1, Vec::<i64>::new(), 0.0);
        for second in 0..240_i64 {
            nodes += arrivals.iter().filter(|arrival| **arrival == second).count();
            if second % 40 == 0 {
                let wish = wishes[(second / 40) as usize];
                j += 5.0 * wish.abs_diff(pods.len()) as f64;
                while pods.len() > wish {
                    let waits = pods.iter().rposition(|pod| !matches!(pod, Pod::ReadyAt(at) if *at <= second));
                    let gone = pods.remove(waits.unwrap_or(pods.len() - 1));
                    j += if waits.is_none() && gone != Pod::Pending { 5.0_f64.min((240 - second) as f64) } else { 0.0 };
                }
                pods.resize(wish, Pod::Pending);
            }
            let bound = pods.iter().filter(|pod| **pod != Pod::Pending).count();
            let room = (2 * nodes).saturating_sub(bound);
            for pod in pods.iter_mut().filter(|pod| **pod == Pod::Pending).take(room) {
                *pod = Pod::ReadyAt(second + self.start_s);
            }
            if second % 10 == 0 {
                let waiting = pods.iter().filter(|pod| **pod == Pod::Pending).count();
                let coming = arrivals.iter().filter(|arrival| **arrival > second).count();
                let more = waiting.div_ceil(2).saturating_sub(coming).min(self.most_nodes - nodes - coming);
                arrivals.extend(std::iter::repeat_n(second + self.provision_s, more));
            }
            let ready = pods.iter().filter(|pod| matches!(pod, Pod::ReadyAt(at) if *at <= second)).count();
            let rate = self.rates[(second / 60) as usize];
            j += pods.len() as f64 + rate * Self::p_bad(ready, rate);
        }
        j
    }
}

/// All 6⁶ plans of 240 s stay above the bound, and the cheapest is near it.
#[test]
fn no_plan_of_all_6_to_the_6_goes_below_the_bound() {
    for (rates, most_nodes, widest) in [
        ([60.0, 60.0, 150.0, 150.0], 2, 1.11),
        ([60.0, 150.0, 260.0, 60.0], 2, 1.01),
        ([30.0, 180.0, 220.0, 220.0], 3, 1.12),
    ] {
        let tables = json!({
            "cluster": pool(most_nodes, 30.0),
            "services": { "web": { "replicas": 2, "start": { "start_s": { "constant": 20.0 } } } },
        });
        let (spec, inputs) = scenario(&rates, &tables);
        let found = bound(&spec, &inputs).unwrap();
        let settled = Case { queue: Queue::Settled, ..Case::new(&spec, &inputs).unwrap() };
        let settled = settled.greatest(1.0, found.room).unwrap().lower;
        let reference = Reference { rates, start_s: 20, provision_s: 30, most_nodes: most_nodes as usize };
        let plans = (0..46_656_usize).map(|code| {
            let wishes: Vec<usize> = (0..6).map(|digit| 1 + code / 6_usize.pow(digit) % 6).collect();
            reference.j(2, &wishes)
        });
        let least = plans.fold(f64::INFINITY, f64::min);
        assert!(least >= settled, "{rates:?}: {least} below {settled}");
        assert!(least <= widest * settled, "{rates:?}: {least} far above {settled}");
        assert!(found.lower_with_room <= found.lower && found.lower <= settled);
    }
}

/// What binds is told by the difference: 260 requests/s want six pods, and two nodes hold four.
#[test]
fn a_pool_that_binds_raises_the_bound() {
    let of = |most| {
        let (spec, inputs) = scenario(&[60.0, 150.0, 260.0, 60.0], &json!({ "cluster": pool(most, 30.0) }));
        bound(&spec, &inputs).unwrap()
    };
    let (tight, ample) = (of(2), of(6));
    assert!(tight.lower > 1.5 * tight.lower_with_room, "{tight:?}");
    assert!((ample.lower / ample.lower_with_room - 1.0).abs() < 0.01, "{ample:?}");
    assert_eq!(tight.lower_with_room, ample.lower_with_room);
}

/// In the fluid kernel's world of protocol P1.
#[test]
fn without_nodes_it_is_the_oracle_of_the_protocol() {
    let rates: Vec<f64> = (0..180).map(|minute| 100.0 + f64::from(minute * 37 % 400)).collect();
    let (spec, inputs) = scenario(
        &rates,
        &json!({ "kernel": "fluid", "services": { "web": {
        "autoscaling": { "max": 100 },
    } } }),
    );
    let scenario = crate::scenario::Scenario::protocol_p1();
    let SourceLoad::Rates(load) = &inputs.loads[0] else { unreachable!() };
    let certified = certify(&scenario, load, spec.seed).unwrap();
    let found = bound(&spec, &inputs).unwrap();
    assert!((found.lower / certified.lower - 1.0).abs() < 1e-6, "{} {}", found.lower, certified.lower);
    assert_eq!((found.lower, found.room), (found.lower_with_room, None));
}

fn wishes(seconds: usize, wishes: &[u32]) -> Vec<u32> {
    (0..=seconds).map(|second| wishes[second / 45 % wishes.len()]).collect()
}

/// Who raises pods while nothing counts has them for nothing: a bound that bills them lies above that.
#[test]
fn pods_of_the_warm_up_are_free() {
    let tables = json!({
        "kernel": "fluid", "warm_up_s": 239.0, "services": { "web": { "start": { "start_s": { "constant": 1.0 } } } },
    });
    let (spec, inputs) = scenario(&[350.0; 6], &tables);
    let lower = bound(&spec, &inputs).unwrap().lower;
    let j = Case::new(&spec, &inputs).unwrap().run(&inputs, wishes(360, &[8])).unwrap();
    assert!(j >= lower && j < 1.02 * lower, "{j} {lower}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// On the fluid kernel without exception.
    #[test]
    fn no_schedule_is_cheaper_on_the_fluid_kernel(
        rates in prop::collection::vec(0.0..400.0_f64, 8),
        replicas in prop::collection::vec(1_u32..=12, 1..10),
        warm_up_s in prop::sample::select(vec![0.0, 130.0]),
        seed in 0_u64..1_000,
        queue_limit in prop::option::of(20_u32..400),
    ) {
        let tables = json!({
            "kernel": "fluid", "seed": seed, "warm_up_s": warm_up_s, "services": { "web": { "queue_limit": queue_limit } },
        });
        let (spec, inputs) = scenario(&rates, &tables);
        let lower = bound(&spec, &inputs).unwrap().lower;
        let j = Case::new(&spec, &inputs).unwrap().run(&inputs, wishes(480, &replicas)).unwrap();
        prop_assert!(j >= lower, "{j} below {lower}");
    }

    /// On the event kernel but for chance, with nodes that come and go, are lost and are drained.
    #[test]
    fn no_schedule_is_much_cheaper_on_the_event_kernel(
        rates in prop::collection::vec(0.0..400.0_f64, 8),
        replicas in prop::collection::vec(1_u32..=12, 1..10),
        warm_up_s in prop::sample::select(vec![0.0, 130.0]),
        seed in 0_u64..1_000,
        most in 1_u32..=6,
        balancing in prop::sample::select(vec!["shared", "round-robin", "least-request"]),
        loses_a_node in any::<bool>(),
    ) {
        let mut cluster = pool(most, 40.0);
        cluster["autoscaler"]["unneeded_s"] = json!(30.0);
        cluster["autoscaler"]["delay_after_add_s"] = json!(30.0);
        let loss = json!({ "kind": "node-loss", "pool": "small", "at_s": 200.0, "nodes": 1 });
        let tables = json!({
            "seed": seed, "warm_up_s": warm_up_s, "cluster": cluster, "services": { "web": { "balancing": balancing } },
            "faults": if loses_a_node { vec![loss] } else { Vec::new() },
        });
        let (spec, inputs) = scenario(&rates, &tables);
        let lower = bound(&spec, &inputs).unwrap().lower;
        let j = Case::new(&spec, &inputs).unwrap().run(&inputs, wishes(480, &replicas)).unwrap();
        prop_assert!(j >= 0.97 * lower - 20.0, "{j} below {lower}");
    }
}

/// The interval is narrow where the plan can be followed.
#[test]
fn a_schedule_that_knows_the_load_comes_near() {
    let rates: Vec<f64> = (0..60).map(|minute| 60.0 + 4.5 * f64::from(minute)).collect();
    for (kernel, cluster) in [("events", pool(4, 60.0)), ("events", Value::Null), ("fluid", Value::Null)] {
        let (spec, inputs) = scenario(&rates, &json!({ "kernel": kernel, "cluster": cluster }));
        let lower = bound(&spec, &inputs).unwrap().lower;
        let reached = reached(&spec, &inputs, &|| false).unwrap().unwrap();
        assert_eq!(reached.schedules, 6);
        assert!((0.99..1.07).contains(&(reached.j / lower)), "{kernel}: {} {lower}", reached.j);
        assert_eq!(super::reached(&spec, &inputs, &|| true).unwrap(), None, "whoever is asked to stop stops");
    }
}

#[test]
fn room_is_what_quota_and_pools_hold() {
    let of = |cluster: Value, request_milli: u32| {
        let pod = json!({ "cpu_request_milli": request_milli, "memory_request_mib": 2_000 });
        let (spec, inputs) = scenario(&[1.0], &json!({ "cluster": cluster, "services": { "web": { "pod": pod } } }));
        let nodes: Vec<ListedNode> =
            [6_000, 2_000].map(|cpu_milli| ListedNode { cpu_milli, memory_mib: 64_000, gpus: 0 }).to_vec();
        let inputs = Inputs { inventories: [("listed".to_owned(), nodes.into())].into(), ..inputs };
        let room = bound(&spec, &inputs).unwrap().room.unwrap();
        (room.at_first, room.at_most, room.grows_after.map(Span::as_secs_f64))
    };
    assert_eq!(of(pool(3, 50.0), 4_000), (2, 6, Some(50.0)));
    assert_eq!(of(pool(3, 50.0), 100), (8, 24, Some(50.0)), "memory binds");
    let mut fixed = pool(3, 50.0);
    fixed["autoscaler"] = Value::Null;
    assert_eq!(of(fixed, 4_000), (2, 2, None), "nobody adds nodes");
    let mut limited = pool(3, 50.0);
    limited["quota"] = json!({ "cpu_milli": 20_500 });
    assert_eq!(of(limited.clone(), 4_000), (2, 5, Some(50.0)));
    limited["quota"] = json!({ "pods": 1 });
    assert_eq!(of(limited, 4_000), (1, 1, Some(50.0)));
    let mut two = pool(3, 50.0);
    two["pools"]["listed"] = json!({ "inventory": "listed" });
    assert_eq!(of(two, 2_000), (4 + 3 + 1, 4 + 3 + 1 + 2 * 4, Some(50.0)));
}

#[test]
fn parts_are_whole_bins_after_the_warm_up() {
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(3_615), vec![7.0], vec![]).unwrap();
    let (cut, after) = part(&load, Span::ZERO, Span::from_secs(3_601)).unwrap();
    assert_eq!((cut.interval(), cut.rates_per_s().len(), after), (Span::from_micros(56_484_375), 63, Span::ZERO));
}

#[test]
fn every_reason_for_no_bound_is_said() {
    let refused = |tables: Value| {
        let (spec, inputs) = scenario(&[50.0; 4], &tables);
        bound(&spec, &inputs).unwrap_err()
    };
    let web = |table: Value| json!({ "services": { "web": table } });
    assert_eq!(refused(web(json!({ "autoscaling": null }))), NoBound::NothingDecided);
    let other = json!({ "replicas": 1, "cores": 1.0, "service_time_s": { "constant": 0.1 } });
    assert_eq!(refused(json!({ "services": { "other": other } })), NoBound::Services(2));
    assert_eq!(refused(json!({ "client": { "retries": { "attempts": 2 } } })), NoBound::Retries);
    assert_eq!(refused(web(json!({ "rollout": { "at_s": [60.0] } }))), NoBound::Rollouts);
    assert_eq!(refused(json!({ "slo": { "wait_s": 2.0 } })), NoBound::Wait("2 s".to_owned()));
    assert_eq!(refused(json!({ "slo": { "wait_s": f64::MAX } })).to_string().split(',').count(), 2);
    assert_eq!(refused(web(json!({ "queue_limit": 11 }))), NoBound::ShortQueue(0.22));
    assert_eq!(refused(json!({ "client": { "timeout_s": 0.2 } })), NoBound::ShortQueue(0.2));
    let mut fast = pool(2, 30.0);
    fast["pools"]["small"]["speed"] = json!({ "uniform": { "low": 0.5, "high": 1.1 } });
    assert_eq!(refused(json!({ "cluster": fast })), NoBound::FastNodes("small".to_owned()));
    assert_eq!(refused(json!({ "warm_up_s": 200.0 })), NoBound::TooShort);
    let said = refused(web(json!({ "concurrency": 8 }))).to_string();
    assert!(said.contains("services.web.concurrency"), "{said}");
    assert_eq!(refused(web(json!({ "autoscaling": { "max": 10_001 } }))), NoBound::Pods(10_001));
    let (mut spec, inputs) = scenario(&[50.0], &Value::Null);
    spec.services.get_mut("web").unwrap().service_time_s = crate::spec::Distribution::Constant(0.08);
    assert_eq!(bound(&spec, &inputs), Err(NoBound::Work));
    let (spec, inputs) = scenario(&[1e6; 20_000], &web(json!({ "autoscaling": { "max": 10_000 } })));
    assert_eq!(bound(&spec, &inputs), Err(NoBound::TooLarge { bins: 20_000, levels: 10_000 }));
}
