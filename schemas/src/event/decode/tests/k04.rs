//! K4: which values are refused.

use super::*;
use crate::event::event_types;
use crate::event::samples::{find, good};

const DAY: i64 = 24 * 3_600_000;

#[test]
fn k04_every_field_of_every_type_refuses_the_wrong_type() {
    for event_type in event_types() {
        let own = event_type.fields.iter().map(|one| one.field);
        for name in envelope::FIELDS.iter().map(|field| field.name).chain(own) {
            let wrong: &[Value] = match find(event_type.topic, name).kind {
                FieldKind::Bool => &[json!(1), json!("true"), json!([]), json!({})],
                FieldKind::Ids | FieldKind::Codes | FieldKind::List(_) => {
                    &[json!(1), json!("x"), json!(true), json!({}), json!([5])]
                }
                kind if good(kind).is_string() => {
                    &[json!(1), json!(1.5), json!(true), json!([]), json!({})]
                }
                _ => &[json!("1"), json!(1.5), json!(true), json!([]), json!({})],
            };
            for value in wrong {
                let text = with(least(event_type.name), json!({ name: value }));
                let at = if value == &json!([5]) {
                    format!("{name}[0]")
                } else {
                    name.to_owned()
                };
                assert_eq!(
                    verdict(event_type.topic, &text),
                    format!("bad_value {at}"),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn k04_values_out_of_range_are_refused() {
    let line = |name: &str, value: Value| {
        let mut line = json!({ "line_no": 1, "sku_id": "s", "requested_qty": 1 });
        line[name] = value;
        placed(json!({ "lines": [line] }))
    };
    check_all(&[
        (line("requested_qty", json!(0)), "accepted"),
        (
            line("requested_qty", json!(-1)),
            "bad_value lines[0].requested_qty",
        ),
        (
            line("requested_qty", json!(u64::MAX)),
            "bad_value lines[0].requested_qty",
        ),
        (
            line("requested_qty", json!(1.0)),
            "bad_value lines[0].requested_qty",
        ),
        (
            line("requested_qty", json!("1")),
            "bad_value lines[0].requested_qty",
        ),
        (line("wholesale_price_fen", json!(0)), "accepted"),
        (
            line("wholesale_price_fen", json!(-1)),
            "bad_value lines[0].wholesale_price_fen",
        ),
        (line("line_no", json!(65_535)), "accepted"),
        (line("line_no", json!(65_536)), "bad_value lines[0].line_no"),
        (line("sku_id", json!("")), "bad_value lines[0].sku_id"),
        (placed(json!({ "lines": [null] })), "bad_value lines[0]"),
        (
            placed(json!({ "order_cycle_date": "2024-02-29" })),
            "accepted",
        ),
        (
            placed(json!({ "order_cycle_date": "2025-02-29" })),
            "bad_value order_cycle_date",
        ),
        (
            placed(json!({ "order_cycle_date": "2025-2-9" })),
            "bad_value order_cycle_date",
        ),
        (
            placed(json!({ "order_cycle_date": "+025-02-09" })),
            "bad_value order_cycle_date",
        ),
        (
            placed(json!({ "order_cycle_date": "2025年1" })),
            "bad_value order_cycle_date",
        ),
    ]);
    let score = |value: Value| {
        let answers = json!({ "answers": [{ "question_id": "Q0", "score": value }] });
        verdict(Topic::Complaints, &with(least("survey.answered"), answers))
    };
    assert_eq!(
        [score(json!(1)), score(json!(5)), score(json!(null))],
        ["accepted"; 3]
    );
    assert_eq!(
        [score(json!(0)), score(json!(6))],
        ["bad_value answers[0].score"; 2]
    );
}

#[test]
fn k04_k25_instants_lie_in_the_years_2000_to_9998() {
    check_all(&[
        (
            placed(json!({ "occurred_at": 946_684_800_000_i64 })),
            "accepted",
        ),
        (
            placed(json!({ "occurred_at": 946_684_799_999_i64 })),
            "bad_value occurred_at",
        ),
        (
            placed(json!({ "occurred_at": 253_370_764_799_999_i64 })),
            "accepted",
        ),
        (
            placed(json!({ "occurred_at": 253_370_764_800_000_i64 })),
            "bad_value occurred_at",
        ),
        (
            placed(json!({ "occurred_at": 253_402_300_799_999_i64 })),
            "bad_value occurred_at",
        ),
        (
            placed(json!({ "recorded_at": 1_767_661_200 })),
            "bad_value recorded_at",
        ),
        (
            placed(json!({ "occurred_at": i64::MIN })),
            "bad_value occurred_at",
        ),
    ]);
}

#[test]
fn k04_observed_instants_lie_near_the_event_and_announced_ones_anywhere() {
    let opened = |at: i64| {
        verdict(
            Topic::Complaints,
            &with(least("case.opened"), json!({ "received_at": at })),
        )
    };
    let skew = Limits::default().max_future_skew.as_ms();
    assert_eq!(
        [opened(NINE + skew), opened(NINE - 31 * DAY)],
        ["accepted"; 2]
    );
    assert_eq!(
        [opened(NINE + skew + 1), opened(NINE - 31 * DAY - 1)],
        ["bad_value received_at"; 2]
    );

    let stock = json!({ "stock": [
        { "sku_id": "s", "qty": 1, "counted_at": NINE },
        { "sku_id": "s", "qty": 1, "counted_at": NINE + DAY },
    ] });
    let collected = with(least("visit.info_collected"), stock);
    assert_eq!(
        verdict(Topic::Visits, &collected),
        "bad_value stock[1].counted_at"
    );

    let listed = with(
        least("price.list_set"),
        json!({ "valid_from": NINE + 90 * DAY, "valid_to": NINE + 900 * DAY }),
    );
    assert_eq!(verdict(Topic::Prices, &listed), "accepted");
    let promised = with(least("promise.made"), json!({ "due_at": NINE - 90 * DAY }));
    assert_eq!(verdict(Topic::Complaints, &promised), "accepted");
}

/// Observed and announced instants, by their names in the contract and the domain.
#[test]
fn k04_every_instant_of_every_type_is_checked_by_its_rule() {
    const OBSERVED: [&str; 11] = [
        "call_ended_at",
        "completed_at",
        "ended_at",
        "initiated_at",
        "kept_at",
        "learned_at",
        "message_at",
        "observed_at",
        "received_at",
        "replied_at",
        "updated_at",
    ];
    const ANNOUNCED: [&str; 10] = [
        "due_at",
        "end",
        "eta_at",
        "next_due_at",
        "promised_delivery_at",
        "start",
        "valid_from",
        "valid_to",
        "window_end",
        "window_start",
    ];
    let skew = Limits::default().max_future_skew.as_ms();
    let (near, far) = (
        [NINE + skew, NINE - 31 * DAY],
        [NINE + skew + 1, NINE - 31 * DAY - 1],
    );
    let mut met = std::collections::BTreeSet::new();
    for event_type in event_types() {
        for name in event_type.fields.iter().map(|one| one.field) {
            let said = |at: i64| {
                let text = with(least(event_type.name), json!({ name: at }));
                verdict(event_type.topic, &text)
            };
            let is_observed = OBSERVED.contains(&name);
            if !is_observed && !ANNOUNCED.contains(&name) {
                continue;
            }
            met.insert(name);
            assert_eq!(near.map(said), ["accepted"; 2], "{name}");
            let expected = if is_observed {
                format!("bad_value {name}")
            } else {
                "accepted".to_owned()
            };
            assert_eq!(far.map(said), [expected.clone(), expected], "{name}");
        }
    }
    assert!(
        OBSERVED
            .iter()
            .chain(&ANNOUNCED)
            .all(|name| met.contains(name))
    );
}
