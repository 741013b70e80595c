//! Lines for the user. A closed pipe (`seatrial list | head`) ends the command quietly, a full disk with one message; neither
//! is a panic, as it would be with the standard macros.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// As a shell reports a program that a closed pipe ended.
const CLOSED_PIPE: i32 = 141;

/// Prints a line of results, or ends the process: results that nobody can read are no success.
#[expect(clippy::disallowed_methods, reason = "nothing can be done, or said, once standard output is gone")]
pub(crate) fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}") {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(CLOSED_PIPE);
        }
        remark(format_args!("error: cannot write to standard output: {error}; give it a place with room"));
        std::process::exit(1);
    }
}

/// Prints a line of progress or a note; work goes on if nobody reads it.
pub(crate) fn remark(text: Arguments<'_>) {
    // Nothing is lost: what matters is in the run folder.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

macro_rules! say {
    () => { $crate::output::line(format_args!("")) };
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}

macro_rules! tell {
    ($($text:tt)*) => { $crate::output::remark(format_args!($($text)*)) };
}
