//! Cases of design 3.2: what a query or an operator reads beside its own events arrives last.

use pipeline::round::Metric;
use pipeline::time::{Window, WindowKind};
use schemas::time::DurationMs;
use serde_json::{Value, json};

use super::event::{CUSTOMERS, Event, at, start_of};
use super::properties::{metrics_for, runtime};
use super::public::Revised;
use super::service::Service;
use crate::metrics::tests::harness::{ZONE, rows};

const TEN: DurationMs = DurationMs::from_hours(10);
const NEVER_TOO_LATE: i64 = 400;

/// The window of this kind that ends after this many days.
fn ending(kind: WindowKind, day: i64) -> Window {
    let end = ZONE.day_of(start_of(day));
    let length = match kind {
        WindowKind::D1 => 1,
        WindowKind::W1 => 7,
        _ => 28,
    };
    Window {
        kind,
        first: end.plus(-length),
        end,
    }
}

/// The windows of one metric among `revised`, as the number of days after which they end.
fn ends(revised: &[Revised], metric: &str) -> Vec<i32> {
    let first = ZONE.day_of(start_of(0));
    let of_metric = revised.iter().filter(|(name, _)| name == metric);
    of_metric
        .map(|(_, window)| window.end.0 - first.0)
        .collect()
}

/// A service that computes rows of these metrics in windows of one kind; no event is too late.
async fn service(names: &[&str], window_kind: WindowKind) -> Service {
    let is_wanted =
        |metric: &Metric, kind| names.contains(&metric.name.as_str()) && kind == window_kind;
    Service::new(metrics_for(is_wanted), NEVER_TOO_LATE).await
}

fn order(event_type: &'static str, day: i64, line: Value) -> Event {
    Event::new(
        event_type,
        at(day, TEN),
        Some(0),
        json!({"order_id": "O1", "lines": [line]}),
    )
}

fn count(day: i64, qty: i64) -> Event {
    let stock = json!([{"sku_id": "S1", "qty": qty, "counted_at": at(day, TEN)}]);
    let fields = json!({"collection_id": "I1", "stock": stock});
    Event::new("visit.info_collected", at(day, TEN), Some(0), fields)
}

/// A list price announced on day 20.
fn list_price(price_type: &str, price_fen: i64, from_day: i64) -> Event {
    let fields = json!({
        "sku_id": "S1", "price_type": price_type, "price_fen": price_fen, "valid_from": start_of(from_day),
    });
    Event::new("price.list_set", at(20, TEN), None, fields)
}

fn price_observed(customer: usize, day: i64, price_fen: i64) -> Event {
    let observed_at = at(day, TEN);
    let fields = json!({"sku_id": "S1", "price_fen": price_fen, "price_basis": "SELLING", "observed_at": observed_at});
    Event::new("price.observed", observed_at, Some(customer), fields)
}

/// Operators (values of lines, quarantine) and queries (price and cost of a margin) read list prices; the median of a territory reads
/// retailers of another shard. Rows are published without them first.
#[test]
fn prices_that_arrive_last_revise_the_rows_published_without_them() {
    runtime().block_on(async {
        let mut service =
            service(&["demand_orders", "retailer_margin_by_sku"], WindowKind::W1).await;
        let clock = start_of(14);
        let found = |service: &Service| {
            let week = ending(WindowKind::W1, 7);
            let demand = service.public.window("demand_orders", week).unwrap();
            let margin = service
                .public
                .window("retailer_margin_by_sku", week)
                .unwrap();
            let mine = rows(
                &margin,
                &[
                    "customer_id",
                    "price_fen",
                    "price_source",
                    "unit_cost_fen",
                    "cost_source",
                ],
            );
            let mine = mine
                .into_iter()
                .find_map(|row| row.strip_prefix(&CUSTOMERS[0]).map(str::to_owned));
            (
                rows(&demand, &["requested_fen", "delivered_fen", "unpriced_qty"]).remove(0),
                mine.unwrap().trim_start().to_owned(),
            )
        };
        let events = vec![
            order(
                "order.placed",
                0,
                json!({"line_no": 1, "sku_id": "S1", "requested_qty": 10}),
            ),
            order(
                "order.delivered",
                3,
                json!({"line_no": 1, "sku_id": "S1", "delivered_qty": 8}),
            ),
            count(0, 5),
            count(6, 3),
        ];
        service.ingest(events, clock).await;
        assert_eq!(
            found(&service),
            ("0 0 18".to_owned(), "NONE  NONE".to_owned())
        );

        for (price, demand, margin) in [
            (
                list_price("WHOLESALE", 80, -10),
                "800 640 0",
                "NONE 80.000000 DELIVERIES",
            ),
            (
                list_price("SUGGESTED_RETAIL", 100, -10),
                "800 640 0",
                "100.000000 SUGGESTED 80.000000 DELIVERIES",
            ),
            // Retailer 1 belongs to the other shard and to the same territory.
            (
                price_observed(1, 5, 130),
                "800 640 0",
                "130.000000 TERRITORY 80.000000 DELIVERIES",
            ),
            // The observation is more than three times the suggested price of that day now: an outlier.
            (
                list_price("SUGGESTED_RETAIL", 40, 4),
                "800 640 0",
                "40.000000 SUGGESTED 80.000000 DELIVERIES",
            ),
            (
                price_observed(0, 5, 90),
                "800 640 0",
                "90.000000 OWN 80.000000 DELIVERIES",
            ),
        ] {
            let what = format!("{price:?}");
            let revised = service.ingest(vec![price], clock).await;
            // The weeks that hold days 0 to 6 or look back to them.
            assert_eq!(ends(&revised, "retailer_margin_by_sku"), [7, 14], "{what}");
            assert_eq!(
                found(&service),
                (demand.to_owned(), margin.to_owned()),
                "{what}"
            );
        }
        assert_eq!(service.differences().await, Vec::<String>::new());
    });
}

/// The trend of a week reads the seven weeks before it.
#[test]
fn answers_that_arrive_after_later_trends_revise_them() {
    runtime().block_on(async {
        let answer = |week: i64, score: i64| {
            let answers = json!([{"question_id": "Q0", "score": score}]);
            let fields = json!({"survey_id": format!("V{week}"), "answers": answers});
            Event::new("survey.answered", at(7 * week + 2, TEN), Some(0), fields)
        };
        let mut service = service(&["satisfaction"], WindowKind::W1).await;
        let clock = start_of(80);
        let slope = |service: &Service, week: i64| {
            let week = ending(WindowKind::W1, 7 * (week + 1));
            let rows_of_week = service.public.window("satisfaction", week).unwrap();
            rows(&rows_of_week, &["slope_per_week"]).remove(0)
        };
        let all_but_the_third = (0..=10)
            .filter(|week| *week != 2)
            .map(|week| answer(week, 3));
        service.ingest(all_but_the_third.collect(), clock).await;
        // Five of the six weeks up to week 5 have answers, seven of the eight up to week 9.
        assert_eq!(slope(&service, 5), "");
        assert_eq!(slope(&service, 9), "0.0");

        let revised = service.ingest(vec![answer(2, 5)], clock).await;
        // Weeks 3 and 4 still have fewer than six weeks, week 10 looks back to week 3 only.
        let weeks: Vec<i32> = ends(&revised, "satisfaction")
            .into_iter()
            .map(|end| end / 7 - 1)
            .collect();
        assert_eq!(weeks, [2, 5, 6, 7, 8, 9]);
        // 50 points in five weeks, 100 in the third of six: (2 − 2.5) · 50 / 17.5.
        let found: f64 = slope(&service, 5).parse().unwrap();
        assert!((found + 25.0 / 17.5).abs() < 1e-9, "{found}");
        assert_eq!(service.differences().await, Vec::<String>::new());
    });
}

/// The unit cost of a margin reads the deliveries of 28 days.
#[test]
fn a_late_delivery_revises_the_margins_of_four_windows() {
    runtime().block_on(async {
        let delivered = |day: i64, price_fen: i64| {
            let line = json!({"line_no": 1, "sku_id": "S1", "delivered_qty": 4, "wholesale_price_fen": price_fen});
            order("order.delivered", day, line)
        };
        let mut service = service(&["retailer_margin_by_sku"], WindowKind::H28).await;
        let clock = start_of(42);
        service.ingest(vec![delivered(1, 100), price_observed(0, 1, 120)], clock).await;
        let revised = service.ingest(vec![delivered(2, 60)], clock).await;
        assert_eq!(ends(&revised, "retailer_margin_by_sku"), [7, 14, 21, 28]);
        for day in [7, 14, 21, 28] {
            let window = ending(WindowKind::H28, day);
            let found = service.public.window("retailer_margin_by_sku", window).unwrap();
            assert_eq!(rows(&found, &["unit_cost_fen", "cost_source"]), ["80.000000 DELIVERIES"]);
        }
        assert_eq!(service.differences().await, Vec::<String>::new());
    });
}

/// A correction removes the only event of a published row: the row goes, and batch has none either.
#[test]
fn a_row_whose_only_event_is_corrected_is_removed() {
    runtime().block_on(async {
        let placed = |day: i64| {
            order(
                "order.placed",
                day,
                json!({"line_no": 1, "sku_id": "S1", "requested_qty": 10}),
            )
        };
        let mut service = service(&["demand_orders"], WindowKind::D1).await;
        let clock = start_of(14);
        service.ingest(vec![placed(0)], clock).await;
        let day = |service: &Service, end: i64| {
            service
                .public
                .window("demand_orders", ending(WindowKind::D1, end))
        };
        assert!(day(&service, 1).is_some());
        let mut correction = placed(2);
        correction.corrects = super::event::Corrects::Any(0);
        service.ingest(vec![correction], clock).await;
        assert!(day(&service, 1).is_none());
        assert_eq!(
            rows(&day(&service, 3).unwrap(), &["requested_qty", "orders"]),
            ["10 1"]
        );
        assert_eq!(service.differences().await, Vec::<String>::new());
    });
}
