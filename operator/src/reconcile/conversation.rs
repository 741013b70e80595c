//! What a cycle asks of the world and what the world answers: the only words between the pure machine and its shell.
//!
//! Requests and replies hold the few fields that the machine uses, never an object of the API. Times are model time: the
//! shell translates them where a rehearsal runs faster than the clock.

use std::sync::Arc;

use seatrial_core::bundle::Bundle;
use seatrial_core::control::error_class::Failure;
use seatrial_core::observe::{Metrics, PodCounts};
use seatrial_core::record::OperatedDecision;
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::{Span, Timestamp};

use super::conditions::Reason;
use super::hpa_min::HpaFact;
use crate::scaling_policy::{BundleSource, ScalingPolicy, ScalingPolicyStatus};

/// What the informers know of one policy and its workload at the moment of a step.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The policy, with its status as the API server has it.
    pub policy: Arc<ScalingPolicy>,
    /// The workload's pods.
    pub pods: PodFacts,
    /// The autoscalers of its namespace that target the same workload.
    pub autoscalers: Vec<HpaFact>,
    /// The oldest other policy that targets the same workload, if it is older than this one.
    pub elder: Option<String>,
}

/// The workload's pods, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodFacts {
    /// Counts; the CPU fields are filled in by the machine from the workload's total.
    pub counts: PodCounts,
    /// Ready pods that were ready for two scrape intervals: their CPU use covers a whole window.
    pub settled: u32,
    /// CPU request of a pod in thousandths of a core; `None` while no pod was seen or a container has none.
    pub cpu_request_milli: Option<u32>,
    /// CPU limit of a pod in thousandths of a core; that of its request if a container has none.
    pub cpu_limit_milli: Option<u32>,
    /// Pods that became ready, with the time that took from their creation.
    pub became_ready: Vec<(Timestamp, Span)>,
}

/// The scale subresource of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// `spec.replicas`.
    pub spec_replicas: u32,
    /// `status.replicas`.
    pub status_replicas: u32,
    /// Version of the object: a write names it, so that it changes nothing that it has not seen.
    pub resource_version: Option<String>,
}

/// A verified bundle, shared by all policies that name its hash.
#[derive(Clone, Debug)]
pub struct LoadedBundle {
    /// Its hash: that of the card, which names those of the other files.
    pub hash: String,
    /// The bundle.
    pub bundle: Arc<Bundle>,
}

/// Why something is not there: a reason of the closed set, and one line that says what and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason.
    pub reason: Reason,
    /// What is wrong, where, and what to do. Holds no number that changes from one look to the next.
    pub message: String,
}

impl Problem {
    /// A problem.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// What the metrics say at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsRead {
    /// The features, each with the time of the sample.
    pub metrics: Metrics,
    /// Why features are missing, if some are.
    pub problem: Option<Problem>,
}

/// Range query of the arrival rate for a state that is built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// End of the first slot.
    pub from: Timestamp,
    /// End of the last slot.
    pub to: Timestamp,
    /// Length of a slot.
    pub slot: Span,
}

/// A write to an autoscaler's `minReplicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpaMinWrite {
    /// Name of the autoscaler.
    pub name: String,
    /// Its version: nothing is overwritten that was not seen.
    pub resource_version: Option<String>,
    /// The new minimum; `None` removes the field, as it was before.
    pub min_replicas: Option<i32>,
    /// The marker that remembers the user's minimum; `None` removes it.
    pub marker: Option<String>,
}

/// What a cycle asks.
#[derive(Clone, Debug)]
pub enum Request {
    /// The newest sample's time.
    ReadSampleTime,
    /// The scale subresource of the target.
    ReadScale,
    /// All features.
    ReadMetrics,
    /// Past arrival rates.
    ReadHistory(HistoryQuery),
    /// The bundle that the spec names.
    LoadBundle(BundleSource),
    /// Append to the decision log.
    Record(Box<OperatedDecision>),
    /// Write the scale subresource.
    WriteScale {
        /// Replicas to ask for.
        replicas: u32,
        /// Version that was read.
        resource_version: Option<String>,
    },
    /// Write an autoscaler's minimum.
    WriteHpaMin(HpaMinWrite),
    /// Add or remove the finalizer that restores an autoscaler's minimum.
    SetFinalizer(bool),
    /// Apply the status.
    ApplyStatus(Box<ScalingPolicyStatus>),
}

/// What the world answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A cycle begins.
    Wake,
    /// To [`Request::ReadSampleTime`]; `Ok(None)` if the query has no answer.
    SampleTime(Result<Option<Timestamp>, Problem>),
    /// To [`Request::ReadScale`].
    Scale(Result<Scale, Failure>),
    /// To [`Request::ReadMetrics`].
    Metrics(Box<MetricsRead>),
    /// To [`Request::ReadHistory`].
    History(Result<Vec<PastSlot>, Problem>),
    /// To [`Request::LoadBundle`].
    Bundle(Result<LoadedBundle, Problem>),
    /// To [`Request::Record`]: it is in the log or counted as dropped, the shell knows.
    Recorded,
    /// To every write.
    Written(Result<(), Failure>),
}

/// How a step ends.
#[derive(Clone, Debug)]
pub enum Next {
    /// Perform this and step again with the reply.
    Ask(Request),
    /// The cycle is over; begin the next at this time, or earlier if the objects change.
    Sleep(Timestamp),
    /// The policy is gone: forget it.
    Forget,
}

/// Something that happened, for an Event. Told when it changes, never repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The event's reason, `CamelCase`.
    pub reason: &'static str,
    /// Whether it is a warning.
    pub warning: bool,
    /// One line for people.
    pub message: String,
}
