//! Where a statement ends: at a `;` outside of string literals, quoted names and comments.

/// The text without the byte-order mark that some editors begin a file with.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The bytes up to and including the `;` that ends the first statement.
pub(super) fn end(text: &str) -> Option<usize> {
    let mut rest = text;
    while let Some(at) = rest.find([';', '\'', '"', '-', '/', '$']) {
        let from = &rest[at..];
        let before = &text[..text.len() - from.len()];
        let length = match from.as_bytes() {
            [b';', ..] => return Some(text.len() - from.len() + 1),
            [b'-', b'-', ..] => from.find('\n')?,
            [b'/', b'*', ..] => comment(from)?,
            [b'\'', ..] if is_escape_string(before) => escape_string(from)?,
            [b'$', ..] => dollar_string(before, from)?,
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

/// Whether a quote behind this text opens a literal with escapes, `E'it\\'s'`.
fn is_escape_string(before: &str) -> bool {
    let mut chars = before.chars().rev();
    matches!(chars.next(), Some('e' | 'E')) && !chars.next().is_some_and(is_of_name)
}

/// Length of the literal with escapes that the text begins with.
fn escape_string(text: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text[at..].find(['\\', '\''])?;
        match &text.as_bytes()[at..] {
            [b'\\', ..] => at += 1 + text[at + 1..].chars().next()?.len_utf8(),
            [b'\'', b'\'', ..] => at += 2,
            _ => return Some(at + 1),
        }
    }
}

/// Length of the literal `$tag$ … $tag$` that the text begins with; of the sign alone where it opens none.
fn dollar_string(before: &str, text: &str) -> Option<usize> {
    let tag_end = text[1..].find(|c| !is_of_name(c)).map(|end| end + 1);
    let opening = tag_end
        .filter(|&end| text[end..].starts_with('$') && !before.ends_with(is_of_name))
        .filter(|&end| !text[1..end].starts_with(|c: char| c.is_ascii_digit()))
        .map(|end| &text[..=end]);
    match opening {
        Some(tag) => Some(2 * tag.len() + text[tag.len()..].find(tag)?),
        None => Some(1),
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
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
            ("SELECT $$a;b$$ ;x", Some("SELECT $$a;b$$ ;")),
            ("SELECT $t$a;$$;b$t$ ;x", Some("SELECT $t$a;$$;b$t$ ;")),
            ("SELECT $1, a$b$; x$b$", Some("SELECT $1, a$b$;")),
            ("SELECT $$open;", None),
            ("SELECT E'it\\'s; ''' ;x", Some("SELECT E'it\\'s; ''' ;")),
            ("SELECT E'\\\\';x", Some("SELECT E'\\\\';")),
            ("SELECT name'\\';x", Some("SELECT name'\\';")),
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
