//! Answers as typed values; see the parent for the invariants.

use std::collections::BTreeMap;
use std::fmt;

use seatrial_core::time::Timestamp;
use serde::{Deserialize, Deserializer, de};

use super::error::AnswerError;
use super::grid::parse_seconds;

/// What Prometheus answered, with what it had to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The result.
    pub data: T,
    /// Warnings and, from Prometheus 3 on, infos: the result stands, but may be partial or not what was meant.
    pub warnings: Vec<String>,
}

/// One value at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The moment: that of the evaluation, or of the sample in a matrix of raw samples.
    pub at: Timestamp,
    /// The value; NaN and infinities are legal.
    pub value: f64,
}

/// The labels of a series, `__name__` included.
pub type Labels = BTreeMap<String, String>;

/// A series of a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct InstantSeries {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub point: Point,
}

/// A series of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeSeries {
    /// Its labels.
    pub labels: Labels,
    /// Its points in order of time; moments without a value are absent.
    pub points: Vec<Point>,
}

/// The result of a query at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Instant {
    /// A number without series.
    Scalar(Point),
    /// Any number of series, none included.
    Vector(Vec<InstantSeries>),
    /// Raw samples: the query is a range selector.
    Matrix(Matrix),
    /// A text.
    String {
        /// The moment of the evaluation.
        at: Timestamp,
        /// The text.
        text: String,
    },
}

/// The result of a query over a range of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Its series, in the server's order.
    pub series: Vec<RangeSeries>,
}

/// Reads the answer of `/api/v1/query`.
///
/// # Errors
/// If the bytes are no such answer, if Prometheus says that it failed, or if the result holds native histograms.
pub fn parse_query(body: &[u8]) -> Result<Answer<Instant>, AnswerError> {
    let answer = parse(body)?;
    let data = match answer.data {
        Data::Scalar(PointForm(point)) => Instant::Scalar(point),
        Data::String(StringForm(at, text)) => Instant::String { at, text },
        Data::Vector(series) => Instant::Vector(numbers(series, VectorForm::into_series)?),
        Data::Matrix(series) => Instant::Matrix(Matrix { series: numbers(series, MatrixForm::into_series)? }),
    };
    Ok(Answer { data, warnings: answer.warnings })
}

/// Reads the answer of `/api/v1/query_range`.
///
/// # Errors
/// As [`parse_query`], and if the result is not a matrix.
pub fn parse_query_range(body: &[u8]) -> Result<Answer<Matrix>, AnswerError> {
    let answer = parse(body)?;
    let found = match answer.data {
        Data::Matrix(series) => {
            let data = Matrix { series: numbers(series, MatrixForm::into_series)? };
            return Ok(Answer { data, warnings: answer.warnings });
        }
        Data::Scalar(_) => "scalar",
        Data::String(_) => "string",
        Data::Vector(_) => "vector",
    };
    Err(AnswerError::WrongType { found, wanted: "a matrix", path: "/api/v1/query_range" })
}

fn parse(body: &[u8]) -> Result<Answer<Data>, AnswerError> {
    let not_an_answer = |detail: String| AnswerError::NotAnAnswer { detail };
    let envelope: Envelope = serde_json::from_slice(body).map_err(|error| not_an_answer(error.to_string()))?;
    if envelope.status == Status::Error {
        return Err(AnswerError::failed(envelope.error_type, envelope.error));
    }
    let data = envelope.data.ok_or_else(|| not_an_answer("success without `data`".to_owned()))?;
    let mut warnings = envelope.warnings.unwrap_or_default();
    warnings.extend(envelope.infos.unwrap_or_default());
    Ok(Answer { data, warnings })
}

fn numbers<F, S>(forms: Vec<F>, into_series: fn(F) -> Option<S>) -> Result<Vec<S>, AnswerError> {
    let element = |(element, form)| into_series(form).ok_or(AnswerError::Histogram { element });
    forms.into_iter().enumerate().map(element).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    status: Status,
    data: Option<Data>,
    error_type: Option<String>,
    error: Option<String>,
    warnings: Option<Vec<String>>,
    infos: Option<Vec<String>>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Error,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar(PointForm),
    Vector(Vec<VectorForm>),
    Matrix(Vec<MatrixForm>),
    String(StringForm),
}

/// A series with neither value nor values has native histograms.
#[derive(Deserialize)]
struct VectorForm {
    metric: Labels,
    value: Option<PointForm>,
}

#[derive(Deserialize)]
struct MatrixForm {
    metric: Labels,
    values: Option<Vec<PointForm>>,
    /// Counted, not read: a series may hold floats and histograms.
    histograms: Option<Vec<de::IgnoredAny>>,
}

impl VectorForm {
    fn into_series(self) -> Option<InstantSeries> {
        self.value.map(|PointForm(point)| InstantSeries { labels: self.metric, point })
    }
}

impl MatrixForm {
    fn into_series(self) -> Option<RangeSeries> {
        if self.histograms.is_some_and(|histograms| !histograms.is_empty()) {
            return None;
        }
        let points = self.values?.into_iter().map(|PointForm(point)| point).collect();
        Some(RangeSeries { labels: self.metric, points })
    }
}

/// `[seconds, "value"]`.
struct PointForm(Point);

impl<'de> Deserialize<'de> for PointForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, NumberText(value)) = Deserialize::deserialize(deserializer)?;
        Ok(Self(Point { at: parse_seconds(seconds), value }))
    }
}

/// `[seconds, "text"]`.
struct StringForm(Timestamp, String);

impl<'de> Deserialize<'de> for StringForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, text) = Deserialize::deserialize(deserializer)?;
        Ok(Self(parse_seconds(seconds), text))
    }
}

/// A number as text, read without a copy: JSON has neither NaN nor infinities, so Prometheus quotes all values.
struct NumberText(f64);

impl<'de> Deserialize<'de> for NumberText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NumberVisitor)
    }
}

struct NumberVisitor;

impl de::Visitor<'_> for NumberVisitor {
    type Value = NumberText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number in quotes, such as \"1.5\", \"NaN\" or \"+Inf\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<NumberText, E> {
        text.parse().map(NumberText).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests;
