//! The timeline and the event log as tables: a column per number, so that any reader of Parquet can ask them.

use seatrial_core::record::timeline::{Percentiles, Timeline};
use seatrial_datasets::{Column, Table, TableError};
use seatrial_envs::spec::ScenarioSpec;
use seatrial_envs::world::log::LogRow;

/// File names and tables of a timeline.
pub(super) fn of_timeline(timeline: &Timeline) -> Result<Vec<(&'static str, Table)>, TableError> {
    let mut tables = vec![("services.parquet", services(timeline)?), ("clients.parquet", clients(timeline)?)];
    if !timeline.pools.is_empty() {
        tables.push(("pools.parquet", pools(timeline)?));
    }
    Ok(tables)
}

/// Beginning of each interval, `times` over.
fn begins(timeline: &Timeline, rows: usize, times: usize) -> Column {
    let at = |row: usize| (timeline.start + timeline.interval * i64::try_from(row / times).unwrap_or(0)).micros();
    Column::TimestampUs((0..rows).map(at).collect())
}

fn names(names: &[String], rows: usize) -> Column {
    Column::Text((0..rows).filter_map(|row| names.get(row % names.len().max(1)).cloned()).collect())
}

#[expect(clippy::cast_possible_wrap, reason = "counts of one interval")]
const fn whole(count: u64) -> i64 {
    count as i64
}

fn with_latency(table: Table, latencies: &[Percentiles]) -> Result<Table, TableError> {
    let column = |pick: fn(&Percentiles) -> Option<f64>| Column::OptionalF64(latencies.iter().map(pick).collect());
    table
        .with("latency_p50_s", column(|latency| latency.p50_s))?
        .with("latency_p95_s", column(|latency| latency.p95_s))?
        .with("latency_p99_s", column(|latency| latency.p99_s))
}

fn services(timeline: &Timeline) -> Result<Table, TableError> {
    let rows = &timeline.service_rows;
    let u32s =
        |pick: fn(&seatrial_core::record::timeline::ServiceRow) -> u32| Column::U32(rows.iter().map(pick).collect());
    let i64s = |pick: fn(&seatrial_core::record::timeline::ServiceRow) -> u64| {
        Column::I64(rows.iter().map(pick).map(whole).collect())
    };
    let table = Table::new()
        .with("timestamp", begins(timeline, rows.len(), timeline.services.len().max(1)))?
        .with("service", names(&timeline.services, rows.len()))?
        .with("desired", u32s(|row| row.desired))?
        .with("pending", u32s(|row| row.pending))?
        .with("starting", u32s(|row| row.starting))?
        .with("unreachable", u32s(|row| row.unreachable))?
        .with("ready", u32s(|row| row.ready))?
        .with("terminating", u32s(|row| row.terminating))?
        .with("queued", u32s(|row| row.queued))?
        .with("in_service", u32s(|row| row.in_service))?
        .with("arrived", i64s(|row| row.arrived))?
        .with("completed", i64s(|row| row.completed))?
        .with("failed", i64s(|row| row.failed))?
        .with("cpu_s", Column::F64(rows.iter().map(|row| row.cpu_s).collect()))?;
    with_latency(table, &rows.iter().map(|row| row.latency).collect::<Vec<_>>())
}

fn clients(timeline: &Timeline) -> Result<Table, TableError> {
    let rows = &timeline.client_rows;
    let i64s = |pick: fn(&seatrial_core::record::timeline::ClientRow) -> u64| {
        Column::I64(rows.iter().map(pick).map(whole).collect())
    };
    let table = Table::new()
        .with("timestamp", begins(timeline, rows.len(), 1))?
        .with("offered", i64s(|row| row.offered))?
        .with("retries", i64s(|row| row.retries))?
        .with("done", i64s(|row| row.done))?
        .with("failed", i64s(|row| row.failed))?
        .with("bad", i64s(|row| row.bad))?;
    with_latency(table, &rows.iter().map(|row| row.latency).collect::<Vec<_>>())
}

fn pools(timeline: &Timeline) -> Result<Table, TableError> {
    let rows = &timeline.pool_rows;
    let u32s =
        |pick: fn(&seatrial_core::record::timeline::PoolRow) -> u32| Column::U32(rows.iter().map(pick).collect());
    Table::new()
        .with("timestamp", begins(timeline, rows.len(), timeline.pools.len().max(1)))?
        .with("pool", names(&timeline.pools, rows.len()))?
        .with("provisioning", u32s(|row| row.provisioning))?
        .with("ready", u32s(|row| row.ready))?
        .with("lost", u32s(|row| row.lost))?
        .with("cpu_requested", Column::F64(rows.iter().map(|row| row.cpu_requested).collect()))
}

/// The event log; ids of pods are slots and generations, as the kernel counts them.
pub(super) fn of_log(spec: &ScenarioSpec, rows: &[LogRow]) -> Result<Table, TableError> {
    let names: Vec<&String> = spec.services.keys().collect();
    let service = |row: &LogRow| {
        row.service.and_then(|id| names.get(id.index())).map_or_else(String::new, |name| (*name).clone())
    };
    let u32s = |pick: fn(&LogRow) -> Option<u32>| Column::OptionalU32(rows.iter().map(pick).collect());
    Table::new()
        .with("timestamp", Column::TimestampUs(rows.iter().map(|row| row.at.micros()).collect()))?
        .with("kind", Column::Text(rows.iter().map(|row| row.kind.id().to_owned()).collect()))?
        .with("service", Column::Text(rows.iter().map(service).collect()))?
        .with("pod_slot", u32s(|row| row.pod.map(|pod| pod.slot)))?
        .with("pod_generation", u32s(|row| row.pod.map(|pod| pod.generation)))?
        .with("node", u32s(|row| row.node.map(|node| node.0)))?
        .with("value", Column::F64(rows.iter().map(|row| row.value).collect()))
}
