//! K21: the text of a week, and of an event's id.

use super::*;

#[test]
fn k21_a_week_is_written_as_2025_w02_and_exists() {
    let collected = |week: Value| {
        let text = with(least("visit.info_collected"), json!({ "iso_week": week }));
        verdict(Topic::Visits, &text)
    };
    // 2026 has 53 weeks, 2025 has 52.
    for week in ["2025-W02", "2025-W52", "2026-W53"] {
        assert_eq!(collected(json!(week)), "accepted", "{week}");
    }
    for week in [
        "2025-W53",
        "2025-W00",
        "2025-W2",
        "2025W02",
        "2025-02",
        "2025-w02",
        "W02-2025",
        "25-W02",
        "2025-W02-1",
        " 2025-W02",
        "",
    ] {
        assert_eq!(collected(json!(week)), "bad_value iso_week", "{week}");
    }
    assert_eq!(collected(json!(202_502)), "bad_value iso_week");
}

#[test]
fn k21_an_event_id_is_any_text_of_1_to_64_bytes() {
    let placed_with = |event_id: &str| {
        let text = placed(json!({ "event_id": event_id }));
        let id = decode_text(Topic::Orders, &text).map(|event| event.event_id().to_owned());
        id.map_err(|rejection| format!("{} {}", rejection.reason, rejection.path))
    };
    // Bytes count, not characters, and none is special.
    let accepted = [
        "x",
        " ",
        "\u{0}",
        "a\tb\n\"c\"",
        "é",
        "订单-1",
        &"x".repeat(64),
        &"é".repeat(32),
        &"订".repeat(21),
    ];
    for event_id in accepted {
        assert_eq!(placed_with(event_id), Ok(event_id.to_owned()));
    }
    let refused = [
        String::new(),
        "x".repeat(65),
        "é".repeat(32) + "x",
        "订".repeat(22),
    ];
    for event_id in refused {
        let expected = Err("bad_value event_id".to_owned());
        assert_eq!(placed_with(&event_id), expected, "{event_id}");
    }
    // Escapes are another way of writing the same 64 bytes.
    let escaped = placed(json!({ "event_id": "ID" }))
        .replace("\"ID\"", &format!("\"{}\"", "\\u0041".repeat(64)));
    assert_eq!(verdict(Topic::Orders, &escaped), "accepted");
}
