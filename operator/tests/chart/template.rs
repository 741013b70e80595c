//! The small part of Helm's template language to which the chart keeps: `{{ PATH }}`, `quote PATH`, `toJson PATH`, and
//! `if`/`else`/`end` over the truth of `PATH` or over `gt (int PATH) NUMBER`, with `{{-` and `-}}`. Anything else is refused,
//! so that a template cannot leave this part unnoticed.

use serde_json::Value;

/// The text that `template` becomes with `context` (`Values`, `Release`, `Chart`).
pub(crate) fn render(template: &str, context: &Value) -> Result<String, String> {
    let mut out = String::new();
    // One entry per open `if`: whether its present branch is written, and whether it has had its `else`.
    let mut branches: Vec<(bool, bool)> = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after.split_once("}}").ok_or("`{{` without `}}`")?;
        let (trims_left, inside) = inside.strip_prefix('-').map_or((false, inside), |inside| (true, inside));
        let (trims_right, inside) = inside.strip_suffix('-').map_or((false, inside), |inside| (true, inside));
        if writes(&branches) {
            out.push_str(if trims_left { before.trim_end() } else { before });
        }
        act(inside.trim(), context, &mut branches, &mut out)?;
        rest = if trims_right { behind.trim_start() } else { behind };
    }
    if !branches.is_empty() {
        return Err("`if` without `end`".to_owned());
    }
    out.push_str(rest);
    Ok(out)
}

fn writes(branches: &[(bool, bool)]) -> bool {
    branches.iter().all(|(writes, _)| *writes)
}

fn act(action: &str, context: &Value, branches: &mut Vec<(bool, bool)>, out: &mut String) -> Result<(), String> {
    match action.split_once(' ').unwrap_or((action, "")) {
        ("if", condition) => branches.push((holds(condition, context)?, false)),
        ("else", "") => match branches.last_mut() {
            Some((branch, had_else @ false)) => (*branch, *had_else) = (!*branch, true),
            _ => return Err("`else` without `if`".to_owned()),
        },
        ("end", "") => drop(branches.pop().ok_or("`end` without `if`")?),
        // What is not written is read all the same: a wrong path in a branch that is off is wrong.
        _ => {
            let text = value(action, context)?;
            if writes(branches) {
                out.push_str(&text);
            }
        }
    }
    Ok(())
}

fn holds(condition: &str, context: &Value) -> Result<bool, String> {
    if let Some(rest) = condition.strip_prefix("gt (int ") {
        let (path, limit) = rest.split_once(") ").ok_or_else(|| refusal(condition))?;
        let limit: i64 = limit.parse().map_err(|_| refusal(condition))?;
        return Ok(look_up(path, context)?.as_i64().ok_or_else(|| refusal(condition))? > limit);
    }
    Ok(match look_up(condition, context)? {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    })
}

fn value(expression: &str, context: &Value) -> Result<String, String> {
    match expression.split_once(' ') {
        Some(("quote", path)) => Ok(Value::String(plain(look_up(path, context)?)?).to_string()),
        Some(("toJson", path)) => Ok(look_up(path, context)?.to_string()),
        Some(_) => Err(refusal(expression)),
        None => plain(look_up(expression, context)?),
    }
}

/// As Go prints it; a list or map in Go's form is never what a template wants.
fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        other => Err(format!("{other} needs toJson")),
    }
}

fn look_up<'a>(path: &str, context: &'a Value) -> Result<&'a Value, String> {
    let names = path.strip_prefix('.').ok_or_else(|| refusal(path))?;
    names
        .split('.')
        .try_fold(context, |value, name| value.get(name).ok_or_else(|| format!("{path}: there is no {name}")))
}

fn refusal(what: &str) -> String {
    format!("`{what}` is not in the part of the language to which the chart keeps")
}

#[test]
fn the_part_of_the_language_means_what_helm_means() {
    let context = serde_json::json!({ "Values": { "a": "x", "n": 2, "none": "", "list": [{ "k": 1 }], "empty": {} } });
    for (template, expected) in [
        ("a: {{ .Values.a }}\n", "a: x\n"),
        ("a: {{ quote .Values.a }} {{ toJson .Values.list }}", "a: \"x\" [{\"k\":1}]"),
        ("a\n  {{- if .Values.a }}\n  b\n  {{- else }}\n  c\n  {{- end }}\nd", "a\n  b\nd"),
        ("a\n  {{- if .Values.none }}\n  b\n  {{- else }}\n  c\n  {{- end }}\nd", "a\n  c\nd"),
        ("{{ if .Values.empty }}a{{ if .Values.a }}b{{ end }}{{ else }}c{{ end }}", "c"),
        ("{{ if gt (int .Values.n) 1 }}many{{ end }}{{ if gt (int .Values.n) 2 }}more{{ end }}", "many"),
        ("a {{- .Values.n -}}  b", "a2b"),
    ] {
        assert_eq!(render(template, &context).unwrap(), expected, "{template}");
    }
    for template in [
        "{{ .Values.b }}",
        "{{ .Values.a",
        "{{ if .Values.a }}",
        "{{ end }}",
        "{{ else }}",
        "{{ if .Values.a }}{{ else }}{{ else }}{{ end }}",
        "{{ include \"x\" . }}",
        "{{ .Values.list }}",
        "{{ .Values.a | quote }}",
        "{{ if gt .Values.n 1 }}{{ end }}",
        "{{ if .Values.none }}{{ .Values.b }}{{ end }}",
        "{{ range .Values.list }}{{ end }}",
    ] {
        assert!(render(template, &context).is_err(), "{template}");
    }
}
