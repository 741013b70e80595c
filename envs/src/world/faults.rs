//! Faults of the scenario as events: each begins, most end, and both are marked.

use seatrial_core::record::timeline::Mark;
use seatrial_core::time::{Span, Timestamp};

use super::costs::seconds_after;
use super::{Event, World, WorldError};
use crate::cluster::machine::PoolId;
use crate::events::{EventQueue, PastEvent};
use crate::ids::ServiceId;
use crate::spec::{FaultSpec, ScenarioSpec};

/// A fault with its names resolved.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    what: What,
    begins: Timestamp,
    ends: Option<Timestamp>,
    lasts: bool,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    NodeLoss { pool: PoolId, nodes: u32, back_after: Option<Span> },
    MetricsOutage,
    PodKill { service: ServiceId, pods: u32 },
    Slowdown { service: ServiceId, speed: f64 },
}

impl Fault {
    /// Every fault of `spec`, in its order.
    pub(super) fn all(spec: &ScenarioSpec, start: Timestamp) -> Result<Vec<Self>, WorldError> {
        spec.faults.iter().enumerate().map(|(index, fault)| Self::new(spec, index, fault, start)).collect()
    }

    fn new(spec: &ScenarioSpec, index: usize, fault: &FaultSpec, start: Timestamp) -> Result<Self, WorldError> {
        let service = |name: &str| place(index, "service", name, spec.services.keys()).map(ServiceId);
        let (what, at_s, for_s, text) = match fault {
            FaultSpec::NodeLoss { pool, nodes, at_s, for_s } => {
                let pools = spec.cluster.iter().flat_map(|cluster| cluster.pools.keys());
                let id = PoolId(place(index, "pool", pool, pools)?);
                let what = What::NodeLoss { pool: id, nodes: *nodes, back_after: for_s.map(Span::from_secs_f64) };
                let text =
                    counted(*nodes, [&format!("node of {pool} falls silent"), &format!("nodes of {pool} fall silent")]);
                (what, *at_s, *for_s, text)
            }
            FaultSpec::MetricsOutage { at_s, for_s } => {
                (What::MetricsOutage, *at_s, Some(*for_s), "no scrape succeeds".to_owned())
            }
            FaultSpec::PodKill { service: name, pods, at_s } => {
                let what = What::PodKill { service: service(name)?, pods: *pods };
                let text = counted(*pods, [&format!("pod of {name} is killed"), &format!("pods of {name} are killed")]);
                (what, *at_s, None, text)
            }
            FaultSpec::Slowdown { service: name, speed, at_s, for_s } => {
                let what = What::Slowdown { service: service(name)?, speed: *speed };
                (what, *at_s, Some(*for_s), format!("{name} runs at speed {speed}"))
            }
        };
        let ends = for_s.map(|for_s| seconds_after(start, at_s + for_s));
        Ok(Self { what, begins: seconds_after(start, at_s), ends, lasts: false, text })
    }

    /// Schedules its beginning and its end.
    pub(super) fn schedule(&self, index: u16, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        queue.push(self.begins, Event::Fault { index, ends: false })?;
        self.ends.map_or(Ok(()), |at| queue.push(at, Event::Fault { index, ends: true }))
    }
}

/// One of something, or many.
fn counted(count: u32, [one, many]: [&str; 2]) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The place of a name among those that are known.
fn place<'a>(
    index: usize,
    kind: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a String> + Clone,
) -> Result<u16, WorldError> {
    let found = known.clone().position(|other| other == name).and_then(|place| u16::try_from(place).ok());
    found.ok_or_else(|| WorldError::UnknownName {
        index,
        kind,
        name: name.to_owned(),
        known: known.map(String::as_str).collect::<Vec<_>>().join(", "),
    })
}

impl World {
    /// A fault begins or ends.
    pub(super) fn fault(&mut self, index: u16, ends: bool, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let Some(fault) = self.faults.get_mut(usize::from(index)) else { return Ok(()) };
        fault.lasts = !ends;
        let (what, now) = (fault.what, queue.now());
        let text = if ends { format!("over: {}", fault.text) } else { fault.text.clone() };
        self.log.fault(now, index, ends);
        // That nodes are back is the cluster's to say.
        let is_told = !ends || !matches!(what, What::NodeLoss { .. });
        if let Some(recorder) = self.recorder.as_mut().filter(|_| is_told) {
            recorder.mark(Mark { at: now, kind: if ends { "repair" } else { "fault" }.to_owned(), text });
        }
        if ends {
            self.end_fault(what);
        } else {
            self.begin_fault(what, queue)?;
        }
        self.pass_on(queue)
    }

    fn begin_fault(&mut self, what: What, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        match what {
            What::NodeLoss { pool, nodes, back_after } => self.cluster.lose_nodes(pool, nodes, back_after, queue),
            What::PodKill { service, pods } => self.cluster.kill_pods(service, pods, queue),
            What::MetricsOutage => {
                self.telemetry.begin_outage();
                Ok(())
            }
            What::Slowdown { service, .. } => {
                self.cluster.slow(service, self.speed_of(service));
                Ok(())
            }
        }
    }

    fn end_fault(&mut self, what: What) {
        match what {
            // Nodes come back by themselves; killed pods start again.
            What::NodeLoss { .. } | What::PodKill { .. } => {}
            What::MetricsOutage => self.telemetry.end_outage(),
            What::Slowdown { service, .. } => self.cluster.slow(service, self.speed_of(service)),
        }
    }

    /// The least speed of the slowdowns of a service that last.
    fn speed_of(&self, service: ServiceId) -> f64 {
        let speeds = self.faults.iter().filter(|fault| fault.lasts).filter_map(|fault| match fault.what {
            What::Slowdown { service: slowed, speed } if slowed == service => Some(speed),
            _ => None,
        });
        speeds.fold(1.0, f64::min)
    }
}
