//! Time as integer microseconds: no floats, no clock. A shell hands `now` in; nothing here can ask for it.
//!
//! The origin of a [`Timestamp`] is the caller's (Unix time for real traces and the operator).

pub mod civil;

use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use serde::{Deserialize, Serialize};

/// A moment, in microseconds since the caller's origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A signed length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Span(i64);

impl Timestamp {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// From microseconds since the origin.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the origin.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Time since `earlier`, negative if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The greatest multiple of `step` (counted from the origin) that is not after `self`.
    ///
    /// A `step` of zero or less leaves the moment as it is.
    #[must_use]
    pub const fn floor_to(self, step: Span) -> Self {
        if step.0 <= 0 { self } else { Self(self.0.saturating_sub(self.0.rem_euclid(step.0))) }
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From microseconds.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000)
    }

    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// From seconds, rounded to the nearest microsecond; saturates, and NaN is zero.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "float-to-int casts saturate, which is what is promised")]
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self(libm::round(seconds * 1e6) as i64)
    }

    /// Microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds as a float.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact below 285 years")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Whole steps of `step` that fit into `self` (zero if `step` is not positive).
    #[must_use]
    pub const fn whole_steps(self, step: Self) -> i64 {
        if step.0 <= 0 { 0 } else { self.0.div_euclid(step.0) }
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Timestamp {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        self.since(earlier)
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Mul<i64> for Span {
    type Output = Self;
    fn mul(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Div<i64> for Span {
    type Output = Self;
    fn div(self, divisor: i64) -> Self {
        Self(self.0 / divisor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_towards_the_past_also_before_the_origin() {
        let step = Span::from_secs(15);
        assert_eq!(Timestamp::from_secs(44).floor_to(step), Timestamp::from_secs(30));
        assert_eq!(Timestamp::from_secs(-1).floor_to(step), Timestamp::from_secs(-15));
        assert_eq!(Timestamp::from_secs(44).floor_to(Span::ZERO), Timestamp::from_secs(44));
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end + Span::from_secs(1), end);
        assert_eq!(Timestamp::from_micros(i64::MIN).since(end), Span::from_micros(i64::MIN));
        assert_eq!(Span::from_secs_f64(f64::NAN), Span::ZERO);
    }

    #[test]
    fn counts_whole_steps() {
        assert_eq!(Span::from_secs(44).whole_steps(Span::from_secs(15)), 2);
        assert_eq!(Span::from_secs(44).whole_steps(Span::ZERO), 0);
    }
}
