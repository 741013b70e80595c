//! Values by place, and the first place of the greatest value: a tournament with 64 players a match.
//!
//! A value is a byte, so a match is one line of a cache, its winner a handful of vector instructions, and ten thousand places are
//! three levels high. A changed value goes up only as far as it changes a winner: most changes end at the first match.
//! Winners are kept as values, not places: the way down looks for the first player who has the winner's value.

/// Players of a match.
const PLAYERS: usize = 64;
/// Bytes that are compared at once.
const WORD: usize = 8;
/// 1 in every byte of a word.
const ONES: u64 = u64::from_ne_bytes([1; WORD]);

type Match = [u8; PLAYERS];

/// Values by place; 0 stands for nobody.
#[derive(Clone, Debug, Default)]
pub(super) struct Tournament {
    /// Matches by level: those of the first are between places, those of the next between the winners of these, and so on up to a
    /// level of one match. Empty while there are no places.
    levels: Vec<Vec<Match>>,
}

impl Tournament {
    /// Makes room for `places` places, new ones with the value 0. Never shrinks.
    pub(super) fn grow(&mut self, places: usize) {
        let mut matches = places.div_ceil(PLAYERS);
        if self.levels.first().map_or(0, Vec::len) >= matches {
            return;
        }
        for level in 0.. {
            if level == self.levels.len() {
                let former_final = level.checked_sub(1).and_then(|below| self.levels[below].first());
                let winner = former_final.map_or(0, winner);
                self.levels.push(vec![std::array::from_fn(|player| if player == 0 { winner } else { 0 })]);
            }
            self.levels[level].resize(matches, [0; PLAYERS]);
            if matches == 1 {
                return;
            }
            matches = matches.div_ceil(PLAYERS);
        }
    }

    /// Sets the value of a place.
    pub(super) fn set(&mut self, place: usize, value: u8) {
        let (mut place, mut value) = (place, value);
        for level in 0..self.levels.len() {
            let lost = std::mem::replace(&mut self.levels[level][place / PLAYERS][place % PLAYERS], value);
            if lost == value {
                return;
            }
            let (players, Some(above)) = (place / PLAYERS, self.levels.get(level + 1)) else { return };
            let won = above[players / PLAYERS][players % PLAYERS];
            if value < won {
                if lost < won {
                    return;
                }
                value = winner(&self.levels[level][players]);
            }
            place = players;
        }
    }

    /// The first place that has the greatest value; `None` if that is 0.
    pub(super) fn first_of_greatest(&self) -> Option<usize> {
        let greatest = winner(self.levels.last()?.first()?);
        if greatest == 0 {
            return None;
        }
        Some(self.levels.iter().rev().fold(0, |place, matches| place * PLAYERS + first(&matches[place], greatest)))
    }
}

fn winner(players: &Match) -> u8 {
    players.iter().fold(0, |greatest, &value| greatest.max(value))
}

/// The first player who has `value`; the last one if nobody has it.
///
/// A word less `ONES` borrows into the high bit of a byte that is 0; the lowest such byte is certain, those above it are not.
fn first(players: &Match, value: u8) -> usize {
    let wanted = ONES * u64::from(value);
    for (index, word) in players.as_chunks::<WORD>().0.iter().enumerate() {
        let differs = u64::from_le_bytes(*word) ^ wanted;
        let zeros = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if zeros != 0 {
            return index * WORD + zeros.trailing_zeros() as usize / WORD;
        }
    }
    PLAYERS - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_of_equals_wins_at_every_level() {
        let mut tournament = Tournament::default();
        assert_eq!(tournament.first_of_greatest(), None);
        tournament.grow(70_000);
        assert_eq!(tournament.first_of_greatest(), None);
        for place in [69_999, 4_097, 4_096, 127, 64, 63] {
            tournament.set(place, 201);
            assert_eq!(tournament.first_of_greatest(), Some(place));
        }
        tournament.set(63, 200);
        assert_eq!(tournament.first_of_greatest(), Some(64));
    }

    proptest! {
        /// Places 1 to 300,000, few of them in use; many equal values.
        #[test]
        fn equals_a_walk(
            steps in prop::collection::vec((0_usize..600, 0_u8..6, 0_u32..12), 1..200),
        ) {
            let mut tournament = Tournament::default();
            let mut values = Vec::new();
            for (step, (place, value, shift)) in steps.into_iter().enumerate() {
                let places = values.len().max(if step % 20 == 0 { (place << shift).min(300_000) } else { 0 } + 1);
                tournament.grow(places);
                values.resize(places, 0);
                let place = (place * 997) % places;
                tournament.set(place, value);
                values[place] = value;
                let walked = (1..=5).rev().find_map(|value| values.iter().position(|&other| other == value));
                prop_assert_eq!(tournament.first_of_greatest(), walked);
            }
        }

        #[test]
        fn first_equals_position(players in prop::array::uniform32(0_u8..4), others in prop::array::uniform32(0_u8..255)) {
            let joined: Vec<u8> = others.into_iter().chain(players).collect();
            let joined: Match = joined.try_into().unwrap();
            for value in joined {
                prop_assert_eq!(Some(first(&joined, value)), joined.iter().position(|&other| other == value));
            }
            prop_assert_eq!(winner(&joined), *joined.iter().max().unwrap());
        }
    }
}
