//! Golden vectors: what the real autoscalers and the real PromQL engine answered, family by family.
//!
//! One program, so that the reader is compiled and linked once. A module holds the families of one system: the cases as
//! they are written, the replay, and the comparison; every test has `vectors` in its name (the tier goes by it). The committed
//! samples (`tests/data`, chosen as its README says) always run; the full files run where `SEATRIAL_VECTORS` names
//! their folder.

mod cron;
mod hpa;
mod keda;
mod kpa;
mod prometheus;
mod reader;
