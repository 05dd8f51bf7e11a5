//! Every test that a table of the documents names exists.

use super::{Found, documents, outside_of_fences, report};
use crate::tree::{test_names, words};

#[test]
fn every_test_that_a_table_names_exists() {
    let mut named = 0;
    let mut unknown = Vec::new();
    for (document, text) in documents() {
        for (line, name) in tests_in_tables(text) {
            named += 1;
            if !test_names().contains(&name) {
                unknown.push(format!("{document}:{line}: there is no test {name}"));
            }
        }
    }
    assert!(named > 20, "only {named} names of tests found");
    report(
        &unknown,
        "name a function under `#[test]` or `#[tokio::test]` as it is called now",
    );
}

/// Names in backticks in the columns for tests, without the modules before them.
fn tests_in_tables(text: &str) -> Found {
    let mut found = Vec::new();
    // of the table that the line before belongs to: whether each column is one for tests
    let mut columns: Vec<bool> = Vec::new();
    for (line, row) in outside_of_fences(text) {
        let cells = cells(row);
        if columns.is_empty() || cells.is_empty() {
            columns = cells.iter().map(|heading| is_for_tests(heading)).collect();
            continue;
        }
        for (cell, is_wanted) in cells.iter().zip(&columns) {
            if !is_wanted {
                continue;
            }
            let spans = cell.split('`').skip(1).step_by(2);
            let names = spans.map(|span| span.rsplit("::").next().unwrap_or(span));
            let names = names.filter(|name| is_like_a_test(name));
            found.extend(names.map(|name| (line, name.to_owned())));
        }
    }
    found
}

/// The cells of a table's row; none for any other line.
fn cells(line: &str) -> Vec<String> {
    let unescaped = line.trim().replace("\\|", " ");
    let Some(row) = unescaped.strip_prefix('|') else {
        return Vec::new();
    };
    let row = row.strip_suffix('|').unwrap_or(row);
    row.split('|').map(str::to_owned).collect()
}

/// Whether a column is headed "test", "shown by", "covered by" or the like.
fn is_for_tests(heading: &str) -> bool {
    words(heading).any(|(_, word)| {
        let word = word.to_ascii_lowercase();
        matches!(
            word.as_str(),
            "test" | "tests" | "tested" | "shown" | "covered"
        )
    })
}

/// `snake_case` of three words or more: a shorter name may be that of anything.
fn is_like_a_test(name: &str) -> bool {
    let is_snake_case = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    is_snake_case && name.split('_').filter(|word| !word.is_empty()).count() >= 3
}

#[test]
fn names_are_found_in_the_columns_for_tests_alone() {
    let text = "| claim | Shown by | notes |\n|---|---|---|\n\
                | a `b_c_d` | `one_two_three`, `finality::k07_four_five`, `two_words`, `tests/it/x_y_z.rs` | `e_f_g` |\n\
                | x \\| y | `six_seven_eight` | |\n\
                \n\
                | one | other |\n|---|---|\n| a | `h_i_j` |\n\
                ```\n| test |\n|---|\n| `k_l_m` |\n```\n";
    let names = [
        (3, "one_two_three"),
        (3, "k07_four_five"),
        (4, "six_seven_eight"),
    ];
    let names = names.map(|(line, name)| (line, name.to_owned()));
    assert_eq!(tests_in_tables(text), names);
}
