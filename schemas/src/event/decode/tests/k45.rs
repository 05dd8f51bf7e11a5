//! K45: integers, versions, levels, the year 0000.

use super::*;

/// The smallest order, with `quantity` as it stands in the text.
fn of_quantity(quantity: &str) -> String {
    placed(json!({})).replace(
        "\"requested_qty\":7",
        &format!("\"requested_qty\":{quantity}"),
    )
}

fn with_version(version: &str) -> String {
    placed(json!({})).replace(
        "\"schema_version\":1",
        &format!("\"schema_version\":{version}"),
    )
}

#[test]
fn k45_an_integer_is_written_without_fraction_and_exponent() {
    let bad = "bad_value lines[0].requested_qty";
    let huge = "9".repeat(400);
    let cases = [
        ("0", "accepted"),
        ("-0", "accepted"),
        ("100000000", "accepted"),
        ("1.0", bad),
        ("-0.0", bad),
        ("1e0", bad),
        ("1E2", bad),
        ("1e999", bad),
        ("-1e999", bad),
        ("9223372036854775807", bad),
        ("9223372036854775808", bad),
        ("18446744073709551616", bad),
        (&huge, bad),
        ("1.", "malformed_json"),
        ("01", "malformed_json"),
        ("0x1", "malformed_json"),
        ("NaN", "malformed_json"),
    ];
    for (quantity, expected) in cases {
        let text = of_quantity(quantity);
        assert!(text.contains(quantity));
        assert_eq!(verdict(Topic::Orders, &text), expected, "{quantity}");
    }
    let minus_zero = of_quantity("-0");
    let event = decode_text(Topic::Orders, &minus_zero).unwrap();
    let lines = event.layout.object.find("lines").unwrap();
    let Some(Slot::Rows(rows)) = event.slots.get(lines) else {
        panic!("no lines");
    };
    let items = event.layout.object.fields[usize::from(lines)]
        .items
        .as_ref()
        .unwrap();
    let quantity = items.find("requested_qty").unwrap();
    assert_eq!(rows[0].as_ref().unwrap().int(quantity), Some(0));
}

#[test]
fn k45_numbers_in_fields_that_nobody_reads_are_nothing() {
    let huge = "9".repeat(400);
    for number in ["1e999", "-1e999", "0.1e-999", "18446744073709551616", &huge] {
        for fragment in [
            format!("\"unread\":{number}"),
            format!("\"unread\":[{{\"a\":{number}}}]"),
            // Of another event type.
            format!("\"amount_fen\":{number}"),
        ] {
            let text = placed(json!({})).replacen('{', &format!("{{{fragment},"), 1);
            assert_eq!(verdict(Topic::Orders, &text), "accepted", "{fragment}");
        }
    }
}

#[test]
fn k45_any_other_version_is_unsupported_however_large() {
    let unsupported = "unsupported_schema_version schema_version";
    let huge = "9".repeat(400);
    for version in [
        "0",
        "-0",
        "2",
        "-1",
        "65536",
        "18446744073709551616",
        "1000000000000000000000000000000",
        &huge,
    ] {
        assert_eq!(
            verdict(Topic::Orders, &with_version(version)),
            unsupported,
            "{version}"
        );
    }
    for version in ["1.0", "1e0", "1e30", "\"1\"", "true"] {
        let expected = "bad_value schema_version";
        assert_eq!(
            verdict(Topic::Orders, &with_version(version)),
            expected,
            "{version}"
        );
    }
}

#[test]
fn k45_more_than_128_levels_are_malformed() {
    // The record is the first level.
    let nested = |levels: usize| {
        let value = "[".repeat(levels - 1) + &"]".repeat(levels - 1);
        placed(json!({})).replacen('{', &format!("{{\"unread\":{value},"), 1)
    };
    assert_eq!(verdict(Topic::Orders, &nested(128)), "accepted");
    assert_eq!(verdict(Topic::Orders, &nested(129)), "malformed_json");
    // Also where a field is read, and before any missing field.
    let kind = format!(
        "{{\"order_kind\":{}1{}}}",
        "{\"a\":".repeat(128),
        "}".repeat(128)
    );
    assert_eq!(verdict(Topic::Orders, &kind), "malformed_json");
}

#[test]
fn k45_no_date_month_or_week_lies_in_the_year_0000() {
    let cycle = |date: &str| verdict(Topic::Orders, &placed(json!({ "order_cycle_date": date })));
    assert_eq!(cycle("0000-01-01"), "bad_value order_cycle_date");
    assert_eq!(cycle("0001-01-01"), "accepted");
    let planned = with(
        least("visit.plan_submitted"),
        json!({ "plan_month": "0000-12" }),
    );
    assert_eq!(verdict(Topic::Visits, &planned), "bad_value plan_month");
    let collected = with(
        least("visit.info_collected"),
        json!({ "iso_week": "0000-W01" }),
    );
    assert_eq!(verdict(Topic::Visits, &collected), "bad_value iso_week");
}
