//! The simulated cluster of Seatrial: pure functions of scenario, load and seed.
//!
//! | room | what |
//! |---|---|
//! | [`scenario`] | what is fixed before an episode: pods, service, prices, metrics pipeline, regime |
//! | [`spec`] | a scenario as a file says it, for both kernels |
//! | [`load`] | rates of an episode, flash crowds, realised counts per slot, history |
//! | [`episode`] | an autoscaler drives the fluid kernel; costs by term and UTC day |
//! | [`app`] | several services that call each other, on the fluid kernel |
//! | [`cluster`] | pods and nodes as Kubernetes' own controllers treat them |
//! | [`events`] | the event kernel: pending events by virtual time |
//! | [`serving`] | requests through services: pods as servers, balancing, queues, timeouts, retries, call graphs |
//! | [`telemetry`] | counters of pods, scraped and read as Prometheus reads them |
//! | [`world`] | a scenario on the event kernel: all of it under one clock |
//! | [`ids`] | dense ids that its rooms share |
//! | [`oracle`] | certified interval of the least cost that any schedule can reach |
//! | [`foresight`] | who knows the true rate for a while: the ladder that splits regret into its causes |
//! | [`autoscale_v1`] | the vector environment of learners |
//! | [`autoscale_app_v1`] | the same for all services of an application |
//! | [`rehearsal`] | the same requests for pods that somebody else starts and stops: a demo world's |
//! | [`registry`] | environments with their observation and action tables |

pub mod app;
pub mod autoscale_app_v1;
pub mod autoscale_v1;
pub mod cluster;
pub mod episode;
pub mod events;
mod fluid;
pub mod foresight;
pub mod ids;
pub mod load;
pub mod oracle;
pub mod registry;
pub mod rehearsal;
pub mod scenario;
pub mod serving;
pub mod spec;
pub mod telemetry;
pub mod world;
