//! Requests of a source: their counts, moments and work, against what the fluid kernel sees and against theory.

use seatrial_core::rand::Stream;

use super::*;

const SLOT: Span = Span::from_secs(15);

fn source(counts: &[u32], start_s: i64, seed: u64) -> Source {
    let rates: Vec<f64> = counts.iter().map(|count| f64::from(*count) / 15.0).collect();
    let feed = Feed::counts(Timestamp::from_secs(start_s), SLOT, &rates);
    Source::new(3, 0, seed, Classes::default(), feed)
}

fn all(mut source: Source) -> Vec<Arrival> {
    core::iter::from_fn(|| source.advance().then(|| source.next.unwrap())).collect()
}

#[test]
fn every_slot_has_its_count_in_order() {
    let counts = [0, 1, 4_000, 700, 0, 12];
    let arrivals = all(source(&counts, 600, 1));
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
    for (slot, count) in counts.iter().enumerate() {
        let begin = Timestamp::from_secs(600) + SLOT * slot as i64;
        let within = arrivals.iter().filter(|arrival| arrival.at >= begin && arrival.at < begin + SLOT).count();
        assert_eq!(within, *count as usize, "slot {slot}");
    }
    let numbers: Vec<u64> = arrivals.iter().map(|arrival| arrival.request).collect();
    let expected: Vec<u64> = (0..4_713).map(|number| 3 << 48 | number).collect();
    assert_eq!(numbers, expected);
}

/// Kolmogorov and Smirnov: offsets in a slot of many spans are uniform, and so are the units of work.
#[test]
fn offsets_and_work_are_uniform() {
    let n = 100_000;
    let arrivals = all(source(&[n], 0, 2));
    let furthest = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let gap = |(index, value): (usize, &f64)| (value - (index as f64 + 0.5) / f64::from(n)).abs();
        values.iter().enumerate().map(gap).fold(0.0, f64::max)
    };
    // The 99.9 % quantile of the statistic is 1.95 / √n.
    let limit = 1.95 / f64::from(n).sqrt();
    let offsets = arrivals.iter().map(|arrival| arrival.at.micros() as f64 / 15e6).collect();
    let units = arrivals.iter().map(|arrival| arrival.work_unit).collect();
    for (name, distance) in [("offset", furthest(offsets)), ("work", furthest(units))] {
        assert!(distance < limit, "{name}: {distance}, limit {limit}");
    }
}

/// A run that starts a slot later meets the same requests in the slots that both have.
#[test]
fn draws_are_by_slot_since_the_origin() {
    let at_and_work = |arrivals: &[Arrival]| arrivals.iter().map(|a| (a.at, a.work_unit)).collect::<Vec<_>>();
    let (early, late) = (all(source(&[50, 2_000, 70], 0, 4)), all(source(&[2_000, 70], 15, 4)));
    assert_eq!(at_and_work(&early)[50..], at_and_work(&late));
    assert_ne!(at_and_work(&late), at_and_work(&all(source(&[2_000, 70], 15, 5))));
}

#[test]
fn splits_of_slots_are_not_those_of_bins() {
    let of = |entity| uniform(1, Stream::ArrivalSplit, entity, 0);
    assert_ne!(of(7), of(7 ^ OF_SLOTS));
}

#[test]
fn a_list_is_followed_from_the_start_on() {
    let request =
        |at_s: i64, tokens| ListedRequest { at: Timestamp::from_secs(at_s), input_tokens: tokens, output_tokens: 1 };
    let list: Arc<[ListedRequest]> = [request(1, 10), request(5, 20), request(5, 30), request(9, 40)].into();
    let feed = Feed::listed(list, Timestamp::from_secs(5));
    let arrivals = all(Source::new(0, 0, 1, Classes::default(), feed));
    let seen: Vec<_> = arrivals.iter().map(|arrival| (arrival.at, arrival.tokens)).collect();
    let at = Timestamp::from_secs;
    assert_eq!(seen, [(at(5), [20, 1]), (at(5), [30, 1]), (at(9), [40, 1])]);
    assert_ne!(arrivals[0].work_unit, arrivals[1].work_unit);
}
