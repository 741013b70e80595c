//! What no decisions can go below, and what those reach that know the load.

use super::command::{err, seatrial, short};

fn summary(folder: &std::path::Path) -> serde_json::Value {
    serde_json::from_slice(&super::command::bytes(folder, "summary.json")).unwrap()
}

#[test]
fn the_bound_stands_beside_j() {
    let folder = tempfile::tempdir().unwrap();
    for kernel in ["events", "fluid"] {
        short(folder.path(), kernel);
        let output = seatrial(&["run", "short.toml", "--out", kernel, "--oracle"], folder.path());
        assert!(output.status.success(), "{}", err(&output));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains("\nbound        J ") && told.contains("\noracle       J "), "{told}");
        assert_eq!(told.contains("to be expected"), kernel == "events", "a bound on events is one in the mean: {told}");
        let run = folder.path().join(kernel);
        let summary = summary(&run);
        let of = |key: &str| summary["bound"][key].as_f64().unwrap();
        assert!(of("lower") <= 1.02 * of("oracle") && of("oracle") <= summary["total"]["j"].as_f64().unwrap());
        assert!(summary["bound"]["most_pods"].is_null() && summary["bound"]["reason"].is_null(), "{summary}");
        let again = seatrial(&["run", "short.toml", "--out", kernel], folder.path());
        assert!(err(&again).contains("holds what --oracle found, which this run would not"), "{}", err(&again));
        let page = std::fs::read_to_string(run.join("report/index.html")).unwrap();
        let said = if kernel == "events" { "can be expected to lead to a J below" } else { "can lead to a J below" };
        assert!(page.contains(said) && page.contains("Of 6 schedules that knew the load, the cheapest"), "{kernel}");
    }
}

#[test]
fn a_pool_that_binds_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        super::gallery("node-pool-bound").replace("[600.0, 90.0], [2400.0, 420.0]", "[10.0, 90.0], [60.0, 700.0]");
    std::fs::write(folder.path().join("pool.toml"), text.replace("duration_s = 7200", "duration_s = 900")).unwrap();
    let output = seatrial(&["run", "pool.toml", "--out", "pool"], folder.path());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains(" if every pod found room: nodes and quota hold 18"), "{told}");
    let bound = &summary(&folder.path().join("pool"))["bound"];
    assert!(bound["lower"].as_f64().unwrap() > 1.1 * bound["lower_with_room"].as_f64().unwrap(), "{bound}");
    assert_eq!((&bound["most_pods"], &bound["oracle"], &bound["schedules"]), (&18.into(), &().into(), &0.into()));
}

#[test]
fn without_a_bound_the_reason_is_told() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    let file = folder.path().join("short.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("wait_s = 0.12", "wait_s = 3.0")).unwrap();
    let output = seatrial(&["run", "short.toml", "--out", "run"], folder.path());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("\nbound        none: a good request may wait 3 s, "), "{told}");
    assert!(summary(&folder.path().join("run"))["bound"]["reason"].as_str().unwrap().starts_with("a good request"));
    let refused = seatrial(&["run", "short.toml", "--out", "run", "--oracle"], folder.path());
    assert_eq!(refused.status.code(), Some(2));
    let said = err(&refused);
    assert!(
        said.contains("has no bound: a good request may wait 3 s") && said.contains("run it without --oracle"),
        "{said}"
    );
}

/// Where nothing is decided nobody asks for a bound.
#[test]
fn where_nothing_is_decided_there_is_no_line() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    let file = folder.path().join("short.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once("[services.web.autoscaling]").unwrap();
    let (_, tail) = rest.split_once("\n[services.web.pod]").unwrap();
    std::fs::write(&file, format!("{head}[services.web.pod]{tail}")).unwrap();
    let output = seatrial(&["run", "short.toml", "--out", "run"], folder.path());
    assert!(output.status.success(), "{}", err(&output));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("bound"));
    assert!(summary(&folder.path().join("run"))["bound"]["reason"].as_str().unwrap().starts_with("nothing is decided"));
}

/// Without load and without a least number of pods nothing need be paid, and nothing is a multiple of that.
#[test]
fn where_nothing_need_be_paid_nothing_is_a_multiple_of_it() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    let file = folder.path().join("short.toml");
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("min = 1", "min = 0")
        .replace("cores = 4.0", "cores = 4.0\nqueue_limit = 1000");
    let text = text.replace("mean_per_s = 60.0, amplitude_per_s = 20.0", "mean_per_s = 0.0, amplitude_per_s = 0.0");
    std::fs::write(&file, format!("warm_up_s = 10\n{text}")).unwrap();
    let output = seatrial(&["run", "short.toml", "--out", "run"], folder.path());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("bound        J 0 at least to be expected, whoever decides\n"), "{told}{}", err(&output));
}
