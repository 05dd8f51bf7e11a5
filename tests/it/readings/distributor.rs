//! The distributor: its retailers, and the events of every situation.

use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::by_hand::{self, line, with_fields, write_customers};
use tests::events::{Events, Line};

/// Monday 2026-01-05, 10:00 in Shanghai.
const MONDAY: TimestampMs = TimestampMs::from_ms(1_767_578_400_000);

/// So many days and minutes after that Monday.
pub(super) fn at(days: i64, minutes: i64) -> TimestampMs {
    MONDAY + DurationMs::from_days(days) + DurationMs::from_minutes(minutes)
}

/// An event; without a customer where `customer` is empty.
pub(super) fn event(
    event_type: &str,
    event_id: &str,
    at: TimestampMs,
    customer: &str,
    more: Value,
) -> Line {
    let mut event = by_hand::event(event_type, event_id, at, more);
    if !customer.is_empty() {
        event["customer_id"] = customer.into();
    }
    line(&event)
}

/// An order event of one line of SKU S1.
pub(super) fn order(
    step: &str,
    event_id: &str,
    at: TimestampMs,
    of: (&str, &str),
    more: Value,
) -> Line {
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
    let fields = with_fields(fields, more);
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

pub(super) fn listed(
    event_id: &str,
    at: TimestampMs,
    sku: &str,
    of: (&str, i64),
    more: Value,
) -> Line {
    let (price_type, price_fen) = of;
    let fields = json!({"sku_id": sku, "price_type": price_type, "price_fen": price_fen,
                        "valid_from": MONDAY - DurationMs::from_days(60)});
    event(
        "price.list_set",
        event_id,
        at,
        "",
        with_fields(fields, more),
    )
}

/// Event files of a test's own. Retailers C1, C3, C5 to C7 live in T1; the territory of C2 and C4 is not known, nor is C9 at all.
pub(super) fn distributor() -> (TempDir, Events) {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::in_folder(folder.path().join("events"));
    let customers = [
        ("C1", "T1"),
        ("C2", ""),
        ("C3", "T1"),
        ("C4", "UNKNOWN"),
        ("C5", "T1"),
        ("C6", "T1"),
        ("C7", "T1"),
    ];
    write_customers(&events.reference(), &customers).unwrap();
    (folder, events)
}

pub(super) fn orders() -> Vec<Line> {
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
pub(super) const FIVE: [&str; 5] = ["M1", "M2", "M3", "M4", "M5"];

pub(super) fn visits() -> Vec<Line> {
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

pub(super) fn prices() -> Vec<Line> {
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

pub(super) fn write(events: &Events) {
    for (topic, lines) in [
        ("orders.v1", orders()),
        ("visits.v1", visits()),
        ("prices.v1", prices()),
        ("complaints.v1", complaints()),
    ] {
        events.write(topic, 0, &lines).unwrap();
    }
}
