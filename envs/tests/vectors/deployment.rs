//! The golden vectors of rollouts: what the Deployment controller of Kubernetes 1.34.10 writes, sync by sync; all exact.

use std::collections::BTreeMap;

use seatrial_core::time::Timestamp;
use seatrial_envs::cluster::deployment::{
    Action, Amount, Deployment, Notes, ReplicaSet, Target, Writes, sync, sync_into,
};
use serde::Deserialize;

use crate::reader::{Difference, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: u64,
    #[serde(rename = "class")]
    _class: String,
    max_surge: String,
    max_unavailable: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    deployment_replicas: u32,
    new_replica_set: Set,
    old_replica_sets: Vec<Set>,
    expect_action: String,
    expect_writes: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    name: String,
    created_s: i64,
    replicas: u32,
    available_replicas: u32,
    desired_replicas_annotation: u32,
    max_replicas_annotation: u32,
}

#[test]
fn vectors_of_rollouts() {
    run("deployment_rollouts", |case: &Case| {
        let mut reused = Writes::default();
        for (index, step) in case.steps.iter().enumerate() {
            let deployment = deployment(case, step);
            let (new, old) = interned(step);
            let writes = sync(&deployment, &new, &old);
            Difference::between(case.id, Some(index), &expected(step), &named(step, &writes))?;
            sync_into(&deployment, &new, &old, &mut reused);
            Difference::between(case.id, Some(index), &writes, &reused)?;
            // The order of the argument is the caller's affair.
            let reversed: Vec<ReplicaSet> = old.iter().rev().copied().collect();
            let mirrored = sync(&deployment, &new, &reversed);
            let back = mirrored.sets.iter().map(|at| match at.target {
                Target::New => ("new", at.replicas),
                Target::Old(at_index) => (step.old_replica_sets[old.len() - 1 - at_index].name.as_str(), at.replicas),
            });
            Difference::between(case.id, Some(index), &expected(step).1, &back.collect())?;
            follow_on(case, index, &deployment)?;
        }
        Ok(())
    });
}

/// What this sync writes and notes is what the next one finds.
fn follow_on(case: &Case, index: usize, deployment: &Deployment) -> Result<(), Difference> {
    let Some(next) = case.steps.get(index + 1) else { return Ok(()) };
    for set in next.old_replica_sets.iter().chain([&next.new_replica_set]) {
        if let Some(written) = case.steps[index].expect_writes.get(&set.name) {
            let noted = (set.replicas, set.notes());
            Difference::between(case.id, Some(index), &noted, &(*written, deployment.notes()))?;
        }
    }
    Ok(())
}

fn deployment(case: &Case, step: &Step) -> Deployment {
    let max_surge = amount(&case.max_surge);
    Deployment { replicas: step.deployment_replicas, max_surge, max_unavailable: amount(&case.max_unavailable) }
}

fn amount(text: &str) -> Amount {
    match text.strip_suffix('%') {
        Some(percent) => Amount::Percent(percent.parse().expect("amounts of the cases are numbers")),
        None => Amount::Count(text.parse().expect("amounts of the cases are numbers")),
    }
}

impl Set {
    fn notes(&self) -> Notes {
        Notes { desired_replicas: self.desired_replicas_annotation, max_replicas: self.max_replicas_annotation }
    }

    fn interned(&self, names: &[&str]) -> ReplicaSet {
        ReplicaSet {
            name: names.iter().position(|name| *name == self.name).expect("all names are there") as u32,
            created: Timestamp::from_secs(self.created_s),
            replicas: self.replicas,
            available_replicas: self.available_replicas,
            notes: self.notes(),
        }
    }
}

fn interned(step: &Step) -> (ReplicaSet, Vec<ReplicaSet>) {
    let mut names: Vec<&str> = step.old_replica_sets.iter().map(|set| set.name.as_str()).collect();
    names.push(&step.new_replica_set.name);
    names.sort_unstable();
    let old = step.old_replica_sets.iter().map(|set| set.interned(&names)).collect();
    (step.new_replica_set.interned(&names), old)
}

type Answer<'a> = (&'a str, BTreeMap<&'a str, u32>);

fn expected(step: &Step) -> Answer<'_> {
    let writes = step.expect_writes.iter().map(|(name, replicas)| (name.as_str(), *replicas));
    (&step.expect_action, writes.collect())
}

fn named<'a>(step: &'a Step, writes: &Writes) -> Answer<'a> {
    let action = match writes.action {
        Action::None => "none",
        Action::Scale => "scale",
        Action::RollNew => "roll new",
        Action::RollOld => "roll old",
    };
    let sets = writes.sets.iter().map(|at| match at.target {
        Target::New => (step.new_replica_set.name.as_str(), at.replicas),
        Target::Old(index) => (step.old_replica_sets[index].name.as_str(), at.replicas),
    });
    (action, sets.collect())
}
