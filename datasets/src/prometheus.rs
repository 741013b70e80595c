//! What Prometheus' HTTP API answers: the JSON of `/api/v1/query` and `/api/v1/query_range` as typed values.
//!
//! Here, and not in the operator, because two programs read it: the operator for its observations, the importer for traces
//! (from a server or from a file that holds such an answer). Nothing here does I/O.
//!
//! Invariants: a value is exactly the number that Prometheus printed, NaN and infinities included (they are legal answers;
//! who needs a finite number says so); a time is the microsecond nearest to the printed one; an answer that is not
//! understood is an error that says what to do, never an empty result; unknown fields are ignored, so that newer servers
//! can be read.
//!
//! Sources: Prometheus' documentation, "HTTP API"; `web/api/v1/api.go`; answers recorded from Prometheus 2.42.
//!
//! ```
//! use seatrial_datasets::prometheus::{Instant, parse_query};
//!
//! let body = br#"{"status":"success","data":{"resultType":"scalar","result":[1795254065.232,"1.5"]}}"#;
//! let answer = parse_query(body)?;
//! assert!(matches!(answer.data, Instant::Scalar(point) if point.value == 1.5));
//! # Ok::<(), seatrial_datasets::prometheus::AnswerError>(())
//! ```

mod answer;
mod error;
mod grid;

pub use answer::{Answer, Instant, InstantSeries, Labels, Matrix, Point, RangeSeries, parse_query, parse_query_range};
pub use error::AnswerError;
pub use grid::{Grid, MOST_POINTS, format_seconds, parse_seconds};
