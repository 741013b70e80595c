//! `cron`: replicas by the calendar, as KEDA's cron scaler asks for them.
//!
//! Each window lies between two cron expressions in a time zone and asks for a number of replicas; the greatest of the open
//! ones is proposed, outside of all of them the workload's fewest. Schedules fire exactly when robfig/cron 3.0.1 says so, around
//! changes of summer time too; golden vectors hold its answers.
//!
//! | part | what |
//! |---|---|
//! | [`schedule`] | when an expression fires next |
//! | [`window`] | KEDA's reading of a pair of them |
//! | [`zone`] | offsets, and civil time as Go computes it |
//!
//! # Deviations
//! 1. No HorizontalPodAutoscaler stands between the scaler and the workload, so nothing is stabilised or limited in its rate: the
//!    strategy `keda` with a trigger of type `cron` is the whole.
//! 2. Zones are those of the bundled database, written as it writes them; `Local` is refused, because the core knows no local
//!    time. After the year 2200 a zone keeps its last offset.
//! 3. A `TZ=` without an expression behind it is an error, where the original crashes; a search that would go round for ever on a
//!    day that a zone skipped (Samoa, 30 December 2011) finds nothing.

mod duration;
mod expression;
mod policy;
pub mod schedule;
pub mod window;
pub mod zone;

pub(super) use policy::ROW;
