//! Classes of requests and their tokens.

use seatrial_core::rand::{Stream, draw, open_unit};

use crate::spec::Sampler;

/// A class of a source.
#[derive(Clone, Debug)]
pub(in super::super) struct Class {
    /// Its number among all classes.
    pub(in super::super) id: u16,
    /// Shares of this class and those before it.
    pub(in super::super) share_until: f64,
    pub(in super::super) input_tokens: Option<Sampler>,
    pub(in super::super) output_tokens: Option<Sampler>,
}

/// The classes of a source; without any, requests are of class 0.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Classes(pub(in super::super) Vec<Class>);

impl Classes {
    /// Class and tokens of a request, by slot and number: one draw, of which 32 bits each are more than a class or a token needs.
    pub(super) fn draw(&self, seed: u64, slot: u64, index: u32) -> (u16, [u32; 2]) {
        let Some(last) = self.0.last() else { return (0, [0; 2]) };
        let words = draw(seed, Stream::RequestClass, slot, index);
        let unit = unit_of(words[0]);
        let class = self.0.iter().find(|class| unit < class.share_until).unwrap_or(last);
        (class.id, [tokens(class.input_tokens.as_ref(), words[1]), tokens(class.output_tokens.as_ref(), words[2])])
    }
}

/// A unit in (0, 1) from one word.
fn unit_of(word: u32) -> f64 {
    open_unit(word, 1 << 31)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating and not negative")]
fn tokens(sampler: Option<&Sampler>, word: u32) -> u32 {
    sampler.map_or(0, |sampler| (sampler.at(unit_of(word)) + 0.5) as u32)
}
