//! Numbers and dates as readers expect them: thousands separators, units said elsewhere, UTC dates without a clock.

use crate::stats::Estimate;

/// `value` with `decimals` digits after the point and commas between thousands; `–` if it is not finite.
#[must_use]
pub fn grouped(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    if value < 0.0 && plain.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        out.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Three significant digits without an exponent and without idle zeros: for single ticks and labels.
#[must_use]
pub fn short(value: f64) -> String {
    let size = value.abs();
    let decimals = if size >= 100.0 || size == 0.0 {
        0
    } else {
        let mut floor = 10.0;
        let mut decimals = 1;
        while size < floor && decimals < 9 {
            floor /= 10.0;
            decimals += 1;
        }
        decimals
    };
    let text = grouped(value, decimals);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A tick of an axis whose ticks lie `spacing` apart: as many decimals as the spacing has, the same for all ticks but zero.
/// Without a spacing (a logarithmic axis) it is [`short`].
#[must_use]
pub fn spaced(value: f64, spacing: f64) -> String {
    if value == 0.0 || !(spacing > 0.0 && spacing.is_finite()) {
        return short(value);
    }
    // A spacing of 25 needs none, one of 0.0025 four: the mantissas are 1, 2, 2.5 and 5.
    let whole = |decimals: &i32| {
        let scaled = spacing * 10_f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    grouped(value, (0..=9).find(whole).map_or(9, i32::unsigned_abs) as usize)
}

/// A share as percent.
#[must_use]
pub fn percent(share: f64, decimals: usize) -> String {
    grouped(share * 100.0, decimals)
}

/// A duration with about three digits: `182 ms`, `1.23 s`, `12.5 min`; `–` if it is absent.
#[must_use]
pub fn duration(seconds: Option<f64>) -> String {
    match seconds {
        Some(s) if s.is_finite() && s.abs() < 1.0 => format!("{} ms", short(s * 1_000.0)),
        Some(s) if s.is_finite() && s.abs() < 120.0 => format!("{} s", short(s)),
        Some(s) if s.is_finite() && s.abs() < 7_200.0 => format!("{} min", short(s / 60.0)),
        Some(s) if s.is_finite() => format!("{} h", short(s / 3_600.0)),
        _ => "–".to_owned(),
    }
}

/// `value [low, high]`, each through `show`; only the value if there is no interval.
#[must_use]
pub fn with_interval(estimate: Option<&Estimate>, show: impl Fn(f64) -> String) -> String {
    match estimate {
        None => "–".to_owned(),
        Some(Estimate { value, low: Some(low), high: Some(high), .. }) => {
            format!("{} [{}, {}]", show(*value), show(*low), show(*high))
        }
        Some(estimate) => show(estimate.value),
    }
}

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Calendar date (UTC) of a moment: year, month, day. The algorithm of Howard Hinnant's `civil_from_days`.
#[must_use]
pub const fn civil_date(at_us: i64) -> (i64, i64, i64) {
    let shifted = at_us.div_euclid(DAY_US) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month_name(month: i64) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|i| MONTHS.get(i)).copied().unwrap_or("")
}

/// Whether a moment stands on no calendar: traces with relative time only begin at the epoch.
#[must_use]
pub const fn is_relative(at_us: i64) -> bool {
    civil_date(at_us).0 == 1970
}

/// `21 Jun`; `day 28` of a trace that has relative time only.
#[must_use]
pub fn day_label(at_us: i64) -> String {
    if is_relative(at_us) {
        return format!("day {}", at_us.div_euclid(DAY_US) + 1);
    }
    let (_, month, day) = civil_date(at_us);
    format!("{day} {}", month_name(month))
}

/// `Jun`.
#[must_use]
pub fn month_label(at_us: i64) -> &'static str {
    month_name(civil_date(at_us).1)
}

/// `2026-06-21`.
#[must_use]
pub fn iso_date(at_us: i64) -> String {
    let (year, month, day) = civil_date(at_us);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `28 Jan 2026`, `21 Jun to 27 Jun 1998` or `day 22 to day 28`: what is the same is said once.
#[must_use]
pub fn span_label(first_us: i64, last_us: i64) -> String {
    let (from, to) = (civil_date(first_us), civil_date(last_us));
    let year = |at_us: i64, year: i64| if is_relative(at_us) { String::new() } else { format!(" {year}") };
    let end = format!("{}{}", day_label(last_us), year(last_us, to.0));
    match (from == to, from.0 == to.0) {
        (true, _) => end,
        (false, true) => format!("{} to {end}", day_label(first_us)),
        (false, false) => format!("{}{} to {end}", day_label(first_us), year(first_us, from.0)),
    }
}

/// The zone of clock times: none where the time is relative.
#[must_use]
pub const fn zone(at_us: i64) -> &'static str {
    if is_relative(at_us) { "" } else { " UTC" }
}

/// `14:30`.
#[must_use]
pub fn clock_label(at_us: i64) -> String {
    let minutes = at_us.rem_euclid(DAY_US) / 60_000_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `14:30:05`.
#[must_use]
pub fn clock_seconds(at_us: i64) -> String {
    format!("{}:{:02}", clock_label(at_us), at_us.rem_euclid(60_000_000) / 1_000_000)
}

/// `1998-06-21T14:30:05Z`, with a fraction only where there is one.
#[must_use]
pub fn iso_moment(at_us: i64) -> String {
    let fraction = match at_us.rem_euclid(1_000_000) {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!("{}T{}{fraction}Z", iso_date(at_us), clock_seconds(at_us))
}

/// Letters of a slug: file systems allow names of 255, and others stand before and after it.
const LONGEST_SLUG: usize = 120;

/// Lower-case ASCII letters, digits and dashes only: safe in a file name and an anchor. A long one is cut; a hash in the place
/// of the rest keeps it apart from its like.
#[must_use]
pub fn slug(name: &str) -> String {
    let mapped: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let parts: Vec<&str> = mapped.split('-').filter(|part| !part.is_empty()).collect();
    let slug = parts.join("-");
    if slug.len() <= LONGEST_SLUG {
        return slug;
    }
    format!(
        "{}-{}",
        slug[..LONGEST_SLUG - 17].trim_end_matches('-'),
        &seatrial_core::bundle::hash(name.as_bytes())[..16]
    )
}

/// A CSV field: quoted if it must be.
#[must_use]
pub fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_thousands() {
        for (value, decimals, expected) in [
            (1_234_567.891, 1, "1,234,567.9"),
            (999.4, 0, "999"),
            (-1_000.0, 0, "-1,000"),
            (-0.001, 1, "0.0"),
            (f64::NAN, 2, "–"),
        ] {
            assert_eq!(grouped(value, decimals), expected);
        }
    }

    #[test]
    fn spaced_tells_neighbours_apart() {
        for (value, spacing, expected) in [
            (13.6425, 0.0025, "13.6425"),
            (13.64, 0.01, "13.64"),
            (13.6, 0.05, "13.60"),
            (1_500.0, 250.0, "1,500"),
            (100.0, 20.0, "100"),
            (0.5, 0.25, "0.50"),
            (0.0, 0.25, "0"),
            (-10.0, 5.0, "-10"),
            (7.0, 0.0, "7"),
            (100.0, 0.0, "100"),
            (0.001, 0.0, "0.001"),
        ] {
            assert_eq!(spaced(value, spacing), expected);
        }
    }

    #[test]
    fn short_keeps_about_three_digits() {
        for (value, expected) in
            [(0.0, "0"), (1_500.0, "1,500"), (100.0, "100"), (12.5, "12.5"), (1.2, "1.2"), (0.05, "0.05"), (2.0, "2")]
                .into_iter()
                .chain([(1.0, "1"), (0.00067, "0.00067"), (0.000_02, "0.00002"), (0.0175, "0.0175")])
        {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn durations_choose_their_unit() {
        for (seconds, expected) in [
            (Some(0.0), "0 ms"),
            (Some(0.000_25), "0.25 ms"),
            (Some(0.182), "182 ms"),
            (Some(1.234), "1.23 s"),
            (Some(90.0), "90 s"),
            (Some(1_800.0), "30 min"),
            (Some(86_400.0), "24 h"),
            (Some(f64::INFINITY), "–"),
            (None, "–"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    /// Dates from `date -u -d @SECONDS`.
    #[test]
    fn dates_as_the_calendar() {
        assert_eq!(iso_date(898_387_200_000_000), "1998-06-21");
        assert_eq!(iso_date(951_782_400_000_000), "2000-02-29");
        assert_eq!(iso_date(-1), "1969-12-31");
        assert_eq!(day_label(898_387_200_000_000), "21 Jun");
        assert_eq!(day_label(27 * DAY_US), "day 28");
        assert_eq!(clock_label(52_200_000_000), "14:30");
        assert_eq!(iso_moment(898_387_205_000_000), "1998-06-21T00:00:05Z");
        assert_eq!(iso_moment(-1), "1969-12-31T23:59:59.999999Z");
        let new_year = 915_148_800_000_000;
        assert_eq!(span_label(new_year, new_year + DAY_US - 1), "1 Jan 1999");
        assert_eq!(span_label(new_year, new_year + DAY_US), "1 Jan to 2 Jan 1999");
        assert_eq!(span_label(new_year - 1, new_year), "31 Dec 1998 to 1 Jan 1999");
        assert_eq!(span_label(27 * DAY_US, 28 * DAY_US - 1), "day 28");
        assert_eq!(span_label(21 * DAY_US, 28 * DAY_US - 1), "day 22 to day 28");
    }

    #[test]
    fn long_slugs_are_cut_and_stay_apart() {
        let (one, two) = (slug(&format!("{}x", "pod/".repeat(90))), slug(&format!("{}y", "pod/".repeat(90))));
        assert!(one.len() <= 120 && two.len() <= 120 && one != two, "{one} {two}");
        assert_eq!(slug(&"a".repeat(120)), "a".repeat(120));
    }

    #[test]
    fn slugs_and_csv_fields_are_safe() {
        assert_eq!(slug("../App 03 (x)"), "app-03-x");
        assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_field("plain"), "plain");
    }
}
