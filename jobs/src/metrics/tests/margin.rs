//! M06: margins of a retailer by SKU and in all.

use std::sync::Arc;

use schemas::money::Fen;

use super::harness::{Harness, ZONE, rows};
use crate::operator::closing_stock::ClosingStockFact;
use crate::operator::fixture::instant;
use crate::operator::order_lines::{LineKind, OrderLineFact};
use crate::operator::price_observations::{ObservationState, PriceObservationFact};
use crate::operator::sell_through::SellThroughFact;
use crate::reference::RetailReference;
use crate::reference::fixture::reference_data;

mod sources;
mod span;

const WEEK: (&str, &str) = ("2026-11-16", "2026-11-23");
/// In the week; in the 28 days before its end but not in the week; too early for both.
const IN_WEEK: &str = "2026-11-17T10:00:00+08:00";
const IN_SPAN: &str = "2026-10-26T00:00:00+08:00";
const TOO_EARLY: &str = "2026-10-25T23:59:59+08:00";

/// C1 to C3 in territory T1, C4 in T2, all in region R1.
fn reference() -> RetailReference {
    RetailReference::new(Arc::new(reference_data(&[(
        "ref_customer.csv",
        "customer_id,territory_id,class_id,region_code\nC1,T1,A,R1\nC2,T1,A,R1\nC3,T1,A,R1\nC4,T2,B,R1\n",
    )])))
}

#[derive(Default)]
struct Facts {
    lines: Vec<OrderLineFact>,
    sales: Vec<SellThroughFact>,
    stock: Vec<ClosingStockFact>,
    prices: Vec<PriceObservationFact>,
}

/// The subject of a fact: customer, SKU and instant.
type Of<'a> = (&'a str, &'a str, &'a str);

impl Facts {
    fn delivered(mut self, (customer, sku, at): Of<'_>, qty: i64, price_fen: Option<i64>) -> Self {
        self.lines.push(OrderLineFact {
            customer_id: customer.into(),
            order_id: "O1".into(),
            line_no: 1,
            kind: LineKind::Delivered,
            instant: instant(at),
            event_id: "e".into(),
            sku_id: sku.into(),
            territory_id: "as of the delivery".into(),
            class_id: "as of the delivery".into(),
            order_kind: "REGULAR".into(),
            qty,
            value: Fen::from_fen(qty * price_fen.unwrap_or(0)),
            unpriced_qty: if price_fen.is_none() { qty } else { 0 },
            counts_as_order: 0,
            censored: 0,
        });
        self
    }

    /// `None`: a negative interval.
    fn sold(mut self, (customer, sku, at): Of<'_>, millionths: Option<i128>) -> Self {
        self.sales.push(SellThroughFact {
            customer_id: customer.into(),
            sku_id: sku.into(),
            territory_id: "as of the count".into(),
            class_id: "as of the count".into(),
            instant: instant(at),
            sell_through_qty: millionths.unwrap_or(0),
            parts_n: i64::from(millionths.is_some()),
            negative_intervals: i64::from(millionths.is_none()),
        });
        self
    }

    fn counted(mut self, (customer, sku, at): Of<'_>) -> Self {
        self.stock.push(ClosingStockFact {
            customer_id: customer.into(),
            sku_id: sku.into(),
            territory_id: "as of the count".into(),
            class_id: "as of the count".into(),
            instant: instant(at),
            stock_qty: 0,
            counts_n: 1,
        });
        self
    }

    fn priced(mut self, (customer, sku, at): Of<'_>, price_fen: i64) -> Self {
        self.prices.push(PriceObservationFact {
            customer_id: customer.into(),
            sku_id: sku.into(),
            territory_id: "as of the observation".into(),
            class_id: "as of the observation".into(),
            instant: instant(at),
            event_id: "e".into(),
            price_basis: "SELLING".into(),
            state: ObservationState::Valid,
            is_last_of_day: true,
            price: Fen::from_fen(price_fen),
        });
        self
    }

    fn harness(&self) -> Harness {
        let mut harness = Harness::new();
        harness.stream("demand_orders", &self.lines);
        harness.stream("sell_through", &self.sales);
        harness.stream("stock_to_sales", &self.stock);
        harness.stream("retailer_margin_by_sku", &self.prices);
        harness
    }

    fn by_sku(&self, reference: &RetailReference, columns: &[&str]) -> Vec<String> {
        rows(
            &self
                .harness()
                .round("retailer_margin_by_sku", reference, WEEK),
            columns,
        )
    }
}

#[test]
fn golden_m06_two_skus() {
    let sku = |facts: Facts, sku, sold: i128, price, cost| {
        facts
            .delivered(("C1", sku, IN_SPAN), 7, Some(cost))
            .sold(("C1", sku, IN_WEEK), Some(sold * 1_000_000))
            .priced(("C1", sku, IN_WEEK), price)
    };
    let facts = sku(Facts::default(), "A", 20, 9_500, 8_480);
    let facts = sku(facts, "B", 10, 23_000, 21_200);
    let (harness, reference) = (facts.harness(), reference());
    let skus = harness.round("retailer_margin_by_sku", &reference, WEEK);
    assert_eq!(
        rows(
            &skus,
            &[
                "sku_id",
                "sales_fen",
                "cost_fen",
                "weight_source",
                "price_source",
                "cost_source"
            ]
        ),
        [
            "A 190000.000000 169600.000000 SELL_THROUGH OWN DELIVERIES",
            "B 230000.000000 212000.000000 SELL_THROUGH OWN DELIVERIES",
        ]
    );
    let retailer = harness.round("retailer_margin", &reference, WEEK);
    assert_eq!(
        rows(
            &retailer,
            &[
                "customer_id",
                "territory_id",
                "class_id",
                "sales_fen",
                "cost_fen",
                "skus_n",
                "band"
            ]
        ),
        ["C1 T1 A 420000.000000 381600.000000 2 ON_TARGET"]
    );
    let ratios = rows(&retailer, &["gm_ratio", "distance_ratio"]);
    let numbers: Vec<f64> = ratios[0]
        .split(' ')
        .map(|text| text.parse().unwrap())
        .collect();
    assert!(
        (numbers[0] - 0.091_428_571_428_571).abs() < 1e-12,
        "{numbers:?}"
    );
    assert!(
        (numbers[1] + 0.008_571_428_571_429).abs() < 1e-12,
        "{numbers:?}"
    );
}

#[test]
fn k16_a_window_of_28_days_weighs_with_all_its_days() {
    let facts = Facts::default()
        .delivered(("C1", "S", IN_SPAN), 4, Some(90))
        .delivered(("C1", "S", IN_WEEK), 5, Some(90))
        .delivered(("C1", "S", TOO_EARLY), 6, Some(90));
    let harness = facts.harness();
    let weights = |first| {
        let found = harness.round(
            "retailer_margin_by_sku",
            &reference(),
            (first, "2026-11-23"),
        );
        rows(&found, &["weight_qty"])
    };
    assert_eq!(weights("2026-10-26"), ["9.000000"]);
    assert_eq!(weights("2026-11-16"), ["5.000000"]);
    assert_eq!(
        ZONE.day_of(instant(TOO_EARLY)).date().to_string(),
        "2026-10-25"
    );
}

#[test]
fn bands_are_on_target_from_9_to_11_per_cent() {
    for (cost, band) in [
        (9_101, "BELOW"),
        (9_100, "ON_TARGET"),
        (8_900, "ON_TARGET"),
        (8_899, "ABOVE"),
    ] {
        let facts = Facts::default()
            .delivered(("C1", "S", IN_WEEK), 3, Some(cost))
            .priced(("C1", "S", IN_WEEK), 10_000);
        let (harness, reference) = (facts.harness(), reference());
        harness.round("retailer_margin_by_sku", &reference, WEEK);
        let retailer = harness.round("retailer_margin", &reference, WEEK);
        assert_eq!(rows(&retailer, &["band"]), [band], "cost {cost}");
    }
}
