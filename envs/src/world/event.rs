//! What happens in a world at a moment: an event of one of its rooms, or one of its own.

use crate::ids::ServiceId;
use crate::{cluster, serving, telemetry};

/// An event of a world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Of requests.
    Serving(serving::Event),
    /// Of pods and nodes.
    Cluster(cluster::machine::Event),
    /// Of metrics.
    Telemetry(telemetry::Event),
    /// The autoscaler of a service decides.
    Decide(ServiceId),
    /// A fault begins, or ends.
    Fault {
        /// Its place in the scenario.
        index: u16,
        /// Whether it ends.
        ends: bool,
    },
    /// Somebody looks at the memory of the pods that use more with every request.
    Memory,
    /// An interval of the timeline ends.
    Interval,
    /// The warm-up is over, or a UTC day.
    Close,
    /// The scenario is over.
    End,
}

impl From<serving::Event> for Event {
    fn from(event: serving::Event) -> Self {
        Self::Serving(event)
    }
}

impl From<cluster::machine::Event> for Event {
    fn from(event: cluster::machine::Event) -> Self {
        Self::Cluster(event)
    }
}

impl From<telemetry::Event> for Event {
    fn from(event: telemetry::Event) -> Self {
        Self::Telemetry(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<Event>() <= 16);
    }
}
