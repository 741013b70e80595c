//! The plan over a known window: exact dynamic programming over replicas, in steps of the decision interval.
//!
//! At a decision the rates of the steps that begin within the horizon are known; the rate of the last of them, times the
//! reserve, stays for [`TAIL`]. A step costs what the oracle's stage costs: pod-seconds and bad requests at zero backlog. A pod
//! created now is paid from now on and counts from the lead time on (P97.5 of the start-up in whole steps, P99.5 if the horizon
//! reaches as far), so that a rise costs a change and the lead time, however early the pod is ready; a pod removed is gone at once
//! and costs a change and its termination. Three things can be done now, and the cheapest of all is done:
//!
//! - keep n replicas, or lower them to y < n: then pods may rise again from one step after the lead time on;
//! - raise them to y > n: then the present n serve until the lead time, and y from there on.
//!
//! While pods are starting the cluster would remove these first, so nothing lowers and raises at once. Pods under way count as
//! ready: the plan uses no luck that it could not know.

use seatrial_core::math;
use seatrial_core::time::{Span, Timestamp};

use super::LookAhead;
use crate::episode::EpisodeError;
use crate::fluid::world::World;
use crate::load::{EpisodeLoad, signed};
use crate::oracle::stage::StageCosts;

/// How long the last known rate is taken to stay.
const TAIL: Span = Span::from_secs(600);
/// Quantile of the start-up that a plan's lead time covers: protocol P1 plans for it.
const LEAD_LEVEL: f64 = 0.975;
/// The same for who sees as far: a pod that is late when others have just been removed costs far more than one that is early.
const LONG_LEAD_LEVEL: f64 = 0.995;

/// See the module.
pub(super) struct Planner<'a> {
    load: &'a EpisodeLoad,
    step: Span,
    /// Steps that are known beyond the present one.
    known: i64,
    /// Steps from a creation to the pod that it gives.
    lead: i64,
    stages: StageCosts,
    /// Stages under the rate that stays, where that is another one.
    reserved: Option<StageCosts>,
    rise: f64,
    fall: f64,
    smallest: u32,
    /// Cost from a step on, for every number of pods.
    values: Vec<f64>,
    raised: Vec<f64>,
}

impl<'a> Planner<'a> {
    /// A planner that decides every `step`.
    ///
    /// # Errors
    /// If the reserve makes a rate that is none.
    pub(super) fn new(
        world: &World,
        load: &'a EpisodeLoad,
        step: Span,
        look_ahead: LookAhead,
    ) -> Result<Self, EpisodeError> {
        let LookAhead { horizon, reserve } = look_ahead;
        let stages = StageCosts::new(world, load);
        let reserved = if reserve == 1.0 { None } else { Some(StageCosts::new(world, &load.scaled(reserve)?)) };
        let known = horizon.max(Span::ZERO).whole_steps(step);
        let lead_of = |level| i64::from(math::ceil_to_u32(world.start_up_quantile_s(level) / step.as_secs_f64()));
        let lead = Some(lead_of(LONG_LEAD_LEVEL)).filter(|lead| *lead <= known).unwrap_or(lead_of(LEAD_LEVEL));
        let values = vec![0.0; stages.width];
        Ok(Self {
            load,
            step,
            known,
            lead,
            rise: (step * lead).as_secs_f64() + world.costs.churn,
            fall: world.termination.as_secs_f64() + world.costs.churn,
            smallest: world.smallest,
            raised: values.clone(),
            values,
            stages,
            reserved,
        })
    }

    /// Replicas to ask for at `now`, when there are `replicas`.
    pub(super) fn decide(&mut self, now: Timestamp, replicas: u32) -> u32 {
        let present = usize::try_from(replicas.saturating_sub(self.smallest)).unwrap_or(0).min(self.values.len() - 1);
        let top = self.highest_useful(now).max(present);
        self.look_back_from_the_end(now, top);
        self.raised[..=top].copy_from_slice(&self.values[..=top]);
        for ahead in (0..self.lead).rev() {
            scan_falls(&mut self.values[..=present], self.fall);
            self.add_stage(now, ahead, present);
        }
        let kept: f64 = (0..self.lead).map(|ahead| self.stage_cost(now, ahead, present)).sum();
        let level = self.cheapest(present, top, kept);
        self.smallest + u32::try_from(level).unwrap_or(0)
    }

    /// Values of the step at the lead time: from there on pods may rise and fall.
    fn look_back_from_the_end(&mut self, now: Timestamp, top: usize) {
        let steps = self.known.max(self.lead) + 1;
        let tail = TAIL.as_secs_f64() / self.step.as_secs_f64();
        self.values[..=top].fill(0.0);
        self.add_weighted(now, steps, tail, top);
        for ahead in (self.lead..steps).rev() {
            scan_rises(&mut self.values[..=top], self.rise);
            scan_falls(&mut self.values[..=top], self.fall);
            self.add_stage(now, ahead, top);
        }
    }

    /// The cheapest level: falls come first, then keeping, then rises; of equals the present one, or the nearest to it.
    fn cheapest(&self, present: usize, top: usize, kept: f64) -> usize {
        let (mut level, mut cost) = (present, self.values[present]);
        let mut moved = 0.0;
        for lower in (0..present).rev() {
            moved += self.fall;
            if moved + self.values[lower] < cost {
                (level, cost) = (lower, moved + self.values[lower]);
            }
        }
        moved = 0.0;
        for (higher, value) in self.raised.iter().enumerate().take(top + 1).skip(present + 1) {
            moved += self.rise;
            if moved + kept + value < cost {
                (level, cost) = (higher, moved + kept + value);
            }
        }
        level
    }

    /// Beyond this level more pods only cost more, whatever is known.
    fn highest_useful(&self, now: Timestamp) -> usize {
        let useful = |ahead: i64| {
            let (stages, bin) = self.row(now, ahead);
            stages.useful(bin)
        };
        (0..=self.known.max(self.lead) + 1).map(useful).max().unwrap_or(0)
    }

    fn add_stage(&mut self, now: Timestamp, ahead: i64, top: usize) {
        self.add_weighted(now, ahead, 1.0, top);
    }

    fn add_weighted(&mut self, now: Timestamp, ahead: i64, weight: f64, top: usize) {
        let share = weight * self.step.as_secs_f64() / self.load.interval().as_secs_f64();
        let mut values = core::mem::take(&mut self.values);
        let (stages, bin) = self.row(now, ahead);
        for (value, cost) in values[..=top].iter_mut().zip(stages.of_bin(bin)) {
            *value += share * cost;
        }
        self.values = values;
    }

    fn stage_cost(&self, now: Timestamp, ahead: i64, level: usize) -> f64 {
        let (stages, bin) = self.row(now, ahead);
        stages.of_bin(bin)[level] * self.step.as_secs_f64() / self.load.interval().as_secs_f64()
    }

    /// The stage of the step that begins `ahead` steps from now, as far as it is known.
    fn row(&self, now: Timestamp, ahead: i64) -> (&StageCosts, usize) {
        let stays = ahead > self.known;
        let at = now + self.step * ahead.min(self.known);
        let last = signed(self.stages.bins) - 1;
        let bin = (at - self.load.start()).whole_steps(self.load.interval()).clamp(0, last);
        let stages = self.reserved.as_ref().filter(|_| stays).unwrap_or(&self.stages);
        (stages, usize::try_from(bin).unwrap_or(0))
    }
}

/// Each level may rise to a cheaper one before the step.
fn scan_rises(values: &mut [f64], rise: f64) {
    let mut best = f64::INFINITY;
    for value in values.iter_mut().rev() {
        best = (best + rise).min(*value);
        *value = best;
    }
}

/// Each level may fall to a cheaper one before the step.
fn scan_falls(values: &mut [f64], fall: f64) {
    let mut best = f64::INFINITY;
    for value in values.iter_mut() {
        best = (best + fall).min(*value);
        *value = best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    const STEP: Span = Span::from_secs(15);

    /// The cheapest number of pods at a constant rate, from Erlang C.
    fn cheapest(rate: f64) -> u32 {
        let cost = |pods: u32| f64::from(pods) + rate * math::wait_exceeds(4 * pods, rate, 0.08, 0.12);
        (1..100).min_by(|one, other| cost(*one).total_cmp(&cost(*other))).unwrap()
    }

    /// What is asked for every 15 s at rates by the minute, when each wish comes true at once.
    fn wishes(rates: &[f64], horizon_s: i64) -> Vec<u32> {
        let world = World::new(&Scenario::protocol_p1());
        let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), rates.to_vec(), vec![]).unwrap();
        let look_ahead = LookAhead::of(Span::from_secs(horizon_s));
        let mut planner = Planner::new(&world, &load, STEP, look_ahead).unwrap();
        let mut replicas = cheapest(rates[0]);
        let mut decide = |step| {
            replicas = planner.decide(Timestamp::ZERO + STEP * step, replicas);
            replicas
        };
        (0..4 * signed(rates.len())).map(&mut decide).collect()
    }

    /// A rise is asked for when it comes in sight, but not before the lead time; a fall when it is there.
    #[test]
    fn pods_are_asked_for_a_lead_time_ahead_and_removed_at_once() {
        let rates: Vec<f64> = (0..30).map(|minute| if (10..20).contains(&minute) { 1_000.0 } else { 100.0 }).collect();
        let (few, many) = (cheapest(100.0), cheapest(1_000.0));
        for (horizon_s, ahead_s) in [(0, 0), (15, 15), (60, 60), (90, 90), (300, 105)] {
            let expected: Vec<u32> =
                (0..120).map(|step| if (600 - ahead_s..1_200).contains(&(15 * step)) { many } else { few }).collect();
            assert_eq!(wishes(&rates, horizon_s), expected, "horizon {horizon_s}");
        }
    }

    /// To fall and to rise again costs 10 + 110 a pod: a known pause of one minute is waited out, one of four is not.
    #[test]
    fn a_short_pause_is_waited_out_if_its_end_is_known() {
        let pause = |minutes: usize| {
            let rates = (0..30).map(|minute| if (10..10 + minutes).contains(&minute) { 100.0 } else { 700.0 });
            let wishes = wishes(&rates.collect::<Vec<f64>>(), 300);
            wishes.into_iter().min().unwrap() < cheapest(700.0)
        };
        assert_eq!((pause(1), pause(4)), (false, true));
    }
}
