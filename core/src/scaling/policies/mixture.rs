//! `mixture`: the mean of several rules' wishes, weighted by what each would have cost of late.
//!
//! Every member decides at every step for a shadow of the workload in which only its own wishes count (module `shadow`); the
//! shadow pays pods, changes and bad requests at the observed rate. A member's cost is its sum over the slots seen, halved
//! every `half_life_s`; its weight is exp(−`sharpness` × (cost / least cost − 1)). The wish is the weighted mean, rounded to
//! the nearest. A member without a wish counts with what its shadow has; if no member has one, neither has the mixture.
//! Choosing among rules by recent cost was the strongest rule of protocol P1's first study: no rule wins everywhere, and what
//! was best lately mostly still is.
//!
//! Members see the common forecast, or none (`"forecast": false`: a reactive rule stays one). They run without their guard, at
//! the cadence of the mixture; the guard of the strategy judges the mean. Until the first slots are scored all weigh the same;
//! in the first minutes a single change sways them. `absorb` warms the members up, not their costs: history has no capacity.
//!
//! Invariants: the wish lies between the least and the greatest wish; a member's cost does not depend on the other members.
//!
//! Sources: protocol P1, figures ("mean of nine policies weighted by shadow cost"); the weights are those of exponentially
//! weighted forecasters, Cesa-Bianchi, Lugosi, "Prediction, Learning, and Games", 2006, chapter 2.

mod shadow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Value, json};

use self::shadow::{Prices, StartUps, World};
use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::math;
use crate::observe::{Observation, Pods, Workload};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policy::{DynPolicy, PastSlot, Proposal, Reason, State, View};
use crate::scaling::strategy::Choice;
use crate::scaling::waiting::{self, WaitModel};
use crate::time::{Span, Timestamp};

const ID: &str = "mixture";
const MOST_MEMBERS: usize = 12;
/// Slots that were lost beyond this time are not charged to the next one.
const LONGEST_SLOT: Span = Span::from_secs(60);

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "the mean of several rules' wishes, weighted by their recent cost in a shadow of the workload",
    sources: &["protocol P1, figures", "Cesa-Bianchi, Lugosi, Prediction, Learning, and Games, 2006"],
    deviations: &[],
    needs_forecast: true,
    needs_weights: false,
    guard: GuardProfile::Full,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// The rules, 1 to 12; not a mixture.
    members: Vec<Member>,
    /// How much a dearer member loses, 0 to 1,000.
    sharpness: f64,
    /// Time in which a cost halves, 60 to 2,592,000.
    half_life_s: f64,
    /// Pod-seconds that a bad request is worth, 0 to 1,000.
    kappa: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    /// The rule.
    policy: Choice,
    /// Whether it sees the forecast.
    #[serde(default = "sees_forecast")]
    forecast: bool,
}

const fn sees_forecast() -> bool {
    true
}

impl Default for Config {
    fn default() -> Self {
        let member = |id: &str, forecast, config| Member { policy: Choice { id: id.to_owned(), config }, forecast };
        Self {
            members: vec![
                member("hpa", false, json!({ "target": 60.0 })),
                member("hpa", false, json!({ "target": 75.0 })),
                member("headroom", false, json!({ "factor": 1.27 })),
                member("headroom", false, json!({ "factor": 1.5 })),
                member("newsvendor", true, json!({ "level": 0.75, "margin": 1.1 })),
                member("newsvendor", true, json!({ "level": 0.9, "margin": 1.18 })),
                member("newsvendor", true, json!({ "level": 0.95, "margin": 1.3 })),
                member("forecast-max", true, Value::Null),
                member("mpc", true, Value::Null),
            ],
            sharpness: 30.0,
            half_life_s: 86_400.0,
            kappa: 1.0,
        }
    }
}

fn build(config: &Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    in_range(ID, "sharpness", config.sharpness, 0.0..=1_000.0, "0 to 1000")?;
    in_range(ID, "half_life_s", config.half_life_s, 60.0..=2_592_000.0, "60 to 2592000")?;
    in_range(ID, "kappa", config.kappa, 0.0..=1_000.0, "0 to 1000")?;
    let workload = ingredients.workload;
    Ok(Box::new(Mixture {
        members: members(&config, ingredients)?,
        sharpness: config.sharpness,
        half_life_s: config.half_life_s,
        prices: Prices { kappa: config.kappa, waits: WaitModel::of(workload).up_to(ID, workload.bounds)? },
        workload: *workload,
    }))
}

fn members(config: &Config, ingredients: &Ingredients<'_>) -> Result<Vec<Rule>, ConfigError> {
    let refuse = |got, allowed| Err(ConfigError::Range { id: ID, key: "members", got, allowed });
    if config.members.is_empty() || config.members.len() > MOST_MEMBERS {
        return refuse(format!("a list of {}", config.members.len()), "1 to 12 rules");
    }
    if config.members.iter().any(|member| member.policy.id == ID) {
        return refuse("a list with a mixture in it".to_owned(), "rules other than `mixture`");
    }
    let built = |member: &Member| {
        let policy = (super::find(&member.policy.id)?.build)(&member.policy.config, ingredients)?;
        Ok(Rule { policy, forecast: member.forecast })
    };
    config.members.iter().map(built).collect()
}

struct Mixture {
    members: Vec<Rule>,
    sharpness: f64,
    half_life_s: f64,
    prices: Prices,
    workload: Workload,
}

struct Rule {
    policy: Box<dyn DynPolicy>,
    forecast: bool,
}

/// What it remembers.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    shadows: Vec<Shadow>,
    start_ups: StartUps,
    /// The moment up to which the shadows were moved.
    moved_until: Option<Timestamp>,
    /// End of the last slot that was scored.
    scored_until: Option<Timestamp>,
}

/// A member's state, its world, and what it cost.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shadow {
    policy: Nested,
    world: World,
    cost: f64,
}

/// The state of a member; read back it is raw JSON until the member itself restores it.
#[derive(Clone)]
struct Nested(State);

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.snapshot().map_err(S::Error::custom)?.serialize(out)
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Value::deserialize(source).map(|raw| Self(State::new(raw))).map_err(D::Error::custom)
    }
}

/// Not by way of `Policy`: only the members can restore their states.
impl DynPolicy for Mixture {
    fn initial_state(&self) -> State {
        let shadow =
            |rule: &Rule| Shadow { policy: Nested(rule.policy.initial_state()), world: World::default(), cost: 0.0 };
        State::new(Memory {
            shadows: self.members.iter().map(shadow).collect(),
            start_ups: StartUps::default(),
            moved_until: None,
            scored_until: None,
        })
    }

    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut State) -> Proposal {
        let memory: &mut Memory = state.typed();
        self.move_worlds(now, view, memory);
        self.score(now, view, memory);
        let mut mean = Mean::new(self.sharpness, memory);
        for (rule, shadow) in self.members.iter().zip(&mut memory.shadows) {
            // A change that is made now counts from the next step on.
            let weight = mean.weight(shadow.cost);
            let proposal = self.ask(now, view, rule, shadow);
            mean.add(weight, &proposal, shadow.world.asked());
        }
        Proposal { forecast: view.forecast.copied(), ..mean.proposal() }
    }

    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        let memory: &mut Memory = state.typed();
        for (rule, shadow) in self.members.iter().zip(&mut memory.shadows) {
            rule.policy.absorb(slot, &mut shadow.policy.0);
        }
    }

    fn cadence(&self) -> Option<Span> {
        None
    }

    fn restore(&self, snapshot: &Value) -> Result<State, ConfigError> {
        let refuse = |detail| ConfigError::State { detail };
        let mut memory: Memory = serde_json::from_value(snapshot.clone()).map_err(|error| refuse(error.to_string()))?;
        let (kept, members) = (memory.shadows.len(), self.members.len());
        if kept != members {
            return Err(refuse(format!("a mixture of {kept} rules where {members} are configured")));
        }
        for (rule, shadow) in self.members.iter().zip(&mut memory.shadows) {
            shadow.policy = Nested(rule.policy.restore(&shadow.policy.0.snapshot()?)?);
        }
        Ok(State::new(memory))
    }
}

impl Mixture {
    /// Lets the worlds grow older up to `now`; at the very beginning they are copies of the real one.
    fn move_worlds(&self, now: Timestamp, view: &View<'_>, memory: &mut Memory) {
        let start_up = memory.start_ups.update(&view.observation.start_ups, view.lead_time);
        let Some(moved) = memory.moved_until.filter(|moved| *moved <= now) else {
            if memory.moved_until.is_none() {
                let real = World::of(view.observation, self.workload.bounds);
                memory.shadows.iter_mut().for_each(|shadow| shadow.world = real);
            }
            memory.moved_until = Some(now);
            return;
        };
        let ticks = now.since(moved).whole_steps(shadow::TICK);
        memory.moved_until = Some(moved + shadow::TICK * ticks);
        for shadow in &mut memory.shadows {
            shadow.world.grow_older(ticks, start_up);
        }
    }

    /// Charges the youngest visible slot to every shadow, once.
    fn score(&self, now: Timestamp, view: &View<'_>, memory: &mut Memory) {
        let sample = view.observation.arrival_rate();
        let rate = sample.and_then(|sample| waiting::sound_rate(sample.value));
        let (Some(sample), Some(rate), Some(capacity)) = (sample, rate, waiting::best_capacity(view.capacity)) else {
            return;
        };
        // What was scored in the future (a clock that was set back) does not count.
        let scored = memory.scored_until.filter(|scored| *scored <= now);
        let slot = scored.map_or(shadow::TICK, |scored| sample.at.since(scored).min(LONGEST_SLOT));
        if slot <= Span::ZERO {
            return;
        }
        memory.scored_until = Some(sample.at);
        let slot_s = slot.as_secs_f64();
        let kept = math::exp(-core::f64::consts::LN_2 * slot_s / self.half_life_s);
        for shadow in &mut memory.shadows {
            let (pods, ready) = shadow.world.at(now.since(sample.at));
            let per_second = self.prices.per_second(pods, ready, rate, capacity);
            shadow.cost = shadow.cost * kept + slot_s * per_second;
        }
    }

    /// What the member wants in its own world, which follows.
    fn ask(&self, now: Timestamp, view: &View<'_>, rule: &Rule, shadow: &mut Shadow) -> Proposal {
        let seen = self.seen_by(view, &shadow.world);
        let forecast = view.forecast.filter(|_| rule.forecast);
        let own = View { observation: &seen, forecast, ..*view };
        let proposal = rule.policy.step(now, &own, &mut shadow.policy.0);
        if let Some(wish) = proposal.replicas {
            shadow.cost += shadow.world.ask(self.workload.bounds.clamp(wish));
        }
        proposal
    }

    /// The observation as it would be in this world: its own pods, which share the CPU use among them.
    fn seen_by(&self, view: &View<'_>, world: &World) -> Observation {
        let real = view.observation;
        Observation {
            now: real.now,
            spec_replicas: world.asked(),
            status_replicas: world.asked(),
            pods: Pods::Homogeneous(world.counts(self.cpu_milli(view), self.workload.cpu_limit_milli)),
            metrics: real.metrics,
            // Start-ups are the real ones, and no rule reads them: the lead time is in the view.
            start_ups: Vec::new(),
        }
    }

    /// CPU that the load needs: what the ready pods use, or, where they are too few, what the rate would need; `None` if
    /// neither is known.
    fn cpu_milli(&self, view: &View<'_>) -> Option<f64> {
        let counts = view.observation.pods.counts(view.observation.now);
        let used = f64::from(counts.ready) * counts.cpu_milli_per_sampled_pod.max(0) as f64;
        let capacity = waiting::best_capacity(view.capacity);
        let rate = view.observation.arrival_rate().map(|sample| sample.value);
        let needed =
            rate.zip(capacity).map(|(rate, capacity)| rate / capacity * f64::from(self.workload.cpu_limit_milli));
        [(counts.sampled > 0).then_some(used), needed].into_iter().flatten().reduce(f64::max)
    }
}

/// The weighted mean in the making.
struct Mean {
    sharpness: f64,
    least_cost: f64,
    weights: f64,
    weighted: f64,
    heaviest: f64,
    reason: Reason,
    wishes: bool,
}

impl Mean {
    fn new(sharpness: f64, memory: &Memory) -> Self {
        let least_cost = memory.shadows.iter().map(|shadow| shadow.cost).fold(f64::INFINITY, f64::min);
        let (weights, weighted, heaviest) = (0.0, 0.0, -1.0);
        Self { sharpness, least_cost, weights, weighted, heaviest, reason: Reason::MetricMissing, wishes: false }
    }

    fn add(&mut self, weight: f64, proposal: &Proposal, asked: u32) {
        self.weights += weight;
        self.weighted += weight * f64::from(asked);
        if proposal.replicas.is_some() {
            self.wishes = true;
            if weight > self.heaviest {
                (self.heaviest, self.reason) = (weight, proposal.reason);
            }
        }
    }

    /// 1 for the cheapest.
    fn weight(&self, cost: f64) -> f64 {
        if cost <= self.least_cost { 1.0 } else { math::exp(-self.sharpness * (cost / self.least_cost - 1.0)) }
    }

    /// To the nearest; the reason is that of the heaviest member with a wish.
    fn proposal(&self) -> Proposal {
        if !self.wishes {
            return Proposal::none(Reason::MetricMissing);
        }
        Proposal::of(math::ceil_to_u32(libm::round(self.weighted / self.weights)), self.reason)
    }
}

#[cfg(test)]
mod tests;
