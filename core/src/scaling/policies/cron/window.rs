//! A window of KEDA's cron scaler: from the time one schedule fires until the time another does.
//!
//! Source: `pkg/scalers/cron_scaler.go` of KEDA 2.21: within the window means that the end comes before the next start. What
//! never fires counts as a time long past, as Go's zero time does there.

use serde::{Deserialize, Serialize};

use super::schedule::{Schedule, ScheduleError};
use super::zone::Zone;
use crate::scaling::config::ConfigError;
use crate::time::Timestamp;

/// Most replicas that a window may ask for.
const MOST_REPLICAS: u32 = 1_000_000;

/// A window as a user writes it: the metadata of a `cron` trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WindowConfig {
    /// Cron expression of its beginning: minute, hour, day of month, month, day of week.
    pub start: String,
    /// Cron expression of its end.
    pub end: String,
    /// Time zone of both, as the IANA database writes it.
    pub timezone: String,
    /// Replicas within the window, 1 to 1,000,000.
    pub desired_replicas: u32,
}

/// A window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    start: Schedule,
    end: Schedule,
    desired_replicas: u32,
}

impl WindowConfig {
    /// The window that this describes, for the policy `id`.
    ///
    /// # Errors
    /// If the zone is unknown, an expression does not parse, start and end are the same, or nothing is asked for.
    pub fn build(&self, id: &'static str) -> Result<Window, ConfigError> {
        let zone = Zone::named(&self.timezone).map_err(|error| refuse(id, "timezone", &error))?;
        let start = Schedule::five_fields(&self.start, &zone).map_err(|error| refuse(id, "start", &error))?;
        let end = Schedule::five_fields(&self.end, &zone).map_err(|error| refuse(id, "end", &error))?;
        if self.start == self.end {
            let allowed = "another expression than `start`";
            return Err(ConfigError::Range { id, key: "end", got: format!("`{}`", self.end), allowed });
        }
        if !(1..=MOST_REPLICAS).contains(&self.desired_replicas) {
            let got = self.desired_replicas.to_string();
            return Err(ConfigError::Range { id, key: "desiredReplicas", got, allowed: "1 to 1000000" });
        }
        Ok(Window { start, end, desired_replicas: self.desired_replicas })
    }
}

fn refuse(id: &'static str, key: &str, error: &ScheduleError) -> ConfigError {
    ConfigError::Shape { id, detail: format!("`{key}`: {error}") }
}

/// What a window asked for, and until when that holds: searching the calendar is dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    from: Timestamp,
    until: Timestamp,
    desired: Option<u32>,
}

impl Window {
    /// Replicas that it asks for now; `None` outside of it.
    #[must_use]
    pub fn desired(&self, now: Timestamp) -> Option<u32> {
        self.standing(now).desired
    }

    /// The same, looked up while nothing has fired since `kept` was made.
    pub fn desired_kept(&self, now: Timestamp, kept: &mut Option<Standing>) -> Option<u32> {
        let standing = match kept {
            Some(standing) if (standing.from..standing.until).contains(&now) => *standing,
            _ => self.standing(now),
        };
        *kept = Some(standing);
        standing.desired
    }

    fn standing(&self, now: Timestamp) -> Standing {
        let (start, end) = (self.start.next_unix_s(now), self.end.next_unix_s(now));
        let within = match (start, end) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(start), Some(end)) => end <= start,
        };
        // What never fires is searched for again and again: nothing says until when that holds.
        let next_s = start.zip(end).map(|(start, end)| start.min(end));
        let until = next_s.map_or(now, |next_s| Timestamp::from_micros(next_s.saturating_mul(1_000_000)));
        Standing { from: now, until, desired: within.then_some(self.desired_replicas) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str) -> Window {
        let (start, end) = (start.to_owned(), end.to_owned());
        WindowConfig { start, end, timezone: "Europe/Berlin".into(), desired_replicas: 7 }.build("cron").unwrap()
    }

    /// Seconds of 2024-03-29, a Friday, at this local time.
    fn friday(hour: i64, minute: i64, second: i64) -> Timestamp {
        Timestamp::from_secs(1_711_666_800 + 3_600 * hour + 60 * minute + second)
    }

    #[test]
    fn asks_from_its_start_until_its_end() {
        let office = window("0 8 * * 1-5", "30 18 * * 1-5");
        assert_eq!(office.desired(friday(7, 59, 59)), None);
        assert_eq!(office.desired(friday(8, 0, 0)), Some(7));
        assert_eq!(office.desired(friday(18, 29, 59)), Some(7));
        assert_eq!(office.desired(friday(18, 30, 0)), None);
        assert_eq!(office.desired(friday(36, 0, 0)), None, "Saturday noon");
        let night = window("0 22 * * *", "0 6 * * *");
        assert_eq!(night.desired(friday(23, 0, 0)), Some(7));
        assert_eq!(night.desired(friday(5, 59, 0)), Some(7));
        assert_eq!(night.desired(friday(12, 0, 0)), None);
    }

    /// Two weeks over the change to summer time, by steps that meet no whole minute, forwards and with jumps back.
    #[test]
    fn what_is_kept_is_what_would_be_searched_for() {
        for (start, end) in
            [("0 8 * * 1-5", "30 18 * * 1-5"), ("0 22 * * *", "0 6 * * *"), ("*/7 * * * *", "*/5 * * * *")]
        {
            let window = window(start, end);
            let mut kept = None;
            let mut looked_up = 0;
            for step in 0..40_000_i64 {
                let back = if step % 997 == 0 { 86_400 } else { 0 };
                let now = friday(0, 0, 29 * step - back);
                looked_up += i64::from(kept.is_some_and(|kept: Standing| (kept.from..kept.until).contains(&now)));
                assert_eq!(window.desired_kept(now, &mut kept), window.desired(now), "{start}, step {step}");
            }
            assert!(looked_up > 30_000, "{start}: {looked_up}");
        }
    }

    #[test]
    fn what_never_fires_lies_in_the_past() {
        assert_eq!(window("0 0 30 2 *", "0 6 * * *").desired(friday(12, 0, 0)), Some(7));
        assert_eq!(window("0 6 * * *", "0 0 30 2 *").desired(friday(12, 0, 0)), None);
    }
}
