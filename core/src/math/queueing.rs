//! Waiting in an M/M/c queue: the Erlang C formula (A. K. Erlang, 1917).

/// Probability that an arrival must wait, with `offered_load` = arrival rate × mean service time (erlangs) and `servers` workers.
///
/// 1 at or above capacity, 0 without load. Computed through Erlang B's recursion, which neither overflows nor cancels.
#[must_use]
pub fn erlang_c(servers: u32, offered_load: f64) -> f64 {
    if offered_load.is_nan() || offered_load <= 0.0 {
        return 0.0;
    }
    let c = f64::from(servers);
    if offered_load >= c {
        return 1.0;
    }
    // Reciprocal form of the recursion: 1/B(k) = 1 + k/a · 1/B(k-1). It grows to +inf harmlessly, where B is 0.
    let mut inverse_b = 1.0;
    for k in 1..=servers {
        inverse_b = 1.0 + f64::from(k) / offered_load * inverse_b;
    }
    let utilisation = offered_load / c;
    1.0 / (utilisation + (1.0 - utilisation) * inverse_b)
}

/// P(wait > `threshold_s`) in M/M/c: Erlang C × exp(−(c·μ − λ)·t).
///
/// `arrival_rate` per second, `mean_service_s` seconds. At or above capacity, and for a negative threshold, 1.
#[must_use]
pub fn wait_exceeds(servers: u32, arrival_rate: f64, mean_service_s: f64, threshold_s: f64) -> f64 {
    if threshold_s < 0.0 {
        return 1.0;
    }
    let spare_rate = f64::from(servers) / mean_service_s - arrival_rate;
    if spare_rate <= 0.0 {
        return 1.0;
    }
    erlang_c(servers, arrival_rate * mean_service_s) * libm::exp(-spare_rate * threshold_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Independent form: Erlang C as the explicit sum of a^k/k!.
    fn erlang_c_by_sum(servers: u32, a: f64) -> f64 {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..servers {
            term *= a / f64::from(k);
            sum += term;
        }
        let last = term * a / f64::from(servers) / (1.0 - a / f64::from(servers));
        last / (sum + last)
    }

    #[test]
    fn recursion_equals_the_sum() {
        for servers in [1, 2, 4, 20, 40, 112] {
            for load in [0.05, 0.5, 0.9, 0.99] {
                let a = load * f64::from(servers);
                let (got, expected) = (erlang_c(servers, a), erlang_c_by_sum(servers, a));
                assert!((got - expected).abs() <= 1e-10 * expected, "{servers} servers, load {load}: {got} {expected}");
            }
        }
    }

    /// The formula column of the protocol's waiting table: 4 workers a pod, 80 ms, P(wait > 120 ms).
    #[test]
    fn waiting_table_of_the_protocol() {
        for (pods, load, expected) in
            [(1, 0.80, 0.180), (2, 0.90, 0.211), (5, 0.90, 0.027), (10, 0.95, 0.033), (28, 0.90, 0.0)]
        {
            let p = wait_exceeds(4 * pods, load * 50.0 * f64::from(pods), 0.080, 0.120);
            assert!((p - expected).abs() < 6e-4, "{pods} pods at {load}: {p}");
        }
    }

    #[test]
    fn total_on_extremes() {
        assert_eq!(erlang_c(0, 1.0), 1.0);
        assert_eq!(erlang_c(4, 0.0), 0.0);
        assert_eq!(erlang_c(4, f64::NAN), 0.0);
        assert_eq!(wait_exceeds(4, 50.0, 0.08, 0.1), 1.0);
        assert_eq!(wait_exceeds(4, 1.0, 0.08, -0.1), 1.0);
        assert!(erlang_c(400, 1.0) < 1e-300);
    }
}
