//! Dense ids that the rooms of the event kernel share: places in vectors, never names.

/// A service: its place among the names of the scenario's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceId(pub u16);

/// A node: nodes are numbered as they are made and keep their number when they are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// A pod: a slot that pods use one after the other, and which of them it is. An event about an earlier one is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId {
    /// Index of what rooms hold of the pod.
    pub slot: u32,
    /// Counts the pods that used the slot.
    pub generation: u32,
}

impl ServiceId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl PodId {
    /// The slot as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot as usize
    }
}
