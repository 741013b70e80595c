//! The work queue against a reference that was written from its rules alone: an unsorted list that is searched anew each time.

use proptest::prelude::*;
use seatrial_core::control::work_queue::{Priority, WorkQueue};
use seatrial_core::time::{Span, Timestamp};

const KEYS: u8 = 8;

#[derive(Clone, Copy, Debug)]
enum Op {
    Add { key: u8, level: usize },
    AddAfter { key: u8, level: usize, delay: i64 },
    Get,
    Done { which: u8 },
    Remove { key: u8 },
    Pass { time: i64 },
}

fn op() -> impl Strategy<Value = Op> {
    let (key, level) = (0..KEYS, 0..Priority::ALL.len());
    prop_oneof![
        4 => (key.clone(), level.clone()).prop_map(|(key, level)| Op::Add { key, level }),
        3 => (key.clone(), level, -5_i64..40).prop_map(|(key, level, delay)| Op::AddAfter { key, level, delay }),
        5 => Just(Op::Get),
        4 => any::<u8>().prop_map(|which| Op::Done { which }),
        1 => key.prop_map(|key| Op::Remove { key }),
        3 => (0_i64..15).prop_map(|time| Op::Pass { time }),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u8,
    level: usize,
    ready: i64,
    arrival: u64,
}

/// The rules, taken literally.
#[derive(Default)]
struct Reference {
    entries: Vec<Entry>,
    running: Vec<(u8, i64)>,
    arrivals: u64,
}

impl Reference {
    fn add(&mut self, key: u8, level: usize, ready: i64) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => {
                entry.level = entry.level.max(level);
                entry.ready = entry.ready.min(ready);
            }
            None => {
                self.arrivals += 1;
                self.entries.push(Entry { key, level, ready, arrival: self.arrivals });
            }
        }
    }

    fn is_running(&self, key: u8) -> bool {
        self.running.iter().any(|(other, _)| *other == key)
    }

    fn eligible(&self) -> Vec<Entry> {
        self.entries.iter().copied().filter(|entry| !self.is_running(entry.key)).collect()
    }

    fn get(&mut self, now: i64, ageing: i64) -> Option<Entry> {
        let mut ready = self.eligible();
        ready.retain(|entry| entry.ready <= now);
        ready.sort_by_key(|entry| {
            let aged = now - entry.ready >= ageing;
            // The aged come first, by age alone; the others by falling level, then by age.
            (!aged, if aged { 0 } else { Priority::ALL.len() - entry.level }, entry.ready, entry.arrival)
        });
        let taken = *ready.first()?;
        self.entries.retain(|entry| entry.key != taken.key);
        self.running.push((taken.key, now));
        Some(taken)
    }

    fn depth(&self, level: usize, now: i64) -> usize {
        self.eligible().iter().filter(|entry| entry.level == level && entry.ready <= now).count()
    }
}

fn at(time: i64) -> Timestamp {
    Timestamp::from_micros(time)
}

struct Pair {
    queue: WorkQueue<u8>,
    reference: Reference,
    ageing: i64,
    now: i64,
}

impl Pair {
    fn apply(&mut self, op: Op) {
        match op {
            Op::Add { key, level } => self.add(key, level, self.now),
            Op::AddAfter { key, level, delay } => self.add(key, level, self.now + delay),
            Op::Get => self.get(),
            Op::Done { which } => self.done(which),
            Op::Remove { key } => {
                let waited = self.reference.entries.iter().any(|entry| entry.key == key);
                self.reference.entries.retain(|entry| entry.key != key);
                assert_eq!(self.queue.remove(&key), waited);
            }
            Op::Pass { time } => self.now += time,
        }
        self.compare();
    }

    fn add(&mut self, key: u8, level: usize, ready: i64) {
        self.queue.add_after(key, Priority::ALL[level], at(ready));
        self.reference.add(key, level, ready);
    }

    fn get(&mut self) {
        let before = self.reference.eligible();
        let taken = self.queue.get(at(self.now));
        if let Some(taken) = &taken {
            assert!(!self.reference.is_running(taken.key), "{} is handed out twice at once", taken.key);
            let ready = self.now - taken.waited.micros();
            for aged in before.iter().filter(|entry| self.now - entry.ready >= self.ageing) {
                assert!(ready <= aged.ready, "{} overtook {}, which was over the bound", taken.key, aged.key);
            }
        }
        let expected = self.reference.get(self.now, self.ageing);
        let as_tuple = taken.map(|taken| (taken.key, taken.priority as usize, taken.waited.micros()));
        assert_eq!(as_tuple, expected.map(|entry| (entry.key, entry.level, self.now - entry.ready)));
    }

    fn done(&mut self, which: u8) {
        if self.reference.running.is_empty() {
            assert_eq!(self.queue.done(&which, at(self.now)), None);
            return;
        }
        let index = usize::from(which) % self.reference.running.len();
        let (key, started) = self.reference.running.remove(index);
        assert_eq!(self.queue.done(&key, at(self.now)), Some(Span::from_micros(self.now - started)));
    }

    fn compare(&self) {
        let (queue, reference, now) = (&self.queue, &self.reference, self.now);
        assert_eq!(queue.len(), reference.entries.len());
        assert_eq!(queue.next_at(), reference.eligible().iter().map(|entry| at(entry.ready)).min());
        for (level, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(queue.depth(priority, at(now)), reference.depth(level, now));
        }
        let runs = || reference.running.iter().map(|(_, started)| now - started);
        assert_eq!(queue.running(), reference.running.len());
        assert_eq!(queue.unfinished(at(now)).micros(), runs().sum::<i64>());
        assert_eq!(queue.longest_running(at(now)).micros(), runs().max().unwrap_or(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_reference_after_every_step(ops in proptest::collection::vec(op(), 1..120), ageing in 0_i64..60) {
        let queue = WorkQueue::new(Span::from_micros(ageing));
        let mut pair = Pair { queue, reference: Reference::default(), ageing, now: 0 };
        for op in ops {
            pair.apply(op);
        }
    }

    /// Without the reference: each key that was added since it was last handed out comes out, exactly once.
    #[test]
    fn no_key_is_lost(ops in proptest::collection::vec(op(), 1..120)) {
        let mut queue = WorkQueue::new(Span::from_micros(20));
        let (mut owed, mut running, mut now) = ([false; KEYS as usize], Vec::new(), 0);
        for op in ops {
            match op {
                Op::Add { key, level } | Op::AddAfter { key, level, .. } => {
                    let delay = if let Op::AddAfter { delay, .. } = op { delay } else { 0 };
                    queue.add_after(key, Priority::ALL[level], at(now + delay));
                    owed[usize::from(key)] = true;
                }
                Op::Get => if let Some(taken) = queue.get(at(now)) {
                    prop_assert!(std::mem::take(&mut owed[usize::from(taken.key)]));
                    prop_assert!(!running.contains(&taken.key));
                    running.push(taken.key);
                },
                Op::Done { which } => if !running.is_empty() {
                    let key = running.swap_remove(usize::from(which) % running.len());
                    prop_assert!(queue.done(&key, at(now)).is_some());
                },
                Op::Remove { .. } => {}
                Op::Pass { time } => now += time,
            }
        }
        for key in running {
            queue.done(&key, at(now));
        }
        while let Some(taken) = queue.get(at(now + 40)) {
            prop_assert!(std::mem::take(&mut owed[usize::from(taken.key)]));
            queue.done(&taken.key, at(now + 40));
        }
        prop_assert_eq!(owed, [false; KEYS as usize]);
        prop_assert!(queue.is_empty());
    }

    /// One worker that takes a key each microsecond, whatever floods in: whoever is ready for the bound waits no longer than
    /// it takes to serve those that were ready before it.
    #[test]
    fn the_bound_on_waiting_holds(arrivals in proptest::collection::vec((0_i64..60, 0_usize..4), 1..200), ageing in 0_i64..40) {
        let mut queue = WorkQueue::new(Span::from_micros(ageing));
        for (key, (time, level)) in arrivals.iter().enumerate() {
            queue.add_after(key, Priority::ALL[*level], at(*time));
        }
        for now in 0..300 {
            let Some(taken) = queue.get(at(now)) else { continue };
            queue.done(&taken.key, at(now));
            let came = arrivals[taken.key].0;
            let older = arrivals.iter().filter(|(time, _)| *time <= came).count() as i64;
            prop_assert!(now - came <= ageing + older, "waited {} with {older} older", now - came);
        }
        prop_assert!(queue.is_empty());
    }
}
