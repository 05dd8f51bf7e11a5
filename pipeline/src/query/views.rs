//! The queries of the views that every epoch has: the latest revision of each row, and the facts that hold.

use super::catalog::{Finality, PinnedTable, Snapshot, ViewDefinition};
use crate::columns::COMMENT;

/// Comment of the column that the views add.
const IS_FINAL: &str = "the row will not change except by a later correction, which is marked restated (from ops.finality) (是否终值)";

/// Columns of a fact that say how it came, not what it is.
const PROVENANCE: [&str; 4] = ["weight", "epoch", "seal", "shard"];

/// Where the stored table appears in SQL. A table with revisions makes room for the view of its latest ones.
pub(super) fn stored_schema(table: &PinnedTable) -> String {
    if has_revisions(table) {
        format!("{}_revisions", table.schema_name)
    } else {
        table.schema_name.clone()
    }
}

/// The view that belongs to the stored table, if its kind has one.
pub(super) fn view_of(table: &PinnedTable, snapshot: &Snapshot) -> Option<ViewDefinition> {
    if has_revisions(table) {
        return Some(latest_revision(table, snapshot));
    }
    (table.schema_name == "facts" && table.has("weight")).then(|| what_holds(table))
}

fn has_revisions(table: &PinnedTable) -> bool {
    table.has("revision") && !table.key.is_empty()
}

/// `metrics.<t>`: of each key the row with the highest revision, unless that says that there is none (n = 0).
///
/// The partition column is a function of the key and joins it here, so that a filter on it still selects files: DataFusion
/// moves a filter below a window function only if it is over columns of PARTITION BY.
fn latest_revision(table: &PinnedTable, snapshot: &Snapshot) -> ViewDefinition {
    let key = table.key.iter().map(String::as_str);
    let partition = table
        .partition_by
        .as_deref()
        .filter(|column| !table.key.iter().any(|k| k == column));
    let key = list(key.chain(partition));
    let (schema, name) = (&table.schema_name, &table.name);
    let columns = list(table.columns());
    let is_final = is_final(table, snapshot);
    let exists = if table.has("n") { " AND \"n\" > 0" } else { "" };
    let sql = format!(
        "SELECT {columns}, {is_final} AS \"is_final\" \
         FROM (SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY \"revision\" DESC) AS \"newest_first\" \
         FROM {stored}) WHERE \"newest_first\" = 1{exists}",
        stored = qualified(&stored_schema(table), name),
    );
    ViewDefinition {
        schema: schema.clone(),
        name: name.clone(),
        sql,
        comment: comment(table),
        column_comments: vec![("is_final".to_owned(), IS_FINAL.to_owned())],
    }
}

/// `facts.<t>_current`: the stored rows are +1 and −1; what holds is what is left of them.
fn what_holds(table: &PinnedTable) -> ViewDefinition {
    let facts: Vec<&str> = table
        .columns()
        .filter(|column| !PROVENANCE.contains(column))
        .collect();
    let facts = list(facts.into_iter());
    let sql = format!(
        "SELECT {facts}, sum(\"weight\") AS \"weight\" FROM {stored} GROUP BY {facts} HAVING sum(\"weight\") > 0",
        stored = qualified(&table.schema_name, &table.name),
    );
    ViewDefinition {
        schema: table.schema_name.clone(),
        name: format!("{}_current", table.name),
        sql,
        comment: format!("what holds: {}", comment(table)),
        column_comments: vec![(
            "weight".to_owned(),
            "how often the fact holds, normally 1 (权重)".to_owned(),
        )],
    }
}

/// Final is what ends at or before the instant that the epoch's finality gives for the table and the kind of window (K7);
/// a row of the feed is a local day, which ends with the next midnight.
fn is_final(table: &PinnedTable, snapshot: &Snapshot) -> String {
    let full_name = format!("{}.{}", table.schema_name, table.name);
    let finality: Vec<&Finality> = snapshot
        .finality
        .iter()
        .filter(|f| f.table == full_name)
        .collect();
    if table.has("window_kind") && table.has("window_end") && !finality.is_empty() {
        let cases: String = finality
            .iter()
            .map(|f| {
                let until = f.final_until.as_micros();
                format!(
                    " WHEN '{}' THEN \"window_end\" <= arrow_cast({until}, 'Timestamp(Microsecond, Some(\"UTC\"))')",
                    f.window_kind.replace('\'', "''")
                )
            })
            .collect();
        return format!("CASE \"window_kind\"{cases} ELSE false END");
    }
    let day = finality
        .iter()
        .find(|f| f.window_kind == "D1")
        .and_then(|f| f.final_until.to_datetime());
    match day {
        Some(until) if table.has("ds") => {
            format!(
                "\"ds\" < DATE '{}'",
                until.with_timezone(&snapshot.zone).date_naive()
            )
        }
        _ => "false".to_owned(),
    }
}

fn comment(table: &PinnedTable) -> String {
    table
        .schema
        .metadata()
        .get(COMMENT)
        .cloned()
        .unwrap_or_default()
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

fn list<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    columns.map(quoted).collect::<Vec<_>>().join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
