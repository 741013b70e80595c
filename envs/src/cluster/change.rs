//! What the rest of the world is told of a pod: the only way in which the cluster speaks to those who serve and measure.

use crate::ids::{PodId, ServiceId};

/// A pod of a service changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodChange {
    /// The pod.
    pub pod: PodId,
    /// Its service.
    pub service: ServiceId,
    /// What happened.
    pub what: Change,
}

/// What happened to a pod.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Its container runs: counters begin at zero, and scrapes find it. A restarted one does so again.
    Started,
    /// It joined the endpoints and gets requests.
    Ready,
    /// It left the endpoints: no new requests, those it has go on. Nothing if it was not in them.
    Left,
    /// It runs at this speed from now on; 1 is nominal, 0 is a node that is gone without anybody knowing yet: requests go on
    /// coming in and none is finished.
    Speed(f64),
    /// Its container ended: what it still has fails, and its counters are lost.
    Stopped,
}
