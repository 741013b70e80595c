//! The client and the reader against servers that misbehave, in this process and on this machine.
//!
//! The servers speak raw bytes over TCP (or TLS), so that they can be late, endless, cut off or wrong, and count what they
//! were asked: nothing here may be asked twice.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]

mod client;
mod reader;
mod server;
mod tls;
