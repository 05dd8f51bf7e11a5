#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::operator::fixture::{entry, facts_of, instant};
use crate::reference::fixture::one_customer;

/// (instant, stock, counts) of the facts of counts (occurred at this ms, counted at, quantity).
fn facts(counts: &[(i64, &str, i64)]) -> Vec<(TimestampMs, i64, i64)> {
    let history: Vec<_> = counts
        .iter()
        .map(|(occurred_ms, counted_at, qty)| {
            let count = StockCount {
                counted_at: instant(counted_at),
                qty: *qty,
            };
            entry(TimestampMs::from_ms(*occurred_ms), count)
        })
        .collect();
    let operator = ClosingStock {
        zone: Zone(chrono_tz::Asia::Shanghai),
    };
    let key = ("C1".into(), "S1".into());
    let found = facts_of(&operator, &key, &history, &one_customer());
    found
        .iter()
        .map(|f| (f.instant, f.stock_qty, f.counts_n))
        .collect()
}

#[test]
fn the_last_count_of_each_local_day() {
    let found = facts(&[
        (1, "2026-11-22T15:59:59.999Z", 4),
        (2, "2026-11-22T16:00:00Z", 5),
        // Reported later, counted before the one above.
        (3, "2026-11-22T10:00:00Z", 9),
    ]);
    assert_eq!(
        found,
        [
            (instant("2026-11-22T15:59:59.999Z"), 4, 2),
            (instant("2026-11-22T16:00:00Z"), 5, 1),
        ]
    );
}

#[test]
fn k08_of_counts_at_one_instant_the_later_stamp_is_the_stock() {
    let at = "2026-11-22T10:00:00Z";
    assert_eq!(facts(&[(1, at, 4), (2, at, 0)]), [(instant(at), 0, 2)]);
}
