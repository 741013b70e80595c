//! Cron expressions: five fields, or a descriptor. Source: the parser of robfig/cron 3.0.1, whose leniency is kept: `?` is a
//! star in every field, an empty list (`,`) is a field that never matches, and `*-5` is a star.

use super::duration;
use super::schedule::ScheduleError;

/// Set if a star (with step 1) stood in the field.
const STAR: u64 = 1 << 63;

/// When a schedule fires: numbers as bits of each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minute: u64,
    pub(super) hour: u64,
    pub(super) day: u64,
    pub(super) month: u64,
    pub(super) weekday: u64,
}

/// What an expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Fields(Fields),
    /// Every so many seconds from now.
    EveryS(i64),
}

/// What a field may hold.
struct Range {
    name: &'static str,
    least: u64,
    most: u64,
    names: &'static [&'static str],
}

const MINUTE: Range = Range { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Range = Range { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Range = Range { name: "day of month", least: 1, most: 31, names: &[] };
const MONTH: Range = Range {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Range =
    Range { name: "day of week", least: 0, most: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Expression {
    /// Five fields; descriptors only if they are allowed.
    pub(super) fn parse(text: &str, descriptors: bool) -> Result<Self, ScheduleError> {
        if let Some(descriptor) = text.strip_prefix('@') {
            let known = if descriptors { self::descriptor(descriptor) } else { None };
            return known.ok_or_else(|| ScheduleError::Descriptor { text: text.to_owned() });
        }
        let mut fields = text.split_whitespace();
        let mut next = || fields.next();
        let (Some(minute), Some(hour), Some(day), Some(month), Some(weekday), None) =
            (next(), next(), next(), next(), next(), next())
        else {
            return Err(ScheduleError::FieldCount { text: text.to_owned(), found: text.split_whitespace().count() });
        };
        Ok(Self::Fields(Fields {
            minute: MINUTE.bits(minute)?,
            hour: HOUR.bits(hour)?,
            day: DAY.bits(day)?,
            month: MONTH.bits(month)?,
            weekday: WEEKDAY.bits(weekday)?,
        }))
    }
}

impl Fields {
    /// Whether the day fires: if a star stands in one of both fields both must match, else one is enough.
    pub(super) const fn on_day(&self, day: i64, weekday: i64) -> bool {
        let (by_day, by_weekday) = (self.day & (1 << day) != 0, self.weekday & (1 << weekday) != 0);
        if (self.day | self.weekday) & STAR != 0 { by_day && by_weekday } else { by_day || by_weekday }
    }

    /// Whether some minute of some hour can fire at all.
    pub(super) const fn can_fire(&self) -> bool {
        self.minute & !STAR != 0 && self.hour & !STAR != 0
    }
}

fn descriptor(name: &str) -> Option<Expression> {
    let first = |range: &Range| 1 << range.least;
    let fields = Fields {
        minute: first(&MINUTE),
        hour: first(&HOUR),
        day: first(&DAY),
        month: first(&MONTH),
        weekday: WEEKDAY.all(),
    };
    let fields = match name {
        "yearly" | "annually" => fields,
        "monthly" => Fields { month: MONTH.all(), ..fields },
        "weekly" => Fields { month: MONTH.all(), day: DAY.all(), weekday: first(&WEEKDAY), ..fields },
        "daily" | "midnight" => Fields { month: MONTH.all(), day: DAY.all(), ..fields },
        "hourly" => Fields { month: MONTH.all(), day: DAY.all(), hour: HOUR.all(), ..fields },
        _ => return every(name),
    };
    Some(Expression::Fields(fields))
}

/// Whole seconds, at least one.
fn every(descriptor: &str) -> Option<Expression> {
    let nanoseconds = duration::parse_ns(descriptor.strip_prefix("every ")?)?;
    Some(Expression::EveryS((nanoseconds / 1_000_000_000).max(1)))
}

impl Range {
    fn all(&self) -> u64 {
        bits(self.least, self.most, 1) | STAR
    }

    /// A list, separated by commas; empty parts are passed over.
    fn bits(&self, field: &str) -> Result<u64, ScheduleError> {
        field.split(',').filter(|part| !part.is_empty()).try_fold(0, |bits, part| Ok(bits | self.part(part)?))
    }

    /// `n`, `n-m`, `n/step` (to the end of the range), `n-m/step`, and the same with a star.
    fn part(&self, part: &str) -> Result<u64, ScheduleError> {
        let mut pieces = part.split('/');
        let (range, step, None) = (pieces.next().unwrap_or_default(), pieces.next(), pieces.next()) else {
            return Err(self.refuse(part, "has more than one `/`"));
        };
        let (least, mut most, is_star) = self.ends(part, range)?;
        let by = match step {
            None => 1,
            Some(step) => self.whole(part, step)?,
        };
        if step.is_some() && !range.contains('-') {
            most = self.most;
        }
        if least < self.least || most > self.most || least > most {
            return Err(self.refuse(part, "is not within its range"));
        }
        if by == 0 {
            return Err(self.refuse(part, "has a step of 0"));
        }
        Ok(bits(least, most, by) | if is_star && by == 1 { STAR } else { 0 })
    }

    /// First, last, and whether it is a star.
    fn ends(&self, part: &str, range: &str) -> Result<(u64, u64, bool), ScheduleError> {
        let mut ends = range.split('-');
        let first = ends.next().unwrap_or_default();
        if first == "*" || first == "?" {
            return Ok((self.least, self.most, true));
        }
        let least = self.number(part, first)?;
        match (ends.next(), ends.next()) {
            (None, _) => Ok((least, least, false)),
            (Some(last), None) => Ok((least, self.number(part, last)?, false)),
            _ => Err(self.refuse(part, "has more than one `-`")),
        }
    }

    fn number(&self, part: &str, text: &str) -> Result<u64, ScheduleError> {
        let name = self.names.iter().zip(self.least..).find(|(name, _)| text.eq_ignore_ascii_case(name));
        name.map_or_else(|| self.whole(part, text), |(_, number)| Ok(number))
    }

    fn whole(&self, part: &str, text: &str) -> Result<u64, ScheduleError> {
        let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| self.refuse(part, "is not a whole number"))
    }

    fn refuse(&self, part: &str, what: &'static str) -> ScheduleError {
        ScheduleError::Field { field: self.name, part: part.to_owned(), what, least: self.least, most: self.most }
    }
}

fn bits(least: u64, most: u64, step: u64) -> u64 {
    let mut bits = 0;
    let mut number = least;
    while number <= most {
        bits |= 1 << number;
        number = number.saturating_add(step);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        match Expression::parse(text, true).unwrap() {
            Expression::Fields(fields) => fields,
            Expression::EveryS(_) => panic!("{text} has fields"),
        }
    }

    fn refused(text: &str) -> String {
        Expression::parse(text, true).unwrap_err().to_string()
    }

    #[test]
    fn fields_become_bits() {
        let read = fields("*/20 8-10 1,15 FEB-apr 1-5/2");
        assert_eq!(read.minute, 1 | 1 << 20 | 1 << 40);
        assert_eq!(read.hour, 1 << 8 | 1 << 9 | 1 << 10);
        assert_eq!(read.day, 1 << 1 | 1 << 15);
        assert_eq!(read.month, 1 << 2 | 1 << 3 | 1 << 4);
        assert_eq!(read.weekday, 1 << 1 | 1 << 3 | 1 << 5);
        assert_eq!(fields("50/5 ? * * *").minute, 1 << 50 | 1 << 55, "a step without an end goes to the end");
    }

    #[test]
    fn a_day_needs_both_fields_if_one_is_a_star_else_one() {
        let friday_13 = fields("0 0 13 * 5");
        assert!(friday_13.on_day(13, 1) && friday_13.on_day(6, 5) && !friday_13.on_day(6, 1));
        let fridays = fields("0 0 * * 5");
        assert!(fridays.on_day(6, 5) && !fridays.on_day(13, 1));
        // `*/2` is no star: odd days, and Fridays.
        let odd = fields("0 0 */2 * 5");
        assert!(odd.on_day(3, 1) && odd.on_day(6, 5) && !odd.on_day(6, 1));
        assert!(!fields(", 0 * * *").can_fire() && fridays.can_fire());
    }

    #[test]
    fn descriptors_stand_for_fields() {
        assert_eq!(fields("@weekly"), fields("0 0 * * 0"));
        assert_eq!(fields("@annually"), fields("0 0 1 1 *"));
        assert_eq!(fields("@hourly"), fields("0 * * * *"));
        assert_eq!(Expression::parse("@every 1m1.9s", true).unwrap(), Expression::EveryS(61));
        assert_eq!(Expression::parse("@every -5s", true).unwrap(), Expression::EveryS(1));
        assert!(Expression::parse("@daily", false).unwrap_err().to_string().contains("`@daily`"));
        assert!(refused("@fortnightly").contains("`@fortnightly`"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(refused("").contains("found 0"));
        assert!(refused("* * * * * *").contains("found 6"));
        assert!(refused("60 * * * *").contains("minute `60` is not within its range (0 to 59)"));
        assert!(refused("* * 0 * *").contains("day of month `0` is not within its range (1 to 31)"));
        assert!(refused("5-1 * * * *").contains("minute `5-1`"));
        assert!(refused("*/0 * * * *").contains("has a step of 0"));
        assert!(refused("* 1/2/3 * * *").contains("more than one `/`"));
        assert!(refused("* 1-2-3 * * *").contains("more than one `-`"));
        assert!(refused("* * * mon *").contains("month `mon` is not a whole number"));
        assert!(refused("* * * * -1").contains("day of week `-1`"));
    }
}
