//! Quantities of Kubernetes: `"50"`, `"500m"`, `"1k"`, `"1.5"`.

/// The number that a text means.
pub(in crate::tune_command) fn parse(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 12] = [
        ("Ki", 1_024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) = unit.map_or((text, 1.0), |(unit, factor)| (&text[..text.len() - unit.len()], *factor));
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let begins = digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    let number = digits.parse::<f64>().ok().filter(|_| begins && digits.bytes().all(allowed))?;
    Some(number * factor).filter(|number| number.is_finite())
}

/// A number as a quantity: whole, or in thousandths.
pub(in crate::tune_command) fn shown(value: f64) -> String {
    let milli = (value * 1_000.0).round();
    if milli % 1_000.0 == 0.0 { format!("{}", milli / 1_000.0) } else { format!("{milli}m") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_written() {
        for (text, value) in
            [("50", 50.0), ("500m", 0.5), ("1k", 1_000.0), ("1.5", 1.5), ("2Ki", 2_048.0), ("1e3", 1_000.0)]
        {
            let read = parse(text).unwrap();
            assert!((read - value).abs() < 1e-9, "{text}: {read}");
        }
        for text in ["", "m", "five", "5x", "inf", "NaN", "1 000", "0x10", "1e999"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!((shown(50.0), shown(0.5), shown(37.5)), ("50".into(), "500m".into(), "37500m".into()));
    }
}
