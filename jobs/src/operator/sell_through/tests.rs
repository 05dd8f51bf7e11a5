#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use schemas::event::Topic;
use serde_json::json;

use super::*;
use crate::operator::fixture::{batch, entry, facts_of, ms, projected};
use crate::reference::fixture::one_customer;

const SHANGHAI: Zone = Zone(chrono_tz::Asia::Shanghai);
const HOUR_MS: i64 = 3_600_000;

fn counted(at_ms: i64, qty: i64) -> HistoryEntry<StockEvent> {
    entry(
        at_ms,
        StockEvent::Counted {
            counted_at_ms: at_ms,
            qty,
        },
    )
}

fn delivered(at_ms: i64, qty: i64) -> HistoryEntry<StockEvent> {
    entry(at_ms, StockEvent::Delivered { qty })
}

fn returned(at_ms: i64, qty: i64) -> HistoryEntry<StockEvent> {
    entry(at_ms, StockEvent::Returned { qty })
}

fn facts(history: &[HistoryEntry<StockEvent>]) -> Vec<SellThroughFact> {
    let key = ("C1".into(), "S1".into());
    facts_of(
        &SellThrough { zone: SHANGHAI },
        &key,
        history,
        &one_customer(),
    )
}

fn sold(facts: &[SellThroughFact]) -> i128 {
    facts.iter().map(|fact| fact.sell_through_qty).sum()
}

#[test]
fn golden_m02_a_week_sells_45() {
    let monday = ms("2026-11-16T09:00:00+08:00");
    let found = facts(&[
        counted(monday, 40),
        delivered(monday + 30 * HOUR_MS, 30),
        counted(monday + 7 * DAY_MS, 25),
    ]);
    assert_eq!(sold(&found), 45_000_000);
    // 15 hours of the first Monday, six days, 9 hours of the next.
    assert_eq!(found.len(), 8);
    assert_eq!(found[0].instant_ms, monday);
    assert_eq!(found[0].sell_through_qty, 4_017_857);
    assert_eq!(found[1].instant_ms, ms("2026-11-17T00:00:00+08:00"));
    assert_eq!(found[7].instant_ms, ms("2026-11-23T00:00:00+08:00"));
    assert!(
        found
            .iter()
            .all(|fact| fact.parts_n == 1 && fact.negative_intervals == 0)
    );
}

#[test]
fn golden_m02_split_puts_three_sevenths_into_the_earlier_week() {
    let friday = ms("2026-11-20T00:00:00+08:00");
    let found = facts(&[counted(friday, 45), counted(friday + 7 * DAY_MS, 0)]);
    let next_week = ms("2026-11-23T00:00:00+08:00");
    let (earlier, later): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|fact| fact.instant_ms < next_week);
    assert_eq!(sold(&earlier), 19_285_714);
    assert_eq!(sold(&later), 25_714_286);
}

#[test]
fn k12_deliveries_and_returns_count_after_the_first_and_up_to_the_second_count() {
    let t1 = 10 * DAY_MS;
    let t2 = t1 + HOUR_MS;
    let found = facts(&[
        counted(t1, 10),
        delivered(t1, 100),
        delivered(t1 + 1, 7),
        returned(t1 + 2, 2),
        counted(t2, 5),
        delivered(t2, 3),
        returned(t2 + 1, 50),
    ]);
    assert_eq!(sold(&found), (10 + 7 - 2 + 3 - 5) * MILLION);
}

#[test]
fn k12_k24_exactly_14_days_are_used_and_one_ms_more_is_not() {
    let used = facts(&[counted(0, 14), counted(14 * DAY_MS, 0)]);
    assert_eq!(sold(&used), 14 * MILLION);
    assert_eq!(facts(&[counted(0, 14), counted(14 * DAY_MS + 1, 0)]), []);
    // An unused interval does not affect the next.
    let after = facts(&[
        counted(0, 14),
        delivered(DAY_MS, 1_000),
        counted(15 * DAY_MS, 5),
        counted(16 * DAY_MS, 2),
    ]);
    assert_eq!(sold(&after), 3 * MILLION);
}

#[test]
fn k12_a_negative_interval_counts_once_at_its_second_count() {
    let found = facts(&[counted(0, 5), counted(3 * DAY_MS, 6)]);
    assert_eq!(found.len(), 1);
    let fact = &found[0];
    assert_eq!((fact.instant_ms, fact.sell_through_qty), (3 * DAY_MS, 0));
    assert_eq!((fact.parts_n, fact.negative_intervals), (0, 1));
}

#[test]
fn k12_nothing_sold_is_still_a_part_and_dimensions_are_those_of_the_second_count() {
    // The customer moves at ms 1000.
    let found = facts(&[counted(0, 5), counted(1_000, 5)]);
    assert_eq!((found.len(), found[0].parts_n, sold(&found)), (1, 1, 0));
    assert_eq!((&*found[0].territory_id, &*found[0].class_id), ("T2", "B"));
}

#[test]
fn k08_of_counts_at_one_instant_the_later_stamp_then_the_later_item_counts() {
    let at = |stamp_ms, part, counted_at_ms, qty| {
        let mut entry = entry(stamp_ms, StockEvent::Counted { counted_at_ms, qty });
        entry.stamp.part = part;
        entry
    };
    let found = facts(&[
        at(50, 0, 0, 20),
        at(60, 0, 0, 11),
        at(60, 1, 0, 10),
        counted(100, 1),
    ]);
    assert_eq!(sold(&found), 9 * MILLION);
}

#[test]
fn k12_only_deliveries_and_returns_move_stock() {
    let operator = SellThrough { zone: SHANGHAI };
    let at = "2026-01-07T02:00:00Z";
    let visits = batch(
        Topic::Visits,
        &[(
            "visit.info_collected",
            at,
            json!({"collection_id": "K1", "stock": [
                {"sku_id": "S1", "qty": 4, "counted_at": ms(at) - 1},
                {"sku_id": "S2", "qty": 0, "counted_at": ms(at)}]}),
        )],
    );
    let key = |sku: &str| -> ShelfKey { ("C1".into(), sku.into()) };
    let count = |counted_at_ms, qty| StockEvent::Counted { counted_at_ms, qty };
    assert_eq!(
        projected(&operator, Topic::Visits, &visits),
        [
            (0, key("S1"), count(ms(at) - 1, 4)),
            (0, key("S2"), count(ms(at), 0))
        ]
    );
    let line = |quantity: &str, qty: i64| json!({"order_id": "O1", "lines": [{"line_no": 1, "sku_id": "S1", quantity: qty}]});
    let orders = batch(
        Topic::Orders,
        &[
            ("order.allocated", at, line("allocated_qty", 9)),
            ("order.delivered", at, line("delivered_qty", 8)),
            ("order.returned", at, line("returned_qty", 2)),
            ("order.exchanged", at, line("returned_qty", 1)),
        ],
    );
    assert_eq!(
        projected(&operator, Topic::Orders, &orders),
        [
            (1, key("S1"), StockEvent::Delivered { qty: 8 }),
            (2, key("S1"), StockEvent::Returned { qty: 2 }),
        ]
    );
}

proptest! {
    /// K11: for any edges, the parts of an interval sum to what was sold, each within one millionth of its share.
    #[test]
    fn k11_parts_add_up_exactly(
        qty in 0..1_000_000_i64,
        // From 2000 on, as K4 lets instants in; the zone had days of 25 hours before.
        from_ms in 946_684_800_000..4_000_000_000_000_i64,
        length_ms in 1..=MAX_INTERVAL_MS,
    ) {
        let parts: Vec<_> = split_by_day(i128::from(qty), from_ms, from_ms + length_ms, SHANGHAI).collect();
        prop_assert_eq!(parts.iter().map(|part| part.1).sum::<i128>(), i128::from(qty) * MILLION);
        prop_assert!(parts.iter().all(|part| part.1 >= 0));
        for (index, (begin_ms, part)) in parts.iter().enumerate() {
            let end_ms = parts.get(index + 1).map_or(from_ms + length_ms, |next| next.0);
            prop_assert!(end_ms - begin_ms <= DAY_MS);
            let share = qty as f64 * 1e6 * (end_ms - begin_ms) as f64 / length_ms as f64;
            prop_assert!((*part as f64 - share).abs() <= 1.001);
        }
    }

    /// The facts of a history are those of its two parts, wherever it is cut at a count: an interval does not depend on its neighbours.
    #[test]
    fn a_history_may_be_cut_at_any_count(
        steps in prop::collection::vec((1..20 * DAY_MS, 0..30_i64, 0..30_i64, 0..10_i64), 2..8),
        cut in 0..8_usize,
    ) {
        let (mut history, mut at_ms, mut count_places) = (Vec::new(), 0, Vec::new());
        for (gap_ms, stock, brought, taken) in steps {
            history.push(delivered(at_ms + gap_ms / 3, brought));
            history.push(returned(at_ms + gap_ms / 2, taken));
            at_ms += gap_ms;
            count_places.push(history.len());
            history.push(counted(at_ms, stock));
        }
        let at = count_places[cut.min(count_places.len() - 1)];
        let mut halves = facts(&history[..=at]);
        halves.extend(facts(&history[at..]));
        prop_assert_eq!(halves, facts(&history));
    }
}
