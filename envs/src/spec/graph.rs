//! The call graph of a scenario: whether it has a cycle, and how many calls a request makes to each service.

use std::collections::BTreeMap;

use super::ScenarioSpec;

/// Services that call each other in a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The way round, with the first one again at its end.
    pub names: Vec<String>,
    /// The service whose call closes it.
    pub caller: String,
    /// The place of that call in its list.
    pub call: usize,
}

/// The first cycle in the order of names; calls to services that are not there lead nowhere.
#[must_use]
pub fn cycle(spec: &ScenarioSpec) -> Option<Cycle> {
    let mut done = BTreeMap::new();
    spec.services.keys().find_map(|name| search(spec, name, &mut Vec::new(), &mut done))
}

fn search<'a>(
    spec: &'a ScenarioSpec,
    name: &'a str,
    way: &mut Vec<&'a str>,
    done: &mut BTreeMap<&'a str, ()>,
) -> Option<Cycle> {
    let service = spec.services.get(name)?;
    if done.contains_key(name) {
        return None;
    }
    way.push(name);
    for (call, to) in service.calls.iter().map(|call| call.to.as_str()).enumerate() {
        if let Some(first) = way.iter().position(|passed| *passed == to) {
            let names = way[first..].iter().copied().chain([to]).map(str::to_owned).collect();
            return Some(Cycle { names, caller: name.to_owned(), call });
        }
        if let Some(found) = search(spec, to, way, done) {
            return Some(found);
        }
    }
    way.pop();
    done.insert(name, ());
    None
}

/// Mean number of calls to each service that a request to `entry` causes, itself included, if no call fails; services that it
/// does not reach are left out. Empty where `entry` is not there; the graph must have no cycle.
#[must_use]
pub fn expected_calls<'a>(spec: &'a ScenarioSpec, entry: &str) -> BTreeMap<&'a str, f64> {
    let mut order = Vec::new();
    let Some((entry, _)) = spec.services.get_key_value(entry) else { return BTreeMap::new() };
    visit(spec, entry, &mut order);
    let mut calls: BTreeMap<&str, f64> = BTreeMap::from([(entry.as_str(), 1.0)]);
    for name in order.iter().rev() {
        let (Some(service), Some(mine)) = (spec.services.get(*name), calls.get(name).copied()) else { continue };
        for call in &service.calls {
            if let Some((to, _)) = spec.services.get_key_value(&call.to) {
                *calls.entry(to).or_default() += mine * call.probability * f64::from(call.count);
            }
        }
    }
    calls
}

/// Callees before callers.
fn visit<'a>(spec: &'a ScenarioSpec, name: &'a str, order: &mut Vec<&'a str>) {
    let Some(service) = spec.services.get(name).filter(|_| !order.contains(&name)) else { return };
    for call in &service.calls {
        visit(spec, &call.to, order);
    }
    order.push(name);
}
