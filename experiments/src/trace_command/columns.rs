//! A series as at most so many columns of bins: least, median and greatest of each, so that a picture loses no peak and a gap
//! stays a gap. Missing bins count in none of the three; a column of missing bins alone has no values.

use std::ops::Range;

use seatrial_core::math::quantile_of_sorted;
use seatrial_datasets::Series;
use seatrial_reports::figures::{TraceColumn, TraceLevel};

/// The columns of `series`, at most `most`: one per bin if that is enough, else as equal in length as whole bins allow.
pub(super) fn columns(series: &Series, most: usize) -> Vec<TraceColumn> {
    let bins = series.values.len();
    let columns = bins.min(most.max(1));
    let edge = |column: usize| column * bins / columns.max(1);
    (0..columns).map(|column| of(series, edge(column)..edge(column + 1))).collect()
}

fn of(series: &Series, bins: Range<usize>) -> TraceColumn {
    let mut known: Vec<f64> = bins.clone().filter(|bin| !series.missing[*bin]).map(|bin| series.values[bin]).collect();
    known.sort_by(f64::total_cmp);
    let level = |median| TraceLevel { least: known[0], median, greatest: known[known.len() - 1] };
    TraceColumn {
        start_us: series.at(bins.start).micros(),
        end_us: series.at(bins.end).micros(),
        bins: bins.len(),
        missing: bins.len() - known.len(),
        level: quantile_of_sorted(&known, 0.5).map(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::time::{Span, Timestamp};

    fn series(values: Vec<f64>) -> Series {
        let missing = vec![false; values.len()];
        Series { name: String::new(), start: Timestamp::ZERO, interval: Span::from_secs(60), values, missing }
    }

    #[test]
    fn every_bin_is_in_one_column_and_no_peak_is_lost() {
        let mut long = series(vec![1.0; 40_321]);
        long.values[33_333] = 9.0;
        let columns = columns(&long, 800);
        assert_eq!(columns.len(), 800);
        assert!(columns.windows(2).all(|pair| pair[0].end_us == pair[1].start_us));
        assert_eq!((columns[0].start_us, columns[799].end_us), (0, 40_321 * 60_000_000));
        assert!(columns.iter().all(|column| (50..=51).contains(&column.bins)));
        let with_peak: Vec<TraceLevel> = columns.iter().filter_map(|c| c.level).filter(|l| l.greatest > 1.0).collect();
        assert_eq!(with_peak, [TraceLevel { least: 1.0, median: 1.0, greatest: 9.0 }]);
    }

    #[test]
    fn a_short_series_keeps_its_bins() {
        let columns = columns(&series(vec![3.0, 1.0, 2.0]), 800);
        let medians: Vec<f64> = columns.iter().map(|column| column.level.unwrap().median).collect();
        assert_eq!(medians, [3.0, 1.0, 2.0]);
    }

    #[test]
    fn missing_bins_pull_nothing() {
        let mut gappy = series(vec![8.0, 0.0, 6.0, 0.0, 0.0, 5.0]);
        gappy.missing = vec![false, true, false, true, true, false];
        let columns = columns(&gappy, 3);
        assert_eq!(columns[0].level, Some(TraceLevel { least: 8.0, median: 8.0, greatest: 8.0 }));
        assert_eq!((columns[1].missing, columns[1].level.unwrap().least), (1, 6.0));
        let wide = super::columns(&gappy, 6);
        assert_eq!(
            wide.iter().map(|column| column.level.is_some()).collect::<Vec<_>>(),
            [true, false, true, false, false, true]
        );
        assert_eq!(wide[3].missing, 1);
    }
}
