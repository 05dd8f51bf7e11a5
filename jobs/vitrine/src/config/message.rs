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
            format!("found {}, expected {expected}{hint}", kind_of(found))
        }
        Kind::InvalidValue(found, expected) => {
            format!("found {} that is none of {expected}", kind_of(found))
        }
        other => other.to_string(),
    }
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

/// A URL without user, password and query: they may be secrets.
pub(crate) fn shown_url(url: &str) -> String {
    let (url, has_query) = match url.split_once('?') {
        Some((url, _)) => (url, true),
        None => (url, false),
    };
    let query = if has_query { "?…" } else { "" };
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority
                .rsplit_once('@')
                .map_or(authority, |(_, host)| host);
            let hidden = if host.len() < authority.len() {
                "…@"
            } else {
                ""
            };
            format!("{scheme}://{hidden}{host}{path}{query}")
        }
        None => format!("{url}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, shown) in [
            ("file:///var/lib/vitrine", "file:///var/lib/vitrine"),
            ("s3://AKIA:Hush-1@bucket/a@b", "s3://…@bucket/a@b"),
            ("https://host?sig=hush", "https://host?…"),
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
