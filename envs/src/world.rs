//! The world of a scenario on the event kernel: services, pods, nodes, metrics and autoscalers under one clock.
//!
//! | part | what |
//! |---|---|
//! | [`timeline`] | what happened, by interval: rows for figures and tables |

pub mod timeline;
