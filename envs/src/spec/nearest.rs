//! The known word that a misspelt one was probably meant to be: least edits (insert, delete, replace, swap of neighbours), and
//! few of them. Source: Damerau (1964), in its restricted form.

/// The one of `known` that is nearest to `word`, if it is near.
#[must_use]
pub fn of<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).clamp(1, 3);
    known
        .map(|candidate| (edits(word, candidate), candidate))
        .min()
        .filter(|(edits, _)| *edits <= most)
        .map(|near| near.1)
}

/// All of `known`, the nearest to `word` first and otherwise in their order.
#[must_use]
pub fn first<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut sorted: Vec<&str> = known.collect();
    sorted.sort_by_cached_key(|candidate| edits(word, candidate));
    sorted
}

fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (a, b, expected) in [("", "abc", 3), ("kitten", "sitting", 3), ("windw", "window", 1), ("dfe", "def", 1)] {
            assert_eq!(edits(a, b), expected, "{a} {b}");
            assert_eq!(edits(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn finds_what_was_meant_and_nothing_far() {
        let known = || ["registered", "regimes", "limits", "id"].into_iter();
        assert_eq!(of("registerd", known()), Some("registered"));
        assert_eq!(of("limist", known()), Some("limits"));
        assert_eq!(of("colour", known()), None);
        assert_eq!(of("xy", known()), None);
    }

    #[test]
    fn lists_the_nearest_first() {
        assert_eq!(first("cat", ["email", "cart", "ad"].into_iter()), ["cart", "ad", "email"]);
    }
}
