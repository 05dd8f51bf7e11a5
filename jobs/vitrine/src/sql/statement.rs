//! Where a statement ends: at a `;` outside of string literals, quoted names and comments.

/// The bytes up to and including the `;` that ends the first statement.
pub(super) fn end(text: &str) -> Option<usize> {
    let mut rest = text;
    while let Some(at) = rest.find([';', '\'', '"', '-', '/']) {
        let from = &rest[at..];
        let length = match from.as_bytes() {
            [b';', ..] => return Some(text.len() - from.len() + 1),
            [b'-', b'-', ..] => from.find('\n')?,
            [b'/', b'*', ..] => comment(from)?,
            // A doubled quote ends one literal and begins the next.
            [quote @ (b'\'' | b'"'), ..] => 2 + from[1..].find(char::from(*quote))?,
            _ => 1,
        };
        rest = &from[length..];
    }
    None
}

/// The statements of a script, without those that are empty. The last one needs no `;`.
pub(super) fn split(script: &str) -> impl Iterator<Item = &str> {
    let mut rest = script;
    let statements = std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (statement, after) = rest.split_at(end(rest).unwrap_or(rest.len()));
        rest = after;
        Some(statement.trim())
    });
    statements.filter(|statement| !is_blank(statement))
}

/// Whether there are only blanks, comments and `;`.
pub(super) fn is_blank(statement: &str) -> bool {
    let mut rest = statement.trim_start();
    loop {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest).unwrap_or(rest.len())
        } else {
            return rest.trim_matches(';').trim().is_empty();
        };
        rest = rest[length..].trim_start();
    }
}

/// Length of the comment that the text begins with; comments nest.
fn comment(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_at_a_semicolon_outside_of_literals_and_comments() {
        for (text, statement) in [
            ("SELECT 1; SELECT 2", Some("SELECT 1;")),
            ("SELECT ';', \";\" ;x", Some("SELECT ';', \";\" ;")),
            ("SELECT 'it''s; ' ;x", Some("SELECT 'it''s; ' ;")),
            (
                "SELECT 1 -- no; not yet\n;x",
                Some("SELECT 1 -- no; not yet\n;"),
            ),
            (
                "SELECT /* ; /* ; */ ; */ 1;x",
                Some("SELECT /* ; /* ; */ ; */ 1;"),
            ),
            ("SELECT 3 - 2 / 1;", Some("SELECT 3 - 2 / 1;")),
            ("SELECT '需求;';", Some("SELECT '需求;';")),
            ("SELECT 1", None),
            ("SELECT 'open;", None),
            ("SELECT /* open;", None),
            ("SELECT 1 -- comment;", None),
            ("", None),
        ] {
            assert_eq!(end(text).map(|end| &text[..end]), statement, "{text}");
        }
    }

    #[test]
    fn scripts_are_split_into_statements() {
        let script = "-- report\nSELECT 1;\n\n;SELECT ';' ;\n-- the end\n";
        assert_eq!(
            split(script).collect::<Vec<_>>(),
            ["-- report\nSELECT 1;", "SELECT ';' ;"]
        );
        assert_eq!(split("SELECT 1").collect::<Vec<_>>(), ["SELECT 1"]);
        assert_eq!(split("/* only */ ; -- this").count(), 0);
    }
}
