//! Which packages and features a cargo command of the test suite selects.
//!
//! Cargo unifies features over the packages it is asked to build. Were one step to name `-p seatrial-core` and another the
//! whole workspace, serde, half or zstd would be built twice, and with them arrow and parquet. So every step that
//! compiles says `--workspace`, and the train feature is added or left out; that changes only `seatrial-experiments`
//! and `seatrial-benches` themselves, because `seatrial-agents` is a member either way. The one step that does not is
//! the light lane alone: that it builds without the other lanes' features is what it proves.

/// The features that make the train lane.
pub(crate) const TRAIN_FEATURES: &str = "seatrial-experiments/train,seatrial-benches/train";

/// The packages whose code differs between the light and the train lane.
pub(crate) const LANE_DEPENDENT: &[&str] = &["seatrial-experiments", "seatrial-benches"];

/// The selection of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lanes {
    /// Every crate, the train feature on: needs libtorch.
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
            Self::All => &["--workspace", "--features", TRAIN_FEATURES],
            Self::AllButTrainFeature => &["--workspace"],
            Self::WithoutAgents => &["--workspace", "--exclude", "seatrial-agents"],
            Self::Light => &[],
        }
    }
}
