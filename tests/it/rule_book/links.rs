//! Every link and every path in the documents leads somewhere.

use std::collections::BTreeSet;
use std::fs;

use super::{Found, documents, outside_of_fences, report};
use crate::tree::{texts, top};

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let folders = top_folders();
    let mut followed = 0;
    let mut dead = Vec::new();
    for (document, text) in documents() {
        let file = top().join(document);
        let folder = file.parent().unwrap();
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

#[test]
fn the_page_of_the_tests_names_every_file() {
    let texts = texts();
    let modules = texts["tests/it/main.rs"]
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let page = &texts["tests/src/lib.rs"];
    let is_named = |module: &&str| {
        page.contains(&format!("`it/{module}.rs`")) || page.contains(&format!("`it/{module}/`"))
    };
    let (named, missing): (Vec<&str>, Vec<&str>) = modules.partition(is_named);
    assert!(named.len() > 20, "only {} modules found", named.len());
    assert!(missing.is_empty(), "not in tests/src/lib.rs: {missing:?}");
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

#[test]
fn links_and_paths_are_found() {
    let text = "[a](x/y.rs#part) [b](https://z)\n```\n[c](d)\n```\n`jobs/metrics/<name>/{a,b}.sql` `log/x` `tests/run A`";
    assert_eq!(links(text), [(1, "x/y.rs".to_owned())]);
    let folders = ["jobs", "tests"].map(str::to_owned).into();
    let found = paths(text, &folders);
    assert_eq!(
        found,
        [(5, "jobs/metrics".to_owned()), (5, "tests/run".to_owned())]
    );
}
