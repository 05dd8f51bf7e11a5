//! What is wrong with a configuration, in words that show no secret.
//!
//! A value may be shown where its key says what it is (`"soon" is not a duration`). It is not where only its type is wrong, nor with
//! the text around a mistake of syntax: a password of digits, or a key on that line, would be in the message.

use figment::error::{Actual, Kind};

/// What a layer's error says, without its place.
pub(super) fn what(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(found, expected) => {
            let hint = match found {
                Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) | Actual::Bool(_)
                    if expected.contains("string") =>
                {
                    "; put it in quotes"
                }
                _ => "",
            };
            let expected = form(&expected.to_string());
            format!("found {}, expected {expected}{hint}", kind_of(found))
        }
        Kind::InvalidValue(found, expected) => {
            let expected = form(&expected.to_string());
            format!("found {} out of range, expected {expected}", kind_of(found))
        }
        other => other.to_string(),
    }
}

/// What is expected, in words of a configuration instead of those of the code.
fn form(expected: &str) -> String {
    match expected {
        "usize" | "u64" | "u32" | "u16" => "a whole number that is not negative",
        "f64" => "a number",
        "path string" => "a string",
        other => other,
    }
    .to_owned()
}

/// A value by its type alone.
fn kind_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Bytes(_) => "bytes",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

/// Reads a file as TOML; a mistake comes with its line and column.
pub(super) fn parse(text: &str) -> Result<toml::Table, String> {
    text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let before = &text.as_bytes()[..at];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let column = 1 + before
            .iter()
            .rev()
            .take_while(|&&byte| byte != b'\n')
            .count();
        format!("line {line}, column {column}: no TOML: {}", error.message())
    })
}

/// A URL without user, password, query and fragment: they may be secrets.
///
/// A password may hold any of the characters that part a URL. Where an `@` stands behind the first of them, nobody can say where the
/// password ends, and only the scheme is shown.
pub(crate) fn shown_url(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if path.contains('@') && !authority.is_empty() {
        return format!("{scheme}…");
    }
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => authority.to_owned(),
    };
    let path = match path.find(['?', '#']) {
        Some(end) => format!("{}{}…", &path[..end], &path[end..=end]),
        None => path.to_owned(),
    };
    format!("{scheme}{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, shown) in [
            ("file:///var/lib/vitrine", "file:///var/lib/vitrine"),
            ("file:///home/me@host/v", "file:///home/me@host/v"),
            ("s3://AKIA:Hush-1@bucket/a", "s3://…@bucket/a"),
            ("s3://AKIA:Hu@sh@bucket", "s3://…@bucket"),
            ("s3://AKIA:Hu/sh@bucket/a", "s3://…"),
            ("s3://AKIA:Hu?sh@bucket/a", "s3://…"),
            ("s3://AKIA:Hu#sh@bucket/a", "s3://…"),
            ("AKIA:Hush@bucket/a", "…@bucket/a"),
            ("https://host?sig=hush", "https://host?…"),
            ("https://host/a?sig=hu@sh", "https://…"),
            ("abfs://host/a#sig=hush", "abfs://host/a#…"),
            ("no url", "no url"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }

    #[test]
    fn a_mistake_of_syntax_has_a_place_and_no_text_of_the_file() {
        let error =
            parse("[source]\nbrokers = \"a:1\"\nproperties = { \"sasl.password\" = \"Hush\n")
                .unwrap_err();
        assert!(
            error.starts_with("line 3, column ") && !error.contains("Hush"),
            "{error}"
        );
    }
}
