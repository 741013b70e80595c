//! The series of pods: one track per pod that runs, or has ended so recently that its last scrapes are still seen.
//!
//! A slot of the cluster may have its next pod before the last one's scrapes are out of sight, so tracks have numbers of their own.
//! They are used anew when nobody can see them any more: their number follows the greatest number of pods at a time.

use std::collections::VecDeque;

use seatrial_core::time::{Span, Timestamp};

use crate::ids::{PodId, ServiceId};

/// The number of a track that is none.
const NONE: u32 = u32::MAX;

/// A pod as a target of scrapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Track {
    pub(super) pod: PodId,
    service: ServiceId,
    /// When its container started last.
    pub(super) started: Timestamp,
    state: State,
    /// Whether its node is gone: a scrape is answered by nobody.
    pub(super) is_silent: bool,
    /// Counts the containers that started in this track: a scrape planned for an earlier one is stale.
    pub(super) round: u32,
    /// Place among the tracks of its service.
    place: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs,
    /// Since then; what was scraped before may still be seen.
    Ended(Timestamp),
    /// Nobody can see anything of it.
    Free,
}

impl Track {
    pub(super) fn runs(&self) -> bool {
        self.state == State::Runs
    }
}

/// What to do for a container that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its pod has a track already: counters begin anew in it.
    Kept(usize),
    /// A track that is used anew.
    Reused(usize),
    /// One more than there were.
    Added(usize),
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Tracks {
    tracks: Vec<Track>,
    /// Track of the last pod in each slot of the cluster.
    by_slot: Vec<u32>,
    by_service: Vec<Vec<u32>>,
    /// Tracks that ended, in order of their ends; those that began anew meanwhile are passed over.
    ended: VecDeque<(Timestamp, u32)>,
    free: Vec<u32>,
    /// How long after its end a track may be seen.
    memory: Span,
}

impl Tracks {
    pub(super) fn new(services: usize, memory: Span) -> Self {
        Self {
            tracks: Vec::new(),
            by_slot: Vec::new(),
            by_service: vec![Vec::new(); services],
            ended: VecDeque::new(),
            free: Vec::new(),
            memory,
        }
    }

    pub(super) fn get(&self, track: usize) -> &Track {
        &self.tracks[track]
    }

    /// Every track that exists, seen or not, by number.
    pub(super) const fn len(&self) -> usize {
        self.tracks.len()
    }

    pub(super) fn of_service(&self, service: ServiceId) -> impl Iterator<Item = usize> {
        self.by_service[service.index()].iter().map(|track| *track as usize)
    }

    pub(super) fn of_pod(&self, pod: PodId) -> Option<usize> {
        let track = self.by_slot.get(pod.index()).copied().filter(|track| *track != NONE)? as usize;
        (self.tracks[track].pod == pod).then_some(track)
    }

    /// A container of `pod` starts.
    pub(super) fn start(&mut self, pod: PodId, service: ServiceId, now: Timestamp) -> Place {
        self.forget(now);
        let place = self.place_for(pod);
        let (Place::Kept(track) | Place::Reused(track) | Place::Added(track)) = place;
        match place {
            Place::Kept(_) => {}
            Place::Reused(_) => self.tracks[track] = self.fresh(pod, service, self.tracks[track].round),
            Place::Added(_) => self.tracks.push(self.fresh(pod, service, 0)),
        }
        if !matches!(place, Place::Kept(_)) {
            self.enlist(pod, service, number(track));
        }
        let starting = &mut self.tracks[track];
        *starting = Track {
            started: now,
            state: State::Runs,
            is_silent: false,
            round: starting.round.wrapping_add(1),
            ..*starting
        };
        place
    }

    fn place_for(&mut self, pod: PodId) -> Place {
        if let Some(track) = self.of_pod(pod) {
            return Place::Kept(track);
        }
        self.free.pop().map_or(Place::Added(self.tracks.len()), |track| Place::Reused(track as usize))
    }

    fn fresh(&self, pod: PodId, service: ServiceId, round: u32) -> Track {
        let place = self.by_service[service.index()].len();
        Track { pod, service, started: Timestamp::ZERO, state: State::Free, is_silent: false, round, place }
    }

    fn enlist(&mut self, pod: PodId, service: ServiceId, track: u32) {
        if self.by_slot.len() <= pod.index() {
            self.by_slot.resize(pod.index() + 1, NONE);
        }
        self.by_slot[pod.index()] = track;
        self.by_service[service.index()].push(track);
    }

    /// The container of a track ends.
    pub(super) fn end(&mut self, track: usize, now: Timestamp) {
        self.forget(now);
        self.tracks[track].state = State::Ended(now);
        self.ended.push_back((now, number(track)));
    }

    /// The container of a track has run since `started`.
    pub(super) fn set_started(&mut self, track: usize, started: Timestamp) {
        self.tracks[track].started = started;
    }

    pub(super) fn set_silent(&mut self, track: usize, is_silent: bool) {
        self.tracks[track].is_silent = is_silent;
    }

    /// Frees the tracks that nobody can see any more.
    fn forget(&mut self, now: Timestamp) {
        while let Some((ended, track)) = self.ended.front().copied().filter(|(ended, _)| *ended + self.memory <= now) {
            self.ended.pop_front();
            if self.tracks[track as usize].state == State::Ended(ended) {
                self.free(track);
            }
        }
    }

    fn free(&mut self, track: u32) {
        let Track { pod, service, place, .. } = self.tracks[track as usize];
        self.tracks[track as usize].state = State::Free;
        if self.by_slot[pod.index()] == track {
            self.by_slot[pod.index()] = NONE;
        }
        let others = &mut self.by_service[service.index()];
        others.swap_remove(place);
        if let Some(moved) = others.get(place) {
            self.tracks[*moved as usize].place = place;
        }
        self.free.push(track);
    }
}

fn number(track: usize) -> u32 {
    u32::try_from(track).unwrap_or(NONE)
}
