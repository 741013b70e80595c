//! The world of a scenario on the event kernel: services, pods, nodes, metrics and autoscalers under one clock.
//! What happened is a [`seatrial_core::record::timeline::Timeline`].
