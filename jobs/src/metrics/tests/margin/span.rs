//! Which retailers have a row, and how many days count.

use super::*;

/// The span to the millisecond: [end − 28 d, end).
#[test]
fn k24_the_span_is_28_days_before_the_windows_end() {
    let edges = [
        ("2026-10-25T23:59:59.999+08:00", false),
        ("2026-10-26T00:00:00+08:00", true),
        ("2026-11-22T23:59:59.999+08:00", true),
        ("2026-11-23T00:00:00+08:00", false),
    ];
    for (at, is_inside) in edges {
        let carried = Facts::default()
            .counted(("C1", "S", at))
            .by_sku(&reference(), &["weight_source"]);
        assert_eq!(carried.len(), usize::from(is_inside), "counted at {at}");
        let facts = Facts::default()
            .counted(("C1", "S", IN_WEEK))
            .delivered(("C1", "S", at), 1, Some(70))
            .priced(("C1", "S", at), 90);
        let expected = if is_inside {
            "OWN DELIVERIES"
        } else {
            "NONE NONE"
        };
        let found = facts.by_sku(&reference(), &["price_source", "cost_source"]);
        assert_eq!(found, [expected], "at {at}");
    }
}

#[test]
fn k16_every_retailer_with_such_a_sku_has_a_row_sample_or_not() {
    let customers = "customer_id,territory_id,class_id,is_sample\nC1,T1,A,true\nC2,T1,A,false\n";
    let reference =
        RetailReference::new(Arc::new(reference_data(&[("ref_customer.csv", customers)])));
    let facts = Facts::default()
        .counted(("C1", "S", IN_WEEK))
        .priced(("C1", "S", IN_WEEK), 100)
        .delivered(("C2", "S", IN_WEEK), 3, Some(80));
    let columns = ["customer_id", "weight_qty", "price_source", "cost_source"];
    assert_eq!(
        facts.by_sku(&reference, &columns),
        ["C1 1.000000 OWN NONE", "C2 3.000000 TERRITORY DELIVERIES",]
    );
    let harness = facts.harness();
    harness.round("retailer_margin_by_sku", &reference, WEEK);
    let retailers = harness.round("retailer_margin", &reference, WEEK);
    assert_eq!(rows(&retailers, &["customer_id"]), ["C1", "C2"]);
}
