//! `trace_load`: four weeks of one-minute bins from Parquet to a scaled and split load.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use seatrial_datasets::{SplitRule, prepare, shipped};

fn trace_load(criterion: &mut Criterion) {
    let mut bins = 0;
    criterion.bench_function("trace_load", |bencher| {
        bencher.iter(|| {
            let trace = shipped::open("generated_web_1min").unwrap();
            let load = prepare(&trace, None, &SplitRule::Fractions).unwrap();
            bins = load.rate_per_s.len();
            load.scale
        });
    });
    assert_eq!(bins, 28 * 1_440, "four weeks of minutes were read");
}

criterion_group!(benches, trace_load);
criterion_main!(benches);
