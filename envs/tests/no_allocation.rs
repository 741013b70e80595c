//! A step allocates nothing, resets included: counted by an allocator of this test alone.
#![expect(unsafe_code, reason = "a counting allocator has to implement an unsafe trait; it forwards to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array1, Array2};
use seatrial_core::rand::{Stream, below};
use seatrial_core::rl::StepBuffers;
use seatrial_envs::registry::ENVIRONMENTS;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The one test of this file: others would allocate beside it.
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
        let before = ALLOCATIONS.load(Ordering::Relaxed);
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
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!(allocations, 0, "{}", row.id);
        assert!(ends > 0 && sum > 0.0, "{}: resets were among the steps", row.id);
    }
}
