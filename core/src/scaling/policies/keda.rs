//! `keda`: KEDA 2.21, which wakes a workload, lets it idle or sleep, and leaves the replicas in between to a
//! HorizontalPodAutoscaler, with fallbacks for metrics that fail.
//!
//! Source: the behaviour of KEDA 2.21.0, of which golden vectors hold the answers; the tests run them all. Two loops meet in the
//! policy: the executor polls every 30 s, the autoscaler of [`hpa`](super::hpa) syncs every 15 s. Where both are due the poll
//! comes first, and the autoscaler waits for the next step if the poll writes. Both read the triggers, and each reading that
//! fails counts towards the fallback; without scale to zero or idling a poll takes what a working autoscaler read, as
//! KEDA does since 2.21. Scale to zero needs a workload whose fewest replicas are 0.
//!
//! | part | what |
//! |---|---|
//! | [`activation`] | what a poll makes of the triggers' verdict |
//! | [`fallback`] | what the autoscaler gets of a metric that fails |
//! | [`trigger`] | what triggers measure |
//!
//! # Deviations
//! 1. Triggers are those that an observation can feed: `requests-per-second` (the `prometheus` scaler on the rate of requests),
//!    `cpu`, `cron`. No formulas (`scalingModifiers`), no cached metrics, no push.
//! 2. A missing rate is a failure. KEDA's `prometheus` scaler reads an empty answer as 0 unless `ignoreNullValues` is false, and
//!    an observation cannot tell an empty answer from none; `ignoreNullValues` of the trigger brings KEDA's default back.
//! 3. `minReplicaCount` and `maxReplicaCount` are the workload's unless given, and never beyond them.
//! 4. The object is created at the first decision, from which the initial cool-down counts.
//! 5. The autoscaler behind it has the deviations of `hpa`.
//!
//! An idle count above 0 is raised again at once by the autoscaler, whose least is the fewest replicas: so it is in KEDA, whose
//! documentation allows 0 alone.

pub mod activation;
mod config;
pub mod fallback;
mod policy;
pub mod trigger;

pub(super) use policy::ROW;

#[cfg(test)]
mod tests;
