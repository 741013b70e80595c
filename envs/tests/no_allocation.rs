//! What runs millions of times allocates nothing: counted by an allocator of these tests alone, for each thread by itself.
#![expect(unsafe_code, reason = "a counting allocator has to implement an unsafe trait; it forwards to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ndarray::Array1;
use seatrial_core::observe::{Observation, Pods};
use seatrial_core::rand::{Stream, below};
use seatrial_core::rl::{StepArrays, VectorEnv};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::cluster::change::{Change, PodChange};
use seatrial_envs::events::EventQueue;
use seatrial_envs::ids::{PodId, ServiceId};
use seatrial_envs::registry::ENVIRONMENTS;
use seatrial_envs::spec::{KernelChoice, MetricsSpec};
use seatrial_envs::telemetry::counters::{IngressCounters, PodCounters};
use seatrial_envs::telemetry::{Event, Source, Telemetry};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn allocations() -> u64 {
    ALLOCATIONS.get()
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A batch with its buffers, which plays the same drawn actions as often as it is asked to.
struct Batch {
    env: Box<dyn VectorEnv>,
    shown: StepArrays,
    actions: Array1<u32>,
    seeds: Array1<u64>,
}

impl Batch {
    fn new(env: Box<dyn VectorEnv>) -> Self {
        let envs = env.len();
        Self {
            shown: StepArrays::new(envs, env.observation_len()),
            actions: Array1::from_elem(envs, 0),
            seeds: (0..envs as u64).collect(),
            env,
        }
    }

    /// Resets and plays 500 steps; answers with the episodes that ended and the costs.
    fn play(&mut self) -> (usize, f64) {
        self.env.reset(self.seeds.view(), self.shown.observations.view_mut());
        let (mut ends, mut sum) = (0, 0.0);
        for step in 0..500 {
            for (index, action) in self.actions.iter_mut().enumerate() {
                *action = below(1, Stream::RandomAction, index as u64, step, self.env.action_count() as u64) as u32;
            }
            self.env.step(self.actions.view(), &mut self.shown.view_mut());
            ends += self.shown.truncated.iter().filter(|over| **over).count();
            sum += self.shown.costs.sum();
        }
        (ends, sum)
    }
}

/// Resets included. Requests one by one lie in slabs and queues that grow to the longest they get: on the event kernel the same
/// steps are played once before.
#[test]
fn a_step_allocates_nothing() {
    for row in ENVIRONMENTS {
        for kernel in row.kernels {
            let mut batch = Batch::new((row.example)(*kernel, 16).unwrap());
            let warm = (*kernel == KernelChoice::Events).then(|| batch.play());
            let before = allocations();
            assert!(before > 0, "the allocator counts");
            let (ends, sum) = batch.play();
            assert_eq!(allocations() - before, 0, "{}, {kernel:?}", row.id);
            assert!(ends > 0 && sum > 0.0, "{}: resets were among the steps", row.id);
            assert!(warm.is_none_or(|warm| warm == (ends, sum)), "{}: the same steps", row.id);
        }
    }
}

/// Counters that grow with time.
struct Growing(u64);

impl Source for Growing {
    fn pod(&mut self, _: PodId) -> PodCounters {
        self.0 += 1;
        PodCounters { completed: self.0, duration_s: self.0 as f64, cpu_s: self.0 as f64, in_flight: 0 }
    }

    fn ingress(&mut self, _: ServiceId) -> IngressCounters {
        IngressCounters { arrived: self.0, bad: 0 }
    }

    fn memory_bytes(&mut self, _: PodId) -> Option<f64> {
        Some(self.0 as f64)
    }
}

/// Pods come and go all the time; after the first minutes there is room for all that end and are still seen.
#[test]
fn scrapes_and_readings_allocate_nothing() {
    let spec = MetricsSpec { jitter: 1.0, lag_s: 60.0, lost_scrape_probability: 0.1, ..MetricsSpec::default() };
    let mut telemetry = Telemetry::new(&spec, 1, Timestamp::ZERO, 3).unwrap();
    let mut queue: EventQueue<Event> = EventQueue::new(Timestamp::ZERO);
    let (service, mut source) = (ServiceId(0), Growing(0));
    let mut out = Observation::unknown(Timestamp::ZERO, 1);
    out.pods = Pods::Each(Vec::with_capacity(64));
    telemetry.begin(&mut queue).unwrap();
    let (mut before, mut known) = (0, 0);
    for second in 0..20_000_u32 {
        if second == 10_000 {
            before = allocations();
        }
        // Each slot has a new pod every 200 seconds.
        let (slot, generation) = (second % 40, second / 200);
        let turn =
            if second % 200 < 40 { Some(Change::Started) } else { (second % 200 >= 160).then_some(Change::Stopped) };
        if let Some(what) = turn {
            let change = PodChange { pod: PodId { slot, generation }, service, what };
            telemetry.apply(&change, &mut queue).unwrap();
        }
        let until = queue.now() + Span::from_secs(1);
        while let Some((_, event)) = queue.pop_until(until) {
            telemetry.handle(event, &mut queue, &mut source).unwrap();
        }
        queue.pass_until(until);
        telemetry.observe(until, service, [], &mut out);
        known += u32::from(out.arrival_rate().is_some())
            + u32::from(telemetry.cpu(until, PodId { slot, generation }).is_some());
    }
    assert_eq!(allocations() - before, 0);
    assert!(before > 0 && known > 10_000, "{known} answers");
}
