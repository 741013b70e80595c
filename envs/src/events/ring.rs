//! A ring of buckets, each a span of virtual time, each an unsorted chain of chunks from one shared pool.
//!
//! Chains of chunks rather than a vector per bucket: a burst at one instant may fill a bucket with anything up to the
//! whole queue, an empty bucket costs eight bytes, a freed chunk is reused while it is still in cache, and a clone copies
//! four flat vectors. A bitmap of occupied buckets lets a quiet stretch be skipped 64 buckets at a time.
//!
//! Invariants: bucket number `n` lies in slot `n mod buckets`; all numbers held at a time lie within one turn of the ring
//! (the queue sees to it), so a slot never mixes two numbers; a bit is set exactly if its bucket holds something; every
//! chunk is in one chain or in the free list.

use seatrial_core::time::Timestamp;

use super::entry::Entry;

/// Entries per chunk: small enough that half-filled last chunks stay cheap, large enough to be read as a stream.
const CHUNK: usize = 16;
/// End of a chain.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The chunk filled last; all behind it in the chain are full.
    newest: u32,
    len: u32,
}

const EMPTY: Bucket = Bucket { newest: NONE, len: 0 };

#[derive(Clone, Debug)]
pub(super) struct Ring<E> {
    /// A bucket is 2^`shift` microseconds wide.
    shift: u32,
    buckets: Vec<Bucket>,
    occupied: Vec<u64>,
    pool: Vec<Entry<E>>,
    /// Per chunk the next one of its chain.
    links: Vec<u32>,
    free: u32,
    len: usize,
}

impl<E: Copy> Ring<E> {
    /// A ring of `buckets` (a power of two, at least 64) of 2^`shift` microseconds each.
    pub(super) fn new(shift: u32, buckets: usize) -> Self {
        debug_assert!(buckets.is_power_of_two() && buckets >= 64, "{buckets} buckets");
        Self {
            shift,
            buckets: vec![EMPTY; buckets],
            occupied: vec![0; buckets / 64],
            pool: Vec::new(),
            links: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    /// Empty, with another width and number of buckets, in the memory that it has.
    pub(super) fn reshape(&mut self, shift: u32, buckets: usize) {
        self.shift = shift;
        self.buckets.clear();
        self.buckets.resize(buckets, EMPTY);
        self.occupied.clear();
        self.occupied.resize(buckets / 64, 0);
        self.pool.clear();
        self.links.clear();
        (self.free, self.len) = (NONE, 0);
    }

    pub(super) const fn shift(&self) -> u32 {
        self.shift
    }

    pub(super) const fn bucket_count(&self) -> usize {
        self.buckets.len()
    }

    /// Slots of the pool, filled or not: the measure of its memory.
    #[cfg(test)]
    pub(super) const fn pool_len(&self) -> usize {
        self.pool.len()
    }

    #[cfg(test)]
    pub(super) const fn pool_capacity(&self) -> usize {
        self.pool.capacity()
    }

    /// The bucket that `at` belongs to; numbers rise with time, before the origin too.
    pub(super) const fn number(&self, at: Timestamp) -> i64 {
        at.micros() >> self.shift
    }

    /// First moment of bucket `number`.
    pub(super) const fn start(&self, number: i64) -> Timestamp {
        Timestamp::from_micros(number << self.shift)
    }

    /// Whether `number`, which is after `cursor`, is less than a turn ahead of it.
    pub(super) const fn within_a_turn(&self, cursor: i64, number: i64) -> bool {
        (number.wrapping_sub(cursor) as u64) < self.buckets.len() as u64
    }

    fn slot(&self, number: i64) -> usize {
        (number as u64 & (self.buckets.len() as u64 - 1)) as usize
    }

    /// Adds an entry to bucket `number`.
    pub(super) fn push(&mut self, number: i64, entry: Entry<E>) {
        let slot = self.slot(number);
        let bucket = self.buckets[slot];
        let place = bucket.len as usize % CHUNK;
        let chunk = if place == 0 { self.take_chunk(bucket.newest, entry) } else { bucket.newest };
        self.pool[chunk as usize * CHUNK + place] = entry;
        self.buckets[slot] = Bucket { newest: chunk, len: bucket.len + 1 };
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.len += 1;
    }

    /// A chunk whose successor is `next`; `filler` stands in places not yet used.
    fn take_chunk(&mut self, next: u32, filler: Entry<E>) -> u32 {
        if self.free == NONE {
            let chunk = self.links.len() as u32;
            self.links.push(next);
            self.pool.resize(self.pool.len() + CHUNK, filler);
            return chunk;
        }
        let chunk = self.free;
        self.free = core::mem::replace(&mut self.links[chunk as usize], next);
        chunk
    }

    /// Moves what bucket `number` holds to the end of `out`, in no order.
    pub(super) fn drain(&mut self, number: i64, out: &mut Vec<Entry<E>>) {
        let slot = self.slot(number);
        let Bucket { mut newest, len } = core::mem::replace(&mut self.buckets[slot], EMPTY);
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        self.len -= len as usize;
        let mut filled = (len as usize).wrapping_sub(1) % CHUNK + 1;
        while newest != NONE {
            let first = newest as usize * CHUNK;
            out.extend_from_slice(&self.pool[first..first + filled]);
            let next = core::mem::replace(&mut self.links[newest as usize], self.free);
            self.free = core::mem::replace(&mut newest, next);
            filled = CHUNK;
        }
    }

    /// The first occupied bucket after `cursor`.
    pub(super) fn next_occupied(&self, cursor: i64) -> Option<i64> {
        if self.len == 0 {
            return None;
        }
        let start = self.slot(cursor.wrapping_add(1));
        let words = self.occupied.len();
        let mut bits = self.occupied[start / 64] & (u64::MAX << (start % 64));
        // One word more than there are: the low bits of the first word are the end of the turn.
        for step in 0..=words {
            let word = (start / 64 + step) % words;
            if bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                let ahead = slot.wrapping_sub(start) & (self.buckets.len() - 1);
                return Some(cursor.wrapping_add(1).wrapping_add(ahead as i64));
            }
            bits = self.occupied[(word + 1) % words];
        }
        None
    }

    /// The earliest moment in bucket `number`.
    pub(super) fn earliest(&self, number: i64) -> Option<Timestamp> {
        let Bucket { newest, len } = self.buckets[self.slot(number)];
        let mut filled = (len as usize).wrapping_sub(1) % CHUNK + 1;
        let chain = core::iter::successors((newest != NONE).then_some(newest), |&chunk| {
            Some(self.links[chunk as usize]).filter(|&next| next != NONE)
        });
        chain
            .flat_map(|chunk| {
                let first = chunk as usize * CHUNK;
                self.pool[first..first + core::mem::replace(&mut filled, CHUNK)].iter()
            })
            .map(|entry| entry.at)
            .min()
    }

    /// Moves everything to the end of `out`, in no order.
    pub(super) fn drain_all(&mut self, out: &mut Vec<Entry<E>>) {
        let mut cursor = -1;
        while let Some(number) = self.next_occupied(cursor) {
            self.drain(number, out);
            cursor = number;
        }
    }
}
