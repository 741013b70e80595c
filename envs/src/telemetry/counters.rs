//! What is counted while requests are served: plain totals since the start of a container, or of the simulation.

/// Totals of one pod since its container started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PodCounters {
    /// Requests completed.
    pub completed: u64,
    /// Seconds from arrival at the service (queueing included) to completion, summed over those completed.
    pub duration_s: f64,
    /// CPU seconds used.
    pub cpu_s: f64,
    /// Requests in it now, in service or queued at it.
    pub in_flight: u32,
}

/// Totals of one service at its ingress, since the start of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct IngressCounters {
    /// Calls that arrived, each try counted.
    pub arrived: u64,
    /// Of them judged bad by the service level objective, or failed.
    pub bad: u64,
}
