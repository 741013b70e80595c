//! How many pods the averages ask for: stable and panic mode, rates, activation scale, delay, excess burst capacity.
//!
//! After Knative's `pkg/autoscaler/scaling/autoscaler.go`, in its order. In panic mode (the panic window asks for a multiple of
//! what is ready) the greater of both windows counts and nothing is given back; it ends when strictly more than a stable
//! window has passed since the last breach. The delay comes last. Invariant: a decision depends on the spec, `now`, the ready
//! pods, the averages and the memory alone, and allocates nothing.

use serde::{Deserialize, Serialize};

use super::delay::DelayWindow;
use super::windows::Averages;
use crate::time::{Span, Timestamp};

/// What the owner of the workload chose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// Length of the stable window.
    pub stable_window: Span,
    /// Metric per pod to aim for, more than 0.
    pub target_value: f64,
    /// Metric per pod at its limit.
    pub total_value: f64,
    /// Metric that must fit beside the present one, 0 for no reserve, negative for an unlimited one.
    pub target_burst_capacity: f64,
    /// Pods that the panic window asks for, over ready pods, from which on there is panic.
    pub panic_threshold: f64,
    /// Most pods over ready pods.
    pub max_scale_up_rate: f64,
    /// Most ready pods over pods.
    pub max_scale_down_rate: f64,
    /// Fewest pods while there is any load; up to 1 is none.
    pub activation_scale: i32,
    /// Whether traffic can reach the workload; if not, it may shrink at once.
    pub reachable: bool,
}

/// What the decider remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    panicking_since: Option<Timestamp>,
    max_panic_pods: i32,
    delay: Option<DelayWindow>,
}

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Pods wanted.
    pub desired_pods: i32,
    /// Metric that fits beside the present one and the burst; negative keeps the activator in the path.
    pub excess_burst_capacity: i32,
    /// Whether a rate cut the window that decided.
    pub rate_limited: bool,
    /// Whether the delay held the wish up.
    pub delayed: bool,
    /// Whether it was made in panic mode.
    pub panicking: bool,
}

/// What one window asks for.
#[derive(Clone, Copy)]
struct Wish {
    /// Before any limit.
    raw: f64,
    pods: i32,
    limited: bool,
}

impl Memory {
    /// A memory with this scale-down delay, created when so many pods were ready. More than one: it starts in panic mode, so
    /// that what is there stays until the windows know enough.
    #[must_use]
    pub fn new(now: Timestamp, ready_pods: u32, scale_down_delay: Span) -> Self {
        let mut memory = Self { panicking_since: None, max_panic_pods: 0, delay: DelayWindow::new(scale_down_delay) };
        memory.start(now, ready_pods);
        memory
    }

    /// What [`Self::new`] does with the ready pods, for a memory that was made before they were known.
    pub(super) fn start(&mut self, now: Timestamp, ready_pods: u32) {
        self.panicking_since = (ready_pods > 1).then_some(now);
        self.max_panic_pods = i32::try_from(ready_pods).unwrap_or(i32::MAX);
    }

    /// Whether it is in panic mode.
    #[must_use]
    pub const fn is_panicking(&self) -> bool {
        self.panicking_since.is_some()
    }

    /// The most pods that panic mode has asked for, or those ready at the start.
    #[must_use]
    pub const fn max_panic_pods(&self) -> i32 {
        self.max_panic_pods
    }

    /// Slots of its delay, 0 without one.
    pub(super) fn delay_slots(&self) -> u16 {
        self.delay.as_ref().map_or(0, DelayWindow::slots)
    }

    /// Enters, extends or leaves panic mode.
    fn watch(&mut self, now: Timestamp, over_threshold: bool, stable_window: Span) {
        if over_threshold {
            self.panicking_since = Some(now);
        } else if self.panicking_since.is_some_and(|since| since + stable_window < now) {
            self.panicking_since = None;
            self.max_panic_pods = 0;
        }
    }
}

impl Spec {
    /// Decides for `ready_pods` and these averages.
    pub fn decide(&self, now: Timestamp, ready_pods: u32, seen: Averages, memory: &mut Memory) -> Scale {
        let ready = f64::from(ready_pods.max(1));
        let [most, fewest] = self.rates(ready);
        let (stable, panic) = (self.wish(seen.stable, most, fewest), self.wish(seen.panic, most, fewest));
        memory.watch(now, panic.raw / ready >= self.panic_threshold, self.stable_window);
        let (mut desired_pods, mut rate_limited) = (stable.pods, stable.limited);
        if memory.is_panicking() {
            if panic.pods > desired_pods {
                (desired_pods, rate_limited) = (panic.pods, panic.limited);
            }
            memory.max_panic_pods = memory.max_panic_pods.max(desired_pods);
            desired_pods = memory.max_panic_pods;
        }
        let wish = desired_pods;
        if let Some(delay) = memory.delay.as_mut().filter(|_| self.reachable) {
            desired_pods = delay.record(now, wish);
        }
        Scale {
            desired_pods,
            excess_burst_capacity: self.excess_burst_capacity(ready_pods, seen.panic),
            rate_limited,
            delayed: desired_pods != wish,
            panicking: memory.is_panicking(),
        }
    }

    /// Most and fewest pods. Rounded outwards, so that a change by one pod is always possible.
    fn rates(&self, ready: f64) -> [f64; 2] {
        let fewest = if self.reachable { floor(ready / self.max_scale_down_rate) } else { 0.0 };
        [ceil(self.max_scale_up_rate * ready), fewest]
    }

    fn wish(&self, value: f64, most: f64, fewest: f64) -> Wish {
        let raw = ceil(value / self.target_value);
        let within = raw.max(fewest).min(most);
        #[expect(clippy::cast_possible_truncation, reason = "a whole number; saturates")]
        let mut pods = within as i32;
        if self.activation_scale > 1 && raw > 0.0 {
            pods = pods.max(self.activation_scale);
        }
        Wish { raw, pods, limited: within != raw }
    }

    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    fn excess_burst_capacity(&self, ready_pods: u32, panic_value: f64) -> i32 {
        if self.target_burst_capacity == 0.0 {
            0
        } else if self.target_burst_capacity < 0.0 {
            -1
        } else {
            floor(f64::from(ready_pods) * self.total_value - self.target_burst_capacity - panic_value) as i32
        }
    }
}

/// From here on every double is a whole number.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// The greatest whole number not above `x`. Casts cost a fraction of a library's call.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "whole numbers below 2^52 are exact")]
fn floor(x: f64) -> f64 {
    if x.abs() >= WHOLE {
        return x;
    }
    let whole = x as i64 as f64;
    // No branch: which way it goes cannot be foreseen.
    whole - f64::from(whole > x)
}

/// The least whole number not below `x`.
fn ceil(x: f64) -> f64 {
    -floor(-x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Target 10 per pod, panic from twice what is ready, a stable window of 60 s.
    const SPEC: Spec = Spec {
        stable_window: Span::from_secs(60),
        target_value: 10.0,
        total_value: 20.0,
        target_burst_capacity: 100.0,
        panic_threshold: 2.0,
        max_scale_up_rate: 1_000.0,
        max_scale_down_rate: 2.0,
        activation_scale: 0,
        reachable: true,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn calm() -> Memory {
        Memory::new(at(0), 1, Span::ZERO)
    }

    fn pods(spec: &Spec, second: i64, ready: u32, seen: (f64, f64), memory: &mut Memory) -> (i32, bool) {
        let seen = Averages { stable: seen.0, panic: seen.1 };
        let scale = spec.decide(at(second), ready, seen, memory);
        (scale.desired_pods, memory.is_panicking())
    }

    #[test]
    fn without_panic_the_stable_window_alone_counts() {
        // 41 / 10 rounded up; the panic window asks for 9, less than twice the 5 that are ready.
        assert_eq!(pods(&SPEC, 0, 5, (41.0, 90.0), &mut calm()), (5, false));
    }

    #[test]
    fn panic_is_entered_at_the_threshold_extended_over_it_and_left_a_window_later() {
        let mut memory = calm();
        assert_eq!(pods(&SPEC, 0, 5, (41.0, 90.1), &mut memory), (10, true), "10 / 5 is the threshold");
        assert_eq!(pods(&SPEC, 2, 5, (41.0, 120.0), &mut memory), (12, true), "over it again: extended");
        assert_eq!(pods(&SPEC, 4, 12, (50.0, 60.0), &mut memory), (12, true), "nothing is given back");
        assert_eq!(pods(&SPEC, 6, 12, (130.0, 60.0), &mut memory), (13, true), "the greater of both windows");
        assert_eq!(pods(&SPEC, 62, 13, (70.0, 70.0), &mut memory), (13, true), "exactly a window after 2 s");
        assert_eq!(pods(&SPEC, 64, 13, (70.0, 70.0), &mut memory), (7, false), "more than a window");
        assert_eq!(memory.max_panic_pods(), 0);
    }

    #[test]
    fn starts_in_panic_with_more_than_one_pod() {
        let mut memory = Memory::new(at(100), 8, Span::ZERO);
        assert_eq!(pods(&SPEC, 101, 8, (5.0, 5.0), &mut memory), (8, true));
        assert_eq!(pods(&SPEC, 161, 8, (5.0, 5.0), &mut memory), (4, false), "half of the ready ones at most");
        assert!(!calm().is_panicking());
    }

    #[test]
    fn rates_bound_each_decision_but_always_allow_one_pod() {
        let slow = Spec { max_scale_up_rate: 1.1, max_scale_down_rate: 1.1, panic_threshold: 100.0, ..SPEC };
        // ceil(1.1 · 2) = 3 of the 9 wanted; floor(10 / 1.1) = 9 where 1 is wanted.
        assert_eq!(pods(&slow, 0, 2, (90.0, 90.0), &mut calm()), (3, false));
        assert_eq!(pods(&slow, 0, 10, (10.0, 10.0), &mut calm()), (9, false));
        let unreachable = Spec { reachable: false, ..slow };
        assert_eq!(pods(&unreachable, 0, 10, (0.0, 0.0), &mut calm()), (0, false));
        // From zero the rate counts from one pod.
        assert_eq!(pods(&slow, 0, 0, (90.0, 90.0), &mut calm()), (2, false));
        let seen = Averages { stable: 90.0, panic: 0.0 };
        assert!(slow.decide(at(0), 2, seen, &mut calm()).rate_limited);
        assert!(!SPEC.decide(at(0), 5, seen, &mut calm()).rate_limited);
    }

    #[test]
    fn activation_scale_lifts_what_is_not_zero() {
        let spec = Spec { activation_scale: 4, ..SPEC };
        assert_eq!(pods(&spec, 0, 1, (0.1, 0.0), &mut calm()), (4, false));
        assert_eq!(pods(&spec, 0, 1, (0.0, 0.0), &mut calm()), (0, false));
        assert_eq!(pods(&spec, 0, 5, (70.0, 0.0), &mut calm()), (7, false));
    }

    #[test]
    fn a_delay_holds_the_wish_while_reachable() {
        let mut memory = Memory::new(at(0), 1, Span::from_secs(4));
        assert_eq!(pods(&SPEC, 0, 6, (80.0, 0.0), &mut memory).0, 8);
        let held = SPEC.decide(at(2), 6, Averages { stable: 50.0, panic: 0.0 }, &mut memory);
        assert!(held.delayed && held.desired_pods == 8);
        assert_eq!(pods(&SPEC, 4, 6, (40.0, 0.0), &mut memory).0, 5);
        let unreachable = Spec { reachable: false, ..SPEC };
        assert_eq!(pods(&unreachable, 6, 6, (10.0, 0.0), &mut memory).0, 1);
    }

    #[test]
    fn excess_burst_is_what_fits_beside_the_burst() {
        let excess = |burst: f64, ready| {
            let spec = Spec { target_burst_capacity: burst, ..SPEC };
            spec.decide(at(0), ready, Averages { stable: 0.0, panic: 30.5 }, &mut calm()).excess_burst_capacity
        };
        // floor(5 · 20 - 100 - 30.5); no pods count as none.
        assert_eq!([excess(100.0, 5), excess(100.0, 0), excess(0.0, 5), excess(-1.0, 5)], [-31, -131, 0, -1]);
    }

    #[test]
    fn floors_and_ceils() {
        for (x, below, above) in [(1.5, 1.0, 2.0), (-1.5, -2.0, -1.0), (3.0, 3.0, 3.0), (1e18, 1e18, 1e18)] {
            assert_eq!((floor(x), ceil(x)), (below, above), "{x}");
        }
    }
}
