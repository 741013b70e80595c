//! What the vectors leave out: creation of the new set, sets that count more available pods than they want, extremes, and
//! the promises of a rollout over random ones.

use proptest::prelude::*;

use super::*;

const NOTES: Notes = Notes { desired_replicas: 10, max_replicas: 13 };

fn set(name: u32, replicas: u32, available_replicas: u32) -> ReplicaSet {
    ReplicaSet { name, created: Timestamp::from_secs(i64::from(name)), replicas, available_replicas, notes: NOTES }
}

fn ten() -> Deployment {
    Deployment { replicas: 10, max_surge: Amount::Count(3), max_unavailable: Amount::Count(2) }
}

fn old(index: usize, replicas: u32) -> Write {
    Write { target: Target::Old(index), replicas }
}

#[test]
fn a_rollout_moves_even_where_neither_surge_nor_unavailability_is_allowed() {
    let stuck = |replicas| Deployment { replicas, max_surge: Amount::Percent(0), max_unavailable: Amount::Percent(3) };
    assert_eq!((stuck(10).surge(), stuck(10).unavailable()), (0, 1));
    assert_eq!(stuck(100).unavailable(), 3);
    assert_eq!(stuck(0).unavailable(), 0, "of nothing, nothing may be missing");
    let surging = Deployment { max_surge: Amount::Percent(1), ..stuck(10) };
    assert_eq!((surging.surge(), surging.unavailable()), (1, 0));
}

#[test]
fn a_new_set_starts_with_the_surge_and_without_room_empty() {
    assert_eq!(initial_replicas(&ten(), &[]), 10);
    assert_eq!(initial_replicas(&ten(), &[set(0, 10, 10)]), 3);
    assert_eq!(initial_replicas(&ten(), &[set(0, 8, 8), set(1, 6, 0)]), 0);
}

#[test]
fn the_examples_in_the_comments_of_the_original_hold() {
    // 10 replicas, 2 unavailable, 3 surge: old 8, new 5 that never become available; one old pod is lost.
    assert_eq!(sync(&ten(), &set(1, 5, 0), &[set(0, 8, 7)]), Writes::default());
    // Rolled back: the set with 8 is the new one again, the 5 broken pods may go, but only 13 - 8 - 1 = 4 of them.
    let back = sync(&ten(), &set(0, 8, 7), &[set(1, 5, 0)]);
    assert_eq!(back, Writes { action: Action::RollOld, sets: vec![old(0, 1)] });
    // Another template instead: both old sets can lose 5 together, the unhealthy first.
    let over = sync(&ten(), &set(2, 0, 0), &[set(0, 8, 8), set(1, 5, 0)]);
    assert_eq!(over, Writes { action: Action::RollOld, sets: vec![old(1, 0)] });
}

#[test]
fn a_set_that_is_still_shrinking_ends_the_sync() {
    // Oldest first: set 0 loses its unhealthy pod, set 1 wants 4 and counts 6; set 2 is not looked at any more.
    let sets = [set(2, 3, 0), set(0, 4, 3), set(1, 4, 6)];
    let writes = sync(&ten(), &set(3, 5, 5), &sets);
    assert_eq!(writes.sets, [old(1, 3)]);
    // 13 pods, 5 of them new and unavailable: nothing to spare, however many the old set still counts.
    assert_eq!(sync(&ten(), &set(1, 6, 1), &[set(0, 7, 9)]), Writes::default());
}

#[test]
fn an_adopted_set_is_not_needed_once_the_new_one_has_arrived() {
    let adopted = ReplicaSet { notes: Notes { desired_replicas: 4, max_replicas: 13 }, ..set(0, 4, 4) };
    let arrived = sync(&ten(), &set(1, 10, 10), &[adopted]);
    assert_eq!(arrived, Writes { action: Action::Scale, sets: vec![old(0, 0)] });
    // Not yet: one pod of 14 is too many, neither share changes, the largest gives it; the other is written for its notes.
    let new = Write { target: Target::New, replicas: 9 };
    assert_eq!(sync(&ten(), &set(1, 10, 9), &[adopted]).sets, [new, old(0, 4)]);
}

#[test]
fn extremes_do_not_panic() {
    let sizes = [0, 1, 7, u32::MAX];
    for (replicas, surge) in sizes.into_iter().flat_map(|size| sizes.map(|surge| (size, surge))) {
        for (new, available) in sizes.into_iter().flat_map(|size| sizes.map(|available| (size, available))) {
            let max_unavailable = Amount::Percent(surge);
            let deployment = Deployment { replicas, max_surge: Amount::Percent(surge), max_unavailable };
            let mut new = set(1, new, available);
            let sets = [set(0, available, new.replicas), set(2, surge, replicas)];
            for notes in [NOTES, deployment.notes(), Notes { desired_replicas: 1, max_replicas: 0 }] {
                new.notes = notes;
                let writes = sync(&deployment, &new, &sets);
                assert_eq!(writes.sets.is_empty(), writes.action == Action::None);
                assert!(writes.sets.len() <= 3);
            }
        }
    }
}

fn amounts() -> impl Strategy<Value = Amount> {
    prop_oneof![(0..20_u32).prop_map(Amount::Count), (0..=100_u32).prop_map(Amount::Percent)]
}

fn sets(largest: u32, notes: Notes) -> impl Strategy<Value = Vec<ReplicaSet>> {
    let sizes = (0..=largest).prop_flat_map(|replicas| (Just(replicas), 0..=replicas));
    proptest::collection::vec(sizes, 1..6).prop_map(move |sizes| {
        let noted = |(name, (replicas, available))| ReplicaSet { notes, ..set(name, replicas, available) };
        (0_u32..).zip(sizes).map(noted).collect()
    })
}

/// A Deployment and its up to five sets of up to `largest` pods, the new one last, all noted at a Deployment of `noted`
/// (`None`: of the present size).
fn worlds(largest: u32, noted: Option<u32>) -> impl Strategy<Value = (Deployment, Vec<ReplicaSet>)> {
    let deployment = (0..60_u32, amounts(), amounts());
    let deployment = deployment.prop_map(|(replicas, max_surge, max_unavailable)| Deployment {
        replicas,
        max_surge,
        max_unavailable,
    });
    deployment.prop_flat_map(move |deployment| {
        let noted = Deployment { replicas: noted.unwrap_or(deployment.replicas), ..deployment };
        (Just(deployment), sets(largest, noted.notes()))
    })
}

fn applied(sets: &[ReplicaSet], writes: &Writes, notes: Notes) -> Vec<ReplicaSet> {
    let mut after = sets.to_vec();
    for write in &writes.sets {
        let index = if let Target::Old(index) = write.target { index } else { sets.len() - 1 };
        let set = &mut after[index];
        *set = ReplicaSet { replicas: write.replicas, notes, ..*set };
        set.available_replicas = set.available_replicas.min(write.replicas);
    }
    after
}

fn replicas(sets: &[ReplicaSet]) -> u32 {
    sets.iter().map(|set| set.replicas).sum()
}

fn available(sets: &[ReplicaSet]) -> u32 {
    sets.iter().map(|set| set.available_replicas).sum()
}

proptest! {
    #[test]
    fn rolling_keeps_to_surge_and_availability((deployment, sets) in worlds(40, None)) {
        let (new, old) = sets.split_last().unwrap();
        let writes = sync(&deployment, new, old);
        prop_assert_ne!(writes.action, Action::Scale);
        let after = applied(&sets, &writes, deployment.notes());
        prop_assert!(replicas(&after) <= replicas(&sets).max(deployment.replicas + deployment.surge()));
        if writes.action == Action::RollOld {
            let least = deployment.replicas - deployment.unavailable();
            prop_assert!(available(&after) >= least.min(available(&sets)));
        }
    }

    #[test]
    fn a_rollout_of_good_pods_ends_with_the_new_set_alone((deployment, mut sets) in worlds(40, None)) {
        for _ in 0..200 {
            let (new, old) = sets.split_last().unwrap();
            let writes = sync(&deployment, new, old);
            sets = applied(&sets, &writes, deployment.notes());
            sets.iter_mut().for_each(|set| set.available_replicas = set.replicas);
        }
        let (new, old) = sets.split_last().unwrap();
        prop_assert_eq!((new.replicas, replicas(old)), (deployment.replicas, 0));
    }

    /// Wherever the sets kept to what they noted: five of at most 15 pods are within 77.
    #[test]
    fn a_changed_size_is_shared_out_whole((deployment, sets) in worlds(15, Some(77))) {
        let (new, old) = sets.split_last().unwrap();
        let writes = sync(&deployment, new, old);
        let after = applied(&sets, &writes, deployment.notes());
        let active = sets.iter().filter(|set| set.replicas > 0).count();
        let surge = if active > 1 && deployment.replicas > 0 { deployment.surge() } else { 0 };
        prop_assert_eq!(replicas(&after), deployment.replicas + surge);
    }
}
