//! One run, however it is cut: twice, in steps, with pauses, and as a fork of another.

use super::*;
use crate::events::Stop;

fn started(case: &(ScenarioSpec, Inputs)) -> WorldSimulation {
    World::simulation(&case.0, &case.1, &everything()).unwrap()
}

#[test]
fn a_run_gives_the_same_bytes_again_in_steps_and_as_a_fork() {
    let case = eventful();
    let whole = run(&case, &everything());
    assert_eq!(whole, run(&case, &everything()), "again");

    let mut stepped = started(&case);
    while !stepped.model.timing.is_over {
        assert!(stepped.step().unwrap().is_some(), "nothing is pending before the end");
    }
    assert_eq!(World::outcome(stepped).unwrap(), whole, "in steps");

    let mut origin = started(&case);
    for second in [13, 130, 155, 156, 210] {
        assert_eq!(origin.run_until(Timestamp::from_secs(second)), Ok(Stop::Limit));
        let mut fork = origin.clone();
        assert_eq!(fork.run_until(Timestamp::from_secs(1_000)), Ok(Stop::Paused));
        assert_eq!(World::outcome(fork).unwrap(), whole, "forked after {second} s");
    }
    origin.run_until(origin.model.end()).unwrap();
    assert_eq!(World::outcome(origin).unwrap(), whole, "its forks left it alone");
}

/// A counterfactual: the same past, another future.
#[test]
fn a_fork_that_is_told_otherwise_goes_its_own_way() {
    let case = scenario(&json!({ "services": { "web": web(3) } }), &[140.0]);
    let mut left = started(&case);
    left.run_until(Timestamp::from_secs(150)).unwrap();
    let mut right = left.clone();
    right.model.cluster.scale(ServiceId(0), 6, &mut right.queue).unwrap();
    right.model.pass_on(&mut right.queue).unwrap();
    for simulation in [&mut left, &mut right] {
        simulation.run_until(Timestamp::from_secs(300)).unwrap();
    }
    let [left, right] = [left, right].map(|simulation| World::outcome(simulation).unwrap());
    assert!(right.total.pod_seconds() > left.total.pod_seconds() + 400.0);
    assert!(right.total.bad_requests < left.total.bad_requests);
    let rows = |outcome: &Outcome| outcome.timeline.as_ref().unwrap().client_rows[..10].to_vec();
    assert_eq!(rows(&left), rows(&right), "the same past");
    assert_eq!(left.conservation.offered, right.conservation.offered, "the same traffic");
}
