//! Numbers and lengths of time as a reader takes them in at a glance.

use seatrial_core::time::Span;
use seatrial_reports::format::grouped;

/// Four significant digits at least; whole numbers stay whole; commas from five digits on, as in running text.
pub(super) fn number(value: f64) -> String {
    let text = separated(value);
    if value.abs() < 9_999.5 { text.replace(',', "") } else { text }
}

/// As [`number`], with commas from four digits on, like the ticks of an axis.
pub(super) fn separated(value: f64) -> String {
    let size = value.abs();
    if size >= 1_000.0 || size.fract() == 0.0 {
        return grouped(value, 0);
    }
    let mut decimals = 1;
    let mut unit = 100.0;
    while size < unit && decimals < 15 {
        decimals += 1;
        unit /= 10.0;
    }
    grouped(value, decimals).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count, as [`number`].
pub(super) fn count(count: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of bins stay far below 2^52")]
    number(count as f64)
}

/// A share as percent: never `0 %` for something, nor `100 %` for less than all.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.01 => "under 0.01 %".to_owned(),
        percent if percent < 99.95 => {
            format!("{} %", number(if percent < 1.0 { round(percent, 100.0) } else { round(percent, 10.0) }))
        }
        percent if percent < 100.0 => "over 99.9 %".to_owned(),
        _ => "100 %".to_owned(),
    }
}

fn round(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit
}

const UNITS: [(i64, &str); 5] =
    [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms")];

/// `61 d 2 h 30 min`.
pub(super) fn span(span: Span) -> String {
    let mut left = span.micros();
    let mut words = Vec::new();
    for (micros, unit) in UNITS {
        if left / micros > 0 {
            words.push(format!("{} {unit}", left / micros));
            left %= micros;
        }
    }
    if left > 0 || words.is_empty() {
        words.push(format!("{left} µs"));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_first_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (1_152.0, "1152"),
            (87_990.0, "87,990"),
            (0.000_196_224_451, "0.0001962"),
            (0.975_142_118, "0.9751"),
            (13.64, "13.64"),
            (999.96, "1000"),
            (347_434.17, "347,434"),
            (4_321.6, "4322"),
        ] {
            assert_eq!(number(value), expected, "{value}");
        }
        assert_eq!((separated(1_152.0), separated(13.64)), ("1,152".to_owned(), "13.64".to_owned()));
    }

    #[test]
    fn shares_are_never_rounded_to_none_or_all() {
        for (share, expected) in [
            (0.0, "0 %"),
            (0.000_01, "under 0.01 %"),
            (0.000_113_6, "0.01 %"),
            (0.080_757, "8.1 %"),
            (0.9999, "over 99.9 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), expected, "{share}");
        }
    }

    #[test]
    fn spans_name_their_units() {
        for (seconds, expected) in [(60, "1 min"), (300, "5 min"), (5_279_400, "61 d 2 h 30 min"), (15, "15 s")] {
            assert_eq!(span(Span::from_secs(seconds)), expected);
        }
        assert_eq!(span(Span::ZERO), "0 µs");
        assert_eq!(span(Span::from_micros(1_500_000)), "1 s 500 ms");
    }
}
