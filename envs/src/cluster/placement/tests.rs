//! The best node against a walk over all nodes, on thousands of random small clusters; ties and reasons worked by hand.

use proptest::prelude::*;
use seatrial_core::rand::{Stream, below};

use super::*;
use crate::cluster::scheduler::fit::fit;
use crate::cluster::scheduler::profile::Weights;
use crate::cluster::scheduler::requests::Requests;
use crate::cluster::scheduler::resources::{Amounts, ResourceId, ResourceNames};
use crate::cluster::scheduler::score::{balanced_allocation, least_allocated, most_allocated};
use crate::spec::nodes::{PlacementStrategy, SchedulerSpec};

const MIB: u64 = 1 << 20;

fn gpu() -> ResourceId {
    ResourceNames::default().intern("nvidia.com/gpu").unwrap()
}

fn node(cpu_milli: u64, memory_mib: u64, gpus: u64, pod_limit: u32) -> Node {
    let mut allocatable = Amounts::default();
    allocatable.set(ResourceId::CPU, cpu_milli);
    allocatable.set(ResourceId::MEMORY, memory_mib * MIB);
    allocatable.set(gpu(), gpus);
    Node::new(allocatable, pod_limit)
}

/// `None` leaves the request out, which is not the same as 0.
fn pod(cpu_milli: Option<u64>, memory_mib: Option<u64>, gpus: u64) -> PodRequests {
    let mut requests = Requests::default();
    let memory = memory_mib.map(|mib| mib * MIB);
    for (id, amount) in [(ResourceId::CPU, cpu_milli), (ResourceId::MEMORY, memory), (gpu(), Some(gpus))] {
        if let Some(amount) = amount {
            requests.set(id, amount);
        }
    }
    PodRequests::new(&[requests], &[])
}

fn least(balanced: bool) -> Placement {
    Placement::new(Profile::new(PlacementStrategy::LeastAllocated, balanced))
}

/// What the cluster is by a list of pods and a walk.
struct Reference {
    spec: SchedulerSpec,
    nodes: Vec<(Node, bool)>,
    bound: Vec<(ShapeId, PodRequests, usize)>,
}

impl Reference {
    /// Anew from the pods that are bound.
    fn filled(&self, index: usize) -> Node {
        let mut node = self.nodes[index].0;
        self.bound.iter().filter(|bound| bound.2 == index).for_each(|bound| node.add(&bound.1));
        node
    }

    fn best(&self, pod: &PodRequests) -> Option<usize> {
        let weights = Weights::default();
        let mut best: Option<(u32, usize)> = None;
        for index in 0..self.nodes.len() {
            let node = self.filled(index);
            if !self.nodes[index].1 || !fit(&node, pod).fits() {
                continue;
            }
            let room = match self.spec.strategy {
                PlacementStrategy::LeastAllocated => least_allocated(&node, pod, &weights),
                PlacementStrategy::MostAllocated => most_allocated(&node, pod, &weights),
            };
            let balance = balanced_allocation(&node, pod, &weights).filter(|_| self.spec.balanced).unwrap_or(0);
            let score = u32::from(room) + u32::from(balance);
            if best.is_none_or(|(greatest, _)| score > greatest) {
                best = Some((score, index));
            }
        }
        best.map(|(_, index)| index)
    }

    fn within_capacity(&self, index: usize) -> bool {
        let on_it = || self.bound.iter().filter(|bound| bound.2 == index).map(|bound| &bound.1);
        let node = &self.nodes[index].0;
        let given = |id| on_it().map(|pod| pod.exact().get(id)).sum::<u64>();
        on_it().count() <= node.pod_limit() as usize
            && ResourceId::all().all(|id| given(id) <= node.allocatable().get(id))
    }
}

#[derive(Clone, Debug)]
enum Step {
    AddNode(u64, u64, u64, u32),
    Schedulable(usize, bool),
    Remove(usize),
    Place(usize),
    Unbind(usize),
}

/// Goes through `steps` and compares every placement.
fn check(spec: SchedulerSpec, pods: &[PodRequests], steps: &[Step]) {
    let mut placement = Placement::new(Profile::from(&spec));
    let mut reference = Reference { spec, nodes: Vec::new(), bound: Vec::new() };
    for step in steps {
        let nodes = reference.nodes.len();
        match *step {
            Step::AddNode(cpu_milli, memory_mib, gpus, pod_limit) => {
                let node = node(cpu_milli, memory_mib, gpus, pod_limit);
                assert_eq!(placement.add_node(node), NodeId(nodes as u32));
                reference.nodes.push((node, true));
            }
            Step::Schedulable(index, yes) if nodes > 0 => {
                placement.set_schedulable(NodeId((index % nodes) as u32), yes);
                reference.nodes[index % nodes].1 = yes;
            }
            Step::Remove(index) if nodes > 0 => {
                placement.remove_node(NodeId((index % nodes) as u32));
                // Nothing fits on it, whatever is said of it later.
                reference.nodes[index % nodes].0 = Node::new(*reference.nodes[index % nodes].0.allocatable(), 0);
            }
            Step::Place(index) => place(&mut placement, &mut reference, &pods[index % pods.len()]),
            Step::Unbind(index) if !reference.bound.is_empty() => {
                let (shape, _, on) = reference.bound.swap_remove(index % reference.bound.len());
                placement.unbind(shape, NodeId(on as u32));
            }
            Step::Schedulable(..) | Step::Remove(_) | Step::Unbind(_) => {}
        }
    }
}

fn place(placement: &mut Placement, reference: &mut Reference, pod: &PodRequests) {
    let shape = placement.shape(pod);
    assert_eq!(placement.requests(shape), pod);
    let best = reference.best(pod);
    assert_eq!(placement.best(shape), best.map(|index| NodeId(index as u32)));
    let Some(index) = best else { return };
    placement.bind(shape, NodeId(index as u32));
    reference.bound.push((shape, *pod, index));
    assert!(reference.within_capacity(index), "node {index} gives more than it has");
    assert_eq!(placement.node(NodeId(index as u32)).given(), reference.filled(index).given());
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..9, 1_u64..9, 0_u64..3, 1_u32..8)
            .prop_map(|(cpu, memory, gpus, limit)| Step::AddNode(cpu * 500, memory * 512, gpus, limit)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(index, yes)| Step::Schedulable(index, yes)),
        1 => any::<usize>().prop_map(Step::Remove),
        12 => any::<usize>().prop_map(Step::Place),
        6 => any::<usize>().prop_map(Step::Unbind),
    ]
}

prop_compose! {
    fn pods()(drawn in prop::collection::vec(
        (prop::option::of(0_u64..12), prop::option::of(0_u64..12), prop_oneof![5 => Just(0_u64), 1 => 1_u64..3]),
        1..6,
    )) -> Vec<PodRequests> {
        drawn.iter().map(|&(cpu, memory, gpus)| pod(cpu.map(|n| n * 125), memory.map(|n| n * 96), gpus)).collect()
    }
}

fn spec(most: bool, balanced: bool) -> SchedulerSpec {
    let strategy = if most { PlacementStrategy::MostAllocated } else { PlacementStrategy::LeastAllocated };
    SchedulerSpec { strategy, balanced, ..SchedulerSpec::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_best_node_equals_a_walk_over_all(
        (most, balanced) in any::<(bool, bool)>(),
        pods in pods(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        check(spec(most, balanced), &pods, &steps);
    }
}

/// Clusters of several matches of the tournament, mostly equal nodes, with long runs of one shape and shapes that sleep for long.
#[test]
fn the_best_node_of_larger_clusters_equals_a_walk_over_all() {
    for cluster in 0..24 {
        let drawn = |index, bound| below(7, Stream::Search, cluster, index, bound);
        let pods: Vec<_> = (0..5)
            .map(|index| pod(Some(100 + 150 * drawn(index, 6)), Some(64 + 128 * drawn(10 + index, 6)), 0))
            .collect();
        let nodes = 60 + drawn(20, 100) as u32;
        let mut steps: Vec<_> =
            (0..nodes).map(|index| Step::AddNode(1000 + 500 * drawn(30 + index, 2), 2048, 0, 6)).collect();
        for index in 1_000..1_400 {
            let any = drawn(10_000 + index, 1 << 40) as usize;
            steps.push(match drawn(index, 40) {
                0 => Step::AddNode(4000, 1024, 0, 9),
                1 => Step::Schedulable(any, any % 3 != 0),
                2..=14 => Step::Unbind(any),
                // Runs of 50 of one shape.
                15..=36 => Step::Place(index as usize / 50),
                _ => Step::Place(any),
            });
        }
        check(spec(cluster % 2 == 0, cluster % 4 < 2), &pods, &steps);
    }
}

#[test]
fn ties_go_to_the_lowest_id() {
    let mut placement = least(true);
    let ids: Vec<_> = (0..3).map(|_| placement.add_node(node(2000, 2048, 0, 110))).collect();
    let shape = placement.shape(&pod(Some(500), Some(512), 0));
    // Four fit on each: once around at 75, again at 50, 25 and 0.
    let mut placed = Vec::new();
    while let Some(best) = placement.best(shape) {
        placement.bind(shape, best);
        placed.push(best.index());
    }
    assert_eq!(placed, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    placement.unbind(shape, ids[2]);
    placement.unbind(shape, ids[1]);
    assert_eq!(placement.best(shape), Some(ids[1]));
}

/// By hand for a pod of 1 core and 1 GiB. Empty node 0 of 4 cores and 4 GiB: 75 left of both, balance 100, together 175. Empty node 1
/// of 8 cores and 2 GiB: (87 + 50) / 2 = 68 left, shares of 0.125 and 0.5 deviate by 0.1875, balance 81, together 149.
/// Packing: 25 + 100 against (12 + 50) / 2 + 81 = 112.
#[test]
fn scores_add_up_by_hand() {
    let pod = pod(Some(1000), Some(1024), 0);
    let nodes = [node(4000, 4096, 0, 110), node(8000, 2048, 0, 110)];
    for (most, balanced, scores) in
        [(false, true, [175, 149]), (true, true, [125, 112]), (false, false, [75, 68]), (true, false, [25, 31])]
    {
        let profile = Profile::from(&spec(most, balanced));
        assert_eq!(nodes.map(|node| profile.score_if_fits(&node, &pod)), scores.map(Some));
    }
    assert_eq!(Profile::default().score_if_fits(&node(999, 4096, 0, 110), &pod), None);
}

#[test]
fn the_same_requests_are_one_shape() {
    let mut placement = least(true);
    let shapes = [Some(100), Some(200), Some(100), None].map(|cpu_milli| placement.shape(&pod(cpu_milli, Some(1), 0)));
    assert_eq!(shapes.map(ShapeId::index), [0, 1, 0, 2], "no request is scored as 100 milli-CPU but takes none");
}

#[test]
fn a_closed_node_takes_no_pods_and_a_removed_one_never_again() {
    let mut placement = least(false);
    let ids = [placement.add_node(node(1000, 1024, 0, 9)), placement.add_node(node(1000, 1024, 0, 9))];
    let shape = placement.shape(&pod(Some(100), Some(100), 0));
    placement.set_schedulable(ids[0], false);
    assert_eq!((placement.best(shape), placement.is_schedulable(ids[0])), (Some(ids[1]), false));
    placement.set_schedulable(ids[0], true);
    assert_eq!((placement.best(shape), placement.is_schedulable(ids[0])), (Some(ids[0]), true));
    placement.bind(shape, ids[0]);
    placement.remove_node(ids[0]);
    placement.set_schedulable(ids[0], true);
    placement.unbind(shape, ids[0]);
    assert_eq!((placement.best(shape), placement.is_schedulable(ids[0])), (Some(ids[1]), false));
    assert_eq!(placement.why_not(shape).nodes, 1, "a removed node is not counted");
}

#[test]
fn reasons_are_counted_as_the_events_of_pending_pods() {
    let mut names = ResourceNames::default();
    names.intern("nvidia.com/gpu").unwrap();
    let mut placement = least(true);
    let shape = placement.shape(&pod(Some(600), Some(600), 1));
    assert_eq!(placement.why_not(shape).message(&names), "no nodes available to schedule pods");
    let full = placement.add_node(node(1000, 1024, 2, 1));
    placement.bind(shape, full);
    placement.add_node(node(500, 4096, 0, 110));
    placement.add_node(node(4000, 4096, 0, 110));
    let closed = placement.add_node(node(100, 100, 0, 110));
    placement.set_schedulable(closed, false);
    assert_eq!(placement.best(shape), None);
    let why = placement.why_not(shape);
    assert_eq!((why.nodes, why.unschedulable, why.too_many_pods, why.never), (4, 1, 1, 2));
    assert_eq!((why.insufficient(ResourceId::CPU), why.insufficient(gpu())), (2, 2));
    assert_eq!(
        why.message(&names),
        "0/4 nodes are available: 1 Insufficient memory, 1 Too many pods, 1 node(s) were unschedulable, \
         2 Insufficient cpu, 2 Insufficient nvidia.com/gpu."
    );
}
