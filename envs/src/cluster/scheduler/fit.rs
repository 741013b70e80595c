//! The filter of `NodeResourcesFit`: whether a pod fits on a node, and if not, every reason, as the events of a pending pod list them.

use super::node::Node;
use super::requests::PodRequests;
use super::resources::{ResourceId, ResourceNames};

/// The answer of the filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    insufficient: u8,
    too_many_pods: bool,
    unresolvable: bool,
}

impl Fit {
    /// Whether the pod fits.
    pub fn fits(self) -> bool {
        self.insufficient == 0 && !self.too_many_pods
    }

    /// Whether it would not fit on the empty node either, so that preemption cannot help.
    pub fn unresolvable(self) -> bool {
        self.unresolvable
    }

    /// Whether the node has too little left of `id`.
    pub fn insufficient(self, id: ResourceId) -> bool {
        self.insufficient & id.bit() != 0
    }

    /// Whether the node runs as many pods as it can.
    pub fn too_many_pods(self) -> bool {
        self.too_many_pods
    }

    /// The reasons in the scheduler's words, sorted; empty where the pod fits.
    pub fn reasons(self, names: &ResourceNames) -> Vec<String> {
        let missing = ResourceId::all().filter(|&id| self.insufficient(id)).filter_map(|id| names.name(id));
        let mut reasons: Vec<String> = missing.map(|name| format!("Insufficient {name}")).collect();
        reasons.extend(self.too_many_pods.then(|| "Too many pods".to_owned()));
        reasons.sort_unstable();
        reasons
    }
}

/// Whether `pod` fits on `node`. A resource that the pod does not ask for is no reason, even where the node is overcommitted.
pub fn fit(node: &Node, pod: &PodRequests) -> Fit {
    let mut fit = Fit { too_many_pods: node.pods() >= node.pod_limit(), ..Fit::default() };
    let left = node.allocatable().minus(node.given().exact());
    for id in ResourceId::all() {
        let request = pod.exact().get(id);
        if request > left.get(id) {
            fit.insufficient |= id.bit();
            fit.unresolvable |= request > node.allocatable().get(id);
        }
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::super::requests::Requests;
    use super::super::resources::Amounts;
    use super::*;
    use proptest::prelude::*;

    fn pod(cpu_milli: u64, gpu: Option<(ResourceId, u64)>) -> PodRequests {
        let mut requests = Requests::default();
        requests.set(ResourceId::CPU, cpu_milli);
        if let Some((id, pieces)) = gpu {
            requests.set(id, pieces);
        }
        PodRequests::new(&[requests], &[])
    }

    fn node(cpu_milli: u64, pod_limit: u32) -> Node {
        let mut allocatable = Amounts::default();
        allocatable.set(ResourceId::CPU, cpu_milli);
        Node::new(allocatable, pod_limit)
    }

    #[test]
    fn every_reason_is_named_and_sorted() {
        let mut names = ResourceNames::default();
        let gpu = names.intern("example.com/gpu").unwrap();
        let mut node = node(1000, 1);
        let wanted = pod(1000, Some((gpu, 1)));
        node.add(&pod(1, None));
        let answer = fit(&node, &wanted);
        assert!(!answer.fits() && answer.unresolvable() && answer.too_many_pods());
        let reasons = answer.reasons(&names);
        assert_eq!(reasons, ["Insufficient cpu", "Insufficient example.com/gpu", "Too many pods"]);
    }

    #[test]
    fn an_overcommitted_node_takes_pods_that_ask_for_nothing() {
        let mut node = node(1000, 110);
        node.add(&pod(1500, None));
        assert!(fit(&node, &pod(0, None)).fits());
        let one = fit(&node, &pod(1, None));
        assert!(!one.fits() && !one.unresolvable());
    }

    proptest! {
        /// Capacity is never exceeded by pods that the filter lets through, and all of it comes back.
        #[test]
        fn filtered_pods_stay_within_capacity(cpus in prop::collection::vec(0_u64..600, 1..40), limit in 1_u32..20) {
            let empty = node(2000, limit);
            let mut filled = empty;
            let mut bound = Vec::new();
            for cpu_milli in cpus {
                let pod = pod(cpu_milli, None);
                if fit(&filled, &pod).fits() {
                    filled.add(&pod);
                    bound.push((cpu_milli, pod));
                } else {
                    let used: u64 = bound.iter().map(|(cpu_milli, _)| cpu_milli).sum();
                    prop_assert!(bound.len() == limit as usize || used + cpu_milli > 2000, "refused without need");
                }
            }
            prop_assert!(bound.iter().map(|(cpu_milli, _)| cpu_milli).sum::<u64>() <= 2000);
            prop_assert!(bound.len() <= limit as usize);
            bound.iter().for_each(|(_, pod)| filled.remove(pod));
            prop_assert_eq!(filled, empty);
        }
    }
}
