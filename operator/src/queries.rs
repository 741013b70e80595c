//! The PromQL that reads each feature of a workload, unless its resource says otherwise.
//!
//! Each query returns one number for the workload: the sum over its pods, as the core's observation wants it. The operator
//! replaces `$namespace`, `$pods` (a regular expression that matches the names of the target's pods), `$range` (two scrape
//! intervals, the shortest range in which `rate()` sees one whole interval) and `$wait` (the objective in seconds).

/// The default query of each feature, by the name of its field in `spec.metrics.queries`.
pub const DEFAULT_QUERIES: &[(&str, &str)] = &[
    (
        "processCpuSecondsTotalRate",
        r#"sum(rate(process_cpu_seconds_total{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    ("processResidentMemoryBytes", r#"sum(process_resident_memory_bytes{namespace="$namespace",pod=~"$pods"})"#),
    ("processVirtualMemoryBytes", r#"sum(process_virtual_memory_bytes{namespace="$namespace",pod=~"$pods"})"#),
    (
        "httpRequestDurationSecondsSumRate",
        r#"sum(rate(http_request_duration_seconds_sum{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    ("httpRequestsTotalRate", r#"sum(rate(http_requests_total{namespace="$namespace",pod=~"$pods"}[$range]))"#),
    (
        "httpRequestDurationSecondsCountRate",
        r#"sum(rate(http_request_duration_seconds_count{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    ("processOpenFds", r#"sum(process_open_fds{namespace="$namespace",pod=~"$pods"})"#),
    (
        "httpResponseSizeBytesSumRate",
        r#"sum(rate(http_response_size_bytes_sum{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    (
        "httpRequestSizeBytesCountRate",
        r#"sum(rate(http_request_size_bytes_count{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
    (
        "badRequestRatio",
        r#"1 - sum(rate(http_request_duration_seconds_bucket{namespace="$namespace",pod=~"$pods",le="$wait"}[$range])) / sum(rate(http_requests_total{namespace="$namespace",pod=~"$pods"}[$range]))"#,
    ),
];
