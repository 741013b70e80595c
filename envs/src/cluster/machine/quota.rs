//! What all pods together may ask for. A pod counts from its creation until it is gone, as `ResourceQuota` counts it.

use super::pods::Template;
use crate::spec::nodes::QuotaSpec;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quota {
    limits: QuotaSpec,
    pub(super) used: Used,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) cpu_milli: u64,
    pub(super) memory_mib: u64,
    pub(super) pods: u32,
}

impl Quota {
    pub(super) fn new(limits: QuotaSpec) -> Self {
        Self { limits, used: Used::default() }
    }

    pub(super) fn is_limited(&self) -> bool {
        self.limits != QuotaSpec::default()
    }

    /// Whether what is used is within the limits.
    pub(super) fn is_kept(&self) -> bool {
        let QuotaSpec { cpu_milli, memory_mib, pods } = self.limits;
        cpu_milli.is_none_or(|limit| self.used.cpu_milli <= limit)
            && memory_mib.is_none_or(|limit| self.used.memory_mib <= limit)
            && pods.is_none_or(|limit| self.used.pods <= limit)
    }

    /// Books a pod, if there is room for it.
    pub(super) fn take(&mut self, pod: &Template) -> bool {
        let before = self.used;
        self.used.cpu_milli += pod.cpu_milli;
        self.used.memory_mib += pod.memory_mib;
        self.used.pods += 1;
        let is_kept = self.is_kept();
        if !is_kept {
            self.used = before;
        }
        is_kept
    }

    pub(super) fn give_back(&mut self, pod: &Template) {
        self.used.cpu_milli -= pod.cpu_milli;
        self.used.memory_mib -= pod.memory_mib;
        self.used.pods -= 1;
    }
}
