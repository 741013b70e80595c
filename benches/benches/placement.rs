//! `placement/{100,1000,10000}` nodes: the steady state of a cluster that is four fifths full of pods of ten shapes. One element is a
//! pod that goes and another of any shape that comes: let go of the old one, find the best node for the new one, bind it.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial_core::rand::{Stream, below};
use seatrial_envs::cluster::placement::{Placement, Profile, ShapeId};
use seatrial_envs::cluster::scheduler::node::Node;
use seatrial_envs::cluster::scheduler::requests::{PodRequests, Requests};
use seatrial_envs::cluster::scheduler::resources::{Amounts, ResourceId};
use seatrial_envs::ids::NodeId;

/// Milli-CPU and MiB of each shape: 1 core and 2.3 GiB in the mean.
const SHAPES: [(u64, u64); 10] = [
    (250, 512),
    (500, 512),
    (500, 2_048),
    (500, 4_096),
    (1_000, 1_024),
    (1_000, 2_048),
    (1_000, 4_096),
    (1_250, 1_024),
    (2_000, 4_096),
    (2_000, 4_096 + 512),
];
/// Milli-CPU and MiB of the nodes, in turn: 16 cores and 40 GiB in the mean.
const NODES: [(u64, u64); 3] = [(8_000, 32_768), (16_000, 32_768), (24_000, 57_344)];
/// Pods per node: 81 % of the cores and 75 % of the memory.
const PODS_PER_NODE: usize = 13;
/// Pods that go and come per measured iteration.
const BATCH: u64 = 10_000;
/// Which pod goes and of which shape the next is, drawn beforehand and used in turn.
const DRAWS: usize = 1 << 16;
/// Placements of each size that are compared with a walk over all nodes.
const COMPARED: u64 = 300;

struct Cluster {
    placement: Placement,
    profile: Profile,
    nodes: u32,
    shapes: Vec<ShapeId>,
    pods: Vec<(ShapeId, NodeId)>,
    draws: Vec<(u32, u8)>,
    next_draw: usize,
    placed: u64,
    checksum: u64,
}

fn amounts(cpu_milli: u64, memory_mib: u64) -> [(ResourceId, u64); 2] {
    [(ResourceId::CPU, cpu_milli), (ResourceId::MEMORY, memory_mib << 20)]
}

fn pod((cpu_milli, memory_mib): (u64, u64)) -> PodRequests {
    let mut requests = Requests::default();
    amounts(cpu_milli, memory_mib).into_iter().for_each(|(id, amount)| requests.set(id, amount));
    PodRequests::new(&[requests], &[])
}

fn node((cpu_milli, memory_mib): (u64, u64)) -> Node {
    let mut allocatable = Amounts::default();
    amounts(cpu_milli, memory_mib).into_iter().for_each(|(id, amount)| allocatable.set(id, amount));
    Node::new(allocatable, 110)
}

impl Cluster {
    /// Full, and every pod replaced once in the mean.
    fn new(nodes: u32) -> Self {
        let profile = Profile::default();
        let mut placement = Placement::new(profile.clone());
        for index in 0..nodes as usize {
            placement.add_node(node(NODES[index % NODES.len()]));
        }
        let shapes: Vec<_> = SHAPES.into_iter().map(|shape| placement.shape(&pod(shape))).collect();
        let pods = nodes as usize * PODS_PER_NODE;
        let draw = |index| {
            let of = |entity, bound| below(1, Stream::Search, entity, index, bound);
            (of(0, pods as u64) as u32, of(1, SHAPES.len() as u64) as u8)
        };
        let draws = (0..DRAWS as u32).map(draw).collect();
        let pods = Vec::with_capacity(pods);
        let mut cluster = Self { placement, profile, nodes, shapes, pods, draws, next_draw: 0, placed: 0, checksum: 0 };
        for _ in 0..nodes as usize * PODS_PER_NODE {
            let (_, shape) = cluster.draw();
            let placed = cluster.place(shape);
            cluster.pods.push(placed);
        }
        cluster.run(u64::from(nodes) * PODS_PER_NODE as u64);
        cluster
    }

    fn draw(&mut self) -> (usize, ShapeId) {
        self.next_draw = (self.next_draw + 1) % DRAWS;
        let (pod, shape) = self.draws[self.next_draw];
        (pod as usize, self.shapes[usize::from(shape)])
    }

    fn place(&mut self, shape: ShapeId) -> (ShapeId, NodeId) {
        let node = self.placement.best(shape).unwrap();
        self.placement.bind(shape, node);
        self.placed += 1;
        self.checksum = self.checksum.rotate_left(5) ^ u64::from(node.0);
        (shape, node)
    }

    fn run(&mut self, pods: u64) {
        for _ in 0..pods {
            let (pod, shape) = self.draw();
            self.leave(pod);
            self.pods[pod] = self.place(shape);
        }
    }

    fn leave(&mut self, pod: usize) {
        let (shape, node) = self.pods[pod];
        self.placement.unbind(shape, node);
    }

    /// The next placements equal a walk over all nodes.
    fn compared(mut self) -> Self {
        for _ in 0..COMPARED {
            let (pod, shape) = self.draw();
            self.leave(pod);
            let walked = self.walk(shape);
            self.pods[pod] = self.place(shape);
            assert_eq!(self.pods[pod].1, walked, "differs from a walk over all nodes");
        }
        self
    }

    fn walk(&self, shape: ShapeId) -> NodeId {
        let pod = self.placement.requests(shape);
        let score = |id: NodeId| self.profile.score_if_fits(self.placement.node(id), pod).map(|score| (score, id));
        // Of equals, the last one met wins, which is the first one from the other end.
        (0..self.nodes).rev().map(NodeId).filter_map(score).max_by_key(|&(score, _)| score).unwrap().1
    }

    /// Every pod is where it was placed, and no node gives more than it has.
    fn check(&self) {
        let (mut pods, mut cpu_milli) = (0, 0);
        for node in (0..self.nodes).map(|id| self.placement.node(NodeId(id))) {
            pods += node.pods() as usize;
            cpu_milli += node.given().exact().get(ResourceId::CPU);
            assert_eq!(node.given().exact().max(node.allocatable()), *node.allocatable(), "overcommitted");
        }
        let asked = self.pods.iter().map(|&(shape, _)| self.placement.requests(shape).exact().get(ResourceId::CPU));
        assert_eq!((pods, cpu_milli), (self.pods.len(), asked.sum::<u64>()), "a pod was lost");
    }
}

fn steady_state(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("placement");
    group.throughput(Throughput::Elements(BATCH));
    for (nodes, checksum) in [
        (100_u32, 7_251_497_123_859_963_796_u64),
        (1_000, 12_999_055_704_160_352_599),
        (10_000, 8_642_366_269_733_033_470),
    ] {
        let mut started = None;
        group.bench_function(BenchmarkId::from_parameter(nodes), |bencher| {
            let cluster = started.get_or_insert_with(|| {
                let cluster = Cluster::new(nodes).compared();
                assert_eq!(cluster.checksum, checksum, "other nodes than ever for {nodes} nodes");
                cluster
            });
            bencher.iter(|| cluster.run(BATCH));
        });
        if let Some(cluster) = started {
            cluster.check();
            let first = u64::from(nodes) * 2 * PODS_PER_NODE as u64 + COMPARED;
            assert!(cluster.placed > first && (cluster.placed - first).is_multiple_of(BATCH), "a node per pod");
        }
    }
    group.finish();
}

criterion_group!(benches, steady_state);
criterion_main!(benches);
