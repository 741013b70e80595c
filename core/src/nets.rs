//! Forward-only networks.
