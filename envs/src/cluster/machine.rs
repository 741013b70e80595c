//! The cluster as a state machine: Deployments, pods, nodes, and who moves them.
