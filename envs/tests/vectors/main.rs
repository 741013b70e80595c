//! Golden vectors of the simulated cluster: what Kubernetes' own controllers answered, family by family. The reader is the core's; the
//! committed samples lie in `tests/data` of this crate.

mod deployment;
#[path = "../../../core/tests/vectors/reader.rs"]
mod reader;
mod replica_set;
mod scheduler;
