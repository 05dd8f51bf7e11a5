//! The files of a folder, and what is written in the repository: its words, its code without tests, its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The top folder of the repository.
pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every file below a folder, in the order of the paths; those that come or go meanwhile may be missing.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    walk(folder, |_| true)
}

/// Files below a folder; what is not `wanted` by its name is left out, a folder with all that it holds.
fn walk(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(next) else {
            continue;
        };
        for entry in entries.flatten() {
            if !wanted(&entry.file_name().to_string_lossy()) {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// Code, queries, settings and documents of the repository, by their path from its top.
pub(crate) fn texts() -> &'static BTreeMap<String, String> {
    static TEXTS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        walk(top(), is_ours)
            .into_iter()
            .filter_map(|path| {
                let from_top = path.strip_prefix(top()).unwrap().to_str()?.to_owned();
                let text = is_text(&from_top).then(|| fs::read_to_string(&path).unwrap())?;
                Some((from_top, text))
            })
            .collect()
    })
}

/// What is hidden or built is not ours, but for the documents of the repository's host.
fn is_ours(name: &str) -> bool {
    let is_hidden = name.starts_with('.') && name != ".github";
    !is_hidden && name != "target" && name != "vitrine-demo"
}

fn is_text(path: &str) -> bool {
    [".rs", ".sql", ".toml", ".py", ".md"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// Path and text of the Rust files whose path from the top begins with `folder`.
pub(crate) fn rust_files(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    texts()
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .filter(move |(path, _)| path.starts_with(folder) && path.ends_with(".rs"))
}

/// Whether a file of a crate holds unit tests: `tests.rs`, and what lies in a folder `tests`.
pub(crate) fn is_unit_test(path: &str) -> bool {
    path.split('/')
        .any(|part| part == "tests" || part == "tests.rs")
}

/// Runs of ASCII letters, digits and `_`, with where they begin.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_of_a_word)?;
        let rest = &text[start..];
        let length = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
        at = start + length;
        Some((start, &text[start..at]))
    })
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The code of a file as it is built outside of tests: each `#[cfg(test)]` goes, with the item that follows it.
pub(crate) fn without_tests(text: &str) -> String {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let code = blanked(text);
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = code[at..].find(ATTRIBUTE) {
        let (from, to) = (at + found, at + found + ATTRIBUTE.len());
        kept.push_str(&text[at..from]);
        at = to + item_length(&code[to..]);
    }
    kept.push_str(&text[at..]);
    kept
}

/// Length of the item with which blanked code begins, further attributes included: up to its closing brace, or to its `;`.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let end = at + c.len_utf8();
        match c {
            ';' if depth == 0 => return end,
            // `use a::{b, c};` has both
            '}' if depth == 0 => return end + usize::from(code[end..].starts_with(';')),
            _ => {}
        }
    }
    code.len()
}

/// The text with blanks in place of its comments, strings and characters: as many bytes, and what is left is code.
pub(crate) fn blanked(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_length(rest, code.ends_with(is_of_a_word));
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (literal, after) = rest.split_at(length);
            let blank = |byte: u8| if byte == b'\n' { '\n' } else { ' ' };
            code.extend(literal.bytes().map(blank));
            rest = after;
        }
    }
    code
}

/// Length of the comment, string or character with which a text begins; 0 where it begins with code.
///
/// Block comments end at their first `*/`: there are none inside of others.
fn literal_length(text: &str, follows_a_word: bool) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |at| at + 2);
    }
    if let Some(string) = text.strip_prefix('"') {
        return 1 + quoted_length(string, '"');
    }
    if let Some(character) = text.strip_prefix('\'') {
        let mut chars = character.chars();
        return match (chars.next(), chars.next()) {
            (Some('\\'), _) => 1 + quoted_length(character, '\''),
            (Some(c), Some('\'')) => c.len_utf8() + 2,
            // a lifetime
            _ => 0,
        };
    }
    if follows_a_word {
        return 0;
    }
    raw_string_length(text).unwrap_or(0)
}

/// Length of what goes on to the first `quote` that no backslash escapes, that quote included.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        if !is_escaped && c == quote {
            return at + c.len_utf8();
        }
        is_escaped = !is_escaped && c == '\\';
    }
    text.len()
}

/// Length of `r"…"`, `br#"…"#` and their like; `None` where the text begins with something else.
fn raw_string_length(text: &str) -> Option<usize> {
    let marked = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let hashed = marked.strip_prefix('r')?;
    let content = hashed.trim_start_matches('#').strip_prefix('"')?;
    let hashes = hashed.len() - content.len() - 1;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = text.len() - content.len();
    let length = content
        .find(&end)
        .map_or(content.len(), |at| at + end.len());
    Some(begin + length)
}

/// Names of all Rust tests of the repository.
pub(crate) fn test_names() -> &'static BTreeSet<String> {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        rust_files("")
            .flat_map(|(_, text)| test_functions(text))
            .collect()
    })
}

/// Names of the functions of a file that stand under a test attribute.
fn test_functions(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in blanked(text).lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let mut function = words(line).map(|(_, word)| word);
        let Some(name) = function.find(|word| *word == "fn").and(function.next()) else {
            continue;
        };
        if is_test {
            names.push(name.to_owned());
        }
        is_test = false;
    }
    names
}

#[test]
fn only_the_item_under_the_attribute_is_left_out() {
    let kept = |text: &str| {
        let code = without_tests(text);
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (text, code) in [
        ("mod a;\n#[cfg(test)]\nmod tests;\nmod b;", "mod a; mod b;"),
        (
            "#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn f() {}\n}\nfn kept() {}",
            "fn kept() {}",
        ),
        // braces that close nothing
        (
            "#[cfg(test)]\nmod tests {\n    // }\n    const A: &[&str] = &[\"}\\\"}\", r#\"}\"}\"#];\n    \
             fn f<'a>(c: char) { c == '}' || c == '\\'' }\n}\nfn kept() {}",
            "fn kept() {}",
        ),
        ("#[cfg(test)]\nuse a::{b, c};\nfn kept() {}", "fn kept() {}"),
        (
            "impl A {\n    #[cfg(test)]\n    fn rows(&self) -> [u8; 2] {\n        [1, 2]\n    }\n    fn kept() {}\n}",
            "impl A { fn kept() {} }",
        ),
        (
            "// #[cfg(test)]\nconst KEPT: &str = \"#[cfg(test)]\";\nfn kept() {}",
            "// #[cfg(test)] const KEPT: &str = \"#[cfg(test)]\"; fn kept() {}",
        ),
    ] {
        assert_eq!(kept(text), code, "{text}");
    }
}

#[test]
fn a_test_is_a_function_under_a_test_attribute() {
    let text = "#[test]\nfn one() {}\nfn two() {}\n#[tokio::test(start_paused = true)]\n#[ignore]\nasync fn three() {}\n\
                // #[test]\nfn four() {}\nconst FIVE: &str = \"\n#[test]\nfn five() {}\";\n";
    assert_eq!(test_functions(text), ["one", "three"]);
}
