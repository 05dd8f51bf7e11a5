//! The tables are plain Delta and Parquet: other readers find in them what `vitrine sql` answers.

use serde_json::Value;
use tests::oracle;
use tests::project::Project;

use crate::proof::{Sample, number};

#[test]
fn other_readers_find_the_same_sums() {
    let sample = Sample::three_weeks();
    let project = Project::on_files(&sample.events).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    for (table, columns) in [
        ("demand_orders", ["requested_qty", "delivered_fen", "n"]),
        ("retailer_margin", ["sales_fen", "cost_fen", "skus_n"]),
        ("sla_compliance", ["met_n", "breached_n", "overrun_sum_ms"]),
    ] {
        let folder = project.storage().join("tables/metrics").join(table);
        let read = oracle::sums(&folder, &columns).unwrap();
        let sums = columns
            .map(|column| format!("sum({column}) AS {column}"))
            .join(", ");
        let query = format!("SELECT count(*) AS rows, {sums} FROM metrics_revisions.{table}");
        let answer = &project.query(&query).unwrap()[0];
        assert!(number(&answer["rows"]) > 0);
        for (at, name) in ["rows"].into_iter().chain(columns).enumerate() {
            for reader in ["delta", "duckdb"] {
                let found = &read[reader][at];
                assert_eq!(
                    plain(found),
                    plain(&answer[name]),
                    "{table}.{name} read by {reader}"
                );
            }
        }
        assert!(number(&read["file_rows"]) > 0, "{}", read["file"]);
    }
}

/// Decimals are spelled with their digits or without, whole numbers as numbers or as text.
fn plain(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}
