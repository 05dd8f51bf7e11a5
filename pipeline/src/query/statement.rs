//! Where a statement ends: at a `;` outside of string literals, quoted names and comments.
//!
//! What splits a script reads it as the parser does, so that nothing of it is lost between them: a comment or quote that nothing ends
//! is part of the last statement, which the parser then refuses. As in PostgreSQL, a carriage return ends a line, and with it a
//! comment behind `--`.

use std::borrow::Cow;

/// The text without the byte-order mark that some editors begin a file with.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The bytes up to and including the `;` that ends the first statement.
pub fn end(text: &str) -> Option<usize> {
    let mut at = 0;
    for piece in pieces(text) {
        at += piece.text.len();
        if piece.kind == Kind::End {
            return Some(at);
        }
    }
    None
}

/// The statements of a script, without those that are empty. The last one needs no `;`.
pub fn split(script: &str) -> impl Iterator<Item = &str> {
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

/// Whether there are only blanks, comments that end, and `;`.
pub fn is_blank(statement: &str) -> bool {
    pieces(statement).all(|piece| match piece.kind {
        Kind::End | Kind::LineComment => true,
        // `/*! … */` is read by the parser.
        Kind::BlockComment => !piece.text.starts_with("/*!"),
        Kind::Plain => piece.text.trim().is_empty(),
        Kind::Quoted | Kind::Unclosed => false,
    })
}

/// The text with a line feed for each carriage return that stands alone, but for those inside of quotes.
pub(super) fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    let mut unified = String::with_capacity(text.len());
    for piece in pieces(text) {
        if matches!(piece.kind, Kind::Quoted | Kind::Unclosed) {
            unified.push_str(piece.text);
            continue;
        }
        let mut chars = piece.text.chars().peekable();
        while let Some(c) = chars.next() {
            let is_alone = c == '\r' && chars.peek() != Some(&'\n');
            unified.push(if is_alone { '\n' } else { c });
        }
    }
    Cow::Owned(unified)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    /// A `;`.
    End,
    /// With the end of its line, if it has one.
    LineComment,
    BlockComment,
    /// A literal or a name.
    Quoted,
    /// A comment or quote that nothing ends: all that is left.
    Unclosed,
}

struct Piece<'a> {
    kind: Kind,
    text: &'a str,
}

/// The text in pieces, none of them empty.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (before, rest) = text.split_at(at);
        if rest.is_empty() {
            return None;
        }
        let (kind, length) = match first_piece(before, rest) {
            (kind, Some(length)) => (kind, length),
            (_, None) => (Kind::Unclosed, rest.len()),
        };
        at += length;
        Some(Piece {
            kind,
            text: &rest[..length],
        })
    })
}

/// The piece that the text begins with; no length where nothing ends it.
fn first_piece(before: &str, text: &str) -> (Kind, Option<usize>) {
    match text.as_bytes() {
        [b';', ..] => (Kind::End, Some(1)),
        [b'-', b'-', ..] => (Kind::LineComment, Some(line(text))),
        [b'/', b'*', ..] => (Kind::BlockComment, comment(text)),
        [b'\'', ..] if is_prefixed(before, &["e"]) => (Kind::Quoted, escape_string(text)),
        [b'\'', ..] if is_prefixed(before, &["q", "nq"]) => (Kind::Quoted, delimited_string(text)),
        [b'$', ..] => match dollar_tag(before, text) {
            Some(tag) => (Kind::Quoted, dollar_string(tag, text)),
            None => (Kind::Plain, Some(1)),
        },
        // A doubled quote ends one literal and begins the next.
        [quote @ (b'\'' | b'"' | b'`'), ..] => {
            let closing = text[1..].find(char::from(*quote));
            (Kind::Quoted, closing.map(|at| at + 2))
        }
        [first, ..] => {
            // A sign that opens nothing is a piece of its own.
            let from = usize::from(matches!(first, b'-' | b'/'));
            let next = text[from..].find([';', '\'', '"', '`', '-', '/', '$']);
            let length = next.map_or(text.len(), |next| next + from);
            (Kind::Plain, Some(length))
        }
        [] => (Kind::Plain, Some(0)),
    }
}

/// Length of the comment behind `--` and of the end of its line.
fn line(text: &str) -> usize {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => at + 2,
        Some(at) => at + 1,
        None => text.len(),
    }
}

/// Whether a quote behind this text belongs to one of these prefixes: `E'it\\'s'`, `Q'[it's]'`.
fn is_prefixed(before: &str, prefixes: &[&str]) -> bool {
    let word = before.trim_end_matches(is_of_name).len();
    let word = &before[word..];
    prefixes
        .iter()
        .any(|prefix| word.eq_ignore_ascii_case(prefix))
}

/// Length of the literal `'[ … ]'` that the text begins with, with any brackets or signs.
fn delimited_string(text: &str) -> Option<usize> {
    let opening = text[1..].chars().next()?;
    let closing = match opening {
        '[' => ']',
        '{' => '}',
        '<' => '>',
        '(' => ')',
        same => same,
    };
    let inside = 1 + opening.len_utf8();
    let end = format!("{closing}'");
    Some(inside + text[inside..].find(&end)? + end.len())
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

/// The `$tag$` that the text begins with, if it opens a literal.
fn dollar_tag<'a>(before: &str, text: &'a str) -> Option<&'a str> {
    let end = text[1..].find(|c| !is_of_name(c))? + 1;
    let opens = text[end..].starts_with('$')
        && !before.ends_with(is_of_name)
        && !text[1..end].starts_with(|c: char| c.is_ascii_digit());
    opens.then(|| &text[..=end])
}

/// Length of the literal `$tag$ … $tag$` that the text begins with.
fn dollar_string(tag: &str, text: &str) -> Option<usize> {
    Some(2 * tag.len() + text[tag.len()..].find(tag)?)
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
            ("SELECT 1 AS `a;b` ;x", Some("SELECT 1 AS `a;b` ;")),
            ("SELECT `a``;b`;x", Some("SELECT `a``;b`;")),
            ("SELECT q'[it's;]' ;x", Some("SELECT q'[it's;]' ;")),
            ("SELECT NQ'!it's;!' ;x", Some("SELECT NQ'!it's;!' ;")),
            ("SELECT 1 -- no;\r;x", Some("SELECT 1 -- no;\r;")),
            ("SELECT 1", None),
            ("SELECT 'open;", None),
            ("SELECT `open;", None),
            ("SELECT q'[open';", None),
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

    #[test]
    fn what_nothing_ends_is_part_of_the_last_statement() {
        for open in [
            "/* note: SELECT 2;\nSELECT 3 AS c;",
            "/* SELECT 2",
            "/* /* SELECT 2; */",
            "'SELECT 2;",
            "\"SELECT 2;",
            "`SELECT 2;",
            "$$ SELECT 2;",
            "$t$ SELECT 2; $$",
            "E'it\\';",
            "q'[SELECT 2;'",
        ] {
            assert!(!is_blank(open), "{open}");
            let script = format!("SELECT 1 AS a; {open}");
            let statements: Vec<_> = split(&script).collect();
            assert_eq!(statements, ["SELECT 1 AS a;", open]);
        }
        for blank in ["", " ; ;", "-- nothing", "/* nothing; */ -- at all\r\n;"] {
            assert!(is_blank(blank), "{blank}");
        }
        assert!(!is_blank("/*! SELECT 1 */"));
    }

    #[test]
    fn a_carriage_return_ends_a_line_but_not_inside_of_quotes() {
        for (text, unified) in [
            ("SELECT 1 -- x\r, 2", "SELECT 1 -- x\n, 2"),
            ("SELECT 1\r\r\n, 2\r", "SELECT 1\n\r\n, 2\n"),
            ("SELECT 1 -- x\r\n, 2", "SELECT 1 -- x\r\n, 2"),
            ("SELECT 'a\rb', `a\rb`", "SELECT 'a\rb', `a\rb`"),
            ("SELECT 'a\rb", "SELECT 'a\rb"),
            ("/* a\rb */ SELECT 1", "/* a\nb */ SELECT 1"),
            ("SELECT 1", "SELECT 1"),
        ] {
            assert_eq!(with_line_feeds(text), unified, "{text:?}");
        }
        let script = "-- report\rSELECT 1;\r-- end\r";
        assert_eq!(split(script).collect::<Vec<_>>(), ["-- report\rSELECT 1;"]);
    }
}
