//! The buckets of the balancer against a plain list.

use proptest::prelude::*;

use super::*;

fn balancer(kind: Balancing, pods: u32) -> Balancer {
    let mut balancer = Balancer::new(kind);
    (0..pods).for_each(|slot| balancer.join(slot, 0));
    balancer
}

#[test]
fn round_robin_goes_on_where_a_pod_left() {
    let mut balancer = balancer(Balancing::RoundRobin, 4);
    let take = |balancer: &mut Balancer| balancer.pick(|| [0; 4], |_| 0).unwrap();
    assert_eq!([take(&mut balancer), take(&mut balancer)], [0, 1]);
    balancer.leave(0);
    assert_eq!([take(&mut balancer), take(&mut balancer), take(&mut balancer)], [2, 3, 1]);
    balancer.leave(9);
    balancer.join(0, 0);
    assert_eq!([take(&mut balancer), take(&mut balancer), take(&mut balancer)], [2, 3, 0]);
}

#[test]
fn nobody_is_picked_where_nobody_is() {
    for kind in
        [Balancing::Shared, Balancing::RoundRobin, Balancing::Random, Balancing::LeastRequest, Balancing::PowerOfTwo]
    {
        assert_eq!(balancer(kind, 0).pick(|| [u32::MAX; 4], |_| 0), None);
        let mut one = balancer(kind, 1);
        assert_eq!(one.pick(|| [u32::MAX; 4], |_| 0), Some(0));
        one.leave(0);
        assert_eq!((one.pick(|| [0; 4], |_| 0), one.ready()), (None, 0));
    }
}

#[test]
fn two_choices_are_different_and_the_lesser_wins() {
    let mut balancer = balancer(Balancing::PowerOfTwo, 3);
    let load = |slot: u32| [5, 3, 4][slot as usize];
    let third = u32::MAX / 3;
    let mut of = |first: u32, second: u32| balancer.pick(|| [first, second, 0, 0], load).unwrap();
    // Places 0 and 1, 0 and 2, 2 and 0, 1 and 2.
    assert_eq!([of(0, 0), of(0, u32::MAX), of(u32::MAX, 0), of(third + 9, u32::MAX)], [1, 2, 2, 1]);
}

#[test]
fn a_random_pick_is_uniform() {
    let mut balancer = balancer(Balancing::Random, 5);
    let mut counts = [0_u32; 5];
    for index in 0..50_000_u32 {
        let words = || seatrial_core::rand::draw(1, seatrial_core::rand::Stream::Balancing, 0, index);
        counts[balancer.pick(words, |_| 0).unwrap() as usize] += 1;
    }
    let deviation = (50_000.0_f64 * 0.2 * 0.8).sqrt();
    assert!(counts.iter().all(|count| (f64::from(*count) - 10_000.0).abs() < 4.0 * deviation), "{counts:?}");
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Join(u32, u32),
    Leave(u32),
    Set(u32, u32),
}

fn any_do() -> impl Strategy<Value = Do> {
    prop_oneof![
        (0_u32..8, 0_u32..6).prop_map(|(slot, load)| Do::Join(slot, load)),
        (0_u32..8).prop_map(Do::Leave),
        (0_u32..8, 0_u32..6).prop_map(|(slot, load)| Do::Set(slot, load)),
    ]
}

proptest! {
    /// Against a list that is searched: the least load, and among equals the one that has had it for longest.
    #[test]
    fn the_least_is_the_one_that_a_search_finds(steps in prop::collection::vec(any_do(), 0..200)) {
        let mut balancer = Balancer::new(Balancing::LeastRequest);
        let mut known: Vec<(u32, u32)> = Vec::new();
        for step in steps {
            match step {
                Do::Join(slot, load) if known.iter().all(|(other, _)| *other != slot) => {
                    balancer.join(slot, load);
                    known.push((slot, load));
                }
                Do::Leave(slot) => {
                    balancer.leave(slot);
                    known.retain(|(other, _)| *other != slot);
                }
                Do::Set(slot, load) if known.iter().any(|(other, old)| *other == slot && *old != load) => {
                    balancer.set_load(slot, load);
                    known.retain(|(other, _)| *other != slot);
                    known.push((slot, load));
                }
                _ => {}
            }
            let expected = known.iter().min_by_key(|(_, load)| *load).map(|(slot, _)| *slot);
            prop_assert_eq!(balancer.pick(|| [0; 4], |_| 0), expected);
        }
    }
}
