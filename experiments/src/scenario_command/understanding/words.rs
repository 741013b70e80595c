//! Numbers, spans and counted things as people write them.

use seatrial_reports::format::grouped;

/// How many of `what`, in the singular or with an `s`.
pub(super) fn count(count: impl Into<u64>, what: &str) -> String {
    match count.into() {
        1 => format!("1 {what}"),
        many => format!("{} {what}s", whole(many)),
    }
}

/// A whole number, thousands set apart.
pub(super) fn whole(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    grouped(count as f64, 0)
}

/// A number as people write it: three digits that count, thousands set apart.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value < 100.0 => {
            let text = format!("{value:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        value if value < 1e15 => grouped(value, 0),
        value => format!("{value:.2e}"),
    }
}

/// Seconds in the largest unit that keeps them short.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s >= 7_200.0 => format!("{} h", number(s / 3_600.0)),
        s if s >= 120.0 => format!("{} min", number(s / 60.0)),
        s if s >= 1.0 || s == 0.0 => format!("{} s", number(s)),
        s => format!("{} ms", number(s * 1_000.0)),
    }
}

/// Thousandths of a core as cores.
pub(super) fn cores(milli: u64) -> String {
    number(in_units(milli, 1_000.0))
}

/// MiB as GiB.
pub(super) fn gib(mib: u64) -> String {
    number(in_units(mib, 1_024.0))
}

#[expect(clippy::cast_precision_loss, reason = "sizes of clusters are far below 2^52")]
fn in_units(value: u64, unit: f64) -> f64 {
    value as f64 / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_counts_and_spans_are_short() {
        for (value, text) in [(0.0, "0"), (2.5, "2.5"), (99.999, "100"), (1_234_567.0, "1,234,567"), (100.4, "100")] {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(1e300), "1.00e300");
        for (seconds, text) in [(0.12, "120 ms"), (5.0, "5 s"), (119.0, "119 s"), (900.0, "15 min"), (7_200.0, "2 h")] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(
            [count(0_u32, "pod"), count(1_u32, "pod"), count(1_200_u32, "node")],
            ["0 pods", "1 pod", "1,200 nodes"]
        );
        assert_eq!((cores(1_500), gib(3_000)), ("1.5".to_owned(), "2.93".to_owned()));
    }
}
