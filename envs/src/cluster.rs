//! The cluster: what Kubernetes' own controllers do with pods and nodes, exactly, as pure functions that the kernels drive.
//!
//! | room | what |
//! |---|---|
//! | [`deployment`] | which `ReplicaSet`s a rolling update resizes, and a changed size spread over them |
//! | [`replica_set`] | which pods go first |
//! | [`scheduler`] | the resource plugins of kube-scheduler: does a pod fit on a node, and how well |

pub mod deployment;
pub mod replica_set;
pub mod scheduler;
