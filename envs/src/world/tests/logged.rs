//! The log of single requests against what was counted.

use super::log::LogKind;
use super::*;

/// Calls that wait for calls of their own are answered while an event of another pod is handled, or of no pod at all.
#[test]
fn every_completion_and_retry_is_logged_where_it_happened() {
    let outcome = run(&eventful(), &everything());
    let completed: f64 =
        outcome.log.iter().filter(|row| row.kind == LogKind::CallsCompleted).map(|row| row.value).sum();
    let counted: u64 = outcome.services.iter().map(|service| service.latency.count()).sum();
    assert!(outcome.services.iter().all(|service| service.latency.count() > 10_000));
    assert_eq!(completed, counted as f64);
    let web = ServiceId(1);
    assert_eq!(outcome.services[web.index()].name, "web");
    let retries = outcome.log.iter().filter(|row| row.kind == LogKind::Retry && row.service == Some(web)).count();
    let sent: u64 = outcome.timeline.unwrap().client_rows.iter().map(|row| row.retries).sum();
    assert!(sent > 0);
    assert_eq!(retries as u64, sent);
}
