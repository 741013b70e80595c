//! What can go wrong between study data and a report, and what to do about it.

use std::path::PathBuf;

/// Why there is no report. Nothing half-written is left behind: files appear whole or not at all.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The study holds no evaluated cell.
    #[error(
        "study `{study}` has no evaluated cells, so there is nothing to report; run it to the end of at least one cell"
    )]
    NoCells {
        /// Name of the study.
        study: String,
    },
    /// A number that no cost can be.
    #[error(
        "study `{study}`: `{field}` of strategy `{strategy}` on `{series}`, window {day_us} µs, is {value}; \
         expected {expected}; evaluate that cell again"
    )]
    BadNumber {
        /// Name of the study.
        study: String,
        /// Field at fault.
        field: &'static str,
        /// Strategy of the cell.
        strategy: String,
        /// Series of the cell.
        series: String,
        /// Start of the window in microseconds.
        day_us: i64,
        /// The value found.
        value: f64,
        /// What would have been right.
        expected: &'static str,
    },
    /// Two cells claim to be the same experiment.
    #[error("study `{study}` holds two cells for {cell}; merge their windows or remove one")]
    DuplicateCell {
        /// Name of the study.
        study: String,
        /// Address of the cell in words.
        cell: String,
    },
    /// A cell without windows.
    #[error(
        "study `{study}`: the cell {cell} has no windows; evaluate it again or leave it out and name it in `failures`"
    )]
    EmptyCell {
        /// Name of the study.
        study: String,
        /// Address of the cell in words.
        cell: String,
    },
    /// One id with two variants.
    #[error("study `{study}`: strategy `{strategy}` appears as both {first} and {second}; give the two different ids")]
    MixedVariants {
        /// Name of the study.
        study: String,
        /// The id.
        strategy: String,
        /// First variant met.
        first: &'static str,
        /// Second variant met.
        second: &'static str,
    },
    /// A decision log with nothing to draw.
    #[error(
        "the decision log `{name}` holds {found} records; it takes two of different moments to draw it: let the decision maker run longer"
    )]
    NoDecisions {
        /// Whose log it is.
        name: String,
        /// Records found.
        found: usize,
    },
    /// A run whose lists do not fit together.
    #[error("scenario `{scenario}`: `{field}` of its run holds {found}, expected {expected}; run the scenario again")]
    BadTimeline {
        /// Name of the scenario.
        scenario: String,
        /// Field at fault.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What would have been right.
        expected: String,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}; check the free space and the permissions, then run the command again", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A figure could not be drawn.
    #[error(
        "cannot draw figure `{figure}`: {reason}; this is a defect of seatrial-reports, please report it with the run folder"
    )]
    Draw {
        /// Id of the figure.
        figure: String,
        /// The backend's words.
        reason: String,
    },
    /// The page or a table could not be rendered.
    #[error(
        "cannot render {what}: {reason}; this is a defect of seatrial-reports, please report it with the run folder"
    )]
    Render {
        /// What was rendered.
        what: &'static str,
        /// The engine's words.
        reason: String,
    },
}
