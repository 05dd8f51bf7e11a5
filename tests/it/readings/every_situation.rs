//! All situations in one storage: its tables, orphans and alerts are the oracle's.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::project::Project;

use super::distributor::{distributor, write};
use crate::proof::{assert_equal, assert_margin_alerts, expect};

/// Orphans, as topic, event and what it names.
fn orphans(project: &Project, expected: &Path) -> [BTreeSet<String>; 2] {
    let rows = project
        .query("SELECT topic, event_id, corrects FROM ops.orphans")
        .unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let found = rows.iter().map(|row| {
        ["topic", "event_id", "corrects"]
            .map(|name| text(row, name))
            .join(",")
    });
    let csv = fs::read_to_string(expected.join("orphans.csv")).unwrap();
    // The oracle has the short names, `ops.*` those of the configuration (K31).
    let wanted = csv
        .lines()
        .skip(1)
        .map(|line| line.replacen(',', ".v1,", 1));
    [found.collect(), wanted.collect()]
}

#[test]
fn k26_k32_k34_k35_k36_k37_a_distributor_by_hand_comes_to_what_the_oracle_computes() {
    let (folder, events) = distributor();
    write(&events);
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    let project = Project::on_files(&events).unwrap();
    let said = project.run(&["run", "--drain"]).unwrap().stdout;
    assert_equal(&project, &expected);
    let [found, wanted] = orphans(&project, &expected);
    assert_eq!(found, wanted);
    assert_eq!(found, BTreeSet::from(["orders.v1,self,self".to_owned()]));
    assert_margin_alerts(&project, &expected, &said);

    // Each situation is there.
    for (what, query, number) in [
        (
            "K32",
            "SELECT count(*) FROM metrics.sell_through AS s JOIN metrics.stock_to_sales AS t USING (customer_id, sku_id, window_start) \
             WHERE s.sell_through_qty IS NULL AND s.negative_intervals = 1 AND t.ssr_ratio IS NULL AND t.no_sales IS NULL",
            1,
        ),
        (
            "K34: of the first case one step stands, of the second none",
            "SELECT count(*) FROM ops.sla_steps WHERE case_id <> 'K3' AND outcome = 'BREACHED'",
            1,
        ),
        (
            "K34: nobody hung up, so the steps begin at the receipt",
            "SELECT count(*) FROM ops.sla_steps WHERE case_id = 'K3' AND outcome = 'BREACHED'",
            5,
        ),
        (
            "K35",
            "SELECT count(*) FROM metrics.retailer_margin_by_sku WHERE territory_id = 'UNKNOWN' AND price_source = 'TERRITORY'",
            0,
        ),
        (
            "K37",
            "SELECT count(DISTINCT sku_id) FROM metrics.retailer_margin_by_sku WHERE sku_id IN ('S3', 'S4') AND sales_fen IS NULL \
             AND cost_fen IS NULL AND (price_fen IS NULL) <> (unit_cost_fen IS NULL)",
            2,
        ),
        (
            "K37: a delivered line has the last price of its number",
            "SELECT sum(value_fen) FROM facts.order_lines_current WHERE event_id = 'unpriced'",
            2_100,
        ),
        (
            "K26",
            "SELECT sum(qty) FROM facts.order_lines_current WHERE order_id IN ('O7', 'O8') AND kind = 'REQUESTED'",
            20,
        ),
        (
            "the first event of an id stays, the second leaves",
            "SELECT count(*) FROM facts.order_lines_current WHERE event_id = 'twice' AND customer_id = 'C1'",
            1,
        ),
    ] {
        assert_eq!(project.number(query).unwrap(), number, "{what}");
    }
}
