//! What the controller remembers: raw recommendations and scale events. Lists grow only while nothing in them is outdated, as in
//! the original, and never beyond [`MOST_RECOMMENDATIONS`] and [`MOST_EVENTS`].

use serde::{Deserialize, Serialize};

use super::behavior::EffectiveBehavior;
use crate::time::{Span, Timestamp};

/// An hour (the API's longest window) at the controller's 15 s, and the rest of its own pace.
pub const MOST_RECOMMENDATIONS: usize = 256;
/// Half an hour (the API's longest period) at 15 s.
pub const MOST_EVENTS: usize = 128;

/// A number and when it was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note(pub Timestamp, pub i32);

/// The memory of one autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    recommendations: Vec<Note>,
    growths: Vec<Note>,
    shrinkages: Vec<Note>,
}

/// The span of recent recommendations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent {
    /// Least of the upward window and the new one.
    pub least: i32,
    /// Greatest of the downward window and the new one.
    pub greatest: i32,
}

impl Memory {
    /// A memory that need not grow while windows are covered at 15 s.
    #[must_use]
    pub fn with_room() -> Self {
        Self {
            recommendations: Vec::with_capacity(MOST_RECOMMENDATIONS),
            growths: Vec::with_capacity(MOST_EVENTS),
            shrinkages: Vec::with_capacity(MOST_EVENTS),
        }
    }

    /// At the first sync what is there counts as a recommendation.
    pub fn seed(&mut self, now: Timestamp, current: i32) {
        if self.recommendations.is_empty() {
            self.recommendations.push(Note(now, current));
        }
    }

    /// Notes a recommendation; answers with the greatest of the last `window`, both ends included.
    pub fn recommend(&mut self, now: Timestamp, desired: i32, window: Span) -> i32 {
        let cutoff = now - window;
        let mut outdated = None;
        let mut greatest = desired;
        for (i, Note(at, recommendation)) in self.recommendations.iter().enumerate() {
            if *at < cutoff {
                outdated = Some(i);
            } else {
                greatest = greatest.max(*recommendation);
            }
        }
        put(&mut self.recommendations, Note(now, desired), outdated, MOST_RECOMMENDATIONS);
        greatest
    }

    /// Notes a recommendation; answers with the extremes of the two windows, without entries exactly as old as a window.
    pub fn recommend_between(&mut self, now: Timestamp, desired: i32, up: Span, down: Span) -> Recent {
        let (up_cutoff, down_cutoff) = (now - up, now - down);
        let mut outdated = None;
        let mut recent = Recent { least: desired, greatest: desired };
        for (i, Note(at, recommendation)) in self.recommendations.iter().enumerate() {
            if *at > up_cutoff {
                recent.least = recent.least.min(*recommendation);
            }
            if *at > down_cutoff {
                recent.greatest = recent.greatest.max(*recommendation);
            }
            if *at < up_cutoff && *at < down_cutoff {
                outdated = Some(i);
            }
        }
        put(&mut self.recommendations, Note(now, desired), outdated, MOST_RECOMMENDATIONS);
        recent
    }

    /// Replicas at the start of a period that ends now.
    #[must_use]
    pub fn at_start_of(&self, now: Timestamp, current: i32, period: Span) -> i32 {
        let cutoff = now - period;
        let within = |events: &[Note]| -> i32 {
            events.iter().filter(|event| event.0 > cutoff).fold(0, |sum, event| sum.saturating_add(event.1))
        };
        current.saturating_sub(within(&self.growths)).saturating_add(within(&self.shrinkages))
    }

    /// Notes a change that was written.
    pub fn scaled(&mut self, now: Timestamp, from: i32, to: i32, behavior: &EffectiveBehavior) {
        let (events, rules, change) = if to > from {
            (&mut self.growths, &behavior.up, to.saturating_sub(from))
        } else {
            (&mut self.shrinkages, &behavior.down, from.saturating_sub(to))
        };
        let cutoff = now - rules.longest_period();
        let outdated = events.iter().rposition(|event| event.0 < cutoff);
        put(events, Note(now, change), outdated, MOST_EVENTS);
    }
}

/// Puts `note` in the place of the last outdated one, else at the end; a full list loses its oldest.
fn put(notes: &mut Vec<Note>, note: Note, outdated: Option<usize>, most: usize) {
    let place = outdated.or_else(|| {
        let oldest = || notes.iter().enumerate().min_by_key(|(_, note)| note.0).map(|(i, _)| i);
        (notes.len() >= most).then(oldest).flatten()
    });
    match place.and_then(|i| notes.get_mut(i)) {
        Some(slot) => *slot = note,
        None => notes.push(note),
    }
}
