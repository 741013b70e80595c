//! A service: its endpoints, its shared queue, what its calls cost, and what is counted of it.

use core::ops::Range;
use std::collections::VecDeque;

use seatrial_core::time::Span;

use super::balancer::Balancer;
use super::latency::Latency;
use super::server::Shape;
use crate::spec::Sampler;
use crate::spec::service::TokenCost;

/// Longest queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct QueueLimit {
    pub(super) per_pod: f64,
    /// Pods that count at least: with 1, requests can wait for the first pod of a service that was scaled to zero.
    pub(super) least_pods: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) shape: Shape,
    pub(super) balancer: Balancer,
    /// The queue that ready pods share, calls thrown away included.
    pub(super) queue: VecDeque<u32>,
    /// Calls that wait for a worker, in the shared queue or at pods.
    pub(super) queued: u32,
    pub(super) in_service: u32,
    pub(super) limit: Option<QueueLimit>,
    pub(super) drops_expired: bool,
    pub(super) holds_worker: bool,
    pub(super) work: Sampler,
    pub(super) tokens: Option<TokenCost>,
    /// Its edges of the call graph, by stage.
    pub(super) edges: Range<u16>,
    pub(super) count: Count,
    pub(super) latency: Latency,
}

/// What is counted since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) arrived: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) started: u64,
    pub(super) waited: u64,
    pub(super) bad: u64,
    pub(super) wait_us: i64,
    pub(super) sojourn_us: i64,
    /// CPU microseconds of containers that are gone.
    pub(super) cpu_gone_us: f64,
    /// As the last interval ended: arrived, completed, failed.
    pub(super) closed: [u64; 3],
    pub(super) closed_cpu_s: f64,
}

impl Service {
    /// Whether a queue of `queued` calls at `pods` pods takes no more.
    pub(super) fn is_full(&self, queued: u32, pods: u32) -> bool {
        self.limit.is_some_and(|limit| f64::from(queued) + 1.0 > limit.per_pod * f64::from(pods.max(limit.least_pods)))
    }

    /// CPU microseconds of a call: whole ones, so that their sums are exact.
    pub(super) fn work_us(&self, unit: f64, factor: f64, tokens: [u32; 2]) -> f64 {
        let of_tokens = |cost: TokenCost| {
            cost.per_input_token_s * f64::from(tokens[0]) + cost.per_output_token_s * f64::from(tokens[1])
        };
        let work_s = self.work.at(unit) * factor + self.tokens.map_or(0.0, of_tokens);
        ((work_s * 1e6 + 0.5) as u64) as f64
    }

    pub(super) const fn begins(&mut self, wait: Span) {
        self.in_service += 1;
        self.count.started += 1;
        self.count.waited += (wait.micros() > 0) as u64;
        self.count.wait_us += wait.micros();
    }
}

/// An edge of the call graph, or the clients' to a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallEdge {
    /// The calling service; `None`: clients.
    pub(super) from: Option<u16>,
    pub(super) to: u16,
    /// Whose timeouts and retries.
    pub(super) caller: u16,
    pub(super) stage: u32,
    pub(super) probability: f64,
    pub(super) count: u32,
    pub(super) optional: bool,
    pub(super) calls: u64,
    pub(super) failed: u64,
}
