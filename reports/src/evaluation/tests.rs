//! Against hand computations and NumPy.

use super::*;
use crate::model::WindowRow;
use crate::sample;

fn cell(strategy: &str, series: &str, costs: &[f64]) -> CellRow {
    let windows = (0_i64..)
        .zip(costs)
        .map(|(day, j)| WindowRow {
            day_us: day * 86_400_000_000,
            ready_s: j / 2.0,
            bad: 1.0,
            requests: 100.0,
            changes: 4.0,
            j: *j,
            oracle_lower: Some(50.0),
            oracle_upper: Some(51.0),
            ..WindowRow::default()
        })
        .collect();
    let (family, series) = series.split_once('/').unwrap();
    CellRow {
        strategy: strategy.to_owned(),
        variant: Variant::Tuned,
        config: "c0".to_owned(),
        family: family.to_owned(),
        series: series.to_owned(),
        headline: true,
        eval_seed: 1,
        train_seed: None,
        regime: NOMINAL.to_owned(),
        windows,
        guard_share: None,
    }
}

fn study(cells: Vec<CellRow>) -> StudyData {
    StudyData { name: "t".to_owned(), protocol: "P1".to_owned(), cells, ..StudyData::default() }
}

fn costs_from(ratios: &[f64]) -> Vec<f64> {
    ratios.iter().map(|x| 100.0 * libm_exp(*x)).collect()
}

fn libm_exp(x: f64) -> f64 {
    seatrial_core::math::exp(x)
}

/// NumPy 2: `d[rng.integers(0, 7, (2_000_000, 7))].mean(1)` and its 2.5 % and 97.5 % quantiles: [-0.18571, -0.03143] around -0.10571.
#[test]
fn one_series_resamples_days_as_numpy_does() {
    let d = [-0.10, -0.02, -0.30, 0.05, -0.12, -0.07, -0.18];
    let study = study(vec![cell("a", "f/s", &costs_from(&d)), cell("b", "f/s", &[100.0; 7])]);
    let result = evaluate(&study).unwrap();
    let pair = result.overall.pair("a", "b").unwrap();
    let Estimate { value, low: Some(low), high: Some(high), n } = pair.ln_ratio else { panic!("no interval") };
    assert!((value - d.iter().sum::<f64>() / 7.0).abs() < 1e-12);
    assert_eq!((n, pair.windows, pair.cheaper), (7, 7, 6));
    assert!((low + 0.185_714_29).abs() < 0.004 && (high + 0.031_428_57).abs() < 0.004, "[{low}, {high}]");
    let back = result.overall.pair("b", "a").unwrap();
    assert_eq!((back.ln_ratio.value, back.ln_ratio.low, back.ln_ratio.high), (-value, Some(-high), Some(-low)));
    assert_eq!(back.cheaper, 1);
    assert_eq!(result.families[0].pair("a", "b"), result.overall.pair("a", "b"));
}

/// NumPy 2, one million resamples: three times draw one of three series, then its days, then the mean of the means.
#[test]
fn several_series_resample_series_then_days_as_numpy_does() {
    let d: [&[f64]; 3] = [&[-0.1, -0.2, -0.15], &[0.05, 0.1], &[-0.3, -0.25, -0.2, -0.35]];
    let mut cells = Vec::new();
    for (name, ratios) in ["f/x", "f/y", "f/z"].iter().zip(d) {
        cells.push(cell("a", name, &costs_from(ratios)));
        cells.push(cell("b", name, &vec![100.0; ratios.len()]));
    }
    let result = evaluate(&study(cells)).unwrap();
    let estimate = result.overall.pair("a", "b").unwrap().ln_ratio;
    assert_eq!(estimate.n, 3);
    assert!((estimate.value + 0.116_666_666_7).abs() < 1e-9);
    assert!((estimate.low.unwrap() + 0.269_444_44).abs() < 0.006, "{estimate:?}");
    assert!((estimate.high.unwrap() - 0.066_666_67).abs() < 0.006, "{estimate:?}");
}

/// Two series in one family (ratios 2 and 8, so 4) and one in another (ratio 9): G = √(4·9) = 6, not ∛(2·8·9).
#[test]
fn g_is_by_family_first_and_skill_follows() {
    let place = [("f/x", 100.0, 75.0), ("f/y", 400.0, 100.0), ("g/z", 450.0, 100.0)];
    let cells = place
        .iter()
        .flat_map(|(at, j, tuned)| [cell("a", at, &[*j, *j]), cell("hpa-tuned", at, &[*tuned, *tuned])])
        .collect();
    let result = evaluate(&study(cells)).unwrap();
    let a = result.overall.strategy("a").unwrap();
    assert!((a.value(Metric::CostOverOracle).unwrap() - 6.0).abs() < 1e-12);
    let g_tuned = (((1.5_f64 * 2.0).sqrt()) * 2.0).sqrt();
    assert!((a.value(Metric::Skill).unwrap() - (g_tuned - 6.0) / (g_tuned - 1.0)).abs() < 1e-12);
    assert_eq!(result.overall.strategy("hpa-tuned").unwrap().value(Metric::Skill), Some(0.0));
    assert!((a.value(Metric::Cost).unwrap() - 950.0 / 3.0).abs() < 1e-9);
    assert!((a.value(Metric::BadFraction).unwrap() - 0.01).abs() < 1e-12);
    assert_eq!(a.value(Metric::Changes), Some(4.0));
    assert_eq!(a.get(Metric::GuardShare), None);
    assert_eq!(result.overall.size, [2, 3, 6]);
    assert_eq!(result.overall.oracle, Some(OracleBounds { lower: 50.0, upper: Some(51.0), world: BoundedWorld::Own }));
    let ranked: Vec<&str> = result.overall.ranked().iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ranked, ["hpa-tuned", "a"]);
}

#[test]
fn one_window_gives_values_without_intervals() {
    let result = evaluate(&study(vec![cell("a", "f/s", &[90.0]), cell("b", "f/s", &[100.0])])).unwrap();
    let estimate = result.overall.pair("a", "b").unwrap().ln_ratio;
    assert_eq!((estimate.low, estimate.high, estimate.n), (None, None, 1));
    assert!(result.notes.iter().any(|note| note.contains("One window only")));
}

#[test]
fn strategies_on_different_windows_are_paired_on_the_common_ones() {
    let cells = vec![cell("a", "f/s", &[90.0, 90.0, 500.0]), cell("b", "f/s", &[100.0, 100.0])];
    let result = evaluate(&study(cells)).unwrap();
    let pair = result.overall.pair("b", "a").unwrap();
    assert_eq!((pair.windows, pair.cheaper), (2, 0));
    assert!((pair.ln_ratio.value - (100.0_f64 / 90.0).ln()).abs() < 1e-12);
    assert!(result.notes.iter().any(|note| note.contains("b was run on 2 of 3 windows")));
    let apart = vec![cell("a", "f/s", &[90.0]), cell("b", "g/s", &[100.0])];
    assert!(evaluate(&study(apart)).unwrap().overall.pair("a", "b").is_none());
}

/// A strategy whose training seeds differ by e^±0.5 is no better than one without seeds when the mean is the same,
/// and its interval must be much wider than that of the days alone.
#[test]
fn training_seeds_widen_the_interval() {
    let seeded = |seed: u64, shift: f64| {
        let mut cell = cell("a", "f/s", &[90.0 * libm_exp(shift); 7]);
        cell.train_seed = Some(seed);
        cell
    };
    let cells = vec![seeded(0, 0.5), seeded(1, -0.5), seeded(2, 0.0), cell("b", "f/s", &[100.0; 7])];
    let estimate = evaluate(&study(cells)).unwrap().overall.pair("a", "b").unwrap().ln_ratio;
    assert!((estimate.value - 0.9_f64.ln()).abs() < 1e-12);
    // Three draws of {-0.5, 0, 0.5}: the mean is ±0.5 with probability 1/27 each, beyond the 2.5 % tails.
    assert!((estimate.low.unwrap() - (0.9_f64.ln() - 0.5)).abs() < 1e-9, "{estimate:?}");
    assert!((estimate.high.unwrap() - (0.9_f64.ln() + 0.5)).abs() < 1e-9, "{estimate:?}");
}

#[test]
fn the_headline_is_made_of_headline_traces() {
    let mut coarse = cell("a", "coarse/s", &[1.0e6; 3]);
    coarse.headline = false;
    let fine = cell("a", "fine/s", &[100.0; 3]);
    let result = evaluate(&study(vec![coarse.clone(), fine])).unwrap();
    assert!((result.overall.strategy("a").unwrap().value(Metric::Cost).unwrap() - 100.0).abs() < 1e-9);
    assert_eq!(result.families.len(), 2);
    assert!(!result.families[0].headline && result.families[1].headline);
    let none = evaluate(&study(vec![coarse])).unwrap();
    assert!(none.notes.iter().any(|note| note.contains("not a headline")));
}

#[test]
fn regimes_stand_apart() {
    let mut hard = cell("a", "f/s", &[300.0; 3]);
    hard.regime = "startup-x3".to_owned();
    let result = evaluate(&study(vec![cell("a", "f/s", &[100.0; 3]), hard.clone()])).unwrap();
    assert!((result.overall.strategy("a").unwrap().value(Metric::Cost).unwrap() - 100.0).abs() < 1e-9);
    assert!((result.regimes[0].strategy("a").unwrap().value(Metric::Cost).unwrap() - 300.0).abs() < 1e-9);
    assert!(matches!(evaluate(&study(vec![hard])), Err(ReportError::NoCells { .. })));
}

#[test]
fn missing_oracle_costs_the_ratio_not_the_report() {
    let mut study = sample::study();
    study.cells.iter_mut().flat_map(|cell| &mut cell.windows).for_each(|window| window.oracle_lower = None);
    let result = evaluate(&study).unwrap();
    let first = &result.overall.strategies[0];
    assert!(first.get(Metric::Cost).is_some() && first.get(Metric::CostOverOracle).is_none());
    assert!(result.overall.oracle.is_none());
}
