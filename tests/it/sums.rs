//! K25: events within the bounds whose sums leave BIGINT. Nothing wraps, nothing ends, and what left its type comes back.

use std::path::Path;

use schemas::partition::partition_of;
use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tests::by_hand::{self, line, write_customers};
use tests::events::{Events, KEYED, Line};
use tests::project::Project;

use crate::bad_input::NOON_MS;
use crate::proof::{assert_equal, expect};

const DAY_MS: i64 = 86_400_000;

/// The largest quantity and price: 93 such lines leave BIGINT.
const QTY: i64 = 100_000_000;
const PRICE_FEN: i64 = 1_000_000_000;

/// A customer of the partition.
fn customer(partition: u32) -> String {
    let mut ids = (1..).map(|number| format!("C{number}"));
    ids.find(|id| partition_of(id.as_bytes(), 2) == partition)
        .unwrap()
}

fn event(kind: &str, id: &str, partition: u32, day: i64, more: Value) -> Line {
    let at = TimestampMs::from_ms(NOON_MS) + DurationMs::from_days(day);
    let mut event = by_hand::event(kind, id, at, more);
    event["customer_id"] = customer(partition).into();
    line(&event)
}

/// So many lines at the bounds, of one SKU.
fn lines(count: i64, quantity: &str) -> Value {
    let line = |line_no| json!({"line_no": line_no, "sku_id": "S1", quantity: QTY, "wholesale_price_fen": PRICE_FEN});
    (1..=count).map(line).collect()
}

fn placed(order: &str, partition: u32, day: i64, count: i64) -> Line {
    let more =
        json!({"order_id": order, "order_kind": "REGULAR", "lines": lines(count, "requested_qty")});
    event("order.placed", order, partition, day, more)
}

/// Two partitions with nothing in them, and a customer for each.
fn empty(folder: &Path) -> Events {
    let events = Events::in_folder(folder.join("events"));
    let customers = [customer(0), customer(1)];
    let customers = customers.each_ref().map(|id| (id.as_str(), "T1"));
    write_customers(&events.reference(), &customers).unwrap();
    for topic in KEYED {
        for partition in 0..2 {
            events.write(topic, partition, &[]).unwrap();
        }
    }
    events.write("prices.v1", 0, &[]).unwrap();
    events
}

/// What the day and the week of the events say of the requested value, as text.
fn requested(project: &Project) -> Vec<(String, String, String)> {
    let sql = "SELECT window_kind, CAST(requested_fen AS VARCHAR) AS fen, CAST(requested_qty AS VARCHAR) AS qty \
               FROM metrics.demand_orders WHERE window_start < TIMESTAMP '2026-01-05T16:00:00Z' ORDER BY 1";
    let rows = project.query(sql).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("NULL").to_owned();
    rows.iter()
        .map(|row| (text(row, "window_kind"), text(row, "fen"), text(row, "qty")))
        .collect()
}

/// Rows without a sum, by column and kind of window, as the newest epoch has them.
fn without_sum(project: &Project) -> Vec<(String, String, i64)> {
    let sql = "SELECT column_name, window_kind, rows_n FROM ( \
                 SELECT *, row_number() OVER (PARTITION BY table_name, column_name, window_kind, window_start \
                                              ORDER BY epoch DESC) AS newest_first FROM ops.data_quality) \
               WHERE newest_first = 1 AND table_name = 'metrics.demand_orders' ORDER BY 1, 2, 3";
    let rows = project.query(sql).unwrap();
    rows.iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (
                text("column_name"),
                text("window_kind"),
                row["rows_n"].as_i64().unwrap(),
            )
        })
        .collect()
}

fn found<const N: usize>(rows: [(&str, &str, i64); N]) -> Vec<(String, String, i64)> {
    rows.map(|(column, kind, rows)| (column.to_owned(), kind.to_owned(), rows))
        .into()
}

fn shown<const N: usize>(rows: [(&str, &str, &str); N]) -> Vec<(String, String, String)> {
    rows.map(|(kind, fen, qty)| (kind.to_owned(), fen.to_owned(), qty.to_owned()))
        .into()
}

/// Each shard's part fits, their sum does not; then one of the orders is cancelled.
#[test]
fn k25_a_sum_beyond_bigint_is_null_while_it_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let events = empty(folder.path());
    // Later orders move the clock past the day and the week.
    let mut files = [0, 1].map(|partition| {
        let order =
            |name: &str, day, count| placed(&format!("{name}{partition}"), partition, day, count);
        vec![order("O", 0, 50), order("P", 8, 1)]
    });
    let write = |files: &[Vec<Vec<u8>>; 2]| {
        for (partition, lines) in files.iter().enumerate() {
            events.write("orders.v1", partition, lines).unwrap();
        }
    };
    write(&files);
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    let beyond = shown([("D1", "NULL", "10000000000"), ("W1", "NULL", "10000000000")]);
    assert_eq!(requested(&project), beyond);
    let one_each = found([("requested_fen", "D1", 1), ("requested_fen", "W1", 1)]);
    assert_eq!(without_sum(&project), one_each);
    project.run(&["audit"]).unwrap();

    // A restart says nothing new, and does not end either.
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(
        project
            .number("SELECT count(*) FROM ops.data_quality")
            .unwrap(),
        2
    );

    let order = json!({"order_id": "O1"});
    files[1].push(event("order.cancelled", "cancelled", 1, 9, order.clone()));
    files[0].push(placed("Q0", 0, 9, 1));
    write(&files);
    project.run(&["run", "--until-caught-up"]).unwrap();
    let within = shown([
        ("D1", "5000000000000000000", "5000000000"),
        ("W1", "5000000000000000000", "5000000000"),
    ]);
    assert_eq!(requested(&project), within);
    let none = found([("requested_fen", "D1", 0), ("requested_fen", "W1", 0)]);
    assert_eq!(without_sum(&project), none);
    project.run(&["audit"]).unwrap();

    project.run(&["run", "--drain"]).unwrap();
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    assert_equal(&project, &expected);
    project.run(&["audit"]).unwrap();
}

/// Every kind of line at the bounds, counted stock and observed prices beside them: all tables equal the oracle's.
#[test]
fn k25_lines_at_the_bounds_come_to_what_the_oracle_computes() {
    let folder = tempfile::tempdir().unwrap();
    let events = empty(folder.path());
    let mut visits = Vec::new();
    let mut prices = Vec::new();
    for partition in [0, 1] {
        let of_order = |kind: &str, quantity: &str, day| {
            let more = json!({"order_id": format!("O{partition}"), "lines": lines(95, quantity)});
            event(kind, &format!("{kind}{partition}"), partition, day, more)
        };
        let stock = |qty, day: i64| {
            let counted_at = NOON_MS + day * DAY_MS;
            let items = json!([{"sku_id": "S1", "qty": qty, "counted_at": counted_at}]);
            let more = json!({"collection_id": format!("K{partition}-{day}"), "stock": items});
            let id = format!("count{partition}-{day}");
            event("visit.info_collected", &id, partition, day, more)
        };
        let orders = [
            placed(&format!("O{partition}"), partition, 0, 95),
            of_order("order.allocated", "allocated_qty", 1),
            of_order("order.delivered", "delivered_qty", 2),
            of_order("order.returned", "returned_qty", 10),
        ];
        events
            .write("orders.v1", partition as usize, &orders)
            .unwrap();
        visits.push([stock(QTY, 1), stock(0, 6)]);
        let observed_at = NOON_MS + 3 * DAY_MS;
        let observed = json!({
            "collection_id": "K", "sku_id": "S1", "price_fen": PRICE_FEN, "price_basis": "SELLING",
            "observed_at": observed_at,
        });
        prices.push(event(
            "price.observed",
            &format!("price{partition}"),
            partition,
            3,
            observed,
        ));
    }
    for (partition, lines) in visits.iter().enumerate() {
        events.write("visits.v1", partition, lines).unwrap();
    }
    events.write("prices.v1", 0, &prices).unwrap();
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    assert_equal(&project, &expected);
    project.run(&["audit"]).unwrap();

    let negative = "SELECT count(*) FROM metrics_revisions.demand_orders WHERE requested_fen < 0 OR delivered_fen < 0";
    assert_eq!(project.number(negative).unwrap(), 0);
    let sold = "SELECT count(*) FROM metrics.sell_through WHERE sell_through_qty = 9600000000";
    assert_eq!(project.number(sold).unwrap(), 2);
    let columns: Vec<String> = without_sum(&project)
        .into_iter()
        .filter(|(_, kind, rows)| kind == "D1" && *rows == 1)
        .map(|(column, ..)| column)
        .collect();
    assert_eq!(
        columns,
        [
            "allocated_fen",
            "delivered_fen",
            "requested_fen",
            "returned_fen"
        ]
    );
}
