//! Where regret comes from: ln G of a strategy as a sum of four differences between yardsticks (protocol P1).
//!
//! A yardstick knows what no strategy may know, runs through the same kernel with the same luck, and is compared with nobody. In
//! this order: knowing the rate up to the lead time costs what cadence and random starts cost; knowing only the present rate
//! adds what lies within the lead time; seeing it as late as metrics come adds their lag; the strategy adds its own rule. A
//! share may be negative: a rule that forecasts well gives back what ignorance cost. All shares are resampled together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Reduced, Resampled};
use super::tracks::Track;
use crate::model::yardstick;
use crate::stats::Estimate;

/// ln G of a strategy, and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// ln G; the sum of the others.
    pub total: Estimate,
    /// Cadence of decisions and random start-up times: ln G of foresight over the lead time.
    pub starts: Estimate,
    /// What happens within the lead time: the present rate against that.
    pub lead_time: Estimate,
    /// Lag of the metrics: the present rate as late as metrics show it, against at once.
    pub lag: Estimate,
    /// The strategy against the lagged present rate.
    pub rule: Estimate,
}

impl Split {
    /// Words for the shares, in the order of their sum.
    pub const LABELS: [&'static str; 4] = ["cadence and starts", "lead-time information", "metric lag", "rule"];

    /// The shares, in the order of their sum.
    #[must_use]
    pub const fn shares(&self) -> [&Estimate; 4] {
        [&self.starts, &self.lead_time, &self.lag, &self.rule]
    }
}

/// Whether cells of this kind take part in the comparison.
pub(super) fn competes(track: &Track) -> bool {
    track.variant.competes()
}

/// The split of every strategy that has the windows of the yardsticks.
pub(super) fn splits(tracks: &[Track], resampled: &[Resampled]) -> BTreeMap<String, Split> {
    let place = |id: &str| tracks.iter().position(|track| track.id == id);
    let ids = [yardstick::LEAD_TIME_FORESIGHT, yardstick::PRESENT_RATE, yardstick::LAGGED_RATE];
    let [Some(foresight), Some(present), Some(lagged)] = ids.map(place) else { return BTreeMap::new() };
    let competing = (0..tracks.len()).filter(|own| competes(&tracks[*own]));
    let comparable = competing.filter(|own| {
        [foresight, present, lagged].iter().all(|yardstick| tracks[*yardstick].grid == tracks[*own].grid)
    });
    let split = |own: usize| {
        let between = |of: usize, than: Option<usize>| difference(&resampled[of], than.map(|than| &resampled[than]));
        Split {
            total: between(own, None),
            starts: between(foresight, None),
            lead_time: between(present, Some(foresight)),
            lag: between(lagged, Some(present)),
            rule: between(own, Some(lagged)),
        }
    };
    // Without an oracle ln G is no number, and there is nothing to split.
    comparable
        .map(|own| (tracks[own].id.clone(), split(own)))
        .filter(|(_, split)| split.total.value.is_finite())
        .collect()
}

/// ln G, or the difference of two, with the interval over common resamples.
fn difference(of: &Resampled, than: Option<&Resampled>) -> Estimate {
    let ln_g = |reduced: &Reduced| reduced.ln_g;
    let Some(than) = than else {
        return Estimate::from_resamples(ln_g(&of.point), &mut of.each(ln_g), of.units);
    };
    let mut samples = of.samples.iter().zip(&than.samples).map(|(a, b)| a.ln_g - b.ln_g).collect();
    Estimate::from_resamples(of.point.ln_g - than.point.ln_g, &mut samples, of.units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Metric, evaluate};
    use crate::sample;

    #[test]
    fn shares_add_up_to_the_regret_of_every_strategy() {
        let overall = evaluate(&sample::study()).unwrap().overall;
        assert_eq!(overall.splits.len(), overall.strategies.len(), "every strategy, and nothing else");
        for (id, split) in &overall.splits {
            let sum: f64 = split.shares().iter().map(|share| share.value).sum();
            assert!((sum - split.total.value).abs() < 1e-12, "{id}");
            let g = overall.strategy(id).unwrap().value(Metric::CostOverOracle).unwrap();
            assert!((split.total.value - g.ln()).abs() < 1e-12, "{id}: {g}");
        }
        // Written down from the sample: 1.02, 1.10, 1.12 before daily noise, and 1.205 of the rule.
        let hpa = overall.splits["hpa-default"];
        for (share, expected) in hpa.shares().iter().zip([1.02_f64, 1.10 / 1.02, 1.12 / 1.10, 1.205 / 1.12]) {
            assert!((share.value - expected.ln()).abs() < 0.03, "{share:?} {expected}");
        }
    }

    /// A rule that beats the lagged present rate gives something back.
    #[test]
    fn a_share_may_be_negative() {
        let mut study = sample::study();
        for cell in study.cells.iter_mut().filter(|cell| cell.strategy == yardstick::LAGGED_RATE) {
            cell.windows.iter_mut().for_each(|window| window.j *= 1.5);
        }
        let overall = evaluate(&study).unwrap().overall;
        let split = overall.splits["lstm-dqn"];
        assert!(split.rule.value < -0.2 && split.lag.value > 0.3, "{split:?}");
    }

    #[test]
    fn yardsticks_compete_with_nobody() {
        let overall = evaluate(&sample::study()).unwrap().overall;
        let ids: Vec<&str> = overall.yardsticks.iter().map(|yardstick| yardstick.id.as_str()).collect();
        assert_eq!(ids.len(), yardstick::ALL.len());
        assert!(ids.iter().all(|id| overall.strategy(id).is_none() && !overall.paired.contains_key(*id)));
        assert!(overall.paired.values().all(|others| ids.iter().all(|id| !others.contains_key(*id))));
    }

    #[test]
    fn without_all_yardsticks_or_an_oracle_there_is_no_split() {
        let mut study = sample::study();
        study.cells.retain(|cell| cell.strategy != yardstick::PRESENT_RATE);
        assert!(evaluate(&study).unwrap().overall.splits.is_empty());
        let mut study = sample::study();
        study.cells.iter_mut().flat_map(|cell| &mut cell.windows).for_each(|window| window.oracle_lower = None);
        assert!(evaluate(&study).unwrap().overall.splits.is_empty());
    }
}
