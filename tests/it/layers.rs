//! The engine's modules are those of the map in `pipeline/DESIGN.md` 6, and each uses only those above it there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The modules of the map, from top to bottom.
fn map(design: &str) -> Vec<String> {
    let (_, rest) = design
        .split_once("in layers: each looks only to those above it")
        .expect("the map has its sentence");
    let block = rest.split("```").nth(1).expect("the map is a code block");
    let lines = block.lines().filter_map(|line| line.split_once('/'));
    lines.map(|(module, _)| module.to_owned()).collect()
}

/// Modules of this crate that the code of a file names, tests and comments left out.
fn used(text: &str) -> BTreeSet<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `module: what it must not use`, for a file of `module` in the order of `map`.
fn violations(map: &[String], module: &str, text: &str) -> Vec<String> {
    let place = |name: &str| map.iter().position(|other| other == name);
    used(text)
        .into_iter()
        .filter(|other| place(other) > place(module))
        .map(|other| format!("{module} uses {other}"))
        .collect()
}

#[test]
fn modules_use_only_those_above_them_in_the_map() {
    let design = fs::read_to_string(top().join("pipeline/DESIGN.md")).unwrap();
    let map = map(&design);
    let source = top().join("pipeline/src");
    let there: BTreeSet<String> = fs::read_dir(&source)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("lib.rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        there,
        map.iter().cloned().collect(),
        "the map of DESIGN.md 6 is the tree's"
    );
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut found = Vec::new();
    for path in files {
        let relative = path.strip_prefix(&source).unwrap();
        let first = relative.iter().next().unwrap().to_string_lossy();
        let is_test = relative
            .iter()
            .any(|part| part == "tests" || part == "tests.rs");
        if is_test || first == "lib.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let module = first.trim_end_matches(".rs");
        let of_file = violations(&map, module, &text);
        found.extend(
            of_file
                .into_iter()
                .map(|what| format!("{}: {what}", relative.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_look_downwards_is_noticed() {
    let map = ["time", "log", "shard"].map(str::to_owned);
    let text = "use crate::time::Day;\n// crate::shard\nfn f() { crate::shard::seal() }\n#[cfg(test)]\nuse crate::shard;";
    assert_eq!(violations(&map, "log", text), ["log uses shard"]);
    assert_eq!(violations(&map, "shard", text), Vec::<String>::new());
}
