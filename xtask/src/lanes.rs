//! Which packages and features a cargo command of the test suite selects.
//!
//! Cargo unifies features over the packages it is asked to build. Were one step to name `-p seatrial-core` and another the
//! whole workspace, serde, half or zstd would be built twice, and with them arrow and parquet. So every step that
//! compiles says `--workspace` with the analysis feature (polars turns on features of half, bytes, hashbrown and syn, and
//! with syn serde is built again), and the train feature is added or left out; that changes only `seatrial-experiments`
//! and `seatrial-benches` themselves, because `seatrial-agents` is a member either way. The one step that does not is
//! the light lane alone: that it builds without the other lanes' features is what it proves.

/// The feature that makes the analysis lane (it brings that of `seatrial-reports` along), and the one with which the operator
/// is tested in full.
const ANALYSIS: &str = "--features=seatrial-experiments/analysis,seatrial-operator/rehearse";

/// The features that make the train lane.
pub(crate) const TRAIN: &str = "--features=seatrial-experiments/train,seatrial-benches/train";

/// The packages whose code differs between the light and the train lane.
pub(crate) const LANE_DEPENDENT: &[&str] = &["seatrial-experiments", "seatrial-benches"];

/// The selection of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lanes {
    /// Every crate, the features of all lanes on: needs libtorch.
    All,
    /// Every crate, the train feature off: needs libtorch too, for `agents` itself.
    AllButTrainFeature,
    /// Every crate but `agents`: what can be checked without libtorch.
    WithoutAgents,
    /// The default members alone, as a user of `cargo run --release -- run quick` builds them.
    Light,
}

impl Lanes {
    /// The arguments that select these lanes.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::All => &["--workspace", ANALYSIS, TRAIN],
            Self::AllButTrainFeature => &["--workspace", ANALYSIS],
            Self::WithoutAgents => &["--workspace", "--exclude", "seatrial-agents", ANALYSIS],
            Self::Light => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_light_lane_is_without_analysis() {
        for lanes in [Lanes::All, Lanes::AllButTrainFeature, Lanes::WithoutAgents] {
            assert!(lanes.arguments().contains(&ANALYSIS) && lanes.arguments().contains(&"--workspace"), "{lanes:?}");
            assert_eq!(lanes.arguments().contains(&TRAIN), lanes == Lanes::All);
        }
        assert!(Lanes::Light.arguments().is_empty());
    }
}
