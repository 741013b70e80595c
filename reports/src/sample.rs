//! A plausible study for tests: the strategies of §6 on seven days, with learning curves, timelines and forecasts.

use seatrial_core::rand::{Stream, standard_normal, uniform};

use crate::model::{
    CellRow, Fact, ForecastRow, ForecastTrack, LearnerKind, LearningRow, NOMINAL, Opening, StudyData, Timeline,
    TimelineRow, TrialRow, Variant, WindowRow,
};

const DAY_US: i64 = 86_400_000_000;
/// 21 June 1998, 00:00 UTC.
const START_US: i64 = 898_387_200_000_000;

/// Id, variant, level of J/J*, bad fraction, guard share, training seeds.
type Row = (&'static str, Variant, f64, f64, Option<f64>, u64);

const ROWS: [Row; 21] = [
    ("hpa-default", Variant::Default, 1.205, 0.0004, None, 0),
    ("hpa-tuned", Variant::Tuned, 1.174, 0.0021, None, 0),
    ("hpa-global", Variant::Global, 1.331, 0.0011, None, 0),
    ("newsvendor-tuned", Variant::Tuned, 1.13, 0.0016, Some(0.01), 0),
    ("forecast-max", Variant::Default, 1.19, 0.0026, Some(0.02), 0),
    ("headroom", Variant::Default, 1.227, 0.0019, Some(0.03), 0),
    ("static", Variant::Default, 2.4, 0.0001, None, 0),
    ("lstm-dqn", Variant::Learned, 1.128, 0.0014, Some(0.06), 3),
    ("lstm-dqn-untrained", Variant::Attribution, 1.9, 0.0003, Some(0.3), 3),
    ("lstm-dqn-random", Variant::Attribution, 1.52, 0.0031, Some(0.35), 3),
    ("lstm-dqn-persistence", Variant::Attribution, 1.162, 0.0018, Some(0.09), 3),
    ("headroom-constant", Variant::Attribution, 1.155, 0.0017, Some(0.05), 0),
    ("lstm-dqn-no-floor", Variant::Attribution, 1.15, 0.0022, None, 3),
    ("oracle", Variant::Oracle, 1.001, 0.0009, None, 0),
    ("foresight-0s", Variant::Yardstick, 1.11, 0.0011, None, 0),
    ("foresight-15s", Variant::Yardstick, 1.09, 0.0011, None, 0),
    ("foresight-60s", Variant::Yardstick, 1.05, 0.001, None, 0),
    ("foresight-90s", Variant::Yardstick, 1.02, 0.001, None, 0),
    ("foresight-300s", Variant::Yardstick, 1.01, 0.001, None, 0),
    ("present-rate", Variant::Yardstick, 1.1, 0.0012, None, 0),
    ("present-rate-lagged", Variant::Yardstick, 1.12, 0.0012, None, 0),
];

fn window(row: &Row, row_index: u64, day: u32, seed: u64) -> WindowRow {
    let shared = 1.0 + 0.2 * standard_normal(11, Stream::Search, 0, day);
    let lower = 1_450_000.0 * shared.max(0.5);
    let own = 1.0 + 0.02 * standard_normal(11, Stream::Search, row_index + 1, day * 16 + seed as u32);
    let j = lower * (1.0 + (row.2 - 1.0) * own * (1.0 + 0.3 * uniform(11, Stream::Search, 99 + row_index, day)));
    let requests = 45_000_000.0 * shared.max(0.5);
    let changes = 300.0 + 40.0 * (row_index as f64);
    let bad = requests * row.3;
    let pods = (j - bad - 5.0 * changes).max(1.0);
    WindowRow {
        day_us: START_US + i64::from(day) * DAY_US,
        ready_s: pods * 0.99,
        starting_s: pods * 0.009,
        terminating_s: pods * 0.001,
        bad,
        requests,
        changes,
        left_over: 0.0,
        j,
        oracle_lower: Some(lower),
        oracle_upper: Some(lower * 1.0008),
    }
}

fn cells() -> Vec<CellRow> {
    let mut cells = Vec::new();
    for (row_index, row) in (0..).zip(&ROWS) {
        let seeds: Vec<Option<u64>> = if row.5 == 0 { vec![None] } else { (0..row.5).map(Some).collect() };
        for (train_seed, eval_seed) in seeds.into_iter().flat_map(|seed| [(seed, 1), (seed, 2)]) {
            cells.push(CellRow {
                strategy: row.0.to_owned(),
                variant: row.1,
                config: format!("{row_index:016x}"),
                family: "worldcup98".to_owned(),
                series: "all".to_owned(),
                headline: true,
                eval_seed,
                train_seed,
                regime: NOMINAL.to_owned(),
                windows: (0..7)
                    .map(|day| window(row, row_index, day, train_seed.unwrap_or(0) * 2 + eval_seed))
                    .collect(),
                guard_share: row.4,
            });
        }
    }
    cells
}

fn learning() -> Vec<LearningRow> {
    let mut rows = Vec::new();
    let curves = [
        (LearnerKind::Forecaster, "validation weighted quantile loss", 0.09, 0.03, 40, 50),
        (LearnerKind::Agent, "validation J / J* (lower)", 1.9, 1.14, 60, 500),
        (LearnerKind::Agent, "guard share", 0.34, 0.06, 60, 500),
    ];
    for (curve, (kind, metric, from, to, points, stride)) in (0..).zip(curves) {
        for (member, point) in (0..10_u64).flat_map(|member| (0..points).map(move |point| (member, point))) {
            let pace = 0.9_f64.powi(point) * (1.0 + 0.4 * standard_normal(5, Stream::Search, member, curve));
            let noise = 0.03 * standard_normal(5, Stream::Search, 100 + member, curve * 1_000 + point as u32);
            let value = to + (from - to) * (pace + noise).max(-0.2);
            rows.push(LearningRow {
                member,
                kind,
                step: stride * (point as u64 + 1),
                metric: metric.to_owned(),
                value,
            });
        }
    }
    rows
}

fn demand(minute: u32) -> f64 {
    let day = f64::from(minute) / 1_440.0;
    let wave = 1.0 - (core::f64::consts::TAU * (day - 0.1)).cos();
    let flash = if (3_900..3_960).contains(&minute) { 900.0 } else { 0.0 };
    let noise = 25.0 * standard_normal(7, Stream::TraceNoise, 0, minute);
    (150.0 + 450.0 * wave + 60.0 * (day * 40.0).sin() + flash + noise).max(5.0)
}

fn timeline(strategy: &str, lag_min: u32, headroom: f64) -> Timeline {
    let rows = (0..7 * 1_440_u32)
        .map(|minute| {
            let rate = demand(minute);
            let recent = (0..5).map(|k| demand((minute.saturating_sub(lag_min + k)).max(1))).fold(0.0, f64::max);
            let ready = (recent * headroom / 50.0).ceil().max(1.0);
            let load = rate / (ready * 50.0);
            TimelineRow {
                t_us: START_US + i64::from(minute) * 60_000_000,
                demand_rate: rate,
                capacity_rate: ready * 50.0,
                ready,
                desired: ready + f64::from(u32::from(minute % 60 == 0)),
                starting: 0.0,
                p95_wait_s: if load >= 1.0 {
                    (4.0 * (load - 0.9)).min(5.0)
                } else {
                    0.02 * load.powi(12) / (1.02 - load)
                },
                bad_rate: if load >= 1.0 { rate } else { rate * load.powi(40) },
            }
        })
        .collect();
    Timeline { strategy: strategy.to_owned(), series: "all".to_owned(), rows }
}

fn forecast(name: &str, spread: f64) -> ForecastTrack {
    let z = [-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645, 2.326];
    let rows = (0..7 * 1_440_u32)
        .map(|minute| {
            let (past, truth) = (demand(minute.saturating_sub(2)), demand(minute));
            let row = z.map(|z| past * (1.0 + 0.02 + spread * z).max(0.0));
            ForecastRow { t_us: START_US + i64::from(minute) * 60_000_000, truth, quantiles: row }
        })
        .collect();
    ForecastTrack { forecaster: name.to_owned(), series: "all".to_owned(), rows }
}

/// The study.
pub(crate) fn study() -> StudyData {
    let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
    let trial = |trial: u64, target: f64, cost: f64| TrialRow {
        strategy: "hpa-tuned".to_owned(),
        series: "worldcup98/all".to_owned(),
        trial,
        config: serde_json::json!({ "target_utilisation": target, "hold_s": 300 }),
        validation_cost: cost,
    };
    StudyData {
        name: "worldcup".to_owned(),
        protocol: "P1".to_owned(),
        question: "Does a learned headroom beat tuned rules on a trace it never saw?".to_owned(),
        cells: cells(),
        learning: learning(),
        timelines: vec![
            timeline("lstm-dqn", 1, 1.15),
            timeline("newsvendor-tuned", 1, 1.12),
            timeline("hpa-tuned", 2, 1.2),
            timeline("hpa-default", 2, 1.3),
        ],
        forecasts: vec![forecast("lstm", 0.05), forecast("linear-quantile", 0.06), forecast("persistence", 0.02)],
        trials: (0..500)
            .map(|i| trial(i, 0.5 + 0.0008 * i as f64, 1.7e6 + 900.0 * ((i as f64) - 300.0).abs()))
            .collect(),
        openings: vec![Opening { by: "run".to_owned(), purpose: "final evaluation of all strategies".to_owned() }],
        provenance: vec![fact("revision", "a85ab61"), fact("trace worldcup98_requests_1min", "blake3 0f3c…")],
        notes: vec!["Synthetic data of a test: no result.".to_owned()],
        failures: vec![],
        ..StudyData::default()
    }
}

/// The study, but `lstm-dqn` loses to `headroom-constant`, draws with `forecast-max`, and its guard is busy.
pub(crate) fn of_every_kind() -> StudyData {
    let mut study = study();
    let learned: Vec<f64> = study
        .cells
        .iter()
        .find(|cell| cell.strategy == "lstm-dqn")
        .map_or(vec![], |cell| cell.windows.iter().map(|window| window.j).collect());
    for cell in &mut study.cells {
        for (day, (window, learned)) in cell.windows.iter_mut().zip(&learned).enumerate() {
            match cell.strategy.as_str() {
                "headroom-constant" => window.j = 0.9 * learned,
                "forecast-max" => window.j = learned * if day % 2 == 0 { 1.05 } else { 0.95 },
                _ => {}
            }
        }
        if cell.strategy == "lstm-dqn" {
            cell.guard_share = Some(0.31);
        }
    }
    study
}
