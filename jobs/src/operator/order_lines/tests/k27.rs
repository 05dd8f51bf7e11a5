//! Which requested lines may understate demand.

use std::collections::BTreeSet;

use super::*;
use crate::operator::fixture::instant;
use crate::reference::fixture::reference_data;

const CUSTOMERS: &str = "customer_id,territory_id,class_id,area_unit_id,valid_from,valid_to\n\
                            C1,T1,A,,,2026-01-06T00:00:00+08:00\n\
                            C1,T1,B,,2026-01-06T00:00:00+08:00,\n\
                            C2,T9,A,U2,,\n\
                            C3,,,,,\n";

/// Reference data with `skus` (sku_id, supply_status, valid_from, valid_to) and `plans` (sku_id, class_id, area_unit_id, cap_qty,
/// valid_from, valid_to).
fn supply(skus: &str, plans: &str) -> RetailReference {
    let skus = format!("sku_id,supply_status,valid_from,valid_to\n{skus}");
    let plans = format!("sku_id,class_id,area_unit_id,cap_qty,valid_from,valid_to\n{plans}");
    RetailReference::new(Arc::new(reference_data(&[
        ("ref_customer.csv", CUSTOMERS),
        ("ref_sku.csv", &skus),
        (
            "ref_territory.csv",
            "territory_id,area_unit_id\nT1,U1\nT9,\n",
        ),
        ("ref_allocation_plan.csv", &plans),
    ])))
}

/// SKUs of which an order of `customer`, placed at `at`, asks for what may understate demand.
fn censored_skus(
    reference: &RetailReference,
    (customer, at): (&str, &str),
    lines: &[ShortLine],
) -> Vec<String> {
    let placed = entry(instant(at).as_ms(), OrderStep::Placed, lines);
    let mut out = Vec::new();
    let mut context = OperatorContext::new(TimestampMs::MAX, reference);
    let key = (customer.into(), "O1".into());
    order_lines().facts(&key, &[placed], &mut context, &mut out);
    let censored = out.iter().filter(|fact| fact.censored == 1);
    let skus: BTreeSet<_> = censored.map(|fact| fact.sku_id.to_string()).collect();
    skus.into_iter().collect()
}

const NOON: &str = "2026-01-05T12:00:00+08:00";

#[test]
fn k27_an_order_that_asks_for_its_cap_over_all_lines_of_the_sku_is_censored() {
    let reference = supply("S1,NORMAL,,\n", "S1,A,U1,10,,\nS2,A,U1,,,\n");
    let of = |lines: &[ShortLine]| censored_skus(&reference, ("C1", NOON), lines);
    assert_eq!(of(&[(1, 9, None), (2, 1_000, None)]), [""; 0]);
    assert_eq!(of(&[(1, 10, None), (2, 1_000, None)]), ["S1"]);
    assert_eq!(of(&[(1, 6, None), (2, 1, None), (1, 4, None)]), ["S1"]);
}

#[test]
fn k27_the_counted_version_is_held_against_the_cap_and_only_requested_lines_are_marked() {
    let reference = supply("S1,NORMAL,,\n", "S1,ALL,ALL,10,,\n");
    let placed_at = instant(NOON).as_ms();
    let placed = |qty| entry(placed_at, OrderStep::Placed, &[(1, qty, Some(5))]);
    let amended = |qty| entry(placed_at + 1, OrderStep::Amended, &[(1, qty, Some(5))]);
    let limited_to = |qty| limited(placed_at + 1, OrderStep::Amended, &[(1, qty, Some(5))]);
    let allocated = entry(placed_at + 2, OrderStep::Allocated, &[(1, 10, Some(5))]);
    let later = entry(placed_at + 3, OrderStep::Amended, &[(1, 10, Some(5))]);
    let short = limited(placed_at + 3, OrderStep::Cancelled, &[]);
    let by_choice = entry(placed_at + 3, OrderStep::Cancelled, &[]);
    for (history, censored) in [
        (vec![placed(10)], 1),
        (vec![placed(10), amended(9)], 0),
        (vec![placed(9), amended(10), allocated.clone()], 1),
        (vec![placed(9), allocated.clone(), later], 0),
        (vec![placed(10), limited_to(4), allocated.clone()], 1),
        (vec![placed(10), allocated.clone(), short], 1),
        (vec![placed(10), allocated, by_choice], 0),
        (vec![amended(10)], 0),
    ] {
        let found = facts_in(&reference, &history);
        let marked = found.iter().filter(|fact| fact.censored == 1);
        let kinds: Vec<LineKind> = marked.map(|fact| fact.kind).collect();
        assert_eq!(kinds, vec![Requested; censored], "{history:?}");
    }
}

#[test]
fn k27_the_most_specific_plan_as_of_the_placing_counts() {
    let every = "S1,ALL,ALL,40,,\nS1,ALL,U1,30,,\nS1,A,ALL,20,,\n\
                 S1,A,U1,10,,2026-01-05T00:00:00+08:00\nS1,A,U1,,2026-01-05T00:00:00+08:00,\n";
    let reference = supply("S1,CONSTRAINED,,\n", every);
    // The least quantity that is censored: (class, area), then (class, ALL), then (ALL, area), then (ALL, ALL).
    for (customer, at, cap) in [
        ("C1", "2026-01-04T23:59:59+08:00", Some(10)),
        // The one in force has no cap, and hides those that do.
        ("C1", "2026-01-05T00:00:00+08:00", None),
        ("C2", NOON, Some(20)),
        // Of class B from this day on.
        ("C1", "2026-01-06T00:00:00+08:00", Some(30)),
        // Neither class nor area.
        ("C3", NOON, Some(40)),
    ] {
        let least = (0..100)
            .find(|qty| !censored_skus(&reference, (customer, at), &[(1, *qty, None)]).is_empty());
        assert_eq!(least, cap, "{customer} {at}");
    }
}

#[test]
fn k27_without_a_plan_for_class_and_area_an_order_of_a_sku_that_is_constrained_that_day_is_censored()
 {
    // Constrained from 20:00 on; no longer the next evening.
    let skus = "S1,NORMAL,,2026-01-05T20:00:00+08:00\n\
                S1,CONSTRAINED,2026-01-05T20:00:00+08:00,2026-01-06T20:00:00+08:00\n\
                S1,NORMAL,2026-01-06T20:00:00+08:00,\n";
    let censored = |plans: &str, customer: &str, at: &str| {
        !censored_skus(&supply(skus, plans), (customer, at), &[(1, 1, None)]).is_empty()
    };
    assert!(censored("", "C1", "2026-01-05T00:00:00+08:00"));
    assert!(censored("", "C1", "2026-01-05T23:59:59+08:00"));
    assert!(!censored("", "C1", "2026-01-04T23:59:59+08:00"));
    assert!(!censored("", "C1", "2026-01-06T12:00:00+08:00"));
    assert!(!censored("", "C9", "2026-01-06T12:00:00+08:00"));
    for (plan, censored_of) in [
        ("S1,ALL,ALL,50,,\n", [false, false, false]),
        ("S1,A,ALL,50,,\n", [false, false, true]),
        ("S1,A,U2,50,,\n", [true, false, true]),
        ("S1,B,U1,50,,\n", [true, true, true]),
        ("S2,ALL,ALL,50,,\n", [true, true, true]),
        ("S1,UNKNOWN,UNKNOWN,50,,\n", [true, true, true]),
        // In force at noon, not at the end of the day; and the other way round.
        (
            "S1,ALL,ALL,50,,2026-01-05T15:00:00+08:00\n",
            [true, true, true],
        ),
        (
            "S1,ALL,ALL,50,2026-01-05T15:00:00+08:00,\n",
            [false, false, false],
        ),
    ] {
        let found = ["C1", "C2", "C3"].map(|customer| censored(plan, customer, NOON));
        assert_eq!(found, censored_of, "{plan}");
    }
}
