//! Things in a row that must keep their distance: moved as little as possible from where each would be.

/// Positions nearest (in squares) to `wished`, in that order, each at least its `gaps` apart from the one before it:
/// pool-adjacent-violators on the wishes less the sums of gaps (Barlow et al., "Statistical inference under order restrictions",
/// 1972). `gaps[i]` is the least distance of `i` and `i + 1`.
pub(crate) fn spread(wished: &[f64], gaps: &[f64]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(wished.len());
    let mut sum = 0.0;
    for i in 0..wished.len() {
        offsets.push(sum);
        sum += gaps.get(i).copied().unwrap_or(0.0);
    }
    // Blocks of equal value: mean and size.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wished.iter().zip(&offsets) {
        blocks.push((wish - offset, 1));
        while let [.., (before, m), (last, n)] = blocks[..] {
            if before <= last {
                break;
            }
            let (a, b) = (crate::stats::count(m), crate::stats::count(n));
            blocks.truncate(blocks.len() - 2);
            blocks.push(((before * a + last * b) / (a + b), m + n));
        }
    }
    let values = blocks.into_iter().flat_map(|(value, size)| std::iter::repeat_n(value, size));
    values.zip(offsets).map(|(value, offset)| value + offset).collect()
}

/// The same between `low` and `high`, as far as there is room.
pub(crate) fn spread_within(wished: &[f64], gap: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let n = crate::stats::count(wished.len().saturating_sub(1));
    let gap = if n > 0.0 { gap.min((high - low) / n) } else { gap };
    let mut places = spread(wished, &vec![gap; wished.len().saturating_sub(1)]);
    for (i, place) in places.iter_mut().enumerate() {
        let before = crate::stats::count(i) * gap;
        *place = place.clamp(low + before, high - (n * gap - before));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked by hand: two that collide share the move, one far off stays.
    #[test]
    fn things_move_no_further_than_they_must() {
        assert_eq!(spread(&[10.0, 12.0, 40.0], &[10.0, 10.0]), [6.0, 16.0, 40.0]);
        assert_eq!(spread(&[10.0, 10.0, 10.0], &[6.0, 6.0]), [4.0, 10.0, 16.0]);
        assert_eq!(spread(&[], &[]), Vec::<f64>::new());
        assert_eq!(spread_within(&[0.0, 1.0, 90.0], 15.0, (0.0, 100.0)), [0.0, 15.0, 90.0]);
        assert_eq!(spread_within(&[99.0, 100.0], 15.0, (0.0, 100.0)), [85.0, 100.0]);
        assert_eq!(spread_within(&[5.0, 5.0, 5.0], 15.0, (0.0, 20.0)), [0.0, 10.0, 20.0]);
    }
}
