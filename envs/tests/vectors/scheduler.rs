//! The golden vectors of kube-scheduler 1.34.10: `NodeResourcesFit` with its three strategies, and `NodeResourcesBalancedAllocation`;
//! all of it exact.

use std::collections::BTreeMap;

use seatrial_envs::cluster::scheduler::fit::fit;
use seatrial_envs::cluster::scheduler::node::Node;
use seatrial_envs::cluster::scheduler::profile::{Shape, ShapePoint, Weights};
use seatrial_envs::cluster::scheduler::requests::{InitContainer, PodRequests, Requests};
use seatrial_envs::cluster::scheduler::resources::{Amounts, ResourceNames};
use seatrial_envs::cluster::scheduler::score::{
    balanced_allocation, least_allocated, most_allocated, requested_to_capacity_ratio,
};
use serde::Deserialize;

use crate::reader::{Difference, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: u64,
    pod: Pod,
    nodes: Vec<NodeCase>,
    resources: Vec<Weight>,
    shape: Vec<Point>,
}

/// Amounts by name; one that is not set is absent.
type Named = BTreeMap<String, u64>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pod {
    containers: Vec<Named>,
    #[serde(default)]
    init_containers: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeCase {
    name: String,
    allocatable: Named,
    pods: Vec<Pod>,
    expect: Answer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weight {
    name: String,
    weight: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    utilization: u64,
    score: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Answer {
    fits: bool,
    unresolvable: bool,
    reasons: Vec<String>,
    least_allocated: u8,
    most_allocated: u8,
    requested_to_capacity_ratio: u8,
    balanced_allocation: Option<u8>,
}

/// What all nodes of a case share.
struct Scheduler {
    names: ResourceNames,
    weights: Weights,
    shape: Shape,
    pod: PodRequests,
}

/// The nodes are the steps of a case.
#[test]
fn vectors_of_the_schedulers_resource_plugins() {
    run("scheduler", |case: &Case| {
        let mut scheduler = Scheduler::new(case);
        case.nodes.iter().enumerate().try_for_each(|(index, node)| {
            let expected = (&node.name, &node.expect);
            Difference::between(case.id, Some(index), &expected, &(&node.name, &scheduler.answer(node)))
        })
    });
}

impl Scheduler {
    fn new(case: &Case) -> Self {
        let mut names = ResourceNames::default();
        let weights: Vec<_> = case.resources.iter().map(|weight| (weight.name.as_str(), weight.weight)).collect();
        let point = |point: &Point| ShapePoint { utilization: point.utilization, score: point.score };
        let weights = Weights::new(&weights, &mut names).expect("weights of the cases are allowed");
        let shape =
            Shape::new(&case.shape.iter().map(point).collect::<Vec<_>>()).expect("shapes of the cases are allowed");
        let pod = pod_requests(&case.pod, &mut names);
        Self { names, weights, shape, pod }
    }

    fn answer(&mut self, case: &NodeCase) -> Answer {
        let node = self.node(case);
        let Self { names, weights, shape, pod } = self;
        let fit = fit(&node, pod);
        Answer {
            fits: fit.fits(),
            unresolvable: fit.unresolvable(),
            reasons: fit.reasons(names),
            least_allocated: least_allocated(&node, pod, weights),
            most_allocated: most_allocated(&node, pod, weights),
            requested_to_capacity_ratio: requested_to_capacity_ratio(&node, pod, weights, shape),
            balanced_allocation: balanced_allocation(&node, pod, weights),
        }
    }

    fn node(&mut self, case: &NodeCase) -> Node {
        let mut allocatable = Amounts::default();
        let mut pod_limit = 0;
        for (name, &amount) in &case.allocatable {
            match name.as_str() {
                "pods" => pod_limit = amount as u32,
                _ => allocatable.set(self.names.intern(name).expect("few resources"), amount),
            }
        }
        let mut node = Node::new(allocatable, pod_limit);
        for pod in &case.pods {
            node.add(&pod_requests(pod, &mut self.names));
        }
        node
    }
}

fn pod_requests(pod: &Pod, names: &mut ResourceNames) -> PodRequests {
    let containers: Vec<_> = pod.containers.iter().map(|named| requests(named, names)).collect();
    let init = |named| InitContainer { requests: requests(named, names), restarts: false };
    let init_containers: Vec<_> = pod.init_containers.iter().map(init).collect();
    PodRequests::new(&containers, &init_containers)
}

fn requests(named: &Named, names: &mut ResourceNames) -> Requests {
    let mut requests = Requests::default();
    for (name, &amount) in named {
        requests.set(names.intern(name).expect("few resources"), amount);
    }
    requests
}
