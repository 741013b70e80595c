//! kube-scheduler's resource plugins as pure functions of one pod and one node: the filter and scores of `NodeResourcesFit`,
//! and the score of `NodeResourcesBalancedAllocation`.
//!
//! | room | what |
//! |---|---|
//! | [`resources`] | dense ids of resources, and amounts of all of them |
//! | [`requests`] | what the containers of a pod ask for together |
//! | [`node`] | what a node has and has given away |
//! | [`fit`] | whether a pod fits, and if not, why |
//! | [`profile`] | weights of resources and the shape of the ratio strategy, checked |
//! | [`score`] | how well a pod would sit, 0 to 100 |
//!
//! Invariants: names exist at the boundary only ([`resources::ResourceNames`]); filter and scores read arrays of fixed size and
//! allocate nothing. Integers are divided as in Go, which is what makes the scores equal.
//!
//! Source: `pkg/scheduler/framework/plugins/noderesources` of Kubernetes 1.34, and its answers in the golden vectors
//! (family `scheduler`).
//!
//! # Deviations
//!
//! 1. A product that overflows 64 bits is widened, where the original's wraps: nodes with more than 81 PiB of memory.
//! 2. Pod overhead, resources at pod level, requests that are resized in place and devices claimed through DRA do not exist here.
//! 3. At most five extended resources, and every name that is not native counts as extended.

use thiserror::Error;

pub mod fit;
pub mod node;
pub mod profile;
pub mod requests;
pub mod resources;
pub mod score;

/// Why resources or a profile of the scheduler are refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SchedulerError {
    /// One name too many.
    #[error(
        "resource {name:?}: a cluster has at most {limit} resources, with cpu, memory and ephemeral-storage; leave one out"
    )]
    TooManyResources {
        /// The name without room.
        name: String,
        /// The room.
        limit: usize,
    },
    /// A name that is none.
    #[error("resource {name:?}: allowed is cpu, memory, ephemeral-storage or the name of an extended resource")]
    NotAnAmount {
        /// What was named: nothing, or the count of pods, which nodes limit by themselves.
        name: String,
    },
    /// A weight outside its range.
    #[error("weight of resource {resource:?} is {got}; allowed is 1 to {max}")]
    Weight {
        /// Whose weight.
        resource: String,
        /// The weight.
        got: u64,
        /// The greatest that is allowed.
        max: u64,
    },
    /// Two weights for one resource.
    #[error("resource {resource:?} has two weights; leave one out")]
    WeighedTwice {
        /// The resource.
        resource: String,
    },
    /// A shape without points.
    #[error("the shape has no points; give at least one of utilization (0 to 100) and score (0 to 10)")]
    NoShape,
    /// A coordinate outside its range.
    #[error("{key} of shape point {index} is {got}; allowed is {min} to {max}")]
    ShapePoint {
        /// The point, counted from 0.
        index: usize,
        /// `utilization` or `score`.
        key: &'static str,
        /// The value.
        got: u64,
        /// The least that is allowed; utilizations ascend.
        min: u64,
        /// The greatest that is allowed.
        max: u64,
    },
}
