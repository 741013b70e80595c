//! Forecasters, one file each, and their registry.
