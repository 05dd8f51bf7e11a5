//! Strategies for events that interact.
//!
//! There are few retailers, SKUs, orders, cases, days and times of day, so that events drawn one by one give orders with amendments,
//! intervals between counts, cases with steps, prices that overtake each other, and many events of one instant. Instants lie at
//! edges: midnight, Sunday to Monday, 8, 10 and 30 minutes (early warning and limits of `sla/steps.toml`), 14 days between counts.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::time::{DurationMs, TimestampMs};
use serde::Serialize;
use serde_json::{Value, json};

use super::event::{Corrects, Event, SKUS, at, start_of};

const DAYS: &[i64] = &[0, 3, 6, 7, 14, 16];
/// Cases are short: their events interact only if they lie on few days.
const DAYS_OF_CASES: &[i64] = &[6, 14];
const TIMES: &[DurationMs] = &[
    DurationMs::ZERO,
    after_ten(0),
    after_ten(8),
    after_ten(10),
    after_ten(30),
    DurationMs::from_ms(DurationMs::DAY.as_ms() - 1),
];
/// How long after its event it was recorded.
const RECORDED_AFTER: &[DurationMs] = &[DurationMs::ZERO, DurationMs::HOUR];
/// How long before its event something was counted, observed or received.
const AGO: &[DurationMs] = &[
    DurationMs::ZERO,
    DurationMs::from_minutes(8),
    DurationMs::from_hours(26),
];
/// Beyond the two hours for which the end of a call is awaited, and short enough that deadlines lie on few days.
const AGO_OF_CASES: &[DurationMs] = &[
    DurationMs::ZERO,
    DurationMs::from_minutes(8),
    DurationMs::from_hours(3),
];

/// Weeks that have events. When they are over, all clocks have passed every window and deadline in them.
const WEEKS: i64 = 3;

/// The time of day this many minutes after 10:00.
const fn after_ten(minutes: i64) -> DurationMs {
    DurationMs::from_minutes(10 * 60 + minutes)
}

/// The instant at which these weeks are over.
pub(super) fn end() -> TimestampMs {
    start_of(7 * WEEKS)
}

/// An instant of an event or a clock.
pub(super) fn instant() -> impl Strategy<Value = TimestampMs> {
    (select(DAYS), select(TIMES)).prop_map(|(day, time)| at(day, time))
}

/// Any event.
pub(super) fn event() -> impl Strategy<Value = Event> {
    let what = prop_oneof![
        9 => order(),
        6 => count(),
        3 => list_price(),
        4 => price_observed(),
        8 => case(),
        2 => survey(),
    ];
    let corrects = prop_oneof![
        16 => Just(Corrects::Nothing),
        2 => (0..40_usize).prop_map(Corrects::SameScope),
        1 => (0..40_usize).prop_map(Corrects::Any),
    ];
    (what, corrects, select(RECORDED_AFTER)).prop_map(|(mut event, corrects, later)| {
        event.corrects = corrects;
        event.recorded_at += later;
        event
    })
}

fn customer() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![3 => Just(Some(0)), 3 => Just(Some(1)), 1 => Just(Some(2))]
}

fn sku() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(SKUS[0]), 1 => Just(SKUS[1])]
}

/// Adds the field `name` if there is a value.
fn with(mut fields: Value, name: &str, value: Option<impl Serialize>) -> Value {
    if let Some(value) = value {
        fields[name] = json!(value);
    }
    fields
}

fn lines(quantity: &'static str) -> impl Strategy<Value = Value> {
    let price_fen = option::weighted(0.3, 50..150_i64);
    let line =
        (1..=2, sku(), 0..12_i64, price_fen).prop_map(move |(line_no, sku_id, qty, price_fen)| {
            let line = json!({"line_no": line_no, "sku_id": sku_id, quantity: qty});
            with(line, "wholesale_price_fen", price_fen)
        });
    vec(line, 1..=2).prop_map(Value::Array)
}

fn order() -> impl Strategy<Value = Event> {
    let with_lines = |event_type, quantity| {
        lines(quantity).prop_map(move |lines| (event_type, json!({"lines": lines})))
    };
    let placed = (
        lines("requested_qty"),
        select(&["REGULAR", "EMERGENCY"][..]),
    )
        .prop_map(|(lines, kind)| ("order.placed", json!({"lines": lines, "order_kind": kind})));
    let step = prop_oneof![
        3 => placed,
        2 => with_lines("order.amended", "requested_qty"),
        2 => with_lines("order.allocated", "allocated_qty"),
        4 => with_lines("order.delivered", "delivered_qty"),
        1 => with_lines("order.returned", "returned_qty"),
        1 => Just(("order.cancelled", json!({}))),
    ];
    let order_id = prop_oneof![3 => Just("O1"), 1 => Just("O2")];
    (step, order_id, instant(), customer()).prop_map(
        |((event_type, fields), order_id, occurred_at, customer)| {
            Event::new(
                event_type,
                occurred_at,
                customer,
                with(fields, "order_id", Some(order_id)),
            )
        },
    )
}

fn count() -> impl Strategy<Value = Event> {
    let items = vec((sku(), 0..20_i64, select(AGO)), 1..=2);
    (items, instant(), customer()).prop_map(|(items, occurred_at, customer)| {
        let stock: Vec<Value> = items
            .into_iter()
            .map(|(sku_id, qty, ago)| json!({"sku_id": sku_id, "qty": qty, "counted_at": occurred_at - ago}))
            .collect();
        let fields = json!({"collection_id": "I1", "stock": stock});
        Event::new("visit.info_collected", occurred_at, customer, fields)
    })
}

/// A list price; in force from before its event or from later on.
fn list_price() -> impl Strategy<Value = Event> {
    let region = prop_oneof![2 => Just(None), 1 => Just(Some("R1")), 1 => Just(Some("R2"))];
    let price_type = select(&["WHOLESALE", "SUGGESTED_RETAIL"][..]);
    let valid_from = prop_oneof![Just(start_of(-10)), instant()];
    let valid_to = option::weighted(0.1, instant());
    (sku(), region, price_type, 50..150_i64, valid_from, valid_to, instant()).prop_map(
        |(sku_id, region, price_type, price_fen, valid_from, valid_to, occurred_at)| {
            let fields = json!({
                "sku_id": sku_id, "price_type": price_type, "price_fen": price_fen, "valid_from": valid_from,
            });
            let fields = with(with(fields, "region_code", region), "valid_to", valid_to);
            Event::new("price.list_set", occurred_at, None, fields)
        },
    )
}

/// A price observed at a retailer; some are outliers to some list prices.
fn price_observed() -> impl Strategy<Value = Event> {
    let basis =
        prop_oneof![4 => Just(Some("SELLING")), 1 => Just(Some("BUYBACK")), 1 => Just(None)];
    (
        sku(),
        20..400_i64,
        basis,
        select(AGO),
        instant(),
        customer(),
    )
        .prop_map(|(sku_id, price_fen, basis, ago, occurred_at, customer)| {
            let fields =
                json!({"sku_id": sku_id, "price_fen": price_fen, "observed_at": occurred_at - ago});
            Event::new(
                "price.observed",
                occurred_at,
                customer,
                with(fields, "price_basis", basis),
            )
        })
}

fn case() -> impl Strategy<Value = Event> {
    let opened = (
        select(&["COMPLAINT", "RESCUE"][..]),
        select(&["PHONE", "WEB"][..]),
        option::of(any::<bool>()),
        option::of(Just("U1")),
    )
        .prop_map(|(kind, channel, answered, unit_id)| {
            let fields = json!({"case_kind": kind, "channel": channel, "category": "DELIVERY"});
            let fields = with(with(fields, "answered", answered), "unit_id", unit_id);
            ("case.opened", fields, Some("received_at"))
        });
    let notified = option::of(Just("P9")).prop_map(|resolver| {
        (
            "case.dept_notified",
            with(json!({}), "resolver_id", resolver),
            None,
        )
    });
    let informed = select(&["NOTICE_RESULT", "PROGRESS"][..])
        .prop_map(|what| ("case.customer_informed", json!({"what": what}), None));
    let kept = option::of(Just("REPLY")).prop_map(|kind| {
        let fields = with(json!({"promise_id": "M1"}), "promise_kind", kind);
        ("promise.kept", fields, Some("kept_at"))
    });
    let closed = select(&["WITHDRAWN", "SOLVED"][..])
        .prop_map(|kind| ("case.closed", json!({"resolution_kind": kind}), None));
    let promise = json!({"promise_id": "M1", "promise_kind": "REPLY", "due_at": start_of(20)});
    let callback = json!({"callback_id": "B1", "base": "CASE", "base_ref": "K1", "ordinal": 1, "outcome": "REACHED"});
    let step = prop_oneof![
        5 => opened,
        3 => Just(("case.call_ended", json!({}), Some("call_ended_at"))),
        1 => Just(("case.answered", json!({"at_once": true}), None)),
        3 => notified,
        2 => informed,
        1 => Just(("case.progress_checked", json!({}), None)),
        1 => Just(("promise.made", promise, None)),
        1 => kept,
        1 => Just(("callback.attempted", callback, None)),
        1 => closed,
    ];
    let when = (select(DAYS_OF_CASES), select(TIMES)).prop_map(|(day, time)| at(day, time));
    (step, select(AGO_OF_CASES), when, customer()).prop_map(
        |((event_type, fields, observed), ago, occurred_at, customer)| {
            let fields = with(fields, "case_id", Some("K1"));
            let fields = match observed {
                Some(name) => with(fields, name, Some(occurred_at - ago)),
                None => fields,
            };
            Event::new(event_type, occurred_at, customer, fields)
        },
    )
}

fn survey() -> impl Strategy<Value = Event> {
    let answered = option::weighted(0.9, 1..=5_i64).prop_map(|score| {
        let answer = with(json!({"question_id": "Q0"}), "score", score);
        ("survey.answered", json!({"answers": [answer]}))
    });
    let step = prop_oneof![1 => Just(("survey.sent", json!({}))), 2 => answered];
    (step, option::of(Just("PHONE")), instant(), customer()).prop_map(
        |((event_type, fields), tool, occurred_at, customer)| {
            let fields = with(with(fields, "survey_id", Some("V1")), "survey_tool", tool);
            Event::new(event_type, occurred_at, customer, fields)
        },
    )
}
