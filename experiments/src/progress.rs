//! Progress of long steps: a bar with the time left on a terminal, plain lines elsewhere.
//!
//! Progress goes to stderr; results go to stdout. Nothing that is written to a file depends on it.

use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far a step is. Can be advanced from any thread.
#[derive(Debug)]
pub struct Progress {
    label: String,
    total: usize,
    done: AtomicUsize,
    bar: Option<ProgressBar>,
    quiet: bool,
}

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// A bar with the time left.
    Bar,
    /// A line per tenth.
    Lines,
    /// Nothing: tests.
    Quiet,
}

impl Progress {
    /// A step of `total` items.
    #[must_use]
    pub fn new(display: Display, label: &str, total: usize) -> Self {
        Self::resumed(display, label, 0, total)
    }

    /// A step of which `kept` items are done since an earlier command and `total` are to do.
    #[must_use]
    pub fn resumed(display: Display, label: &str, kept: usize, total: usize) -> Self {
        if kept > 0 && display != Display::Quiet {
            tell!("{label}: kept {kept} of {} {label}, {total} to do", kept + total);
        } else if display == Display::Lines {
            tell!("{label}: {total} to do");
        }
        let bar = (display == Display::Bar && total > 0).then(|| bar(label, total));
        Self { label: label.to_owned(), total, done: AtomicUsize::new(0), bar, quiet: display != Display::Lines }
    }

    /// One more item is done.
    pub fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        } else if !self.quiet && self.crossed_a_tenth(done) {
            tell!("{}: {done} of {}", self.label, self.total);
        }
    }

    /// A word about what is being done now.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None if !self.quiet => tell!("{}: {text}", self.label),
            None => {}
        }
    }

    /// The step is over.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    const fn crossed_a_tenth(&self, done: usize) -> bool {
        self.total > 0 && done * 10 / self.total != (done - 1) * 10 / self.total
    }
}

fn bar(label: &str, total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{prefix:>10} {bar:32} {pos}/{len}, {eta} left {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(label.to_owned());
    bar
}
