//! Label selectors in the text form in which a scale subresource shows them (`status.selector`).
//!
//! Source: `labels.Parse` of apimachinery. A text that is not understood is `None`: then no pod is selected, rather than all.

use kube::core::{Expression, Selector};

/// The selector that `text` writes.
#[must_use]
pub fn parse(text: &str) -> Option<Selector> {
    let mut selector = Selector::default();
    for part in split(text) {
        selector.extend(Some(expression(part.trim())?));
    }
    // An empty selector would take every pod of the namespace.
    (!selector.selects_all()).then_some(selector)
}

/// Parts between commas that are not inside parentheses.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn expression(text: &str) -> Option<Expression> {
    if let Some(key) = text.strip_prefix('!') {
        return Some(Expression::DoesNotExist(word(key)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Expression::NotEqual(word(key)?, value_of(value)?));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(Expression::Equal(word(key)?, value_of(value)?));
    }
    let Some((key, rest)) = text.split_once(char::is_whitespace) else {
        return Some(Expression::Exists(word(text)?));
    };
    let rest = rest.trim_start();
    let listed = |operator: &str| rest.strip_prefix(operator)?.trim().strip_prefix('(')?.strip_suffix(')');
    if let Some(values) = listed("notin") {
        return Some(Expression::NotIn(word(key)?, values.split(',').map(value_of).collect::<Option<_>>()?));
    }
    Some(Expression::In(word(key)?, listed("in")?.split(',').map(value_of).collect::<Option<_>>()?))
}

fn word(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && !text.contains(['(', ')', ',', '=', '!', ' '])).then(|| text.to_owned())
}

fn value_of(text: &str) -> Option<String> {
    if text.trim().is_empty() { Some(String::new()) } else { word(text) }
}

#[cfg(test)]
mod tests {
    use kube::core::SelectorExt;

    use super::*;

    #[test]
    fn selectors_select_what_kubectl_would() {
        let labels = [("app", "web"), ("tier", "front"), ("canary", "")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for (text, selected) in [
            ("app=web", true),
            ("app==web, tier = front", true),
            ("app!=web", false),
            ("zone!=a", true),
            ("app in (api, web),tier", true),
            ("app notin (api,web)", false),
            ("!zone,canary=", true),
            ("zone", false),
        ] {
            assert_eq!(parse(text).unwrap().matches(&labels), selected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_selects_nothing() {
        for text in ["", ",", "app in web", "app in (a,b", "=web", "a b c", "app=(x)"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
