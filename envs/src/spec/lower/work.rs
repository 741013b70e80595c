//! What a call of a service takes: the mix of the classes that reach it.

use super::{LowerError, Source, unsupported};
use crate::fluid::work::Work;
use crate::spec::{Distribution, Inputs, Sampler, ServiceSpec, TrafficSpec};

/// Requests of a class.
struct Kind {
    /// Share of the calls that are of this class or of one before it.
    share_until: f64,
    factor: f64,
    /// Seconds per token, and how many, of prompt and of answer.
    tokens: [Option<(f64, Sampler)>; 2],
}

/// The work of a call at `service`, which a request of each source visits so often.
pub(super) fn work(
    (name, service): (&str, &ServiceSpec),
    traffic: &[TrafficSpec],
    inputs: &Inputs,
    (sources, visits): (&[Source<'_>], &[f64]),
) -> Result<Work, LowerError> {
    let alike = traffic.iter().flat_map(|source| &source.classes).all(|class| class.work == 1.0);
    if alike && service.token_cost.is_none() && matches!(service.service_time_s, Distribution::Exponential { .. }) {
        return Ok(Work::EXPONENTIAL);
    }
    let sampler = |distribution: &Distribution, key: String| {
        let missing = || unsupported(key, "a trace that was not read", "its values among the inputs");
        Sampler::new(distribution, inputs).ok_or_else(missing)
    };
    let alone = sampler(&service.service_time_s, format!("services.{name}.service_time_s"))?;
    let cost = service.token_cost;
    let mut kinds: Vec<Kind> = Vec::new();
    let mut add = |weight: f64, factor: f64, tokens| {
        let before = kinds.last().map_or(0.0, |kind: &Kind| kind.share_until);
        kinds.push(Kind { share_until: before + weight, factor, tokens });
    };
    for ((index, traffic), (source, visits)) in traffic.iter().enumerate().zip(sources.iter().zip(visits)) {
        let weight = visits * source.mean_per_s;
        if traffic.classes.is_empty() {
            add(weight, 1.0, [None, None]);
        }
        for (place, class) in traffic.classes.iter().enumerate() {
            let tokens = |distribution: &Option<Distribution>, which: &str, each_s: Option<f64>| {
                let key = format!("traffic[{index}].classes[{place}].{which}");
                let drawn = distribution.as_ref().map(|distribution| sampler(distribution, key)).transpose()?;
                Ok::<_, LowerError>(each_s.zip(drawn))
            };
            let input = tokens(&class.input_tokens, "input_tokens", cost.map(|cost| cost.per_input_token_s))?;
            let output = tokens(&class.output_tokens, "output_tokens", cost.map(|cost| cost.per_output_token_s))?;
            add(weight * class.share, class.work, [input, output]);
        }
    }
    let all = kinds.last().map_or(0.0, |kind| kind.share_until);
    let (mut mean, mut mean_square, mut before) = (0.0, 0.0, 0.0);
    for kind in &kinds {
        let (share, of) = ((kind.share_until - before) / all, kind.moments(&alone));
        (mean, mean_square) = (mean + share * of.0, mean_square + share * of.1);
        before = kind.share_until;
    }
    Ok(Work::new(mean, mean_square, |[which, unit, input, output]| {
        let kind = kinds.iter().find(|kind| which * all < kind.share_until).or(kinds.last());
        kind.map_or(0.0, |kind| kind.draw(&alone, unit, [input, output]))
    }))
}

impl Kind {
    fn draw(&self, alone: &Sampler, unit: f64, tokens: [f64; 2]) -> f64 {
        let of = |(cost, unit): (&Option<(f64, Sampler)>, f64)| {
            cost.as_ref().map_or(0.0, |(each_s, count)| each_s * count.at(unit))
        };
        alone.at(unit) * self.factor + self.tokens.iter().zip(tokens).map(of).sum::<f64>()
    }

    /// Mean and mean square of the sum of independent parts.
    fn moments(&self, alone: &Sampler) -> (f64, f64) {
        let own = (self.factor * alone.mean(), self.factor * self.factor * alone.mean_square());
        self.tokens.iter().flatten().fold(own, |(mean, square), (each_s, count)| {
            let (more, more_square) = (each_s * count.mean(), each_s * each_s * count.mean_square());
            (mean + more, square + 2.0 * mean * more + more_square)
        })
    }
}
