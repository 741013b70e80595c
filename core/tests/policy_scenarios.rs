//! What every policy answers to six situations, predicted by hand.
//!
//! **The world** stands still except for what a situation changes: 10 ready pods of 4 CPU that stay 10 whatever is proposed, 400
//! requests/s, each of 80 ms of CPU (so 50/s saturate a pod, 80 % of the CPU is used), estimates known exactly (capacity 50/s,
//! lead time 90 s), scrapes every 15 s that show the slot that ended 15 s ago. Policies that need a forecast get a certain one:
//! the visible rate. Each policy is asked at its own cadence for an hour; then it happens, at 3,600 s:
//!
//! | situation | what happens | answer of |
//! |---|---|---|
//! | steady | nothing | 3,600 s |
//! | surge | 1,200/s from now on; CPU is at its limit | 3,630 s: the first decision that can see it |
//! | halved | 200/s from now on | 4,200 s: windows of five minutes are over |
//! | spike | 1,200/s for one slot | 3,660 s: the second decision that no longer sees it |
//! | outage | no metric, no CPU sample; the forecaster goes on from its memory | 3,900 s |
//! | foreseen | 400/s as before, but a rise to 800/s within the lead time is certain | 3,600 s |
//!
//! Numbers come from the comments, not from the output. Waiting (Erlang C of 4 workers a pod, over 120 ms): bad per second are
//! 0.39 with 9 pods at 400/s, 0.13 with 5 at 200/s, 1.7 with 25 and 0.002 with 26 at 1,200/s, 0.001 with 18 at 800/s, and
//! everything where pods × 50/s is not more than the rate.

use core::ops::RangeInclusive;

use seatrial_core::observe::{CapacityEstimate, Feature, Observation, PodCounts, Pods, Sample, Workload};
use seatrial_core::scaling::forecast::Quantiles;
use seatrial_core::scaling::policies::{Ingredients, POLICIES, PolicyRow};
use seatrial_core::scaling::policy::View;
use seatrial_core::time::{Span, Timestamp};
use serde_json::{Value, json};

const EVENT_S: i64 = 3_600;
const SCRAPE_S: i64 = 15;
const PODS: u32 = 10;
const USUAL: f64 = 400.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    Steady,
    Surge,
    Halved,
    Spike,
    Outage,
    Foreseen,
}

use Situation::{Foreseen, Halved, Outage, Spike, Steady, Surge};

impl Situation {
    /// When the answer counts.
    const fn asked_at_s(self) -> i64 {
        match self {
            Steady | Foreseen => EVENT_S,
            Surge => EVENT_S + 30,
            Spike => EVENT_S + 60,
            Outage => EVENT_S + 300,
            Halved => EVENT_S + 600,
        }
    }

    /// Requests per second in the slot that ended then.
    fn rate(self, end_s: i64) -> f64 {
        let slots_since = (end_s - EVENT_S) / SCRAPE_S;
        match self {
            Surge if slots_since >= 1 => 3.0 * USUAL,
            Spike if slots_since == 1 => 3.0 * USUAL,
            Halved if slots_since >= 1 => 0.5 * USUAL,
            _ => USUAL,
        }
    }

    fn observation(self, now_s: i64) -> Observation {
        let mut seen = Observation::unknown(Timestamp::from_secs(now_s), PODS);
        let mut pods = PodCounts { ready: PODS, ..PodCounts::default() };
        if self != Outage || now_s < EVENT_S {
            let end_s = youngest_slot_s(now_s);
            let rate = self.rate(end_s);
            let cores = (0.08 * rate).min(4.0 * f64::from(PODS));
            pods.sampled = PODS;
            pods.cpu_milli_per_sampled_pod = (1_000.0 * cores / f64::from(PODS)).round() as i64;
            for (feature, value) in [
                (Feature::HttpRequestsTotalRate, rate),
                (Feature::HttpRequestDurationSecondsCountRate, rate),
                (Feature::HttpRequestDurationSecondsSumRate, 0.08 * rate),
                (Feature::ProcessCpuSecondsTotalRate, cores),
                (Feature::BadRequestRatio, 0.0),
            ] {
                seen.metrics.set(feature, Some(Sample { at: Timestamp::from_secs(end_s), value }));
            }
        }
        seen.pods = Pods::Homogeneous(pods);
        seen
    }

    fn forecast(self, now_s: i64) -> Quantiles {
        let end_s = youngest_slot_s(now_s);
        let rate = if self == Foreseen && now_s >= EVENT_S { 2.0 * USUAL } else { self.rate(end_s) };
        Quantiles::certain(Timestamp::from_secs(end_s), Span::from_secs(105), rate)
    }
}

/// End of the slot that is visible.
const fn youngest_slot_s(now_s: i64) -> i64 {
    now_s - now_s.rem_euclid(SCRAPE_S) - SCRAPE_S
}

/// The last answer of the policy at the time that counts.
fn answer(row: &PolicyRow, config: &Value, situation: Situation) -> Option<u32> {
    let workload = Workload::protocol_p1();
    let ingredients = Ingredients { workload: &workload, weights: None };
    let policy = (row.build)(config, &ingredients).unwrap_or_else(|error| panic!("{}: {error}", row.id));
    let mut state = policy.initial_state();
    let cadence_s = policy.cadence().unwrap_or(workload.decision_interval).micros() / 1_000_000;
    let mut last = None;
    let mut now_s = 0;
    while now_s <= situation.asked_at_s() {
        let seen = situation.observation(now_s);
        let forecast = situation.forecast(now_s);
        let view = View {
            observation: &seen,
            capacity: Some(CapacityEstimate { mean: 50.0, lower: 50.0 }),
            lead_time: Span::from_secs(90),
            forecast: row.needs_forecast.then_some(&forecast),
        };
        last = policy.step(seen.now, &view, &mut state).replicas;
        now_s += cadence_s;
    }
    last
}

/// What is expected; `None` is no wish.
type Expected = Option<RangeInclusive<u32>>;

const fn is(replicas: u32) -> Expected {
    Some(replicas..=replicas)
}

const fn from_to(least: u32, most: u32) -> Expected {
    Some(least..=most)
}

struct Prediction {
    id: &'static str,
    config: Value,
    answers: [(Situation, Expected); 6],
}

fn predict(id: &'static str, config: Value, answers: [Expected; 6]) -> Prediction {
    let [steady, surge, halved, spike, outage, foreseen] = answers;
    let answers =
        [(Steady, steady), (Surge, surge), (Halved, halved), (Spike, spike), (Outage, outage), (Foreseen, foreseen)];
    Prediction { id, config, answers }
}

/// Steady, surge, halved, spike, outage, foreseen.
fn predictions() -> Vec<Prediction> {
    vec![
        // 01:00 to 01:07 UTC: open from 3,600 s to 4,020 s, whatever the load; outside of it 1.
        predict(
            "cron",
            json!({ "windows": [{ "start": "0 1 * * *", "end": "7 1 * * *", "timezone": "UTC", "desiredReplicas": 30 }] }),
            [is(30), is(30), is(1), is(30), is(30), is(30)],
        ),
        // Reactive 1.27 × rate / 50: 10.2, 30.5, 5.1; forecast 1.18 × 400 / 50 = 9.4 in the outage, 1.18 × 800 / 50 = 18.9.
        predict("forecast-max", Value::Null, [is(11), is(31), is(6), is(11), is(10), is(19)]),
        // 1.27 × rate / 50 as above; no rate, no wish; it sees no forecast.
        predict("headroom", Value::Null, [is(11), is(31), is(6), is(11), None, is(11)]),
        // 80 % of 80 %. Surge: CPU shows 100 %, 10 × 1.25 = 12.5, and not the threefold. Halved: 10 × 0.5 after five minutes. The
        // spike's 13 holds for five minutes.
        predict("hpa", Value::Null, [is(10), is(13), is(5), is(13), None, is(10)]),
        // 40/s per replica. Surge: 1,200 / 40 = 30, and at most twice the ten. Halved: 200 / 40 after five minutes. Spike: the 30
        // holds for five minutes, and still at most twice the ten. Outage: the first three failures are passed on, the fourth
        // brings the fallback's 6, and five minutes later the last 10 (of 3,585 s) no longer holds.
        predict(
            "keda",
            json!({
                "triggers": [{ "type": "requests-per-second", "threshold": 40.0 }],
                "fallback": { "failureThreshold": 3, "replicas": 6 },
            }),
            [is(10), is(20), is(5), is(20), is(6), is(10)],
        ),
        // 40/s per pod (50 × 80 %). Surge: the stable minute has seen it for at most two seconds, (58 × 400 + 2 × 1,200) / 60 = 427 or
        // 10.7 pods; the panic window of 6 s (667/s, 17 pods) is below twice the ten. Spike: seen for 15 s, the panic window is
        // full of it: 30, and panic gives nothing back for a minute. Halved: 5, which is also the most it gives back at once.
        // Outage: three scrapes later nothing is recorded, a minute later nothing is left.
        predict(
            "kpa",
            json!({ "metric": "rps", "target": 50.0, "target_utilisation_percent": 80.0 }),
            [is(10), is(11), is(5), is(30), None, is(10)],
        ),
        // A pod too many costs 15 a slot, β = 105. Steady: from 10 to 9 saves 15 − 15 × 0.39 = 9.2 a slot, done after 12. Surge: up to
        // 25 each pod saves 50/s × 15 s = 750 > 120; the 26th saves 1.7 × 15 = 26 < 120. Halved: 5 (15 − 15 × 0.13 = 13 a slot and
        // pod, 9 slots). Spike: two slots later 2 × 15 < 105, nothing is given back. It looks at nothing ahead.
        predict("lazy-capacity", Value::Null, [is(9), is(25), is(5), is(25), None, is(9)]),
        // Costs per second after an hour: newsvendor 0.75 × 1.1 (8.8) and mpc have 9 pods for 9.39; HPA at 75 % (80 / 75 is within
        // tolerance) and newsvendor 0.9 × 1.18 (9.4) have 10: 6.5 % dearer, weight exp(−30 × 0.065) = 0.14 each; 11 pods and more
        // weigh 0.006 or less. Steady: (2 × 9 + 0.28 × 10) / 2.28 = 9.1.
        // Surge: 18,000 bad requests for all bring their costs nearer (4.5 %, 0.26 each; 11.5 %, 0.03 for the three with 11);
        // wishes 27 (26.4; mpc as below), 29 (28.3), HPA 14 (10 × 100 / 75), 31, 32, 31: (2 × 27 + 0.26 × 43 + 0.03 × 94) / 2.61 = 26.
        // Halved: 5 (4.4, mpc too), 5 (4.7), HPA 6 (10 × 40 / 75, then 88 % of that): 5.1. Spike: the newsvendors and HPA hold
        // their wishes, those of mpc and headroom are over: (27 + 9 + 0.26 × 43 + 0.03 × 54) / 2.61 = 18.7. Outage: 9 and 10 as
        // forecast or kept: 9.1. Foreseen: newsvendors 18 (17.6), 19 (18.9), mpc 18, HPA 10: (2 × 18 + 0.14 × 29) / 2.28 = 17.6.
        predict("mixture", Value::Null, [is(9), from_to(25, 27), is(5), from_to(18, 20), is(9), from_to(17, 18)]),
        // At most 90 % of 50/s per pod: rate / 45 = 8.9, 26.7, 4.4, and 17.8 for 800/s; one pod more would save less than 0.4 bad
        // requests a second in any of them. It holds nothing after the spike and plans on the forecast in the outage.
        predict("mpc", Value::Null, [is(9), is(27), is(5), is(9), is(9), is(18)]),
        // 1.18 × rate / 50 = 9.4, 28.3, 4.7, 18.9; a plan holds for a minute.
        predict("newsvendor", Value::Null, [is(10), is(29), is(5), is(29), is(10), is(19)]),
        // An HPA of 80 % with a line through seven counts, 15 s apart, 300 s ahead. Surge: 10 six times, then 13: the mean is 10.43, the
        // slope 3 × 45 / (28 × 15²) = 0.0214, 345 s after the middle 17.8. Spike: the 13 is now two counts old, slope 3 × 15 / 6,300 =
        // 0.0071, 12.9; unlike an HPA without `behavior` it holds what is there (10), not what was wished. Halved: nothing but
        // fives is left.
        predict(
            "predictive-hpa",
            json!({ "models": [{ "type": "Linear", "linear": { "historySize": 6, "lookAhead": 300_000 } }] }),
            [is(10), is(18), is(5), is(13), None, is(10)],
        ),
        // 16 to 40 cores are far above 70 % of the 4 of one pod: `high` at any of these loads, one more; nothing known is an
        // emergency: one more.
        predict("rules-origin", Value::Null, [is(11), is(11), is(11), is(11), is(11), is(11)]),
        predict("static", Value::Null, [is(10), is(10), is(10), is(10), is(10), is(10)]),
    ]
}

#[test]
fn every_policy_answers_as_predicted_by_hand() {
    let predictions = predictions();
    let mut wrong = Vec::new();
    for row in POLICIES.iter().filter(|row| !row.needs_weights) {
        let Some(prediction) = predictions.iter().find(|prediction| prediction.id == row.id) else {
            wrong.push(format!("{}: add a row to `predictions`, computed by hand", row.id));
            continue;
        };
        for (situation, expected) in &prediction.answers {
            let got = answer(row, &prediction.config, *situation);
            let right = match (got, expected) {
                (None, None) => true,
                (Some(got), Some(expected)) => expected.contains(&got),
                _ => false,
            };
            if !right {
                wrong.push(format!("{} in {situation:?}: {got:?}, predicted {expected:?}", row.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row of the table that answers for a policy that is gone would be believed for ever.
#[test]
fn every_prediction_is_of_a_registered_policy() {
    let predictions = predictions();
    for pair in predictions.windows(2) {
        assert!(pair[0].id < pair[1].id, "{} after {}", pair[1].id, pair[0].id);
    }
    for prediction in predictions {
        assert!(POLICIES.iter().any(|row| row.id == prediction.id && !row.needs_weights), "{}", prediction.id);
    }
}
