//! `seatrial tune` as a user runs it: what it says, what it writes, what it refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Monday, 5 January 2026, 00:00 UTC.
const MONDAY_S: i64 = 1_767_571_200;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn tune(&self, manifest: &Path, trace: &Path, more: &[&str]) -> Output {
        self.tune_into(&self.out(), manifest, trace, more)
    }

    /// What it printed, on standard output and on standard error.
    fn told(&self, manifest: &Path, trace: &Path, more: &[&str]) -> (String, String) {
        let output = self.tune(manifest, trace, more);
        let (out, err) = texts(&output);
        assert!(output.status.success(), "{err}");
        (out, err)
    }

    fn refused(&self, manifest: &Path, trace: &Path, more: &[&str]) -> (i32, String) {
        let output = self.tune(manifest, trace, more);
        let (_, err) = texts(&output);
        assert!(!self.out().exists(), "something was written: {err}");
        assert_eq!(err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{err}");
        (output.status.code().unwrap(), err)
    }

    /// With another folder for the files.
    fn tune_into(&self, out: &Path, manifest: &Path, trace: &Path, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
        command.env_remove("SEATRIAL_TRACES").arg("tune").arg("--manifest").arg(manifest).arg("--trace").arg(trace);
        command.arg("--out").arg(out).args(more).output().unwrap()
    }

    fn summary(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.out().join("summary.json")).unwrap()).unwrap()
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Few settings: version 1 has a target alone.
fn v1(name: &str, min: u32, target: u32) -> String {
    format!(
        "# {name}\napiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: {name}\nspec:\n  \
         scaleTargetRef: {{name: {name}}}\n  minReplicas: {min}\n  maxReplicas: 40\n  \
         targetCPUUtilizationPercentage: {target}  # by feel\n"
    )
}

/// Requests per second, one row a minute.
fn csv(minutes: i64, rate: impl Fn(i64) -> f64) -> String {
    let rows = (0..minutes).map(|minute| format!("{},{:.3}\n", MONDAY_S + 60 * minute, rate(minute)));
    "time,requests_per_s\n".to_owned() + &rows.collect::<String>()
}

fn wave(minute: i64) -> f64 {
    let angle = f64::from(i32::try_from(minute).unwrap()) / 1_440.0 * std::f64::consts::TAU;
    250.0 - 200.0 * libm::cos(angle)
}

/// By hand: 100 requests/s on pods of 50. At 25 % that is 100 / 12.5 = 8 pods, 192 replica-hours a day. Three pods have 12
/// workers for 8 erlangs: P(wait > 120 ms) is Erlang C (0.14) × exp(−4 / 0.08 × 0.12), 0.035 %, so a fourth pod (86,400
/// pod-seconds a day) would save 3,000 bad requests: three it is, 72 hours, whether they cost 0.3, 1 or 3.
#[test]
fn a_steady_load_gets_the_pods_that_a_hand_computes_and_the_result_stays_so() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 25));
    let trace = folder.file("load.csv", &csv(6 * 1_440, |_| 100.0));
    let more = ["--requests-per-pod", "50", "--pod-start", "45s"];
    let (out, err) = folder.told(&manifest, &trace, &more);
    assert!(out.starts_with("web: 62.") && out.lines().next().unwrap().contains("fewer replica-hours"), "{out}");
    assert!(out.lines().count() <= 24 && out.lines().all(|line| line.chars().count() <= 110), "{out}");
    assert!(err.contains("autoscaling/v1 has no `behavior`"), "{err}");
    let summary = folder.summary();
    let scored = &summary["autoscalers"][0];
    let hours = |of: &str| scored[of]["replica_hours_per_day"].as_f64().unwrap();
    assert!((hours("today") - 192.0).abs() < 4.0, "{}", hours("today"));
    assert!((hours("after") - 72.0).abs() < 1.0, "{}", hours("after"));
    assert!((hours("oracle") - 72.0).abs() < 0.5, "{}", hours("oracle"));
    assert_eq!((scored["verdict"].as_str(), scored["days"].as_u64()), (Some("win"), Some(3)));

    let text = std::fs::read_to_string(folder.out().join("hpa.yaml")).unwrap();
    let original = v1("web", 1, 25);
    let changed: Vec<(&str, &str)> = text.lines().zip(original.lines()).filter(|(a, b)| a != b).collect();
    assert_eq!(changed.len(), 1, "{text}");
    assert!(changed[0].0.ends_with("  # by feel"), "{text}");
    let page = std::fs::read_to_string(folder.out().join("index.html")).unwrap();
    assert!(page.contains("hpa.yaml:10") && page.contains("<svg") && !page.contains("<script"), "the page");
    assert!(folder.out().join("figures/web.png").is_file());

    // The same command gives the same bytes with another number of threads, and what it suggests is left as it is.
    let before = std::fs::read(folder.out().join("index.html")).unwrap();
    folder.told(&manifest, &trace, &[&more[..], &["--jobs", "1"]].concat());
    assert_eq!(std::fs::read(folder.out().join("index.html")).unwrap(), before);
    let again = Folder::new();
    let better = again.file("hpa.yaml", &text);
    let (out, _) = again.told(&better, &trace, &more);
    assert!(out.starts_with("web: nothing to win"), "{out}");
    assert!(!again.out().join("hpa.yaml").exists());
}

#[test]
fn another_content_is_not_replaced_without_force() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 25));
    let trace = folder.file("load.csv", &csv(1_500, wave));
    folder.told(&manifest, &trace, &["--requests-per-pod", "50"]);
    let page = std::fs::read(folder.out().join("index.html")).unwrap();
    let output = folder.tune(&manifest, &trace, &["--requests-per-pod", "60"]);
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.contains("is there already and holds something else; choose another --out, or replace it with --force"),
        "{err}"
    );
    assert_eq!(std::fs::read(folder.out().join("index.html")).unwrap(), page, "nothing was touched");
    folder.told(&manifest, &trace, &["--requests-per-pod", "60", "--force"]);
}

#[test]
fn a_floor_that_holds_all_the_time_is_no_matter_of_settings() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 20, 60));
    let trace = folder.file("load.csv", &csv(6 * 1_440, |_| 100.0));
    let (out, _) = folder.told(&manifest, &trace, &["--requests-per-pod", "50", "--pod-start", "45s"]);
    assert!(out.contains("not an HPA problem: minReplicas 20 holds 100 % of the time"), "{out}");
    assert!(out.contains("could do with 72.0 replica-hours instead of 480.0"), "{out}");
    assert!(!folder.out().join("hpa.yaml").exists());
}

#[test]
fn a_ceiling_that_is_too_low_is_no_matter_of_settings() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 70).replace("maxReplicas: 40", "maxReplicas: 4"));
    let trace = folder.file("load.csv", &csv(6 * 1_440, wave));
    let (out, _) = folder.told(&manifest, &trace, &["--requests-per-pod", "50", "--pod-start", "45s"]);
    assert!(out.contains("maxReplicas 4"), "{out}");
    assert!(out.starts_with("web: not an HPA problem: maxReplicas 4 is too low"), "{out}");
    assert!(!folder.out().join("hpa.yaml").exists());
}

#[test]
fn short_coarse_and_holey_traces_say_so() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 60));
    let more = ["--requests-per-pod", "50"];
    let day = folder.file("day.csv", &csv(1_440, wave));
    let (out, err) = folder.told(&manifest, &day, &more);
    assert!(out.starts_with("web: too short for an answer: only today's settings are shown, on 7.2 h"), "{out}");
    assert!(!out.contains("never saw") && out.contains("(7.2 h, scaled to a day)"), "{out}");
    assert!(err.contains("--pod-start is not given: pods are taken to start in 60 s"), "{err}");
    assert!(!folder.out().join("hpa.yaml").exists(), "nothing is suggested");
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 60));
    let ten = folder.file("ten.csv", &csv(10, wave));
    let (code, message) = folder.refused(&manifest, &ten, &more);
    assert!(code == 1 && message.contains("too short: 10 bins over 0.2 h"), "{message}");
    let rows: String = (0..400).map(|hour| format!("{},100\n", MONDAY_S + 3_600 * hour)).collect();
    let hourly = folder.file("hourly.csv", &format!("time,rps\n{rows}"));
    assert!(folder.refused(&manifest, &hourly, &more).1.contains("too coarse: bins of 60 min"));
    let text = csv(3_000, wave);
    let holes: String =
        text.lines().enumerate().filter(|(row, _)| row % 40 < 15).map(|(_, line)| format!("{line}\n")).collect();
    let holes = folder.file("holes.csv", &holes);
    assert!(folder.refused(&manifest, &holes, &more).1.contains("% of its bins have no value"));
    let silent = folder.file("silent.csv", &csv(300, |_| 0.0));
    assert!(folder.refused(&manifest, &silent, &more).1.contains("holds no load at all"));
}

/// Two days of replicas at half of their CPU: with the load beside them, 30 requests/s on 2 pods at 50 % is 30 a pod.
#[test]
fn replicas_and_cpu_stand_for_the_load_and_with_it_show_the_capacity() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 60));
    let rows = |columns: &str, row: &str| {
        let rows: String = (0..1_500).map(|minute| format!("{},{row}\n", MONDAY_S + 60 * minute)).collect();
        format!("timestamp,{columns}\n{rows}")
    };
    let levels = folder.file("levels.csv", &rows("replicas,cpu_percent", "2,50"));
    let (code, message) = folder.refused(&manifest, &levels, &[]);
    assert!(
        code == 2 && message.contains("replicas and CPU but no load; state it with --requests-per-pod"),
        "{message}"
    );
    let all = folder.file("all.csv", &rows("requests_per_s,replicas,cpu_percent", "30,2,50"));
    let (out, err) = folder.told(&manifest, &all, &[]);
    assert!(out.contains("serves 30.0 requests/s"), "{out}");
    assert!(err.contains("one pod at 100 % CPU serves 30.0 requests/s, as the trace shows it"), "{err}");
    let requests = folder.summary()["autoscalers"][0]["after"]["bad_requests_per_day"].as_f64();
    assert!(requests.is_some());
    let (_, err) = folder.told(&manifest, &levels, &["--requests-per-pod", "30", "--force"]);
    assert!(err.contains("replicas × CPU utilisation stand for it"), "{err}");
}

fn answer(names: &[&str]) -> String {
    let points: Vec<String> = (0..1_500).map(|i| format!("[{},\"{:.1}\"]", MONDAY_S + 60 * i, wave(i))).collect();
    let series: Vec<String> = names
        .iter()
        .map(|name| {
            format!("{{\"metric\":{{\"deployment\":\"{name}\",\"job\":\"x\"}},\"values\":[{}]}}", points.join(","))
        })
        .collect();
    format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}", series.join(","))
}

#[test]
fn several_autoscalers_are_matched_by_name_and_one_series_asks_whose_it_is() {
    let folder = Folder::new();
    let text = format!("{}---\n{}---\n{}", v1("web", 1, 30), v1("api", 1, 30), v1("batch", 1, 30));
    let manifest = folder.file("hpas.yaml", &text);
    let one = folder.file("one.json", &answer(&["all"]));
    let more = ["--requests-per-pod", "50", "--pod-start", "45s"];
    let (code, message) = folder.refused(&manifest, &one, &more);
    assert!(
        code == 2 && message.contains("3 autoscalers (web, api, batch)") && message.contains("--scaler NAME"),
        "{message}"
    );
    let (_, message) = folder.refused(&manifest, &one, &[&more[..], &["--scaler", "wep"]].concat());
    assert!(message.contains("no such autoscaler; it has web, api, batch"), "{message}");
    let two = folder.file("two.json", &answer(&["api", "web"]));
    let (_, message) = folder.refused(&manifest, &two, &[&more[..], &["--series", "wep"]].concat());
    assert!(message.contains("no such series; it has api, web"), "{message}");
    let (out, err) = folder.told(&manifest, &two, &more);
    assert!(out.contains("web: ") && out.contains("api: ") && !out.contains("batch: "), "{out}");
    assert!(err.contains("its series are named by the label `deployment`"), "{err}");
    assert!(err.contains("left as they are, for want of a series or because another was asked for: batch"), "{err}");
    let page = std::fs::read_to_string(folder.out().join("index.html")).unwrap();
    assert!(page.contains("2 autoscalers") && page.contains("figures/api.svg"), "the page");
}

#[test]
fn errors_of_a_manifest_name_file_line_column_and_what_is_allowed() {
    let folder = Folder::new();
    let trace = folder.file("load.csv", &csv(300, wave));
    let manifest = folder.file("hpa.yaml", &v1("web", 50, 0));
    let (code, message) = folder.refused(&manifest, &trace, &["--requests-per-pod", "50"]);
    let place = manifest.display();
    assert_eq!(code, 1);
    assert!(
        message.contains(&format!("{place}:10:35: `spec.targetCPUUtilizationPercentage` is 0, must be a whole number")),
        "{message}"
    );
    assert!(
        message.contains(&format!("{place}:8:16: `spec.minReplicas` is 50, must be at most `spec.maxReplicas` (40)")),
        "{message}"
    );
    let chart = folder.file("chart.yaml", "{{- if .Values.hpa }}\nkind: HorizontalPodAutoscaler\n{{- end }}\n");
    assert!(folder.refused(&chart, &trace, &[]).1.contains("helm template"));
    let gone = folder.0.path().join("gone.yaml");
    assert!(folder.refused(&gone, &trace, &[]).1.contains("cannot read"));
    let good = folder.file("good.yaml", &v1("web", 1, 60));
    assert!(folder.refused(&good, &trace, &[]).1.contains("state it with --requests-per-pod N"));
    let columns = folder.file("columns.csv", "when,load\n1,2\n");
    assert!(folder.refused(&good, &columns, &[]).1.contains("no column of times: there are when, load"));
    assert!(folder.refused(&good, &folder.0.path().join("gone.parquet"), &[]).1.contains("gone.parquet"));
    assert!(folder.refused(&good, &trace, &["--requests-per-pod", "0"]).1.contains("is no rate"));
    assert!(folder.refused(&good, &trace, &["--pod-start", "fast"]).1.contains("is no span"));
}

/// Silent from 08:00 to 20:00: who may sleep pays for less, and wakes up late. Half a day of one replica is 12 hours.
#[test]
fn a_scaled_object_that_may_sleep_pays_for_fewer_hours() {
    let object = |least: u32| {
        format!(
            "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: web}}\nspec:\n  scaleTargetRef: {{name: web}}\n  \
             minReplicaCount: {least}\n  maxReplicaCount: 20\n  cooldownPeriod: 300\n  triggers:\n  - type: prometheus\n    metadata: \
             {{query: \"sum(rate(http_requests_total[1m]))\", threshold: \"30\"}}\n"
        )
    };
    let trace = csv(1_500, |minute| if (480..1_200).contains(&(minute % 1_440)) { 0.0 } else { 60.0 });
    let hours = |least: u32| {
        let folder = Folder::new();
        let manifest = folder.file("keda.yaml", &object(least));
        let load = folder.file("load.csv", &trace);
        let (out, _) = folder.told(&manifest, &load, &["--requests-per-pod", "50", "--pod-start", "30s"]);
        assert!(out.starts_with("web: too short"), "{out}");
        let today = &folder.summary()["autoscalers"][0]["today"];
        // The later part is 17:30 to 01:00 on the next day, 7.5 hours, and its figures are those of 24.
        [&today["replica_hours_per_day"], &today["bad_requests_per_day"]]
            .map(|value| 7.5 / 24.0 * value.as_f64().unwrap())
    };
    let ([asleep, late], [awake, on_time]) = (hours(0), hours(1));
    // 2.5 of its hours are silent, and nothing is there at their beginning.
    assert!((awake - asleep - 2.5).abs() < 0.3, "{awake} {asleep}");
    assert!(
        late > on_time + 60.0 * 15.0,
        "a pod that starts in 30 s leaves at least half a minute unserved: {late} {on_time}"
    );
}

/// The steady load of the first test, of which a manifest with 25 % wins 62 % of its hours.
fn steady(folder: &Folder) -> PathBuf {
    folder.file("load.csv", &csv(6 * 1_440, |_| 100.0))
}

const STEADY: [&str; 4] = ["--requests-per-pod", "50", "--pod-start", "45s"];

#[test]
fn the_manifest_itself_is_never_replaced() {
    let folder = Folder::new();
    let text = v1("web", 1, 25);
    let manifest = folder.file("hpa.yaml", &text);
    let trace = steady(&folder);
    let output = folder.tune_into(folder.0.path(), &manifest, &trace, &[&STEADY[..], &["--force"]].concat());
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.contains("hpa.yaml is the manifest itself") && err.contains("choose another folder with --out"),
        "{err}"
    );
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), text);
    assert!(!folder.0.path().join("index.html").exists(), "nothing was written");
}

#[test]
fn a_field_that_an_anchor_shares_is_to_be_set_by_hand_and_so_it_says() {
    let folder = Folder::new();
    let anchored = v1("web", 1, 25).replace("Percentage: 25", "Percentage: &target 25");
    let text = anchored + "x-target-of-the-other: *target\n";
    let manifest = folder.file("hpa.yaml", &text);
    let (out, _) = folder.told(&manifest, &steady(&folder), &STEADY);
    assert!(out.contains("fewer replica-hours"), "{out}");
    let words = "no manifest was written: `spec.targetCPUUtilizationPercentage` is shared by an anchor";
    assert!(out.contains(words) && out.contains("set it by hand"), "{out}");
    let page = std::fs::read_to_string(folder.out().join("index.html")).unwrap();
    assert!(!page.contains("nothing is suggested"), "the page");
    let words = "no manifest was written: <code>spec.targetCPUUtilizationPercentage</code> is shared by an anchor";
    assert!(page.contains(words) && page.contains("set it by hand"), "the page");
    assert!(!folder.out().join("hpa.yaml").exists());
}

#[test]
fn hours_that_a_disabled_direction_cannot_give_back_are_no_win() {
    let folder = Folder::new();
    let text = v1("web", 1, 25).replace("autoscaling/v1", "autoscaling/v2").replace(
        "targetCPUUtilizationPercentage: 25",
        "metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 25}}}]\n  \
             behavior: {scaleDown: {selectPolicy: Disabled}}",
    );
    let manifest = folder.file("hpa.yaml", &text);
    let (out, _) = folder.told(&manifest, &steady(&folder), &STEADY);
    assert!(out.starts_with("web: not an HPA problem: scaleDown is disabled in the manifest\n"), "{out}");
    assert!(!out.contains("−6") && !out.contains(" 72.0 "), "no hours are promised: {out}");
    let note = "scaleDown is disabled in the manifest: replicas that are there today would never be given back";
    assert!(out.contains(note), "{out}");
    assert!(!folder.out().join("hpa.yaml").exists());
    let page = std::fs::read_to_string(folder.out().join("index.html")).unwrap();
    assert!(page.contains(note), "the page");
    assert_eq!(folder.summary()["autoscalers"][0]["verdict"], "not-an-hpa-problem:scale-down-disabled");
}

#[test]
fn saturated_cpu_hides_load_and_a_recording_shows_that_the_model_does_not_fit() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 25));
    let row = |minute: i64| format!("{},10,{}\n", MONDAY_S + 60 * minute, if minute % 3 == 0 { 50 } else { 97 });
    let rows: String = (0..6 * 1_440).map(row).collect();
    let trace = folder.file("levels.csv", &format!("time,replicas,cpu_percent\n{rows}"));
    let (out, _) = folder.told(&manifest, &trace, &STEADY);
    assert!(
        out.starts_with("web: too little is known: CPU was saturated in 67 % of the bins and hid more load"),
        "{out}"
    );
    assert!(out.contains("the recording 240.0: the model does not fit"), "{out}");
    assert!(!folder.out().join("hpa.yaml").exists());
}

#[test]
fn a_load_beyond_all_loads_is_refused_by_its_line() {
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &v1("web", 1, 25));
    let trace = folder.file("load.csv", &csv(300, wave).replace("\n1767571260,", "\n1767571260,1e300,"));
    let (_, message) = folder.refused(&manifest, &trace, &STEADY);
    let words = "line 3, column `requests_per_s`: 1e300 is beyond what a simulation can hold (1e9 requests/s)";
    assert!(message.contains(words), "{message}");
}

/// 100 requests/s; a second metric of 10 requests/s per pod asks for ten pods, whatever the CPU target.
#[test]
fn a_second_metric_that_decides_takes_part_and_one_that_cannot_forbids_an_answer() {
    let object = |kind: &str, target: &str| {
        v1("web", 1, 25).replace("autoscaling/v1", "autoscaling/v2").replace(
            "targetCPUUtilizationPercentage: 25",
            &format!(
                "metrics:\n  - {{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 70}}}}}}\n  \
                 - {{type: {kind}, {}: {{metric: {{name: http_requests}}, target: {target}}}}}",
                kind.to_lowercase()
            ),
        )
    };
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &object("Pods", "{type: AverageValue, averageValue: \"10\"}"));
    let (_, err) = folder.told(&manifest, &steady(&folder), &STEADY);
    assert!(err.contains("http_requests is a further metric; it takes part as it stands"), "{err}");
    let hours = folder.summary()["autoscalers"][0]["today"]["replica_hours_per_day"].as_f64().unwrap();
    // Eleven are within the tolerance of a tenth too; CPU alone would keep three.
    assert!((238.0..=265.0).contains(&hours), "{hours}");
    let folder = Folder::new();
    let manifest = folder.file("hpa.yaml", &object("External", "{type: Value, value: \"100\"}"));
    let (out, _) = folder.told(&manifest, &steady(&folder), &STEADY);
    assert!(out.contains("the other metric http_requests may decide"), "{out}");
    assert!(!folder.out().join("hpa.yaml").exists());
}
