//! The fluid kernel: requests as a flow, waiting by Erlang C, pods one by one.
//!
//! Rates are constant inside native bins and pods change state on a grid (the physics step), so between two such moments
//! everything has a closed form: the kernel jumps from event to event and integrates exactly ([`queue`]). Its answers
//! therefore do not depend on how often it is asked.
//!
//! One workload is [`kernel`], fast enough for a study of weeks. Several services that call each other are [`network`]: the same
//! pods, queues and metrics per service, with the rate of one following from what others complete.

pub(crate) mod costs;
pub(crate) mod erlang;
pub(crate) mod graph;
pub(crate) mod in_service;
pub(crate) mod kernel;
pub(crate) mod line;
pub(crate) mod metrics;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod pods;
pub(crate) mod queue;
pub(crate) mod work;
pub(crate) mod world;
