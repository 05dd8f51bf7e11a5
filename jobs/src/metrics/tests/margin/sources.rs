//! Every fall-back of K16: where weight, price and cost of a SKU come from, and rows that lack one (K35, K37).

use schemas::time::TimestampMs;

use super::*;
use crate::reference::PriceType;
use crate::reference::fixture::list_price;

/// Before all facts.
const LONG_AGO: TimestampMs = TimestampMs::from_ms(0);

#[test]
fn k16_weight_is_sell_through_then_deliveries_in_the_window_then_one() {
    let facts = Facts::default()
        .counted(("C1", "sold", IN_SPAN))
        .sold(("C1", "sold", IN_WEEK), Some(1_500_000))
        .delivered(("C1", "sold", IN_WEEK), 9, None)
        .counted(("C1", "sold nothing", IN_SPAN))
        .sold(("C1", "sold nothing", IN_WEEK), Some(0))
        .sold(("C1", "negative", IN_WEEK), None)
        .delivered(("C1", "negative", IN_WEEK), 4, None)
        .delivered(("C1", "delivered before", IN_SPAN), 4, None)
        .counted(("C1", "counted", IN_SPAN))
        .counted(("C1", "counted too early", TOO_EARLY))
        .delivered(("C1", "delivered too early", TOO_EARLY), 4, None)
        .delivered(("C1", "delivered nothing", IN_WEEK), 0, None);
    assert_eq!(
        facts.by_sku(
            &reference(),
            &["sku_id", "weight_qty", "weight_source", "n"]
        ),
        [
            "counted 1.000000 CARRIED 1",
            "delivered before 1.000000 CARRIED 1",
            "negative 4.000000 DELIVERED 1",
            "sold 1.500000 SELL_THROUGH 3",
            "sold nothing 0.000000 SELL_THROUGH 2",
        ]
    );
}

#[test]
fn k16_price_is_the_own_latest_then_the_territorys_median_then_the_suggested() {
    let mut reference = reference();
    list_price(
        &mut reference,
        "p",
        ("suggested", "ALL", PriceType::SuggestedRetail),
        700,
        LONG_AGO,
        None,
    );
    list_price(
        &mut reference,
        "q",
        ("suggested", "R1", PriceType::SuggestedRetail),
        701,
        LONG_AGO,
        None,
    );
    // Not in force yet at the window's last millisecond.
    let end = instant("2026-11-23T00:00:00+08:00");
    list_price(
        &mut reference,
        "r",
        ("suggested", "R1", PriceType::SuggestedRetail),
        999,
        end,
        None,
    );
    let mut facts = Facts::default();
    for sku in ["own", "territory", "other territory", "suggested", "none"] {
        facts = facts.counted(("C1", sku, IN_SPAN));
    }
    let facts = facts
        .priced(("C1", "own", IN_SPAN), 100)
        .priced(("C1", "own", "2026-11-22T23:59:59+08:00"), 120)
        .priced(("C1", "own", "2026-11-23T00:00:00+08:00"), 130)
        .priced(("C2", "own", IN_WEEK), 900)
        // C2 and C3 count with their latest: (201 + 250) / 2. C4 lives elsewhere.
        .priced(("C2", "territory", IN_SPAN), 999)
        .priced(("C2", "territory", IN_WEEK), 201)
        .priced(("C3", "territory", IN_SPAN), 250)
        .priced(("C4", "territory", IN_WEEK), 1)
        .priced(("C4", "other territory", IN_WEEK), 1)
        .priced(("C2", "none", TOO_EARLY), 5);
    assert_eq!(
        facts.by_sku(&reference, &["sku_id", "price_fen", "price_source"]),
        [
            "none  NONE",
            "other territory  NONE",
            "own 120.000000 OWN",
            "suggested 701.000000 SUGGESTED",
            "territory 225.500000 TERRITORY",
        ]
    );
}

#[test]
fn k35_retailers_of_no_known_territory_have_no_median() {
    // C7's territory is not known, C8 is known as UNKNOWN, C9 is not known at all.
    let data = reference_data(&[(
        "ref_customer.csv",
        "customer_id,territory_id,class_id,region_code\nC1,T1,A,R1\nC2,T1,A,R1\nC7,,A,R1\nC8,UNKNOWN,A,R1\n",
    )]);
    let mut reference = RetailReference::new(Arc::new(data));
    list_price(
        &mut reference,
        "p",
        ("S", "ALL", PriceType::SuggestedRetail),
        700,
        LONG_AGO,
        None,
    );
    let mut facts = Facts::default();
    for customer in ["C1", "C7", "C8", "C9"] {
        facts = facts.counted((customer, "S", IN_SPAN));
        facts = facts.priced((&format!("{customer}-neighbour"), "S", IN_WEEK), 1);
    }
    let facts = facts.priced(("C2", "S", IN_WEEK), 650);
    assert_eq!(
        facts.by_sku(
            &reference,
            &["customer_id", "territory_id", "price_fen", "price_source"]
        ),
        [
            "C1 T1 650.000000 TERRITORY",
            "C7 UNKNOWN 700.000000 SUGGESTED",
            "C8 UNKNOWN 700.000000 SUGGESTED",
            "C9 UNKNOWN 700.000000 SUGGESTED",
        ]
    );
}

#[test]
fn k16_cost_is_that_of_deliveries_by_quantity_then_the_list_price() {
    let mut reference = reference();
    for sku in ["delivered", "unpriced", "listed"] {
        list_price(
            &mut reference,
            sku,
            (sku, "ALL", PriceType::Wholesale),
            80,
            LONG_AGO,
            None,
        );
    }
    let facts = Facts::default()
        .delivered(("C1", "delivered", IN_SPAN), 2, Some(100))
        .delivered(("C1", "delivered", IN_WEEK), 1, Some(110))
        .delivered(("C1", "delivered", IN_WEEK), 50, None)
        .delivered(("C1", "delivered", TOO_EARLY), 9, Some(1))
        .delivered(("C2", "delivered", IN_WEEK), 9, Some(1))
        .delivered(("C1", "unpriced", IN_WEEK), 5, None)
        .counted(("C1", "listed", IN_WEEK))
        .counted(("C1", "none", IN_WEEK));
    let found = facts.by_sku(
        &reference,
        &["customer_id", "sku_id", "unit_cost_fen", "cost_source"],
    );
    assert_eq!(
        found,
        [
            "C1 delivered 103.333333 DELIVERIES",
            "C1 listed 80.000000 LIST",
            "C1 none  NONE",
            "C1 unpriced 80.000000 LIST",
            "C2 delivered 1.000000 DELIVERIES",
        ]
    );
}

#[test]
fn k37_a_row_without_price_or_cost_has_neither_value_and_is_in_no_sum() {
    let mut reference = reference();
    list_price(
        &mut reference,
        "w",
        ("no price", "ALL", PriceType::Wholesale),
        80,
        LONG_AGO,
        None,
    );
    list_price(
        &mut reference,
        "s",
        ("suggested", "ALL", PriceType::SuggestedRetail),
        50,
        LONG_AGO,
        None,
    );
    list_price(
        &mut reference,
        "t",
        ("suggested", "ALL", PriceType::Wholesale),
        40,
        LONG_AGO,
        None,
    );
    let facts = Facts::default()
        .counted(("C1", "no price", IN_WEEK))
        .counted(("C1", "no cost", IN_WEEK))
        .priced(("C1", "no cost", IN_WEEK), 95)
        .counted(("C1", "suggested", IN_WEEK))
        .delivered(("C1", "whole", IN_WEEK), 3, Some(90))
        .priced(("C1", "whole", IN_WEEK), 100)
        .counted(("C4", "no price", IN_WEEK))
        .counted(("C9", "no price", IN_WEEK));
    let harness = facts.harness();
    let skus = harness.round("retailer_margin_by_sku", &reference, WEEK);
    // What is known stands in price and unit cost.
    let known = rows(&skus, &["sku_id", "price_fen", "unit_cost_fen"]);
    assert_eq!(known[..2], ["no cost 95.000000 ", "no price  80.000000"]);
    let columns = ["customer_id", "sku_id", "sales_fen", "cost_fen", "gm_ratio"];
    assert_eq!(
        rows(&skus, &columns),
        [
            "C1 no cost   ",
            "C1 no price   ",
            "C1 suggested 50.000000 40.000000 0.2",
            "C1 whole 300.000000 270.000000 0.1",
            "C4 no price   ",
            "C9 no price   ",
        ]
    );
    let retailers = harness.round("retailer_margin", &reference, WEEK);
    let columns = [
        "customer_id",
        "territory_id",
        "sales_fen",
        "cost_fen",
        "skus_n",
        "observed_sales_fen",
        "observed_cost_fen",
        "observed_skus_n",
        "band",
        "n",
    ];
    assert_eq!(
        rows(&retailers, &columns),
        [
            "C1 T1 350.000000 310.000000 2 300.000000 270.000000 1 ABOVE 6",
            "C4 T2 0.000000 0.000000 0 0.000000 0.000000 0  1",
            "C9 UNKNOWN 0.000000 0.000000 0 0.000000 0.000000 0  1",
        ]
    );
    assert_eq!(
        rows(&retailers, &["gm_ratio", "distance_ratio"])[..2],
        [" ", " "]
    );
}
