//! What the vectors cannot show: more pods than they hold, cycles, ages next to a power of two.

use super::*;

fn pod(uid: u128) -> Pod {
    Pod {
        uid,
        node: Some(0),
        phase: Phase::Running,
        ready_since: Some(Timestamp::from_secs(100)),
        created: Timestamp::from_secs(90),
        max_restarts: 0,
        deletion_cost: 0,
        of_sibling: false,
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_000);

#[test]
fn powers_of_two_are_those_of_doubles_in_nanoseconds() {
    let power = |micros| power_of_two(Span::from_micros(micros));
    assert_eq!([power(-5), power(0)], [-1, -1]);
    // 1 us is 1,000 ns, between 2^9 and 2^10; 1 s is 2^29.897 ns; 2^29 us * 1,000 is 2^38.966 ns.
    assert_eq!([power(1), power(1_000_000), power(1 << 29)], [9, 29, 38]);
    // 1,000 * 2^k us is never a power of two, but 512,000 ns = 1,000 * 2^9 lies between 2^18 and 2^19.
    assert_eq!(power(512), 18);
    // 976 ns below 2^60 ns: an exact logarithm is cut to 59, the double is 60.
    assert_eq!(power(1_152_921_504_606_846), 60);
    assert_eq!(power(1_152_921_000_000_000), 59);
    assert_eq!(power(i64::MAX), 63, "saturates");
}

#[test]
fn all_pods_go_in_the_order_in_which_they_came_and_none_where_none_is_asked_for() {
    let pods = [pod(3), Pod { of_sibling: true, ..pod(9) }, Pod { ready_since: None, ..pod(1) }];
    let mut victims = Victims::default();
    assert_eq!(victims.choose(&pods, 2, NOW), [0, 2]);
    assert_eq!(victims.choose(&pods, usize::MAX, NOW), [0, 2]);
    assert_eq!(victims.choose(&pods, 1, NOW), [2]);
    assert!(victims.choose(&pods, 0, NOW).is_empty());
    assert!(victims.choose(&[], 0, NOW).is_empty());
}

#[test]
fn a_cycle_of_three_ends_as_insertion_leaves_it_and_a_large_one_ends() {
    // 1 and 3 became ready together: 3 restarted more and goes first. 2 is of their power: by uid 1 < 2 < 3.
    let second = Pod { ready_since: Some(Timestamp::from_secs(101)), ..pod(2) };
    let cycle = [pod(1), Pod { max_restarts: 1, ..pod(3) }, second];
    let mut victims = Victims::default();
    // 3 passes 1; then 2 is compared with 1 only, and stays.
    assert_eq!(victims.choose(&cycle, 2, NOW), [1, 0]);
    let many: Vec<Pod> = (0..100).flat_map(|_| cycle).collect();
    let mut removed = victims.choose(&many, 299, NOW).to_vec();
    removed.sort_unstable();
    removed.dedup();
    assert_eq!(removed.len(), 299);
}

#[test]
fn the_heap_takes_what_a_full_sort_takes() {
    // No cycles: all moments differ. The reference is a sort by the documented order, written as one key.
    let pods: Vec<Pod> = (0..500_u32)
        .map(|i| Pod {
            uid: u128::from(i.wrapping_mul(2_654_435_761)),
            node: (i % 7 != 0).then_some(i * i % 23),
            phase: [Phase::Running, Phase::Pending, Phase::Unknown][(i % 11 / 5) as usize],
            ready_since: (i % 3 != 0).then(|| Timestamp::from_micros(i64::from(i) * 1_900_000 + 7)),
            created: Timestamp::from_micros(i64::from(i) * 1_900_000),
            deletion_cost: (i % 5) as i32 - 2,
            max_restarts: i % 4,
            of_sibling: i % 13 == 0,
        })
        .collect();
    let on_node = |node| pods.iter().filter(|other| other.node == node).count();
    let power = |since: Timestamp| (NOW.since(since).micros() * 1_000).ilog2();
    let mut expected: Vec<usize> = (0..pods.len()).filter(|index| !pods[*index].of_sibling).collect();
    expected.sort_by_key(|index| {
        let pod = &pods[*index];
        let place = (pod.node.is_some(), pod.phase, pod.ready_since.is_some(), pod.deletion_cost);
        let readiness = pod.ready_since.map(|since| (power(since), pod.uid));
        (place, Reverse(on_node(pod.node)), readiness, Reverse(pod.max_restarts), power(pod.created), pod.uid)
    });
    let mut victims = Victims::default();
    for remove in [1, 50, expected.len() - 1] {
        assert_eq!(victims.choose(&pods, remove, NOW), &expected[..remove]);
    }
}
