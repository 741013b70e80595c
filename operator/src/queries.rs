//! The PromQL that reads each feature of a workload, unless its resource says otherwise.
//!
//! Each query returns one number for the workload: the sum over its pods, as the core's observation wants it. The operator
//! replaces `$namespace`, `$pods` (a regular expression that matches the names of the target's pods), `$range` (two scrape
//! intervals, which holds the last two scrapes) and `$wait` (the objective in seconds).
//!
//! Rates are `irate`: the difference of the last two scrapes, the protocol's "last complete slot". `rate()` extrapolates to the
//! ends of the range, but not below zero for a counter that begins there: in the first two intervals after a scale-up it
//! reads up to a sixth less load than there is (measured with Prometheus 2.42), just when that would be noticed.
//!
//! The ratio of bad requests is missing without requests (`> 0` leaves nothing to divide by) rather than NaN, and never
//! negative while a backlog is worked off and more requests are completed than arrive. Its `le` is written `1` by most
//! exporters in the text format and `1.0` in OpenMetrics and by Prometheus 3: both match.

use seatrial_core::observe::Feature;

use crate::scaling_policy::Queries;

/// The name of the query for the time of the newest sample.
pub const SAMPLE_TIME: &str = "sampleTime";

/// The default query of each feature and of the sample time, by the name of its field in `spec.metrics.queries`.
pub const DEFAULT_QUERIES: &[(&str, &str)] = &[
    (
        "processCpuSecondsTotalRate",
        r#"sum(irate(process_cpu_seconds_total{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    ("processResidentMemoryBytes", r#"sum(process_resident_memory_bytes{namespace="$namespace",pod=~"$pods"})"#),
    ("processVirtualMemoryBytes", r#"sum(process_virtual_memory_bytes{namespace="$namespace",pod=~"$pods"})"#),
    (
        "httpRequestDurationSecondsSumRate",
        r#"sum(irate(http_request_duration_seconds_sum{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    ("httpRequestsTotalRate", r#"sum(irate(http_requests_total{namespace="$namespace",pod=~"$pods"}[$range]))"#),
    (
        "httpRequestDurationSecondsCountRate",
        r#"sum(irate(http_request_duration_seconds_count{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    ("processOpenFds", r#"sum(process_open_fds{namespace="$namespace",pod=~"$pods"})"#),
    (
        "httpResponseSizeBytesSumRate",
        r#"sum(irate(http_response_size_bytes_sum{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    (
        "httpRequestSizeBytesCountRate",
        r#"sum(irate(http_request_size_bytes_count{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    (
        "badRequestRatio",
        r#"clamp_min(1 - sum(irate(http_request_duration_seconds_bucket{namespace="$namespace",pod=~"$pods",le=~"$wait([.]0)?"}[$range])) / (sum(irate(http_requests_total{namespace="$namespace",pod=~"$pods"}[$range])) > 0), 0)"#,
    ),
    (SAMPLE_TIME, r#"max(timestamp(http_requests_total{namespace="$namespace",pod=~"$pods"}))"#),
];

/// The mean load over a longer range, for the far past: there no scale-up matters, and two scrapes would be a drop of it.
pub const MEAN_LOAD: &str = r#"sum(rate(http_requests_total{namespace="$namespace",pod=~"$pods"}[$range]))"#;

/// The features, each with the name of its query, in the order of their numbers.
pub const FEATURES: [(Feature, &str); 10] = [
    (Feature::ProcessCpuSecondsTotalRate, "processCpuSecondsTotalRate"),
    (Feature::ProcessResidentMemoryBytes, "processResidentMemoryBytes"),
    (Feature::ProcessVirtualMemoryBytes, "processVirtualMemoryBytes"),
    (Feature::HttpRequestDurationSecondsSumRate, "httpRequestDurationSecondsSumRate"),
    (Feature::HttpRequestsTotalRate, "httpRequestsTotalRate"),
    (Feature::HttpRequestDurationSecondsCountRate, "httpRequestDurationSecondsCountRate"),
    (Feature::ProcessOpenFds, "processOpenFds"),
    (Feature::HttpResponseSizeBytesSumRate, "httpResponseSizeBytesSumRate"),
    (Feature::HttpRequestSizeBytesCountRate, "httpRequestSizeBytesCountRate"),
    (Feature::BadRequestRatio, "badRequestRatio"),
];

/// The name of the query of `feature`: its field in `spec.metrics.queries`.
#[must_use]
pub const fn name_of(feature: Feature) -> &'static str {
    FEATURES[feature as usize].1
}

/// The query of `feature`: the policy's own, or the default.
#[must_use]
pub fn query_of(queries: Option<&Queries>, feature: Feature) -> &str {
    queries.and_then(|queries| own(queries, feature)).unwrap_or_else(|| default_of(name_of(feature)))
}

/// The query of the newest sample's time: the policy's own, or the default.
#[must_use]
pub fn sample_time_query(queries: Option<&Queries>) -> &str {
    queries.and_then(|queries| queries.sample_time.as_deref()).unwrap_or_else(|| default_of(SAMPLE_TIME))
}

fn own(queries: &Queries, feature: Feature) -> Option<&str> {
    let query = match feature {
        Feature::ProcessCpuSecondsTotalRate => &queries.process_cpu_seconds_total_rate,
        Feature::ProcessResidentMemoryBytes => &queries.process_resident_memory_bytes,
        Feature::ProcessVirtualMemoryBytes => &queries.process_virtual_memory_bytes,
        Feature::HttpRequestDurationSecondsSumRate => &queries.http_request_duration_seconds_sum_rate,
        Feature::HttpRequestsTotalRate => &queries.http_requests_total_rate,
        Feature::HttpRequestDurationSecondsCountRate => &queries.http_request_duration_seconds_count_rate,
        Feature::ProcessOpenFds => &queries.process_open_fds,
        Feature::HttpResponseSizeBytesSumRate => &queries.http_response_size_bytes_sum_rate,
        Feature::HttpRequestSizeBytesCountRate => &queries.http_request_size_bytes_count_rate,
        Feature::BadRequestRatio => &queries.bad_request_ratio,
    };
    query.as_deref()
}

fn default_of(name: &str) -> &'static str {
    DEFAULT_QUERIES.iter().find(|(of, _)| *of == name).map_or("", |(_, query)| query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_its_own_query() {
        for (index, (feature, name)) in FEATURES.into_iter().enumerate() {
            assert_eq!((feature as usize, name_of(feature)), (index, name));
            assert!(!query_of(None, feature).is_empty(), "{name}");
            let json = serde_json::json!({ name: name });
            let queries: Queries = serde_json::from_value(json).unwrap();
            for (other, _) in FEATURES {
                let expected = if other == feature { name } else { query_of(None, other) };
                assert_eq!(query_of(Some(&queries), other), expected, "the query of {name} read for {other:?}");
            }
        }
        assert!(sample_time_query(None).starts_with("max(timestamp("));
        let queries = Queries { sample_time: Some("time()".to_owned()), ..Queries::default() };
        assert_eq!(sample_time_query(Some(&queries)), "time()");
    }
}
