//! Scaling policies, one file each, and their registry.
