//! Reads a workload's metrics from Prometheus' HTTP API.
//!
//! | module | what |
//! |---|---|
//! | [`client`] | one request and one answer: time-out, size limit, token, authority, no retry |
//! | [`error`] | what can go wrong, each with what to do, in a few classes |
//! | [`template`] | from the PromQL of a policy to the PromQL that is sent |
//! | [`judge`] | pure: what the answers mean |
//! | [`reader`] | the queries of one policy: sample time, features, history |
//!
//! Invariants: nothing here reads a clock or waits, but for the time-out of a request; memory is bounded by the size limit
//! times the number of concurrent requests; an answer that cannot be used makes a feature *missing*, never zero.

pub mod client;
mod credentials;
pub mod error;
pub mod judge;
pub mod reader;
pub mod template;
mod transport;

pub use client::{Client, ClientConfig};
pub use error::{Kind, PrometheusError};
pub use judge::{Asked, MetricsRead};
pub use reader::{Reader, ReaderSettings};
