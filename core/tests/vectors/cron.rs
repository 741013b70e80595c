//! The golden vectors of cron schedules: when robfig/cron 3.0.1 fires, as a `CronJob` reads expressions; all of it exact.

use seatrial_core::scaling::policies::cron::schedule::{Schedule, ScheduleError};
use seatrial_core::scaling::policies::cron::zone::Zone;
use seatrial_core::time::Timestamp;
use serde::Deserialize;

use crate::reader::{Difference, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: u64,
    expression: String,
    zone: String,
    from_unix_s: i64,
    expect_error: bool,
    expect_next_unix_s: Vec<i64>,
}

/// Times that each case asks for.
const TIMES: usize = 6;

#[test]
fn vectors_of_schedules() {
    run("cron", |case: &Case| {
        // The CronJob controller puts the zone in front of the expression.
        let prefixed = Schedule::standard(&format!("TZ={} {}", case.zone, case.expression), &Zone::utc());
        Difference::between(case.id, None, &expected(case), &times(case, prefixed))?;
        let zone = Zone::named(&case.zone).expect("zones of the cases exist");
        Difference::between(case.id, None, &expected(case), &times(case, Schedule::standard(&case.expression, &zone)))
    });
}

/// `None` where the expression does not parse.
fn expected(case: &Case) -> Option<Vec<i64>> {
    (!case.expect_error).then(|| case.expect_next_unix_s.clone())
}

fn times(case: &Case, schedule: Result<Schedule, ScheduleError>) -> Option<Vec<i64>> {
    let schedule = schedule.ok()?;
    let next = |now_s: &i64| schedule.next_unix_s(Timestamp::from_secs(*now_s));
    let first = next(&case.from_unix_s);
    Some(std::iter::successors(first, next).take(TIMES).collect())
}
