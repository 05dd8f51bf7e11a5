#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::event::event_types;
use crate::event::samples::{NINE, find, full, good, least};

const DAY: i64 = 24 * 3_600_000;

fn decode_text(topic: Topic, text: &str) -> Result<Event<'_>, Rejection> {
    decode(topic, Some(text.as_bytes()), &Limits::default())
}

/// Reason and path, `bad_value lines[0].sku_id`, or `accepted`.
fn verdict(topic: Topic, text: &str) -> String {
    match decode_text(topic, text) {
        Ok(_) => "accepted".to_owned(),
        Err(Rejection { reason, path }) => format!("{reason} {path}").trim_end().to_owned(),
    }
}

fn with(mut event: Value, changes: Value) -> String {
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string()
}

fn without(mut event: Value, names: &[&str]) -> String {
    for name in names {
        event.as_object_mut().unwrap().remove(*name);
    }
    event.to_string()
}

/// The least order, changed.
fn placed(changes: Value) -> String {
    with(least("order.placed"), changes)
}

fn check(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        assert_eq!(verdict(Topic::Orders, text), *expected, "{text}");
    }
}

#[test]
fn the_least_and_the_fullest_event_of_every_type_are_accepted() {
    for event_type in event_types() {
        for event in [least(event_type.name), full(event_type.name)] {
            assert_eq!(
                verdict(event_type.topic, &event.to_string()),
                "accepted",
                "{event:#}"
            );
        }
    }
}

#[test]
fn k03_too_large_comes_before_everything_else() {
    let limits = Limits {
        max_record_bytes: 16,
        ..Limits::default()
    };
    let reason = |payload: &[u8]| {
        decode(Topic::Orders, Some(payload), &limits)
            .unwrap_err()
            .reason
    };
    assert_eq!(reason(&[0xff; 17]), Reason::TooLarge);
    assert_eq!(reason(&[0xff; 16]), Reason::InvalidUtf8);
    let ten_megabytes = format!("{{\"event_id\":\"{}\"}}", "x".repeat(10 << 20));
    assert_eq!(verdict(Topic::Orders, &ten_megabytes), "too_large");
}

#[test]
fn k03_tombstone_is_a_null_payload_or_the_literal() {
    let reason = |payload| {
        decode(Topic::Visits, payload, &Limits::default())
            .unwrap_err()
            .reason
    };
    assert_eq!(reason(None), Reason::Tombstone);
    assert_eq!(reason(Some(b"null")), Reason::Tombstone);
    assert_eq!(reason(Some(b" null\r\n")), Reason::Tombstone);
    assert_eq!(reason(Some(b"nul")), Reason::MalformedJson);
    assert_eq!(
        reason(Some(b"")),
        Reason::MalformedJson,
        "an empty line (K2)"
    );
}

#[test]
fn k03_malformed_json() {
    let good = placed(json!({}));
    let inside = |fragment: &str| good.replacen('{', &format!("{{{fragment},"), 1);
    let cases = [
        good.clone() + "x",
        good.clone() + &good,
        format!("[{good}]"),
        "\"text\"".to_owned(),
        "12".to_owned(),
        "NaN".to_owned(),
        "{}}".to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("\u{feff}{good}"),
        inside("\"a\":NaN"),
        inside("\"a\":Infinity"),
        inside("\"a\":01"),
        inside("\"a\":'x'"),
        inside("\"a\":\"\\x\""),
        inside("\"a\":\"\\ud800\""),
        inside("\"a\":\"\n\""),
        inside("\"a\":1,"),
        inside("\"a\":1e999"),
        inside("\"event_id\":\"twice\""),
        inside("\"order_id\":{\"a\":1,\"a\":2}"),
        inside("\"unread\":1,\"unread\":1"),
        inside("\"unread\":[{\"a\":{\"b\":1,\"\\u0062\":2}}]"),
        inside("\"order_kind\":[{\"a\":1,\"a\":1}]"),
    ];
    for text in cases {
        assert_eq!(verdict(Topic::Orders, &text), "malformed_json", "{text}");
    }
    let line_twice = good.replacen("\"line_no\"", "\"sku_id\":\"again\",\"line_no\"", 1);
    assert_eq!(verdict(Topic::Orders, &line_twice), "malformed_json");
}

#[test]
fn k03_a_key_twice_is_found_among_thousands() {
    let keys: Vec<String> = (0..5_000).map(|key| format!("\"k{key}\":0")).collect();
    let good = placed(json!({}));
    let object =
        |keys: &[String]| good.replacen('{', &format!("{{\"unread\":{{{}}},", keys.join(",")), 1);
    assert_eq!(verdict(Topic::Orders, &object(&keys)), "accepted");
    for twice in [0, 20, 4_999] {
        let mut more = keys.clone();
        more.push(keys[twice].clone());
        assert_eq!(
            verdict(Topic::Orders, &object(&more)),
            "malformed_json",
            "k{twice}"
        );
    }
}

#[test]
fn k03_deep_nesting_is_malformed_and_no_stack_overflow() {
    let nested = |depth: usize| {
        let value = "[".repeat(depth) + &"]".repeat(depth);
        placed(json!({})).replacen('{', &format!("{{\"unread\":{value},"), 1)
    };
    assert_eq!(verdict(Topic::Orders, &nested(100)), "accepted");
    assert_eq!(verdict(Topic::Orders, &nested(100_000)), "malformed_json");
    let objects = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    assert_eq!(verdict(Topic::Orders, &objects), "malformed_json");
}

#[test]
fn k03_missing_fields_of_the_envelope_come_first() {
    for name in envelope::REQUIRED {
        for text in [
            without(least("order.placed"), &[name]),
            placed(json!({ name: null })),
        ] {
            assert_eq!(
                verdict(Topic::Orders, &text),
                format!("missing_field {name}")
            );
        }
    }
    check(&[
        ("{}".to_owned(), "missing_field event_id"),
        (
            without(with_value(json!({ "schema_version": 2 })), &["recorded_at"]),
            "missing_field recorded_at",
        ),
        (
            without(with_value(json!({ "event_type": 5 })), &["occurred_at"]),
            "missing_field occurred_at",
        ),
    ]);
}

fn with_value(changes: Value) -> Value {
    serde_json::from_str(&placed(changes)).unwrap()
}

#[test]
fn k03_version_then_type_then_fields_of_the_type_then_values() {
    check(&[
        (
            placed(json!({ "schema_version": 2, "event_type": "order.eaten", "lines": 1 })),
            "unsupported_schema_version schema_version",
        ),
        (
            placed(json!({ "schema_version": -1 })),
            "unsupported_schema_version schema_version",
        ),
        (
            placed(json!({ "schema_version": 70_000 })),
            "unsupported_schema_version schema_version",
        ),
        (
            placed(json!({ "schema_version": u64::MAX })),
            "unsupported_schema_version schema_version",
        ),
        (
            placed(json!({ "event_type": "order.eaten", "customer_id": null, "occurred_at": "x" })),
            "unknown_event_type event_type",
        ),
        (
            placed(json!({ "event_type": "visit.planned" })),
            "unknown_event_type event_type",
        ),
        (
            placed(json!({ "event_type": "" })),
            "unknown_event_type event_type",
        ),
        (
            placed(json!({ "customer_id": null, "occurred_at": "x" })),
            "missing_field customer_id",
        ),
        (
            placed(json!({ "occurred_at": "x", "order_id": null })),
            "missing_field order_id",
        ),
        (
            placed(json!({ "occurred_at": "x", "order_id": 5 })),
            "bad_value occurred_at",
        ),
        // Of the wrong type they are no version and no type, so only `bad_value` is left.
        (
            placed(json!({ "schema_version": "1" })),
            "bad_value schema_version",
        ),
        (
            placed(json!({ "schema_version": 1.0 })),
            "bad_value schema_version",
        ),
        (
            placed(json!({ "event_type": 5, "order_id": null })),
            "bad_value event_type",
        ),
    ]);
}

#[test]
fn contract_3_every_required_field_is_missed() {
    for event_type in event_types() {
        let own = event_type
            .fields
            .iter()
            .filter(|one| one.required)
            .map(|one| one.field);
        for name in own.chain(event_type.key.field()) {
            let text = without(least(event_type.name), &[name]);
            let expected = format!("missing_field {name}");
            assert_eq!(verdict(event_type.topic, &text), expected, "{text}");
        }
        for list in event_type.fields {
            for item in list.items {
                let mut event = full(event_type.name);
                event[list.field][1].as_object_mut().unwrap().remove(*item);
                let expected = format!("missing_field {}[1].{item}", list.field);
                assert_eq!(
                    verdict(event_type.topic, &event.to_string()),
                    expected,
                    "{event}"
                );
            }
        }
    }
}

#[test]
fn contract_3_what_is_required_is_what_the_contract_lists() {
    let required = |name: &str| {
        let listed = crate::event::samples::event_type(name).fields.iter();
        let one = listed.filter(|one| one.required).map(|one| {
            let items = if one.items.is_empty() {
                String::new()
            } else {
                format!("[{}]", one.items.join(" "))
            };
            format!("{}{items}", one.field)
        });
        one.collect::<Vec<_>>().join(" ")
    };
    let contract = [
        (
            "order.placed",
            "order_id lines[line_no sku_id requested_qty]",
        ),
        (
            "order.amended",
            "order_id lines[line_no sku_id requested_qty]",
        ),
        (
            "order.allocated",
            "order_id lines[line_no sku_id allocated_qty]",
        ),
        (
            "order.delivered",
            "order_id lines[line_no sku_id delivered_qty]",
        ),
        (
            "order.returned",
            "order_id lines[line_no sku_id returned_qty]",
        ),
        (
            "order.exchanged",
            "order_id lines[line_no sku_id returned_qty]",
        ),
        ("order.refunded", "order_id"),
        ("order.settled", "settlement_id order_id amount_fen result"),
        ("order.payment_due", "order_id amount_fen due_date"),
        ("order.payment_received", "order_id amount_fen received_at"),
        ("visit.planned", "visit_id window_start window_end"),
        ("visit.rescheduled", "visit_id"),
        ("visit.completed", "visit_id"),
        (
            "visit.plan_submitted",
            "plan_id plan_month plan_kind planned_count",
        ),
        ("visit.info_collected", "collection_id"),
        ("visit.class_checked", "check_id"),
        ("visit.customer_info_updated", "change_id"),
        ("visit.relationship_assessed", "assessment_id"),
        ("visit.appraisal_recorded", "month item score_bp"),
        ("case.opened", "case_id case_kind received_at"),
        ("case.call_ended", "case_id call_ended_at"),
        ("promise.made", "promise_id case_id due_at"),
        ("promise.kept", "promise_id case_id kept_at"),
        (
            "callback.attempted",
            "callback_id base base_ref ordinal outcome",
        ),
        ("callback.issue_found", "issue_id"),
        ("survey.sent", "survey_id"),
        ("survey.answered", "survey_id answers[question_id]"),
        ("im.received", "conversation_id"),
        ("contact.outbound", ""),
        ("day.closed", "date"),
        ("price.list_set", "sku_id price_type price_fen valid_from"),
        ("price.observed", "customer_id sku_id price_fen observed_at"),
        ("price.tag_checked", "customer_id sku_id tag_present"),
        ("price.promotion_set", "promotion_id sku_id start end"),
    ];
    for (name, expected) in contract {
        assert_eq!(required(name), expected, "{name}");
    }
}

#[test]
fn an_empty_list_is_missing_where_it_must_not_be_empty() {
    check(&[(placed(json!({ "lines": [] })), "missing_field lines")]);
    let answered = with(least("survey.answered"), json!({ "answers": [] }));
    assert_eq!(verdict(Topic::Complaints, &answered), "accepted");
    let collected = with(least("visit.info_collected"), json!({ "stock": [] }));
    assert_eq!(verdict(Topic::Visits, &collected), "accepted");
}

#[test]
fn k04_every_field_of_every_type_refuses_the_wrong_type() {
    for event_type in event_types() {
        let own = event_type.fields.iter().map(|one| one.field);
        for name in envelope::FIELDS.iter().map(|field| field.name).chain(own) {
            let wrong: &[Value] = match find(event_type.topic, name).kind {
                Kind::Bool => &[json!(1), json!("true"), json!([]), json!({})],
                Kind::Texts | Kind::List(_) => {
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
fn k04_values_out_of_range() {
    let line = |name: &str, value: Value| {
        let mut line = json!({ "line_no": 1, "sku_id": "s", "requested_qty": 1 });
        line[name] = value;
        placed(json!({ "lines": [line] }))
    };
    check(&[
        (line("requested_qty", json!(0)), "accepted"),
        (line("requested_qty", json!(i64::MAX)), "accepted"),
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
        (placed(json!({ "event_id": "" })), "bad_value event_id"),
        (placed(json!({ "event_id": "é".repeat(32) })), "accepted"),
        (
            placed(json!({ "event_id": "é".repeat(32) + "x" })),
            "bad_value event_id",
        ),
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
    let collected = |week: &str| {
        let text = with(least("visit.info_collected"), json!({ "iso_week": week }));
        verdict(Topic::Visits, &text)
    };
    assert_eq!(
        [collected("2025-W02"), collected("2026-W53")],
        ["accepted"; 2]
    );
    for week in ["2025-W53", "2025-W00", "2025W02", "2025-02", "2025-w02"] {
        assert_eq!(collected(week), "bad_value iso_week", "{week}");
    }
}

#[test]
fn k04_instants_lie_in_the_years_2000_to_9999() {
    check(&[
        (
            placed(json!({ "occurred_at": 946_684_800_000_i64 })),
            "accepted",
        ),
        (
            placed(json!({ "occurred_at": 946_684_799_999_i64 })),
            "bad_value occurred_at",
        ),
        (
            placed(json!({ "occurred_at": 253_402_300_799_999_i64 })),
            "accepted",
        ),
        (
            placed(json!({ "occurred_at": 253_402_300_800_000_i64 })),
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
    let skew = Limits::default().max_future_skew_ms;
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

#[test]
fn fields_of_other_types_are_not_looked_at() {
    check(&[
        (
            placed(json!({ "amount_fen": "a lot", "received_at": -1, "nonsense": [{}] })),
            "accepted",
        ),
        (
            placed(json!({ "order_kind": null, "source": null })),
            "accepted",
        ),
    ]);
    let text = placed(json!({ "amount_fen": 5, "received_at": NINE }));
    let event = decode_text(Topic::Orders, &text).unwrap();
    let amount = event.layout.object.find("amount_fen").unwrap();
    assert!(!event.slots.has(amount));
}

#[test]
fn the_order_of_keys_and_escapes_make_no_difference() {
    let text = r#"{"lines":[{"requested_qty":3,"sku_id":"s\"\u4e2d","line_no":1}],"order_id":"o","\u0063ustomer_id":"c\/1",
        "recorded_at":1767661201000,"occurred_at":1767661200000,"schema_version":1,"event_type":"order.placed",
        "event_id":"a\tb","corrects":"e-0"}"#;
    let event = decode_text(Topic::Orders, text).unwrap();
    assert_eq!(event.event_id(), "a\tb");
    assert_eq!(event.event_type(), "order.placed");
    assert_eq!(event.key(), Some("c/1"));
    assert_eq!(event.corrects(), Some("e-0"));
    assert_eq!(
        (event.occurred_at_ms(), event.recorded_at_ms()),
        (NINE, NINE + 1_000)
    );
}

#[test]
fn k23_key_and_scope_of_each_kind_of_event() {
    let ids = |name: &str, changes: Value| {
        let text = with(least(name), changes);
        let topic = crate::event::samples::event_type(name).topic;
        let event = decode_text(topic, &text).unwrap();
        (
            event.key().map(str::to_owned),
            event.scope().map(str::to_owned),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ids("order.placed", json!({})), (some("k-1"), some("k-1")));
    assert_eq!(
        ids("visit.day_signed_in", json!({})),
        (some("k-1"), some("k-1"))
    );
    assert_eq!(
        ids("day.closed", json!({ "unit_id": "u" })),
        (some("u"), some("u"))
    );
    assert_eq!(
        ids("price.list_set", json!({ "sku_id": "s" })),
        (None, some("s"))
    );
    assert_eq!(
        ids("price.observed", json!({ "customer_id": "c" })),
        (None, some("c"))
    );
    assert_eq!(ids("price.competitor_observed", json!({})), (None, None));
}
