//! Searches for texts in all the spellings that programs give to bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Texts that must not come out, and where they did.
pub(super) struct Search {
    /// Text and spelling.
    needles: Vec<(String, String)>,
    found: Vec<String>,
    searched_bytes: usize,
}

impl Search {
    pub(super) fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let needles = texts.into_iter().flat_map(|text| {
            let spellings = spellings(text).into_iter();
            spellings.map(move |spelling| (text.to_owned(), spelling))
        });
        Self {
            needles: needles.collect(),
            found: Vec::new(),
            searched_bytes: 0,
        }
    }

    /// The texts that stand in these bytes.
    pub(super) fn texts_in(&self, bytes: &[u8]) -> Vec<&str> {
        let text = String::from_utf8_lossy(bytes);
        let found = self.needles.iter().filter(|(_, form)| text.contains(form));
        found.map(|(text, _)| text.as_str()).collect()
    }

    /// Looks through an output.
    pub(super) fn search(&mut self, place: &str, bytes: &[u8]) {
        self.searched_bytes += bytes.len();
        let text = String::from_utf8_lossy(bytes);
        for (needle, form) in &self.needles {
            if let Some(at) = text.find(form) {
                let before: String = text[..at].chars().rev().take(120).collect();
                let before: String = before.chars().rev().collect();
                self.found
                    .push(format!("{needle} in {place} after {before:?}"));
            }
        }
    }

    /// Fails with every place, and if there was next to nothing to search.
    pub(super) fn assert_nothing_found(&self, at_least_bytes: usize) {
        assert!(
            self.found.is_empty(),
            "{} hits:\n{}",
            self.found.len(),
            self.found.join("\n")
        );
        assert!(
            self.searched_bytes >= at_least_bytes,
            "only {} bytes were searched",
            self.searched_bytes
        );
    }
}

/// A text as UTF-8, as hexadecimal digits, as lists of numbers, as base64, and with the escapes of JSON, Rust and URLs.
fn spellings(text: &str) -> Vec<String> {
    let each = |spell: &dyn Fn(u8) -> String, glue: &str| {
        let bytes: Vec<String> = text.bytes().map(spell).collect();
        bytes.join(glue)
    };
    let escaped = |spell: &dyn Fn(u32) -> String| -> String {
        let spelt = text.chars().map(|c| match c.is_ascii() {
            true => c.to_string(),
            false => spell(u32::from(c)),
        });
        spelt.collect()
    };
    let bytes_escaped = |mark: &str| {
        each(
            &|byte| match byte.is_ascii() {
                true => char::from(byte).to_string(),
                false => format!("{mark}{byte:02x}"),
            },
            "",
        )
    };
    let mut all = vec![
        text.to_owned(),
        each(&|byte| format!("{byte:02x}"), ""),
        each(&|byte| format!("{byte:02X}"), ""),
        each(&|byte| byte.to_string(), ","),
        each(&|byte| byte.to_string(), ", "),
        STANDARD.encode(text).trim_end_matches('=').to_owned(),
        escaped(&|c| format!("\\u{c:04x}")),
        escaped(&|c| format!("\\u{{{c:x}}}")),
        bytes_escaped("\\x"),
        bytes_escaped("%").to_uppercase(),
    ];
    all.sort();
    all.dedup();
    all
}

#[test]
fn a_text_is_found_in_every_spelling() {
    let mut search = Search::new(["王1"]);
    for spelt in [
        "王1",
        "e78e8b31",
        "E78E8B31",
        "[231,142,139,49]",
        "[231, 142, 139, 49]",
        "546LMQ==",
        "\"\\u738b1\"",
        "\\u{738b}1",
        "b\"\\xe7\\x8e\\x8b1\"",
        "?name=%E7%8E%8B1",
    ] {
        let found = search.texts_in(format!("before {spelt} behind").as_bytes());
        assert!(found.contains(&"王1"), "{spelt}");
    }
    assert!(search.texts_in(b"nothing of it").is_empty());
    search.search("nowhere", b"nothing of it");
    search.assert_nothing_found(13);
}
