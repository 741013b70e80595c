//! A model and its pending events under one virtual clock.
//!
//! Invariants: the clock never goes back; an event is handled exactly at its time; pausing, resuming and stepping handle the
//! same events in the same order as one long run, and so does a clone.

use seatrial_core::time::Timestamp;

use super::queue::{EventQueue, PastEvent};

/// What follows an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next event.
    Continue,
    /// Control goes back to whoever runs the simulation; the event is done, and a later run goes on behind it.
    Pause,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The clock stands at the limit; later events may be pending.
    Limit,
    /// The model asked for a pause; the clock stands at the event that did.
    Paused,
}

/// The state of a simulated world and what its events do to it.
pub trait Model {
    /// An enum over dense ids; see the module about stale events.
    type Event: Copy;

    /// Handles `event` at the present, `queue.now()`, and schedules what follows from it.
    ///
    /// # Errors
    /// [`PastEvent`] if the model schedules an effect before its cause, which is a mistake in the model.
    fn handle(&mut self, event: Self::Event, queue: &mut EventQueue<Self::Event>) -> Result<Then, PastEvent>;

    /// `event` will probably be handled after `others` more: a large model looks at what that will need, so that it waits for memory
    /// while it is busy with the events before. Changes nothing; most events come by here, not all.
    #[inline]
    fn foresee(&self, event: Self::Event, others: Others) {
        let _ = (event, others);
    }
}

/// How many events an event that is foreseen still waits for: few, so that what is fetched is still there when its turn comes.
/// Each comes by twice: to find in memory what it is about, and later what hangs on that; the two overlap (measured).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// One.
    One,
    /// Four.
    Four,
}

/// A model, its queue, and the clock that both share. `clone` is snapshot and fork.
#[derive(Clone, Debug)]
pub struct Simulation<M: Model> {
    /// The world; free to be read and changed between runs.
    pub model: M,
    /// Its pending events; whoever runs the simulation may add to them between runs.
    pub queue: EventQueue<M::Event>,
    handled: u64,
}

impl<M: Model> Simulation<M> {
    /// `model` at `start`, with nothing pending.
    #[must_use]
    pub fn new(model: M, start: Timestamp) -> Self {
        Self { model, queue: EventQueue::new(start), handled: 0 }
    }

    /// The virtual clock.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.queue.now()
    }

    /// Events handled so far.
    #[must_use]
    pub const fn handled(&self) -> u64 {
        self.handled
    }

    /// Handles the next event; nothing if none is pending.
    ///
    /// # Errors
    /// [`PastEvent`] of the model; the event counts as handled.
    pub fn step(&mut self) -> Result<Option<Then>, PastEvent> {
        self.queue.pop().map(|(_, event)| self.handle(event)).transpose()
    }

    /// Handles all events up to and including `limit`, in order, unless the model pauses before; then the clock stands at
    /// `limit` (which does nothing if it is in the past).
    ///
    /// # Errors
    /// [`PastEvent`] of the model; what came before it stands.
    pub fn run_until(&mut self, limit: Timestamp) -> Result<Stop, PastEvent> {
        while let Some((_, event)) = self.queue.pop_until(limit) {
            if self.handle(event)? == Then::Pause {
                return Ok(Stop::Paused);
            }
        }
        self.queue.pass_until(limit);
        Ok(Stop::Limit)
    }

    fn handle(&mut self, event: M::Event) -> Result<Then, PastEvent> {
        self.handled += 1;
        for (others, count) in [(Others::Four, 4), (Others::One, 1)] {
            if let Some(event) = self.queue.coming(count) {
                self.model.foresee(event, others);
            }
        }
        self.model.handle(event, &mut self.queue)
    }
}

#[cfg(test)]
mod tests {
    use seatrial_core::time::Span;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Ring {
        Every(i64),
        Pause,
        Back,
    }

    /// Alarm clocks that note when they rang.
    #[derive(Clone, Debug, Default)]
    struct Clocks {
        rang: Vec<(i64, Ring)>,
    }

    impl Model for Clocks {
        type Event = Ring;

        fn handle(&mut self, event: Ring, queue: &mut EventQueue<Ring>) -> Result<Then, PastEvent> {
            self.rang.push((queue.now().micros(), event));
            match event {
                Ring::Every(period_us) => queue.push(queue.now() + Span::from_micros(period_us), event)?,
                Ring::Pause => return Ok(Then::Pause),
                Ring::Back => queue.push(queue.now() - Span::from_micros(1), event)?,
            }
            Ok(Then::Continue)
        }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn clocks() -> Simulation<Clocks> {
        let mut simulation = Simulation::new(Clocks::default(), Timestamp::ZERO);
        for period_us in [20, 30] {
            simulation.queue.push(at(period_us), Ring::Every(period_us)).unwrap();
        }
        simulation
    }

    #[test]
    fn runs_to_the_limit_and_handles_ties_in_order_of_insertion() {
        let mut simulation = clocks();
        assert_eq!(simulation.run_until(at(60)), Ok(Stop::Limit));
        let (every_20, every_30) = (Ring::Every(20), Ring::Every(30));
        // At 60 both ring; the one of 30 was wound at 30, the one of 20 at 40.
        let expected = [(20, every_20), (30, every_30), (40, every_20), (60, every_30), (60, every_20)];
        assert_eq!(simulation.model.rang, expected);
        assert_eq!((simulation.now(), simulation.handled()), (at(60), 5));
    }

    #[test]
    fn the_clock_stands_at_the_limit_and_never_goes_back() {
        let mut simulation = clocks();
        simulation.run_until(at(35)).unwrap();
        assert_eq!(simulation.now(), at(35));
        assert!(simulation.queue.push(at(34), Ring::Pause).is_err(), "between the last event and the clock");
        assert_eq!(simulation.run_until(at(10)), Ok(Stop::Limit));
        assert_eq!(simulation.now(), at(35));
    }

    #[test]
    fn pauses_steps_and_forks_go_on_as_one_run_would() {
        let mut whole = clocks();
        whole.queue.push(at(45), Ring::Pause).unwrap();
        let mut parts = whole.clone();
        assert_eq!(whole.run_until(at(500)), Ok(Stop::Paused));
        assert_eq!((whole.now(), whole.model.rang.len()), (at(45), 4));
        whole.run_until(at(500)).unwrap();
        while parts.queue.peek_time().is_some_and(|next| next <= at(200)) {
            parts.step().unwrap();
        }
        let mut fork = parts.clone();
        fork.run_until(at(500)).unwrap();
        assert_eq!(fork.model.rang, whole.model.rang);
        assert!(parts.now() <= at(200), "the fork left its origin alone");
    }

    #[test]
    fn an_effect_before_its_cause_ends_the_run() {
        let mut simulation = clocks();
        simulation.queue.push(at(25), Ring::Back).unwrap();
        assert_eq!(simulation.run_until(at(100)), Err(PastEvent { at: at(24), now: at(25) }));
        assert_eq!(simulation.step().map(|_| simulation.now()), Ok(at(30)), "the rest can go on");
    }

    #[test]
    fn a_world_without_events_lets_time_pass() {
        let mut simulation = Simulation::new(Clocks::default(), Timestamp::ZERO);
        assert_eq!(simulation.step(), Ok(None));
        assert_eq!(simulation.run_until(at(7)), Ok(Stop::Limit));
        assert_eq!((simulation.now(), simulation.handled()), (at(7), 0));
    }
}
