//! The engine's modules are those of the map in `pipeline/DESIGN.md` 6, and each uses only those above it there. What people
//! should learn of is reported by structs of one of them, `observe`.

use std::collections::BTreeSet;

use crate::tree;

const SOURCE: &str = "pipeline/src/";

/// The modules of the map, from top to bottom.
fn map(design: &str) -> Vec<String> {
    let (_, rest) = design
        .split_once("in layers: each looks only to those above it")
        .expect("the map has its sentence");
    let block = rest.split("```").nth(1).expect("the map is a code block");
    let lines = block.lines().filter_map(|line| line.split_once('/'));
    lines.map(|(module, _)| module.to_owned()).collect()
}

/// Module, path and text of every file of the engine but its page.
fn engine() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    tree::rust_files(SOURCE).filter_map(|(path, text)| {
        let inside = path.strip_prefix(SOURCE)?;
        let module = inside.split('/').next()?.trim_end_matches(".rs");
        (module != "lib").then_some((module, path, text))
    })
}

/// Modules of this crate that the code of a file names, tests and comments left out.
fn used(text: &str) -> BTreeSet<String> {
    let code = tree::without_tests(text);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .filter_map(|rest| tree::words(rest).next())
        .filter(|(start, _)| *start == 0)
        .map(|(_, module)| module.to_owned())
        .collect()
}

/// `module uses another` for each module below it in `map` that a file of `module` names.
fn violations(map: &[String], module: &str, text: &str) -> Vec<String> {
    let place = |name: &str| map.iter().position(|other| other == name);
    let own = place(module).expect("the map has every module");
    used(text)
        .into_iter()
        .filter(|other| place(other).is_some_and(|there| there > own))
        .map(|other| format!("{module} uses {other}"))
        .collect()
}

/// Lines of code that log more than details for debugging, tests and comments left out.
fn log_lines(text: &str) -> Vec<String> {
    let logs = |rest: &str| !rest.starts_with("debug!") && !rest.starts_with("trace!");
    let code = tree::without_tests(text);
    code.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && line.split("tracing::").skip(1).any(logs))
        .map(str::to_owned)
        .collect()
}

#[test]
fn modules_use_only_those_above_them_in_the_map() {
    let map = map(&tree::texts()["pipeline/DESIGN.md"]);
    let there: BTreeSet<String> = engine().map(|(module, ..)| module.to_owned()).collect();
    assert_eq!(
        there,
        map.iter().cloned().collect(),
        "the map of DESIGN.md 6 is the tree's"
    );
    let found: Vec<String> = engine()
        .filter(|(_, path, _)| !tree::is_unit_test(path))
        .flat_map(|(module, path, text)| {
            let of_file = violations(&map, module, text).into_iter();
            of_file.map(move |what| format!("{path}: {what}"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_people_should_learn_of_is_reported_through_observe() {
    let found: Vec<String> = engine()
        .filter(|(module, path, _)| *module != "observe" && !tree::is_unit_test(path))
        .flat_map(|(_, path, text)| {
            let of_file = log_lines(text).into_iter();
            of_file.map(move |line| format!("{path}: {line}"))
        })
        .collect();
    assert!(
        found.is_empty(),
        "report it by a struct of pipeline/src/observe/:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_log_line_elsewhere_is_noticed() {
    let text = "use tracing::{debug, warn};\nfn f() {\n    tracing::info!(\"a\");\n    tracing::debug!(\"b\");\n}\n\
                // tracing::warn!\n#[cfg(test)]\nuse tracing::Level;";
    let expected = ["use tracing::{debug, warn};", "tracing::info!(\"a\");"];
    assert_eq!(log_lines(text), expected);
}

#[test]
fn a_look_downwards_is_noticed() {
    let map = ["time", "log", "shard"].map(str::to_owned);
    let text = "use crate::time::Day;\n// crate::shard\nfn f() { crate::shard::seal() }\n#[cfg(test)]\nuse crate::shard;";
    assert_eq!(violations(&map, "log", text), ["log uses shard"]);
    assert_eq!(violations(&map, "shard", text), Vec::<String>::new());

    let text = "#[cfg(test)]\nuse crate::shard::fixture;\nfn f() {}";
    assert_eq!(violations(&map, "log", text), Vec::<String>::new());
    let text = "#[cfg(test)]\nmod tests;\n\nuse crate::shard::Seal;";
    assert_eq!(violations(&map, "log", text), ["log uses shard"]);
}
