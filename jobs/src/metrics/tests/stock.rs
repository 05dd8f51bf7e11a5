//! M02 and M03, from histories to rows.

use std::sync::Arc;

use super::harness::{Harness, ZONE, rows};
use crate::operator::closing_stock::{ClosingStock, StockCount};
use crate::operator::fixture::{entry, facts_of, instant};
use crate::operator::sell_through::{SellThrough, ShelfKey, StockEvent};
use crate::reference::RetailReference;
use crate::reference::fixture::{one_customer, reference_data};

const WEEK: (&str, &str) = ("2026-11-16", "2026-11-23");

/// Panes of one shelf with these counts and deliveries, as (instant, quantity).
fn harness(counts: &[(&str, i64)], deliveries: &[(&str, i64)]) -> (Harness, RetailReference) {
    let reference = one_customer();
    let key: ShelfKey = ("C1".into(), "S1".into());
    let mut history = Vec::new();
    for (at, qty) in counts {
        let counted_at = instant(at);
        history.push(entry(
            counted_at,
            StockEvent::Counted {
                counted_at,
                qty: *qty,
            },
        ));
    }
    history.extend(
        deliveries
            .iter()
            .map(|(at, qty)| entry(instant(at), StockEvent::Delivered { qty: *qty })),
    );
    history.sort_by(|a, b| a.stamp.cmp(&b.stamp));
    let mut harness = Harness::new();
    harness.stream(
        "sell_through",
        &facts_of(&SellThrough { zone: ZONE }, &key, &history, &reference),
    );
    let counts: Vec<_> = counts
        .iter()
        .map(|(at, qty)| {
            entry(
                instant(at),
                StockCount {
                    counted_at: instant(at),
                    qty: *qty,
                },
            )
        })
        .collect();
    harness.stream(
        "stock_to_sales",
        &facts_of(&ClosingStock { zone: ZONE }, &key, &counts, &reference),
    );
    (harness, reference)
}

fn sold(harness: &Harness, reference: &RetailReference, window: (&str, &str)) -> Vec<String> {
    rows(
        &harness.round("sell_through", reference, window),
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
    let (harness, reference) = harness(
        &[
            ("2026-11-16T00:00:00+08:00", 40),
            ("2026-11-22T23:59:59.999+08:00", 25),
        ],
        &[("2026-11-18T09:00:00+08:00", 30)],
    );
    assert_eq!(sold(&harness, &reference, WEEK), ["45.000000 0"]);
    let found = rows(&harness.round("stock_to_sales", &reference, WEEK), RATIOS);
    assert_eq!(
        found,
        ["25 45.000000 0.5555555555555556 3.888888888888889 LOW false"]
    );
}

#[test]
fn an_interval_over_two_weeks_is_split_and_rows_carry_the_customers_dimensions() {
    let (harness, reference) = harness(
        &[
            ("2026-11-20T00:00:00+08:00", 45),
            ("2026-11-27T00:00:00+08:00", 0),
        ],
        &[],
    );
    assert_eq!(sold(&harness, &reference, WEEK), ["19.285714 0"]);
    assert_eq!(
        sold(&harness, &reference, ("2026-11-23", "2026-11-30")),
        ["25.714286 0"]
    );
    let week = harness.round("stock_to_sales", &reference, WEEK);
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
    let (harness, reference) = harness(
        &[
            ("2026-11-16T08:00:00+08:00", 9),
            ("2026-11-18T08:00:00+08:00", 9),
            ("2026-11-18T20:00:00+08:00", 9),
        ],
        &[],
    );
    let found = rows(&harness.round("stock_to_sales", &reference, WEEK), RATIOS);
    assert_eq!(found, ["9 0.000000    true"]);
}

#[test]
fn k13_an_empty_shelf_that_sold_nothing_is_not_without_sales() {
    let empty = [
        ("2026-11-16T08:00:00+08:00", 0),
        ("2026-11-18T08:00:00+08:00", 0),
    ];
    let (harness, reference) = harness(&empty, &[]);
    let found = rows(&harness.round("stock_to_sales", &reference, WEEK), RATIOS);
    assert_eq!(found, ["0 0.000000    false"]);
}

#[test]
fn k13_a_row_needs_a_closing_count_and_sales_of_its_window() {
    let ratios = |counts: &[(&str, i64)], window| {
        let (harness, reference) = harness(counts, &[]);
        harness
            .round("stock_to_sales", &reference, window)
            .num_rows()
    };
    // Counted once: the stock is known, the sales are not.
    assert_eq!(ratios(&[("2026-11-16T08:00:00+08:00", 9)], WEEK), 0);
    // Counted in the weeks before and after: the sales of all three weeks are known, the stock of the middle one is not.
    let around = [
        ("2026-11-13T00:00:00+08:00", 20),
        ("2026-11-23T00:00:00+08:00", 10),
    ];
    assert_eq!(ratios(&around, WEEK), 0);
    assert_eq!(ratios(&around, ("2026-11-09", "2026-11-16")), 1);
    let (harness, reference) = harness(&around, &[]);
    assert_eq!(sold(&harness, &reference, WEEK), ["7.000000 0"]);
}

#[test]
fn k13_days_are_those_of_the_window_also_if_counts_cover_only_a_part() {
    // 6 sold in the two days between the counts; 12 left are cover for 14 days and not for 4.
    let counts = [
        ("2026-11-16T00:00:00+08:00", 18),
        ("2026-11-18T00:00:00+08:00", 12),
    ];
    let (harness, reference) = harness(&counts, &[]);
    let found = rows(
        &harness.round("stock_to_sales", &reference, WEEK),
        &["sell_through_qty", "days_of_cover", "band"],
    );
    assert_eq!(found, ["6.000000 14.0 NORMAL"]);
}

#[test]
fn k13_bands_do_not_depend_on_the_supply_status() {
    let counts = [
        ("2026-11-16T00:00:00+08:00", 11),
        ("2026-11-22T00:00:00+08:00", 4),
    ];
    let (harness, _) = harness(&counts, &[]);
    for status in ["NORMAL", "TIGHT", "SCARCE", "AMPLE", "UNKNOWN"] {
        let skus = format!("sku_id,supply_status\nS1,{status}\n");
        let reference = RetailReference::new(Arc::new(reference_data(&[("ref_sku.csv", &skus)])));
        let found = rows(
            &harness.round("stock_to_sales", &reference, WEEK),
            &["band"],
        );
        assert_eq!(found, ["LOW"], "{status}");
    }
}

/// Rows about a window take their dimensions as of its last millisecond.
#[test]
fn k08_rows_of_a_window_have_the_dimensions_of_its_last_millisecond() {
    let counts = [
        ("2026-11-16T00:00:00+08:00", 11),
        ("2026-11-18T00:00:00+08:00", 4),
    ];
    let (harness, _) = harness(&counts, &[]);
    // The week ends at 16:00 UTC on Sunday the 22nd.
    for (moves_at, expected) in [
        ("2026-11-22T15:59:59.999Z", "T2 B"),
        ("2026-11-22T16:00:00Z", "T1 A"),
    ] {
        let customers = format!(
            "customer_id,territory_id,class_id,valid_from,valid_to\n\
             C1,T1,A,2020-01-01T00:00:00Z,{moves_at}\nC1,T2,B,{moves_at},\n"
        );
        let reference = RetailReference::new(Arc::new(reference_data(&[(
            "ref_customer.csv",
            &customers,
        )])));
        let week = harness.round("stock_to_sales", &reference, WEEK);
        assert_eq!(rows(&week, &["territory_id", "class_id"]), [expected]);
    }
    // Customer and SKU are unknown: the ids stay what they are.
    let reference = RetailReference::new(Arc::new(reference_data(&[])));
    let week = harness.round("stock_to_sales", &reference, WEEK);
    let columns = ["customer_id", "sku_id", "territory_id", "class_id"];
    assert_eq!(rows(&week, &columns), ["C1 S1 UNKNOWN UNKNOWN"]);
}

#[test]
fn k32_negative_intervals_alone_give_rows_without_sales() {
    let ratios = |counts: &[(&str, i64)]| {
        let (harness, reference) = harness(counts, &[]);
        let found = rows(&harness.round("stock_to_sales", &reference, WEEK), RATIOS);
        (sold(&harness, &reference, WEEK), found)
    };
    let grown = [
        ("2026-11-16T08:00:00+08:00", 1),
        ("2026-11-18T08:00:00+08:00", 5),
    ];
    let expected = (vec![" 1".to_owned()], vec!["5     ".to_owned()]);
    assert_eq!(ratios(&grown), expected);
    // Beside a valid interval, also one that sold nothing, the negative one adds nothing.
    let and_sold = [grown[0], grown[1], ("2026-11-20T08:00:00+08:00", 5)];
    let expected = (
        vec!["0.000000 1".to_owned()],
        vec!["5 0.000000    true".to_owned()],
    );
    assert_eq!(ratios(&and_sold), expected);
}

#[test]
fn bands_begin_at_5_and_end_at_21_days_of_cover() {
    // 7 sold in the window's 7 days: days of cover = closing stock.
    for (stock, band) in [(4, "LOW"), (5, "NORMAL"), (21, "NORMAL"), (22, "HIGH")] {
        let (harness, reference) = harness(
            &[
                ("2026-11-16T00:00:00+08:00", stock + 7),
                ("2026-11-22T00:00:00+08:00", stock),
            ],
            &[],
        );
        let found = rows(
            &harness.round("stock_to_sales", &reference, WEEK),
            &["days_of_cover", "band"],
        );
        assert_eq!(found, [format!("{stock}.0 {band}")]);
    }
}
