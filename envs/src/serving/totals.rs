//! What has been counted since the start, and the books that must balance.

use seatrial_core::record::timeline::ServiceRow;
use thiserror::Error;

/// What clients saw since the start. A request is a client's wish, whatever number of tries it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientTotals {
    /// Requests begun.
    pub offered: u64,
    /// Tries beyond the first.
    pub retries: u64,
    /// Requests answered.
    pub done: u64,
    /// Requests given up after their last try.
    pub failed: u64,
    /// Requests that turned out bad: failed ones, and those that waited or took longer than the objective.
    pub bad: u64,
    /// Tries that nobody waited for any more when they ended.
    pub wasted: u64,
}

/// What a service did since the start. A call is one try.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServiceTotals {
    /// Calls that arrived.
    pub arrived: u64,
    /// Calls completed.
    pub completed: u64,
    /// Calls dropped, expired, or lost with their pod or with a call of their own.
    pub failed: u64,
    /// Calls whose service began.
    pub started: u64,
    /// Of them those that had to wait for it.
    pub waited: u64,
    /// Seconds from arrival to the beginning of service, summed over `started`.
    pub wait_s: f64,
    /// Seconds from arrival to completion, summed over `completed`.
    pub sojourn_s: f64,
    /// CPU seconds used.
    pub cpu_s: f64,
}

/// Where the rows of an interval are written.
#[derive(Debug)]
pub struct IntervalRows<'a> {
    /// One row per service, by id; the fields about pods are left as they are.
    pub services: &'a mut [ServiceRow],
    /// Edges in seconds of latency classes, ascending, one more than there are classes.
    pub latency_edges_s: &'a [f64],
    /// Requests answered, per latency class.
    pub latency_counts: &'a mut [u32],
}

/// Books that do not balance: a mistake in this room.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Imbalance {
    /// Requests got lost or were made up.
    #[error("clients offered {offered} requests, but {done} are done, {failed} failed and {under_way} are under way")]
    Clients {
        /// Begun.
        offered: u64,
        /// Answered.
        done: u64,
        /// Given up.
        failed: u64,
        /// Found under way.
        under_way: u64,
    },
    /// Calls got lost or were made up.
    #[error(
        "service {service}: {arrived} calls arrived, but {completed} are completed, {failed} failed and {present} are present"
    )]
    Service {
        /// Its id.
        service: usize,
        /// Arrived.
        arrived: u64,
        /// Completed.
        completed: u64,
        /// Failed.
        failed: u64,
        /// Found in it.
        present: u64,
    },
    /// A pod's own count of calls, or of queued ones, differs from what is found in it.
    #[error("pod slot {slot}: counts {counted} calls, or queued ones, but {found} are found in it")]
    Pod {
        /// Its slot.
        slot: usize,
        /// Its own count.
        counted: u32,
        /// Found in it.
        found: u32,
    },
    /// Tries of clients got lost or were made up.
    #[error("clients sent {sent} tries, but began {offered} requests and tried {retries} times again")]
    Tries {
        /// Over all edges of clients.
        sent: u64,
        /// Begun.
        offered: u64,
        /// Tries beyond the first.
        retries: u64,
    },
    /// Calls got lost between caller and service.
    #[error("service {service}: {arrived} calls arrived, but {sent} were sent to it")]
    Edges {
        /// Its id.
        service: usize,
        /// Arrived.
        arrived: u64,
        /// Over all edges that lead to it.
        sent: u64,
    },
    /// A balancer knows other pods than those that are ready.
    #[error("service {service}: its balancer knows {known} pods, but {ready} are ready")]
    Endpoints {
        /// Its id.
        service: usize,
        /// Known.
        known: u32,
        /// Ready.
        ready: usize,
    },
    /// A balancer takes a pod to have another load than it has.
    #[error("pod slot {slot}: its load is {load}, which its balancer does not know")]
    Load {
        /// Its slot.
        slot: usize,
        /// What it has.
        load: u32,
    },
    /// A service's own count of queued calls, or of those in service, differs from what is found in it.
    #[error("service {service}: counts {counted} calls that are queued, or in service, but {found} are found")]
    Queue {
        /// Its id.
        service: usize,
        /// Its own count.
        counted: u32,
        /// Found.
        found: u32,
    },
    /// More calls are in service than a pod has workers.
    #[error("pod slot {slot}: {busy} workers are busy, but it has {workers}")]
    Workers {
        /// Its slot.
        slot: usize,
        /// Busy ones.
        busy: u32,
        /// All of them.
        workers: u32,
    },
}
