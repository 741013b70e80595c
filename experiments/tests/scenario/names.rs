//! What names in a scenario stand for: small files written here, and, where the recorded traces are at hand, the gallery.

use std::path::{Path, PathBuf};

use seatrial_core::time::Timestamp;
use seatrial_datasets::{Column, Table, write_table};
use seatrial_envs::spec::{Inputs, SourceLoad};
use seatrial_experiments::scenario_command::{GALLERY, LoadedScenario, parse, read_inputs};

use super::gallery;

const RATE: [(&str, &str); 3] = [("trace.kind", "rate"), ("trace.unit", "requests"), ("trace.interval_us", "60000000")];

fn loaded(text: &str) -> LoadedScenario {
    let spec = parse(text, "s.toml").unwrap_or_else(|error| panic!("{error}"));
    LoadedScenario { spec, origin: "s.toml".into(), text: text.to_owned() }
}

fn read(text: &str, folder: &Path) -> Result<Inputs, String> {
    read_inputs(&loaded(text), &[folder.to_owned()]).map_err(|error| error.to_string())
}

fn seconds(values: &[i64]) -> Column {
    Column::TimestampUs(values.iter().map(|second| second * 1_000_000).collect())
}

/// A folder with one record of each kind.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, columns: Vec<(&str, Column)>, metadata: &[(&str, &str)]| {
        let mut table = Table::new();
        for (name, column) in columns {
            table.push(name, column).unwrap();
        }
        write_table(&folder.path().join(format!("{name}.parquet")), &table, metadata).unwrap();
    };
    let minutes: Vec<i64> = (0..10).map(|minute| 1_000_020 + 60 * minute).collect();
    let counts = (0..10).map(|minute| 60.0 * f64::from(minute)).collect();
    write("rates", vec![("timestamp", seconds(&minutes)), ("value", Column::F64(counts))], &RATE);
    write("idle", vec![("timestamp", seconds(&minutes)), ("value", Column::F64(vec![0.0; 10]))], &RATE);
    let requests = vec![
        ("timestamp", seconds(&[100, 103, 103, 300, 900])),
        ("value", Column::F64(vec![1.0; 5])),
        ("input_tokens", Column::I64(vec![7, 8, 9, 10, 11])),
        ("output_tokens", Column::I64(vec![1, 2, 3, 4, 5])),
    ];
    write("calls", requests, &[("trace.kind", "event"), ("trace.unit", "request")]);
    let starts = vec![
        ("timestamp", seconds(&[0, 1, 2, 3])),
        ("value", Column::F64(vec![400.0, 100.0, 200.0, 900.0])),
        ("series", Column::Text(["go", "go", "go", "java"].map(str::to_owned).to_vec())),
        ("package", Column::Text(["zip", "zip", "image", "zip"].map(str::to_owned).to_vec())),
    ];
    write("starts", starts, &[("trace.kind", "gauge"), ("trace.unit", "ms")]);
    let nodes = vec![
        ("node", Column::Text(vec!["a".into(), "b".into()])),
        ("cpu_milli", Column::I64(vec![3_000, 64_000])),
        ("memory_mib", Column::I64(vec![8_000, 1_000])),
        ("num_gpu", Column::OptionalI64(vec![None, Some(8)])),
    ];
    write("machines", nodes, &[]);
    let pods = vec![
        ("timestamp", seconds(&[0, 50, 60, 400])),
        ("value", Column::F64(vec![1.0; 4])),
        ("scheduled_at", seconds(&[5, 50, 61, 400])),
        ("deleted_at", seconds(&[25, 70, 1_061, 401])),
        ("cpu_milli", Column::I64(vec![1, 2, 3, 4])),
        ("memory_mib", Column::I64(vec![10, 20, 30, 40])),
        ("num_gpu", Column::I64(vec![0, 1, 0, 0])),
    ];
    write("lives", pods, &[("trace.kind", "event"), ("trace.unit", "pod")]);
    folder
}

fn scenario(duration_s: u32, source: &str, more: &str) -> String {
    format!(
        "name = \"a\"\nsummary = \"b\"\nkernel = \"events\"\nduration_s = {duration_s}\n[services.web]\nreplicas = 1\ncores = 1.0\n\
         service_time_s = {{ constant = 0.1 }}\n[[traffic]]\nservice = \"web\"\nsource = {source}\n{more}"
    )
}

#[test]
fn a_trace_is_cut_scaled_and_moved_with_its_history() {
    let folder = folder();
    let text = scenario(150, "{ trace = { id = \"rates\", from_s = 120, peak_per_s = 8.0 } }", "");
    let inputs = read(&text, folder.path()).unwrap();
    let SourceLoad::Rates(load) = &inputs.loads[0] else { panic!("no rates") };
    assert_eq!(load.start(), Timestamp::ZERO);
    assert_eq!(load.rates_per_s(), [4.0, 6.0, 8.0], "150 s are three bins; 2, 3, 4 a second scaled to a peak of 8");
    assert_eq!(load.past_rates_per_s(), [0.0, 2.0]);
    let as_recorded = read(&scenario(60, "{ trace = { id = \"rates\", from_s = 180 } }", ""), folder.path()).unwrap();
    assert!(matches!(&as_recorded.loads[0], SourceLoad::Rates(load) if load.rates_per_s() == [3.0]));
    let events = read(&scenario(240, "{ trace = { id = \"calls\" } }", ""), folder.path()).unwrap();
    let SourceLoad::Rates(load) = &events.loads[0] else { panic!("no rates") };
    assert_eq!(load.rates_per_s(), [3.0 / 60.0, 0.0, 0.0, 0.0], "events are counted by the minute");
}

#[test]
fn requests_and_pods_are_cut_to_the_scenario() {
    let folder = folder();
    let text = scenario(250, "{ requests = { id = \"calls\", from_s = 3.0 } }", "");
    let inputs = read(&text, folder.path()).unwrap();
    let SourceLoad::Listed(requests) = &inputs.loads[0] else { panic!("no requests") };
    let rows: Vec<_> = requests.iter().map(|r| (r.at.micros() / 1_000_000, r.input_tokens, r.output_tokens)).collect();
    assert_eq!(rows, [(0, 8, 2), (0, 9, 3), (197, 10, 4)]);
    let cluster =
        "[cluster.pools.all]\ninventory = \"machines\"\n[workloads.old]\ntrace = \"lives\"\ntrace_from_s = 10.0\n";
    let web = "[services.web.pod]\ncpu_request_milli = 2000\n";
    let inputs =
        read(&scenario(100, "{ constant = { rate_per_s = 1.0 } }", &format!("{cluster}{web}")), folder.path()).unwrap();
    let nodes: Vec<_> =
        inputs.inventories["machines"].iter().map(|node| (node.cpu_milli, node.memory_mib, node.gpus)).collect();
    assert_eq!(nodes, [(3_000, 8_000, 0), (64_000, 1_000, 8)]);
    let pods: Vec<_> = inputs.pods["lives"]
        .iter()
        .map(|pod| {
            (pod.created.micros() / 1_000_000, pod.lifetime.unwrap().micros() / 1_000_000, pod.cpu_milli, pod.gpus)
        })
        .collect();
    // The first was created 10 s before the start and ran 20 s; the last comes after the end.
    assert_eq!(pods, [(0, 10, 1, 0), (40, 20, 2, 1), (50, 1_000, 3, 0)]);
}

#[test]
fn sampled_values_are_chosen_scaled_and_sorted() {
    let folder = folder();
    let sampled = |inner: &str| {
        let text = scenario(
            60,
            "{ constant = { rate_per_s = 1.0 } }",
            &format!("[services.web.start]\nstart_s = {{ sampled = {{ trace = \"starts\"{inner} }} }}\n"),
        );
        read(&text, folder.path()).map(|inputs| inputs.tables.values().next().unwrap().to_vec())
    };
    assert_eq!(sampled(", factor = 0.001").unwrap(), [0.1, 0.2, 0.4, 0.9]);
    assert_eq!(sampled(", series = \"go\", only = { package = \"zip\" }").unwrap(), [100.0, 400.0]);
    assert_eq!(sampled(", series = \"go\", only = { package = \"zip\" }, relative = true").unwrap(), [0.4, 1.6]);
    for (inner, key, word) in [
        (", series = \"rust\"", "sampled.series", "there are go, java"),
        (", only = { package = \"rpm\" }", "sampled.only.package", "there are image, zip"),
        (", only = { colour = \"red\" }", "sampled.only.colour", "timestamp, value, series, package"),
        (", column = \"series\"", "sampled.column", "a number is needed"),
    ] {
        let error = sampled(inner).unwrap_err();
        assert!(
            error.starts_with("s.toml:13:") && error.contains(&format!("`services.web.start.start_s.{key}`")),
            "{error}"
        );
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn names_that_stand_for_nothing_are_told_at_their_keys() {
    let folder = folder();
    for (duration_s, source, more, key, word) in [
        (60, "{ trace = { id = \"raets\" } }", "", "traffic[0].source.trace.id", "ids there are rates, "),
        (60, "{ trace = { id = \"starts\" } }", "", "traffic[0].source.trace.id", "starts"),
        (60, "{ trace = { id = \"rates\", series = \"x\" } }", "", "traffic[0].source.trace.series", "x"),
        (60, "{ trace = { id = \"rates\", from_s = 30 } }", "", "traffic[0].source.trace.from_s", "bins of 60 s"),
        (601, "{ trace = { id = \"rates\" } }", "", "traffic[0].source.trace.from_s", "the trace has 600 s"),
        (
            60,
            "{ trace = { id = \"idle\", peak_per_s = 9.0 } }",
            "",
            "traffic[0].source.trace.peak_per_s",
            "no load at all",
        ),
        (
            60,
            "{ trace = { id = \"rates\" } }",
            "[metrics]\nscrape_s = 7.0\n",
            "traffic[0].source.trace.id",
            "metrics.scrape_s = 7",
        ),
        (900, "{ requests = { id = \"calls\" } }", "", "traffic[0].source.requests.from_s", "800 s of requests"),
        (60, "{ requests = { id = \"machines\" } }", "", "traffic[0].source.requests.id", "no column `timestamp`"),
        (
            60,
            "{ constant = { rate_per_s = 1.0 } }",
            "[cluster.pools.all]\ninventory = \"rates\"\n",
            "cluster.pools.all.inventory",
            "no column `cpu_milli`",
        ),
        (
            60,
            "{ constant = { rate_per_s = 1.0 } }",
            "[cluster.pools.all]\ninventory = \"machines\"\n",
            "services.web.pod.cpu_request_milli",
            "4000 with 512 MiB",
        ),
    ] {
        // The last one fits once its pod is smaller: only a record knows what nodes hold.
        let small = "[services.web.pod]\ncpu_request_milli = 4000\nmemory_request_mib = 512\n";
        let text = scenario(duration_s, source, &format!("{more}{small}"));
        let text = if word.starts_with("4000") {
            text.replace("memory_request_mib = 512", "memory_request_mib = 1024")
        } else {
            text
        };
        let word = if word.starts_with("4000") { "4000 with 1024 MiB" } else { word };
        let error = read(&text, folder.path()).expect_err(source);
        assert!(error.starts_with("s.toml:") && error.contains(&format!("`{key}`")), "{error}");
        assert!(error.contains(word), "{word}: {error}");
    }
    let cluster = "[cluster.pools.all]\ninventory = \"machines\"\n[workloads.old]\ntrace = \"lives\"\ntrace_from_s = 5000.0\n[services.web.pod]\ncpu_request_milli = 100\n";
    let error = read(&scenario(60, "{ constant = { rate_per_s = 1.0 } }", cluster), folder.path()).unwrap_err();
    assert!(error.contains("`workloads.old.trace`") && error.contains("move trace_from_s"), "{error}");
}

#[test]
fn without_traces_the_variable_is_named() {
    let text = gallery("llm-replay");
    let empty = tempfile::tempdir().unwrap();
    let error = read(text, empty.path()).unwrap_err();
    assert!(error.contains("SEATRIAL_TRACES names no folder with Parquet files"), "{error}");
    let error = read_inputs(&loaded(text), &[]).unwrap_err().to_string();
    assert!(
        error.contains("`traffic[0].source.requests.id`") && error.contains("SEATRIAL_TRACES is not set"),
        "{error}"
    );
}

/// Runs where the recorded traces are at hand, as `cargo xtask test` has them.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test is a composition root: it finds the recorded traces")]
fn the_gallery_finds_its_traces() {
    let Some(folders) = std::env::var_os("SEATRIAL_TRACES") else { return };
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    for (name, text) in GALLERY {
        let inputs = read_inputs(&loaded(text), &folders).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(inputs.loads.len(), loaded(text).spec.traffic.len(), "{name}");
    }
}
