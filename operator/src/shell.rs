//! The shell around the reconciler: watches, clock, requests, one writer. Everything here is plumbing; nothing decides.
//!
//! | module | what |
//! |---|---|
//! | [`api`] | one request to the API server: time-out, size limit, typed failure |
//! | [`hands`] | performs what a machine asks |
//! | [`bundles`] | fetches bundles, verifies them once per hash |
//! | [`servers`] | connections to Prometheus, and when to leave one alone |
//! | [`lease`] | one of several operators leads |
//! | [`driver`] | index, queue, machines: what is done when |
//! | [`translate`] | what Prometheus answers, in the machine's words |
//! | [`watches`] | the streams of events |

pub mod api;
pub mod bundles;
pub mod driver;
pub mod hands;
pub mod lease;
pub mod servers;
pub mod translate;
pub mod watches;
