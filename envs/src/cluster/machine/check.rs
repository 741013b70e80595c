//! The invariants of the whole, counted anew: for tests, after every call.

use super::Cluster;
use super::nodes::{Health, Nodes};
use super::pods::{Slot, Stage, State};
use super::quota::Used;
use crate::cluster::scheduler::fit::fit;
use crate::cluster::scheduler::node::Node as Room;
use crate::cluster::scheduler::resources::ResourceId;
use crate::ids::NodeId;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Cluster {
    /// Whether all invariants hold: every pod is in one list of each kind, counts add up, sets have the pods that they want unless
    /// the quota refused them, nobody waits who fits on a node, no node is beyond its capacity and the whole within its quota,
    /// nothing runs on a node that is gone or evicted. Walks over everything.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        self.check_slots()?;
        let is_settled = self.dirty.is_empty() && self.outbox.is_empty();
        ensure(is_settled, || "a call has returned before all was done".to_owned())?;
        for owner in 0..self.owners.len() {
            self.check_owner(owner)?;
        }
        self.check_quota()?;
        self.nodes.as_ref().map_or(Ok(()), |nodes| self.check_nodes(nodes))
    }

    fn live(&self) -> impl Iterator<Item = Slot> + '_ {
        (0..self.pods.slots.len() as Slot).filter(|slot| self.pods.get(*slot).stage != Stage::Free)
    }

    fn check_slots(&self) -> Result<(), String> {
        let mut free = self.pods.free.clone();
        free.sort_unstable();
        let unused: Vec<Slot> =
            (0..self.pods.slots.len() as Slot).filter(|slot| self.pods.get(*slot).stage == Stage::Free).collect();
        ensure(free == unused, || format!("free slots {free:?}, unused ones {unused:?}"))?;
        for slot in self.live() {
            let pod = self.pods.get(slot);
            let at_owner = self.owners[pod.owner as usize].pods.get(pod.at_owner as usize);
            ensure(at_owner == Some(&slot), || format!("pod {slot} is not where its owner has it"))?;
            let has_node = pod.node.is_some();
            let wants_node = self.nodes.is_some() && pod.stage != Stage::Pending;
            ensure(has_node == wants_node, || format!("pod {slot} in {:?} has node {:?}", pod.stage, pod.node))?;
            ensure(pod.available <= (pod.stage == Stage::Ready), || format!("pod {slot} is available, not ready"))?;
        }
        Ok(())
    }

    fn check_owner(&self, index: usize) -> Result<(), String> {
        let owned = &self.owners[index];
        let pods = || owned.pods.iter().map(|slot| self.pods.get(*slot));
        ensure(pods().all(|pod| pod.owner as usize == index), || format!("{} lists a pod of another", owned.name))?;
        let live = self.live().filter(|slot| self.pods.get(*slot).owner as usize == index).count();
        ensure(live == owned.pods.len(), || format!("{} lists {} of {live} pods", owned.name, owned.pods.len()))?;
        for state in State::ALL {
            let count = owned.pods.iter().filter(|slot| self.state_of(**slot) == Some(state)).count();
            let tallied = owned.tally.count(state);
            ensure(count == tallied as usize, || format!("{}: {count} pods {state:?}, tallied {tallied}", owned.name))?;
        }
        for set in &owned.sets {
            let of_set = || pods().filter(|pod| pod.revision == set.revision && pod.stage.is_active());
            let (count, available) = (of_set().count(), of_set().filter(|pod| pod.available).count());
            ensure(count == set.pods as usize, || format!("{}: set counts {} of {count}", owned.name, set.pods))?;
            ensure(set.pods == set.replicas || set.pods < set.replicas && owned.is_refused, || {
                format!("{}: a set wants {} pods and has {}", owned.name, set.replicas, set.pods)
            })?;
            ensure(available == set.available as usize, || {
                format!("{}: set counts {} of {available} available pods", owned.name, set.available)
            })?;
        }
        Ok(())
    }

    fn check_quota(&self) -> Result<(), String> {
        let used = self.live().map(|slot| self.pods.get(slot).template).fold(Used::default(), |sum, pod| Used {
            cpu_milli: sum.cpu_milli + pod.cpu_milli,
            memory_mib: sum.memory_mib + pod.memory_mib,
            pods: sum.pods + 1,
        });
        ensure(used == self.quota.used, || format!("pods ask for {used:?}, booked are {:?}", self.quota.used))?;
        ensure(self.quota.is_kept(), || format!("{used:?} is beyond the quota"))
    }

    fn check_nodes(&self, nodes: &Nodes) -> Result<(), String> {
        for (index, node) in nodes.all.iter().enumerate() {
            let id = NodeId(index as u32);
            let room = nodes.placement.node(id);
            let mut expected = Room::new(*room.allocatable(), room.pod_limit());
            for (place, slot) in node.pods.iter().enumerate() {
                let pod = self.pods.get(*slot);
                ensure(pod.node == Some(id) && pod.at_node as usize == place, || {
                    format!("pod {slot} is not on {id:?}")
                })?;
                expected.add(nodes.placement.requests(pod.template.shape));
            }
            ensure(*room == expected, || format!("{id:?} has given away {room:?}, its pods ask for {expected:?}"))?;
            check_capacity(id, room)?;
            let is_empty = node.pods.is_empty();
            ensure(is_empty || !node.is_evicted, || format!("{id:?} is evicted and has pods"))?;
            ensure(is_empty || node.health != Health::Gone, || format!("{id:?} is gone and has pods"))?;
        }
        self.check_members(nodes)?;
        self.check_waiting()?;
        self.check_nobody_fits(nodes)
    }

    /// Whoever waits finds no node.
    fn check_nobody_fits(&self, nodes: &Nodes) -> Result<(), String> {
        for (_, mut slots) in self.pending.waiting() {
            let Some(slot) = slots.next() else { continue };
            let pod = nodes.placement.requests(self.pods.get(slot).template.shape);
            let takes = |id: &NodeId| nodes.placement.is_schedulable(*id) && fit(nodes.placement.node(*id), pod).fits();
            let free = (0..nodes.all.len() as u32).map(NodeId).find(takes);
            ensure(free.is_none(), || format!("pod {slot} waits and fits on {free:?}"))?;
        }
        Ok(())
    }

    fn check_members(&self, nodes: &Nodes) -> Result<(), String> {
        for (index, pool) in nodes.pools.iter().enumerate() {
            let of_pool = |id: &NodeId| nodes.get(*id).pool.index() == index && nodes.get(*id).health != Health::Gone;
            let present = (0..nodes.all.len() as u32).map(NodeId).filter(of_pool).collect::<Vec<_>>();
            ensure(present == pool.nodes, || format!("pool {} lists {:?} of {present:?}", pool.name, pool.nodes))?;
            let unreachable = present.iter().filter(|id| nodes.get(**id).health == Health::Unreachable).count();
            ensure(unreachable == pool.unreachable as usize, || format!("pool {} miscounts", pool.name))?;
        }
        Ok(())
    }

    /// Pods in the scheduler's queue are pending, each of them once.
    fn check_waiting(&self) -> Result<(), String> {
        let mut waiting: Vec<Slot> = self.pending.waiting().flat_map(|(_, slots)| slots).collect();
        let stage = |slot: &Slot| self.pods.get(*slot).stage;
        ensure(waiting.iter().all(|slot| stage(slot) == Stage::Pending), || "a pod waits that has a node".to_owned())?;
        waiting.sort_unstable();
        let count = waiting.len();
        waiting.dedup();
        ensure(count == waiting.len(), || "a pod waits twice".to_owned())?;
        let pending = self.live().filter(|slot| stage(slot) == Stage::Pending).count();
        ensure(self.latency.micros() > 0 || pending == count, || format!("{count} of {pending} pending pods wait"))
    }
}

fn check_capacity(id: NodeId, room: &Room) -> Result<(), String> {
    let exceeded = ResourceId::all().find(|of| room.given().exact().get(*of) > room.allocatable().get(*of));
    ensure(exceeded.is_none(), || format!("{id:?} has given away more of {exceeded:?} than it has"))?;
    ensure(room.pods() <= room.pod_limit(), || format!("{id:?} runs {} pods", room.pods()))
}
