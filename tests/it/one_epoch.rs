//! P3 from outside: a query that joins tables sees one epoch of all of them, however many are committed meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::PATIENCE;
use tests::project::Project;

use crate::proof::{Sample, assert_equal};
use crate::terminal::script;

/// Margins of retailers that are not the sums of their margins by SKU: both are made in one round.
const MARGINS_APART: &str = "SELECT count(*) FROM (
  SELECT window_kind, window_start, customer_id, territory_id, class_id, sales_fen FROM metrics.retailer_margin
) AS whole FULL JOIN (
  SELECT window_kind, window_start, customer_id, territory_id, class_id, COALESCE(SUM(sales_fen), 0) AS sales_fen
  FROM metrics.retailer_margin_by_sku GROUP BY window_kind, window_start, customer_id, territory_id, class_id
) AS parts USING (window_kind, window_start, customer_id, territory_id, class_id)
WHERE whole.sales_fen IS DISTINCT FROM parts.sales_fen";

/// Records that were counted as accepted less events that are stored.
const EVENTS_APART: &str = "SELECT (SELECT COALESCE(SUM(accepted_n), 0) FROM ops.conservation) - (
  SELECT count(*) FROM (
    SELECT event_id FROM events.orders UNION ALL SELECT event_id FROM events.visits
    UNION ALL SELECT event_id FROM events.complaints UNION ALL SELECT event_id FROM events.prices
  ) AS stored)";

#[test]
fn f39_sums_of_two_tables_agree_in_every_query_during_commits() {
    let sample = Sample::three_weeks();
    let project = Project::on_files(&sample.events)
        .unwrap()
        .set("VITRINE__EPOCH__SEAL_EVERY", "20ms")
        .set("VITRINE__EPOCH__INTERVAL", "50ms")
        .set("VITRINE__EPOCH__REVISE_EVERY", "100ms");
    let mut running = project.start(&["run", "--drain"]).unwrap();
    let newest = "SELECT COALESCE(MAX(epoch), 0) FROM ops.conservation";
    project
        .until("there is an epoch", |project| {
            Ok(project.number(newest)? > 0)
        })
        .unwrap();
    // Readers ask again and again until the last epoch is committed; each of their statements opens the newest one.
    let statement = format!(
        "SELECT ({newest}) AS epoch, ({EVENTS_APART}) AS events, ({MARGINS_APART}) AS margins;\n"
    );
    let mut epochs = BTreeSet::new();
    loop {
        let is_last = running.has_ended().unwrap();
        let answers = script(&project, "ndjson", statement.repeat(10));
        let said = String::from_utf8_lossy(&answers.stderr);
        assert!(answers.status.success(), "{said}");
        let rows = String::from_utf8(answers.stdout).unwrap();
        assert_eq!(rows.lines().count(), 10, "every statement is answered");
        for row in rows.lines() {
            let row: Value = serde_json::from_str(row).unwrap();
            assert_eq!(
                (&row["events"], &row["margins"]),
                (&json!(0), &json!(0)),
                "{row}"
            );
            epochs.insert(row["epoch"].as_i64());
        }
        if is_last {
            break;
        }
    }
    running.wait(PATIENCE).unwrap().success().unwrap();
    assert!(epochs.len() > 1, "{epochs:?}");
    assert_equal(&project, &sample.expected);
    assert_eq!(project.number(EVENTS_APART).unwrap(), 0);
    assert_eq!(project.number(MARGINS_APART).unwrap(), 0);
    let margins = "SELECT count(*) FROM metrics.retailer_margin";
    assert!(project.number(margins).unwrap() > 0, "nothing was compared");
}
