//! A time zone as the list of its changes of offset, and civil time in it as Go's `time` package computes it.
//!
//! The list is read once from the bundled time zone database; after that a look-up is a binary search, without clock, file or
//! environment. Invariant: total on every moment; after `LAST_YEAR` the last offset stays. Source: IANA time zone database
//! (bundled by the crate jiff), `time.Date` of Go 1.26 for moments that a change of offset skips or repeats.

use super::schedule::ScheduleError;
use crate::time::civil::{civil_from_days, days_from_civil};

/// Changes of offset are listed up to this year.
const LAST_YEAR: i64 = 2200;
const DAY_S: i64 = 86_400;

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    first_offset_s: i64,
    changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    /// From this Unix second on.
    from_s: i64,
    /// Seconds east of Greenwich.
    offset_s: i64,
}

/// A moment on the clock on the wall. Months and days count from one, weekdays from Sunday, which is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) weekday: i64,
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub const fn utc() -> Self {
        Self { first_offset_s: 0, changes: Vec::new() }
    }

    /// The zone of this name, as the IANA database writes it (`Europe/Berlin`); the empty name is UTC, as in Go.
    ///
    /// # Errors
    /// [`ScheduleError::UnknownZone`]; also for `Local`, because the core knows no local time.
    pub fn named(name: &str) -> Result<Self, ScheduleError> {
        if name.is_empty() || name == "UTC" {
            return Ok(Self::utc());
        }
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).ok();
        let zone = zone.filter(|zone| zone.iana_name() == Some(name));
        let zone = zone.ok_or_else(|| ScheduleError::UnknownZone { name: name.to_owned() })?;
        Ok(Self::of(&zone))
    }

    fn of(zone: &jiff::tz::TimeZone) -> Self {
        let end_s = days_from_civil(LAST_YEAR + 1, 1, 1) * DAY_S;
        let first_offset_s = i64::from(zone.to_offset(jiff::Timestamp::MIN).seconds());
        let mut changes: Vec<Change> = Vec::new();
        for change in zone.following(jiff::Timestamp::MIN) {
            let change =
                Change { from_s: change.timestamp().as_second(), offset_s: i64::from(change.offset().seconds()) };
            if change.from_s >= end_s {
                break;
            }
            // Changes of the name alone are of no interest.
            if changes.last().map_or(first_offset_s, |last| last.offset_s) != change.offset_s {
                changes.push(change);
            }
        }
        Self { first_offset_s, changes }
    }

    /// Seconds east of Greenwich at this Unix second.
    fn offset_s(&self, unix_s: i64) -> i64 {
        let behind = self.changes.partition_point(|change| change.from_s <= unix_s);
        let last = behind.checked_sub(1).and_then(|i| self.changes.get(i));
        last.map_or(self.first_offset_s, |change| change.offset_s)
    }

    /// What the clock on the wall shows at this Unix second.
    pub(super) fn civil(&self, unix_s: i64) -> Civil {
        let local_s = unix_s.saturating_add(self.offset_s(unix_s));
        let (days, seconds) = (local_s.div_euclid(DAY_S), local_s.rem_euclid(DAY_S));
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: seconds / 3_600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            // Day 0 was a Thursday.
            weekday: (days + 4).rem_euclid(7),
        }
    }

    /// The Unix second at which the clock shows this; months and days beyond their range carry over. As in Go, a time that a
    /// change skips or repeats is read with the offset of one of both sides.
    pub(super) fn unix_s(&self, civil: &Civil) -> i64 {
        let years = (civil.month - 1).div_euclid(12);
        let month = (civil.month - 1).rem_euclid(12) + 1;
        let days = days_from_civil(civil.year + years, month, 1) + civil.day - 1;
        let as_utc = days * DAY_S + civil.hour * 3_600 + civil.minute * 60 + civil.second;
        let guess = self.offset_s(as_utc);
        if guess == 0 { as_utc } else { as_utc - self.offset_s(as_utc - guess) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> Civil {
        Civil { year, month, day, hour, minute, second: 0, weekday: 0 }
    }

    fn shown(zone: &Zone, unix_s: i64) -> (i64, i64, i64, i64, i64, i64) {
        let civil = zone.civil(unix_s);
        (civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.weekday)
    }

    #[test]
    fn shows_local_time_on_both_sides_of_a_change() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        // 2024-03-31, a Sunday: 01:00 UTC is 03:00 instead of 02:00.
        assert_eq!(shown(&berlin, 1_711_846_799), (2024, 3, 31, 1, 59, 0));
        assert_eq!(shown(&berlin, 1_711_846_800), (2024, 3, 31, 3, 0, 0));
        let lord_howe = Zone::named("Australia/Lord_Howe").unwrap();
        // 2024-10-06 02:00 becomes 02:30, 2024-10-05 15:30 UTC.
        assert_eq!(shown(&lord_howe, 1_728_142_199), (2024, 10, 6, 1, 59, 0));
        assert_eq!(shown(&lord_howe, 1_728_142_200), (2024, 10, 6, 2, 30, 0));
        assert_eq!(shown(&Zone::named("").unwrap(), -1), (1969, 12, 31, 23, 59, 3));
    }

    #[test]
    fn reads_local_time_as_go_does_and_carries_over() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(berlin.unix_s(&at(2024, 3, 31, 3, 0)), 1_711_846_800);
        // 02:30 does not exist: read with the offset before the change (+1 h), it is 01:30 UTC, which is shown as 03:30.
        assert_eq!(berlin.unix_s(&at(2024, 3, 31, 2, 30)), 1_711_846_800 + 1_800);
        // 02:30 on 27 October exists twice: the later one, in winter time.
        assert_eq!(berlin.unix_s(&at(2024, 10, 27, 2, 30)), 1_729_992_600);
        assert_eq!(berlin.unix_s(&at(2023, 15, 31, 3, 0)), 1_711_846_800, "month 15 of 2023 is March 2024");
        assert_eq!(berlin.unix_s(&at(2024, 2, 60, 3, 0)), 1_711_846_800, "day 60 of February is 31 March");
    }

    #[test]
    fn days_and_dates_are_inverse_over_four_centuries() {
        for days in -200_000..200_000 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days, "{year}-{month}-{day}");
        }
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
    }

    #[test]
    fn extreme_moments_have_a_date() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(berlin.civil(i64::MAX / 1_000_000).year, 294_247);
        assert_eq!(berlin.civil(i64::MIN / 1_000_000).year, -290_308);
    }

    #[test]
    fn unknown_zones_are_named() {
        for name in ["Europe/Bern", "europe/berlin", "Local", "../UTC"] {
            let message = Zone::named(name).unwrap_err().to_string();
            assert!(message.contains(&format!("`{name}`")) && message.contains("Europe/Berlin"), "{message}");
        }
    }
}
