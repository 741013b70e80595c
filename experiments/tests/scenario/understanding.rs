//! What `check` says it understood: whether there is room, how much is played, what counts nothing.

use std::path::Path;

use seatrial_datasets::{Column, Table, write_table};

use super::command::{err, seatrial};

const HEAD: &str = "name = \"a\"\nsummary = \"b\"\nkernel = \"events\"\nduration_s = 600\n";

/// A service `web` with these keys and these tables behind it, under 10 requests a second.
fn scenario(web: &str, more: &str) -> String {
    format!(
        "{HEAD}[services.web]\ncores = 1.0\nservice_time_s = {{ constant = 0.05 }}\n{web}\n{more}\n\
         [[traffic]]\nservice = \"web\"\nsource = {{ constant = {{ rate_per_s = 10.0 }} }}\n"
    )
}

/// The output of `check`, which finds nothing wrong.
fn checked(text: &str, folder: &Path) -> String {
    std::fs::write(folder.join("s.toml"), text).unwrap();
    let output = seatrial(&["check", "s.toml"], folder);
    assert!(output.status.success(), "{}", err(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn says(text: &str, lines: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let said = checked(text, folder.path());
    for line in lines {
        assert!(said.contains(line), "no `{line}` in:\n{said}");
    }
}

const POD: &str =
    "pod = { cpu_request_milli = 1000, cpu_limit_milli = 1000, memory_request_mib = 3000, memory_limit_mib = 4000 }";
const NODES: &str = "[cluster.pools.g]\nnodes = 2\ncpu_milli = 8000\nmemory_mib = 4000";

/// The lines that follow the node pools of a scenario with `replicas` of the pod above.
fn room(web: &str, cluster: &str, lines: &[&str]) {
    says(&scenario(&format!("{web}\n{POD}"), &format!("{NODES}\n{cluster}")), lines);
}

#[test]
fn memory_without_room_is_seen_where_cores_are_plenty() {
    room(
        "replicas = 4",
        "",
        &[
            "service   web: 4 pods of 1 core; nobody scales it",
            "nodes     g: 2 nodes, 16 cores and 7.81 GiB at the start",
            "at the start 2 of 4 pods of web FIND NO ROOM: 0/2 nodes are available: 2 Insufficient memory\n",
            "ask for 4 of 16 cores, 11.72 of 7.81 GiB, 4 of 220 places for pods; MORE MEMORY THAN THERE CAN BE",
        ],
    );
    room(
        "replicas = 2",
        "",
        &[
            "at the start all pods find room",
            "by these sums there is room for all",
            "placed at once they all find room",
        ],
    );
}

#[test]
fn nodes_that_can_be_added_count_for_the_most_alone() {
    room(
        "replicas = 4",
        "max = 6\n[cluster.autoscaler]",
        &[
            "nodes     g: 2 nodes, 0 to 6, 16 cores",
            "2 Insufficient memory, until nodes are added",
            "11.72 of 23.44 GiB",
            "by these sums nodes will have to be added",
            "placed at once they all find room",
        ],
    );
}

#[test]
fn a_quota_is_seen_at_the_start_and_at_the_most() {
    let quota = "[cluster.quota]\npods = 1";
    room(
        "replicas = 2",
        quota,
        &[
            "at the start 1 of 2 pods of web FIND NO ROOM: the quota has no room for another pod",
            "at their most they ask for MORE PODS THAN THE QUOTA ALLOWS",
        ],
    );
    let scaled = "replicas = 1\nautoscaling = { min = 1, max = 2, strategy = { policy = { id = \"hpa\" } } }";
    room(
        scaled,
        quota,
        &["at the start all pods find room", "placed at once 1 of 2 pods of web FIND NO ROOM: the quota"],
    );
}

/// Two nodes of 8 cores, pods of 3 cores for `web` and of 6 for `x`: by sums 12 of 16, but whoever comes first breaks both nodes.
#[test]
fn fragments_are_seen_where_sums_fit() {
    let large = "[services.x]\nreplicas = 1\ncores = 6.0\nservice_time_s = { constant = 0.05 }\n\
                 pod = { cpu_request_milli = 6000, cpu_limit_milli = 6000, memory_request_mib = 100 }";
    let small = "replicas = 2\npod = { cpu_request_milli = 3000, cpu_limit_milli = 3000, memory_request_mib = 100 }";
    says(
        &scenario(small, &format!("{NODES}\n{large}")),
        &[
            "at the start 1 of 1 pod of x FIND NO ROOM: 0/2 nodes are available: 2 Insufficient cpu",
            "12 of 16 cores",
            "by these sums there is room for all",
            "placed at once 1 of 1 pod of x FIND NO ROOM",
        ],
    );
}

#[test]
fn a_pod_that_requests_kill_is_seen() {
    let pod = |limit: u32| {
        format!(
            "pod = {{ memory_request_mib = 1, memory_limit_mib = {limit}, memory_base_mib = 100.0, memory_per_request_mib = 100.0 }}"
        )
    };
    let (two, many) = (pod(399), pod(700));
    says(
        &scenario(&format!("replicas = 1\nconcurrency = 3\n{two}"), ""),
        &["a pod has memory for 2 requests at once, and serves 3: ONE MORE KILLS IT (OOM)"],
    );
    says(
        &scenario(&format!("replicas = 1\nconcurrency = 3\nbalancing = \"random\"\n{many}"), ""),
        &["a pod has memory for 6 requests at once, queued ones included; one more kills it (OOM)"],
    );
}

#[test]
fn what_is_played_is_counted_over_all_services() {
    let calls = "replicas = 1\ncalls = [{ to = \"db\", count = 3 }]";
    let db = "[services.db]\nreplicas = 1\ncores = 1.0\nservice_time_s = { constant = 0.01 }";
    says(
        &scenario(calls, db),
        &["played    one by one: 6,000 requests, with 24,000 calls of services; retries on top"],
    );
}

#[test]
fn faults_are_counted_and_said_as_they_are() {
    let kill = "[[faults]]\nkind = \"pod-kill\"\nservice = \"web\"\npods = 3\nat_s = 60.0";
    let scaled = "replicas = 2\nautoscaling = { min = 1, max = 4, strategy = { policy = { id = \"hpa\" } } }";
    says(
        &scenario(scaled, kill),
        &["fault     after 60 s: 3 pods of web are killed; all that are ready, if fewer: it begins with 2"],
    );
    let one = kill.replace("pods = 3", "pods = 1");
    says(&scenario(scaled, &one), &["fault     after 60 s: 1 pod of web is killed\n"]);
}

/// A folder with a trace called `t`.
fn with_trace(kind: &str, values: &[f64]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at_us = (0..values.len() as i64).map(|minute| 60_000_000 * minute).collect();
    let mut table = Table::new();
    table.push("timestamp", Column::TimestampUs(at_us)).unwrap();
    table.push("value", Column::F64(values.to_vec())).unwrap();
    let tokens = vec![0; values.len()];
    table.push("input_tokens", Column::I64(tokens)).unwrap();
    let metadata = [("trace.kind", kind), ("trace.unit", "percent"), ("trace.interval_us", "60000000")];
    write_table(&folder.path().join("t.parquet"), &table, &metadata).unwrap();
    folder
}

fn of_trace(source: &str) -> String {
    scenario("replicas = 1", "").replace("{ constant = { rate_per_s = 10.0 } }", source)
}

#[test]
fn how_a_trace_is_read_is_said() {
    let source = "{ trace = { id = \"t.parquet\" } }";
    for (kind, line) in [
        ("gauge", "recorded as a gauge (unit `percent`): ITS LEVEL IS TAKEN FOR REQUESTS PER SECOND"),
        ("rate", "recorded as counts per bin (unit `percent`)\n"),
        ("event", "recorded as events (unit `percent`), counted by the minute"),
    ] {
        let folder = with_trace(kind, &[1.0; 12]);
        let said = checked(&of_trace(source), folder.path());
        assert!(said.contains(line), "{kind}: {said}");
    }
    let folder = with_trace("rate", &[1.0; 12]);
    let scaled = checked(&of_trace("{ trace = { id = \"t.parquet\", peak_per_s = 5.0 } }"), folder.path());
    assert!(scaled.contains("counts per bin (unit `percent`), scaled to the peak"), "{scaled}");
}

#[test]
fn tokens_that_count_nothing_are_seen() {
    let classes = "classes = [{ name = \"all\", share = 1.0, input_tokens = { constant = 9.0 } }]\n";
    let text = scenario("replicas = 1", "") + classes;
    says(&text, &["ITS TOKENS COST NOTHING: no service that it reaches has a `token_cost`"]);
    let folder = with_trace("event", &[1.0; 12]);
    let cost = "replicas = 1\ntoken_cost = { per_input_token_s = 0.001, per_output_token_s = 0.001 }";
    let recorded = "{ requests = { id = \"t.parquet\" } }";
    let said = checked(&scenario(cost, "").replace("{ constant = { rate_per_s = 10.0 } }", recorded), folder.path());
    assert!(said.contains("ITS `token_cost` COUNTS NOTHING: no request that reaches it has tokens"), "{said}");
    assert!(!said.contains("ITS TOKENS COST"), "{said}");
}

#[test]
fn traces_that_are_no_such_load_are_refused() {
    let refused = |kind: &str, values: &[f64], source: &str| {
        let folder = with_trace(kind, values);
        std::fs::write(folder.path().join("s.toml"), of_trace(source)).unwrap();
        let output = seatrial(&["check", "s.toml"], folder.path());
        assert_eq!(output.status.code(), Some(1));
        err(&output)
    };
    let error = refused("rate", &[1.0; 12], "{ requests = { id = \"t.parquet\" } }");
    assert!(error.contains("`traffic[0].source.requests.id` names `t.parquet`, a trace of kind `rate`"), "{error}");
    let source = "{ trace = { id = \"t.parquet\" } }";
    let error = refused("rate", &[6e7, 6e7 + 60.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], source);
    assert!(
        error.contains(
            "`traffic[0].source.trace.id` is a load of up to 1000001 requests per second, must be at most 1,000,000"
        ),
        "{error}"
    );
    let error = refused("rate", &[1e300; 10], source);
    assert!(error.contains("up to 1.67e298 requests per second"), "{error}");
    // Scaled down it is a load as any other.
    let folder = with_trace("rate", &[1e300; 12]);
    checked(&of_trace("{ trace = { id = \"t.parquet\", peak_per_s = 5.0 } }"), folder.path());
}

#[test]
fn a_file_comes_before_the_gallery_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let made = seatrial(&["new", "shop", "--from", "single-web-service"], folder.path());
    assert!(err(&made).contains("seatrial scenario check ./shop"), "{}", err(&made));
    let output = seatrial(&["check", "shop"], folder.path());
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(said.starts_with("shop: nothing is wrong") && said.contains("One web service"), "{said}");
    assert!(err(&output).contains("`shop` is a file here, which is taken"), "{}", err(&output));
}

/// 2.4 cores of work a second at 0.3 of full speed are 8 pods; what the sum leaves out is said.
#[test]
fn slow_nodes_are_counted_and_what_is_not_is_said() {
    let web = "replicas = 8\nholds_worker = true\nconcurrency = 1\ncalls = [{ to = \"db\" }]";
    let db = "[services.db]\nreplicas = 1\ncores = 1.0\nservice_time_s = { constant = 0.24 }";
    let pool = "[cluster.pools.g]\nnodes = 9\ncpu_milli = 8000\nmemory_mib = 8000\nspeed = { constant = 0.3 }";
    says(
        &scenario(web, &format!("{db}\n{pool}")),
        &[
            "at the peak 10 calls/s keep 2.4 cores busy: 8 pods at the least, MORE THAN IT MAY HAVE",
            "at the peak 10 calls/s keep 0.5 cores busy: 2 pods at the least, enough from the start",
            "at the nodes' mean speed of 0.3\n",
            "NOT COUNTED: a worker is held until its calls are answered",
        ],
    );
    let noisy = "[workloads.batch]\nreplicas = 1\nslows_neighbours = 0.5\ncpu_request_milli = 100";
    says(
        &scenario("replicas = 1", &format!("{pool}\n{noisy}")),
        &["NOT COUNTED: workloads that slow their neighbours"],
    );
}

/// A target of utilisation that no pod can reach: the service would only shrink.
#[test]
fn a_request_that_nothing_can_use_is_told_to_who_scales_on_it() {
    let scaled = "autoscaling = { min = 1, max = 2, strategy = { policy = { id = \"hpa\" } } }";
    let told = "a pod can use 1 of the 4 cores that it requests (`pod.cpu_request_milli`): AN AUTOSCALER ON CPU NEVER SEES MORE THAN 25 %";
    says(&scenario(&format!("replicas = 1\n{scaled}"), ""), &[told]);
    let fits = scenario(&format!("replicas = 1\n{scaled}\npod = {{ cpu_request_milli = 1000 }}"), "");
    let folder = tempfile::tempdir().unwrap();
    assert!(!checked(&fits, folder.path()).contains("NEVER SEES"));
    assert!(!checked(&scenario("replicas = 1", ""), folder.path()).contains("NEVER SEES"), "nobody looks");
}
