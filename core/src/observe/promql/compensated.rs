//! Neumaier's compensated sum, as Prometheus sums: long ranges of large counters keep their small differences.

/// A sum and what rounding has taken from it.
#[derive(Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) rounded: f64,
    pub(super) lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, value: f64) {
        let total = self.rounded + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.rounded.abs() >= value.abs() {
            self.lost += (self.rounded - total) + value;
        } else {
            self.lost += (value - total) + self.rounded;
        }
        self.rounded = total;
    }

    pub(super) fn total(self) -> f64 {
        self.rounded + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_beside_large_ones_survive() {
        let mut sum = Sum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert!((sum.total() - 2.0).abs() < 1e-12, "{}", sum.total());
    }

    #[test]
    fn infinity_is_kept_instead_of_turning_into_nan() {
        let mut sum = Sum::default();
        for value in [1.0, f64::INFINITY, 1.0] {
            sum.add(value);
        }
        assert_eq!(sum.rounded, f64::INFINITY);
    }
}
