//! The machine itself: what comes after what.

use seatrial_core::control::error_class::{ErrorClass, Failure};
use seatrial_core::observe::{Feature, Observation, PodCounts, Pods};
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::{Span, Timestamp};

use super::conditions::Reason;
use super::consent::{self, Approval};
use super::conversation::{
    Facts, Happening, HistoryQuery, LoadedBundle, MetricsRead, Next, Problem, Reply, Request, Scale,
};
use super::deciders::{self, Deciders, Verdict};
use super::hpa_min::FINALIZER;
use super::patience::{Patience, Work};
use super::portrait::Seen;
use super::rhythm::Rhythm;
use super::status;
use crate::scaling_policy::{Actuator, Mode, ScalingPolicySpec};

/// How fast the machine's time runs, for rehearsals: model seconds per second of the clock. Everywhere else it is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(pub i64);

impl Pace {
    /// A span of the clock in the machine's time.
    #[must_use]
    pub fn scaled(self, span: Span) -> Span {
        span * self.0
    }
}

/// Next look where no request failed but something is missing that people or Prometheus bring, by the clock.
const RETRY: Span = Span::from_secs(5);
/// Next look for a bundle that could not be loaded.
const BUNDLE_RETRY: Span = Span::from_secs(30);
/// A state that looks back is warmed with slots of ten minutes over eight days, then with scrapes over 35 minutes.
const FAR_BACK: Span = Span::from_secs(8 * 86_400);
const NEAR_BACK: Span = Span::from_secs(35 * 60);
const FAR_SLOT: Span = Span::from_secs(600);

/// How far the state has been warmed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warmth {
    Cold,
    Far,
    Warm,
}

/// What the last write was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Workload,
    /// The autoscaler's minimum, after the finalizer that will restore it.
    Finalizer,
    Restoring,
    Unfinalizing,
    Status,
}

/// The reconciler of one policy.
pub struct Machine {
    pace: Pace,
    subject: String,
    spec: Option<ScalingPolicySpec>,
    deciders: Option<Deciders>,
    warmth: Warmth,
    bundle_retry_at: Option<Timestamp>,
    rhythm: Rhythm,
    patience: Patience,
    scale: Option<Scale>,
    verdict: Option<Verdict>,
    writing: Writing,
    seen: Seen,
    start_ups_until: Timestamp,
    happenings: Vec<Happening>,
}

impl Machine {
    /// A machine that has seen nothing. `subject` is what the log calls it.
    #[must_use]
    pub fn new(subject: String, pace: Pace) -> Self {
        Self {
            pace,
            patience: Patience::new(&subject, pace),
            subject,
            spec: None,
            deciders: None,
            warmth: Warmth::Cold,
            bundle_retry_at: None,
            rhythm: Rhythm::new(pace),
            scale: None,
            verdict: None,
            writing: Writing::Status,
            seen: Seen::default(),
            start_ups_until: Timestamp::ZERO,
            happenings: Vec::new(),
        }
    }

    /// What happened since the last call, for Events.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// One step; see the module `reconcile`.
    pub fn step(&mut self, facts: &Facts, reply: Reply, now: Timestamp) -> Next {
        match reply {
            Reply::Wake => self.begin(facts, now),
            Reply::SampleTime(answer) => self.on_sample_time(answer, facts, now),
            Reply::Scale(Ok(scale)) => self.on_scale(scale, facts, now),
            Reply::Scale(Err(failure)) => self.target_failed(&failure, facts, now),
            Reply::Bundle(answer) => self.on_bundle(answer, facts, now),
            Reply::History(Ok(past)) => self.on_history(&past, facts, now),
            Reply::History(Err(problem)) => {
                self.seen.metrics = Some(problem);
                self.settle(facts, now, Some(now + self.pace.scaled(RETRY)))
            }
            Reply::Metrics(read) => self.decide(&read, facts, now),
            Reply::Recorded => self.act(facts, now),
            Reply::Written(result) => self.on_written(&result, facts, now),
        }
    }

    fn begin(&mut self, facts: &Facts, now: Timestamp) -> Next {
        self.seen.begin(&facts.policy);
        if facts.policy.metadata.deletion_timestamp.is_some() {
            return self.give_back(facts, now);
        }
        self.adopt(&facts.policy.spec, now);
        if self.seen.was_asked(&facts.policy) {
            self.rhythm.again_at(now);
        }
        self.seen.conflict = consent::conflict(facts);
        if self.must_give_back(facts) {
            return self.give_back(facts, now);
        }
        if facts.policy.spec.paused {
            return self.settle(facts, now, None);
        }
        Next::Ask(Request::ReadSampleTime)
    }

    /// Takes on a changed spec: what it does not touch stays.
    fn adopt(&mut self, spec: &ScalingPolicySpec, now: Timestamp) {
        let before = self.spec.replace(spec.clone());
        let Some(before) = before else { return };
        if before != *spec {
            // A person waits for it: not only at the next sample.
            self.rhythm.again_at(now);
        }
        if before.fallback != spec.fallback
            || before.policy != spec.policy
            || before.bundle.is_some() != spec.bundle.is_some()
        {
            self.deciders = None;
            self.warmth = Warmth::Cold;
        }
        if before.bundle != spec.bundle {
            self.bundle_retry_at = None;
        }
        if before.metrics != spec.metrics {
            self.rhythm = Rhythm::new(self.pace);
        }
    }

    fn on_sample_time(&mut self, answer: Result<Option<Timestamp>, Problem>, facts: &Facts, now: Timestamp) -> Next {
        let metrics = &facts.policy.spec.metrics;
        let scrape = self.pace.scaled(Span::from_secs(i64::from(metrics.scrape_interval_seconds)));
        match answer {
            Ok(sample) => self.rhythm.sampled(sample, scrape),
            Err(problem) => self.seen.metrics = Some(problem),
        }
        match self.rhythm.next_poll(now) {
            Some(at) => Next::Sleep(at),
            None => Next::Ask(Request::ReadScale),
        }
    }

    fn on_scale(&mut self, scale: Scale, facts: &Facts, now: Timestamp) -> Next {
        self.patience.worked(Work::Read);
        self.seen.target = None;
        self.seen.replicas = Some(scale.status_replicas);
        let asleep = scale.spec_replicas == 0;
        self.scale = Some(scale);
        self.seen.scaled_to_zero = asleep;
        if asleep {
            self.rhythm.decided(now, None);
            return self.settle(facts, now, None);
        }
        if self.rhythm.was_interrupted(now) {
            self.begin_anew();
        }
        match self.prepare(facts) {
            Ok(()) => self.load_or_warm(facts, now),
            Err(problem) => {
                self.seen.spec = Some(problem);
                self.settle(facts, now, Some(now + self.pace.scaled(RETRY)))
            }
        }
    }

    /// After a gap, or a clock that was set back, what is remembered is of another time: as after a restart, nothing shrinks
    /// before its window is covered anew.
    fn begin_anew(&mut self) {
        if let Some(deciders) = &mut self.deciders {
            deciders.forget();
        }
        self.warmth = Warmth::Cold;
        self.bundle_retry_at = None;
        self.start_ups_until = Timestamp::ZERO;
    }

    /// Makes the deciders fit the spec and the pods.
    fn prepare(&mut self, facts: &Facts) -> Result<(), Problem> {
        let spec = &facts.policy.spec;
        let trained_for = self.deciders.as_ref().and_then(Deciders::bundle).map(|loaded| loaded.bundle.clone());
        let workload = deciders::workload(spec, &facts.pods, trained_for.as_ref(), self.pace)?;
        let deciders = match self.deciders.take() {
            Some(deciders) => deciders.take_on(workload)?,
            None => {
                let mut deciders = Deciders::new(spec, workload)?;
                if let Some(rule) = &spec.policy {
                    deciders.name_rule(rule)?;
                }
                deciders
            }
        };
        self.deciders = Some(deciders);
        self.seen.spec = None;
        Ok(())
    }

    fn load_or_warm(&mut self, facts: &Facts, now: Timestamp) -> Next {
        if let Some(source) = &facts.policy.spec.bundle {
            let in_force = self.deciders.as_ref().and_then(Deciders::bundle).map(|loaded| loaded.hash.as_str());
            if in_force == Some(source.hash.as_str()) {
                self.seen.bundle = None;
            } else if self.bundle_retry_at.is_none_or(|at| now >= at) {
                return Next::Ask(Request::LoadBundle(source.clone()));
            }
        }
        self.warm(facts, now)
    }

    fn on_bundle(&mut self, answer: Result<LoadedBundle, Problem>, facts: &Facts, now: Timestamp) -> Next {
        match answer.and_then(|loaded| self.take_in(loaded, facts)) {
            Ok(()) => {
                self.bundle_retry_at = None;
                self.warmth = Warmth::Cold;
                self.tell("BundleLoaded", false, "the bundle was verified, its golden rows included, and decides now");
            }
            Err(problem) => {
                self.bundle_retry_at = Some(now + self.pace.scaled(BUNDLE_RETRY));
                if self.seen.bundle.as_ref() != Some(&problem) {
                    self.tell("BundleRefused", true, &problem.message);
                }
                self.seen.bundle = Some(problem);
            }
        }
        self.warm(facts, now)
    }

    fn take_in(&mut self, loaded: LoadedBundle, facts: &Facts) -> Result<(), Problem> {
        let workload = deciders::workload(&facts.policy.spec, &facts.pods, Some(&loaded.bundle), self.pace)?;
        if let Some(deciders) = self.deciders.take() {
            let mut deciders = deciders.take_on(workload)?;
            let named = deciders.name_bundle(loaded);
            self.deciders = Some(deciders);
            named?;
        }
        self.seen.bundle = None;
        Ok(())
    }

    fn warm(&mut self, facts: &Facts, now: Timestamp) -> Next {
        let looks_back = self.deciders.as_ref().is_some_and(Deciders::looks_back);
        let scrape = self.deciders.as_ref().map_or(RETRY, |deciders| deciders.workload().scrape_interval);
        let (near, far) = (now - NEAR_BACK, now - FAR_BACK);
        let query = match self.warmth {
            Warmth::Cold if looks_back => HistoryQuery { from: far, to: near, slot: FAR_SLOT },
            Warmth::Far if looks_back => HistoryQuery { from: near + scrape, to: now, slot: scrape },
            _ => return self.read_metrics(facts),
        };
        Next::Ask(Request::ReadHistory(query))
    }

    fn on_history(&mut self, past: &[PastSlot], facts: &Facts, now: Timestamp) -> Next {
        if let Some(deciders) = &mut self.deciders {
            deciders.absorb(past);
        }
        self.warmth = if self.warmth == Warmth::Cold { Warmth::Far } else { Warmth::Warm };
        self.warm(facts, now)
    }

    fn read_metrics(&mut self, _: &Facts) -> Next {
        self.warmth = Warmth::Warm;
        Next::Ask(Request::ReadMetrics)
    }

    fn decide(&mut self, read: &MetricsRead, facts: &Facts, now: Timestamp) -> Next {
        self.seen.metrics.clone_from(&read.problem);
        let (Some(scale), Some(deciders)) = (&self.scale, &mut self.deciders) else {
            return self.settle(facts, now, Some(now + self.pace.scaled(RETRY)));
        };
        let mode = mode_label(facts.policy.spec.mode);
        let observation = observe(scale, read, facts, self.start_ups_until, now);
        let verdict = deciders.decide(now, &observation, &self.subject, mode);
        self.start_ups_until =
            facts.pods.became_ready.iter().map(|(at, _)| *at).fold(self.start_ups_until, Timestamp::max);
        self.rhythm.decided(now, Some(verdict.decision.next_at));
        self.note(&verdict, facts, now);
        let row = verdict.row.clone();
        self.verdict = Some(verdict);
        Next::Ask(Request::Record(Box::new(row)))
    }

    /// What the status will say of the decision.
    fn note(&mut self, verdict: &Verdict, facts: &Facts, now: Timestamp) {
        self.seen.share.note(verdict.origin == deciders::Origin::Fallback);
        self.seen.by_fallback = Some(verdict.origin == deciders::Origin::Fallback);
        self.seen.bundle_in_force = self.deciders.as_ref().and_then(Deciders::bundle).map(status::in_force);
        let waits = facts.policy.spec.mode == Mode::Recommend && self.wanted_change(verdict.decision.replicas);
        let before = self.seen.last_decision.take();
        let valid = self.pace.scaled(consent::APPROVAL_VALID);
        let expired = before.as_ref().is_some_and(|last| now.since(status::core_time(&last.time)) > valid);
        self.seen.last_decision = Some(status::last_decision(&verdict.decision, now, before, waits && expired));
    }

    fn wanted_change(&self, replicas: u32) -> bool {
        self.scale.as_ref().is_some_and(|scale| scale.spec_replicas != replicas)
    }

    fn shrinks(&self, replicas: u32) -> bool {
        self.scale.as_ref().is_some_and(|scale| replicas < scale.spec_replicas)
    }

    /// Writes the decision to the workload, if it may.
    fn act(&mut self, facts: &Facts, now: Timestamp) -> Next {
        let spec = &facts.policy.spec;
        let Some(replicas) = self.verdict.as_ref().map(|verdict| verdict.decision.replicas) else {
            return self.settle(facts, now, Some(now + self.pace.scaled(RETRY)));
        };
        let write = match spec.actuator {
            // What nobody measures is no reason to shrink, whatever the policy makes of the metrics that are left.
            _ if self.seen.metrics.is_some() && self.shrinks(replicas) => None,
            Actuator::Scale if self.wanted_change(replicas) => {
                let resource_version = self.scale.as_ref().and_then(|scale| scale.resource_version.clone());
                Some(Request::WriteScale { replicas, resource_version })
            }
            Actuator::Scale => None,
            Actuator::HpaMin => match facts.autoscalers.as_slice() {
                [only] => only.raise(replicas).map(Request::WriteHpaMin),
                _ => None,
            },
        };
        self.seen.approval = self.approval(facts, write.is_some(), now);
        match write {
            Some(write) if self.may_write(spec) && !self.patience.waits(Work::Write, now) => self.write(write, facts),
            _ => self.settle(facts, now, None),
        }
    }

    fn approval(&self, facts: &Facts, wanted: bool, now: Timestamp) -> Option<Approval> {
        let last = self.seen.last_decision.as_ref()?;
        let annotation = consent::approval_of(&facts.policy);
        let valid = self.pace.scaled(consent::APPROVAL_VALID);
        wanted.then(|| consent::approval(annotation, last, status::core_time(&last.time), now, valid))
    }

    fn may_write(&self, spec: &ScalingPolicySpec) -> bool {
        if spec.paused || self.seen.conflict.is_some() {
            return false;
        }
        match spec.mode {
            Mode::Shadow => false,
            Mode::Enforce => true,
            Mode::Recommend => self.seen.approval == Some(Approval::Given),
        }
    }

    /// A minimum is raised only once the finalizer stands that will restore it.
    fn write(&mut self, write: Request, facts: &Facts) -> Next {
        let guarded = !matches!(write, Request::WriteHpaMin(_)) || has_finalizer(facts);
        self.writing = if guarded { Writing::Workload } else { Writing::Finalizer };
        Next::Ask(if guarded { write } else { Request::SetFinalizer(true) })
    }

    fn must_give_back(&self, facts: &Facts) -> bool {
        let spec = &facts.policy.spec;
        has_finalizer(facts) && (spec.actuator != Actuator::HpaMin || spec.mode == Mode::Shadow)
    }

    /// Restores the minimum of every autoscaler that was raised, then drops the finalizer.
    fn give_back(&mut self, facts: &Facts, now: Timestamp) -> Next {
        if !has_finalizer(facts) {
            return Next::Forget;
        }
        if self.patience.waits(Work::Write, now) {
            return Next::Sleep(self.rhythm.wake_at(now));
        }
        if let Some(write) = facts.autoscalers.iter().find_map(super::hpa_min::HpaFact::restore) {
            self.writing = Writing::Restoring;
            return Next::Ask(Request::WriteHpaMin(write));
        }
        self.writing = Writing::Unfinalizing;
        Next::Ask(Request::SetFinalizer(false))
    }

    fn on_written(&mut self, result: &Result<(), Failure>, facts: &Facts, now: Timestamp) -> Next {
        match result {
            Ok(()) => self.wrote(facts, now),
            Err(failure) if self.writing == Writing::Status => {
                let until = self.patience.failed(Work::Status, failure, now);
                Next::Sleep(self.rhythm.wake_at(now).max(until))
            }
            Err(failure) => {
                let until = self.patience.failed(Work::Write, failure, now);
                self.rhythm.again_at(until);
                self.seen.write = Some(write_problem(failure));
                self.settle(facts, now, Some(until))
            }
        }
    }

    fn wrote(&mut self, facts: &Facts, now: Timestamp) -> Next {
        if self.writing == Writing::Status {
            self.patience.worked(Work::Status);
            return Next::Sleep(self.rhythm.wake_at(now));
        }
        self.patience.worked(Work::Write);
        self.seen.write = None;
        if self.writing != Writing::Workload {
            // The informer tells of the new object; then the cycle goes on with it, new sample or not.
            let soon = now + self.pace.scaled(Span::from_secs(1));
            self.rhythm.again_at(soon);
            return Next::Sleep(soon);
        }
        self.seen.scaled_at = Some(now);
        let replicas = self.verdict.as_ref().map_or(0, |verdict| verdict.decision.replicas);
        self.tell("Scaled", false, &format!("asked for {replicas} replicas"));
        self.settle(facts, now, None)
    }

    fn target_failed(&mut self, failure: &Failure, facts: &Facts, now: Timestamp) -> Next {
        let problem = target_problem(failure, &facts.policy.spec);
        if self.seen.target.as_ref() != Some(&problem) {
            self.tell("TargetUnavailable", true, &problem.message);
        }
        self.seen.target = Some(problem);
        let until = self.patience.failed(Work::Read, failure, now);
        self.settle(facts, now, Some(until))
    }

    /// Ends the cycle: applies the status if it differs, then sleeps, at least until `not_before`.
    fn settle(&mut self, facts: &Facts, now: Timestamp, not_before: Option<Timestamp>) -> Next {
        if let Some(at) = not_before {
            self.rhythm.not_before(at);
        }
        let status = self.seen.portrait(facts).status(now, self.seen.conditions_before(facts));
        if Some(&status) == facts.policy.status.as_ref() || self.patience.waits(Work::Status, now) {
            return Next::Sleep(self.rhythm.wake_at(now));
        }
        self.writing = Writing::Status;
        Next::Ask(Request::ApplyStatus(Box::new(status)))
    }

    fn tell(&mut self, reason: &'static str, warning: bool, message: &str) {
        self.happenings.push(Happening { reason, warning, message: message.to_owned() });
    }
}

const fn mode_label(mode: Mode) -> &'static str {
    match mode {
        Mode::Shadow => "Shadow",
        Mode::Recommend => "Recommend",
        Mode::Enforce => "Enforce",
    }
}

fn has_finalizer(facts: &Facts) -> bool {
    facts.policy.metadata.finalizers.as_ref().is_some_and(|all| all.iter().any(|name| name == FINALIZER))
}

/// The observation of a decision: a query's sum cannot tell pods apart, so the settled ones share the CPU alike.
fn observe(
    scale: &Scale,
    read: &MetricsRead,
    facts: &Facts,
    start_ups_until: Timestamp,
    now: Timestamp,
) -> Observation {
    let settled = facts.pods.settled.min(facts.pods.counts.ready);
    let cpu_milli = read.metrics.get(Feature::ProcessCpuSecondsTotalRate).map(|sample| sample.value * 1_000.0);
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and a pod has less than 10^15 cores")]
    let per_pod = |total: f64| (total / f64::from(settled.max(1))).round() as i64;
    let counts = PodCounts {
        sampled: if cpu_milli.is_some() { settled } else { 0 },
        cpu_milli_per_sampled_pod: cpu_milli.map_or(0, per_pod),
        ..facts.pods.counts
    };
    let new = facts.pods.became_ready.iter().filter(|(at, _)| *at > start_ups_until);
    Observation {
        now,
        spec_replicas: scale.spec_replicas,
        status_replicas: scale.status_replicas,
        pods: Pods::Homogeneous(counts),
        metrics: read.metrics,
        start_ups: new.map(|(_, took)| *took).collect(),
    }
}

fn target_problem(failure: &Failure, spec: &ScalingPolicySpec) -> Problem {
    let target = format!("{} {}", spec.target_ref.kind, spec.target_ref.name);
    let (reason, message) = match failure.class() {
        ErrorClass::NotFound => (
            Reason::TargetNotFound,
            format!(
                "{target} does not exist, or its kind has no scale subresource: create it, or delete this policy and make one for another target"
            ),
        ),
        ErrorClass::Denied => (
            Reason::AccessDenied,
            format!(
                "the API server refuses to show the scale of {target}: if its kind has a scale subresource (a pod has none), grant the operator get on it"
            ),
        ),
        ErrorClass::Terminating => (Reason::NamespaceTerminating, "the namespace is being deleted".to_owned()),
        _ => (Reason::ApiUnavailable, format!("the API server did not show the scale of {target}; it is tried again")),
    };
    Problem::new(reason, message)
}

fn write_problem(failure: &Failure) -> Problem {
    let (reason, message) = match failure.class() {
        ErrorClass::Conflict => (Reason::WriteConflict, "the workload changed meanwhile; it is read anew"),
        ErrorClass::Denied => (
            Reason::AccessDenied,
            "the API server refuses the write: grant the operator patch on the scale subresource, or on HorizontalPodAutoscalers",
        ),
        ErrorClass::Terminating => (Reason::NamespaceTerminating, "the namespace is being deleted"),
        ErrorClass::NotFound => (Reason::TargetNotFound, "the workload is gone"),
        _ => (Reason::ApiUnavailable, "the API server did not take the write; it is tried again"),
    };
    Problem::new(reason, message)
}
