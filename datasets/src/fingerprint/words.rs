//! Signs of first differences, their 64-bit words, and what two aligned stretches have in common.

/// Bits of a word.
const BITS: usize = 64;
/// Fewest changes of sign in a word that tells something.
const LEAST_CHANGES: u32 = 16;
/// A difference below this share of its two values is rounding, not a rise.
const ROUNDING: f64 = 1e-9;
/// How far levels may be from a constant ratio outside the word, as a share.
const LEVEL_TOLERANCE: f64 = 0.02;

/// A series with the sign of each first difference; `None` next to a missing bin.
pub(super) struct Signs {
    values: Vec<f64>,
    rises: Vec<Option<bool>>,
}

/// Two aligned stretches whose signs agree.
pub(super) struct Aligned {
    pub(super) first_a: usize,
    pub(super) first_b: usize,
    pub(super) bins: usize,
    pub(super) correlation: f64,
    pub(super) ratio: f64,
}

impl Signs {
    pub(super) fn new(values: Vec<f64>, missing: &[bool]) -> Self {
        let pairs = values.windows(2).zip(missing.windows(2));
        let rises =
            pairs.map(|(value, missing)| (!missing[0] && !missing[1]).then(|| rises(value[0], value[1]))).collect();
        Self { values, rises }
    }

    /// The first telling word at or after difference `from`: its first difference and its bits.
    pub(super) fn next_word(&self, from: usize) -> Option<(usize, u64)> {
        self.words_from(from).next()
    }

    fn words_from(&self, from: usize) -> impl Iterator<Item = (usize, u64)> {
        let (mut word, mut known) = (0_u64, 0_usize);
        let rises = self.rises.iter().enumerate().skip(from);
        rises.filter_map(move |(index, rise)| {
            known = rise.map_or(0, |_| known + 1);
            word = (word << 1) | u64::from(*rise == Some(true));
            (known >= BITS && tells(word)).then(|| (index + 1 - BITS, word))
        })
    }

    /// The longest stretch around the word at difference `start` of `self` and `other_start` of `other` in which signs agree
    /// and levels keep the ratio they have in the word.
    pub(super) fn run(&self, start: usize, other: &Self, other_start: usize) -> Aligned {
        let word = |signs: &'_ Self, from: usize| signs.values[from..=from + BITS].to_vec();
        let (correlation, ratio) = correlation(&word(self, start), &word(other, other_start));
        let agree = |a: usize, b: usize, level: usize| {
            let signs = (self.rises.get(a), other.rises.get(b));
            let (low, high) = (self.values[a + level] * ratio, other.values[b + level]);
            matches!(signs, (Some(Some(a)), Some(Some(b))) if a == b) && (high - low).abs() <= LEVEL_TOLERANCE * high
        };
        let before = (1..=start.min(other_start)).take_while(|back| agree(start - back, other_start - back, 0)).count();
        let room = (self.rises.len() - start).min(other.rises.len() - other_start);
        let after = (BITS..room).take_while(|step| agree(start + step, other_start + step, 1)).count();
        let (first_a, first_b, bins) = (start - before, other_start - before, before + BITS + after + 1);
        Aligned { first_a, first_b, bins, correlation, ratio }
    }
}

fn rises(before: f64, after: f64) -> bool {
    after - before > ROUNDING * (after.abs() + before.abs())
}

/// Whether a word could hardly arise by chance: it changes often and does not repeat itself.
fn tells(word: u64) -> bool {
    let differs = |period: u32| ((word ^ (word >> period)) & (u64::MAX >> period)).count_ones();
    differs(1) >= LEAST_CHANGES && (2..=32).all(|period| differs(period) > 0)
}

/// Correlation of the first differences through the origin, and the ratio of the levels.
fn correlation(a: &[f64], b: &[f64]) -> (f64, f64) {
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in a.windows(2).zip(b.windows(2)) {
        let (a, b) = (a[1] - a[0], b[1] - b[0]);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    let (sum_a, sum_b): (f64, f64) = (a.iter().sum(), b.iter().sum());
    if aa > 0.0 && bb > 0.0 { (ab / (aa * bb).sqrt(), sum_b / sum_a) } else { (0.0, 0.0) }
}

/// The telling words of a series, to look up.
pub(super) struct Words {
    sorted: Vec<(u64, usize)>,
}

impl Words {
    pub(super) fn new(signs: &Signs) -> Self {
        let mut sorted: Vec<(u64, usize)> = signs.words_from(0).map(|(position, word)| (word, position)).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    pub(super) fn positions(&self, word: u64) -> impl Iterator<Item = usize> {
        let first = self.sorted.partition_point(|(known, _)| *known < word);
        self.sorted[first..].iter().take_while(move |(known, _)| *known == word).map(|(_, position)| *position)
    }
}
