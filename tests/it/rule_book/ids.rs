//! Every id that the tree cites is defined.
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

use super::{CONTRACT, DESIGN, DOMAIN, FAULTS, Found, citing, report};
use crate::tree::{texts, words};

/// Ids in code that are to be unknown.
const UNKNOWN_ON_PURPOSE: [(&str, &str); 2] = [
    ("A99", "a rule that `check` must refuse"),
    ("M00", "a metric that only a unit test has"),
];

#[test]
fn every_cited_id_is_in_the_rule_book() {
    let book = Book::of(texts());
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
    for (path, text) in citing() {
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
