//! Learners of Seatrial: a forecaster and a value agent on libtorch, exported as weights that `seatrial-core` runs alone.
//!
//! One readable file per algorithm *with its training loop*. Every learner is population-batched: it trains P members
//! (seeds × hyper-parameters) in lock-step by batched matrix products; P = 1 is the plain case.
//!
//! | file | what |
//! |---|---|
//! | [`lstm_forecaster`] | LSTM with a monotone quantile head, pinball loss, stateful truncated back-propagation |
//! | [`dqn`] | double dueling DQN with n-step returns over any [`seatrial_core::rl::VectorEnv`] |
//! | [`checkpoint`] | what a checkpoint is, and writing one so that a crash leaves the old one |
//! | [`export`] | members' parameters → [`seatrial_core::nets::Weights`] |
//! | `population`, `adam` | parameters of P nets in one matrix, and the optimiser over it |
//! | `replay` | n-step returns and the replay memory |
//! | `runtime` | the one place that touches libtorch's global settings |
//!
//! # Invariants
//! - No clock, no environment, no async. A learner belongs to the thread that made it; it owns its threads' number.
//! - All draws come from [`seatrial_core::rand`]; libtorch's own generator is seeded in one place and used for nothing.
//! - Same machine, same thread count, same population → same bytes, also across a checkpoint.

mod adam;
pub mod checkpoint;
pub mod dqn;
mod error;
pub mod export;
pub mod lstm_forecaster;
mod population;
mod replay;
mod runtime;

pub use error::AgentError;
