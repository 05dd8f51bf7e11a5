//! The rule book held to its word: every id and every section that the tree cites stands in the documents, and every path in
//! the documents leads somewhere.
//!
//! | cited as | defined in |
//! |---|---|
//! | `K6`, in names `k06` | `schemas/CONTRACT.md` 7 |
//! | `P2` | `pipeline/DESIGN.md` 1 |
//! | `M01` | `jobs/DOMAIN.md` 4 |
//! | `A15` | `jobs/DOMAIN.md` 5 |
//! | `000-R20`, `002-07` | `jobs/DOMAIN.md` 1 |
//! | `F1` | `tests/FAULTS.md` |

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const CONTRACT: &str = "schemas/CONTRACT.md";
const DESIGN: &str = "pipeline/DESIGN.md";
const GLOSSARY: &str = "pipeline/GLOSSARY.md";
const DOMAIN: &str = "jobs/DOMAIN.md";
const FAULTS: &str = "tests/FAULTS.md";
const DOCUMENTS: [&str; 5] = [CONTRACT, DESIGN, GLOSSARY, DOMAIN, FAULTS];

/// It holds wrong ids and names on purpose.
const THIS_FILE: &str = "tests/it/rule_book.rs";

/// Ids in code that are to be unknown.
const UNKNOWN_ON_PURPOSE: [(&str, &str); 2] = [
    ("A99", "a rule that `check` must refuse"),
    ("M00", "a metric that only a unit test has"),
];

/// Something in a file: line and text.
type Found = Vec<(usize, String)>;

#[test]
fn every_cited_id_is_in_the_rule_book() {
    let tree = tree();
    let book = Book::of(&tree);
    for (kind, least) in [
        ('K', 40),
        ('P', 8),
        ('M', 32),
        ('A', 40),
        ('F', 30),
        ('0', 150),
    ] {
        let defined = book.ids.get(&kind).map_or(0, BTreeSet::len);
        assert!(
            defined >= least,
            "{}: only {defined} ids of kind {kind} found; their rows are no longer recognised",
            home_of(kind)
        );
    }
    let mut cited = 0;
    let mut unknown = Vec::new();
    for (path, text) in &tree {
        let is_code = !path.ends_with(".md");
        for (line, id) in ids(text, is_code) {
            cited += 1;
            let on_purpose = is_code && UNKNOWN_ON_PURPOSE.iter().any(|(known, _)| *known == id);
            if !on_purpose && !book.defines(&id) {
                let home = home_of(kind_of(&id));
                unknown.push(format!("{path}:{line}: {id} is not in {home}"));
            }
        }
    }
    assert!(cited > 300, "only {cited} citations found");
    report(
        &unknown,
        "correct the id, or define it in the document; a bare id in quotes is taken for test data",
    );
}

#[test]
fn every_cited_section_exists() {
    let tree = tree();
    let headings: BTreeMap<&str, BTreeSet<String>> = DOCUMENTS
        .iter()
        .map(|document| (*document, headings(&tree[*document])))
        .collect();
    let mut cited = 0;
    let mut wrong = Vec::new();
    for (path, text) in &tree {
        for (line, document, number) in sections(text) {
            cited += 1;
            if !headings[document].contains(&number) {
                wrong.push(format!("{path}:{line}: {document} has no section {number}"));
            }
        }
        for (line, name) in document_names(text) {
            if !is_a_document(&tree, path, &name) {
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

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let tree = tree();
    let folders = top_folders();
    let mut followed = 0;
    let mut dead = Vec::new();
    for document in DOCUMENTS.into_iter().chain(["README.md"]) {
        let text = &tree[document];
        let folder = top().join(document).parent().unwrap().to_owned();
        let links = links(text)
            .into_iter()
            .map(|(line, link)| (line, folder.join(&link), link));
        let paths = paths(text, &folders)
            .into_iter()
            .map(|(line, path)| (line, top().join(&path), path));
        for (line, target, name) in links.chain(paths) {
            followed += 1;
            if !target.exists() {
                dead.push(format!("{document}:{line}: {name} does not exist"));
            }
        }
    }
    assert!(followed > 50, "only {followed} links and paths found");
    report(
        &dead,
        "name the file as it is called now; links are relative to their document, paths in backticks to the repository",
    );
}

fn report(offenders: &[String], what_to_do: &str) {
    assert!(
        offenders.is_empty(),
        "{} found; {what_to_do}:\n{}",
        offenders.len(),
        offenders.join("\n")
    );
}

// ---- the tree

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Everything that may cite, by its path from the top of the repository.
fn tree() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    collect(&top(), "", &mut files);
    files.remove(THIS_FILE);
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What is hidden or built is not ours.
        if name.starts_with('.') || name == "target" || name == "vitrine-demo" {
            continue;
        }
        let full = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{full}/"), files);
        } else if [".rs", ".sql", ".toml", ".py", ".md"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            files.insert(full, fs::read_to_string(&path).unwrap());
        }
    }
}

fn top_folders() -> BTreeSet<String> {
    fs::read_dir(top())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != ".git" && name != "target")
        .collect()
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

// ---- what the documents define

/// Every id that the documents define, by kind.
struct Book {
    ids: BTreeMap<char, BTreeSet<String>>,
}

impl Book {
    fn of(tree: &BTreeMap<String, String>) -> Self {
        let sources = [
            ('K', section_of(&tree[CONTRACT], "7")),
            ('P', section_of(&tree[DESIGN], "1")),
            ('M', section_of(&tree[DOMAIN], "4")),
            ('A', section_of(&tree[DOMAIN], "5")),
            ('F', tree[FAULTS].clone()),
            ('0', section_of(&tree[DOMAIN], "1")),
        ];
        let ids = sources
            .into_iter()
            .map(|(kind, text)| (kind, defined(&text, kind)))
            .collect();
        Self { ids }
    }

    fn defines(&self, id: &str) -> bool {
        self.ids
            .get(&kind_of(id))
            .is_some_and(|ids| ids.contains(id))
    }
}

/// `K`, `P`, `M`, `A`, `F`, and `0` for the rules of the manuals.
fn kind_of(id: &str) -> char {
    id.chars().next().unwrap()
}

fn home_of(kind: char) -> &'static str {
    match kind {
        'K' => "schemas/CONTRACT.md 7",
        'P' => "pipeline/DESIGN.md 1",
        'M' => "jobs/DOMAIN.md 4",
        'A' => "jobs/DOMAIN.md 5",
        'F' => "tests/FAULTS.md",
        _ => "jobs/DOMAIN.md 1",
    }
}

/// The text under the heading `## <number>.`, up to the next of its level.
fn section_of(text: &str, number: &str) -> String {
    let begin = format!("## {number}. ");
    text.lines()
        .skip_while(|line| !line.starts_with(&begin))
        .enumerate()
        .take_while(|(index, line)| *index == 0 || !line.starts_with("## "))
        .flat_map(|(_, line)| [line, "\n"])
        .collect()
}

/// Ids with which a row or a paragraph begins.
fn defined(text: &str, kind: char) -> BTreeSet<String> {
    text.lines()
        .map(|line| line.trim_start_matches(['|', '*', ' ']))
        .filter_map(|line| ids_of_line(line, false).into_iter().next())
        .filter(|(start, id)| *start == 0 && kind_of(id) == kind)
        .map(|(_, id)| id)
        .collect()
}

/// Numbers of the headings: `7`, `3.4`, `4.4a`, `1.1.b`.
fn headings(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .filter_map(|line| number(line.trim_start_matches(['#', ' '])))
        .map(|(number, _)| number)
        .collect()
}

// ---- what a text cites

/// Every id in a text, with its line.
fn ids(text: &str, is_code: bool) -> Found {
    text.lines()
        .enumerate()
        .flat_map(|(index, line)| {
            ids_of_line(line, is_code)
                .into_iter()
                .map(move |(_, id)| (index + 1, id))
        })
        .collect()
}

/// Ids in a line with where they begin. In code, a bare `"K1"` is data: cases, promises and price bands are called so.
fn ids_of_line(line: &str, is_code: bool) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, word) in words(line) {
        let before = line[..start].chars().next_back();
        let after = &line[start + word.len()..];
        let quote = |c: Option<char>| matches!(c, Some('"' | '\''));
        let is_data = is_code && quote(before) && quote(after.chars().next());
        if let Some(rule) = rule(word, before, after) {
            found.push((start, rule));
        } else if let Some((kind, digits)) = letter_and_digits(word) {
            match (kind, digits.len()) {
                ('K' | 'P' | 'F', 1 | 2) if !is_data => found.push((start, plain(kind, digits))),
                ('M' | 'A', 2) => found.push((start, word.to_owned())),
                _ => {}
            }
        }
        // `k06` in names of functions, modules and files
        for part in word.split('_') {
            if let Some(('k', digits)) = letter_and_digits(part)
                && digits.len() == 2
            {
                found.push((start, plain('K', digits)));
            }
        }
    }
    found
}

/// `000-R20`, `000-R52b`, `002-07`; not the end of `1,000-20` or of a date.
fn rule(word: &str, before: Option<char>, after: &str) -> Option<String> {
    let adjoins = matches!(before, Some('-' | '+' | ',' | '.'));
    if adjoins || !matches!(word, "000" | "001" | "002") {
        return None;
    }
    let (_, rest) = words(after.strip_prefix('-')?)
        .next()
        .filter(|(start, _)| *start == 0)?;
    let number = rest.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let digits = number.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match rest.len() - number.len() {
        0 => digits.len() == 2 && digits == number,
        1 => digits.len() <= 2 && number.len() - digits.len() <= 1,
        _ => false,
    };
    (is_number && fits).then(|| format!("{word}-{rest}"))
}

fn letter_and_digits(word: &str) -> Option<(char, &str)> {
    let letter = word.chars().next().filter(char::is_ascii_alphabetic)?;
    let digits = &word[1..];
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then_some((letter, digits))
}

/// `K06` is K6.
fn plain(kind: char, digits: &str) -> String {
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    format!("{kind}{digits}")
}

/// Runs of ASCII letters, digits and `_`, with where they begin.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line[at..].find(is_word)?;
        let rest = &line[start..];
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        at = start + length;
        Some((start, &line[start..at]))
    })
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

/// Targets of relative Markdown links, without their anchors.
fn links(text: &str) -> Found {
    let mut found = Vec::new();
    for (line, prose) in outside_of_fences(text) {
        for rest in prose.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                found.push((line, target.to_owned()));
            }
        }
    }
    found
}

/// Paths in backticks that begin with a folder of the repository, as far as they hold no placeholder.
fn paths(text: &str, folders: &BTreeSet<String>) -> Found {
    let mut found = Vec::new();
    for (line, prose) in outside_of_fences(text) {
        for span in prose.split('`').skip(1).step_by(2) {
            let path = span.split_whitespace().next().unwrap_or_default();
            let is_ours = path
                .split_once('/')
                .is_some_and(|(first, _)| folders.contains(first));
            if is_ours {
                let fixed: Vec<&str> = path
                    .split('/')
                    .take_while(|part| !part.contains(['<', '{', '*', '…']))
                    .collect();
                found.push((line, fixed.join("/")));
            }
        }
    }
    found
}

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

// ---- that the search finds something

fn of_code(text: &str) -> Vec<String> {
    ids(text, true).into_iter().map(|(_, id)| id).collect()
}

#[test]
fn ids_are_found_wherever_they_are_cited() {
    assert_eq!(
        of_code("// as K9 and K10 want it (P2; M06, A15)"),
        ["K9", "K10", "P2", "M06", "A15"]
    );
    assert_eq!(
        of_code("fn k03_k06_labels() {}\nmod k18;"),
        ["K3", "K6", "K18"]
    );
    assert_eq!(of_code("-- K3-K6 and 金额K14"), ["K3", "K6", "K14"]);
    assert_eq!(
        of_code("# 000-R20, 000-R52b, 002-07; F9"),
        ["000-R20", "000-R52b", "002-07", "F9"]
    );
    assert_eq!(of_code("rule_id = \"A15\""), ["A15"]);
    assert_eq!(ids("one\ntwo K7", true), [(2, "K7".to_owned())]);
}

#[test]
fn what_only_looks_like_an_id_is_none() {
    for data in [
        "json!({\"case_id\": \"K1\", \"promise_id\": 'P9'})",
        "C1 S1 M1 D1 W1 H28 HR MTD K00000173 A4x",
        "0xF0 f64 M001 SKU-00012 u32::MAX",
        "between 1,000-20 and 8,000-131,000, +002-09, 2025-001-02",
        "1 000-200",
    ] {
        assert_eq!(of_code(data), Vec::<String>::new(), "{data}");
    }
    // In a document nothing is data.
    assert_eq!(ids("\"K1\"", false), [(1, "K1".to_owned())]);
}

#[test]
fn an_id_that_is_nowhere_defined_is_noticed() {
    let rows =
        "## 7. Settled readings\n| K1 | x |\n| K6 | too late, see K9 |\n## 8. Other\n| K50 | x |\n";
    let known = defined(&section_of(rows, "7"), 'K');
    assert_eq!(known, ["K1", "K6"].map(str::to_owned).into());
    let book = Book {
        ids: BTreeMap::from([('K', known)]),
    };
    let cited = ids("// K6\n// K9 and k50_is_elsewhere", true);
    let unknown: Vec<_> = cited.iter().filter(|(_, id)| !book.defines(id)).collect();
    assert_eq!(unknown, [&(2, "K9".to_owned()), &(2, "K50".to_owned())]);

    let metrics = defined(
        "**M01 demand_orders.**\nsee M02\n* **M33 `sell_in_out`**",
        'M',
    );
    assert_eq!(metrics, ["M01", "M33"].map(str::to_owned).into());
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
fn names_of_documents_links_and_paths_are_found() {
    let names = document_names(
        "`contract.md` and jobs/DOMAIN.md, not {}.md, <date>.md, https://x.org/a.md or a.mdx",
    );
    let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["contract.md", "jobs/DOMAIN.md"]);

    let tree = BTreeMap::from([("schemas/CONTRACT.md".to_owned(), String::new())]);
    assert!(is_a_document(&tree, "jobs/src/lib.rs", "CONTRACT.md"));
    assert!(!is_a_document(&tree, "jobs/src/lib.rs", "contract.md"));
    assert!(!is_a_document(&tree, "jobs/src/lib.rs", "jobs/CONTRACT.md"));

    let text = "[a](x/y.rs#part) [b](https://z)\n```\n[c](d)\n```\n`jobs/metrics/<name>/{a,b}.sql` `log/x` `tests/run A`";
    assert_eq!(links(text), [(1, "x/y.rs".to_owned())]);
    let folders = ["jobs", "tests"].map(str::to_owned).into();
    let found = paths(text, &folders);
    assert_eq!(
        found,
        [(5, "jobs/metrics".to_owned()), (5, "tests/run".to_owned())]
    );
}
