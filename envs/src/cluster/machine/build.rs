//! A cluster out of a scenario.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use seatrial_core::time::{Span, Timestamp};
use thiserror::Error;

use super::autoscaler::Autoscaler;
use super::filler::Filler;
use super::lifecycle::Zone;
use super::nodes::{Nodes, Pool};
use super::owner::{Life, Owner, Record};
use super::pods::{Pods, Template};
use super::quota::Quota;
use super::tally::Tally;
use super::view::Churn;
use super::{Cluster, FirstPods, PoolId};
use crate::cluster::deployment::{Amount, Deployment};
use crate::cluster::placement::{Placement, Profile};
use crate::cluster::scheduler::node::Node as Room;
use crate::cluster::scheduler::requests::{PodRequests, Requests};
use crate::cluster::scheduler::resources::{Amounts, ResourceId, ResourceNames};
use crate::ids::ServiceId;
use crate::spec::nodes::{ClusterSpec, PoolSpec, WorkloadSpec};
use crate::spec::pod::AmountSpec;
use crate::spec::{Distribution, Inputs, ListedNode, ListedPod, Sampler, ScenarioSpec, ServiceSpec};

const BYTES_PER_MIB: u64 = 1 << 20;
/// The one extended resource.
const GPU: &str = "nvidia.com/gpu";

/// Why a cluster cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ClusterError {
    /// A trace that is named was not read.
    #[error(
        "scenario: `{key}` names the trace {trace:?}, which is not among the inputs or has no values; read it, or correct the id"
    )]
    MissingInput {
        /// The key.
        key: String,
        /// The trace.
        trace: String,
    },
    /// Neither a count nor a percentage.
    #[error("scenario: `{key}` is {got:?}; allowed is a number of pods, or a whole percentage like \"25%\"")]
    Amount {
        /// The key.
        key: String,
        /// What it is.
        got: String,
    },
}

/// What owners and nodes are made of: names of resources, and the shapes of pods.
struct Builder<'a> {
    inputs: &'a Inputs,
    start: Timestamp,
    placement: Placement,
    resources: ResourceNames,
    gpu: Option<ResourceId>,
}

impl Cluster {
    /// The cluster of a scenario at its first moment; `start` brings it to life.
    ///
    /// # Errors
    /// A trace that the scenario names is not among `inputs`, or an amount is none.
    pub fn new(spec: &ScenarioSpec, inputs: &Inputs, start: Timestamp, seed: u64) -> Result<Self, ClusterError> {
        let profile = spec.cluster.as_ref().map(|cluster| Profile::from(&cluster.scheduler)).unwrap_or_default();
        let mut builder = Builder::new(inputs, start, profile);
        let mut owners = Vec::with_capacity(spec.services.len() + spec.workloads.len());
        for (index, (name, service)) in spec.services.iter().enumerate() {
            owners.push(builder.service(index, name, service)?);
        }
        for (name, workload) in &spec.workloads {
            owners.push(builder.workload(name, workload)?);
        }
        let mut cluster = Self::empty(owners, spec.services.len(), start, seed);
        cluster.fillers = spec.workloads.values().map(Filler::from).collect();
        cluster.rollouts = builder.rollouts(spec);
        if let Some(nodes) = &spec.cluster {
            cluster.latency = seconds(nodes.scheduler.latency_s);
            cluster.quota = Quota::new(nodes.quota);
            cluster.nodes = Some(builder.nodes(nodes, seed)?);
        }
        Ok(cluster)
    }

    fn empty(owners: Vec<Owner>, services: usize, start: Timestamp, seed: u64) -> Self {
        Self {
            seed,
            now: start,
            pods: Pods::default(),
            owners,
            services,
            fillers: Vec::new(),
            rollouts: Vec::new(),
            nodes: None,
            latency: Span::ZERO,
            pending: super::pending::Pending::default(),
            quota: Quota::default(),
            first_pods: FirstPods::Stand,
            faults: 0,
            dirty: VecDeque::new(),
            desk: super::replicas::Desk::default(),
            walk: Vec::new(),
            outbox: Vec::new(),
            changes: Vec::new(),
            marks: Vec::new(),
            last_nodes_mark: None,
        }
    }
}

impl<'a> Builder<'a> {
    fn new(inputs: &'a Inputs, start: Timestamp, profile: Profile) -> Self {
        let mut resources = ResourceNames::default();
        let gpu = resources.intern(GPU).ok();
        Self { inputs, start, placement: Placement::new(profile), resources, gpu }
    }

    fn amounts(&self, cpu_milli: u64, memory_mib: u64, gpus: u64) -> Amounts {
        let mut amounts = Amounts::default();
        amounts.set(ResourceId::CPU, cpu_milli);
        amounts.set(ResourceId::MEMORY, memory_mib.saturating_mul(BYTES_PER_MIB));
        if let Some(gpu) = self.gpu {
            amounts.set(gpu, gpus);
        }
        amounts
    }

    fn template(&mut self, cpu_milli: u64, memory_mib: u64, gpus: u64) -> Template {
        let amounts = self.amounts(cpu_milli, memory_mib, gpus);
        let mut requests = Requests::default();
        for id in ResourceId::all().filter(|id| !id.is_extended() || amounts.get(*id) > 0) {
            requests.set(id, amounts.get(id));
        }
        let shape = self.placement.shape(&PodRequests::new(&[requests], &[]));
        Template { shape, cpu_milli, memory_mib }
    }

    fn sampler(&self, key: impl Fn() -> String, distribution: &Distribution) -> Result<Sampler, ClusterError> {
        let trace = || match distribution {
            Distribution::Sampled { trace, .. } => trace.clone(),
            _ => String::new(),
        };
        Sampler::new(distribution, self.inputs).ok_or_else(|| ClusterError::MissingInput { key: key(), trace: trace() })
    }

    fn owner(&self, name: &str, template: Template, life: Life, deployment: Deployment) -> Owner {
        Owner {
            name: name.to_owned(),
            service: None,
            template,
            life,
            deployment,
            sets: Vec::new(),
            record: None,
            pods: Vec::new(),
            tally: Tally::new(self.start),
            churn: Churn::default(),
            ordinals: 0,
            start_ups: Vec::new(),
            speed: 1.0,
            is_dirty: false,
            is_refused: false,
            was_refused: false,
            is_unschedulable: false,
        }
    }

    fn service(&mut self, index: usize, name: &str, spec: &ServiceSpec) -> Result<Owner, ClusterError> {
        let life = Life {
            start_s: self.sampler(|| format!("services.{name}.start.start_s"), &spec.start.start_s)?,
            probe_period: seconds(spec.start.probe_period_s),
            min_ready: seconds(spec.rollout.min_ready_s),
            pre_stop: seconds(spec.termination.pre_stop_s),
            grace: seconds(spec.termination.grace_s),
            image_mib: spec.pod.image_mib,
            slows_neighbours: 0.0,
        };
        let key = |of: &str| format!("services.{name}.rollout.{of}");
        let deployment = Deployment {
            replicas: spec.replicas,
            max_surge: amount(|| key("max_surge"), &spec.rollout.max_surge)?,
            max_unavailable: amount(|| key("max_unavailable"), &spec.rollout.max_unavailable)?,
        };
        let pod = &spec.pod;
        let template = self.template(u64::from(pod.cpu_request_milli), u64::from(pod.memory_request_mib), 0);
        let service = Some(ServiceId(index as u16));
        Ok(Owner { service, ..self.owner(name, template, life, deployment) })
    }

    fn workload(&mut self, name: &str, spec: &WorkloadSpec) -> Result<Owner, ClusterError> {
        let template = self.template(spec.cpu_request_milli, spec.memory_request_mib, spec.gpus);
        let life = Life { slows_neighbours: spec.slows_neighbours, ..Life::instant() };
        let replicas = if spec.from_s.is_some_and(|from_s| from_s > 0.0) { 0 } else { spec.replicas };
        let all = Amount::Percent(100);
        let deployment = Deployment { replicas, max_surge: Amount::Count(0), max_unavailable: all };
        let record = spec.trace.as_ref().map(|trace| self.record(name, trace)).transpose()?;
        Ok(Owner { record, ..self.owner(name, template, life, deployment) })
    }

    fn record(&mut self, name: &str, trace: &str) -> Result<Record, ClusterError> {
        let key = || format!("workloads.{name}.trace");
        let pods = listed(&self.inputs.pods, key, trace)?;
        let template = |pod: &ListedPod| self.template(pod.cpu_milli, pod.memory_mib, pod.gpus);
        let templates = pods.iter().map(template).collect();
        Ok(Record { pods, templates, next: 0 })
    }

    fn rollouts(&self, spec: &ScenarioSpec) -> Vec<(Timestamp, ServiceId)> {
        let services = spec.services.values().enumerate();
        let at = |at_s: &f64| self.start + seconds(*at_s);
        let mut rollouts: Vec<_> = services
            .flat_map(|(index, service)| {
                service.rollout.at_s.iter().map(move |at_s| (at(at_s), ServiceId(index as u16)))
            })
            .collect();
        rollouts.sort_unstable();
        rollouts
    }

    fn nodes(mut self, spec: &ClusterSpec, seed: u64) -> Result<Nodes, ClusterError> {
        let mut pools = Vec::with_capacity(spec.pools.len());
        for (name, pool) in &spec.pools {
            pools.push(self.pool(name, pool, spec)?);
        }
        let autoscaler = spec.autoscaler.map(|spec| Autoscaler { spec, last_added: None });
        let placement = std::mem::replace(&mut self.placement, Placement::new(Profile::default()));
        let mut nodes = Nodes {
            seed,
            placement,
            resources: std::mem::take(&mut self.resources),
            all: Vec::new(),
            pools,
            ordered: 0,
            lifecycle: spec.lifecycle,
            all_disrupted: false,
            autoscaler,
            silent: VecDeque::new(),
        };
        for (index, (name, pool)) in spec.pools.iter().enumerate() {
            for room in self.rooms(name, pool)? {
                let ordinal = nodes.order();
                nodes.add(PoolId(index as u16), room, ordinal, self.start);
            }
        }
        Ok(nodes)
    }

    fn pool(&self, name: &str, spec: &PoolSpec, cluster: &ClusterSpec) -> Result<Pool, ClusterError> {
        let key = |of: &str| format!("cluster.pools.{name}.{of}");
        let template = spec.inventory.is_none().then(|| self.room(spec, &template_of(spec)));
        Ok(Pool {
            name: name.to_owned(),
            min: spec.min,
            max: spec.max.unwrap_or(spec.nodes),
            template,
            provision_s: self.sampler(|| key("provision_s"), &spec.provision_s)?,
            speed: self.sampler(|| key("speed"), &spec.speed)?,
            pull_mib_per_s: spec.pull_mib_per_s.filter(|rate| *rate > 0.0),
            provisioning: 0,
            nodes: Vec::new(),
            unreachable: 0,
            zone: Zone::new(&cluster.lifecycle, self.start),
        })
    }

    /// The nodes of the first moment.
    fn rooms(&self, name: &str, spec: &PoolSpec) -> Result<Vec<Room>, ClusterError> {
        let Some(trace) = &spec.inventory else {
            return Ok(vec![self.room(spec, &template_of(spec)); spec.nodes as usize]);
        };
        let key = || format!("cluster.pools.{name}.inventory");
        Ok(listed(&self.inputs.inventories, key, trace)?.iter().map(|node| self.room(spec, node)).collect())
    }

    fn room(&self, spec: &PoolSpec, node: &ListedNode) -> Room {
        Room::new(self.amounts(node.cpu_milli, node.memory_mib, node.gpus), spec.pods)
    }
}

impl Life {
    /// Of pods that run at once and end at once.
    fn instant() -> Self {
        Self {
            start_s: Sampler::Constant(0.0),
            probe_period: Span::ZERO,
            min_ready: Span::ZERO,
            pre_stop: Span::ZERO,
            grace: Span::ZERO,
            image_mib: 0.0,
            slows_neighbours: 0.0,
        }
    }
}

fn template_of(spec: &PoolSpec) -> ListedNode {
    ListedNode { cpu_milli: spec.cpu_milli, memory_mib: spec.memory_mib, gpus: spec.gpus }
}

pub(super) fn seconds(value: f64) -> Span {
    Span::from_secs_f64(value).max(Span::ZERO)
}

fn listed<T: ?Sized>(
    of: &BTreeMap<String, Arc<T>>,
    key: impl Fn() -> String,
    trace: &str,
) -> Result<Arc<T>, ClusterError> {
    of.get(trace).cloned().ok_or_else(|| ClusterError::MissingInput { key: key(), trace: trace.to_owned() })
}

fn amount(key: impl Fn() -> String, spec: &AmountSpec) -> Result<Amount, ClusterError> {
    match spec {
        AmountSpec::Count(count) => Ok(Amount::Count(*count)),
        AmountSpec::Percent(text) => text
            .strip_suffix('%')
            .and_then(|number| number.parse().ok())
            .map(Amount::Percent)
            .ok_or_else(|| ClusterError::Amount { key: key(), got: text.clone() }),
    }
}
