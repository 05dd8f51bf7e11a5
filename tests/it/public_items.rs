//! What is public is used: a function or constant that nothing outside its file names is no part of a crate's face.

use std::collections::BTreeSet;

use crate::tree;

/// Crates whose public items other code is to use. The binary and the tests have none.
const CRATES: [&str; 4] = [
    "schemas/src/",
    "pipeline/src/",
    "jobs/src/",
    "jobs/simulator/src/",
];
const READERS: [&str; 4] = ["schemas/src/", "pipeline/src/", "jobs/", "tests/"];

/// What stays public without a user, and why.
const EXCEPTIONS: [(&str, &str); 2] = [
    (
        "optional_text",
        "fact columns have one constructor for each kind of value",
    ),
    (
        "optional_decimal",
        "fact columns have one constructor for each kind of value",
    ),
];

/// Path and text of a file.
type File<'f> = (&'f str, &'f str);

/// The text without comments, strings and re-exports, which use nothing.
fn code(text: &str) -> String {
    let mut code = tree::blanked(text);
    while let Some(from) = code.find("pub use ") {
        let length = code[from..]
            .find(';')
            .map_or(code.len() - from, |at| at + 1);
        code.replace_range(from..from + length, "");
    }
    code
}

/// Names of the public functions, constants and traits that code defines.
fn public_names(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in code.lines().map(str::trim_start) {
        let Some(item) = line.strip_prefix("pub ") else {
            continue;
        };
        let mut words = tree::words(item)
            .map(|(_, word)| word)
            .skip_while(|word| matches!(*word, "async" | "unsafe"));
        let (first, second) = (words.next(), words.next());
        match (first, second) {
            (Some("const"), Some("fn")) => names.extend(words.next().map(str::to_owned)),
            (Some("fn" | "const" | "static" | "trait"), Some(name)) => names.push(name.to_owned()),
            _ => {}
        }
    }
    names
}

/// Whether `other` holds unit tests of the module in `path`: `foo/tests.rs`, of `foo.rs` as of `foo/mod.rs`, and what lies in
/// `foo/tests/`.
fn is_own_test(path: &str, other: &str) -> bool {
    let stem = path.trim_end_matches(".rs");
    let module = stem
        .strip_suffix("/mod")
        .or_else(|| stem.strip_suffix("/lib"))
        .unwrap_or(stem);
    other
        .strip_prefix(module)
        .is_some_and(|rest| rest == "/tests.rs" || rest.starts_with("/tests/"))
}

/// Items of `files` in crates that no other file names; a module's own tests do not count.
fn unused(files: &[File<'_>], is_of_a_crate: impl Fn(&str) -> bool) -> Vec<String> {
    let codes: Vec<String> = files.iter().map(|(_, text)| code(text)).collect();
    let words: Vec<BTreeSet<&str>> = codes
        .iter()
        .map(|code| tree::words(code).map(|(_, word)| word).collect())
        .collect();
    let mut unused = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| is_of_a_crate(path)) {
        for name in public_names(&code(&tree::without_tests(text))) {
            let is_used = files.iter().zip(&words).any(|((other, _), words)| {
                other != path && !is_own_test(path, other) && words.contains(name.as_str())
            });
            let is_excepted = EXCEPTIONS.iter().any(|(excepted, _)| *excepted == name);
            if !is_used && !is_excepted {
                unused.push(format!("{path}: {name}"));
            }
        }
    }
    unused
}

#[test]
fn every_public_function_is_used_outside_its_file() {
    let files: Vec<File<'_>> = READERS.into_iter().flat_map(tree::rust_files).collect();
    let unused = unused(&files, |path| {
        CRATES.iter().any(|folder| path.starts_with(*folder)) && !tree::is_unit_test(path)
    });
    assert!(
        unused.is_empty(),
        "{} public items that nothing else names; make them private or remove them:\n{}",
        unused.len(),
        unused.join("\n")
    );
}

#[test]
fn an_item_that_nobody_names_is_noticed() {
    let files = [
        (
            "a.rs",
            "#[cfg(test)]\nmod tests;\n/// like `used`\npub async fn used() {}\npub const fn dead() {}\npub struct Kept;\n\
             pub const LONELY: u8 = 1;\n#[cfg(test)]\npub fn fixture() {}",
        ),
        (
            "b.rs",
            "pub use a::{dead, LONELY};\nfn f() { a::used() }\n// LONELY",
        ),
        ("a/tests.rs", "fn t() { dead() }"),
        ("c/mod.rs", "pub fn tested() {}\npub fn shared() {}"),
        ("c/tests.rs", "fn t() { tested() }"),
        ("c/tests/more.rs", "fn t() { tested() }"),
        ("c/part.rs", "fn f() { shared() }"),
    ];
    let found = unused(&files, |path| matches!(path, "a.rs" | "c/mod.rs"));
    assert_eq!(found, ["a.rs: dead", "a.rs: LONELY", "c/mod.rs: tested"]);
}
