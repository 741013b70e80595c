//! Sources of requests and their classes.

use super::finding::{Findings, POSITIVE, POSITIVE_SECONDS, RATE, Range, SECONDS};
use crate::spec::distribution::Distribution;
use crate::spec::traffic::{ClassSpec, SourceSpec};
use crate::spec::{Inputs, ScenarioSpec, SourceLoad};

/// How far the sum of shares may be from 1: seven digits were written.
const SHARE_SUM: f64 = 1e-6;
const TOKENS: Range = Range { low: 0.0, high: 1e9, text: "0 to 1,000,000,000" };
const ID: &str = "the id of a trace: `seatrial list traces` names them";

pub(super) fn check(spec: &ScenarioSpec, found: &mut Findings) {
    for (index, traffic) in spec.traffic.iter().enumerate() {
        let at = format!("traffic[{index}]");
        found.one_of(format!("{at}.service"), &traffic.service, spec.services.keys().map(String::as_str));
        source(&format!("{at}.source"), spec, &traffic.source, found);
        classes(&at, &traffic.classes, &traffic.source, found);
    }
}

/// The bound of generators holds for recorded rates too, before the start as well: they are an autoscaler's history.
pub(super) fn check_loads(spec: &ScenarioSpec, inputs: &Inputs, found: &mut Findings) {
    for (index, (traffic, load)) in spec.traffic.iter().zip(&inputs.loads).enumerate() {
        let SourceLoad::Rates(load) = load else { continue };
        let key = match traffic.source {
            SourceSpec::Trace { .. } => format!("traffic[{index}].source.trace.id"),
            _ => format!("traffic[{index}].source"),
        };
        let all = load.rates_per_s().iter().chain(load.past_rates_per_s());
        let most = all.copied().fold(0.0, f64::max);
        let got = format!("a load of up to {} requests per second", rounded(most));
        // A generator at its bound may miss it by the rounding of its integral.
        let allowed = "at most 1,000,000 per second, before the start too: scale it with peak_per_s";
        found.must(most <= RATE.high * (1.0 + 1e-9), key, got, allowed);
    }
}

/// Three digits say enough of a number beyond all bounds.
fn rounded(rate: f64) -> String {
    if rate < 1e15 { rate.ceil().to_string() } else { format!("{rate:.2e}") }
}

fn source(at: &str, spec: &ScenarioSpec, source: &SourceSpec, found: &mut Findings) {
    match source {
        SourceSpec::Trace { id, from_s, peak_per_s, .. } => {
            found.must(!id.is_empty(), format!("{at}.trace.id"), "empty", ID);
            found.number(format!("{at}.trace.from_s"), *from_s, Range { high: 1e10, text: "at least 0", ..SECONDS });
            let peak = Range { low: 1e-6, text: "above 0 and at most 1,000,000 per second", ..RATE };
            found.optional(format!("{at}.trace.peak_per_s"), *peak_per_s, peak);
        }
        SourceSpec::Requests { id, from_s } => {
            found.must(!id.is_empty(), format!("{at}.requests.id"), "empty", ID);
            found.number(format!("{at}.requests.from_s"), *from_s, Range { high: 1e10, text: "at least 0", ..SECONDS });
        }
        SourceSpec::Constant { rate_per_s } => {
            found.number(format!("{at}.constant.rate_per_s"), *rate_per_s, RATE);
        }
        SourceSpec::Points { points } => self::points(&format!("{at}.points.points"), points, found),
        SourceSpec::Sine { mean_per_s, amplitude_per_s, period_s } => {
            found.number(format!("{at}.sine.mean_per_s"), *mean_per_s, RATE);
            let fits = found.number(format!("{at}.sine.amplitude_per_s"), *amplitude_per_s, RATE);
            let above = !fits || amplitude_per_s <= mean_per_s;
            let allowed = "at most mean_per_s: a rate cannot be negative";
            found.must(above, format!("{at}.sine.amplitude_per_s"), amplitude_per_s, allowed);
            let crest = !fits || !above || mean_per_s + amplitude_per_s <= RATE.high;
            let allowed = "lower: mean and amplitude together are at most 1,000,000 per second";
            found.must(crest, format!("{at}.sine.amplitude_per_s"), amplitude_per_s, allowed);
            let period = Range { low: 1.0, text: "1 to 100,000,000 seconds", ..POSITIVE_SECONDS };
            found.number(format!("{at}.sine.period_s"), *period_s, period);
        }
        SourceSpec::Flash { .. } => flash(&format!("{at}.flash"), spec, source, found),
    }
}

fn points(key: &str, points: &[[f64; 2]], found: &mut Findings) {
    found.must(!points.is_empty(), key, "empty", "at least one pair of seconds and requests per second");
    for (index, [at_s, rate]) in points.iter().enumerate() {
        let fits = found.number(format!("{key}[{index}][0]"), *at_s, SECONDS);
        found.number(format!("{key}[{index}][1]"), *rate, RATE);
        let ascends = index == 0 || !fits || points[index - 1][0] < *at_s;
        let allowed = "above the seconds of the point before it: points ascend";
        found.must(ascends, format!("{key}[{index}][0]"), at_s, allowed);
    }
}

fn flash(at: &str, spec: &ScenarioSpec, source: &SourceSpec, found: &mut Findings) {
    let SourceSpec::Flash { base_per_s, peak_per_s, at_s, rise_s, hold_s, halving_s } = source else { return };
    found.number(format!("{at}.base_per_s"), *base_per_s, RATE);
    let fits = found.number(format!("{at}.peak_per_s"), *peak_per_s, RATE);
    found.must(!fits || peak_per_s >= base_per_s, format!("{at}.peak_per_s"), peak_per_s, "at least base_per_s");
    let fits = found.number(format!("{at}.at_s"), *at_s, SECONDS);
    let within = !fits || *at_s < spec.duration_s;
    found.must(within, format!("{at}.at_s"), at_s, "before the end, duration_s");
    found.number(format!("{at}.rise_s"), *rise_s, SECONDS);
    found.number(format!("{at}.hold_s"), *hold_s, SECONDS);
    found.number(format!("{at}.halving_s"), *halving_s, POSITIVE_SECONDS);
}

fn classes(at: &str, classes: &[ClassSpec], source: &SourceSpec, found: &mut Findings) {
    for (index, class) in classes.iter().enumerate() {
        let key = format!("{at}.classes[{index}]");
        found.name(format!("{key}.name"), &class.name);
        let twice = classes[..index].iter().any(|other| other.name == class.name);
        found.must(!twice, format!("{key}.name"), format!("`{}` twice", class.name), "a name of its own");
        found.number(
            format!("{key}.share"),
            class.share,
            Range { low: 1e-9, high: 1.0, text: "above 0 and at most 1" },
        );
        found.number(format!("{key}.work"), class.work, POSITIVE);
        tokens(&format!("{key}.input_tokens"), class.input_tokens.as_ref(), source, found);
        tokens(&format!("{key}.output_tokens"), class.output_tokens.as_ref(), source, found);
    }
    let sum: f64 = classes.iter().map(|class| class.share).sum();
    let whole = classes.is_empty() || sum.is_nan() || (sum - 1.0).abs() <= SHARE_SUM;
    found.must(whole, format!("{at}.classes"), format!("of shares that sum to {sum}"), "of shares that sum to 1");
}

fn tokens(key: &str, tokens: Option<&Distribution>, source: &SourceSpec, found: &mut Findings) {
    let Some(tokens) = tokens else { return };
    found.distribution(key, tokens, TOKENS);
    let recorded = matches!(source, SourceSpec::Requests { .. });
    found.must(!recorded, key, "given", "absent: recorded requests have tokens of their own");
}
