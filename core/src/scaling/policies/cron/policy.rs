//! The row of `cron`: windows, and the replicas that they ask for.

use serde::{Deserialize, Serialize};

use super::window::{Standing, Window, WindowConfig};
use crate::observe::Bounds;
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policies::{GuardProfile, Ingredients, PolicyRow, default_config};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::{Span, Timestamp};

const ID: &str = "cron";
const MOST_WINDOWS: usize = 32;
/// KEDA's polling interval.
const CADENCE: Span = Span::from_secs(30);

/// Its row.
pub(in crate::scaling::policies) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "replicas by the calendar: windows between two cron expressions, the greatest of those that are open",
    sources: &["KEDA 2.21 cron scaler", "robfig/cron 3.0.1"],
    deviations: &[
        "No HorizontalPodAutoscaler stands between the scaler and the workload, so nothing is stabilised or limited in its rate: the strategy `keda` with a trigger of type `cron` is the whole.",
        "Zones are those of the bundled database, written as it writes them; `Local` is refused, because the core knows no local time. After the year 2200 a zone keeps its last offset.",
        "A `TZ=` without an expression behind it is an error, where the original crashes; a search that would go round for ever on a day that a zone skipped finds nothing.",
    ],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: default_config::<Config>,
    build,
};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// The windows, at most 32; outside of all of them the workload has its fewest replicas.
    windows: Vec<WindowConfig>,
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    if config.windows.len() > MOST_WINDOWS {
        let got = format!("a list of {}", config.windows.len());
        return Err(ConfigError::Range { id: ID, key: "windows", got, allowed: "at most 32 windows" });
    }
    let windows = config.windows.iter().map(|window| window.build(ID)).collect::<Result<_, _>>()?;
    Ok(Box::new(Cron { windows, bounds: ingredients.workload.bounds }))
}

struct Cron {
    windows: Vec<Window>,
    bounds: Bounds,
}

impl Policy for Cron {
    /// What each window asked for last; the calendar is all that counts.
    type State = Vec<Option<Standing>>;

    fn initial_state(&self) -> Self::State {
        vec![None; self.windows.len()]
    }

    fn step(&self, now: Timestamp, _: &View<'_>, kept: &mut Self::State) -> Proposal {
        kept.resize(self.windows.len(), None);
        let windows = self.windows.iter().zip(kept);
        let desired = windows.filter_map(|(window, kept)| window.desired_kept(now, kept)).max();
        let replicas = self.bounds.clamp(desired.unwrap_or(self.bounds.min));
        Proposal::of(replicas, Reason::Scheduled)
    }

    fn cadence(&self) -> Option<Span> {
        Some(CADENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Observation;
    use crate::scaling::policies::tests::{build_policy, refused, view_of};

    /// Seconds of 2024-03-29, a Friday, at this hour UTC.
    fn wish(policy: &dyn DynPolicy, hour: i64) -> Option<u32> {
        let seen = Observation::unknown(Timestamp::from_secs(1_711_670_400 + 3_600 * hour), 10);
        let proposal = policy.step(seen.now, &view_of(&seen), &mut policy.initial_state());
        assert_eq!(proposal.reason, Reason::Scheduled);
        proposal.replicas
    }

    fn window(start: &str, end: &str, timezone: &str, desired: u32) -> serde_json::Value {
        serde_json::json!({ "start": start, "end": end, "timezone": timezone, "desiredReplicas": desired })
    }

    #[test]
    fn the_greatest_open_window_wins_and_bounds_hold() {
        let office = window("0 8 * * 1-5", "0 18 * * 1-5", "UTC", 20);
        let lunch = window("0 12 * * *", "0 13 * * *", "UTC", 40);
        let night = window("0 22 * * *", "0 23 * * *", "UTC", 500);
        let policy = build_policy(ID, &serde_json::json!({ "windows": [office, lunch, night] }));
        assert_eq!(policy.cadence(), Some(Span::from_secs(30)));
        let day = [7, 8, 12, 13, 18, 22].map(|hour| wish(&*policy, hour));
        assert_eq!(day, [Some(1), Some(20), Some(40), Some(20), Some(1), Some(100)]);
        assert_eq!(wish(&*policy, 24 + 9), Some(1), "Saturday");
    }

    #[test]
    fn without_windows_it_holds_the_fewest() {
        assert_eq!(wish(&*build_policy(ID, &serde_json::Value::Null), 12), Some(1));
    }

    #[test]
    fn refuses_what_keda_refuses() {
        let refused = |window: serde_json::Value| refused(ID, &serde_json::json!({ "windows": [window] }));
        assert!(refused(window("0 8 * *", "0 9 * * *", "UTC", 1)).contains("`start`: cron expression `0 8 * *`"));
        assert!(refused(window("0 8 * * *", "@daily", "UTC", 1)).contains("`end`: cron descriptor `@daily`"));
        assert!(
            refused(window("0 8 * * *", "0 9 * * *", "Mars/Base", 1)).contains("`timezone`: time zone `Mars/Base`")
        );
        let same = refused(window("0 8 * * *", "0 8 * * *", "UTC", 1));
        assert!(same.contains("`end` is `0 8 * * *`, must be another expression than `start`"), "{same}");
        let nothing = refused(window("0 8 * * *", "0 9 * * *", "UTC", 0));
        assert!(nothing.contains("`desiredReplicas` is 0, must be 1 to 1000000"), "{nothing}");
        let many = vec![window("0 8 * * *", "0 9 * * *", "UTC", 1); 33];
        let many = super::super::super::tests::refused(ID, &serde_json::json!({ "windows": many }));
        assert!(many.contains("`windows` is a list of 33, must be at most 32 windows"), "{many}");
    }
}
