//! What a reader says about the shape of a text, in the words of TOML; and texts of strangers as they may be shown.
//!
//! Readers speak of the types of a programming language (`invalid type: map, expected f64`); who wrote the file knows tables and
//! numbers. A text in a message is short and holds nothing that moves a terminal's cursor.

use super::nearest;

/// Names that a message lists.
const MOST_NAMES: usize = 8;
/// Characters of a text that a message repeats.
const MOST_CHARS: usize = 60;

/// `invalid type: map, expected f64` as `is a table, must be a number`; what is no such sentence is left as it is.
#[must_use]
pub fn reworded(said: &str) -> String {
    if let Some(key) = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return format!("lacks the key `{key}`");
    }
    let rest = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "));
    match rest.and_then(|rest| rest.split_once(", expected ")) {
        Some((got, "f64")) if got.ends_with(" as i128") => format!("is {}, must be written with a point", found(got)),
        Some((got, wanted)) => format!("is {}, must be {}", found(got), expected(wanted)),
        None => said.to_owned(),
    }
}

/// What a reader found.
fn found(got: &str) -> String {
    match got {
        "map" | "struct variant" => return "a table".to_owned(),
        "sequence" | "tuple variant" => return "a list".to_owned(),
        "unit variant" => return "a name alone".to_owned(),
        "null" | "unit value" => return "nothing".to_owned(),
        _ => {}
    }
    let value = got.strip_suffix(" as i128").or_else(|| got.strip_suffix(" as u128")).unwrap_or(got);
    let number = ["integer `", "floating point `", "boolean `"].iter().find_map(|kind| value.strip_prefix(kind));
    if let Some(number) = number {
        return number.trim_end_matches('`').to_owned();
    }
    match value.strip_prefix("string \"").and_then(|text| text.strip_suffix('"')) {
        Some(text) => format!("the text \"{}\"", short(text)),
        None => value.to_owned(),
    }
}

/// What a reader wanted.
#[must_use]
pub fn expected(wanted: &str) -> String {
    let words = match wanted {
        "f32" | "f64" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65,535",
        "u32" => "a whole number from 0 to 4,294,967,295",
        "u64" | "usize" => "a whole number from 0 to 18,446,744,073,709,551,615",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a string" | "string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list: [ … ]",
        "a map" => "a table",
        other if other.starts_with("struct ") || other.starts_with("internally tagged enum ") => "a table",
        other => other,
    };
    words.to_owned()
}

/// A word that a reader does not know, and those that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// The word.
    pub word: &'a str,
    known: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    /// Of a sentence about an unknown key.
    #[must_use]
    pub fn field(said: &'a str) -> Option<Self> {
        Self::after("unknown field `", said)
    }

    /// Of a sentence about an unknown name of a kind.
    #[must_use]
    pub fn variant(said: &'a str) -> Option<Self> {
        Self::after("unknown variant `", said)
    }

    fn after(prefix: &str, said: &'a str) -> Option<Self> {
        let (word, rest) = said.strip_prefix(prefix)?.split_once('`')?;
        Some(Self { word, known: rest.split('`').skip(1).step_by(2).collect() })
    }

    /// What was probably meant, and what is known.
    #[must_use]
    pub fn hint(&self) -> String {
        let mut names = nearest::first(self.word, self.known.iter().copied());
        let more = names.len().saturating_sub(MOST_NAMES);
        names.truncate(MOST_NAMES);
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        let known = names.join(", ") + &tail;
        match nearest::of(self.word, self.known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? (known here: {known})"),
            None if known.is_empty() => "no key is known here".to_owned(),
            None => format!("known here: {known}"),
        }
    }
}

/// The beginning of a long text, with its length.
#[must_use]
pub fn short(text: &str) -> String {
    shortened(text, MOST_CHARS)
}

/// The first `most` characters of a longer text, with its length.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    format!("{}… ({length} characters)", text.chars().take(most).collect::<String>())
}

/// A name as a message repeats it.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("`{}`", short(name))
}

/// Whether a text can be shown as it is: it neither controls a terminal nor changes the direction of writing.
#[must_use]
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(controls)
}

/// The text with what controls a terminal as `\u{7}`.
#[must_use]
pub fn printable(text: &str) -> String {
    let escaped = |c: char| if controls(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// Control characters, and the marks, embeddings and isolates of the Unicode bidirectional algorithm (UAX #9, 2).
fn controls(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_said_in_the_words_of_toml() {
        for (said, words) in [
            ("invalid type: map, expected f64", "is a table, must be a number"),
            ("invalid value: integer `-1`, expected u32", "is -1, must be a whole number from 0 to 4,294,967,295"),
            (
                "invalid type: integer `99999999999999999999` as i128, expected f64",
                "is 99999999999999999999, must be written with a point",
            ),
            (
                "invalid type: floating point `1.5`, expected u64",
                "is 1.5, must be a whole number from 0 to 18,446,744,073,709,551,615",
            ),
            ("invalid type: string \"1800\", expected f64", "is the text \"1800\", must be a number"),
            ("invalid type: boolean `true`, expected a string", "is true, must be a text in quotes"),
            ("invalid type: sequence, expected struct ServiceSpec", "is a list, must be a table"),
            ("invalid type: map, expected a sequence", "is a table, must be a list: [ … ]"),
            ("missing field `mean`", "lacks the key `mean`"),
            ("something else", "something else"),
        ] {
            assert_eq!(reworded(said), words);
        }
    }

    #[test]
    fn unknown_words_come_with_those_that_are_known() {
        let said = "unknown field `targte`, expected one of `metric`, `target`";
        let unknown = Unknown::field(said).unwrap();
        assert_eq!(
            (unknown.word, unknown.hint().as_str()),
            ("targte", "did you mean `target`? (known here: target, metric)")
        );
        assert_eq!(Unknown::field("unknown field `x`, there are no fields").unwrap().hint(), "no key is known here");
        assert_eq!(Unknown::variant(said), None);
    }

    #[test]
    fn texts_are_short_and_control_nothing() {
        assert_eq!(short("abc"), "abc");
        let long = "ä".repeat(5_000);
        assert_eq!(short(&long), format!("{}… (5000 characters)", "ä".repeat(60)));
        assert_eq!(printable("a\u{7}b\u{202e}c\nd"), "a\\u{7}b\\u{202e}c\\u{a}d");
        assert!(is_printable("Ünïcode, 漢字 “quoted”") && !is_printable("a\tb") && !is_printable("\u{2066}"));
    }
}
