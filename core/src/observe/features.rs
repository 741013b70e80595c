//! The nine features of the origins plus the bad-request ratio, as workload totals over a rate window.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Number of [`Feature`]s.
pub const FEATURE_COUNT: usize = 10;

/// A metric that the pipeline may deliver. Rates are per second and summed over the workload's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Feature {
    /// CPU seconds used per second (cores).
    ProcessCpuSecondsTotalRate = 0,
    /// Resident memory in bytes.
    ProcessResidentMemoryBytes = 1,
    /// Virtual memory in bytes.
    ProcessVirtualMemoryBytes = 2,
    /// Seconds of request handling (waiting included) per second.
    HttpRequestDurationSecondsSumRate = 3,
    /// Requests that arrived per second: the offered load.
    HttpRequestsTotalRate = 4,
    /// Requests that were completed per second.
    HttpRequestDurationSecondsCountRate = 5,
    /// Open file descriptors.
    ProcessOpenFds = 6,
    /// Response bytes per second.
    HttpResponseSizeBytesSumRate = 7,
    /// Requests whose size was recorded, per second.
    HttpRequestSizeBytesCountRate = 8,
    /// Share of requests that were bad (over the latency objective, error, drop or timeout), 0 to 1.
    BadRequestRatio = 9,
}

/// A value with the moment at which the window it describes ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// End of the window.
    pub at: Timestamp,
    /// The value, in the unit of its feature.
    pub value: f64,
}

/// One optional sample per feature; absent means *missing*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    samples: [Option<Sample>; FEATURE_COUNT],
}

impl Metrics {
    /// The sample of `feature`; values that are not finite or negative count as missing.
    #[must_use]
    pub fn get(&self, feature: Feature) -> Option<Sample> {
        self.samples[feature as usize].filter(|sample| sample.value.is_finite() && sample.value >= 0.0)
    }

    /// Sets or removes the sample of `feature`.
    pub const fn set(&mut self, feature: Feature, sample: Option<Sample>) {
        self.samples[feature as usize] = sample;
    }

    /// Removes every sample: a lost scrape.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_is_missing() {
        let mut metrics = Metrics::default();
        assert_eq!(metrics.get(Feature::HttpRequestsTotalRate), None);
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            metrics.set(Feature::HttpRequestsTotalRate, Some(Sample { at: Timestamp::ZERO, value }));
            assert_eq!(metrics.get(Feature::HttpRequestsTotalRate), None, "{value}");
        }
        metrics.set(Feature::HttpRequestsTotalRate, Some(Sample { at: Timestamp::ZERO, value: 0.0 }));
        assert!(metrics.get(Feature::HttpRequestsTotalRate).is_some());
    }
}
