//! What an id is, and ids inside a text that joins several of them (K42).

use std::borrow::Cow;

/// Stands between ids in a text: `unique_id`, dedupe keys of alerts, lists as text.
pub const SEPARATOR: char = '|';

/// Most bytes of an id.
pub const MAX_BYTES: usize = 256;

/// Whether the text is an id: 1-256 bytes without control characters.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The id with `|` and `%` written as `%7C` and `%25`, so that texts that join different ids differ.
///
/// ```
/// use schemas::id::{escaped, unescaped};
///
/// assert_eq!(escaped("S|1%"), "S%7C1%25");
/// assert_eq!(unescaped("S%7C1%25"), "S|1%");
/// ```
pub fn escaped(id: &str) -> Cow<'_, str> {
    if id.contains([SEPARATOR, '%']) {
        Cow::Owned(id.replace('%', "%25").replace(SEPARATOR, "%7C"))
    } else {
        Cow::Borrowed(id)
    }
}

/// The id that [`escaped`] wrote.
pub fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains('%') {
        Cow::Owned(text.replace("%7C", "|").replace("%25", "%"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Ids in one text, each [`escaped`]: different ids give different texts.
pub fn joined<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (position, id) in ids.into_iter().enumerate() {
        if position > 0 {
            text.push(SEPARATOR);
        }
        text.push_str(&escaped(id));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids() -> impl Strategy<Value = Vec<String>> {
        // Few characters, so that escapes and their parts meet.
        prop::collection::vec("[a|%7C25]{1,6}", 1..4)
    }

    fn text(ids: &[String]) -> String {
        joined(ids.iter().map(String::as_str))
    }

    proptest! {
        #[test]
        fn k42_joined_ids_can_be_told_apart(left in ids(), right in ids()) {
            prop_assert_eq!(left == right, text(&left) == text(&right));
        }

        #[test]
        fn k42_a_joined_text_says_which_ids_it_holds(ids in ids()) {
            let text = text(&ids);
            let read: Vec<_> = text.split(SEPARATOR).map(unescaped).collect();
            prop_assert_eq!(read, ids);
        }
    }

    #[test]
    fn k42_an_id_has_1_to_256_bytes_and_no_control_character() {
        let longest = "x".repeat(256);
        for id in ["C", "订单 1", " C1 ", &longest] {
            assert!(is_id(id), "{id}");
        }
        let too_long = "x".repeat(257);
        for text in ["", "C\u{1b}[1m", "C\0", "C\n", "C\u{85}", &too_long] {
            assert!(!is_id(text), "{text:?}");
        }
    }

    #[test]
    fn k42_only_the_two_characters_are_written_otherwise() {
        assert_eq!(joined(["S1", "T-2"]), "S1|T-2");
        assert_eq!(joined(["a|b", "50%", "%7C"]), "a%7Cb|50%25|%257C");
        assert!(matches!(escaped("订单 1"), Cow::Borrowed(_)));
    }
}
