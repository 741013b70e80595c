//! Where the regret of each strategy comes from, as a table and as CSV.

use super::{Table, all_scopes, csv_line, numbers, title};
use crate::evaluation::{Evaluation, Scope, Split};
use crate::format::{grouped, with_interval};
use crate::stats::Estimate;

/// A split in hundredths: 5 is about 5 % over the bound.
#[must_use]
pub fn regret_points(split: &Split) -> Split {
    let scaled = |e: &Estimate| {
        let times = |x: f64| 100.0 * x;
        Estimate { value: times(e.value), low: e.low.map(times), high: e.high.map(times), n: e.n }
    };
    Split {
        total: scaled(&split.total),
        starts: scaled(&split.starts),
        lead_time: scaled(&split.lead_time),
        lag: scaled(&split.lag),
        rule: scaled(&split.rule),
    }
}

/// The regret of each strategy and its shares, strategies in their order; `None` where there is nothing to split.
#[must_use]
pub fn regret(scope: &Scope) -> Option<Table> {
    let heads: Vec<&str> = ["strategy", "variant", "regret"].into_iter().chain(Split::LABELS).collect();
    let mut table = Table::new(format!("Certified regret, 100 · ln(J/J*), {}", title(scope)), &heads);
    for strategy in scope.ranked() {
        let Some(split) = scope.splits.get(&strategy.id).map(regret_points) else { continue };
        let show = |estimate: &Estimate| with_interval(Some(estimate), |x| grouped(x, 1));
        let mut row = vec![strategy.id.clone(), strategy.variant.as_str().to_owned(), show(&split.total)];
        row.extend(split.shares().map(show));
        table.rows.push(row);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// One line per scope, strategy and share: `scope,headline,strategy,share,value,low,high,n`, natural logarithms.
#[must_use]
pub fn regret_csv(evaluation: &Evaluation) -> String {
    let mut out = "scope,headline,strategy,share,value,low,high,n\n".to_owned();
    for (kind, scope) in all_scopes(evaluation) {
        for (id, split) in &scope.splits {
            let shares = Split::LABELS.into_iter().zip(split.shares()).chain([("total", &split.total)]);
            for (share, estimate) in shares {
                let mut fields = vec![kind.clone(), scope.headline.to_string(), id.clone(), share.to_owned()];
                fields.extend(numbers(Some(estimate)));
                out += &csv_line(&fields);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evaluation, sample};

    #[test]
    fn every_strategy_has_a_row_and_its_shares_add_up() {
        let result = evaluation::evaluate(&sample::study()).unwrap();
        let table = regret(&result.overall).unwrap();
        assert_eq!(table.rows.len(), result.overall.strategies.len());
        for row in &table.rows {
            let number = |cell: &String| cell.split(' ').next().unwrap().parse::<f64>().unwrap();
            let sum: f64 = row[3..].iter().map(number).sum();
            assert!((sum - number(&row[2])).abs() < 0.25, "rounded to a tenth each: {row:?}");
        }
        assert_eq!(regret_csv(&result).lines().count(), 1 + 5 * table.rows.len() * 2, "overall and its family");
    }

    #[test]
    fn without_yardsticks_there_is_no_table() {
        let mut study = sample::study();
        study.cells.retain(|cell| cell.variant.competes() || cell.strategy == "oracle");
        let result = evaluation::evaluate(&study).unwrap();
        assert!(regret(&result.overall).is_none());
    }
}
