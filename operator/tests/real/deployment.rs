//! The simulated Deployment against the real one: the same scale-ups and rollouts, done by Kubernetes' own controllers on simulated
//! nodes and by the cluster of the event kernel; the pods of each `ReplicaSet` over time must agree within a second.
//!
//! Both are told how long a pod takes to start and to end. What is left is what is compared: which pods are created and deleted,
//! how many at once, and what they wait for.
//!
//! | module | what |
//! |---|---|
//! | `course` | pods by state over time, and how far two such courses are apart |
//! | `watched` | the course on the control plane |
//! | `simulated` | the course in the event kernel |

use seatrial_core::time::Span;

use super::control_plane::ControlPlane;

mod course;
mod simulated;
mod watched;

use course::Course;

/// From scheduled to ready, and from deleted to gone.
const START_S: i64 = 4;
const END_S: i64 = 1;
/// How far both may be apart.
const TOLERANCE: Span = Span::from_secs(1);
/// The controllers share this machine with other tests, and delays of theirs add up: a case that is too far off is watched again.
/// What is not delay is as far off each time.
const TRIES: u32 = 3;
/// Pods that may exist at once, all states together.
const MOST_PODS: u32 = 50;

/// What is done to a Deployment.
#[derive(Clone, Copy)]
struct Case {
    /// The Deployment's name.
    name: &'static str,
    replicas: u32,
    max_surge: &'static str,
    max_unavailable: &'static str,
    /// Seconds since the first one, which comes at 0. A second at least from every other moment at which pods change, so that a delay
    /// within the tolerance does not change what a controller finds, nor hide a state between two others.
    steps: &'static [(f64, Step)],
    /// Seconds after which it has long been over.
    over_s: f64,
    /// Ready pods of each revision then.
    last: [u32; 2],
}

#[derive(Clone, Copy)]
enum Step {
    Scale(u32),
    Rollout,
}

const CASES: [Case; 5] = [
    Case {
        name: "scale",
        replicas: 2,
        max_surge: "25%",
        max_unavailable: "25%",
        steps: &[(0.0, Step::Scale(10)), (6.0, Step::Scale(4))],
        over_s: 9.0,
        last: [4, 0],
    },
    Case {
        name: "rollout",
        replicas: 10,
        max_surge: "25%",
        max_unavailable: "25%",
        steps: &[(0.0, Step::Rollout)],
        over_s: 12.0,
        last: [0, 10],
    },
    Case {
        name: "one-by-one",
        replicas: 5,
        max_surge: "1",
        max_unavailable: "0",
        steps: &[(0.0, Step::Rollout)],
        over_s: 24.0,
        last: [0, 5],
    },
    Case {
        name: "up-in-rollout",
        replicas: 10,
        max_surge: "25%",
        max_unavailable: "25%",
        steps: &[(0.0, Step::Rollout), (2.5, Step::Scale(16))],
        over_s: 18.0,
        last: [0, 16],
    },
    Case {
        name: "down-in-rollout",
        replicas: 12,
        max_surge: "25%",
        max_unavailable: "25%",
        steps: &[(0.0, Step::Rollout), (6.5, Step::Scale(5))],
        over_s: 18.0,
        last: [0, 5],
    },
];

/// The check can fail: Deployments with other bounds, or other steps, are further apart.
#[test]
fn other_deployments_are_told_apart() {
    let [scale, rollout, one_by_one, up, down] = CASES;
    for (case, other) in [
        (&scale, Case { steps: &[(0.0, Step::Scale(10)), (7.5, Step::Scale(4))], ..scale }),
        (&rollout, Case { max_surge: "40%", ..rollout }),
        (&rollout, Case { max_unavailable: "10%", ..rollout }),
        (&one_by_one, Case { max_surge: "2", ..one_by_one }),
        (&up, Case { steps: rollout.steps, ..up }),
        (&down, Case { steps: &[(0.0, Step::Rollout), (6.5, Step::Scale(6))], ..down }),
    ] {
        let distance = simulated::course(case).distance(&simulated::course(&other));
        assert!(distance > TOLERANCE, "{}: {distance:?}", case.name);
    }
}

#[tokio::test]
async fn real_deployments_and_simulated_ones_have_the_same_pods_over_time() {
    let options = ["--with", "all", "--nodes", "2"];
    let Some(plane) = ControlPlane::start("real_deployment", &options) else { return };
    let mut apart = Vec::new();
    for case in &CASES {
        let simulated = simulated::course(case);
        let mut real = watched::course(&plane, case).await;
        show(case, &real, &simulated);
        for _ in 1..TRIES {
            if real.distance(&simulated) <= TOLERANCE {
                break;
            }
            real = watched::course(&plane, case).await;
            show(case, &real, &simulated);
        }
        assert!(real.most_pods() <= MOST_PODS, "{}: {} pods", case.name, real.most_pods());
        assert_eq!(real.last_ready(), case.last, "{}: not over\n{real}", case.name);
        if real.distance(&simulated) > TOLERANCE {
            apart.push(format!("{}\nreal\n{real}\nsimulated\n{simulated}", case.name));
        }
    }
    assert!(apart.is_empty(), "more than {TOLERANCE:?} apart: {}", apart.join("\n"));
}

fn show(case: &Case, real: &Course, simulated: &Course) {
    println!(
        "{}: {} changes and {} simulated ones, at most {} pods, {:.2} s apart",
        case.name,
        real.changes(),
        simulated.changes(),
        real.most_pods(),
        real.distance(simulated).as_secs_f64()
    );
}
