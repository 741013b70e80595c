//! How well a pod would sit on a node, 0 to 100: the three strategies of `NodeResourcesFit`, and `NodeResourcesBalancedAllocation`.
//!
//! Scores exist for nodes that do not fit, too; the scheduler asks only about those that do. A resource that the node lacks, and an
//! extended resource that the pod does not want, do not count, and neither do their weights.
//!
//! Source: `least_allocated.go`, `most_allocated.go`, `requested_to_capacity_ratio.go` and `balanced_allocation.go` of Kubernetes
//! 1.34. What is written as it is there has to be: integer divisions cut, the ratio's mean is rounded, and the deviation of two
//! fractions is half their difference, which differs from the root of the mean square in its last digits.

use super::node::Node;
use super::profile::{Shape, Weights};
use super::requests::PodRequests;
use super::resources::{Amounts, ResourceId};

/// The greatest score.
const MAX_SCORE: u64 = 100;

/// What a score looks at for one resource.
struct Usage {
    weight: u64,
    /// With the pod; more than `capacity` where it does not fit.
    requested: u64,
    /// Never 0.
    capacity: u64,
}

/// The best for spreading: the mean share that is left.
pub fn least_allocated(node: &Node, pod: &PodRequests, weights: &Weights) -> u8 {
    let left = |usage: &Usage| percent(usage.capacity.saturating_sub(usage.requested), usage.capacity);
    let (sum, weight) = weighted(node, pod, weights, left);
    sum.checked_div(weight).unwrap_or(0) as u8
}

/// The best for packing: the mean share that is asked for.
pub fn most_allocated(node: &Node, pod: &PodRequests, weights: &Weights) -> u8 {
    let used = |usage: &Usage| percent(usage.requested.min(usage.capacity), usage.capacity);
    let (sum, weight) = weighted(node, pod, weights, used);
    sum.checked_div(weight).unwrap_or(0) as u8
}

/// The mean of what `shape` says of each share that is asked for. A resource that is worth 0 drops out of the mean, as it does there.
pub fn requested_to_capacity_ratio(node: &Node, pod: &PodRequests, weights: &Weights, shape: &Shape) -> u8 {
    let (mut sum, mut weight) = (0, 0);
    for usage in usages(node, node.given().scored(), pod.scored(), weights) {
        let score = shape.at(percent(usage.requested.min(usage.capacity), usage.capacity));
        if score > 0 {
            sum += score * usage.weight;
            weight += usage.weight;
        }
    }
    if weight == 0 { 0 } else { (sum as f64 / weight as f64).round() as u8 }
}

/// How alike the shares are that are asked for: 100 less their standard deviation in percent. `None` where the pod asks for none of the
/// resources: the plugin sits out, or pods without requests would all go to one node. Weights do not matter, their order does (sums of
/// floats).
pub fn balanced_allocation(node: &Node, pod: &PodRequests, weights: &Weights) -> Option<u8> {
    weights.iter().any(|(id, _)| pod.exact().get(id) > 0).then(|| {
        let deviation =
            deviation(|| usages(node, node.given().exact(), pod.exact(), weights).map(|usage| fraction(&usage)));
        ((1.0 - deviation) * MAX_SCORE as f64) as u8
    })
}

/// The standard deviation of fractions, which are produced anew for every pass, so that nothing has to hold them.
fn deviation<I: Iterator<Item = f64>>(fractions: impl Fn() -> I) -> f64 {
    let count = fractions().count();
    if count == 2 {
        let difference = fractions().reduce(|first, second| first - second);
        return (difference.unwrap_or(0.0) / 2.0).abs();
    }
    if count < 2 {
        return 0.0;
    }
    let mean = fractions().fold(0.0, |sum, fraction| sum + fraction) / count as f64;
    let squares = fractions().fold(0.0, |sum, fraction| sum + (fraction - mean) * (fraction - mean));
    (squares / count as f64).sqrt()
}

fn fraction(usage: &Usage) -> f64 {
    (usage.requested as f64 / usage.capacity as f64).min(1.0)
}

/// The sum of weighted scores, and the sum of weights.
fn weighted(node: &Node, pod: &PodRequests, weights: &Weights, score: impl Fn(&Usage) -> u64) -> (u64, u64) {
    usages(node, node.given().scored(), pod.scored(), weights)
        .fold((0, 0), |(sum, weight), usage| (sum + score(&usage) * usage.weight, weight + usage.weight))
}

/// The resources that count, in order.
fn usages(node: &Node, given: &Amounts, wanted: &Amounts, weights: &Weights) -> impl Iterator<Item = Usage> {
    weights.iter().filter(|&(id, _)| counts(node, wanted, id)).map(|(id, weight)| Usage {
        weight,
        requested: given.get(id).saturating_add(wanted.get(id)),
        capacity: node.allocatable().get(id),
    })
}

fn counts(node: &Node, wanted: &Amounts, id: ResourceId) -> bool {
    node.allocatable().get(id) > 0 && (wanted.get(id) > 0 || !id.is_extended())
}

/// Whole percent of `whole`, cut, without overflow; `part` is at most `whole`, which is not 0.
fn percent(part: u64, whole: u64) -> u64 {
    match part.checked_mul(MAX_SCORE) {
        Some(product) => product / whole,
        None => (u128::from(part) * u128::from(MAX_SCORE) / u128::from(whole)) as u64,
    }
}

#[cfg(test)]
mod tests;
