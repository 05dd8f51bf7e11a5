//! Every section and every document that the tree cites exists.

use std::collections::{BTreeMap, BTreeSet};

use super::{CONTRACT, DESIGN, DOMAIN, FAULTS, Found, GLOSSARY, citing, report};
use crate::tree::{texts, top, words};

/// Documents whose sections are numbered.
const DOCUMENTS: [&str; 5] = [CONTRACT, DESIGN, GLOSSARY, DOMAIN, FAULTS];

#[test]
fn every_cited_section_exists() {
    let headings: BTreeMap<&str, BTreeSet<String>> = DOCUMENTS
        .iter()
        .map(|document| (*document, headings(&texts()[*document])))
        .collect();
    let mut cited = 0;
    let mut wrong = Vec::new();
    for (path, text) in citing() {
        for (line, document, number) in sections(text) {
            cited += 1;
            if !headings[document].contains(&number) {
                wrong.push(format!("{path}:{line}: {document} has no section {number}"));
            }
        }
        for (line, name) in document_names(text) {
            if !is_a_document(texts(), path, &name) {
                wrong.push(format!("{path}:{line}: there is no document {name}"));
            }
        }
    }
    assert!(cited > 50, "only {cited} citations found");
    report(
        &wrong,
        "cite a section that exists, of CONTRACT.md, DESIGN.md, DOMAIN.md or another document of the tree, spelt like its file",
    );
}

/// Whether a name with `.md` is a document: by its path from the top or from the file that names it, or by its bare name.
fn is_a_document(tree: &BTreeMap<String, String>, file: &str, name: &str) -> bool {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    if name.contains('/') {
        tree.contains_key(name) || top().join(folder).join(name).is_file()
    } else {
        tree.keys()
            .any(|path| path.rsplit('/').next() == Some(name))
    }
}

/// Numbers of the headings: `7`, `3.4`, `4.4a`, `1.1.b`.
fn headings(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .filter_map(|line| number(line.trim_start_matches(['#', ' '])))
        .map(|(number, _)| number)
        .collect()
}

/// Citations of sections: `DESIGN.md 3.4`, `contract.md` 1, "contract 5 and 6", "domain, section 4".
fn sections(text: &str) -> Vec<(usize, &'static str, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (start, word) in words(line) {
            let Some((document, is_plain_word)) = document_of(word) else {
                continue;
            };
            let rest = &line[start + word.len()..];
            let rest = match rest.strip_prefix(".md") {
                Some(rest) => rest,
                None if is_plain_word => rest,
                None => continue,
            };
            let rest = rest.trim_start_matches(['`', ',', ' ']);
            let rest = ["section ", "sections "]
                .iter()
                .find_map(|section| rest.strip_prefix(section))
                .unwrap_or(rest);
            let mut next = number(rest);
            while let Some((number_found, rest)) = next {
                found.push((index + 1, document, number_found));
                next = rest.strip_prefix(" and ").and_then(number);
            }
        }
    }
    found
}

/// The document that a word names, and whether the word alone, without `.md`, does so before a number.
fn document_of(word: &str) -> Option<(&'static str, bool)> {
    match word.to_ascii_lowercase().as_str() {
        "contract" => Some((CONTRACT, true)),
        "design" => Some((DESIGN, true)),
        "domain" => Some((DOMAIN, true)),
        "faults" => Some((FAULTS, false)),
        "glossary" => Some((GLOSSARY, false)),
        _ => None,
    }
}

/// The section number with which a text begins, and what follows.
fn number(text: &str) -> Option<(String, &str)> {
    let mut rest = text;
    let mut parts = Vec::new();
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let letters = rest[digits..].len()
            - rest[digits..]
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let is_part = match (digits, letters) {
            (1 | 2, 0 | 1) => true,
            (0, 1) => !parts.is_empty(),
            _ => false,
        };
        if !is_part {
            break;
        }
        let (part, after) = rest.split_at(digits + letters);
        parts.push(part);
        rest = after;
        let Some(after_dot) = rest.strip_prefix('.') else {
            break;
        };
        if !after_dot.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            break;
        }
        rest = after_dot;
    }
    let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '%');
    (!parts.is_empty() && !goes_on).then(|| (parts.join("."), rest))
}

/// Names with the ending `.md`. A name that is put together (`{date}.md`, `<date>.md`) and an address are none.
fn document_names(text: &str) -> Found {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (end, ending) in line.match_indices(".md") {
            if words(&line[end + 1..])
                .next()
                .is_none_or(|(_, word)| word != "md")
            {
                continue;
            }
            let stem = &line[..end];
            let start = stem
                .char_indices()
                .rev()
                .take_while(|(_, c)| is_name(*c))
                .last()
                .map_or(end, |(start, _)| start);
            let is_address = stem[start..].starts_with("//");
            let is_made = stem[..start].ends_with(['}', '>', '*']);
            if start < end && !is_address && !is_made {
                found.push((index + 1, format!("{}{ending}", &stem[start..])));
            }
        }
    }
    found
}

#[test]
fn sections_are_found_however_they_are_cited() {
    let cited = |text| -> Vec<(&str, String)> {
        sections(text)
            .into_iter()
            .map(|(_, document, number)| (document, number))
            .collect()
    };
    let one = |document, number: &str| vec![(document, number.to_owned())];
    assert_eq!(cited("see `pipeline/DESIGN.md` 3.4."), one(DESIGN, "3.4"));
    assert_eq!(cited("(domain 4.4a)"), one(DOMAIN, "4.4a"));
    assert_eq!(cited("DOMAIN.md 1.1.b, then"), one(DOMAIN, "1.1.b"));
    assert_eq!(cited("`contract.md` section 2"), one(CONTRACT, "2"));
    assert_eq!(cited("Contract 2's defaults"), one(CONTRACT, "2"));
    assert_eq!(cited("FAULTS.md 3"), one(FAULTS, "3"));
    let both = [one(CONTRACT, "5"), one(CONTRACT, "6")].concat();
    assert_eq!(cited("(contract 5 and 6)"), both);
    for none in [
        "contract K3-K6",
        "domain 100",
        "by design",
        "faults 3",
        "domain 5%",
    ] {
        assert_eq!(cited(none), [], "{none}");
    }
    let known = headings("# Title\n## 3. The way\n### 3.4 Log\n### 4.4a Open\n#### 1.1.b Interest");
    assert_eq!(
        known,
        ["3", "3.4", "4.4a", "1.1.b"].map(str::to_owned).into()
    );
    assert!(!known.contains("3.5"));
}

#[test]
fn names_of_documents_are_found() {
    let names = document_names(
        "`contract.md` and jobs/DOMAIN.md, not {}.md, <date>.md, https://x.org/a.md or a.mdx",
    );
    let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["contract.md", "jobs/DOMAIN.md"]);

    let tree = BTreeMap::from([("schemas/CONTRACT.md".to_owned(), String::new())]);
    assert!(is_a_document(&tree, "jobs/src/lib.rs", "CONTRACT.md"));
    assert!(!is_a_document(&tree, "jobs/src/lib.rs", "contract.md"));
    assert!(!is_a_document(&tree, "jobs/src/lib.rs", "jobs/CONTRACT.md"));
}
