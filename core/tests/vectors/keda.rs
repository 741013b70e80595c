//! The golden vectors of KEDA 2.21.0: activation and idling poll by poll, and the fallback reading by reading.

use seatrial_core::scaling::policies::keda::activation::{Activation, Activity, Pauses, Poll, Verdict};
use seatrial_core::scaling::policies::keda::fallback::{Fallback, Scale, Served, Target, TargetKind, serve};
use seatrial_core::time::{Span, Timestamp};
use serde::Deserialize;

use crate::reader::{Difference, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivationCase {
    id: u64,
    config: ActivationConfig,
    steps: Vec<PollStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivationConfig {
    min_replica_count: Option<i32>,
    idle_replica_count: Option<i32>,
    cooldown_period_seconds: Option<i64>,
    initial_cooldown_period_seconds: Option<i64>,
    fallback: Option<FallbackCase>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FallbackCase {
    replicas: u32,
    failure_threshold: u32,
    behavior: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PollStep {
    at_us: i64,
    replicas: i32,
    is_active: bool,
    is_error: bool,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    paused_scale_in: bool,
    #[serde(default)]
    paused_scale_out: bool,
    #[serde(default)]
    force_activation: bool,
    #[serde(default)]
    scale_update_fails: bool,
    expect: PollExpected,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct PollExpected {
    scaled_to: Option<i32>,
    error: bool,
    active_reason: String,
    ready_reason: String,
    last_active_us: Option<i64>,
}

#[test]
fn vectors_of_activation() {
    run("keda_activation", |case: &ActivationCase| {
        let activation = case.config.to_activation();
        let mut activity = Activity::default();
        for (index, step) in case.steps.iter().enumerate() {
            let verdict = activation.poll(Timestamp::from_micros(step.at_us), &step.to_poll(), &mut activity);
            let got = PollExpected::of(&verdict, &activity);
            Difference::between(case.id, Some(index), &step.expect, &got)?;
        }
        Ok(())
    });
}

impl ActivationConfig {
    /// The defaults are those of the API.
    fn to_activation(&self) -> Activation {
        Activation {
            min_replicas: self.min_replica_count.unwrap_or(0),
            idle_replicas: self.idle_replica_count,
            cooldown: Span::from_secs(self.cooldown_period_seconds.unwrap_or(300)),
            initial_cooldown: Span::from_secs(self.initial_cooldown_period_seconds.unwrap_or(0)),
            fallback_replicas: self
                .fallback
                .as_ref()
                .map(|fallback| i32::try_from(fallback.replicas).expect("an i32 of the API")),
        }
    }
}

impl PollStep {
    fn to_poll(&self) -> Poll {
        Poll {
            replicas: self.replicas,
            is_active: self.is_active,
            is_error: self.is_error,
            pauses: Pauses {
                all: self.paused,
                scale_in: self.paused_scale_in,
                scale_out: self.paused_scale_out,
                force_activation: self.force_activation,
            },
            write_fails: self.scale_update_fails,
        }
    }
}

impl PollExpected {
    fn of(verdict: &Verdict, activity: &Activity) -> Self {
        Self {
            scaled_to: verdict.scaled_to,
            error: verdict.failed(),
            active_reason: verdict.active.map(|reason| reason.label().to_owned()).unwrap_or_default(),
            ready_reason: verdict.ready.label().to_owned(),
            last_active_us: activity.last_active.map(Timestamp::micros),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingsCase {
    id: u64,
    target_type: TargetKind,
    target_milli: i64,
    fallback: Option<FallbackCase>,
    steps: Vec<ReadingStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingStep {
    fails: bool,
    value_milli: i64,
    replicas: i32,
    ready_pods: i32,
    expect: ReadingExpected,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingExpected {
    error: bool,
    value_milli: Option<i64>,
    is_fallback: bool,
    failures: u32,
}

/// All exact: the one thousandth that the family allows on values is not needed.
#[test]
fn vectors_of_fallback() {
    run("keda_fallback", |case: &ReadingsCase| {
        let fallback = case.fallback.as_ref().map(FallbackCase::to_fallback);
        let target = Target { kind: case.target_type, milli: case.target_milli };
        let mut failures = 0;
        for (index, step) in case.steps.iter().enumerate() {
            let reading = (!step.fails).then_some(step.value_milli);
            let scale = Scale { replicas: step.replicas, ready_pods: step.ready_pods };
            let served = serve(fallback.as_ref(), reading, target, scale, &mut failures);
            Difference::between(case.id, Some(index), &step.expect, &ReadingExpected::of(served, failures))?;
        }
        Ok(())
    });
}

impl FallbackCase {
    /// Through the config's own reader, so that its names are tested too.
    fn to_fallback(&self) -> Fallback {
        serde_json::from_value(serde_json::json!({
            "replicas": self.replicas, "failureThreshold": self.failure_threshold, "behavior": self.behavior,
        }))
        .expect("the behaviours of the cases exist")
    }
}

impl ReadingExpected {
    fn of(served: Option<Served>, failures: u32) -> Self {
        Self {
            error: served.is_none(),
            value_milli: served.map(|served| served.milli),
            is_fallback: served.is_some_and(|served| served.is_fallback),
            failures,
        }
    }
}
