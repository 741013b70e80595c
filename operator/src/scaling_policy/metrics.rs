//! Where a policy's observations come from, and how old they may be.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The Prometheus server, its queries, and the limits on the age of what it returns.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.staleAfterSeconds >= self.scrapeIntervalSeconds")
    .message("staleAfterSeconds must be at least scrapeIntervalSeconds: a younger limit would make every sample stale"))]
pub struct Metrics {
    /// Base address of Prometheus' HTTP API, for example `http://prometheus.monitoring:9090`. No default.
    #[schemars(regex(pattern = "^https?://[^ ]+$"), length(max = 2048))]
    pub url: String,
    /// File in the operator's container with a bearer token that is sent to Prometheus; it must lie in the folder of the
    /// operator's flag `--credentials` (`/etc/seatrial/credentials`). Default: no authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// File in the operator's container with the certificate authority of Prometheus (PEM), in the same folder. Default: the
    /// system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// How often Prometheus scrapes the target's pods, in seconds. Default: 15. Rates are taken over twice this.
    #[serde(default = "scrape_interval_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub scrape_interval_seconds: i32,
    /// Age in seconds from which a sample is stale: stale or missing samples hold the replicas, they never scale down.
    /// Default: 45, three scrapes of the default interval.
    #[serde(default = "stale_after_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub stale_after_seconds: i32,
    /// PromQL of each feature, where the defaults do not fit your metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<Queries>,
}

/// PromQL per feature; each query returns one number for the whole workload. No answer means missing, which holds the replicas.
///
/// `$namespace`, `$pods` (a regular expression for the target's pods), `$range` (two scrape intervals, as in `30s`) and `$wait`
/// (the objective in seconds, as in `0.12`) are replaced before a query is sent.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queries {
    /// CPU used, in cores. Default: `sum(irate(process_cpu_seconds_total{namespace="$namespace",pod=~"$pods"}[$range]))`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub process_cpu_seconds_total_rate: Option<String>,
    /// Resident memory, in bytes. Default: `sum(process_resident_memory_bytes{namespace="$namespace",pod=~"$pods"})`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub process_resident_memory_bytes: Option<String>,
    /// Virtual memory, in bytes. Default: `sum(process_virtual_memory_bytes{namespace="$namespace",pod=~"$pods"})`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub process_virtual_memory_bytes: Option<String>,
    /// Seconds of request handling per second, waiting included. Default: `sum(irate(http_request_duration_seconds_sum{namespace="$namespace",pod=~"$pods"}[$range]))`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub http_request_duration_seconds_sum_rate: Option<String>,
    /// Requests that arrived, per second: the offered load. Default: `sum(irate(http_requests_total{namespace="$namespace",pod=~"$pods"}[$range]))`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub http_requests_total_rate: Option<String>,
    /// Requests that were completed, per second. Default: `sum(irate(http_request_duration_seconds_count{namespace="$namespace",pod=~"$pods"}[$range]))`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub http_request_duration_seconds_count_rate: Option<String>,
    /// Open file descriptors. Default: `sum(process_open_fds{namespace="$namespace",pod=~"$pods"})`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub process_open_fds: Option<String>,
    /// Response bytes per second. Default: `sum(irate(http_response_size_bytes_sum{namespace="$namespace",pod=~"$pods"}[$range]))`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub http_response_size_bytes_sum_rate: Option<String>,
    /// Requests whose size was recorded, per second. Default: `sum(irate(http_request_size_bytes_count{namespace="$namespace",pod=~"$pods"}[$range]))`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub http_request_size_bytes_count_rate: Option<String>,
    /// Share of requests that waited longer than the objective, failed or were dropped, 0 to 1. Default: `clamp_min(1 - sum(irate(http_request_duration_seconds_bucket{namespace="$namespace",pod=~"$pods",le=~"$wait([.]0)?"}[$range])) / (sum(irate(http_requests_total{namespace="$namespace",pod=~"$pods"}[$range])) > 0), 0)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub bad_request_ratio: Option<String>,
    /// Time of the newest sample, in seconds since 1970: all features are taken to be of that moment, and a decision is due
    /// when it advances. Default: `max(timestamp(http_requests_total{namespace="$namespace",pod=~"$pods"}))`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub sample_time: Option<String>,
}

const fn scrape_interval_seconds() -> i32 {
    15
}

const fn stale_after_seconds() -> i32 {
    45
}
