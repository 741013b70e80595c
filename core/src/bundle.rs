//! The policy bundle.
