//! Counters in Prometheus' text format: all pods in one target, for a scrape with `honor_labels: true`.
//!
//! The kernel knows requests, waiting and CPU; open descriptors are the requests in progress. Memory and sizes it does not know:
//! they are shown only where the user says what they are, and are missing otherwise, as in the gym.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

use std::fmt::Write;

use super::counters::Counted;
use super::stage::Stage;

/// Content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sizes that the kernel does not know, the same for all pods and requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Resident memory of a pod.
    pub resident_bytes: Option<u64>,
    /// Virtual memory of a pod.
    pub virtual_bytes: Option<u64>,
    /// Body of a request.
    pub request_bytes: Option<u64>,
    /// Body of a response.
    pub response_bytes: Option<u64>,
}

/// What all pods have in common.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Their namespace.
    pub namespace: &'a str,
    /// Longest wait of a good request, in seconds.
    pub objective_s: f64,
}

/// A sample of a family: suffix of its name, further labels, and the value of a pod.
struct Sample<'a> {
    suffix: &'a str,
    labels: String,
    value: Value<'a>,
}

type Value<'a> = &'a dyn Fn(&Counted) -> f64;

fn plain(value: Value<'_>) -> Sample<'_> {
    named("", value)
}

fn named<'a>(suffix: &'a str, value: Value<'a>) -> Sample<'a> {
    Sample { suffix, labels: String::new(), value }
}

fn bucket<'a>(le: &str, value: Value<'a>) -> Sample<'a> {
    Sample { labels: format!(",le=\"{le}\""), ..named("_bucket", value) }
}

struct Page<'a> {
    text: String,
    stage: &'a Stage<'a>,
    namespace: &'a str,
}

/// What `stage` shows.
#[must_use]
pub fn text(stage: &Stage<'_>, labels: &Labels<'_>, sizes: &Sizes) -> String {
    let mut page = Page { text: String::new(), stage, namespace: labels.namespace };
    page.requests(labels.objective_s);
    page.process(sizes);
    page.sizes(sizes);
    let Labels { namespace, .. } = labels;
    page.head("seatrial_world_unrouted_requests_total", "counter", "Requests that came while no pod was ready.");
    let unrouted = stage.counters().unrouted();
    let _ = writeln!(page.text, "seatrial_world_unrouted_requests_total{{namespace=\"{namespace}\"}} {unrouted}");
    page.text
}

impl Page<'_> {
    fn requests(&mut self, objective_s: f64) {
        self.family("http_requests_total", "counter", "Requests that arrived.", &[plain(&|pod| pod.amounts.requests)]);
        let samples = [
            // A histogram's buckets rise; requests that are good but not completed yet are in neither.
            bucket(&objective_s.to_string(), &|pod| pod.amounts.good.min(pod.amounts.completed)),
            bucket("+Inf", &|pod| pod.amounts.completed),
            named("_sum", &|pod| pod.amounts.duration_s),
            named("_count", &|pod| pod.amounts.completed),
        ];
        let help =
            "Waiting and service of completed requests; the first bucket holds those whose wait met the objective.";
        self.family("http_request_duration_seconds", "histogram", help, &samples);
    }

    fn process(&mut self, sizes: &Sizes) {
        self.family("process_cpu_seconds_total", "counter", "CPU seconds.", &[plain(&|pod| pod.amounts.cpu_s)]);
        let open = self.stage.in_progress() / f64::from(self.stage.counters().serving().max(1));
        let of = |pod: &Counted| if pod.serves { open } else { 0.0 };
        self.family("process_open_fds", "gauge", "Open descriptors: one for each request in progress.", &[plain(&of)]);
        for (name, bytes) in [
            ("process_resident_memory_bytes", sizes.resident_bytes),
            ("process_virtual_memory_bytes", sizes.virtual_bytes),
        ] {
            let Some(bytes) = bytes.map(precise) else { continue };
            self.family(name, "gauge", "As the user of the world said.", &[plain(&|_| bytes)]);
        }
    }

    fn sizes(&mut self, sizes: &Sizes) {
        for (name, help, bytes) in [
            ("http_request_size_bytes", "Bodies of completed requests.", sizes.request_bytes),
            ("http_response_size_bytes", "Bodies of their responses.", sizes.response_bytes),
        ] {
            let bytes_each = bytes.map(precise);
            let sum = |pod: &Counted| pod.amounts.completed * bytes_each.unwrap_or(0.0);
            let samples = [named("_count", &|pod| pod.amounts.completed), named("_sum", &sum)];
            self.family(name, "summary", help, &samples[..1 + usize::from(bytes.is_some())]);
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[Sample<'_>]) {
        self.head(name, kind, help);
        let (stage, namespace) = (self.stage, self.namespace);
        for (key, counted) in stage.counters().pods() {
            for Sample { suffix, labels, value } in samples {
                let (pod, value) = (&key.name, value(counted));
                // Names of Kubernetes hold nothing that the format would have escaped.
                let _ =
                    writeln!(self.text, "{name}{suffix}{{namespace=\"{namespace}\",pod=\"{pod}\"{labels}}} {value}");
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus' values are floats")]
const fn precise(bytes: u64) -> f64 {
    bytes as f64
}
