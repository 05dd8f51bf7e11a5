//! Metric queries against hand-computed cases, run by the engine's own parts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arrival;
mod demand_orders;
mod harness;
mod margin;
mod service;
mod stock;

#[test]
fn k07_k24_headers_declare_look_ahead_and_look_back() {
    let declared: Vec<_> = harness::metrics()
        .iter()
        .map(|metric| {
            let (_, name) = metric.title.split_once(' ').unwrap();
            assert_eq!(name, metric.name);
            let windows: Vec<_> = metric.windows.iter().map(|kind| kind.as_str()).collect();
            (
                metric.title.clone(),
                windows.join(" "),
                metric.clock.to_string(),
                (metric.look_back_days, metric.look_ahead_days),
            )
        })
        .collect();
    let line = |title: &str, windows: &str, clock: &str, days| {
        (title.to_owned(), windows.to_owned(), clock.to_owned(), days)
    };
    for expected in [
        line("M01 demand_orders", "D1 W1", "orders", (0, 0)),
        line("M02 sell_through", "W1", "orders+visits", (0, 14)),
        line("M03 stock_to_sales", "W1", "orders+visits", (0, 14)),
        line(
            "M06 retailer_margin_by_sku",
            "W1 H28",
            "orders+prices+visits",
            (28, 14),
        ),
        line(
            "M06 retailer_margin",
            "W1 H28",
            "orders+prices+visits",
            (28, 14),
        ),
        line("M18 satisfaction", "W1", "complaints", (56, 0)),
        line("M18 satisfaction_response", "W1", "complaints", (0, 0)),
        line("M19 sla_compliance", "D1 W1", "complaints", (0, 0)),
    ] {
        assert!(declared.contains(&expected), "{expected:?}\n{declared:?}");
    }
    assert_eq!(declared.len(), 8, "a metric is missing in this list");
}
