//! The `seatrial` command as a library: from a study to evidence.
//!
//! | room | what |
//! |---|---|
//! | [`cli`], [`commands`] | the command line, and who does what |
//! | [`config`], [`protocol`], [`strategies`] | studies, protocol P1, strategies as studies name them |
//! | [`arena`], [`stage`], [`corpus`] | a series with its parts; a part as one seed realises it; what forecasters are fitted on |
//! | [`contest`], [`tuned`], [`learned`] | who takes part, with which parameters and weights |
//! | [`tune`], [`learning`] | where parameters and weights come from |
//! | [`cells`], [`scoring`], [`portrait`] | the unit of evidence, all of them, and their pictures |
//! | [`schedule`], [`progress`] | in parallel, resumable, with the time left |
//! | [`run_folder`], [`bundle_folder`], [`manifest`], [`hash`], [`schemas`] | where results lie and what they were made from |
//! | [`environments`] | their page in the documentation |
//! | [`study`], [`evaluate`], [`verify`], [`export`], [`gate`], [`report`], [`query`], [`list`], [`import_command`], [`log_command`], [`scenario_command`], [`trace_command`], [`tune_command`] | the commands |

#[macro_use]
mod output;

pub mod arena;
pub mod bundle_folder;
pub mod cells;
pub mod cli;
pub mod commands;
pub mod config;
pub mod contest;
pub mod corpus;
pub mod environments;
pub mod error;
pub mod evaluate;
pub mod export;
pub mod gate;
pub mod hash;
pub mod import_command;
pub mod learned;
pub mod learning;
pub mod list;
pub mod log_command;
pub mod manifest;
pub mod portrait;
pub mod progress;
pub mod protocol;
pub mod query;
pub mod report;
pub mod run_folder;
pub mod scenario_command;
pub mod schedule;
pub mod schemas;
pub mod scoring;
pub mod stage;
pub mod strategies;
pub mod study;
pub mod trace_command;
#[cfg(feature = "train")]
pub mod train;
pub mod tune;
pub mod tune_command;
pub mod tuned;
pub mod verify;
pub mod yardstick;
