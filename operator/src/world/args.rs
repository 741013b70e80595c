//! The command line of `seatrial-operator world`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use seatrial_core::time::Span;
use seatrial_datasets::Locator;

use super::WorldSettings;
use super::exposition::Sizes;
use super::load::Part;
use super::stage::Rhythm;
use crate::reconcile::Pace;

/// Which load on which pods. The cluster is that of `KUBECONFIG`, else the user's own configuration, else the pod's own.
#[derive(Clone, Debug, Args)]
pub struct WorldArgs {
    /// Trace: a Parquet file, or an id that is shipped or lies in the folders of SEATRIAL_TRACES.
    #[arg(long)]
    pub trace: String,
    /// Series, where the trace has several.
    #[arg(long)]
    pub series: Option<String>,
    /// Part of the trace.
    #[arg(long, value_enum, default_value_t)]
    pub part: Part,
    /// How far into the part it begins, as in 90m.
    #[arg(long, default_value = "0s", value_parser = span)]
    pub from: Span,
    /// How many seconds of the trace pass in a second.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(i64).range(1..=60))]
    pub time_scale: i64,
    /// How old the metrics are, in time of the trace.
    #[arg(long, default_value = "0s", value_parser = span)]
    pub lag: Span,
    /// Seed of the counts within the trace's bins.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Namespace of the Deployment.
    #[arg(long)]
    pub namespace: String,
    /// The Deployment whose pods serve.
    #[arg(long)]
    pub deployment: String,
    /// Address of /metrics and /healthz.
    #[arg(long, default_value = "127.0.0.1:9100")]
    pub listen: SocketAddr,
    /// CSV file for what really happened. Default: none.
    #[arg(long)]
    pub log: Option<PathBuf>,
    /// Resident memory of a pod. Default: not shown.
    #[arg(long)]
    pub resident_bytes: Option<u64>,
    /// Virtual memory of a pod. Default: not shown.
    #[arg(long)]
    pub virtual_bytes: Option<u64>,
    /// Body of a request. Default: its sum is not shown.
    #[arg(long)]
    pub request_bytes: Option<u64>,
    /// Body of a response. Default: its sum is not shown.
    #[arg(long)]
    pub response_bytes: Option<u64>,
}

impl WorldArgs {
    /// The settings; `folders` are those of SEATRIAL_TRACES.
    #[must_use]
    pub fn settings(&self, folders: Vec<PathBuf>) -> WorldSettings {
        WorldSettings {
            traces: Locator::new(folders),
            series: self.series.clone(),
            part: self.part,
            from: self.from,
            seed: self.seed,
            rhythm: Rhythm { pace: Pace(self.time_scale), lag: self.lag },
            listen: self.listen,
            log: self.log.clone(),
            sizes: Sizes {
                resident_bytes: self.resident_bytes,
                virtual_bytes: self.virtual_bytes,
                request_bytes: self.request_bytes,
                response_bytes: self.response_bytes,
            },
            ..WorldSettings::new(&self.trace, &self.namespace, &self.deployment)
        }
    }
}

/// A span as in `90s`, `15m`, `2h` or `1d`.
fn span(text: &str) -> Result<Span, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("give a whole number and a unit: 90s, 15m, 2h or 1d".to_owned()),
    };
    let number: i32 = digits.parse().map_err(|_| "give a whole number below 2147483648 before the unit".to_owned())?;
    Ok(Span::from_secs(i64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        world: WorldArgs,
    }

    fn parse(words: &str) -> Result<WorldArgs, String> {
        let least = "world --trace t --namespace n --deployment d";
        let line = Line::try_parse_from(least.split(' ').chain(words.split_whitespace()));
        line.map(|line| line.world).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_a_rehearsal() {
        let settings = parse("").unwrap().settings(vec![]);
        assert_eq!((settings.rhythm.pace, settings.rhythm.lag, settings.part), (Pace(15), Span::ZERO, Part::Test));
        assert_eq!(settings.listen.to_string(), "127.0.0.1:9100");
        assert_eq!((&*settings.trace, &*settings.namespace, &*settings.deployment), ("t", "n", "d"));
        let told =
            parse("--part whole --from 90m --lag 15s --time-scale 1 --response-bytes 7").unwrap().settings(vec![]);
        assert_eq!((told.part, told.from), (Part::Whole, Span::from_secs(5_400)));
        assert_eq!((told.rhythm.lag, told.sizes.response_bytes), (Span::from_secs(15), Some(7)));
    }

    #[test]
    fn wrong_words_are_refused() {
        for (words, says) in [
            ("--from 90", "whole number and a unit"),
            ("--lag -1s", "unexpected argument"),
            ("--from s", "before the unit"),
            ("--time-scale 0", "0 is not in 1..=60"),
            ("--part some", "possible values"),
        ] {
            let refusal = parse(words).unwrap_err();
            assert!(refusal.contains(says), "{words}: {refusal}");
        }
    }
}
