//! A look at `recorded_at` without parsing the line.

use memchr::memmem::Finder;

const FIELD: &[u8] = b"\"recorded_at\"";

/// The value of the first `"recorded_at": <integer>` in a line, in ms; `None` where there is none.
///
/// It only orders files among each other, so it may be simple: inside a string the quotes of such a text are escaped and do
/// not match, and a nested object that has the field first orders its line by that, on every run alike.
pub(super) fn recorded_at(line: &[u8]) -> Option<i64> {
    Finder::new(FIELD)
        .find_iter(line)
        .find_map(|at| integer_member(&line[at + FIELD.len()..]))
}

/// Parses `: <integer>` followed by the end of the value.
fn integer_member(rest: &[u8]) -> Option<i64> {
    let value = rest
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    let end = value
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'-'))
        .unwrap_or(value.len());
    let (digits, after) = value.split_at(end);
    if matches!(after.first(), Some(b'.' | b'e' | b'E')) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::recorded_at;

    #[test]
    fn finds_the_field_or_nothing() {
        let table: &[(&str, Option<i64>)] = &[
            (r#"{"recorded_at":1735689600000}"#, Some(1_735_689_600_000)),
            (r#"{"a":1, "recorded_at" :	-5 , "b":2}"#, Some(-5)),
            (r#"{"field":"recorded_at","recorded_at":7}"#, Some(7)),
            (r#"{"note":"\"recorded_at\":3","recorded_at":7}"#, Some(7)),
            (r#"{"recorded_at":"7"}"#, None),
            (r#"{"recorded_at":7.5}"#, None),
            (r#"{"recorded_at":7e3}"#, None),
            (r#"{"recorded_at":99999999999999999999}"#, None),
            (r#"{"recorded_at":null}"#, None),
            (r#"{"recorded_at""#, None),
            (r#"{"recorded_at":12"#, Some(12)),
            ("null", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(recorded_at(line.as_bytes()), *want, "{line}");
        }
        assert_eq!(recorded_at(b"\xff{\"recorded_at\":4}\xfe"), Some(4));
    }
}
