//! The stages of the benchmark's profile (`bench/profile.rs`) are distinguished by names of our modules: each is there.

use crate::tree::texts;

/// Names in quotes that begin with one of our crates, as files from the top of the repository that they are the beginning of;
/// of a method, the file of its type and its name.
fn marks(profile: &str) -> Vec<(String, Option<&str>)> {
    let mut marks = Vec::new();
    for mark in profile.split('"').skip(1).step_by(2) {
        let Some((crate_name, inside)) = mark.split_once("::") else {
            continue;
        };
        if !matches!(crate_name, "schemas" | "pipeline" | "jobs") {
            continue;
        }
        let is_module = |part: &&str| part.starts_with(|c: char| c.is_ascii_lowercase());
        let modules: Vec<&str> = inside.split("::").take_while(is_module).collect();
        let method = inside.split("::").skip(modules.len()).nth(1);
        marks.push((format!("{crate_name}/src/{}", modules.join("/")), method));
    }
    marks
}

#[test]
fn every_stage_of_the_profile_is_known_by_names_that_exist() {
    let marks = marks(&texts()["tests/bench/profile.rs"]);
    assert!(marks.len() > 15, "marks={}", marks.len());
    for (begin, method) in marks {
        let definition = method.map_or_else(String::new, |name| format!("fn {name}("));
        let is_there = texts()
            .iter()
            .any(|(path, text)| path.starts_with(&begin) && text.contains(&definition));
        assert!(is_there, "no file {begin}… with {definition:?}");
    }
}

#[test]
fn a_mark_names_a_module_or_a_method() {
    let profile = "&[\"pipeline::log\", \"postcard::\", \"pipeline::shard::state::ShardState<R>::aggregate\"]";
    assert_eq!(
        marks(profile),
        [
            ("pipeline/src/log".to_owned(), None),
            ("pipeline/src/shard/state".to_owned(), Some("aggregate")),
        ]
    );
}
