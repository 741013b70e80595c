//! From the PromQL of a policy to the PromQL that is sent: `$namespace`, `$pods`, `$range` and `$wait` are filled in.
//!
//! Values are written so that they mean the same in single and double quotes: no quote and no backslash is needed for any
//! name that Kubernetes allows. Other `$names` stay as they are (`label_replace` has its own).

use seatrial_core::time::Span;

use super::error::PrometheusError;

/// Longest query that is sent, in bytes.
pub const LONGEST_QUERY: usize = 64 * 1024;
/// Kubernetes cuts the stem of a generated name so that the name has at most 63 characters, 5 of them random.
const LONGEST_STEM: usize = 58;
/// Most characters of the hash of a pod template, which the Deployment controller appends.
const LONGEST_HASH: usize = 10;

/// The values that queries are filled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    namespace: String,
    pods: String,
    range: String,
    wait: String,
}

impl Template {
    /// For the pods of the workload `kind`/`name` in `namespace`, scraped every `scrape_interval`; good requests wait at most `wait`.
    #[must_use]
    pub fn new(namespace: &str, (kind, name): (&str, &str), scrape_interval: Span, wait: Span) -> Self {
        Self {
            namespace: escape_text(namespace),
            pods: escape_text(&pods_pattern(kind, name)),
            range: duration(scrape_interval * 2),
            wait: go_float(wait.as_secs_f64()),
        }
    }

    /// `query` with the values filled in.
    ///
    /// # Errors
    /// If it becomes longer than [`LONGEST_QUERY`].
    pub fn fill(&self, query: &str) -> Result<String, PrometheusError> {
        let mut filled = String::with_capacity(query.len() + 256);
        let mut rest = query;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            let length =
                from[1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(from.len(), |n| n + 1);
            let (name, after) = from.split_at(length);
            filled.push_str(before);
            filled.push_str(self.value(name));
            rest = after;
            if filled.len() > LONGEST_QUERY {
                break;
            }
        }
        filled.push_str(rest);
        if filled.len() > LONGEST_QUERY {
            return Err(PrometheusError::QueryTooLong { limit_bytes: LONGEST_QUERY });
        }
        // Kept for as long as the policy: a thousand policies have eleven each.
        filled.shrink_to_fit();
        Ok(filled)
    }

    fn value<'a>(&'a self, name: &'a str) -> &'a str {
        match name {
            "$namespace" => &self.namespace,
            "$pods" => &self.pods,
            "$range" => &self.range,
            "$wait" => &self.wait,
            other => other,
        }
    }
}

/// A regular expression for the names of the pods of a workload.
///
/// Deployment: stem, hash of the template, 5 random characters; ReplicaSet: stem and 5 random; StatefulSet: stem and ordinal;
/// anything else: whatever begins with the name and a dash. Names are cut as Kubernetes cuts them.
/// Sources: `apiserver/pkg/storage/names`, `controller_utils.go`, `stateful_set_utils.go`.
#[must_use]
pub fn pods_pattern(kind: &str, name: &str) -> String {
    let stem = escape_pattern(name);
    // Names are ASCII; a length in characters is one in bytes. The dash belongs to the stem.
    let length = name.chars().count();
    match kind {
        "Deployment" => match LONGEST_STEM.checked_sub(length + 2) {
            Some(room) if room >= LONGEST_HASH => format!("{stem}-[0-9a-z]{{1,{LONGEST_HASH}}}-[0-9a-z]{{5}}"),
            // The hash is cut, and the dash after it: the random part follows at once.
            Some(room @ 1..) => {
                format!("(?:{stem}-[0-9a-z]{{1,{room}}}-[0-9a-z]{{5}}|{stem}-[0-9a-z]{{{}}})", room + 6)
            }
            _ => cut(name, &format!("[0-9a-z]{{{}}}", (LONGEST_STEM + 5).saturating_sub(length + 1).clamp(5, 6))),
        },
        "ReplicaSet" if length < LONGEST_STEM => format!("{stem}-[0-9a-z]{{5}}"),
        "ReplicaSet" => cut(name, "[0-9a-z]{5}"),
        "StatefulSet" => format!("{stem}-[0-9]+"),
        _ => format!("{stem}-.+"),
    }
}

/// The pattern of a name so long that it is cut: the first characters of the stem, then `random`.
fn cut(name: &str, random: &str) -> String {
    let stem: String = format!("{name}-").chars().take(LONGEST_STEM).collect();
    escape_pattern(&stem) + random
}

/// `name` as a regular expression that matches it alone (RE2 syntax).
fn escape_pattern(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => pattern.push(character),
            '.' => pattern.push_str("[.]"),
            other => pattern.push_str(&format!("\\x{{{:X}}}", u32::from(other))),
        }
    }
    pattern
}

/// `text` as the inside of a PromQL string in single or double quotes.
fn escape_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '"' | '\'' | '`' | '\0'..='\u{1f}' => escaped.push_str(&format!("\\x{:02x}", u32::from(character))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A length of time as PromQL writes it: seconds, or milliseconds where they do not do.
fn duration(span: Span) -> String {
    let millis = span.micros() / 1_000;
    if millis % 1_000 == 0 { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}

/// A number as Go prints it with `strconv.FormatFloat(x, 'g', -1, 64)`, which exporters use for `le`: shortest form, with
/// an exponent of at least two digits below 1e-4 and from 1e6 on.
fn go_float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return format!("{value}");
    }
    format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(kind: &str, name: &str) -> Template {
        Template::new("shop", (kind, name), Span::from_secs(15), Span::from_millis(120))
    }

    #[test]
    fn fills_in_what_it_knows_and_nothing_else() {
        let web = template("Deployment", "web.v2");
        for (query, filled) in [
            (r#"x{pod=~"$pods"}[$range]"#, r#"x{pod=~"web[.]v2-[0-9a-z]{1,10}-[0-9a-z]{5}"}[30s]"#),
            (r#"x{namespace='$namespace',le=~"$wait([.]0)?"}"#, r#"x{namespace='shop',le=~"0.12([.]0)?"}"#),
            (r#"label_replace(x,"a","$1-$name","b","(.*)")"#, r#"label_replace(x,"a","$1-$name","b","(.*)")"#),
            ("$podsX $ $$range 9$", "$podsX $ $30s 9$"),
            ("up", "up"),
            ("é$wait", "é0.12"),
        ] {
            assert_eq!(web.fill(query).unwrap(), filled, "{query}");
        }
    }

    #[test]
    fn no_value_can_end_the_string_it_stands_in() {
        let evil =
            Template::new("a\"} or vector(1) #", ("Deployment", "x\"})'`\\"), Span::from_secs(1), Span::from_secs(1));
        let filled = evil.fill(r#"up{namespace="$namespace",pod=~"$pods"}"#).unwrap();
        assert_eq!(filled.matches('"').count(), 4, "{filled}");
        assert_eq!(filled.matches(['\'', '`']).count(), 0, "{filled}");
        let name = "$namespace";
        assert!(!template("Job", name).fill("$pods").unwrap().contains("shop"), "filled once, not twice");
    }

    #[test]
    fn a_query_that_grows_without_bound_is_refused() {
        let web = template("Deployment", &"w".repeat(250));
        let error = web.fill(&"$pods".repeat(20_000)).unwrap_err();
        assert_eq!(error, PrometheusError::QueryTooLong { limit_bytes: LONGEST_QUERY });
        assert!(web.fill(&"x".repeat(LONGEST_QUERY)).is_ok());
        assert!(web.fill(&"x".repeat(LONGEST_QUERY + 1)).is_err());
    }

    #[test]
    fn patterns_of_ordinary_names() {
        for (kind, pattern) in [
            ("Deployment", "web-[0-9a-z]{1,10}-[0-9a-z]{5}"),
            ("ReplicaSet", "web-[0-9a-z]{5}"),
            ("StatefulSet", "web-[0-9]+"),
            ("Rollout", "web-.+"),
        ] {
            assert_eq!(pods_pattern(kind, "web"), pattern);
        }
    }

    /// What Kubernetes makes of a name, written from its rules and not from the patterns: `(stem + "-")[..58] + 5 random`.
    fn generated(owner: &str) -> String {
        format!("{owner}-").chars().take(58).chain("x7k2p".chars()).collect()
    }

    /// A pattern as its literal stem and the lengths of the runs of random characters that may follow, dashes kept.
    fn matches(pattern: &str, name: &str) -> bool {
        let alternatives = pattern.strip_prefix("(?:").map_or(pattern, |inner| &inner[..inner.len() - 1]);
        alternatives.split('|').any(|alternative| matches_one(alternative, name))
    }

    /// Backtracking over the few forms in use: literals, `[0-9a-z]{n}`, `[0-9a-z]{n,m}`.
    fn matches_one(pattern: &str, name: &str) -> bool {
        let Some(first) = pattern.chars().next() else { return name.is_empty() };
        let Some(rest) = pattern.strip_prefix("[0-9a-z]{") else {
            return name.strip_prefix(first).is_some_and(|name| matches_one(&pattern[1..], name));
        };
        let (count, rest) = rest.split_once('}').unwrap();
        let (least, most) = count.split_once(',').unwrap_or((count, count));
        let (least, most): (usize, usize) = (least.parse().unwrap(), most.parse().unwrap());
        (least..=most).any(|n| {
            let head =
                name.get(..n).is_some_and(|head| head.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase()));
            head && matches_one(rest, &name[n..])
        })
    }

    #[test]
    fn names_of_every_length_match_their_pods_and_not_their_neighbours() {
        for length in 1..=253 {
            let name = "a".repeat(length);
            let deployment = pods_pattern("Deployment", &name);
            for hash in ["5", "7d9f8", "7d9f8c6b54", "65c79bdc4"] {
                let pod = generated(&format!("{name}-{hash}"));
                assert!(matches(&deployment, &pod), "{length}: {deployment} {pod}");
            }
            let replica_set = pods_pattern("ReplicaSet", &name);
            assert!(matches(&replica_set, &generated(&name)), "{length}: {replica_set}");
            if length < 40 {
                let canary = generated(&format!("{name}-canary-7d9f8c6b54"));
                assert!(!matches(&deployment, &canary) && !matches(&replica_set, &canary), "{length}");
            }
        }
    }

    /// `le` labels that Prometheus 2.42 exposes of itself; below 1e-4, the rule of Go's strconv: an exponent of two digits.
    #[test]
    fn numbers_are_printed_as_go_prints_them() {
        for text in [
            "0",
            "0.005",
            "0.01",
            "0.025",
            "0.1",
            "0.25",
            "0.99",
            "1",
            "2.5",
            "13.5",
            "102.515625",
            "153.7734375",
            "1230.1875",
            "1845.28125",
            "1000",
            "100000",
            "102400",
            "1e+06",
            "1.6384e+06",
            "1e+07",
            "1e+09",
            "0.0001",
            "1e-05",
            "1.5e-07",
        ] {
            assert_eq!(go_float(text.parse().unwrap()), text);
        }
        for (millis, text) in [(120, "0.12"), (1, "0.001"), (2_500, "2.5"), (1_000, "1"), (600_000, "600")] {
            assert_eq!(go_float(Span::from_millis(millis).as_secs_f64()), text);
        }
    }

    #[test]
    fn ranges_are_two_intervals() {
        for (millis, text) in [(15_000, "30s"), (1_000, "2s"), (750, "1500ms"), (250, "500ms"), (3_600_000, "7200s")] {
            assert_eq!(duration(Span::from_millis(millis) * 2), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_filled_without_a_crash(query in "\\PC{0,80}", name in "\\PC{0,300}") {
            let _ = template("Deployment", &name).fill(&query);
            let _ = pods_pattern("ReplicaSet", &name);
        }
    }
}
