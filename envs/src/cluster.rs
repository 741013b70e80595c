//! The cluster: what Kubernetes' own controllers do with pods and nodes, exactly, as pure functions that the kernels drive.
//!
//! | room | what |
//! |---|---|
//! | [`change`] | what the rest of the world is told of a pod |
//! | [`deployment`] | which `ReplicaSet`s a rolling update resizes, and a changed size spread over them |
//! | [`machine`] | the cluster as a state machine: Deployments, pods, nodes, and who moves them |
//! | [`placement`] | the best node for a pod among thousands |
//! | [`replica_set`] | which pods go first |
//! | [`scheduler`] | the resource plugins of kube-scheduler: does a pod fit on a node, and how well |

pub mod change;
pub mod deployment;
pub mod machine;
pub mod placement;
pub mod replica_set;
pub mod scheduler;
