//! What runs millions of times allocates nothing: counted by an allocator of these tests alone, for each thread by itself.
#![expect(unsafe_code, reason = "a counting allocator has to implement an unsafe trait; it forwards to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ndarray::{Array1, Array2};
use seatrial_core::observe::{Observation, Pods};
use seatrial_core::rand::{Stream, below};
use seatrial_core::rl::StepBuffers;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::cluster::change::{Change, PodChange};
use seatrial_envs::events::EventQueue;
use seatrial_envs::ids::{PodId, ServiceId};
use seatrial_envs::registry::ENVIRONMENTS;
use seatrial_envs::spec::MetricsSpec;
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

/// Resets included.
#[test]
fn a_step_allocates_nothing() {
    for row in ENVIRONMENTS {
        let mut env = (row.example)(16).unwrap();
        let envs = env.len();
        let mut observations = Array2::zeros((envs, env.observation_len()));
        let mut finals = observations.clone();
        let mut costs = Array1::zeros(envs);
        let (mut terminated, mut truncated) = (Array1::from_elem(envs, false), Array1::from_elem(envs, false));
        let mut actions = Array1::from_elem(envs, 0_u32);
        env.reset(Array1::from_iter(0..envs as u64).view(), observations.view_mut());
        let before = allocations();
        assert!(before > 0, "the allocator counts");
        let (mut ends, mut sum) = (0, 0.0);
        for step in 0..500 {
            for (index, action) in actions.iter_mut().enumerate() {
                *action = below(1, Stream::RandomAction, index as u64, step, env.action_count() as u64) as u32;
            }
            let mut out = StepBuffers {
                observations: observations.view_mut(),
                costs: costs.view_mut(),
                terminated: terminated.view_mut(),
                truncated: truncated.view_mut(),
                final_observations: finals.view_mut(),
            };
            env.step(actions.view(), &mut out);
            ends += truncated.iter().filter(|over| **over).count();
            sum += costs.sum();
        }
        assert_eq!(allocations() - before, 0, "{}", row.id);
        assert!(ends > 0 && sum > 0.0, "{}: resets were among the steps", row.id);
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
