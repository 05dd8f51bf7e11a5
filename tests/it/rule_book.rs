//! The rule book held to its word: what the tree cites of it is there.
//!
//! | file | looks for |
//! |---|---|
//! | `rule_book/ids.rs` | ids: K6, P2, M01, A15, 000-R20, F1 |
//! | `rule_book/sections.rs` | sections of documents, and documents |
//! | `rule_book/links.rs` | links and paths in the documents |
//! | `rule_book/tests_in_tables.rs` | tests that tables of the documents name |

mod ids;
mod links;
mod sections;
mod tests_in_tables;

use crate::tree;

const CONTRACT: &str = "schemas/CONTRACT.md";
const DESIGN: &str = "pipeline/DESIGN.md";
const GLOSSARY: &str = "pipeline/GLOSSARY.md";
const DOMAIN: &str = "jobs/DOMAIN.md";
const FAULTS: &str = "tests/FAULTS.md";

/// These files hold wrong ids and names on purpose.
const THIS_MODULE: &str = "tests/it/rule_book";

/// Something in a file: line and text.
type Found = Vec<(usize, String)>;

/// Path and text of everything that may cite.
fn citing() -> impl Iterator<Item = (&'static str, &'static str)> {
    tree::texts()
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .filter(|(path, _)| !path.starts_with(THIS_MODULE))
}

/// Path and text of every document: the rule book, and the pages beside it.
fn documents() -> impl Iterator<Item = (&'static str, &'static str)> {
    citing().filter(|(path, _)| path.ends_with(".md"))
}

/// The lines of a document, numbered from 1, without its code blocks.
fn outside_of_fences(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// Fails with everything that was found, and with what to do about it.
fn report(offenders: &[String], what_to_do: &str) {
    assert!(
        offenders.is_empty(),
        "{} found; {what_to_do}:\n{}",
        offenders.len(),
        offenders.join("\n")
    );
}
