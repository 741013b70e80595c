//! Moments as text: RFC 3339 in UTC ⇄ [`Timestamp`], for configs and messages.
//!
//! Leap seconds do not exist here.

use seatrial_core::time::civil::{civil_from_days, days_from_civil};
use seatrial_core::time::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serializer, de};

/// Microseconds of a day.
pub const DAY: Span = Span::from_secs(86_400);

/// A moment from `YYYY-MM-DD`, `YYYY-MM-DDThh:mm`, `…:ss` or `…:ss.ffffff`, each with an optional `Z` or `±hh:mm`.
///
/// Without an offset it is UTC.
///
/// # Errors
/// A message that names the text and the form it should have.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    parse_parts(text).ok_or_else(|| format!("`{text}` is no moment: write it as 1998-06-19T00:00:00Z"))
}

fn parse_parts(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-')?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = Timestamp::ZERO + DAY * days_from_civil(year, month, day);
    if rest.is_empty() {
        return Some(midnight);
    }
    let (clock, offset) = split_offset(rest.strip_prefix(['T', ' '])?)?;
    Some(midnight + time_of_day(clock)? - offset)
}

fn split_offset(text: &str) -> Option<(&str, Span)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, Span::ZERO));
    }
    let Some(position) = text.rfind(['+', '-']) else { return Some((text, Span::ZERO)) };
    let (clock, offset) = text.split_at(position);
    let length = hours_and_minutes(&offset[1..])?;
    Some((clock, if offset.starts_with('-') { -length } else { length }))
}

fn hours_and_minutes(text: &str) -> Option<Span> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then(|| Span::from_secs(hours * 3_600 + minutes * 60))
}

fn time_of_day(text: &str) -> Option<Span> {
    let clock = text.get(..5).and_then(hours_and_minutes)?;
    let Some(seconds) = text[5..].strip_prefix(':') else {
        return text[5..].is_empty().then_some(clock);
    };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let micros = digits(&format!("{fraction:0<6}"))?;
    let whole = digits(whole)?;
    (whole < 60 && fraction.len() <= 6).then(|| clock + Span::from_secs(whole) + Span::from_micros(micros))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(digits);
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `YYYY-MM-DDThh:mm:ssZ`, with a fraction only where there is one.
#[must_use]
pub fn format(at: Timestamp) -> String {
    let midnight = at.floor_to(DAY);
    let (year, month, day) = civil_from_days(midnight.micros() / DAY.micros());
    let micros = at.since(midnight).micros();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Seconds(i64),
    Text(String),
}

/// For `#[serde(with = "…")]`: a moment as RFC 3339 text; whole seconds since 1970 are read too.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*at))
}

/// See [`serialize`].
///
/// # Errors
/// If it is neither a number of seconds nor such a text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    match Written::deserialize(deserializer)? {
        Written::Seconds(seconds) => Ok(Timestamp::from_secs(seconds)),
        Written::Text(text) => parse(&text).map_err(de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds from `date -u -d … +%s`.
    #[test]
    fn reads_and_writes_rfc_3339() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1998-06-19T00:00:00Z", 898_214_400),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("1969-12-31T23:59:59Z", -1),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(parse(text).unwrap(), Timestamp::from_secs(seconds), "{text}");
            assert_eq!(format(Timestamp::from_secs(seconds)), text);
        }
        assert_eq!(parse("1998-06-19").unwrap(), Timestamp::from_secs(898_214_400));
        assert_eq!(parse("1998-06-19T02:00+02:00").unwrap(), Timestamp::from_secs(898_214_400));
        assert_eq!(parse("1998-06-18 19:30:00-04:30").unwrap(), Timestamp::from_secs(898_214_400));
        assert_eq!(format(Timestamp::from_micros(1_500_000)), "1970-01-01T00:00:01.500000Z");
        assert_eq!(parse("1970-01-01T00:00:01.5Z").unwrap(), Timestamp::from_micros(1_500_000));
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_round_trip() {
        for day in -80_000..80_000_i64 {
            let at = Timestamp::ZERO + DAY * day;
            assert_eq!(parse(&format(at)).unwrap(), at);
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "today",
            "1998-6-19",
            "1998-13-01",
            "1999-02-29",
            "1998-06-19T24:00Z",
            "1998-06-19T00:00:00.1234567Z",
            "1998-06-19T1",
            "1998-06-19Té:00",
        ] {
            assert!(parse(text).unwrap_err().contains("is no moment"), "{text}");
        }
    }
}
