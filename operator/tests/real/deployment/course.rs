//! Pods by revision and state over time: a step function; and how far two of them are apart.
//!
//! Two courses are within a tolerance if each count of one, at every moment at which it changed, lies within what the other had
//! from so long before to so long after. Controllers make pods one after the other within milliseconds, where the simulation makes
//! them at once, so the values on the way have no equal on the other side but lie between two that it had.

use std::fmt::{Display, Formatter};

use seatrial_core::time::Span;

/// Revisions of a Deployment in a case: before and after the rollout.
pub(super) const REVISIONS: usize = 2;
/// Courses that are further apart are not told from each other.
const FAR: Span = Span::from_secs(60);
/// Distances are multiples of this.
const STEP: Span = Span::from_millis(10);

/// Pods of a revision by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Not deleted, ready or not.
    pub(super) exist: u32,
    /// Ready and not deleted.
    pub(super) ready: u32,
    /// Deleted and still there.
    pub(super) going: u32,
}

impl Counts {
    /// Counts a pod.
    pub(super) fn count(&mut self, ready: bool, deleted: bool) {
        self.exist += u32::from(!deleted);
        self.ready += u32::from(ready && !deleted);
        self.going += u32::from(deleted);
    }

    fn each(&self) -> [u32; 3] {
        [self.exist, self.ready, self.going]
    }
}

pub(super) type Pods = [Counts; REVISIONS];

/// See the module. Before its first step, which is at 0, it has been what it was for long.
#[derive(Clone, Debug)]
pub(super) struct Course(Vec<(Span, Pods)>);

impl Course {
    /// These, until something is recorded.
    pub(super) fn new(pods: Pods) -> Self {
        Self(vec![(-FAR, pods)])
    }

    /// From `at` on there are these. Moments do not go back; of one moment the last counts.
    pub(super) fn record(&mut self, at: Span, pods: Pods) {
        match self.0.last_mut() {
            Some((_, last)) if *last == pods => {}
            Some((when, last)) if *when == at => *last = pods,
            _ => self.0.push((at, pods)),
        }
    }

    /// Moments at which something changed.
    pub(super) fn changes(&self) -> usize {
        self.0.len() - 1
    }

    /// The most pods that existed at once, deleted ones too.
    pub(super) fn most_pods(&self) -> u32 {
        let all = |pods: &Pods| pods.iter().map(|counts| counts.exist + counts.going).sum();
        self.0.iter().map(|(_, pods)| all(pods)).max().unwrap_or(0)
    }

    /// Ready pods of each revision at the end.
    pub(super) fn last_ready(&self) -> [u32; REVISIONS] {
        self.0.last().map_or([0; REVISIONS], |(_, pods)| pods.map(|counts| counts.ready))
    }

    /// The least tolerance within which both agree, each as seen from the other.
    pub(super) fn distance(&self, other: &Self) -> Span {
        let mut tolerance = Span::ZERO;
        while tolerance < FAR && !(self.lies_within(other, tolerance) && other.lies_within(self, tolerance)) {
            tolerance = tolerance + STEP;
        }
        tolerance
    }

    fn lies_within(&self, other: &Self, tolerance: Span) -> bool {
        self.0.iter().all(|(at, pods)| {
            let near = || other.between(*at - tolerance, *at + tolerance);
            flat(pods).into_iter().enumerate().all(|(index, count)| {
                near().any(|other| flat(other)[index] <= count) && near().any(|other| flat(other)[index] >= count)
            })
        })
    }

    /// What there was at any time from `from` to `until`, both included.
    fn between(&self, from: Span, until: Span) -> impl Iterator<Item = &Pods> {
        let begins = self.0.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
        let begins = self.0[begins..].iter();
        begins.enumerate().take_while(move |(index, (at, _))| *index == 0 || *at <= until).map(|(_, (_, pods))| pods)
    }
}

fn flat(pods: &Pods) -> [u32; 3 * REVISIONS] {
    let [old, new] = pods.map(|counts| counts.each());
    [old[0], old[1], old[2], new[0], new[1], new[2]]
}

impl Display for Course {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "  time s | old: exist ready going | new: exist ready going")?;
        for (at, [old, new]) in &self.0 {
            write!(formatter, "  {:6.2} |", at.as_secs_f64())?;
            write!(formatter, " {:10} {:5} {:5} |", old.exist, old.ready, old.going)?;
            writeln!(formatter, " {:10} {:5} {:5}", new.exist, new.ready, new.going)?;
        }
        Ok(())
    }
}

mod tests {
    use super::*;

    /// Pods of the first revision that exist, by time in milliseconds; the first time does not count.
    fn course(steps: &[(i64, u32)]) -> Course {
        let pods = |exist| [Counts { exist, ..Counts::default() }, Counts::default()];
        let mut course = Course::new(pods(steps[0].1));
        for &(at, exist) in &steps[1..] {
            course.record(Span::from_millis(at), pods(exist));
        }
        course
    }

    #[test]
    fn a_distance_is_the_shift_of_a_step() {
        let (early, late) = (course(&[(0, 2), (3_000, 10)]), course(&[(0, 2), (3_400, 10)]));
        assert_eq!(early.distance(&late), Span::from_millis(400));
        assert_eq!(late.distance(&early), Span::from_millis(400));
        assert_eq!(early.distance(&early.clone()), Span::ZERO);
        assert_eq!(course(&[(0, 2), (0, 10)]).distance(&course(&[(0, 2), (50, 10)])), Span::from_millis(50));
    }

    #[test]
    fn values_on_the_way_agree_but_other_values_do_not() {
        let at_once = course(&[(0, 2), (3_000, 10)]);
        let one_by_one = course(&[(0, 2), (3_020, 5), (3_040, 9), (3_060, 10)]);
        assert_eq!(at_once.distance(&one_by_one), Span::from_millis(60));
        for others in [&[(0, 2), (3_000, 11)][..], &[(0, 2)], &[(0, 3), (3_000, 10)], &[(0, 2), (3_000, 9)]] {
            assert_eq!(at_once.distance(&course(others)), FAR, "{others:?}");
        }
        let dip = course(&[(0, 2), (3_000, 10), (5_000, 8), (5_500, 10)]);
        assert_eq!(
            at_once.distance(&dip),
            Span::from_millis(2_010),
            "8 lies between what there was 2.01 s before, and 10"
        );
    }

    #[test]
    fn every_state_of_every_revision_counts() {
        let alike = course(&[(0, 2)]);
        for index in 0..flat(&Pods::default()).len() {
            let mut pods = alike.0[0].1;
            let counts = &mut pods[index / 3];
            *[&mut counts.exist, &mut counts.ready, &mut counts.going][index % 3] += 1;
            let mut later = alike.clone();
            later.record(Span::ZERO, pods);
            assert_eq!(alike.distance(&Course::new(pods)), FAR, "count {index}");
            assert_eq!(alike.distance(&later), FAR, "count {index}");
        }
    }
}
