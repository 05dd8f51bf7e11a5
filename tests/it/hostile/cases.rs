//! Values that have broken somebody's books: a bar code for a quantity, ids without end, the last day of the calendar.

use schemas::partition::partition_of;
use schemas::time::TimestampMs;
use serde_json::{Value, json};
use tests::by_hand::{self, line, with_fields, write_customers};
use tests::events::Events;
use tests::project::Project;

use crate::bad_input::NOON_MS;
use crate::proof::number;

/// A bar code as a scanner types it into the wrong field.
const BAR_CODE: i64 = 6_901_028_075_022_000;

fn event(event_type: &str, event_id: &str, at: i64, more: Value) -> Value {
    let fields = with_fields(json!({"customer_id": "C1"}), more);
    by_hand::event(event_type, event_id, TimestampMs::from_ms(at), fields)
}

/// A step of an order with one line of SKU `P`.
fn step(event_type: &str, event_id: &str, quantity: (&str, i64), price_fen: i64) -> Value {
    let line = json!({"line_no": 1, "sku_id": "P", quantity.0: quantity.1, "wholesale_price_fen": price_fen});
    event(
        event_type,
        event_id,
        NOON_MS,
        json!({"order_id": event_id, "lines": [line]}),
    )
}

/// Event files of one partition, and customers C1 and C2.
fn files(folder: &std::path::Path, topics: &[(&str, &[Value])]) -> Events {
    let events = Events::in_folder(folder.join("events"));
    for (topic, records) in topics {
        let lines: Vec<_> = records.iter().map(line).collect();
        events.write(topic, 0, &lines).unwrap();
    }
    write_customers(&events.reference(), &[("C1", "T1"), ("C2", "P|T1")]).unwrap();
    assert_eq!(partition_of(b"C1", 1), 0);
    events
}

/// Reads the files to their end, though most records may be dead.
fn drained(events: &Events) -> Project {
    let project = Project::on_files(events)
        .unwrap()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    project.run(&["run", "--drain"]).unwrap();
    project
}

/// Reason and path of every dead letter, in the order of topics and offsets.
fn dead_letters(project: &Project) -> Vec<(String, String)> {
    let query =
        r#"SELECT reason, path FROM ops.dead_letters ORDER BY topic, "partition", "offset""#;
    let rows = project.query(query).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(row, "reason"), text(row, "path")))
        .collect()
}

fn bad(path: &str) -> (String, String) {
    ("bad_value".to_owned(), path.to_owned())
}

#[test]
fn k25_a_bar_code_in_quantity_and_price_is_a_dead_letter() {
    const LARGEST: i64 = 1_000_000_000_000_000_000;
    let orders = [
        step("order.placed", "good", ("requested_qty", 3), 1_000),
        step("order.placed", "qty", ("requested_qty", BAR_CODE), 1_000),
        step("order.placed", "price", ("requested_qty", 3), BAR_CODE),
        step(
            "order.placed",
            "both",
            ("requested_qty", BAR_CODE),
            BAR_CODE,
        ),
        step(
            "order.delivered",
            "delivered",
            ("delivered_qty", LARGEST),
            LARGEST,
        ),
        step(
            "order.placed",
            "limit",
            ("requested_qty", 100_000_000),
            1_000_000_000,
        ),
        step(
            "order.placed",
            "beyond",
            ("requested_qty", 100_000_001),
            1_000_000_000,
        ),
    ];
    let paid = |event_id, amount| {
        let more = json!({"order_id": event_id, "amount_fen": amount, "due_date": "2026-01-09"});
        event("order.payment_due", event_id, NOON_MS, more)
    };
    let payments = [
        paid("paid", 1_000_000_000_000_000_i64),
        paid("too-much", LARGEST),
    ];
    let orders = [&orders[..], &payments[..]].concat();
    let price = |price_fen: i64| {
        let more = json!({"sku_id": "P", "price_type": "WHOLESALE", "price_fen": price_fen, "valid_from": NOON_MS - 1});
        event(
            "price.list_set",
            &format!("list-{price_fen}"),
            NOON_MS - 1,
            more,
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let prices = [price(1_000), price(BAR_CODE)];
    let events = files(
        folder.path(),
        &[("orders.v1", &orders), ("prices.v1", &prices)],
    );
    let project = drained(&events);
    assert_eq!(
        dead_letters(&project),
        [
            bad("lines[0].requested_qty"),
            bad("lines[0].wholesale_price_fen"),
            bad("lines[0].requested_qty"),
            bad("lines[0].delivered_qty"),
            bad("lines[0].requested_qty"),
            bad("amount_fen"),
            bad("price_fen"),
        ]
    );
    // What is left is exact, and nothing is negative.
    let day = &project
        .query("SELECT requested_qty, requested_fen, delivered_qty FROM metrics.demand_orders WHERE window_kind = 'D1'")
        .unwrap();
    assert_eq!(day.len(), 1, "{day:?}");
    assert_eq!(number(&day[0]["requested_qty"]), 100_000_003);
    assert_eq!(number(&day[0]["requested_fen"]), 100_000_000_000_003_000);
    assert_eq!(number(&day[0]["delivered_qty"]), 0);
    let fed = project
        .query("SELECT y, y_delivered FROM feeds.demand_daily")
        .unwrap();
    let fed: Vec<_> = fed
        .iter()
        .map(|row| (number(&row["y"]), number(&row["y_delivered"])))
        .collect();
    assert_eq!(fed, [(100_000_003, 0)]);
    project.run(&["audit"]).unwrap();
}

#[test]
fn k42_ids_without_end_and_with_control_characters_are_dead_letters() {
    let opened = |event_id: &str, case_id: &str| {
        let more = json!({
            "case_id": case_id, "case_kind": "COMPLAINT", "channel": "PHONE", "category": "DELIVERY", "answered": true,
            "received_at": NOON_MS,
        });
        event("case.opened", event_id, NOON_MS, more)
    };
    let order = |event_id: &str, sku_id: &str| {
        let line =
            json!({"line_no": 1, "sku_id": sku_id, "requested_qty": 1, "wholesale_price_fen": 100});
        event(
            "order.placed",
            event_id,
            NOON_MS,
            json!({"order_id": event_id, "lines": [line]}),
        )
    };
    let longest = "K".repeat(256);
    let complaints = [
        opened("long", &"K".repeat(70_000)),
        opened("colour", "Q\u{1b}[2J\u{1b}[31mRED\nline2\r\u{7}"),
        opened("longest", &longest),
        opened("bidi", "Q\u{202e}txet"),
    ];
    let orders = [
        order("good", "S1"),
        order("endless", &"S".repeat(600_000)),
        order("title", "S\u{1b}]0;title\u{7}"),
        order("c1", "S\u{9b}31m"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let events = files(
        folder.path(),
        &[("orders.v1", &orders), ("complaints.v1", &complaints)],
    );
    let project = drained(&events);
    let sku = bad("lines[0].sku_id");
    assert_eq!(
        dead_letters(&project),
        [
            bad("case_id"),
            bad("case_id"),
            sku.clone(),
            sku.clone(),
            sku
        ]
    );
    // A dead letter holds what came, and the open alerts of the others can be shown.
    let values = project.query("SELECT value FROM ops.dead_letters").unwrap();
    let digits = values
        .iter()
        .map(|row| row["value"].as_str().unwrap().len());
    assert!(digits.max() > Some(2 * 600_000), "hexadecimal digits");
    let firing =
        "SELECT count(DISTINCT subject) FROM ops.alerts WHERE rule_id = 'A15' AND state = 'firing'";
    assert!(project.number(firing).unwrap() >= 2);
    project.run(&["status"]).unwrap();
    project.run(&["audit"]).unwrap();
}

/// (`P`, `P|T1`) and (`P|P`, `T1`) are two series, as are all ids with `|` or `%` in them.
#[test]
fn k42_series_whose_ids_hold_bars_are_told_apart() {
    let order = |event_id: &str, customer: &str, sku_id: &str, quantity: i64| {
        let line = json!({"line_no": 1, "sku_id": sku_id, "requested_qty": quantity, "wholesale_price_fen": 100});
        let more = json!({"customer_id": customer, "order_id": event_id, "lines": [line]});
        event("order.placed", event_id, NOON_MS, more)
    };
    let orders = [
        order("a", "C2", "P", 1),
        order("b", "C1", "P|P", 2),
        order("c", "C1", "50%", 4),
        order("d", "C1", "50%25", 8),
    ];
    let folder = tempfile::tempdir().unwrap();
    let project = drained(&files(folder.path(), &[("orders.v1", &orders)]));
    let rows = project
        .query("SELECT unique_id, y FROM feeds.demand_daily ORDER BY y")
        .unwrap();
    let series: Vec<_> = rows
        .iter()
        .map(|row| (row["unique_id"].as_str().unwrap(), number(&row["y"])))
        .collect();
    assert_eq!(
        series,
        [
            ("P|P%7CT1", 1),
            ("P%7CP|T1", 2),
            ("50%25|T1", 4),
            ("50%2525|T1", 8)
        ]
    );
}

#[test]
fn k25_the_last_event_is_one_of_the_year_9998_and_audit_takes_it() {
    const LAST: i64 = 253_370_764_799_999;
    let order = |event_id: &str, at: i64| {
        let line =
            json!({"line_no": 1, "sku_id": "P", "requested_qty": 1, "wholesale_price_fen": 100});
        event(
            "order.placed",
            event_id,
            at,
            json!({"order_id": event_id, "lines": [line]}),
        )
    };
    let folder = tempfile::tempdir().unwrap();
    // The end of 9999, the begin of 9999, the end of 9998.
    let orders = [
        order("a", 253_402_300_799_999),
        order("b", LAST + 1),
        order("c", LAST),
    ];
    let project = drained(&files(folder.path(), &[("orders.v1", &orders)]));
    assert_eq!(
        dead_letters(&project),
        [bad("occurred_at"), bad("occurred_at")]
    );
    let kept = project.query("SELECT event_id FROM events.orders").unwrap();
    assert_eq!(kept, [json!({"event_id": "c"})]);
    project.run(&["audit"]).unwrap();
}
