//! Requests of a source, one after the other, the same ones whatever is done with them.
//!
//! A source with rates has the realised counts of [`crate::load`], those that the fluid kernel's metrics show, and places each
//! slot's requests uniformly inside it: given its count, that is how a Poisson process spreads. A slot is cut into spans with some
//! [`SPAN_REQUESTS`] requests each by binomial splits, and one span at a time is drawn and sorted: less to sort, and it stays in
//! cache. Offset and work of a request are one draw, by source, slot and its number in the slot.

mod classes;

use std::sync::Arc;

use seatrial_core::rand::{Stream, binomial, draw, open_unit, uniform};
use seatrial_core::time::{Span, Timestamp};

pub(super) use classes::{Class, Classes};

use crate::spec::ListedRequest;

/// Requests of a span, about.
const SPAN_REQUESTS: u64 = 64;
/// Room for a span's requests: twice as many, so that chance does not grow it late.
const ROOM: usize = 2 * SPAN_REQUESTS as usize + 64;
/// Sets the splits of slots apart from those of bins, which share the stream.
const OF_SLOTS: u64 = 1 << 62;
/// Bits of a request's number below the source's.
const SOURCE_SHIFT: u32 = 48;

/// A request that arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    /// Its number, with that of its source in the upper bits.
    pub(super) request: u64,
    /// Its class and tokens.
    pub(super) class: u16,
    pub(super) tokens: [u32; 2],
    /// Which quantile of the service time it takes.
    pub(super) work_unit: f64,
}

/// A source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) service: u16,
    seed: u64,
    classes: Classes,
    feed: Feed,
    /// Number of its next request.
    request: u64,
    pub(super) next: Option<Arrival>,
}

/// Where requests come from.
#[derive(Clone, Debug)]
pub(super) enum Feed {
    /// Counts per slot.
    Counts(Counts),
    /// A list, and the place of the next one in it.
    Listed(Arc<[ListedRequest]>, usize),
}

/// How many requests come in each slot of a load. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct SlotLoad {
    start: Timestamp,
    slot: Span,
    counts: Arc<[u32]>,
}

/// Requests by counts per slot.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    load: SlotLoad,
    /// The slot at hand; 1 more than that of the first one before it is opened.
    next_slot: usize,
    /// Spans of the slot at hand, and how many of them have been drawn.
    spans: u32,
    drawn: u32,
    /// Requests of the slot at hand that are in no drawn span.
    left: u64,
    /// Number in the slot of the first request of the drawn span.
    first: u32,
    span_begin: Timestamp,
    /// Of the drawn span: offset in the upper half, place in `units` in the lower; ascending.
    order: Vec<u64>,
    units: Vec<f64>,
    taken: usize,
}

impl Source {
    pub(super) fn new(index: u16, service: u16, seed: u64, classes: Classes, feed: Feed) -> Self {
        Self { service, seed, classes, feed, request: u64::from(index) << SOURCE_SHIFT, next: None }
    }

    /// Begins anew with the slot of `load` that has the number `first`.
    pub(super) fn restart(&mut self, seed: u64, load: &SlotLoad, first: usize) {
        (self.seed, self.next) = (seed, None);
        self.request = self.request >> SOURCE_SHIFT << SOURCE_SHIFT;
        match &mut self.feed {
            Feed::Counts(counts) => counts.restart(load, first),
            feed @ Feed::Listed(..) => *feed = Feed::Counts(Counts::new(load.clone(), first)),
        }
    }

    /// Looks up the next request; true if there is one.
    pub(super) fn advance(&mut self) -> bool {
        self.next = match &mut self.feed {
            Feed::Counts(counts) => counts.next(self.seed).map(|(at, work_unit, slot, index)| {
                let (class, tokens) = self.classes.draw(self.seed, slot, index);
                Arrival { at, request: self.request, class, tokens, work_unit }
            }),
            Feed::Listed(list, place) => list.get(*place).map(|listed| {
                let index = *place as u32;
                *place += 1;
                let words = draw(self.seed, Stream::Request, 0, index);
                let (class, _) = self.classes.draw(self.seed, 0, index);
                let tokens = [listed.input_tokens, listed.output_tokens];
                Arrival {
                    at: listed.at,
                    request: self.request,
                    class,
                    tokens,
                    work_unit: open_unit(words[2], words[3]),
                }
            }),
        };
        self.request += 1;
        self.next.is_some()
    }
}

impl SlotLoad {
    /// Requests at `realised_per_s` in slots from `start` on.
    pub(crate) fn new(start: Timestamp, slot: Span, realised_per_s: &[f64]) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rates are whole requests per slot"
        )]
        let counts = realised_per_s.iter().map(|rate| (rate * slot.as_secs_f64() + 0.5) as u32).collect();
        Self { start, slot, counts }
    }

    /// When the slot with the number `slot` begins.
    pub(crate) fn slot_begin(&self, slot: usize) -> Timestamp {
        self.start + self.slot * (slot as i64)
    }
}

impl Feed {
    /// Requests of `load`, slot by slot.
    pub(super) fn counts(load: SlotLoad) -> Self {
        Self::Counts(Counts::new(load, 0))
    }

    /// The listed requests from `start` on.
    pub(super) fn listed(list: Arc<[ListedRequest]>, start: Timestamp) -> Self {
        let first = list.partition_point(|request| request.at < start);
        Self::Listed(list, first)
    }
}

impl Counts {
    fn new(load: SlotLoad, first: usize) -> Self {
        let span_begin = load.start;
        let (order, units) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
        let next_slot = first;
        Self { load, next_slot, spans: 0, drawn: 0, left: 0, first: 0, span_begin, order, units, taken: 0 }
    }

    fn restart(&mut self, load: &SlotLoad, first: usize) {
        self.load.clone_from(load);
        (self.next_slot, self.spans, self.drawn, self.left) = (first, 0, 0, 0);
        (self.first, self.span_begin, self.taken) = (0, load.start, 0);
        self.order.clear();
        self.units.clear();
    }

    /// Moment and work of the next request, its slot since the origin of time and its number there.
    fn next(&mut self, seed: u64) -> Option<(Timestamp, f64, u64, u32)> {
        while self.taken == self.order.len() {
            self.draw_span(seed)?;
        }
        let packed = self.order[self.taken];
        self.taken += 1;
        let (offset_us, place) = ((packed >> 32) as i64, packed as u32);
        let at = self.span_begin + Span::from_micros(offset_us);
        Some((at, self.units[place as usize], self.entity(), self.first + place))
    }

    /// Draws the next span of the slot at hand, or of the next one.
    fn draw_span(&mut self, seed: u64) -> Option<()> {
        if self.drawn == self.spans {
            self.open_slot()?;
        }
        self.first += self.order.len() as u32;
        let share = 1.0 / f64::from(self.spans - self.drawn);
        let unit = || uniform(seed, Stream::ArrivalSplit, self.entity() ^ OF_SLOTS, self.drawn);
        let count = if share < 1.0 { binomial(self.left, share, unit()) } else { self.left };
        self.left -= count;
        let edge = |span: u32| self.load.slot * i64::from(span) / i64::from(self.spans);
        let (begin, end) = (edge(self.drawn), edge(self.drawn + 1));
        self.span_begin = self.slot_begin() + begin;
        self.drawn += 1;
        self.place(seed, count as u32, end - begin);
        Some(())
    }

    fn open_slot(&mut self) -> Option<()> {
        let count = u64::from(*self.load.counts.get(self.next_slot)?);
        self.next_slot += 1;
        self.spans = (count / SPAN_REQUESTS).max(1) as u32;
        (self.drawn, self.left, self.first) = (0, count, 0);
        self.order.clear();
        Some(())
    }

    /// Draws offset and work of `count` requests of the span and puts them in order.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "offsets are below the width of a slot, which fits 32 bits of microseconds"
    )]
    fn place(&mut self, seed: u64, count: u32, width: Span) {
        let (entity, width_us) = (self.entity(), width.micros() as f64);
        self.order.clear();
        self.units.clear();
        self.taken = 0;
        for place in 0..count {
            let words = draw(seed, Stream::Request, entity, self.first + place);
            let offset_us = (open_unit(words[0], words[1]) * width_us) as u64;
            self.order.push(offset_us << 32 | u64::from(place));
            self.units.push(open_unit(words[2], words[3]));
        }
        self.order.sort_unstable();
    }

    fn slot_begin(&self) -> Timestamp {
        self.load.slot_begin(self.next_slot - 1)
    }

    /// Number of the slot at hand since the origin of time: draws do not depend on where a run starts.
    fn entity(&self) -> u64 {
        self.slot_begin().micros().div_euclid(self.load.slot.micros()).cast_unsigned()
    }
}

#[cfg(test)]
mod tests;
