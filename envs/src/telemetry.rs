//! What a cluster tells of itself: counters of pods, scraped on an interval, read as Prometheus reads them.
//!
//! | part | what |
//! |---|---|
//! | [`counters`] | what serving counts, per pod and per service |

pub mod counters;
