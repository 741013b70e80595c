//! A case in the event kernel: the cluster alone, without requests, so that a pod that left the endpoints is empty at once.

use seatrial_core::observe::ReadyStatus;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::cluster::change::Change;
use seatrial_envs::cluster::machine::{Cluster, Event};
use seatrial_envs::events::{EventQueue, Model, PastEvent, Simulation, Then};
use seatrial_envs::ids::{PodId, ServiceId};
use seatrial_envs::spec::{Inputs, ScenarioSpec};
use serde_json::{Value, json};

use super::course::{Course, Pods};
use super::{Case, END_S, START_S, Step};

const WEB: ServiceId = ServiceId(0);

/// Does what the case says, and notes what there is after each event.
pub(super) fn course(case: &Case) -> Course {
    let spec: ScenarioSpec = serde_json::from_value(scenario(case)).unwrap();
    let cluster = Cluster::new(&spec, &Inputs::default(), Timestamp::ZERO, 1).unwrap();
    let alone = Alone { cluster, course: Course::new(Pods::default()) };
    let mut simulation = Simulation::new(alone, Timestamp::ZERO);
    let Simulation { model, queue, .. } = &mut simulation;
    model.cluster.start(queue).unwrap();
    model.settle(queue).unwrap();
    model.course = Course::new(model.counted());
    for &(at_s, step) in case.steps {
        simulation.run_until(Timestamp::ZERO + Span::from_secs_f64(at_s)).unwrap();
        let Simulation { model, queue, .. } = &mut simulation;
        match step {
            Step::Scale(replicas) => model.cluster.scale(WEB, replicas, queue).unwrap(),
            Step::Rollout => model.cluster.rollout(WEB, queue).unwrap(),
        }
        model.settle(queue).unwrap();
    }
    simulation.run_until(Timestamp::ZERO + Span::from_secs_f64(case.over_s)).unwrap();
    simulation.model.course
}

/// Two nodes with more room than is needed, as on the control plane.
fn scenario(case: &Case) -> Value {
    let amount = |text: &str| text.parse::<u32>().map_or_else(|_| json!(text), |count| json!(count));
    json!({
        "name": case.name,
        "summary": "A Deployment that is scaled and rolled out.",
        "kernel": "events",
        "duration_s": case.over_s,
        "services": { "web": {
            "replicas": case.replicas,
            "cores": 1.0,
            "service_time_s": { "constant": 0.1 },
            "start": { "start_s": { "constant": START_S as f64 } },
            "termination": { "pre_stop_s": END_S as f64 },
            "rollout": {
                "max_surge": amount(case.max_surge), "max_unavailable": amount(case.max_unavailable),
            },
        } },
        "cluster": { "pools": { "all": { "nodes": 2, "cpu_milli": 1_000_000, "memory_mib": 1 << 20 } } },
    })
}

struct Alone {
    cluster: Cluster,
    course: Course,
}

impl Alone {
    /// Tells the cluster of pods that are empty, and records.
    fn settle(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let left = |pods: &mut Cluster| -> Vec<PodId> {
            pods.changes().filter(|change| change.what == Change::Left).map(|change| change.pod).collect()
        };
        for pod in left(&mut self.cluster) {
            self.cluster.pod_drained(pod, queue)?;
        }
        assert_eq!(left(&mut self.cluster), [], "an empty pod makes no other leave");
        self.cluster.check().unwrap();
        self.course.record(queue.now().since(Timestamp::ZERO), self.counted());
        Ok(())
    }

    fn counted(&self) -> Pods {
        let mut counted = Pods::default();
        for (id, pod) in self.cluster.pods_of(WEB) {
            let ready = pod.ready.is_some_and(|condition| condition.status == ReadyStatus::True);
            counted[self.cluster.revision_of(id).unwrap() as usize].count(ready, pod.deleted);
        }
        counted
    }
}

impl Model for Alone {
    type Event = Event;

    fn handle(&mut self, event: Event, queue: &mut EventQueue<Event>) -> Result<Then, PastEvent> {
        self.cluster.handle(event, queue)?;
        self.settle(queue)?;
        Ok(Then::Continue)
    }
}
