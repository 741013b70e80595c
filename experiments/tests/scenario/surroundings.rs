//! Guards of what surrounds services: traffic, nodes, faults, and the fluid kernel's limits.

use seatrial_experiments::scenario_command::parse;

use super::gallery;
use super::guards::{WEB, all_are_refused};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn traffic() {
    const FLASH: &str = "flash-crowd";
    const POINTS: &str = "node-pool-bound";
    all_are_refused(&[
        (WEB, "service = \"web\"", "service = \"wbe\"", "traffic[0].service", "`web`, the only one there is"),
        (WEB, "mean_per_s = 220.0", "mean_per_s = -1.0", "traffic[0].source.sine.mean_per_s", "0 to 1,000,000"),
        (
            WEB,
            "amplitude_per_s = 160.0",
            "amplitude_per_s = 260.0",
            "traffic[0].source.sine.amplitude_per_s",
            "at most mean_per_s",
        ),
        (WEB, "period_s = 2700.0", "period_s = 0.0", "traffic[0].source.sine.period_s", "1 to"),
        (
            "rolling-update",
            "rate_per_s = 375.0",
            "rate_per_s = -375.0",
            "traffic[0].source.constant.rate_per_s",
            "-375",
        ),
        (POINTS, "[2400.0, 420.0]", "[600.0, 420.0]", "traffic[0].source.points.points[1][0]", "points ascend"),
        (POINTS, "[2400.0, 420.0]", "[2400.0, -1.0]", "traffic[0].source.points.points[1][1]", "-1"),
        (
            POINTS,
            "points = [[600.0, 90.0], [2400.0, 420.0], [4200.0, 420.0], [5400.0, 60.0]]",
            "points = []",
            "traffic[0].source.points.points",
            "at least one pair",
        ),
        (FLASH, "peak_per_s = 640.0", "peak_per_s = 64.0", "traffic[0].source.flash.peak_per_s", "at least base_per_s"),
        (FLASH, "base_per_s = 80.0", "base_per_s = -1.0", "traffic[0].source.flash.base_per_s", "-1"),
        (FLASH, "at_s = 1800.0", "at_s = 5400.0", "traffic[0].source.flash.at_s", "before the end"),
        (FLASH, "rise_s = 120.0", "rise_s = -1.0", "traffic[0].source.flash.rise_s", "-1"),
        (FLASH, "hold_s = 600.0", "hold_s = -1.0", "traffic[0].source.flash.hold_s", "-1"),
        (FLASH, "halving_s = 300.0", "halving_s = 0.0", "traffic[0].source.flash.halving_s", "0.000001"),
        (
            "llm-serving",
            "trace = { id = \"azure_llm_conv_2023_requests\" }",
            "trace = { id = \"\" }",
            "traffic[0].source.trace.id",
            "seatrial list",
        ),
        (
            "llm-serving",
            "{ id = \"azure_llm_conv_2023_requests\" }",
            "{ id = \"x\", from_s = -1.0 }",
            "traffic[0].source.trace.from_s",
            "-1",
        ),
        (
            "llm-serving",
            "{ id = \"azure_llm_conv_2023_requests\" }",
            "{ id = \"x\", peak_per_s = 0.0 }",
            "traffic[0].source.trace.peak_per_s",
            "above 0",
        ),
        (
            "llm-replay",
            "id = \"azure_llm_conv_2023_requests\"",
            "id = \"\"",
            "traffic[0].source.requests.id",
            "seatrial list",
        ),
        ("llm-replay", "from_s = 300.0", "from_s = -300.0", "traffic[0].source.requests.from_s", "-300"),
        ("llm-serving", "share = 1.0", "share = 0.5", "traffic[0].classes", "sum to 1"),
        ("llm-serving", "share = 1.0", "share = 0.0", "traffic[0].classes[0].share", "above 0"),
        ("llm-serving", "share = 1.0", "share = 1.0\nwork = 0.0", "traffic[0].classes[0].work", "above 0"),
        ("llm-serving", "name = \"conversation\"", "name = \"A b\"", "traffic[0].classes[0].name", "lowercase"),
        (
            "llm-serving",
            "share = 1.0",
            "share = 0.5\n[[traffic.classes]]\nname = \"conversation\"\nshare = 0.5",
            "traffic[0].classes[1].name",
            "twice",
        ),
        (
            "llm-serving",
            "{ trace = { id = \"azure_llm_conv_2023_requests\" } }",
            "{ requests = { id = \"x\" } }",
            "traffic[0].classes[0].input_tokens",
            "tokens of their own",
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn clusters_and_workloads() {
    const POOL: &str = "node-pool-bound";
    const NOISY: &str = "noisy-neighbours";
    all_are_refused(&[
        (
            POOL,
            "cpu_request_milli = 2000",
            "cpu_request_milli = 8000\nmemory_base_mib = 1.0",
            "services.web.pod.cpu_request_milli",
            "at most cpu_limit_milli",
        ),
        (POOL, "cpu_milli = 7910", "cpu_milli = 1900", "services.web.pod.cpu_request_milli", "Pending for ever"),
        (POOL, "memory_mib = 28000", "memory_mib = 500", "services.web.pod.memory_request_mib", "Pending for ever"),
        (POOL, "cpu_milli = 7910", "cpu_milli = 0", "cluster.pools.general.cpu_milli", "1 to"),
        (POOL, "memory_mib = 28000", "memory_mib = 0", "cluster.pools.general.memory_mib", "1 to"),
        (POOL, "min = 3\nmax = 6", "min = 7\nmax = 6", "cluster.pools.general.min", "at most max = 6"),
        (POOL, "nodes = 3", "nodes = 9", "cluster.pools.general.nodes", "at most max = 6"),
        (POOL, "max = 6", "max = 0", "cluster.pools.general.max", "1 to"),
        (POOL, "max = 6", "max = 6\npods = 0", "cluster.pools.general.pods", "1 to"),
        (POOL, "median = 120.0", "median = 0.0", "cluster.pools.general.provision_s.lognormal.median", "above 0"),
        (POOL, "pull_mib_per_s = 100.0", "pull_mib_per_s = 0.0", "cluster.pools.general.pull_mib_per_s", "above 0"),
        (
            POOL,
            "pull_mib_per_s = 100.0",
            "speed = { constant = 0.0 }",
            "cluster.pools.general.speed.constant",
            "nominal",
        ),
        (
            POOL,
            "pull_mib_per_s = 100.0",
            "inventory = \"openb_nodes\"",
            "cluster.pools.general.nodes",
            "beside `inventory`",
        ),
        (POOL, "[cluster.pools.general]", "[cluster.pools.General]", "cluster.pools.General", "lowercase"),
        (POOL, "scan_s = 10.0", "scan_s = 0.0", "cluster.autoscaler.scan_s", "0.1 to"),
        (POOL, "unneeded_below = 0.5", "unneeded_below = 5.0", "cluster.autoscaler.unneeded_below", "0 to 1"),
        (POOL, "unneeded_s = 600.0", "unneeded_s = -1.0", "cluster.autoscaler.unneeded_s", "-1"),
        (POOL, "unneeded_s = 600.0", "delay_after_add_s = -1.0", "cluster.autoscaler.delay_after_add_s", "-1"),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.scheduler]\nlatency_s = -1.0\n[cluster.autoscaler]",
            "cluster.scheduler.latency_s",
            "-1",
        ),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.quota]\ncpu_milli = 1000\n[cluster.autoscaler]",
            "cluster.quota.cpu_milli",
            "at least 2000",
        ),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.quota]\nmemory_mib = 1000\n[cluster.autoscaler]",
            "cluster.quota.memory_mib",
            "at least 1024",
        ),
        (
            POOL,
            "[cluster.autoscaler]",
            "[cluster.quota]\npods = 0\n[cluster.autoscaler]",
            "cluster.quota.pods",
            "at least 1",
        ),
        ("node-loss", "toleration_s = 300.0", "toleration_s = -1.0", "cluster.lifecycle.toleration_s", "-1"),
        ("node-loss", "grace_s = 50.0", "grace_s = -1.0", "cluster.lifecycle.grace_s", "-1"),
        ("node-loss", "grace_s = 50.0", "eviction_per_s = -1.0", "cluster.lifecycle.eviction_per_s", "-1"),
        (
            "node-loss",
            "grace_s = 50.0",
            "secondary_eviction_per_s = -1.0",
            "cluster.lifecycle.secondary_eviction_per_s",
            "-1",
        ),
        ("node-loss", "grace_s = 50.0", "unhealthy_share = 2.0", "cluster.lifecycle.unhealthy_share", "0 to 1"),
        (
            NOISY,
            "[cluster.pools.general]\nnodes = 8",
            "[cluster.pools.general]\nnodes = 8\nmax = 9",
            "cluster.pools.general.max",
            "nobody else makes nodes",
        ),
        (NOISY, "slows_neighbours = 0.4", "slows_neighbours = 1.0", "workloads.batch.slows_neighbours", "0 to 0.99"),
        (NOISY, "from_s = 1200.0", "from_s = 9000.0", "workloads.batch.from_s", "before the end"),
        (NOISY, "until_s = 3000.0", "until_s = 1000.0", "workloads.batch.until_s", "above from_s = 1200"),
        (NOISY, "until_s = 3000.0", "trace_from_s = 3.0", "workloads.batch.trace_from_s", "absent without `trace`"),
        (NOISY, "until_s = 3000.0", "trace = \"x\"", "workloads.batch.replicas", "beside `trace`"),
        (NOISY, "replicas = 4\ncpu", "replicas = 0\ncpu", "workloads.batch.replicas", "1 to"),
        (
            NOISY,
            "cpu_request_milli = 2000",
            "cpu_request_milli = 9000",
            "workloads.batch.cpu_request_milli",
            "at most 7910",
        ),
        (NOISY, "cpu_request_milli = 2000", "gpus = 1", "workloads.batch.gpus", "at most 0"),
        (NOISY, "[workloads.batch]", "[workloads.web]", "workloads.web", "a service too"),
        (
            "openb",
            "[workloads.recorded]",
            "[workloads.first]\ntrace = \"openb_pod_lifecycle\"\n[workloads.recorded]",
            "workloads.recorded.trace",
            "taken once",
        ),
        ("openb", "inventory = \"openb_nodes\"", "inventory = \"\"", "cluster.pools.recorded.inventory", "openb_nodes"),
        ("openb", "trace_from_s = 11232000.0", "trace_from_s = -1.0", "workloads.recorded.trace_from_s", "at least 0"),
    ]);
    let alone =
        gallery(NOISY).replace("[cluster.pools.general]", "[workloads.other]").replace("nodes = 8", "replicas = 8");
    let alone = alone.replace("cpu_milli = 7910", "").replace("memory_mib = 28000", "");
    let error = parse(&alone, "s.toml").unwrap_err().to_string();
    assert!(error.contains("`workloads.batch` is given, must be absent, or [cluster]"), "{error}");
    let empty = gallery("metastable-retries").replace("[services.web]", "[cluster]\npools = {}\n[services.web]");
    let error = parse(&empty, "s.toml").unwrap_err().to_string();
    assert!(error.contains("`cluster.pools` is empty"), "{error}");
    let two = gallery("node-pool-bound").replace(
        "[cluster.autoscaler]",
        "[cluster.pools.thin]\nnodes = 1\ncpu_milli = 1000\nmemory_mib = 90000\n[cluster.autoscaler]",
    );
    let error = parse(&two.replace("memory_mib = 28000", "memory_mib = 1000"), "s.toml").unwrap_err().to_string();
    assert!(error.contains("`services.web.pod.cpu_request_milli` is 2000 with 1024 MiB"), "{error}");
}

#[test]
fn faults() {
    const LOSS: &str = "node-loss";
    const SLOW: &str = "metastable-retries";
    all_are_refused(&[
        (LOSS, "at_s = 900.0", "at_s = 9000.0", "faults[0].at_s", "before the end"),
        (LOSS, "at_s = 900.0", "at_s = -1.0", "faults[0].at_s", "0 to"),
        (LOSS, "pool = \"general\"", "pool = \"generla\"", "faults[0].pool", "`general`, the only one"),
        (LOSS, "nodes = 2", "nodes = 7", "faults[0].nodes", "1 to 6"),
        (LOSS, "nodes = 2", "nodes = 0", "faults[0].nodes", "1 to 6"),
        (LOSS, "for_s = 900.0", "for_s = 0.0", "faults[0].for_s", "0.000001"),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33",
            "kind = \"node-loss\"\npool = \"x\"\nnodes = 1",
            "faults[0].pool",
            "no nodes to lose",
        ),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33\nat_s = 600.0\nfor_s = 60.0",
            "kind = \"pod-kill\"\nservice = \"web\"\npods = 0\nat_s = 600.0",
            "faults[0].pods",
            "1 to",
        ),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33\nat_s = 600.0\nfor_s = 60.0",
            "kind = \"pod-kill\"\nservice = \"wbe\"\npods = 1\nat_s = 600.0",
            "faults[0].service",
            "`web`",
        ),
        (
            SLOW,
            "kind = \"slowdown\"\nservice = \"web\"\nspeed = 0.33\nat_s = 600.0\nfor_s = 60.0",
            "kind = \"metrics-outage\"\nat_s = 600.0\nfor_s = -60.0",
            "faults[0].for_s",
            "-60",
        ),
        (SLOW, "speed = 0.33", "speed = 0.0", "faults[0].speed", "nominal"),
        (SLOW, "for_s = 60.0", "for_s = 0.0", "faults[0].for_s", "0.000001"),
        (SLOW, "service = \"web\"\nspeed", "service = \"db\"\nspeed", "faults[0].service", "`web`"),
    ]);
}

#[test]
fn the_fluid_kernel_says_what_it_cannot() {
    for name in ["single-web-service", "flash-crowd", "batch-scale-to-zero", "llm-serving", "shop"] {
        parse(&fluid(name), name).unwrap_or_else(|error| panic!("{error}"));
    }
    for (name, keys) in [
        ("node-pool-bound", &["cluster", "services.web.start.probe_period_s"][..]),
        ("noisy-neighbours", &["cluster", "workloads", "slo.latency_s", "services.web.balancing"]),
        ("rolling-update", &["services.web.rollout.at_s", "services.web.balancing"]),
        ("metastable-retries", &["client.retries", "faults", "services.web.drops_expired"]),
        ("llm-replay", &["traffic[0].source.requests", "slo.latency_s"]),
        ("cold-starts", &["cluster", "services.function.start.start_s", "services.function.concurrency"]),
    ] {
        let error = parse(&fluid(name), "s.toml").unwrap_err().to_string();
        for key in keys {
            let line = error
                .lines()
                .find(|line| line.contains(&format!("`{key}`")))
                .unwrap_or_else(|| panic!("{key}: {error}"));
            assert!(line.contains("write kernel = \"events\""), "{line}");
        }
        assert!(error.starts_with("s.toml has ") && error.contains(" problems:\n"), "all at once: {error}");
    }
    let edits = [
        ("single-web-service", "timeout_s = 5.0", "", None),
        ("single-web-service", "concurrency = 4", "", Some("services.web.concurrency")),
        (
            "single-web-service",
            "concurrency = 4",
            "concurrency = 4\nholds_worker = true",
            Some("services.web.holds_worker"),
        ),
        ("batch-scale-to-zero", "queue_limit = 5000", "", Some("services.jobs.queue_limit")),
        ("shop", "to = \"redis\"", "to = \"redis\", timeout_s = 1.0", Some("services.cart.calls[0].timeout_s")),
        (
            "shop",
            "to = \"redis\"",
            "to = \"redis\", retries = { attempts = 2 }",
            Some("services.cart.calls[0].retries"),
        ),
        (
            "single-web-service",
            "cpu_request_milli = 4000",
            "memory_per_request_mib = 1.0",
            Some("services.web.pod.memory_per_request_mib"),
        ),
        ("single-web-service", "max = 40", "max = 20000", Some("services.web.autoscaling.max")),
        ("single-web-service", "max = 40", "max = 40\ndecision_s = 2.5", Some("services.web.autoscaling.decision_s")),
        ("single-web-service", "[[traffic]]", "[metrics]\njitter = 1.0\n[[traffic]]", Some("metrics.jitter")),
        ("single-web-service", "[[traffic]]", "[metrics]\nscrape_s = 7.5\n[[traffic]]", Some("metrics.scrape_s")),
        ("single-web-service", "[[traffic]]", "[metrics]\nlag_s = 7200.0\n[[traffic]]", Some("metrics.lag_s")),
    ];
    for (name, from, to, key) in edits {
        let result = parse(&fluid(name).replacen(from, to, 1), "s.toml");
        let Some(key) = key else { continue };
        let error = result.expect_err(key).to_string();
        assert!(error.contains(&format!("`{key}`")) && error.contains("kernel = \"events\""), "{key}: {error}");
    }
}

fn fluid(name: &str) -> String {
    gallery(name).replace("kernel = \"events\"", "kernel = \"fluid\"")
}
