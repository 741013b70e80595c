//! Which nodes changed since a moment: a log of the last changes, and for each node its last one.
//!
//! A node that changed more than once stands in the log more than once, but only the place of its last change is answered, so that
//! every reader meets it once without keeping a set. Who comes after the log has gone round is answered from the last changes of
//! all nodes: more than there are nodes was logged by then, so that is the shorter way.

/// Nodes by the order in which they changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Changes so far; a change is known by its number, from 1.
    count: u64,
    /// By node: its last change.
    last: Vec<u64>,
    /// The nodes of the last changes, change `n` at `n` modulo its length, which is a power of two.
    log: Vec<u32>,
    /// The log holds what came after this change only.
    logged_after: u64,
}

impl Changes {
    /// Changes so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A node that is new, which is a change of it.
    pub(super) fn add(&mut self) {
        let node = self.last.len();
        self.last.push(0);
        if self.log.len() <= node {
            self.log = vec![0; (node + 1).next_power_of_two()];
            self.logged_after = self.count;
        }
        self.touch(node as u32);
    }

    /// A node changed.
    pub(super) fn touch(&mut self, node: u32) {
        self.count += 1;
        self.last[node as usize] = self.count;
        let place = self.place(self.count);
        self.log[place] = node;
    }

    /// Every node that changed after the first `seen` changes, once.
    pub(super) fn each_since(&self, seen: u64, mut visit: impl FnMut(usize)) {
        if seen < self.logged_after || self.count - seen > self.log.len() as u64 {
            let changed = self.last.iter().enumerate().filter(|&(_, &last)| last > seen);
            return changed.for_each(|(node, _)| visit(node));
        }
        for change in seen + 1..=self.count {
            let node = self.log[self.place(change)] as usize;
            if self.last[node] == change {
                visit(node);
            }
        }
    }

    fn place(&self, change: u64) -> usize {
        change as usize & (self.log.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn since(changes: &Changes, seen: u64) -> Vec<usize> {
        let mut nodes = Vec::new();
        changes.each_since(seen, |node| nodes.push(node));
        nodes
    }

    #[test]
    fn a_node_is_met_once_at_its_last_change() {
        let mut changes = Changes::default();
        (0..4).for_each(|_| changes.add());
        assert_eq!(since(&changes, 0), [0, 1, 2, 3]);
        let seen = changes.count();
        [2, 1, 2].into_iter().for_each(|node| changes.touch(node));
        assert_eq!(since(&changes, seen), [1, 2], "in the order of last changes, from the log");
        [2, 1].into_iter().for_each(|node| changes.touch(node));
        assert_eq!(since(&changes, seen), [1, 2], "in the order of ids, once the log has gone round");
        assert_eq!(since(&changes, changes.count()), [0; 0]);
    }

    proptest! {
        /// Whoever reads at whatever moments meets exactly what changed between them.
        #[test]
        fn readers_meet_exactly_what_changed(steps in prop::collection::vec((0_u32..40, any::<bool>()), 1..300)) {
            let mut changes = Changes::default();
            let (mut seen, mut expected, mut nodes) = (0, BTreeSet::new(), 0);
            for (drawn, reads) in steps {
                if drawn >= nodes {
                    changes.add();
                    expected.insert(nodes as usize);
                    nodes += 1;
                } else {
                    changes.touch(drawn);
                    expected.insert(drawn as usize);
                }
                if reads && drawn % 5 == 0 {
                    let mut met = since(&changes, seen);
                    met.sort_unstable();
                    prop_assert_eq!(met, expected.iter().copied().collect::<Vec<_>>());
                    seen = changes.count();
                    expected.clear();
                }
            }
        }
    }
}
