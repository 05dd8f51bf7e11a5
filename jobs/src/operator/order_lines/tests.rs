#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pipeline::history::EventOrder;
use proptest::prelude::*;
use schemas::event::Topic;
use schemas::time::DurationMs;
use serde_json::json;

use super::LineKind::*;
use super::*;
use crate::operator::fixture::{PLACE, batch, projected};
use crate::reference::fixture::{list_price, one_customer};

/// (line_no, quantity, price)
type ShortLine = (i64, i64, Option<i64>);

/// An event `(instant in ms, step, lines)`; line 7 is of SKU `S7`.
fn entry(ms: i64, step: OrderStep, lines: &[ShortLine]) -> HistoryEntry<OrderEvent> {
    let occurred_at = TimestampMs::from_ms(ms);
    HistoryEntry {
        stamp: EventOrder {
            occurred_at,
            recorded_at: occurred_at,
            event_id: format!("e{ms}").into(),
            place: PLACE,
            part: 0,
        },
        event: OrderEvent {
            step,
            order_kind: (step == OrderStep::Placed).then(|| "EMERGENCY".into()),
            is_supply_limited: false,
            lines: lines
                .iter()
                .map(|(line_no, qty, price)| OrderLine {
                    line_no: *line_no,
                    sku_id: format!("S{line_no}").into(),
                    qty: *qty,
                    price: price.map(Fen::from_fen),
                })
                .collect(),
        },
    }
}

/// The same because supply was short.
fn limited(ms: i64, step: OrderStep, lines: &[ShortLine]) -> HistoryEntry<OrderEvent> {
    let mut entry = entry(ms, step, lines);
    entry.event.is_supply_limited = true;
    entry
}

fn order_lines() -> OrderLines {
    OrderLines {
        zone: Zone(chrono_tz::Asia::Shanghai),
    }
}

fn facts_in(
    reference: &RetailReference,
    history: &[HistoryEntry<OrderEvent>],
) -> Vec<OrderLineFact> {
    let mut out = Vec::new();
    let mut context = OperatorContext::new(TimestampMs::MAX, reference);
    let key = ("C1".into(), "O1".into());
    order_lines().facts(&key, history, &mut context, &mut out);
    out
}

fn facts(history: &[HistoryEntry<OrderEvent>]) -> Vec<OrderLineFact> {
    facts_in(&one_customer(), history)
}

/// (instant in ms, line, quantity, value) of the facts of a kind.
fn of(kind: LineKind, facts: &[OrderLineFact]) -> Vec<(i64, i64, i64, i64)> {
    let facts = facts.iter().filter(|fact| fact.kind == kind);
    facts
        .map(|f| (f.instant.as_ms(), f.line_no, f.qty, f.value.as_fen()))
        .collect()
}

#[test]
fn k09_the_last_version_before_the_first_allocation_counts_at_the_placing() {
    let found = facts(&[
        entry(1, OrderStep::Placed, &[(1, 10, Some(5)), (2, 20, Some(5))]),
        entry(2, OrderStep::Amended, &[(1, 12, Some(5)), (3, 7, Some(2))]),
        entry(3, OrderStep::Allocated, &[(1, 8, Some(5)), (3, 7, Some(2))]),
        entry(4, OrderStep::Amended, &[(1, 99, Some(5))]),
        entry(5, OrderStep::Allocated, &[(1, 4, Some(5))]),
    ]);
    assert_eq!(of(Requested, &found), [(1, 1, 12, 60), (1, 3, 7, 14)]);
    let allocated = [(3, 1, 8, 40), (3, 3, 7, 14), (5, 1, 4, 20)];
    assert_eq!(of(Allocated, &found), allocated);
    // The second allocation does not cover what the first left open.
    assert_eq!(of(Unmet, &found), [(3, 1, 4, 0)]);
    assert!(found.iter().all(|fact| *fact.order_kind == *"EMERGENCY"));
    let counting = found.iter().filter(|fact| fact.counts_as_order == 1);
    assert_eq!(counting.count(), 2);
}

#[test]
fn k09_without_an_allocation_the_last_of_all_counts_and_nothing_is_unmet() {
    let found = facts(&[
        entry(1, OrderStep::Placed, &[(1, 10, Some(5))]),
        entry(2, OrderStep::Amended, &[(1, 0, Some(5))]),
    ]);
    assert_eq!(of(Requested, &found), [(1, 1, 0, 0)]);
    assert_eq!(of(Unmet, &found), []);
}

#[test]
fn k26_what_supply_could_not_meet_stays_requested() {
    let placed = entry(1, OrderStep::Placed, &[(1, 10, Some(5))]);
    let cut = limited(2, OrderStep::Cancelled, &[]);
    let by_choice = entry(3, OrderStep::Cancelled, &[]);
    let found = facts(&[placed.clone(), cut.clone(), by_choice.clone()]);
    assert_eq!(of(Requested, &found), [(1, 1, 10, 50)]);
    assert_eq!(of(Cancelled, &found), [(2, 1, 10, 50)]);
    assert!(found.iter().any(|fact| fact.counts_as_order == 1));
    // The first cancellation decides.
    let mut chosen_first = cut;
    chosen_first.stamp = entry(4, OrderStep::Cancelled, &[]).stamp;
    let found = facts(&[placed, by_choice, chosen_first]);
    assert_eq!(of(Requested, &found), []);
    assert_eq!(of(Cancelled, &found), [(3, 1, 10, 50)]);
}

#[test]
fn k26_an_amendment_for_lack_of_supply_is_no_version() {
    let found = facts(&[
        entry(1, OrderStep::Placed, &[(1, 10, Some(5))]),
        entry(2, OrderStep::Amended, &[(1, 12, Some(5))]),
        limited(3, OrderStep::Amended, &[(1, 4, Some(5))]),
        entry(4, OrderStep::Allocated, &[(1, 4, Some(5))]),
        entry(5, OrderStep::Cancelled, &[]),
    ]);
    assert_eq!(of(Unmet, &found), [(4, 1, 8, 0)]);
    assert_eq!(of(Cancelled, &found), [(5, 1, 12, 60)]);
}

#[test]
fn k37_of_several_lines_of_one_number_the_last_with_a_price_gives_it() {
    let priced = |lines: &[ShortLine]| {
        let delivery = entry(2, OrderStep::Delivered, &[(1, 3, None)]);
        let found = facts(&[entry(1, OrderStep::Placed, lines), delivery]);
        of(Delivered, &found)
    };
    for (lines, price) in [
        ([(1, 1, None), (1, 1, Some(5)), (1, 1, Some(7))], 7),
        ([(1, 1, Some(5)), (1, 1, None), (2, 1, Some(9))], 5),
        ([(1, 1, Some(5)), (1, 1, Some(0)), (1, 1, None)], 0),
    ] {
        assert_eq!(priced(&lines), [(2, 1, 3, 3 * price)], "{lines:?}");
    }
}

#[test]
fn k09_a_cancellation_removes_the_requested_lines_and_keeps_the_rest() {
    let mut history = vec![
        entry(1, OrderStep::Placed, &[(1, 10, Some(5))]),
        entry(2, OrderStep::Allocated, &[(1, 6, Some(5))]),
        entry(900_000_000, OrderStep::Cancelled, &[]),
    ];
    let found = facts(&history);
    assert_eq!(of(Requested, &found), []);
    assert_eq!(of(Cancelled, &found), [(900_000_000, 1, 10, 50)]);
    assert_eq!(of(Allocated, &found), [(2, 1, 6, 30)]);
    assert_eq!(of(Unmet, &found), [(2, 1, 4, 0)]);
    // A second cancellation changes nothing.
    history.push(entry(900_000_001, OrderStep::Cancelled, &[]));
    assert_eq!(facts(&history), found);
}

#[test]
fn k09_steps_count_without_the_order_having_been_placed() {
    let found = facts(&[
        entry(2, OrderStep::Amended, &[(1, 10, Some(5))]),
        entry(3, OrderStep::Allocated, &[(1, 6, None)]),
        entry(4, OrderStep::Delivered, &[(1, 6, None)]),
        entry(5, OrderStep::Returned, &[(1, 1, None)]),
    ]);
    assert_eq!(of(Requested, &found), []);
    assert_eq!(of(Allocated, &found), [(3, 1, 6, 30)]);
    assert_eq!(of(Delivered, &found), [(4, 1, 6, 30)]);
    assert_eq!(of(Returned, &found), [(5, 1, 1, 5)]);
    assert_eq!(of(Unmet, &found), [(3, 1, 4, 0)]);
    assert!(found.iter().all(|fact| *fact.order_kind == *UNKNOWN));
}

#[test]
fn an_order_that_begins_with_its_allocation_has_no_counted_version() {
    let found = facts(&[
        entry(1, OrderStep::Allocated, &[(1, 6, Some(5))]),
        entry(2, OrderStep::Placed, &[(1, 10, Some(5))]),
        entry(3, OrderStep::Cancelled, &[]),
    ]);
    assert_eq!(found.len(), 1);
    assert_eq!(of(Allocated, &found), [(1, 1, 6, 30)]);
}

#[test]
fn k10_the_price_is_the_lines_own_then_the_counted_versions_then_the_list_price_then_none() {
    let mut reference = one_customer();
    let wholesale = |sku| (sku, "R1", PriceType::Wholesale);
    let at = TimestampMs::from_ms;
    list_price(&mut reference, "p", wholesale("S3"), 30, at(0), None);
    list_price(&mut reference, "q", wholesale("S3"), 31, at(3), None);
    let history = [
        entry(
            1,
            OrderStep::Placed,
            &[
                (1, 1, Some(10)),
                (2, 1, Some(20)),
                (3, 1, None),
                (4, 1, None),
            ],
        ),
        entry(
            3,
            OrderStep::Delivered,
            &[(1, 1, Some(11)), (2, 1, None), (3, 1, None), (4, 1, None)],
        ),
    ];
    let found = facts_in(&reference, &history);
    let values = |kind| of(kind, &found).iter().map(|f| f.3).collect::<Vec<_>>();
    assert_eq!(values(Requested), [10, 20, 30, 0]);
    assert_eq!(values(Delivered), [11, 20, 31, 0]);
    let unpriced = found.iter().filter(|fact| fact.unpriced_qty == 1);
    assert_eq!(unpriced.map(|f| f.line_no).collect::<Vec<_>>(), [4, 4]);

    let mut context = OperatorContext::new(TimestampMs::MAX, &reference);
    let key = ("C1".into(), "O1".into());
    order_lines().facts(&key, &history, &mut context, &mut Vec::new());
    let (reads, timer) = context.into_requests();
    assert_eq!(reads, ["S3".into(), "S4".into()] as [Arc<str>; 2]);
    assert_eq!(timer, None);
}

#[test]
fn k08_dimensions_are_those_of_the_instant_at_which_a_fact_counts() {
    let found = facts(&[
        entry(999, OrderStep::Placed, &[(1, 10, Some(5))]),
        entry(1000, OrderStep::Delivered, &[(1, 10, Some(5))]),
    ]);
    let places: Vec<_> = found
        .iter()
        .map(|f| (&*f.territory_id, &*f.class_id))
        .collect();
    assert_eq!(places, [("T1", "A"), ("T2", "B")]);
}

proptest! {
    /// Whatever the lines, per number: unmet = max(requested − allocated, 0).
    #[test]
    fn k10_unmet_is_what_is_missing_per_line_number(
        requested in prop::collection::vec((0..4_i64, 0..50_i64), 1..6),
        allocated in prop::collection::vec((0..4_i64, 0..50_i64), 1..6),
    ) {
        let short = |lines: &[(i64, i64)]| lines.iter().map(|(no, qty)| (*no, *qty, None)).collect::<Vec<_>>();
        let found = facts(&[
            entry(1, OrderStep::Placed, &short(&requested)),
            entry(2, OrderStep::Allocated, &short(&allocated)),
        ]);
        for number in 0..4 {
            let sum = |lines: &[(i64, i64)]| lines.iter().filter(|l| l.0 == number).map(|l| l.1).sum::<i64>();
            let unmet: i64 = of(Unmet, &found).iter().filter(|f| f.1 == number).map(|f| f.2).sum();
            prop_assert_eq!(unmet, (sum(&requested) - sum(&allocated)).max(0));
        }
    }
}

#[test]
fn k09_events_are_projected_to_steps_with_their_quantity_and_a_rejection_is_none() {
    let at = "2026-01-07T02:00:00Z";
    let line = |quantity: &str, qty: i64| {
        json!({"order_id": "O1", "order_kind": "REGULAR",
            "lines": [{"line_no": 1, "sku_id": "S1", quantity: qty, "wholesale_price_fen": 5}]})
    };
    let orders = batch(
        Topic::Orders,
        &[
            ("order.placed", at, line("requested_qty", 9)),
            ("order.allocated", at, line("allocated_qty", 8)),
            ("order.delivered", at, line("delivered_qty", 7)),
            ("order.exchanged", at, line("returned_qty", 6)),
            ("order.returned", at, line("returned_qty", 5)),
            ("order.cancelled", at, json!({"order_id": "O1"})),
            // A rejection reports no step.
            ("order.rejected", at, json!({"order_id": "O1"})),
        ],
    );
    let found = projected(&order_lines(), Topic::Orders, &orders);
    let steps: Vec<_> = found
        .iter()
        .map(|(row, _, event)| (*row, event.step, event.lines.first().map(|line| line.qty)))
        .collect();
    assert_eq!(
        steps,
        [
            (0, OrderStep::Placed, Some(9)),
            (1, OrderStep::Allocated, Some(8)),
            (2, OrderStep::Delivered, Some(7)),
            (4, OrderStep::Returned, Some(5)),
            (5, OrderStep::Cancelled, None),
        ]
    );
    let (_, key, placed) = &found[0];
    assert_eq!((&*key.0, &*key.1), ("C1", "O1"));
    assert_eq!(placed.order_kind.as_deref(), Some("REGULAR"));
    assert_eq!(placed.lines[0].price, Some(Fen::from_fen(5)));
}

/// K24: an event of an order counts however late it comes.
#[test]
fn k24_an_order_has_no_look_back() {
    let years = DurationMs::from_days(3 * 366).as_ms();
    let history = [
        entry(1, OrderStep::Placed, &[(1, 10, Some(5))]),
        entry(years, OrderStep::Allocated, &[(1, 6, None)]),
        entry(2 * years, OrderStep::Returned, &[(1, 1, None)]),
        entry(3 * years, OrderStep::Cancelled, &[]),
    ];
    let found = facts(&history[..3]);
    // The price is that of the counted version, the unmet quantity what it left open.
    assert_eq!(of(Requested, &found), [(1, 1, 10, 50)]);
    assert_eq!(of(Unmet, &found), [(years, 1, 4, 0)]);
    assert_eq!(of(Returned, &found), [(2 * years, 1, 1, 5)]);
    assert_eq!(of(Requested, &facts(&history)), []);
    assert_eq!(of(Cancelled, &facts(&history)), [(3 * years, 1, 10, 50)]);
}

mod k27;
