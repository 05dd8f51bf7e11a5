#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use schemas::event::Topic;
use serde_json::json;

use super::*;
use crate::operator::fixture::{at, batch, entry, facts_of, instant, projected};
use crate::reference::fixture::one_customer;

const SHANGHAI: Zone = Zone(chrono_tz::Asia::Shanghai);
const ONE_MS: DurationMs = DurationMs::from_ms(1);

/// An instant this many days after 1 January 1970.
fn day(days: i64) -> TimestampMs {
    at(0) + days * DurationMs::DAY
}

fn counted(counted_at: TimestampMs, qty: i64) -> HistoryEntry<StockEvent> {
    entry(counted_at, StockEvent::Counted { counted_at, qty })
}

fn delivered(instant: TimestampMs, qty: i64) -> HistoryEntry<StockEvent> {
    entry(instant, StockEvent::Delivered { qty })
}

fn returned(instant: TimestampMs, qty: i64) -> HistoryEntry<StockEvent> {
    entry(instant, StockEvent::Returned { qty })
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
    let monday = instant("2026-11-16T09:00:00+08:00");
    let found = facts(&[
        counted(monday, 40),
        delivered(monday + 30 * DurationMs::HOUR, 30),
        counted(monday + 7 * DurationMs::DAY, 25),
    ]);
    assert_eq!(sold(&found), 45_000_000);
    // 15 hours of the first Monday, six days, 9 hours of the next.
    assert_eq!(found.len(), 8);
    assert_eq!(found[0].instant, monday);
    assert_eq!(found[0].sell_through_qty, 4_017_857);
    assert_eq!(found[1].instant, instant("2026-11-17T00:00:00+08:00"));
    assert_eq!(found[7].instant, instant("2026-11-23T00:00:00+08:00"));
    assert!(
        found
            .iter()
            .all(|fact| fact.parts_n == 1 && fact.negative_intervals == 0)
    );
}

#[test]
fn golden_m02_split_puts_three_sevenths_into_the_earlier_week() {
    let friday = instant("2026-11-20T00:00:00+08:00");
    let found = facts(&[
        counted(friday, 45),
        counted(friday + 7 * DurationMs::DAY, 0),
    ]);
    let next_week = instant("2026-11-23T00:00:00+08:00");
    let (earlier, later): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|fact| fact.instant < next_week);
    assert_eq!(sold(&earlier), 19_285_714);
    assert_eq!(sold(&later), 25_714_286);
}

#[test]
fn k12_deliveries_and_returns_count_after_the_first_and_up_to_the_second_count() {
    let t1 = day(10);
    let t2 = t1 + DurationMs::HOUR;
    let found = facts(&[
        counted(t1, 10),
        delivered(t1, 100),
        delivered(t1 + ONE_MS, 7),
        returned(t1 + 2 * ONE_MS, 2),
        counted(t2, 5),
        delivered(t2, 3),
        returned(t2 + ONE_MS, 50),
    ]);
    assert_eq!(sold(&found), (10 + 7 - 2 + 3 - 5) * MILLION);
}

#[test]
fn k12_k24_exactly_14_days_are_used_and_one_ms_more_is_not() {
    let used = facts(&[counted(day(0), 14), counted(day(14), 0)]);
    assert_eq!(sold(&used), 14 * MILLION);
    assert_eq!(
        facts(&[counted(day(0), 14), counted(day(14) + ONE_MS, 0)]),
        []
    );
    // An unused interval does not affect the next.
    let after = facts(&[
        counted(day(0), 14),
        delivered(day(1), 1_000),
        counted(day(15), 5),
        counted(day(16), 2),
    ]);
    assert_eq!(sold(&after), 3 * MILLION);
}

#[test]
fn k12_a_negative_interval_counts_once_at_its_second_count() {
    let found = facts(&[counted(day(0), 5), counted(day(3), 6)]);
    assert_eq!(found.len(), 1);
    let fact = &found[0];
    assert_eq!((fact.instant, fact.sell_through_qty), (day(3), 0));
    assert_eq!((fact.parts_n, fact.negative_intervals), (0, 1));
}

#[test]
fn k12_nothing_sold_is_still_a_part_and_dimensions_are_those_of_the_second_count() {
    // The customer moves at ms 1000.
    let found = facts(&[counted(at(0), 5), counted(at(1_000), 5)]);
    assert_eq!((found.len(), found[0].parts_n, sold(&found)), (1, 1, 0));
    assert_eq!((&*found[0].territory_id, &*found[0].class_id), ("T2", "B"));
}

#[test]
fn k08_of_counts_at_one_instant_the_later_stamp_then_the_later_item_counts() {
    let item = |stamp_ms, part, counted_at, qty| {
        let mut entry = entry(at(stamp_ms), StockEvent::Counted { counted_at, qty });
        entry.stamp.part = part;
        entry
    };
    let found = facts(&[
        item(50, 0, at(0), 20),
        item(60, 0, at(0), 11),
        item(60, 1, at(0), 10),
        counted(at(100), 1),
    ]);
    assert_eq!(sold(&found), 9 * MILLION);
}

#[test]
fn k12_only_deliveries_and_returns_move_stock() {
    let operator = SellThrough { zone: SHANGHAI };
    let morning = "2026-01-07T02:00:00Z";
    let visits = batch(
        Topic::Visits,
        &[(
            "visit.info_collected",
            morning,
            json!({"collection_id": "K1", "stock": [
                {"sku_id": "S1", "qty": 4, "counted_at": instant(morning) - ONE_MS},
                {"sku_id": "S2", "qty": 0, "counted_at": instant(morning)}]}),
        )],
    );
    let key = |sku: &str| -> ShelfKey { ("C1".into(), sku.into()) };
    let count = |counted_at, qty| StockEvent::Counted { counted_at, qty };
    assert_eq!(
        projected(&operator, Topic::Visits, &visits),
        [
            (0, key("S1"), count(instant(morning) - ONE_MS, 4)),
            (0, key("S2"), count(instant(morning), 0))
        ]
    );
    let line = |quantity: &str, qty: i64| json!({"order_id": "O1", "lines": [{"line_no": 1, "sku_id": "S1", quantity: qty}]});
    let orders = batch(
        Topic::Orders,
        &[
            ("order.allocated", morning, line("allocated_qty", 9)),
            ("order.delivered", morning, line("delivered_qty", 8)),
            ("order.returned", morning, line("returned_qty", 2)),
            ("order.exchanged", morning, line("returned_qty", 1)),
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
        from in (946_684_800_000..4_000_000_000_000_i64).prop_map(at),
        length in (1..=MAX_INTERVAL.as_ms()).prop_map(DurationMs::from_ms),
    ) {
        let parts: Vec<_> = split_by_day(i128::from(qty), from, from + length, SHANGHAI).collect();
        prop_assert_eq!(parts.iter().map(|part| part.1).sum::<i128>(), i128::from(qty) * MILLION);
        prop_assert!(parts.iter().all(|part| part.1 >= 0));
        for (index, &(begin, part)) in parts.iter().enumerate() {
            let end = parts.get(index + 1).map_or(from + length, |next| next.0);
            prop_assert!(end - begin <= DurationMs::DAY);
            let share = qty as f64 * 1e6 * (end - begin).as_ms() as f64 / length.as_ms() as f64;
            prop_assert!((part as f64 - share).abs() <= 1.001);
        }
    }

    /// The facts of a history are those of its two parts, wherever it is cut at a count: an interval does not depend on its neighbours.
    #[test]
    fn a_history_may_be_cut_at_any_count(
        steps in prop::collection::vec((1..20 * DurationMs::DAY.as_ms(), 0..30_i64, 0..30_i64, 0..10_i64), 2..8),
        cut in 0..8_usize,
    ) {
        let (mut history, mut last_ms, mut count_places) = (Vec::new(), 0, Vec::new());
        for (gap_ms, stock, brought, taken) in steps {
            history.push(delivered(at(last_ms + gap_ms / 3), brought));
            history.push(returned(at(last_ms + gap_ms / 2), taken));
            last_ms += gap_ms;
            count_places.push(history.len());
            history.push(counted(at(last_ms), stock));
        }
        let place = count_places[cut.min(count_places.len() - 1)];
        let mut halves = facts(&history[..=place]);
        halves.extend(facts(&history[place..]));
        prop_assert_eq!(halves, facts(&history));
    }
}
