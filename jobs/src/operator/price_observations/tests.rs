#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use schemas::event::Topic;
use schemas::time::DurationMs;
use serde_json::json;

use super::*;
use crate::operator::fixture::{at, batch, entry, facts_of, instant, projected};
use crate::reference::fixture::{list_price, one_customer};

fn operator() -> PriceObservations {
    PriceObservations {
        zone: Zone(chrono_tz::Asia::Shanghai),
        shard: 0,
        shards: 1,
    }
}

fn key() -> ShelfKey {
    ("C1".into(), "S1".into())
}

fn observed(
    occurred_at: TimestampMs,
    observed_at: &str,
    basis: &str,
    price_fen: i64,
) -> HistoryEntry<Observation> {
    entry(
        occurred_at,
        Observation {
            observed_at: instant(observed_at),
            price: Fen::from_fen(price_fen),
            price_basis: basis.into(),
        },
    )
}

#[test]
fn k14_the_bounds_are_included_and_no_suggested_price_means_no_quarantine() {
    use ObservationState::{Outlier, Valid};
    for (price, suggested, state) in [
        (30, Some(100), Valid),
        (29, Some(100), Outlier),
        (300, Some(100), Valid),
        (301, Some(100), Outlier),
        // 0.3 × 9 = 2.7
        (2, Some(9), Outlier),
        (3, Some(9), Valid),
        (0, Some(0), Valid),
        (i64::MAX, None, Valid),
    ] {
        let found = ObservationState::classify(Fen::from_fen(price), suggested.map(Fen::from_fen));
        assert_eq!(found, state, "{price} of {suggested:?}");
    }
}

#[test]
fn k14_an_observation_is_classified_again_when_the_list_price_changes() {
    let mut reference = one_customer();
    let history = [observed(at(1), "2026-01-07T02:00:00Z", "SELLING", 1_000)];
    let state =
        |reference: &RetailReference| facts_of(&operator(), &key(), &history, reference)[0].state;
    assert_eq!(state(&reference), ObservationState::Valid);
    let suggested = ("S1", "R1", PriceType::SuggestedRetail);
    list_price(&mut reference, "p", suggested, 100, at(0), None);
    assert_eq!(state(&reference), ObservationState::Outlier);
    list_price(
        &mut reference,
        "q",
        suggested,
        900,
        instant("2026-01-07T02:00:00Z"),
        None,
    );
    assert_eq!(state(&reference), ObservationState::Valid);

    let mut context = OperatorContext::new(at(0), &reference);
    operator().facts(&key(), &history, &mut context, &mut Vec::new());
    assert_eq!(context.into_requests().0, ["S1".into()] as [Arc<str>; 1]);
}

#[test]
fn k14_only_valid_selling_observations_can_be_the_last_of_a_day() {
    let mut reference = one_customer();
    list_price(
        &mut reference,
        "p",
        ("S1", "ALL", PriceType::SuggestedRetail),
        100,
        at(0),
        None,
    );
    let history = [
        observed(at(1), "2026-01-07T08:00:00Z", "SELLING", 90),
        observed(at(2), "2026-01-07T08:00:00Z", "SELLING", 91),
        observed(at(3), "2026-01-07T07:00:00Z", "SELLING", 92),
        observed(at(4), "2026-01-07T09:00:00Z", "BUYBACK", 93),
        observed(at(5), "2026-01-07T10:00:00Z", "SELLING", 9_000),
        observed(at(6), "2026-01-07T16:00:00Z", "SELLING", 94),
    ];
    let found = facts_of(&operator(), &key(), &history, &reference);
    let marked = found.iter().filter(|fact| fact.is_last_of_day);
    assert_eq!(
        marked.map(|fact| fact.price.as_fen()).collect::<Vec<_>>(),
        [91, 94]
    );
    assert_eq!(found.len(), 6);
}

#[test]
fn only_observations_are_projected_and_a_missing_basis_is_unknown() {
    let morning = "2026-01-07T02:00:00Z";
    let seen = json!({"sku_id": "S1", "price_fen": 95, "observed_at": instant(morning) - DurationMs::from_ms(5)});
    let mut selling = seen.clone();
    selling["price_basis"] = json!("SELLING");
    let tag = json!({"sku_id": "S1", "tag_present": true});
    let events = batch(
        Topic::Prices,
        &[
            ("price.observed", morning, seen),
            ("price.tag_checked", morning, tag),
            ("price.observed", morning, selling),
        ],
    );
    let found = projected(&operator(), Topic::Prices, &events);
    let bases: Vec<_> = found
        .iter()
        .map(|(row, _, event)| (*row, &*event.price_basis))
        .collect();
    assert_eq!(bases, [(0, UNKNOWN), (2, SELLING)]);
    assert_eq!(
        (found[0].2.observed_at, found[0].2.price.as_fen()),
        (instant(morning) - DurationMs::from_ms(5), 95)
    );
}

#[test]
fn exactly_one_shard_publishes_the_facts_of_a_customer() {
    let history = [observed(at(1), "2026-01-07T08:00:00Z", "SELLING", 90)];
    let facts = facts_of(&operator(), &key(), &history, &one_customer());
    let publishing = (0..4).filter(|shard| {
        let operator = PriceObservations {
            shard: *shard,
            shards: 4,
            ..operator()
        };
        operator.is_public(&facts[0])
    });
    assert_eq!(publishing.count(), 1);
}
