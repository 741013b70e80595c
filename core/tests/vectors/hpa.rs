//! The golden vectors of the HorizontalPodAutoscaler: what the real controller decided, case by case, all of it exact.

mod cases;

use std::collections::BTreeMap;

use cases::{CalculatorCase, Expected, PodCase, Rules, SequenceCase};
use seatrial_core::scaling::policies::hpa::behavior::{Behavior, EffectiveBehavior};
use seatrial_core::scaling::policies::hpa::calculator::{Answer, MetricError, Tolerances};
use seatrial_core::scaling::policies::hpa::controller::{Outcome, Spec, World};
use seatrial_core::scaling::policies::hpa::memory::Memory;
use seatrial_core::scaling::policies::hpa::status::Status;
use seatrial_core::time::{Span, Timestamp};

use crate::reader::{Difference, run};

#[test]
fn vectors_of_the_calculator() {
    run("hpa_calculator", |case: &CalculatorCase| {
        let config = case.config;
        let tolerances = Tolerances { down: config.tolerance_down, up: config.tolerance_up };
        let grouping = config.grouping(case.now_us, case.resource.as_deref(), case.target);
        let reading = case.reading.to_reading(&case.pods, case.metric_ref(), &grouping);
        let got = case.spec().ask(&reading, tolerances, case.current_replicas, case.current_replicas);
        let got = Expected {
            error: got.as_ref().err().map(|error| code(*error).to_owned()),
            replicas: got.as_ref().ok().map(|answer| answer.replicas),
            utilization_percent: got.as_ref().ok().and_then(|answer: &Answer| answer.utilization_percent),
            usage_milli: got.as_ref().ok().and_then(|answer| answer.usage_milli),
        };
        Difference::between(case.id, None, &case.expect, &got)
    });
}

const fn code(error: MetricError) -> &'static str {
    match error {
        MetricError::MetricsUnavailable => "metrics_unavailable",
        MetricError::NoPods => "no_pods",
        MetricError::NoUsableSamples => "no_usable_samples",
        MetricError::MissingRequest { .. } => "missing_request",
        MetricError::NoMatchingSamples => "no_matching_samples",
    }
}

#[test]
fn vectors_of_whole_sequences() {
    run("hpa_sequences", |case: &SequenceCase| {
        let effective = case.spec.behavior.as_ref().map(|given| Behavior::from(given).effective());
        let expected = case.behavior_effective.as_ref().map(as_effective);
        Difference::between(case.id, None, &expected, &effective)?;
        Replay::new(case, effective).run()
    });
}

fn as_effective(given: &cases::BehaviorCase) -> EffectiveBehavior {
    let rules = |rules: &Rules| rules.as_effective();
    EffectiveBehavior {
        up: rules(given.scale_up.as_ref().expect("defaulted")),
        down: rules(given.scale_down.as_ref().expect("defaulted")),
    }
}

/// One sequence under way.
struct Replay<'a> {
    case: &'a SequenceCase,
    spec: Spec,
    pods: BTreeMap<String, PodCase>,
    memory: Memory,
    status: Status,
}

impl<'a> Replay<'a> {
    fn new(case: &'a SequenceCase, behavior: Option<EffectiveBehavior>) -> Self {
        let config = &case.config;
        let direction =
            |given: Option<f64>| given.filter(|_| config.configurable_tolerance).unwrap_or(config.tolerance);
        let tolerances = Tolerances {
            down: direction(behavior.as_ref().and_then(|rules| rules.down.tolerance)),
            up: direction(behavior.as_ref().and_then(|rules| rules.up.tolerance)),
        };
        let spec = Spec {
            min_replicas: case.spec.min_replicas.unwrap_or(1),
            max_replicas: case.spec.max_replicas,
            metrics: case.spec.metrics.iter().map(cases::MetricCase::to_spec).collect(),
            behavior,
            tolerances,
            downscale_stabilization: Span::from_micros(config.downscale_stabilization_us),
        };
        Self { case, spec, pods: BTreeMap::new(), memory: Memory::default(), status: Status::default() }
    }

    fn run(&mut self) -> Result<(), Difference> {
        for (index, step) in self.case.steps.iter().enumerate() {
            let outcome = self.step(step);
            let got = cases::StepExpected::of(&outcome, &self.status);
            Difference::between(self.case.id, Some(index), &step.expect, &got)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &cases::Step) -> Outcome {
        for gone in &step.pods_gone {
            self.pods.remove(gone);
        }
        for pod in &step.pods_set {
            self.pods.insert(pod.name.clone(), pod.clone());
        }
        if let Some(edited) = &step.new_spec {
            self.spec.min_replicas = edited.min_replicas.unwrap_or(1);
            self.spec.max_replicas = edited.max_replicas;
        }
        if step.controller_restarted {
            self.memory = Memory::default();
        }
        let pods: Vec<PodCase> = self.pods.values().cloned().collect();
        let readings = self.case.spec.metrics.iter().zip(&step.readings).map(|(metric, reading)| {
            let grouping = self.case.config.grouping(step.now_us, metric);
            reading.to_reading(&pods, metric.metric_ref(), &grouping)
        });
        let world = World {
            spec_replicas: (!step.scale_get_fails).then_some(step.scale_spec_replicas),
            status_replicas: step.scale_status_replicas,
            readings: readings.collect(),
            write_fails: step.scale_update_fails,
        };
        self.spec.sync(Timestamp::from_micros(step.now_us), &world, &mut self.memory, &mut self.status)
    }
}
