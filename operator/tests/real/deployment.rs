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

/// From scheduled to ready, and from deleted to gone.
const START_S: i64 = 3;
const END_S: i64 = 2;
/// The bound.
const TOLERANCE: Span = Span::from_secs(1);
/// The bound, all states together.
const MOST_PODS: u32 = 50;

/// What is done to a Deployment.
struct Case {
    /// The Deployment's name.
    name: &'static str,
    replicas: u32,
    max_surge: &'static str,
    max_unavailable: &'static str,
    /// Seconds since the first one, which comes at 0. Far from every moment at which pods change, so that both sides are in the same
    /// state.
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

const CASES: [Case; 4] = [
    Case {
        name: "scale",
        replicas: 2,
        max_surge: "25%",
        max_unavailable: "25%",
        steps: &[(0.0, Step::Scale(10)), (5.0, Step::Scale(4))],
        over_s: 9.0,
        last: [4, 0],
    },
    Case {
        name: "rollout",
        replicas: 10,
        max_surge: "25%",
        max_unavailable: "25%",
        steps: &[(0.0, Step::Rollout)],
        over_s: 11.0,
        last: [0, 10],
    },
    Case {
        name: "one-by-one",
        replicas: 5,
        max_surge: "1",
        max_unavailable: "0",
        steps: &[(0.0, Step::Rollout)],
        over_s: 20.0,
        last: [0, 5],
    },
    Case {
        name: "scale-in-rollout",
        replicas: 10,
        max_surge: "25%",
        max_unavailable: "25%",
        steps: &[(0.0, Step::Rollout), (1.5, Step::Scale(16)), (7.5, Step::Scale(12))],
        over_s: 17.0,
        last: [0, 12],
    },
];

#[tokio::test]
async fn real_deployments_and_simulated_ones_have_the_same_pods_over_time() {
    let options = ["--with", "all", "--nodes", "2"];
    let Some(plane) = ControlPlane::start("real_deployment", &options) else { return };
    let mut apart = Vec::new();
    for case in &CASES {
        let (real, simulated) = (watched::course(&plane, case).await, simulated::course(case));
        let distance = real.distance(&simulated);
        println!(
            "{}: {} moments and {} simulated ones, at most {} pods, {:.2} s apart",
            case.name,
            real.len(),
            simulated.len(),
            real.most_pods(),
            distance.as_secs_f64()
        );
        assert!(real.most_pods() <= MOST_PODS, "{}: {} pods", case.name, real.most_pods());
        assert_eq!(real.last_ready(), case.last, "{}: not over\n{real}", case.name);
        if distance > TOLERANCE {
            apart.push(format!("{}\nreal\n{real}\nsimulated\n{simulated}", case.name));
        }
    }
    assert!(apart.is_empty(), "more than {TOLERANCE:?} apart: {}", apart.join("\n"));
}
