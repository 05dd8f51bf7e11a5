//! K3: one reason per record, the first that applies.

use super::*;

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
fn k03_a_repeated_key_is_found_among_thousands() {
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
    check_all(&[
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
    check_all(&[
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

/// Half a million items cost no more than a few times the size of the record.
#[test]
fn k03_a_megabyte_of_empty_items_is_rejected() {
    let many = |item: &str| {
        let list = vec![item; 200_000].join(",");
        placed(json!({ "lines": 0 })).replacen("\"lines\":0", &format!("\"lines\":[{list}]"), 1)
    };
    assert_eq!(
        verdict(Topic::Orders, &many("{}")),
        "missing_field lines[0].line_no"
    );
    assert_eq!(verdict(Topic::Orders, &many("1")), "bad_value lines[0]");
}
