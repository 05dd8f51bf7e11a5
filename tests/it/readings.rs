//! Settled readings over a distributor by hand, each situation held against the oracle.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::events::{Events, Line};
use tests::project::Project;

use crate::proof::{assert_equal, assert_margin_alerts, expect};

/// Monday 2026-01-05, 10:00 in Shanghai.
const MONDAY: TimestampMs = TimestampMs::from_ms(1_767_578_400_000);

/// So many days and minutes after that Monday.
fn at(days: i64, minutes: i64) -> TimestampMs {
    MONDAY + DurationMs::from_days(days) + DurationMs::from_minutes(minutes)
}

/// An event; without a customer where `customer` is empty.
fn event(event_type: &str, event_id: &str, at: TimestampMs, customer: &str, more: Value) -> Line {
    let mut event = json!({
        "event_id": event_id, "event_type": event_type, "schema_version": 1, "occurred_at": at, "recorded_at": at,
    });
    let fields = event.as_object_mut().unwrap();
    if !customer.is_empty() {
        fields.insert("customer_id".to_owned(), json!(customer));
    }
    fields.extend(more.as_object().unwrap().clone());
    event.to_string().into_bytes()
}

/// An order event of one line of SKU S1.
fn order(step: &str, event_id: &str, at: TimestampMs, of: (&str, &str), more: Value) -> Line {
    let (customer, order_id) = of;
    let quantity = match step {
        "placed" | "amended" => "requested_qty",
        "allocated" => "allocated_qty",
        _ => "delivered_qty",
    };
    let mut fields = json!({"order_id": order_id});
    if step != "cancelled" && step != "closed" {
        fields["lines"] =
            json!([{"line_no": 1, "sku_id": "S1", quantity: 10, "wholesale_price_fen": 500}]);
    }
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    event(&format!("order.{step}"), event_id, at, customer, fields)
}

fn counted(event_id: &str, at: TimestampMs, customer: &str, skus: &[(&str, i64)]) -> Line {
    let stock: Vec<Value> = skus
        .iter()
        .map(|(sku, qty)| json!({"sku_id": sku, "qty": qty, "counted_at": at}))
        .collect();
    let more = json!({"collection_id": event_id, "stock": stock});
    event("visit.info_collected", event_id, at, customer, more)
}

fn seen(event_id: &str, at: TimestampMs, customer: &str, sku: &str, price_fen: i64) -> Line {
    let more = json!({"sku_id": sku, "price_fen": price_fen, "observed_at": at, "price_basis": "SELLING",
                      "collection_id": event_id});
    event("price.observed", event_id, at, customer, more)
}

fn listed(event_id: &str, at: TimestampMs, sku: &str, of: (&str, i64), more: Value) -> Line {
    let (price_type, price_fen) = of;
    let mut fields = json!({"sku_id": sku, "price_type": price_type, "price_fen": price_fen,
                            "valid_from": MONDAY - DurationMs::from_days(60)});
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    event("price.list_set", event_id, at, "", fields)
}

/// Event files of a test's own. Retailers C1, C3, C5 to C7 live in T1; the territory of C2 and C4 is not known, nor is C9 at all.
fn distributor() -> (TempDir, Events) {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::in_folder(folder.path().join("events"));
    fs::create_dir_all(events.reference()).unwrap();
    let mut customers = "customer_id,class_id,territory_id,area_unit_id,customer_kind,region_code,valid_from,valid_to\n".to_owned();
    for (customer, territory) in [
        ("C1", "T1"),
        ("C2", ""),
        ("C3", "T1"),
        ("C4", "UNKNOWN"),
        ("C5", "T1"),
        ("C6", "T1"),
        ("C7", "T1"),
    ] {
        customers +=
            &format!("{customer},A,{territory},AREA1,RETAILER,110000,2025-01-01T00:00:00Z,\n");
    }
    fs::write(events.reference().join("ref_customer.csv"), customers).unwrap();
    (folder, events)
}

fn orders() -> Vec<Line> {
    let none = || json!({});
    let priced = |price: Option<i64>| json!({"line_no": 1, "sku_id": "S1", "requested_qty": 1, "wholesale_price_fen": price});
    vec![
        // An id that is forgotten and accepted again, of another customer, and corrected there.
        order("placed", "twice", at(0, 0), ("C1", "O1"), none()),
        order("placed", "o2", at(3, 0), ("C1", "O2"), none()),
        order("delivered", "both", at(8, 0), ("C1", "O2"), none()),
        // In orders alone: the count of the same id stays, and the week has a negative interval only (K32).
        order(
            "closed",
            "by-1",
            at(8, 5),
            ("C1", "O2"),
            json!({"corrects": "both"}),
        ),
        order("placed", "twice", at(12, 0), ("C2", "O3"), none()),
        order(
            "placed",
            "by-2",
            at(12, 5),
            ("C2", "O4"),
            json!({"corrects": "twice"}),
        ),
        // K36
        order(
            "placed",
            "self",
            at(12, 10),
            ("C1", "O5"),
            json!({"corrects": "self"}),
        ),
        // K37: the last of these prices, 700, is that of what is delivered.
        order(
            "placed",
            "double",
            at(12, 15),
            ("C5", "O6"),
            json!({"lines": [priced(Some(500)), priced(Some(700)), priced(None)]}),
        ),
        order(
            "delivered",
            "unpriced",
            at(12, 20),
            ("C5", "O6"),
            json!({"lines": [{"line_no": 1, "sku_id": "S1", "delivered_qty": 3}]}),
        ),
        // K26
        order("placed", "cut", at(13, 0), ("C1", "O7"), none()),
        order(
            "cancelled",
            "cut-2",
            at(13, 5),
            ("C1", "O7"),
            json!({"cancel_reason": "SUPPLY_LIMIT"}),
        ),
        order(
            "cancelled",
            "cut-3",
            at(13, 6),
            ("C1", "O7"),
            json!({"cancel_reason": "OTHER"}),
        ),
        order("placed", "less", at(13, 10), ("C1", "O8"), none()),
        order(
            "amended",
            "less-2",
            at(13, 15),
            ("C1", "O8"),
            json!({"amend_reason": "SUPPLY_LIMIT", "lines": [{"line_no": 1, "sku_id": "S1", "requested_qty": 4}]}),
        ),
        order("allocated", "less-3", at(13, 20), ("C1", "O8"), none()),
    ]
}

/// Five SKUs whose margin decides about A01.
const FIVE: [&str; 5] = ["M1", "M2", "M3", "M4", "M5"];

fn visits() -> Vec<Line> {
    let five: Vec<(&str, i64)> = FIVE.iter().map(|sku| (*sku, 1)).collect();
    vec![
        counted("both", at(7, 0), "C1", &[("S1", 40)]),
        counted("v2", at(7, 5), "C3", &five),
        counted("v3", at(7, 10), "C6", &five[..4]),
        counted("v4", at(7, 15), "C7", &five),
        // K35, K37: no median for C2, C4 and C9; S3 has no cost, S4 no price.
        counted("v5", at(7, 20), "C2", &[("S1", 1)]),
        counted("v6", at(7, 25), "C4", &[("S1", 1)]),
        counted("v7", at(7, 30), "C9", &[("S1", 1)]),
        counted("v8", at(7, 35), "C5", &[("S1", 1), ("S3", 1), ("S4", 1)]),
        counted("v9", at(10, 0), "C1", &[("S1", 45)]),
    ]
}

fn prices() -> Vec<Line> {
    let mut lines = vec![
        listed("lp", at(0, 0), "S1", ("WHOLESALE", 500), json!({})),
        listed("lp-2", at(0, 5), "S1", ("SUGGESTED_RETAIL", 800), json!({})),
        listed("lp-3", at(0, 10), "S4", ("WHOLESALE", 70), json!({})),
        seen("s1", at(7, 0), "C5", "S1", 650),
        seen("s2", at(7, 1), "C4", "S1", 900),
        seen("s3", at(7, 2), "C5", "S3", 100),
    ];
    for (number, sku) in FIVE.iter().enumerate() {
        let id = |name: &str| format!("{name}-{number}");
        lines.push(listed(
            &id("five"),
            at(7, 3),
            sku,
            ("WHOLESALE", 92),
            json!({}),
        ));
        for customer in ["C3", "C6", "C7"] {
            lines.push(seen(&id(customer), at(7, 4), customer, sku, 100));
        }
    }
    // C7 sells dearer from the next week on: its alert is resolved.
    let dearer = FIVE.iter().enumerate();
    lines.extend(
        dearer.map(|(number, sku)| seen(&format!("dearer-{number}"), at(14, 0), "C7", sku, 200)),
    );
    // The id of S1's price again, for S2, and corrected there.
    lines.push(listed("lp", at(20, 0), "S2", ("WHOLESALE", 1), json!({})));
    lines.push(listed(
        "lp-4",
        at(20, 5),
        "S2",
        ("WHOLESALE", 2),
        json!({"corrects": "lp"}),
    ));
    lines
}

/// K34: answered at once, after the first deadline and before; and calls of which nobody says that they were taken.
fn complaints() -> Vec<Line> {
    let opened = |id: &str, at: TimestampMs, kind: &str| {
        let more = json!({"case_id": id, "case_kind": kind, "channel": "PHONE", "category": "PRICE", "unit_id": "U1",
                          "received_at": at});
        event("case.opened", &format!("{id}-opened"), at, "C1", more)
    };
    let ended = |id: &str, at: TimestampMs| {
        let more = json!({"case_id": id, "call_ended_at": at});
        event("case.call_ended", &format!("{id}-ended"), at, "C1", more)
    };
    let answered = |id: &str, at: TimestampMs| {
        let more = json!({"case_id": id, "at_once": true});
        event("case.answered", &format!("{id}-answered"), at, "C1", more)
    };
    vec![
        opened("K1", at(0, 0), "COMPLAINT"),
        ended("K1", at(0, 5)),
        answered("K1", at(0, 16)),
        opened("K2", at(1, 0), "COMPLAINT"),
        ended("K2", at(1, 5)),
        answered("K2", at(1, 15)),
        opened("K3", at(2, 0), "RESCUE"),
    ]
}

fn write(events: &Events) {
    for (topic, lines) in [
        ("orders.v1", orders()),
        ("visits.v1", visits()),
        ("prices.v1", prices()),
        ("complaints.v1", complaints()),
    ] {
        events.write(topic, 0, &lines).unwrap();
    }
}

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

#[test]
fn k31_tables_of_operation_name_topics_as_configured() {
    let (_folder, events) = distributor();
    let mut orders = orders();
    orders.push(b"not an event".to_vec());
    let late = order("placed", "late", at(1, 0), ("C1", "O9"), json!({}));
    orders.push(late);
    events.write("shop.orders", 0, &orders).unwrap();
    events.write("visits.v1", 0, &visits()).unwrap();
    let project = Project::on_files(&events)
        .unwrap()
        .set("VITRINE__TOPICS__ORDERS", "shop.orders");
    project.run(&["run", "--drain"]).unwrap();
    for (table, names) in [
        ("conservation", &["shop.orders", "visits.v1"][..]),
        ("watermarks", &["shop.orders", "visits.v1"]),
        ("dead_letters", &["shop.orders"]),
        ("late_events", &["shop.orders"]),
        ("orphans", &["shop.orders"]),
    ] {
        let rows = project
            .query(&format!("SELECT DISTINCT topic FROM ops.{table} WHERE topic NOT IN ('complaints.v1', 'prices.v1') ORDER BY topic"))
            .unwrap();
        let found: Vec<&str> = rows
            .iter()
            .map(|row| row["topic"].as_str().unwrap())
            .collect();
        assert_eq!(found, names, "{table}");
    }
    // SQL schemas and tables keep the short names, and the books find them.
    assert!(
        project
            .number("SELECT count(*) FROM events.orders")
            .unwrap()
            > 0
    );
    project.run(&["audit"]).unwrap();
}

#[test]
fn k33_eight_weeks_of_silence_resolve_an_open_alert() {
    let (_folder, events) = distributor();
    write(&events);
    let project = Project::on_files(&events).unwrap();
    project
        .run(&["run", "--drain-to", "2026-06-01T00:00:00Z"])
        .unwrap();
    let rows = project
        .query("SELECT subject, state, reason, window_end FROM ops.alerts WHERE rule_id = 'A01' AND reason IS NOT NULL")
        .unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        [&rows[0]["subject"], &rows[0]["state"], &rows[0]["reason"]],
        ["A01|C3", "resolved", "no_data"]
    );
}

/// Prices that are corrected after their windows have been judged.
#[test]
fn k33_a_late_correction_withdraws_an_alert_and_brings_it_back() {
    let (folder, events) = distributor();
    let mut prices = prices();
    prices.retain(|line| !String::from_utf8_lossy(line).contains("dearer"));
    // Time goes on in all topics.
    let mut visits = visits();
    visits.push(event(
        "visit.started",
        "last-visit",
        at(26, 0),
        "C1",
        json!({"visit_id": "last"}),
    ));
    events.write("visits.v1", 0, &visits).unwrap();
    prices.push(listed(
        "last-price",
        at(26, 0),
        "S9",
        ("WHOLESALE", 500),
        json!({}),
    ));
    events.write("prices.v1", 0, &prices).unwrap();
    let flow = |to: i64| -> Vec<Line> {
        (10..to)
            .map(|day| {
                order(
                    "placed",
                    &format!("day-{day}"),
                    at(day, 0),
                    ("C1", &format!("D{day}")),
                    json!({}),
                )
            })
            .collect()
    };
    events.write("orders.v1", 0, &flow(30)).unwrap();
    let project = Project::on_files(&events)
        .unwrap()
        .set("VITRINE__EPOCH__REVISE_EVERY", "1s");
    project.run(&["run", "--until-caught-up"]).unwrap();
    let states = |project: &Project| -> Vec<String> {
        let rows = project
            .query("SELECT state FROM ops.alerts WHERE subject = 'A01|C3' AND reason IS NULL ORDER BY sequence")
            .unwrap();
        rows.iter()
            .map(|row| row["state"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(&project), ["firing"]);

    let mut corrected = prices.clone();
    corrected.extend(FIVE.iter().enumerate().map(|(number, sku)| {
        let more = json!({"sku_id": sku, "price_fen": 200, "observed_at": at(7, 4), "price_basis": "SELLING",
                          "collection_id": "again", "corrects": format!("C3-{number}")});
        event("price.observed", &format!("again-{number}"), at(20, 6), "C3", more)
    }));
    events.write("prices.v1", 0, &corrected).unwrap();
    events.write("orders.v1", 0, &flow(31)).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(states(&project), ["firing", "withdrawn"]);

    let expected = folder.path().join("expected");
    expect(&events, &expected);
    let said = project.run(&["run", "--drain"]).unwrap().stdout;
    assert_equal(&project, &expected);
    assert_margin_alerts(&project, &expected, &said);
}
