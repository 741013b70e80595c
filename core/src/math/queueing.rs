//! Waiting for exponential workers: the Erlang C formula (A. K. Erlang, 1917), and GI/M/c for a worker group that gets every n-th arrival.

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

/// P(wait > `threshold_s`) at one of `groups` groups of `servers` workers each, between which arrivals go round robin.
///
/// `arrival_rate` per second is that of all groups together, `mean_service_s` seconds. GI/M/c with gaps of Erlang-`groups`: L. Takács,
/// Introduction to the Theory of Queues (1962), chapter 2. At or above capacity, and for a negative threshold, 1.
///
/// Where the expected number of idle workers of the embedded queue is whole, the formula is 0 / 0: a rate smaller by 1e-5 stands for it.
#[must_use]
pub fn round_robin_wait_exceeds(
    groups: u32,
    servers: u32,
    arrival_rate: f64,
    mean_service_s: f64,
    threshold_s: f64,
) -> f64 {
    let (workers, service_rate) = (f64::from(servers), 1.0 / mean_service_s);
    if threshold_s < 0.0 || arrival_rate >= f64::from(groups) * workers * service_rate {
        return 1.0;
    }
    if arrival_rate.is_nan() || arrival_rate <= 0.0 {
        return 0.0;
    }
    // Laplace transform of the gap between two arrivals at a group.
    let transform = |s: f64| (0..groups).fold(1.0, |product, _| product * arrival_rate / (arrival_rate + s));
    let root = smallest_root(|x| transform(workers * service_rate * (1.0 - x)));
    let idle = workers * (1.0 - root);
    if servers > 1 && idle > 0.5 && (idle - (idle + 0.5).floor()).abs() < 1e-7 {
        return round_robin_wait_exceeds(groups, servers, arrival_rate * (1.0 - 1e-5), mean_service_s, threshold_s);
    }
    let (mut product, mut choose, mut sum) = (1.0, 1.0, 0.0);
    for j in (1..=servers).map(f64::from) {
        let gap = transform(j * service_rate);
        product *= gap / (1.0 - gap);
        choose *= (workers + 1.0 - j) / j;
        sum += choose / (product * (1.0 - gap)) * (workers * (1.0 - gap) - j) / (idle - j);
    }
    let waits = 1.0 / (1.0 + (1.0 - root) * sum);
    waits * libm::exp(-workers * service_rate * (1.0 - root) * threshold_s)
}

/// The root of x = `map`(x) below 1, of a convex map with `map`(1) = 1.
fn smallest_root(map: impl Fn(f64) -> f64) -> f64 {
    const MOST: u32 = 100_000;
    let mut root = 0.0;
    for _ in 0..MOST {
        let next = map(root);
        if next <= root {
            break;
        }
        root = next;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One group is M/M/c. At one worker and two groups (E2/M/1) the root solves a cubic: x (1 + (1 − x) / 2ρ)² = 1.
    #[test]
    fn round_robin_is_known_in_two_cases() {
        for (servers, load) in [(1, 0.5), (4, 0.8), (4, 0.95), (20, 0.9)] {
            let rate = load * f64::from(servers) / 0.08;
            let (got, expected) =
                (round_robin_wait_exceeds(1, servers, rate, 0.08, 0.12), wait_exceeds(servers, rate, 0.08, 0.12));
            // With 20 workers at 0.9 two are idle.
            let allowed = if servers == 20 { 1e-4 } else { 1e-9 };
            assert!((got - expected).abs() < allowed, "{servers} workers, load {load}: {got} {expected}");
        }
        let (load, mean_s) = (0.7, 0.1);
        let cubic = |x: f64| x * (1.0 + (1.0 - x) / (2.0 * load)) * (1.0 + (1.0 - x) / (2.0 * load)) - 1.0;
        let (mut low, mut high) = (0.0, 0.999);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if cubic(middle) < 0.0 { low = middle } else { high = middle }
        }
        let rate = 2.0 * load / mean_s;
        let got = round_robin_wait_exceeds(2, 1, rate, mean_s, 0.25);
        assert!((got - low * libm::exp(-(1.0 - low) * 0.25 / mean_s)).abs() < 1e-9, "{got}, root {low}");
        assert_eq!(round_robin_wait_exceeds(2, 1, 20.0, 0.1, 1.0), 1.0);
        assert_eq!(
            (round_robin_wait_exceeds(2, 1, 0.0, 0.1, 1.0), round_robin_wait_exceeds(2, 1, 1.0, 0.1, -1.0)),
            (0.0, 1.0)
        );
    }

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
