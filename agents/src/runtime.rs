//! libtorch's global settings, in one place.
//!
//! Results are promised for a fixed number of threads, because the order of libtorch's sums depends on it. Its generator is
//! seeded here and nowhere else, and no learner draws from it: the seed only makes an accidental draw repeatable.
//!
//! Use no more threads than cores that are free: OpenMP's threads wait for each other by spinning, and two threads beside
//! other builds on two cores took over ten times as long as alone.

/// Called by each learner on its own thread before it makes a tensor (OpenMP keeps the number of threads per caller).
pub(crate) fn prepare(threads: u32) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    tch::manual_seed(0);
}
