//! The traces compiled into the program: small, so that the first run needs no file. See `traces/README.md` for their licences.

use crate::reader::read_trace_bytes;
use crate::{Trace, TraceError};

/// Ids of the shipped traces, alphabetical.
pub const IDS: &[&str] = &["azure_cluster_5min", "generated_web_1min", "google_cluster_5min"];

/// The Parquet file of each, in the order of [`IDS`].
const FILES: [&[u8]; IDS.len()] = [
    include_bytes!("../traces/azure_cluster_5min.parquet"),
    include_bytes!("../traces/generated_web_1min.parquet"),
    include_bytes!("../traces/google_cluster_5min.parquet"),
];

/// The shipped trace called `id`.
///
/// # Errors
/// [`TraceError::Absent`] if there is none of that name.
pub fn open(id: &str) -> Result<Trace, TraceError> {
    let position = IDS.iter().position(|known| *known == id).ok_or_else(|| TraceError::Absent {
        name: id.to_owned(),
        searched: format!("the shipped traces ({})", IDS.join(", ")),
    })?;
    read_trace_bytes(id, FILES[position].to_vec())
}
