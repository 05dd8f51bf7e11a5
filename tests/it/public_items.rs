//! What is public is used: a function or constant that nothing outside its file names is no part of a crate's face.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates whose public items other code is to use. The binary and the tests have none.
const CRATES: [&str; 4] = [
    "schemas/src",
    "pipeline/src",
    "jobs/src",
    "jobs/simulator/src",
];
const READERS: [&str; 4] = ["schemas/src", "pipeline/src", "jobs", "tests"];

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

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, code(&text)));
        }
    }
}

/// The text without comments and without re-exports, which use nothing.
fn code(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut code = lines.collect::<Vec<_>>().join("\n");
    while let Some(from) = code.find("pub use ") {
        let length = code[from..]
            .find(';')
            .map_or(code.len() - from, |at| at + 1);
        code.replace_range(from..from + length, "");
    }
    code
}

/// Names of the public functions, constants and traits that a file defines before its tests.
fn public_names(code: &str) -> Vec<String> {
    let body = code.split("#[cfg(test)]").next().unwrap_or(code);
    let mut names = Vec::new();
    for line in body.lines().map(str::trim_start) {
        let Some(item) = line.strip_prefix("pub ") else {
            continue;
        };
        let mut words = item
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
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

fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect()
}

/// Items of `files` in `folders` that no other file names; a file's own tests do not count.
fn unused(files: &[(PathBuf, String)], is_of_a_crate: impl Fn(&Path) -> bool) -> Vec<String> {
    let words: Vec<BTreeSet<&str>> = files.iter().map(|(_, code)| words(code)).collect();
    let mut unused = Vec::new();
    for (path, code) in files.iter().filter(|(path, _)| is_of_a_crate(path)) {
        let own_tests = path.with_extension("");
        for name in public_names(code) {
            let is_used = files.iter().zip(&words).any(|((other, _), words)| {
                other != path && !other.starts_with(&own_tests) && words.contains(name.as_str())
            });
            let is_excepted = EXCEPTIONS.iter().any(|(excepted, _)| *excepted == name);
            if !is_used && !is_excepted {
                unused.push(format!("{}: {name}", path.display()));
            }
        }
    }
    unused
}

#[test]
fn every_public_function_is_used_outside_its_file() {
    let mut files = Vec::new();
    for folder in READERS {
        rust_files(&top().join(folder), &mut files);
    }
    let crates = CRATES.map(|folder| top().join(folder));
    let unused = unused(&files, |path| {
        let inside = crates
            .iter()
            .find_map(|folder| path.strip_prefix(folder).ok());
        let is_test = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
        inside.is_some_and(|path| !path.iter().any(is_test))
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
    let file = |name: &str, text: &str| (PathBuf::from(name), code(text));
    let files = [
        file(
            "a.rs",
            "/// like `used`\npub async fn used() {}\npub const fn dead() {}\npub struct Kept;\npub const LONELY: u8 = 1;",
        ),
        file(
            "b.rs",
            "pub use a::{dead, LONELY};\nfn f() { a::used() }\n// LONELY",
        ),
        file("a/tests.rs", "fn t() { dead() }"),
    ];
    let found = unused(&files, |path| path == Path::new("a.rs"));
    assert_eq!(found, ["a.rs: dead", "a.rs: LONELY"]);
}
