//! M02 and M03, from events' histories to rows.

use super::bench::{Bench, ZONE, rows};
use crate::operator::closing_stock::{ClosingStock, StockCount};
use crate::operator::fixture::{entry, facts_of, ms};
use crate::operator::sell_through::{SellThrough, ShelfKey, StockEvent};
use crate::world::World;
use crate::world::fixture::one_customer;

const WEEK: (&str, &str) = ("2026-11-16", "2026-11-23");

/// Panes of one shelf counted at the given instants, after (instant, quantity) was delivered.
fn bench(counts: &[(&str, i64)], deliveries: &[(&str, i64)]) -> (Bench, World) {
    let world = one_customer();
    let key: ShelfKey = ("C1".into(), "S1".into());
    let mut history = Vec::new();
    for (at, qty) in counts {
        let counted_at_ms = ms(at);
        history.push(entry(
            counted_at_ms,
            StockEvent::Counted {
                counted_at_ms,
                qty: *qty,
            },
        ));
    }
    history.extend(
        deliveries
            .iter()
            .map(|(at, qty)| entry(ms(at), StockEvent::Delivered { qty: *qty })),
    );
    history.sort_by(|a, b| a.stamp.cmp(&b.stamp));
    let mut bench = Bench::new();
    bench.stream(
        "sell_through",
        &facts_of(&SellThrough { zone: ZONE }, &key, &history, &world),
    );
    let counts: Vec<_> = counts
        .iter()
        .map(|(at, qty)| {
            entry(
                ms(at),
                StockCount {
                    counted_at_ms: ms(at),
                    qty: *qty,
                },
            )
        })
        .collect();
    bench.stream(
        "stock_to_sales",
        &facts_of(&ClosingStock { zone: ZONE }, &key, &counts, &world),
    );
    (bench, world)
}

fn sold(bench: &Bench, world: &World, window: (&str, &str)) -> Vec<String> {
    rows(
        &bench.round("sell_through", world, window),
        &["sell_through_qty", "negative_intervals"],
    )
}

const RATIOS: &[&str] = &[
    "closing_stock_qty",
    "sell_through_qty",
    "ssr_ratio",
    "days_of_cover",
    "band",
    "no_sales",
];

#[test]
fn golden_m02_and_m03_in_one_week() {
    // The domain's example moved into one window: counted Monday 00:00, and again a millisecond before the next.
    let (bench, world) = bench(
        &[
            ("2026-11-16T00:00:00+08:00", 40),
            ("2026-11-22T23:59:59.999+08:00", 25),
        ],
        &[("2026-11-18T09:00:00+08:00", 30)],
    );
    assert_eq!(sold(&bench, &world, WEEK), ["45.000000 0"]);
    let found = rows(&bench.round("stock_to_sales", &world, WEEK), RATIOS);
    assert_eq!(
        found,
        ["25 45.000000 0.5555555555555556 3.888888888888889 LOW false"]
    );
}

#[test]
fn an_interval_over_two_weeks_is_split_and_rows_carry_the_customers_dimensions() {
    let (bench, world) = bench(
        &[
            ("2026-11-20T00:00:00+08:00", 45),
            ("2026-11-27T00:00:00+08:00", 0),
        ],
        &[],
    );
    assert_eq!(sold(&bench, &world, WEEK), ["19.285714 0"]);
    assert_eq!(
        sold(&bench, &world, ("2026-11-23", "2026-11-30")),
        ["25.714286 0"]
    );
    let week = bench.round("stock_to_sales", &world, WEEK);
    let found = rows(
        &week,
        &[
            "customer_id",
            "sku_id",
            "territory_id",
            "class_id",
            "closing_stock_qty",
        ],
    );
    assert_eq!(found, ["C1 S1 T2 B 45"]);
}

#[test]
fn k13_the_last_count_closes_the_window_and_zero_sales_have_no_ratio() {
    let (bench, world) = bench(
        &[
            ("2026-11-16T08:00:00+08:00", 9),
            ("2026-11-18T08:00:00+08:00", 9),
            ("2026-11-18T20:00:00+08:00", 9),
        ],
        &[],
    );
    let found = rows(&bench.round("stock_to_sales", &world, WEEK), RATIOS);
    assert_eq!(found, ["9 0.000000    true"]);
}

#[test]
fn k13_an_empty_shelf_that_sold_nothing_is_not_without_sales() {
    let empty = [
        ("2026-11-16T08:00:00+08:00", 0),
        ("2026-11-18T08:00:00+08:00", 0),
    ];
    let (bench, world) = bench(&empty, &[]);
    let found = rows(&bench.round("stock_to_sales", &world, WEEK), RATIOS);
    assert_eq!(found, ["0 0.000000    false"]);
}

#[test]
fn only_negative_intervals_make_a_row_of_sales_and_none_of_the_ratio() {
    let grown = [
        ("2026-11-16T08:00:00+08:00", 1),
        ("2026-11-18T08:00:00+08:00", 5),
    ];
    let (bench, world) = bench(&grown, &[]);
    assert_eq!(sold(&bench, &world, WEEK), ["0.000000 1"]);
    assert_eq!(bench.round("stock_to_sales", &world, WEEK).num_rows(), 0);
}

#[test]
fn bands_begin_at_5_and_end_at_21_days_of_cover() {
    // 7 sold in the window's 7 days: days of cover = closing stock.
    for (stock, band) in [(4, "LOW"), (5, "NORMAL"), (21, "NORMAL"), (22, "HIGH")] {
        let (bench, world) = bench(
            &[
                ("2026-11-16T00:00:00+08:00", stock + 7),
                ("2026-11-22T00:00:00+08:00", stock),
            ],
            &[],
        );
        let found = rows(
            &bench.round("stock_to_sales", &world, WEEK),
            &["days_of_cover", "band"],
        );
        assert_eq!(found, [format!("{stock}.0 {band}")]);
    }
}
