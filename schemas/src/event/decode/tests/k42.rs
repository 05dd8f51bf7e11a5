//! K42: what an id is.

use super::*;
use crate::event::samples::{find, good};
use crate::event::{Field, FieldKind, event_types};

/// A valid value of a list, with this id in its first item.
fn list_with(items: &'static [Field], name: &str, id: &str) -> Value {
    let mut list = good(FieldKind::List(items));
    list[0][name] = json!(id);
    list
}

#[test]
fn k42_every_field_whose_name_ends_in_id_is_an_id() {
    let too_long = "é".repeat(128) + "x";
    let longest = "é".repeat(128);
    let good_ids = ["x", " ", "a|b%", "订单-1", "\u{202e}txet", &longest];
    let bad_ids = [
        "",
        &too_long,
        "a\nb",
        "\u{0}",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{85}",
    ];
    let mut met = std::collections::BTreeSet::new();
    for event_type in event_types() {
        let said = |name: &str, value: &Value| {
            let text = with(least(event_type.name), json!({ name: value }));
            verdict(event_type.topic, &text)
        };
        let own = event_type.fields.iter().map(|one| one.field);
        let envelope = envelope::FIELDS.iter().map(|field| field.name);
        for name in own.chain(envelope).chain(event_type.key.field()) {
            match find(event_type.topic, name).kind {
                // K21: any text of 1-64 bytes.
                _ if name == "event_id" => {}
                _ if name.ends_with("_id") => {
                    met.insert(name);
                    for id in good_ids {
                        assert_eq!(said(name, &json!(id)), "accepted", "{name} {id:?}");
                    }
                    for id in bad_ids {
                        let expected = format!("bad_value {name}");
                        assert_eq!(said(name, &json!(id)), expected, "{name} {id:?}");
                    }
                }
                FieldKind::List(items) => {
                    for item in items
                        .iter()
                        .map(|item| item.name)
                        .filter(|item| item.ends_with("_id"))
                    {
                        met.insert(item);
                        for id in good_ids {
                            assert_eq!(
                                said(name, &list_with(items, item, id)),
                                "accepted",
                                "{name} {id:?}"
                            );
                        }
                        for id in bad_ids {
                            let expected = format!("bad_value {name}[0].{item}");
                            assert_eq!(
                                said(name, &list_with(items, item, id)),
                                expected,
                                "{name} {id:?}"
                            );
                        }
                    }
                }
                _ => {}
            }
        }
    }
    for name in [
        "trace_id",
        "actor_id",
        "resolver_id",
        "named_staff_id",
        "guidance_id",
        "conversation_id",
    ] {
        assert!(met.contains(name), "{name}");
    }
}

#[test]
fn k42_items_of_lists_of_ids_are_ids() {
    let planned = |ids: Value| {
        let text = with(
            least("visit.plan_submitted"),
            json!({ "customer_ids": ids }),
        );
        verdict(Topic::Visits, &text)
    };
    assert_eq!(planned(json!([])), "accepted");
    assert_eq!(planned(json!(["c|1", "x".repeat(256)])), "accepted");
    assert_eq!(planned(json!(["c", ""])), "bad_value customer_ids[1]");
    assert_eq!(
        planned(json!(["x".repeat(257)])),
        "bad_value customer_ids[0]"
    );
    assert_eq!(planned(json!(["a\tb"])), "bad_value customer_ids[0]");
    assert_eq!(planned(json!(["c", null])), "bad_value customer_ids[1]");
}

#[test]
fn k42_what_is_compared_with_ids_is_judged_as_they_are() {
    let called = |base_ref: &str| {
        let text = with(least("callback.attempted"), json!({ "base_ref": base_ref }));
        verdict(Topic::Complaints, &text)
    };
    assert_eq!(called(&"x".repeat(256)), "accepted");
    assert_eq!(called("K\u{1b}[31m"), "bad_value base_ref");
    // The `event_id` of another event (K21).
    let correcting = |id: &str| verdict(Topic::Orders, &placed(json!({ "corrects": id })));
    assert_eq!(
        [correcting("a\tb"), correcting(&"x".repeat(64))],
        ["accepted"; 2]
    );
    assert_eq!(
        [correcting(""), correcting(&"x".repeat(65))],
        ["bad_value corrects"; 2]
    );
}
