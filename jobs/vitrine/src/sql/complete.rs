//! Completion: what the tab key offers.

use pipeline::query::{DEFAULT_SCHEMA, Names};

use super::meta;

const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "RIGHT",
    "SELECT",
    "SHOW",
    "TABLES",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// The start of the word before `position`, and what can replace it.
pub(super) fn candidates(names: &Names, text: &str, position: usize) -> (usize, Vec<String>) {
    let before = &text[..position];
    let start = before.rfind(|c: char| !is_word(c)).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let word = &before[start..];
    if before.trim_start().starts_with('\\') {
        return (start, meta_candidates(names, before, word));
    }
    let mut found = match word.rsplit_once('.') {
        Some((path, last)) => qualified(names, text, path, last),
        None => unqualified(names, text, word),
    };
    found.sort_unstable();
    found.dedup();
    (start, found)
}

fn meta_candidates(names: &Names, before: &str, word: &str) -> Vec<String> {
    if word.starts_with('\\') {
        return meta::COMMANDS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .filter(|name| name.starts_with(word))
            .collect();
    }
    if before.trim_start().starts_with("\\d") {
        return match word.split_once('.') {
            Some((schema, table)) => tables(names, schema, table, true),
            None => [
                schemas(names, word),
                tables(names, DEFAULT_SCHEMA, word, false),
            ]
            .concat(),
        };
    }
    Vec::new()
}

/// After a dot: tables of a schema, or columns of a table, named or by an alias.
fn qualified(names: &Names, text: &str, path: &str, last: &str) -> Vec<String> {
    if names.has_schema(path) {
        return tables(names, path, last, true);
    }
    let columns = match path.split_once('.') {
        Some((schema, table)) => columns_of(names, schema, table),
        None if names.table(DEFAULT_SCHEMA, path).is_some() => {
            columns_of(names, DEFAULT_SCHEMA, path)
        }
        None => columns_in_scope(names, text),
    };
    columns
        .into_iter()
        .filter(|column| begins(column, last))
        .map(|column| format!("{path}.{column}"))
        .collect()
}

fn unqualified(names: &Names, text: &str, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    // Before anything is typed, tables are of more use than 300 functions.
    if !word.is_empty() {
        let is_lowercase = word.chars().any(char::is_lowercase);
        let keywords = KEYWORDS.iter().filter(|keyword| begins(keyword, word));
        found.extend(keywords.map(|keyword| {
            if is_lowercase {
                keyword.to_lowercase()
            } else {
                (*keyword).to_owned()
            }
        }));
        let functions = names
            .functions()
            .iter()
            .filter(|function| begins(function, word));
        found.extend(functions.map(|function| format!("{function}(")));
    }
    found.extend(schemas(names, word));
    found.extend(tables(names, DEFAULT_SCHEMA, word, false));
    found.extend(
        columns_in_scope(names, text)
            .into_iter()
            .filter(|column| begins(column, word)),
    );
    found
}

fn schemas(names: &Names, word: &str) -> Vec<String> {
    names
        .schemas()
        .filter(|schema| begins(schema, word))
        .map(|schema| format!("{schema}."))
        .collect()
}

fn tables(names: &Names, schema: &str, word: &str, qualified: bool) -> Vec<String> {
    let tables = names.tables(schema).filter(|table| begins(table, word));
    tables
        .map(|table| {
            if qualified {
                format!("{schema}.{table}")
            } else {
                table.to_owned()
            }
        })
        .collect()
}

/// Columns of every table that the statement mentions.
fn columns_in_scope(names: &Names, text: &str) -> Vec<String> {
    let words = text
        .split(|c: char| !is_word(c))
        .filter(|word| !word.is_empty());
    words
        .flat_map(|word| {
            let (schema, table) = word.split_once('.').unwrap_or((DEFAULT_SCHEMA, word));
            columns_of(names, schema, table)
        })
        .collect()
}

fn columns_of(names: &Names, schema: &str, table: &str) -> Vec<String> {
    let columns = names
        .table(schema, table)
        .map(|schema| schema.fields().clone())
        .unwrap_or_default();
    columns.iter().map(|field| field.name().clone()).collect()
}

fn begins(name: &str, word: &str) -> bool {
    name.get(..word.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '\\' | '?')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::session;
    use super::*;

    async fn offered(text: &str) -> (usize, Vec<String>) {
        let (before, after) = text.split_once('^').unwrap_or((text, ""));
        candidates(
            session().await.names(),
            &format!("{before}{after}"),
            before.len(),
        )
    }

    #[tokio::test]
    async fn names_are_offered_by_position() {
        for (text, start, expected) in [
            ("SELECT * FROM dem", 14, &["demand_orders"][..]),
            ("SELECT * FROM facts", 14, &["facts."]),
            ("SELECT * FROM facts.ord", 14, &["facts.order_lines"]),
            ("SELECT requ^ FROM demand_orders", 7, &["requested_qty"]),
            ("SELECT pri^ FROM facts.order_lines", 7, &["price_fen"]),
            (
                "SELECT o.requ^ FROM demand_orders o",
                7,
                &["o.requested_qty"],
            ),
            (
                "SELECT demand_orders.s^ FROM demand_orders",
                7,
                &["demand_orders.sku_id"],
            ),
            (
                "SELECT facts.order_lines.s^",
                7,
                &["facts.order_lines.sku_id"],
            ),
            ("SEL", 0, &["SELECT"]),
            ("sel", 0, &["select"]),
            ("SELECT med", 7, &["median(", "median_exact("]),
            ("SELECT '需求', hav", 17, &["having"]),
            ("SELECT nothing_like_it", 7, &[]),
            ("\\d dem", 3, &["demand_orders"]),
            ("\\d facts.", 3, &["facts.order_lines"]),
            ("\\", 0, &["\\?", "\\d", "\\df", "\\e", "\\f", "\\q"]),
        ] {
            let (at, found) = offered(text).await;
            assert_eq!(
                (at, found.as_slice()),
                (
                    start,
                    expected
                        .iter()
                        .map(|s| s.to_string())
                        .collect::<Vec<_>>()
                        .as_slice()
                ),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn before_anything_is_typed_tables_and_schemas_are_offered() {
        let (_, found) = offered("SELECT * FROM ").await;
        assert!(
            found.contains(&"demand_orders".to_owned()) && found.contains(&"facts.".to_owned()),
            "{found:?}"
        );
        assert!(!found.iter().any(|name| name.ends_with('(')), "{found:?}");
    }
}
