//! What the operator's log proves: the same core makes the same decisions again, other nets make others; and how fast it acted.

use std::collections::BTreeMap;
use std::path::Path;

use seatrial_core::bundle::{Bundle, BundleParts};
use seatrial_core::nets::{Tensor, Weights};
use seatrial_core::record::{DecisionRecord, OperatedDecision, Replay, ReplayReport};
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{operated_files, read_operated};

use super::account::Write;
use super::stage::Stage;

/// Every decision in the log, in order of time.
pub(crate) fn decisions(folder: &Path) -> Vec<OperatedDecision> {
    operated_files(folder).unwrap().iter().flat_map(|file| read_operated(file).unwrap()).collect()
}

/// Nets of bundles by hash; rules need none.
pub(crate) type Nets = BTreeMap<String, Weights>;

/// The decisions made again with the bundle's nets.
pub(crate) fn replay(rows: &[OperatedDecision], bundle: &Bundle) -> ReplayReport {
    replay_telling(rows, &nets(bundle, bundle.hash()), |_, _| {})
}

/// The same, and hands out what is decided otherwise, with the position of the row.
pub(crate) fn replay_telling(
    rows: &[OperatedDecision],
    nets: &Nets,
    tell: impl FnMut(usize, DecisionRecord),
) -> ReplayReport {
    Replay::new(nets).run_telling(rows, tell).unwrap()
}

/// How many replicas would have been decided otherwise had `other` been in the place of `bundle`.
pub(crate) fn decided_otherwise(rows: &[OperatedDecision], bundle: &Bundle, other: &Bundle) -> usize {
    let mut otherwise = 0;
    let nets = nets(other, bundle.hash());
    let replay = Replay::new(&nets).run_telling(rows, |row, again| {
        otherwise += usize::from(again.decided != rows[row].record.decided);
    });
    assert!(replay.unwrap().compared > 0);
    otherwise
}

/// The nets of a bundle, as those of the bundle `hash`.
pub(crate) fn nets(bundle: &Bundle, hash: &str) -> Nets {
    BTreeMap::from([(hash.to_owned(), bundle.weights().unwrap().clone())])
}

/// The bundle with one number of its nets changed: how much the agent likes the greatest headroom. Golden rows and hashes are
/// made anew, so it is as good a bundle as the first.
pub(crate) fn with_one_weight_changed(bundle: &Bundle) -> Bundle {
    const CHANGED: &str = "agent.advantage.bias";
    let mut weights = Weights::new();
    for (name, tensor) in bundle.weights().unwrap().iter() {
        let mut values = tensor.values().to_vec();
        if name == CHANGED {
            *values.last_mut().unwrap() += 100.0;
        }
        weights.insert(name, Tensor::new(tensor.shape().to_vec(), values).unwrap()).unwrap();
    }
    let card = bundle.card().clone();
    let files = Bundle::assemble(&BundleParts {
        id: card.id,
        strategy: card.strategy,
        workload: card.workload,
        weights: Some(&weights),
        provenance: card.provenance,
        evidence: card.evidence,
        warm_up: bundle.golden().warm_up.clone(),
        observations: bundle.golden().rows.iter().map(|row| row.observation.clone()).collect(),
    })
    .unwrap();
    let changed = Bundle::load(&files).unwrap();
    assert_ne!(changed.hash(), bundle.hash());
    changed
}

/// Seconds from the end of the scrape that held the sample of a decision to the API server's receipt of its write, ascending.
///
/// `origin` is where the operator's model time began.
pub(crate) fn latencies(stage: &Stage, origin: Timestamp, rows: &[OperatedDecision], writes: &[Write]) -> Vec<f64> {
    let clock = |model_us: i64| origin + Timestamp::from_micros(model_us).since(origin) / stage.pace;
    let of = |row: &OperatedDecision| {
        let (sample, decided) = (clock(row.record.load_at_us?), clock(row.record.at_us));
        let write = writes.iter().find(|write| write.scaled() && write.at > decided - Span::from_millis(5))?;
        // A sample's time is when its scrape began.
        let took = stage.value_at("scrape_duration_seconds", sample + Span::from_millis(5))?;
        let soon = write.at.since(decided) < Span::from_secs(1);
        soon.then(|| write.at.since(sample).as_secs_f64() - took)
    };
    let acted = |row: &&OperatedDecision| row.mode == "Enforce" && row.record.decided != row.record.spec_replicas;
    let mut latencies: Vec<f64> = rows.iter().filter(acted).filter_map(of).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}
