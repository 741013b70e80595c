//! Scenarios made to get below the bound on the event kernel, each of which an earlier bound did not hold: means over seeds.

use super::*;

const SEEDS: u64 = 4;
/// What the mean may be below the bound, as a share of it: chance.
const CHANCE: f64 = 0.01;

/// A scenario, its rates in bins of a minute, and the replicas that somebody asks for by second.
struct Attack {
    name: &'static str,
    rates: Vec<f64>,
    tables: Value,
    replicas: fn(usize) -> u32,
}

impl Attack {
    fn of_web(name: &'static str, rates: &[f64], (web, rest): (Value, Value), replicas: fn(usize) -> u32) -> Self {
        let mut tables = json!({ "services": { "web": web } });
        merge(&mut tables, &rest);
        Self { name, rates: rates.to_vec(), tables, replicas }
    }

    /// Mean J over the mean bound.
    fn ratio(&self) -> f64 {
        let (mut j, mut lower) = (0.0, 0.0);
        for seed in 0..SEEDS {
            let (mut spec, inputs) = scenario(&self.rates, &self.tables);
            spec.seed = seed;
            lower += bound(&spec, &inputs).unwrap().lower;
            let wishes = (0..=60 * self.rates.len()).map(self.replicas).collect();
            j += Case::new(&spec, &inputs).unwrap().run(&inputs, wishes).unwrap();
        }
        j / lower
    }
}

fn prices(kappa: f64, wait_s: f64) -> Value {
    json!({ "costs": { "kappa": kappa, "churn": 1.0 }, "slo": { "wait_s": wait_s } })
}

/// Overload that leaves good requests: queues that are cut, that begin empty, and that have not settled.
#[test]
fn overload_is_not_thought_worse_than_it_is() {
    let one = json!({ "replicas": 1, "autoscaling": { "max": 1 } });
    let cut = |limit: u32| json!({ "replicas": 1, "queue_limit": limit, "autoscaling": { "max": 1 } });
    let mut impatient = prices(1.0, 0.2);
    impatient["client"] = json!({ "timeout_s": 0.4 });
    let instant = json!({
        "replicas": 4, "balancing": "round-robin", "autoscaling": { "max": 4 }, "start": { "start_s": { "constant": 0.0 } },
        "termination": { "pre_stop_s": 0.0 },
    });
    let waves: Vec<f64> = (0..20).map(|bin| if bin % 2 == 0 { 51.0 } else { 30.0 }).collect();
    let attacks = [
        Attack::of_web("patience of two waits", &[60.0; 10], (one.clone(), impatient), |_| 1),
        Attack::of_web("a queue of two waits", &[55.0; 10], (cut(12), prices(1.0, 0.12)), |_| 1),
        Attack::of_web("no queue", &[100.0; 10], (cut(0), prices(1.0, 0.0)), |_| 1),
        Attack::of_web("a little overload at a low price", &[51.0; 20], (cut(40), prices(0.01, 0.12)), |_| 1),
        Attack::of_web("overload now and then", &waves, (one, prices(0.05, 1.0)), |_| 1),
        Attack::of_web("at the capacity", &[200.0; 20], (json!({ "replicas": 4 }), prices(0.05, 1.0)), |_| 4),
        Attack::of_web("new pods with empty queues", &[240.0; 10], (instant, prices(1.0, 1.0)), |second| {
            if second % 10 == 0 { 1 } else { 4 }
        }),
    ];
    for attack in attacks {
        let ratio = attack.ratio();
        assert!(ratio >= 1.0 - CHANCE, "{}: {ratio}", attack.name);
    }
}

/// Pods that go for less than their preStop time, or were never there.
#[test]
fn what_nobody_pays_is_not_billed() {
    let mut fixed = pool(1, 30.0);
    fixed["autoscaler"] = Value::Null;
    let mut limited = fixed.clone();
    limited["quota"] = json!({ "pods": 2 });
    let lasting = json!({ "pre_stop_s": 1_000.0, "grace_s": 2_000.0 });
    let crowd = json!({ "replicas": 12, "termination": lasting });
    let refused = json!({ "replicas": 12, "pod": { "cpu_request_milli": 100, "memory_request_mib": 10 } });
    let forced = json!({ "replicas": 8, "autoscaling": { "min": 8 }, "pod": refused["pod"] });
    let killed = json!({ "replicas": 8, "termination": lasting, "start": { "start_s": { "constant": 20.0 } } });
    let kills = [290.5, 312.0].map(|at_s| json!({ "kind": "pod-kill", "service": "web", "at_s": at_s, "pods": 8 }));
    let falling: Vec<f64> = (0..10).map(|bin| if bin < 5 { 300.0 } else { 10.0 }).collect();
    let dear = json!({ "cluster": limited.clone(), "costs": { "kappa": 1.0, "churn": 100.0 } });
    let attacks = [
        Attack::of_web("pods without room go at once", &[20.0; 10], (crowd, json!({ "cluster": fixed })), |_| 2),
        Attack::of_web("a quota creates no pods", &[60.0; 10], (refused, dear), |_| 12),
        Attack::of_web("a quota below the bounds", &[30.0; 10], (forced, json!({ "cluster": limited })), |_| 8),
        Attack::of_web("killed pods go at once", &falling, (killed, json!({ "faults": kills })), |second| {
            if second < 315 { 8 } else { 1 }
        }),
    ];
    for attack in attacks {
        let ratio = attack.ratio();
        assert!(ratio >= 1.0 - CHANCE, "{}: {ratio}", attack.name);
    }
}
