//! The members of a tuned mixture: the winners of other rules on the same series, so that nothing but the tuning part chose them.

use std::collections::BTreeMap;

use seatrial_core::scaling::strategy::StrategySpec;
use serde_json::{Value, json};

use super::winner;
use crate::strategies::Rule;
use crate::tuned::{Tuned, Winner};

/// Rules that decide at the workload's cadence and plan on the same forecast, or on none.
pub(super) const MEMBERS: [Rule; 6] =
    [Rule::ForecastMax, Rule::Headroom, Rule::Hpa, Rule::LazyCapacity, Rule::Mpc, Rule::Newsvendor];

/// The configuration `spec` with the winners among its members' rules as members.
pub(super) fn of_winners(spec: &StrategySpec, winners: &BTreeMap<Rule, Winner>) -> StrategySpec {
    let member = |rule: &Rule| {
        let winner = winners.get(rule)?;
        Some(json!({ "policy": winner.spec.policy, "forecast": winner.spec.forecaster.is_some() }))
    };
    let members: Vec<Value> = MEMBERS.iter().filter_map(member).collect();
    let mut spec = spec.clone();
    if let Some(config) = spec.policy.config.as_object_mut() {
        config.insert("members".into(), Value::Array(members));
    }
    spec
}

/// The global mixture: its parameters with the global winners as members.
pub(super) fn generalise(tuned: &mut Tuned) {
    if let Some(found) = tuned.global.get(&Rule::Mixture) {
        let general = winner(&of_winners(&found.spec, &tuned.global), found.cost, found.trials);
        tuned.global.insert(Rule::Mixture, general);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::nets::Weights;
    use seatrial_core::observe::Workload;
    use seatrial_core::scaling::policies::Ingredients;

    #[test]
    fn winners_become_members_and_the_mixture_still_builds() {
        let won = |rule: Rule, config: Value| (rule, winner(&rule.spec(config), 1.0, 500));
        let winners = BTreeMap::from([
            won(Rule::Hpa, json!({ "target": 71.0 })),
            won(Rule::Newsvendor, json!({ "level": 0.6 })),
            won(Rule::Static, json!({ "replicas": 9 })),
        ]);
        let spec = of_winners(&Rule::Mixture.spec(json!({ "sharpness": 5.0 })), &winners);
        let members = spec.policy.config["members"].as_array().unwrap();
        assert_eq!(members.len(), 2, "a constant is no member");
        assert_eq!((&members[0]["policy"]["config"]["target"], &members[0]["forecast"]), (&json!(71.0), &json!(false)));
        assert_eq!((&members[1]["policy"]["id"], &members[1]["forecast"]), (&json!("newsvendor"), &json!(true)));
        let weights = Weights::deterministic(1, 8, 16);
        spec.build(&Ingredients { workload: &Workload::protocol_p1(), weights: Some(&weights) }).unwrap();
    }
}
