//! What can be wrong with an answer of Prometheus: each message says what and what to do; the caller names the server or file.

/// An answer could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The bytes are not an answer of the API.
    #[error(
        "not an answer of Prometheus' HTTP API ({detail}). Check that the address is Prometheus' own (such as http://prometheus:9090, \
         without /graph), or that the file is the unchanged answer of /api/v1/query_range"
    )]
    NotAnAnswer {
        /// What the JSON reader said, with line and column.
        detail: String,
    },
    /// Prometheus answered that it failed.
    #[error("Prometheus says {error_type}: {message}. Mend the query, or look at Prometheus if it timed out")]
    Failed {
        /// `errorType`: `bad_data`, `execution`, `timeout`, `canceled`, `internal`, `unavailable`, `not_found`.
        error_type: String,
        /// Its own words, shortened.
        message: String,
    },
    /// A type of result that this request cannot have.
    #[error("the answer is a {found}, {wanted} was expected. Ask {path} and give its answer unchanged")]
    WrongType {
        /// `resultType` of the answer.
        found: &'static str,
        /// What was expected.
        wanted: &'static str,
        /// The path that answers so.
        path: &'static str,
    },
    /// The result holds native histograms, which are no numbers.
    #[error(
        "element {element} of the answer is a native histogram, not a number. Reduce it in the query, for example with \
         histogram_count(), histogram_sum() or histogram_quantile()"
    )]
    Histogram {
        /// Its position, from 0.
        element: usize,
    },
}

impl AnswerError {
    /// Longest text of a server that is repeated in a message, in bytes.
    const LONGEST_TEXT: usize = 500;

    pub(crate) fn failed(error_type: Option<String>, message: Option<String>) -> Self {
        Self::Failed {
            error_type: error_type.map_or_else(|| "an error without a type".to_owned(), |text| shorten(&text)),
            message: message.map_or_else(|| "no reason given".to_owned(), |text| shorten(&text)),
        }
    }
}

/// `text` on one line and at most [`AnswerError::LONGEST_TEXT`] bytes long: what a server says ends up in logs and status.
fn shorten(text: &str) -> String {
    let mut short = String::new();
    for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if short.len() + character.len_utf8() > AnswerError::LONGEST_TEXT {
            return short + "…";
        }
        short.push(character);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_short_line() {
        assert_eq!(shorten("two\nlines\u{1b}[31m"), "two lines [31m");
        let long = shorten(&"é".repeat(10_000));
        assert!(long.ends_with('…') && long.len() <= AnswerError::LONGEST_TEXT + '…'.len_utf8(), "{}", long.len());
    }
}
