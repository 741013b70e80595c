//! A cron schedule and the times at which it fires. Source: `SpecSchedule.Next` of robfig/cron 3.0.1, step by step, because what
//! it does around a change of summer time follows from its steps alone.

use thiserror::Error;

use super::expression::{Expression, Fields};
use super::zone::{Civil, Zone};
use crate::time::Timestamp;

/// A schedule is said never to fire if it does not within so many years.
const YEARS: i64 = 5;
const HOUR_S: i64 = 3_600;
/// More moves to a next day than five years have: then the search goes round in circles.
const MOST_DAYS: u32 = 2_400;

/// Why there is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The time zone does not exist.
    #[error("time zone `{name}` is not known; write it as the IANA database does, like `Europe/Berlin`")]
    UnknownZone {
        /// The name given.
        name: String,
    },
    /// There are not five fields.
    #[error(
        "cron expression `{text}`: expected 5 fields (minute, hour, day of month, month, day of week), found {found}"
    )]
    FieldCount {
        /// The expression.
        text: String,
        /// How many it has.
        found: usize,
    },
    /// A field cannot be read.
    #[error("cron expression: {field} `{part}` {what} ({least} to {most})")]
    Field {
        /// Which field.
        field: &'static str,
        /// The part of its list.
        part: String,
        /// What is wrong with it.
        what: &'static str,
        /// The least number allowed.
        least: u64,
        /// The greatest number allowed.
        most: u64,
    },
    /// A descriptor is unknown, or not allowed here.
    #[error("cron descriptor `{text}` is not known or not allowed here; write five fields")]
    Descriptor {
        /// The descriptor.
        text: String,
    },
}

/// A schedule in its time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    expression: Expression,
    zone: Zone,
}

impl Schedule {
    /// Five fields or a descriptor (`@daily`, `@every 90s`), as a `CronJob` reads them. A prefix `TZ=` or `CRON_TZ=` overrides the
    /// zone.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub fn standard(text: &str, zone: &Zone) -> Result<Self, ScheduleError> {
        Self::parse(text, zone, true)
    }

    /// Five fields, as KEDA reads them. A prefix `TZ=` or `CRON_TZ=` overrides the zone.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub fn five_fields(text: &str, zone: &Zone) -> Result<Self, ScheduleError> {
        Self::parse(text, zone, false)
    }

    fn parse(text: &str, zone: &Zone, descriptors: bool) -> Result<Self, ScheduleError> {
        let prefixed = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
        let (zone, text) = match prefixed {
            None => (zone.clone(), text),
            Some(prefixed) => {
                let (name, rest) = prefixed.split_once(' ').unwrap_or((prefixed, ""));
                (Zone::named(name)?, rest.trim())
            }
        };
        Ok(Self { expression: Expression::parse(text, descriptors)?, zone })
    }

    /// The first time after `now` at which it fires, as a Unix second; `None` if it does not within five years.
    #[must_use]
    pub fn next_unix_s(&self, now: Timestamp) -> Option<i64> {
        let now_s = now.micros().div_euclid(1_000_000);
        match &self.expression {
            Expression::EveryS(seconds) => Some(now_s.saturating_add(*seconds)),
            // Without a minute or an hour the search below would try every one of five years.
            Expression::Fields(fields) if !fields.can_fire() => None,
            Expression::Fields(fields) => Search::new(fields, &self.zone, now_s + 1).run(),
        }
    }
}

/// Looks for the next time: each field is moved on until it matches; where one starts over, so does the search.
struct Search<'a> {
    fields: &'a Fields,
    zone: &'a Zone,
    at_s: i64,
    civil: Civil,
    /// Whether a field was moved on: then the smaller ones begin at their least.
    moved: bool,
    days_left: u32,
}

/// Whether a field has found its value, or started over, or never will find it.
enum Found {
    Yes,
    StartedOver,
    Never,
}

impl<'a> Search<'a> {
    fn new(fields: &'a Fields, zone: &'a Zone, at_s: i64) -> Self {
        Self { fields, zone, at_s, civil: zone.civil(at_s), moved: false, days_left: MOST_DAYS }
    }

    fn run(mut self) -> Option<i64> {
        let last_year = self.civil.year + YEARS;
        while self.civil.year <= last_year {
            match self.fields() {
                Found::Yes => return Some(self.at_s),
                Found::StartedOver => {}
                Found::Never => return None,
            }
        }
        None
    }

    fn fields(&mut self) -> Found {
        for field in [Self::month, Self::day, Self::hour, Self::minute, Self::second] {
            match field(self) {
                Found::Yes => {}
                other => return other,
            }
        }
        Found::Yes
    }

    fn go_to(&mut self, at_s: i64) {
        self.at_s = at_s;
        self.civil = self.zone.civil(at_s);
    }

    fn go_to_civil(&mut self, civil: &Civil) {
        self.go_to(self.zone.unix_s(civil));
    }

    /// Before the first move what is smaller than the field is cut off.
    fn begin(&mut self, cut: impl FnOnce(&Civil) -> Civil) {
        if !self.moved {
            self.moved = true;
            let civil = cut(&self.civil);
            self.go_to_civil(&civil);
        }
    }

    fn month(&mut self) -> Found {
        while self.fields.month & (1 << self.civil.month) == 0 {
            self.begin(|civil| Civil { day: 1, hour: 0, minute: 0, second: 0, ..*civil });
            self.go_to_civil(&Civil { month: self.civil.month + 1, ..self.civil });
            if self.civil.month == 1 {
                return Found::StartedOver;
            }
        }
        Found::Yes
    }

    fn day(&mut self) -> Found {
        while !self.fields.on_day(self.civil.day, self.civil.weekday) {
            let Some(days_left) = self.days_left.checked_sub(1) else { return Found::Never };
            self.days_left = days_left;
            self.begin(|civil| Civil { hour: 0, minute: 0, second: 0, ..*civil });
            self.go_to_civil(&Civil { day: self.civil.day + 1, ..self.civil });
            // Where summer time begins at midnight, there is none.
            match self.civil.hour {
                0 => {}
                late if late > 12 => self.go_to(self.at_s + (24 - late) * HOUR_S),
                early => self.go_to(self.at_s - early * HOUR_S),
            }
            if self.civil.day == 1 {
                return Found::StartedOver;
            }
        }
        Found::Yes
    }

    fn hour(&mut self) -> Found {
        while self.fields.hour & (1 << self.civil.hour) == 0 {
            self.begin(|civil| Civil { minute: 0, second: 0, ..*civil });
            self.go_to(self.at_s + HOUR_S);
            if self.civil.hour == 0 {
                return Found::StartedOver;
            }
        }
        Found::Yes
    }

    fn minute(&mut self) -> Found {
        while self.fields.minute & (1 << self.civil.minute) == 0 {
            if !self.moved {
                self.moved = true;
                self.go_to(self.at_s - self.at_s.rem_euclid(60));
            }
            self.go_to(self.at_s + 60);
            if self.civil.minute == 0 {
                return Found::StartedOver;
            }
        }
        Found::Yes
    }

    fn second(&mut self) -> Found {
        while self.civil.second != 0 {
            self.moved = true;
            self.go_to(self.at_s + 1);
            if self.civil.second == 0 {
                return Found::StartedOver;
            }
        }
        Found::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, zone: &str, now_s: i64) -> Option<i64> {
        Schedule::standard(text, &Zone::named(zone).unwrap()).unwrap().next_unix_s(Timestamp::from_secs(now_s))
    }

    /// 2024-03-30 12:00 UTC, the day before summer time begins in Berlin.
    const BEFORE_SUMMER: i64 = 1_711_800_000;

    #[test]
    fn fires_strictly_later_and_on_the_second() {
        let minutely = Schedule::standard("* * * * *", &Zone::utc()).unwrap();
        assert_eq!(minutely.next_unix_s(Timestamp::from_secs(60)), Some(120));
        assert_eq!(minutely.next_unix_s(Timestamp::from_micros(59_999_999)), Some(60));
        assert_eq!(next("@every 90s", "UTC", 1_000), Some(1_090));
    }

    #[test]
    fn a_skipped_hour_is_passed_over_until_the_next_day() {
        // 02:30 does not exist on 31 March; 1 April 02:30 is 00:30 UTC.
        assert_eq!(next("30 2 * * *", "Europe/Berlin", BEFORE_SUMMER), Some(BEFORE_SUMMER + 36 * 3_600 + 1_800));
        // 03:00 on 31 March is 01:00 UTC.
        assert_eq!(next("0 3 * * *", "Europe/Berlin", BEFORE_SUMMER), Some(BEFORE_SUMMER + 13 * 3_600));
    }

    #[test]
    fn what_cannot_be_never_fires() {
        assert_eq!(next("0 0 30 2 *", "UTC", BEFORE_SUMMER), None);
        assert_eq!(next(", * * * *", "UTC", BEFORE_SUMMER), None);
        // 29 February 2028: within five years.
        assert_eq!(next("0 0 29 2 *", "UTC", BEFORE_SUMMER), Some(1_835_395_200));
    }

    /// Samoa skipped 30 December 2011; the original never comes back from the search for the last day of that year.
    #[test]
    fn a_day_that_was_skipped_ends_the_search() {
        assert_eq!(next("0 0 31 12 *", "Pacific/Apia", 1_325_116_800), None);
        assert_eq!(next("0 0 1 1 *", "Pacific/Apia", 1_325_462_400), Some(1_356_948_000));
    }

    #[test]
    fn a_prefix_overrides_the_zone() {
        let berlin = next("0 3 * * *", "Europe/Berlin", BEFORE_SUMMER);
        assert_eq!(next("TZ=Europe/Berlin 0 3 * * *", "Asia/Tokyo", BEFORE_SUMMER), berlin);
        assert_eq!(next("CRON_TZ=Europe/Berlin  0 3 * * * ", "UTC", BEFORE_SUMMER), berlin);
        let error = |text: &str| Schedule::five_fields(text, &Zone::utc()).unwrap_err().to_string();
        assert!(error("TZ=Europe/Bern 0 3 * * *").contains("Europe/Bern"));
        assert!(error("TZ=UTC").contains("found 0"));
        assert!(error("@daily").contains("five fields"));
    }

    #[test]
    fn extreme_moments_are_answered() {
        for micros in [i64::MIN, -1, i64::MAX] {
            let monthly = Schedule::standard("@monthly", &Zone::named("America/New_York").unwrap()).unwrap();
            let next = monthly.next_unix_s(Timestamp::from_micros(micros)).unwrap();
            assert!((1..=32 * 86_400).contains(&(next - micros.div_euclid(1_000_000))), "{micros}: {next}");
        }
    }
}
