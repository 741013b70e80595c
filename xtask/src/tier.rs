//! Which tests run, told by their names: what reads golden vectors has `vectors` in its name, what needs a real control plane
//! begins with `real_`, what takes half an hour with `soak_` (and is ignored by cargo, which this task overrules).

use crate::failure::Failure;

/// Which tests run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tier {
    /// All checks and all tests but the soak.
    All,
    /// All checks, and the tests that need nothing but the checkout.
    Unit,
    /// The tests against golden vectors alone.
    Vectors,
    /// The tests against a real control plane alone.
    Real,
    /// Half an hour against a real control plane, in real time.
    Soak,
}

impl Tier {
    /// Reads the options of `cargo xtask test`.
    pub(crate) fn parse(options: &[&str]) -> Result<Self, Failure> {
        match options {
            [] => Ok(Self::All),
            ["--tier", "unit"] => Ok(Self::Unit),
            ["--tier", "vectors"] => Ok(Self::Vectors),
            ["--tier", "real"] => Ok(Self::Real),
            ["--tier", "soak"] => Ok(Self::Soak),
            other => Err(Failure::Usage(format!(
                "unknown options `{}`: `cargo xtask test` takes `--tier unit`, `--tier vectors`, `--tier real`, `--tier soak` or nothing",
                other.join(" ")
            ))),
        }
    }

    /// What the tests of this tier are run with, the real ones apart: they run one after the other, after all others.
    /// Vectors are not captured: each family prints how many cases agree, which is what the tier is asked for.
    pub(crate) fn libtest_arguments(self) -> &'static [&'static str] {
        match self {
            Self::All => &["--skip", "real_"],
            Self::Unit => &["--skip", "vectors", "--skip", "real_"],
            Self::Vectors => &["vectors", "--nocapture"],
            Self::Real => &["real_", "--test-threads=1", "--nocapture"],
            Self::Soak => &["soak_", "--ignored", "--test-threads=1", "--nocapture"],
        }
    }

    /// The same for nextest, filter and output.
    pub(crate) fn nextest_arguments(self) -> &'static [&'static str] {
        match self {
            Self::All => &["-E", "not test(/(^|::)real_/)"],
            Self::Unit => &["-E", "not (test(vectors) or test(/(^|::)real_/))"],
            // Shown when a test ends, unlike `--no-capture`, which would also run them one by one.
            Self::Vectors => &["-E", "test(vectors)", "--success-output", "immediate"],
            Self::Real | Self::Soak => &["-E", "none()"],
        }
    }

    /// Whether it needs a real control plane and nothing else.
    pub(crate) const fn is_real_only(self) -> bool {
        matches!(self, Self::Real | Self::Soak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_read_and_others_refused() {
        assert_eq!(Tier::parse(&[]).unwrap(), Tier::All);
        assert_eq!(Tier::parse(&["--tier", "soak"]).unwrap(), Tier::Soak);
        let message = Tier::parse(&["--tier", "nightly"]).unwrap_err().to_string();
        assert!(message.contains("--tier nightly") && message.contains("--tier real"), "{message}");
    }

    #[test]
    fn counts_of_vector_cases_are_printed_by_either_runner() {
        assert_eq!(Tier::Vectors.libtest_arguments(), ["vectors", "--nocapture"]);
        let nextest = Tier::Vectors.nextest_arguments();
        assert_eq!(nextest, ["-E", "test(vectors)", "--success-output", "immediate"]);
        for quiet in [Tier::All, Tier::Unit] {
            assert!(!quiet.libtest_arguments().contains(&"--nocapture"), "{quiet:?}");
            assert!(!quiet.nextest_arguments().contains(&"--success-output"), "{quiet:?}");
        }
    }
}
