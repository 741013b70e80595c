//! What is claimed and how it was measured, in words. Numbers of results belong to the tables.

pub(super) const HEAD: &str = "\
# Validity

Is the event kernel true to theory, and the fluid kernel true to the event kernel? This page is measured, not written: tables and the
numbers of the summary come from the example `validity`, a test holds the committed page to the rows that it measures, and failures
are rows like any other. What is compared was settled before it was measured, but for what the sections say was changed afterwards.

Measuring takes minutes, so the page is not part of `cargo xtask generate`. In the root of the repository, with `SEATRIAL_TRACES` set:

```sh
cargo run --release -p seatrial-experiments --example validity -- measure > validity.json
cargo run --release -p seatrial-experiments --example validity -- page validity.json > docs/validity.md
```

The second one also draws the figure. Runs are pure functions of scenario and seed: the same revision gives the same bytes.
Short forms of all sections run as tests: `cargo test -p seatrial-experiments --lib validity::`.

## Summary

";

pub(super) const THEORY: &str = "\
## 1. Events against theory

One service alone on the event kernel, Poisson arrivals, pods that stand still. Each queue runs over 30 seeds, for at least 200 of its
relaxation times after 10 that do not count (M/M/c), or 1,000 s after 100 s (shared processors 4,000 s). Theory must lie inside the 99 % interval of Student's t over
seeds, so one row in a hundred lies outside by chance. A tail so thin that 30 seeds together would see less than a hundred
events of it has no row.

The shared processors were measured twice. At a quarter of the length lognormal work lay outside (a mean stay of 0.1627 ± 0.0035 s), and
exponential work inside (0.1685 ± 0.0037 s); the rows below say how it ended. All four see the same arrivals. Three thin tails, of which
nothing was seen, had rows in the first measurement.

M/M/c: Erlang C. M/D/1: Pollaczek and Khinchine. M/G/1 with processor sharing: the mean stay depends on the mean of the work alone,
whatever its shape (exponential, constant, uniform, lognormal with σ = 1). M/M/1/4: the share turned away is the probability of a full
system. L − λW is Little's law: the number present is sampled every 0.137 s, rate and stay are counted, and their difference must be 0.

`… --example validity -- measure theory`; the serving room has a shorter form of its own: `cargo test -p seatrial-envs serving::tests::theory`.
";

pub(super) const WAITING: &str = "\
## 2. The waiting table of protocol P1

P(wait > 120 ms) with pods of 4 workers and exponential work of 80 ms: the event kernel's means over 30 seeds of 600 s with the half width
of the 99 % interval, beside the figures of the independent implementation that protocol P1 was tried out with. Those are one run each, so
they may differ by several of our half widths where a run varies much. Exact values stand where they are known: M/M/4n for one queue, M/M/4
for a random pod, GI/M/4 with Erlang-n gaps for round robin. The first column is a formula. In the second the fluid kernel
takes the count of each second for the rate, which counts Poisson noise twice: that is why protocol P1 never does it.

`… --example validity -- measure waiting`; `cargo test --release -p seatrial-envs -- --ignored waiting_table` compares the same queues
with exact answers where there are some.
";

pub(super) const KERNELS: &str = "\
## 3. Fluid against events, on scenarios of the gallery

Each scenario runs on both kernels with several strategies in the place of its own, over 10 seeds. Allowed are 2 % of mean utilisation, 10 % of
P95 latency below a utilisation of 0.9, 10 % of the drain time, 0.002 or 15 % of the bad fraction. A difference is fluid less events, over
the mean of events, with its 95 % interval over paired seeds; the verdict looks at its middle.

With an autoscaler both kernels decide for themselves, so their pods differ. Where pods stand still (`static`) they are the same at every
moment; there latency and drain time are compared. P95 is that of scrape intervals, weighted by requests, over those for which the fluid
kernel knows it (no queue was left over) and in which less than 0.9 of the pods is used. The drain time runs from the end of the last
minute that brings more than the pods can serve until a twentieth of the queue of that moment is left, read second by second.
Utilisation and bad fraction are of the whole run.

The first measurement for this page had 16 failures, and three causes of them were mistakes that have been mended since: a queue limit counted
per service on the fluid kernel and per pod on the other (`flash-crowd` drained in 11 s instead of 73 s); the first decisions of the
event kernel were blind for the lag and a slot (a third of the bad requests of `single-web-service` under a HorizontalPodAutoscaler at 60 %);
and the fluid kernel called every request of an overload bad, also where clients are content to wait a minute (0.71 instead of 0.46 of
the jobs of `batch-scale-to-zero` with ten pods). One strategy was exchanged: a longer grace period of `kpa` changed
nothing on either kernel, and made place for `kpa 2`.

The second measurement had 8 failures, and again three mistakes of the fluid kernel were behind them: CPU scattered like that of idle
workers while a queue kept them all busy (`keda` on `batch-scale-to-zero` had 8 % fewer pods: it saw 65 to 100 % of a pod that
was always at work); metrics counted jobs as done when they left the queue, not when they were done (4 of the 9 % that `kpa 2` was apart in utilisation; its bad fraction came no nearer); and
all work was taken for exponential (P95 of `llm-serving` +40 %, its bad fraction up to twice as large). `batch-of-short-jobs` was added
then, to find out what is left: it is `batch-scale-to-zero` with ten times as many jobs of 0.2 s.

`… --example validity -- measure kernels`.
";

pub(super) const ORDERS: &str = "\
### Order of strategies

J of each strategy at the scenario's prices, means over seeds. An order is known if the 95 % interval of the paired difference on the event
kernel excludes 0; then the fluid kernel must have the same order.
";

pub(super) const REFUSED: &str = "\
### Events only

What the fluid kernel cannot express is refused with the key that asks for it, before anything runs: by `seatrial scenario check` and
`run` where a file says `kernel = \"fluid\"`, and by the lowering whoever calls it (tests hold both). So no figure of the fluid kernel is about
one of these, `node-pool-bound` among them. Scaling to zero it can express, if the service says how many requests may wait for a first
pod.
";

pub(super) const PROTOCOL: &str = "\
## 4. Protocol P1

The same traffic (realised counts), strategies, start-up times and moments of decisions on both kernels: `episode::run_on` and
`world::protocol::run_on`. First four pods under constant loads for half an hour, then the hour around the busiest minute that
`worldcup98` has in the protocol's test part (21 to 28 June 1998). Utilisation is allowed 2 %, the bad fraction 0.002 or 15 %; of J the differences are shown.

Realised traffic keeps the count of every minute, so a queue that remembers minutes meets less noise than a Poisson process has: a reason
to expect the event kernel to wait a little less than Erlang C says close to saturation. The intervals are too wide to show it.

`… --example validity -- measure protocol`.
";

pub(super) const DEPLOYMENT: &str = "\
## 5. The Deployment

The same scale-ups and rollouts on Kubernetes 1.34's own controllers and on the event kernel have the same pods per ReplicaSet over time. In a
quiet run the moments lay 0.14 to 0.67 s apart; the bound is 1 s. The controllers run on a real control plane with simulated nodes; both
sides are told how long a pod takes to start and to end, at most 50 pods exist at once, and a case that a busy machine held up is
watched again, three times at most.

`cargo test -p seatrial-operator --features rehearse --test real deployment:: -- --nocapture`, with `SEATRIAL_ENVTEST` set.
";

pub(super) const BOUNDS: &str = "\
## 6. The oracle's bound

`seatrial scenario run` shows beside J what no decisions can go below: the oracle's bound for the service at its best, with as many ready
pods as quota and node pools can hold by then. On the fluid kernel no run lies below it. On the event kernel requests are drawn one by one,
and a queue takes time to settle, near saturation longer than a minute: there each minute begins with an empty queue, what is not yet
settled does not count, and in overload a queue that is cut, or not shared, leaves as many good requests as pods can serve. So it is loose
where pods are nearly or more than full, and a bound on what is to be expected everywhere. Faults, slow nodes, neighbours and drained
nodes are left out, which can only make it lower.

Here it stands beside what was reached on the event kernel, over seeds: by the strategy of the file, and by the cheapest of six schedules
that know the load and the time that starts and nodes take (being the cheapest, it profits from chance). The mean must not be
more than 1 % below. *With room* is the bound if every pod found a node at once.

A first form of this bound took the fluid model for the event kernel too. It was attacked before it was believed: it did not hold at
saturation (a run had 0.09 of it), with short queues and impatient clients, large requests, work that is not exponential, quotas, killed
pods and rollouts. What it says too little of is refused now with the reason, and the attacks are tests.

`… --example validity -- measure bounds`. Brute force over all plans of a small cluster, the exact transient of the queue, random
schedules and the attacks: `cargo test -p seatrial-envs --lib oracle::`.
";
