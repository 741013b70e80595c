//! The reader never panics: gallery texts with bytes flipped, pieces cut out, doubled and exchanged, numbers made extreme. What it
//! reads is a scenario without problems; what it refuses has a place in the file.

use seatrial_core::rand::{Stream, uniform};
use seatrial_envs::app::fluid_app;
use seatrial_envs::spec::{KernelChoice, ScenarioSpec};
use seatrial_envs::world::{Options, World};
use seatrial_experiments::scenario_command::{GALLERY, LoadedScenario, parse, read_inputs};

/// Texts that are tried: bounded by number, never by time.
const CASES: u64 = 20_000;
const SEED: u64 = 2026;

/// Numbers at the edges of what a text can say.
const EXTREMES: [&str; 16] = [
    "0",
    "-1",
    "-0.0",
    "1e308",
    "-1e308",
    "1e-308",
    "1e999",
    "inf",
    "-inf",
    "nan",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "18446744073709551615",
    "0.1",
    "65536",
];

/// Draws of one case, one after the other.
struct Draws {
    case: u64,
    next: u32,
}

impl Draws {
    /// A whole number below `limit`, which is above 0.
    fn below(&mut self, limit: usize) -> usize {
        self.next += 1;
        let unit = uniform(SEED, Stream::Search, self.case, self.next);
        ((unit * limit as f64) as usize).min(limit - 1)
    }
}

fn mutate(text: &str, draws: &mut Draws) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=draws.below(3) {
        bytes = match draws.below(6) {
            0 => flipped(bytes, draws),
            1 => without(&bytes, draws),
            2 => doubled(&bytes, draws),
            3 => spliced(&bytes, draws),
            4 => without_line(&bytes, draws),
            _ => extreme(&bytes, draws),
        };
    }
    bytes
}

fn flipped(mut bytes: Vec<u8>, draws: &mut Draws) -> Vec<u8> {
    if !bytes.is_empty() {
        let at = draws.below(bytes.len());
        bytes[at] ^= 1 << draws.below(8);
    }
    bytes
}

/// A short piece from somewhere.
fn piece(bytes: &[u8], draws: &mut Draws) -> std::ops::Range<usize> {
    let from = draws.below(bytes.len() + 1);
    from..(from + draws.below(40)).min(bytes.len())
}

fn without(bytes: &[u8], draws: &mut Draws) -> Vec<u8> {
    let cut = piece(bytes, draws);
    [&bytes[..cut.start], &bytes[cut.end..]].concat()
}

fn doubled(bytes: &[u8], draws: &mut Draws) -> Vec<u8> {
    let twice = piece(bytes, draws);
    [&bytes[..twice.end], &bytes[twice.start..]].concat()
}

fn spliced(bytes: &[u8], draws: &mut Draws) -> Vec<u8> {
    let other = GALLERY[draws.below(GALLERY.len())].1.as_bytes();
    let (into, from) = (piece(bytes, draws), piece(other, draws));
    [&bytes[..into.start], &other[from], &bytes[into.end..]].concat()
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

fn without_line(bytes: &[u8], draws: &mut Draws) -> Vec<u8> {
    let mut lines = lines(bytes);
    if !lines.is_empty() {
        lines.remove(draws.below(lines.len()));
    }
    lines.concat()
}

/// One of the numbers, of any line that is no comment, becomes an extreme one.
fn extreme(bytes: &[u8], draws: &mut Draws) -> Vec<u8> {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let starts: Vec<usize> = (0..bytes.len()).filter(|at| digit(*at) && (*at == 0 || bytes[*at - 1] == b' ')).collect();
    if starts.is_empty() {
        return bytes.to_vec();
    }
    let start = starts[draws.below(starts.len())];
    let end = (start..bytes.len()).find(|at| !digit(*at) && bytes[*at] != b'.').unwrap_or(bytes.len());
    [&bytes[..start], EXTREMES[draws.below(EXTREMES.len())].as_bytes(), &bytes[end..]].concat()
}

/// A scenario without problems makes a world (whose size the texts may make absurd: those are left out).
fn build(spec: &ScenarioSpec) {
    let pods: u64 = spec.services.values().map(|service| u64::from(service.replicas)).sum();
    let room: u64 = spec.workloads.values().map(|workload| u64::from(workload.replicas)).sum();
    let nodes: u64 =
        spec.cluster.iter().flat_map(|cluster| cluster.pools.values()).map(|pool| u64::from(pool.nodes)).sum();
    let small = pods + room + nodes < 2_000 && spec.duration_s / spec.metrics.scrape_s < 10_000.0;
    let loaded = LoadedScenario { spec: spec.clone(), origin: "f.toml".into(), text: String::new() };
    let Some(inputs) = small.then(|| read_inputs(&loaded, &[]).ok()).flatten() else { return };
    if spec.kernel == KernelChoice::Events {
        let world = World::simulation(spec, &inputs, &Options::default());
        assert!(world.is_ok(), "{:?}", world.err());
    } else {
        // What depends on the loads, such as bins that differ between sources, the kernel itself refuses.
        let _ = fluid_app(spec, &inputs, 1);
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    let (mut sound, mut refused) = (0_u64, 0_u64);
    for case in 0..CASES {
        let mut draws = Draws { case, next: 0 };
        let (name, text) = GALLERY[draws.below(GALLERY.len())];
        let bytes = mutate(text, &mut draws);
        let text = String::from_utf8_lossy(&bytes);
        match parse(&text, "f.toml") {
            Ok(spec) => {
                sound += 1;
                build(&spec);
            }
            Err(error) => {
                refused += 1;
                let message = error.to_string();
                let whole = message.starts_with("f.toml has ");
                let placed = |line: &str| {
                    let mut parts = line.strip_prefix("f.toml:")?.split(':');
                    Some((parts.next()?.parse::<usize>().ok()?, parts.next()?.parse::<usize>().ok()?))
                };
                let mut lines = message.lines().skip(usize::from(whole));
                assert!(
                    lines.all(|line| placed(line).is_some_and(|(line, column)| line > 0 && column > 0)),
                    "{name}, {case}: {message}"
                );
            }
        }
    }
    // Both happen often enough that neither way is untried.
    assert!(sound > CASES / 20 && refused > CASES / 4, "{sound} sound, {refused} refused");
}
