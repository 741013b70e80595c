//! What a study names twice. A cell is known by what it was made from, so two equal entries would be one cell: the run could
//! never be complete.

use std::fmt::Display;

use super::{Study, TraceChoice};
use crate::error::{ExperimentError, Result};

/// Above it a bad request costs more than a million replica-seconds; sums of costs would no longer tell anything else.
const GREATEST_KAPPA: f64 = 1e6;
/// The protocol's own price, which is told in any case.
const OWN_KAPPA: f64 = 1.0;

impl Study {
    /// Refuses entries that are there twice, and prices that are impossible.
    pub(super) fn check_repeated(&self, origin: &str) -> Result<()> {
        let refuse = |key: &str, twice: Option<String>| match twice {
            Some(detail) => Err(ExperimentError::config(origin, key, detail)),
            None => Ok(()),
        };
        let named = |text: &dyn Display| format!("names `{text}` twice");
        let seed = |seed: &u64| format!("has {seed} twice; each seed is one episode");
        refuse("strategies", repeated(&self.strategies).map(|id| named(id)))?;
        refuse("regimes", repeated(&self.regimes).map(|regime| named(&regime.id())))?;
        refuse("seeds.evaluation", repeated(&self.seeds.evaluation).map(seed))?;
        refuse("seeds.tuning", repeated(&self.seeds.tuning).map(seed))?;
        refuse("kappa_sensitivity", wrong_price(&self.kappa_sensitivity))?;
        for (index, choice) in self.traces.iter().enumerate() {
            refuse(&format!("traces[{index}].series"), repeated(&choice.series).map(|name| named(name)))?;
            if let Some((key, detail)) = self.traces[..index].iter().find_map(|other| shared(other, choice)) {
                refuse(&format!("traces[{index}].{key}"), Some(detail))?;
            }
        }
        Ok(())
    }
}

fn repeated<T: PartialEq>(items: &[T]) -> Option<&T> {
    items.iter().enumerate().find(|(index, item)| items[..*index].contains(item)).map(|(_, item)| item)
}

fn wrong_price(prices: &[f64]) -> Option<String> {
    let possible = |kappa: f64| kappa > 0.0 && kappa <= GREATEST_KAPPA;
    if let Some(kappa) = prices.iter().find(|kappa| !possible(**kappa)) {
        return Some(format!("has {kappa}; a price must be above 0 and at most {GREATEST_KAPPA}"));
    }
    if prices.contains(&OWN_KAPPA) {
        return Some(format!("{OWN_KAPPA} is the protocol's own price and is told in any case; leave it out"));
    }
    repeated(prices).map(|kappa| format!("has {kappa} twice"))
}

/// The key and the words for a series that both choices name.
fn shared(one: &TraceChoice, other: &TraceChoice) -> Option<(&'static str, String)> {
    if one.id != other.id {
        return None;
    }
    if one.series.is_empty() || other.series.is_empty() {
        return Some(("id", format!("names `{}` twice; each series is scored once", one.id)));
    }
    let both = other.series.iter().find(|name| one.series.contains(name))?;
    Some(("series", format!("names `{both}` of `{}` twice; each series is scored once", one.id)))
}
