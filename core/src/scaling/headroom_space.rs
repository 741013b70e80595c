//! Observation vector and actions of `autoscale-v1`: shared by the environment that trains and the policy that runs.
