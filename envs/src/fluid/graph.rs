//! A call graph as a flow sees it: expected calls per completed request, callers before callees.

/// Calls of one service to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Call {
    /// The callee.
    pub(crate) to: usize,
    /// Probability that a request that the caller completes makes it.
    pub(crate) probability: f64,
    /// How often it then does.
    pub(crate) count: u32,
    /// Whether the caller does without an answer.
    pub(crate) optional: bool,
}

impl Call {
    /// Expected calls for each request that the caller completes.
    pub(crate) fn each(&self) -> f64 {
        self.probability * f64::from(self.count)
    }
}

/// Who calls, by which of its calls, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Caller {
    /// The caller.
    pub(crate) from: usize,
    /// Place of the call among its calls.
    pub(crate) call: usize,
    /// Expected calls for each request that it completes.
    pub(crate) each: f64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    calls: Vec<Vec<Call>>,
    /// By callee, in the order of callers.
    callers: Vec<Vec<Caller>>,
    order: Vec<usize>,
}

impl Graph {
    /// The graph of `calls` by caller, or a service that is part of a cycle. Callees are known services.
    pub(crate) fn new(calls: Vec<Vec<Call>>) -> Result<Self, usize> {
        let mut callers = vec![Vec::new(); calls.len()];
        for (from, calls) in calls.iter().enumerate() {
            for (index, call) in calls.iter().enumerate() {
                callers[call.to].push(Caller { from, call: index, each: call.each() });
            }
        }
        let mut missing: Vec<usize> = callers.iter().map(Vec::len).collect();
        let mut placed = vec![false; calls.len()];
        let mut order = Vec::with_capacity(calls.len());
        // The least id first: an order that names alone decide.
        while let Some(next) = (0..calls.len()).find(|id| !placed[*id] && missing[*id] == 0) {
            placed[next] = true;
            order.push(next);
            for call in &calls[next] {
                missing[call.to] -= 1;
            }
        }
        match placed.iter().position(|placed| !placed) {
            Some(stuck) => Err(on_a_cycle(&callers, &placed, stuck)),
            None => Ok(Self { calls, callers, order }),
        }
    }

    /// Services, callers before callees.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Calls of a service.
    pub(crate) fn calls(&self, from: usize) -> &[Call] {
        &self.calls[from]
    }

    /// Who calls a service, and how often.
    pub(crate) fn callers(&self, of: usize) -> &[Caller] {
        &self.callers[of]
    }

    /// Expected calls at each service for one request that enters at `entry`.
    pub(crate) fn visits(&self, entry: usize) -> Vec<f64> {
        let mut visits = vec![0.0; self.calls.len()];
        visits[entry] = 1.0;
        for from in &self.order {
            for call in &self.calls[*from] {
                visits[call.to] += visits[*from] * call.each();
            }
        }
        visits
    }

    /// `good` holds the probability that a call at a service itself is good, and then that all it needs from others is good too:
    /// (own) × Π over calls of (1 − probability + probability × callee's ^ count), as if all were independent.
    #[inline]
    pub(crate) fn with_callees(&self, good: &mut [f64]) {
        for from in self.order.iter().rev() {
            for call in self.calls[*from].iter().filter(|call| !call.optional) {
                let callee = good[call.to];
                let all = (1..call.count).fold(callee, |all, _| all * callee);
                let all = if call.count == 0 { 1.0 } else { all };
                good[*from] *= 1.0 - call.probability + call.probability * all;
            }
        }
    }
}

/// From a service that could not be placed, back along callers that could not either, until one comes again.
fn on_a_cycle(callers: &[Vec<Caller>], placed: &[bool], stuck: usize) -> usize {
    let mut at = stuck;
    for _ in 0..callers.len() {
        at = callers[at].iter().map(|caller| caller.from).find(|caller| !placed[*caller]).unwrap_or(at);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(to: usize, probability: f64, count: u32) -> Call {
        Call { to, probability, count, optional: false }
    }

    /// 2 calls 0 twice and 1 half the time; 1 calls 0 once and does without it.
    fn diamond() -> Graph {
        let optional = Call { optional: true, ..call(0, 1.0, 1) };
        Graph::new(vec![vec![], vec![optional], vec![call(0, 1.0, 2), call(1, 0.5, 1)]]).unwrap()
    }

    #[test]
    fn callers_come_first_and_visits_multiply_along_paths() {
        let graph = diamond();
        assert_eq!(graph.order(), [2, 1, 0]);
        assert_eq!(graph.visits(2), [2.5, 0.5, 1.0]);
        assert_eq!(graph.visits(1), [1.0, 1.0, 0.0]);
        let callers: Vec<_> = graph.callers(0).iter().map(|caller| (caller.from, caller.call, caller.each)).collect();
        assert_eq!(callers, [(1, 0, 1.0), (2, 0, 2.0)]);
    }

    /// 0 is good with 0.9, 1 with 0.8 whatever 0 does, 2 with 0.5 × 0.9² × (half the time 0.8).
    #[test]
    fn a_request_needs_all_that_it_cannot_do_without() {
        let mut good = [0.9, 0.8, 0.5];
        diamond().with_callees(&mut good);
        for (got, expected) in good.iter().zip([0.9, 0.8, 0.5 * 0.81 * (0.5 + 0.5 * 0.8)]) {
            assert!((got - expected).abs() < 1e-12, "{good:?}");
        }
    }

    #[test]
    fn a_cycle_is_named_by_one_of_its_members() {
        // 0 and 3 hang on the cycle of 1 and 2 without being part of it.
        let graph = Graph::new(vec![
            vec![],
            vec![call(2, 1.0, 1), call(0, 1.0, 1)],
            vec![call(1, 1.0, 1)],
            vec![call(1, 1.0, 1)],
        ]);
        assert!(matches!(graph, Err(1 | 2)));
        assert!(matches!(Graph::new(vec![vec![call(0, 0.1, 1)]]), Err(0)));
    }
}
