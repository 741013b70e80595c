//! Traffic of a scenario: where requests come from, what they are like, and how clients behave.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::distribution::Distribution;

/// A source of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficSpec {
    /// The service that the requests enter by.
    pub service: String,
    /// Where their rate, or they themselves, come from.
    pub source: SourceSpec,
    /// What they are like; absent: all alike, with a work factor of 1 and no tokens.
    #[serde(default)]
    pub classes: Vec<ClassSpec>,
}

/// Where requests come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SourceSpec {
    /// The rates of a recorded trace.
    Trace {
        /// Its id.
        id: String,
        /// Its series, if it has several.
        #[serde(default)]
        series: Option<String>,
        /// Seconds from the trace's first bin to the scenario's start.
        #[serde(default)]
        from_s: f64,
        /// Scales the greatest rate of the part that is used to this many requests per second; absent: as recorded.
        #[serde(default)]
        peak_per_s: Option<f64>,
    },
    /// The requests of a recorded trace, one by one.
    Requests {
        /// Its id.
        id: String,
        /// Seconds from the trace's first request to the scenario's start.
        #[serde(default)]
        from_s: f64,
    },
    /// A constant rate.
    Constant {
        /// Requests per second.
        rate_per_s: f64,
    },
    /// Straight lines between points; level before the first and after the last.
    Points {
        /// Pairs of seconds from the start and requests per second; the seconds ascend.
        #[serde(deserialize_with = "pairs")]
        points: Vec<[f64; 2]>,
    },
    /// A wave around a mean.
    Sine {
        /// Mean requests per second.
        mean_per_s: f64,
        /// Requests per second between mean and crest, at most the mean.
        amplitude_per_s: f64,
        /// Seconds of one wave.
        period_s: f64,
    },
    /// A flash crowd on a level: up, held, and down by halves.
    Flash {
        /// Requests per second outside of it.
        base_per_s: f64,
        /// Requests per second at its height.
        peak_per_s: f64,
        /// When it begins, in seconds from the start.
        at_s: f64,
        /// Seconds from its beginning to its height.
        rise_s: f64,
        /// Seconds that it is held.
        hold_s: f64,
        /// Seconds in which it halves.
        halving_s: f64,
    },
}

/// Requests that are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// Kebab-case name.
    pub name: String,
    /// Share of the source's requests; shares sum to 1.
    pub share: f64,
    /// What the service times of its calls are multiplied with.
    #[serde(default = "unchanged")]
    pub work: f64,
    /// Tokens of the prompt.
    #[serde(default)]
    pub input_tokens: Option<Distribution>,
    /// Tokens of the answer.
    #[serde(default)]
    pub output_tokens: Option<Distribution>,
}

/// How clients behave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSpec {
    /// Seconds after which a client gives a try up; `inf`: it waits for ever.
    #[serde(with = "super::never")]
    #[schemars(with = "Option<f64>")]
    pub timeout_s: Option<f64>,
    /// Retries; absent: none.
    pub retries: Option<RetrySpec>,
}

impl Default for ClientSpec {
    fn default() -> Self {
        Self { timeout_s: Some(5.0), retries: None }
    }
}

/// Retries of a failed try: exponential backoff with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySpec {
    /// Tries in all, the first one included.
    pub attempts: u32,
    /// Seconds that the first delay is drawn below; it doubles from try to try.
    #[serde(default = "tenth")]
    pub base_s: f64,
    /// Most seconds that a delay is drawn below.
    #[serde(default = "ten")]
    pub cap_s: f64,
    /// Retries that each first try pays for, over all clients together, beside 10 a second and 100 saved up; absent: no budget.
    #[serde(default)]
    pub budget_ratio: Option<f64>,
}

/// Exactly two numbers; left to itself, a reader of arrays may pass over a third.
struct Pair([f64; 2]);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let numbers = Vec::<f64>::deserialize(from)?;
        let wrong = || {
            D::Error::custom(format!("has {} numbers, must be a pair: [seconds, requests per second]", numbers.len()))
        };
        <[f64; 2]>::try_from(numbers.as_slice()).map(Self).map_err(|_| wrong())
    }
}

fn pairs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<[f64; 2]>, D::Error> {
    Ok(Vec::<Pair>::deserialize(from)?.into_iter().map(|pair| pair.0).collect())
}

const fn unchanged() -> f64 {
    1.0
}

const fn tenth() -> f64 {
    0.1
}

const fn ten() -> f64 {
    10.0
}
