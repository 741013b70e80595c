//! Requests through services: pods as servers, balancing, queues, timeouts, retries, call graphs.
