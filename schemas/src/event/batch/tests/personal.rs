//! K28, K29, K46: what of a text is stored, and in which columns members of staff stand.

use super::*;
use crate::event::samples::find;
use crate::event::{EventType, FieldKind, envelope};

/// What a person might type anywhere: with spaces, as a number alone, as a name alone, longer than any code.
fn canaries() -> [String; 5] {
    let name_and_phone = "王小明 13800138000";
    [
        name_and_phone.to_owned(),
        "13800138000".to_owned(),
        "Wang Xiaoming".to_owned(),
        "O'Neill,Anne".to_owned(),
        "Wang".repeat(17),
    ]
}

/// Ids are stored whatever they are (K42), and so is what is compared with them.
fn is_id(kind: FieldKind, name: &str) -> bool {
    let is_id = matches!(
        kind,
        FieldKind::Id | FieldKind::StaffId | FieldKind::EventId | FieldKind::Ids
    );
    let is_named_so = name.ends_with("_id") || name.ends_with("_ids");
    assert_eq!(
        is_id,
        is_named_so || ["corrects", "base_ref"].contains(&name),
        "{name}"
    );
    is_id
}

/// The value with the canary instead of every text that may be one; `None` for kinds without free choice.
fn infected(kind: FieldKind, name: &str, canary: &str) -> Option<Value> {
    match kind {
        _ if is_id(kind, name) => None,
        FieldKind::Code | FieldKind::RegionCode | FieldKind::Enum(_) | FieldKind::FreeText => {
            Some(json!(canary))
        }
        FieldKind::Codes => Some(json!([canary, "A", canary])),
        FieldKind::List(items) => {
            let mut item = crate::event::samples::good(kind)[0].clone();
            for field in items {
                if let Some(value) = infected(field.kind, field.name, canary) {
                    item[field.name] = value;
                }
            }
            Some(json!([item, item]))
        }
        _ => None,
    }
}

fn all_fields(event_type: &EventType) -> impl Iterator<Item = &'static str> {
    let own = event_type.fields.iter().map(|one| one.field);
    envelope::FIELDS.iter().map(|field| field.name).chain(own)
}

#[test]
fn k28_k29_k46_no_text_that_a_person_typed_reaches_a_column() {
    let mut texts = 0;
    for canary in canaries() {
        for event_type in event_types() {
            let mut event = full(event_type.name);
            for name in all_fields(event_type) {
                let kind = find(event_type.topic, name).kind;
                if let Some(value) = infected(kind, name, &canary) {
                    event[name] = value;
                    texts += 1;
                }
            }
            event["no_field_of_any_type"] = json!(canary);
            let stored = format!("{:?}", batch_of(event_type.topic, &[event]));
            assert!(
                !stored.contains(&canary),
                "{} {canary}: {stored}",
                event_type.name
            );
        }
    }
    assert!(texts > 1_000, "{texts}");
}

#[test]
fn k29_the_text_of_an_unknown_name_is_kept_beside_it_if_it_is_a_code() {
    let longest = format!("A{}", "_".repeat(31));
    let too_long = format!("{longest}_");
    let cases: [(&str, Option<&str>); 10] = [
        ("BY_PIGEON", Some("BY_PIGEON")),
        ("A", Some("A")),
        (&longest, Some(&longest)),
        (&too_long, None),
        ("by_pigeon", None),
        ("1ST", None),
        ("_A", None),
        ("BY PIGEON", None),
        ("鸽子", None),
        ("", None),
    ];
    for (text, kept) in cases {
        let mut order = least("order.placed");
        order["channel"] = json!(text);
        let mut checked = least("visit.class_checked");
        checked["dimensions"] = json!([{ "dimension": "CLASS" }, { "dimension": text }]);
        let orders = batch_of(Topic::Orders, &[order]);
        assert_eq!(texts(&orders, "channel"), [some("UNKNOWN")], "{text}");
        assert_eq!(
            texts(&orders, "channel_raw"),
            [kept.map(str::to_owned)],
            "{text}"
        );
        let visits = batch_of(Topic::Visits, &[checked]);
        let items = visits["dimensions"].as_list::<i32>().value(0);
        let items = items.as_struct();
        let column = |name: &str| {
            let column = items[name].as_string::<i32>().iter();
            column
                .map(|text| text.map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            column("dimension"),
            [some("CLASS"), some("UNKNOWN")],
            "{text}"
        );
        assert_eq!(
            column("dimension_raw"),
            [None, kept.map(str::to_owned)],
            "{text}"
        );
    }
    // A name of the list, and UNKNOWN itself, leave nothing beside them.
    let mut order = least("order.placed");
    order["order_kind"] = json!("UNKNOWN");
    order["channel"] = json!("PHONE");
    let batch = batch_of(Topic::Orders, &[order]);
    assert_eq!(texts(&batch, "order_kind"), [some("UNKNOWN")]);
    assert_eq!(
        [
            texts(&batch, "order_kind_raw"),
            texts(&batch, "channel_raw")
        ],
        [[None], [None]]
    );
}

#[test]
fn k29_every_enum_has_a_column_for_its_unknown_names() {
    for topic in Topic::ALL {
        let schema = arrow_schema(topic);
        for field in fields(topic) {
            let raw = format!("{}_raw", field.column());
            let is_enum = matches!(field.kind, FieldKind::Enum(_));
            assert_eq!(schema.column_with_name(&raw).is_some(), is_enum, "{raw}");
        }
    }
}

#[test]
fn k29_k46_a_text_is_stored_if_it_is_a_code_and_else_that_there_was_one() {
    let longest = format!("a{}", ":".repeat(63));
    let codes = ["POS", "a", "Brand.1_x-2:y", &longest];
    let too_long = format!("{longest}x");
    let others = [
        "",
        "两 字",
        "1a",
        "13800138000",
        "_a",
        "a b",
        "a|b",
        &too_long,
    ];
    let columns = [
        ("visit.training_held", "topic"),
        ("price.competitor_observed", "product_text"),
        ("price.list_set", "doc_ref"),
        ("case.cause_analysed", "root_cause"),
        ("case.cause_analysed", "nature"),
        ("case.opened", "problem_nature"),
        ("case.relayed", "to_unit"),
        ("survey.sent", "survey_tool"),
        ("visit.appraisal_recorded", "item"),
    ];
    for (name, column) in columns {
        let stored = |text: &str| {
            let mut event = least(name);
            event[column] = json!(text);
            texts(
                &batch_of(crate::event::samples::event_type(name).topic, &[event]),
                column,
            )
        };
        for text in codes {
            assert_eq!(stored(text), [some(text)], "{column}");
        }
        for text in others {
            assert_eq!(stored(text), [some("UNKNOWN")], "{column} {text}");
        }
    }
    let mut changed = least("visit.customer_info_changed");
    changed["fields"] = json!(["order_weekdays", "his name is 王小明", ""]);
    let batch = batch_of(Topic::Visits, &[changed]);
    let items = batch["fields"].as_list::<i32>().value(0);
    let items: Vec<_> = items.as_string::<i32>().iter().flatten().collect();
    assert_eq!(items, ["order_weekdays", "UNKNOWN", "UNKNOWN"]);
    let mut completed = least("visit.completed");
    completed["competitor"] = json!([{ "brand": "王小明" }, { "brand": "Maotai" }]);
    let batch = batch_of(Topic::Visits, &[completed]);
    let items = batch["competitor"].as_list::<i32>().value(0);
    let brands: Vec<_> = items.as_struct()["brand"]
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(brands, ["UNKNOWN", "Maotai"]);
}

/// List prices are joined by region, and administrative divisions are written as six digits.
#[test]
fn k46_a_region_may_be_a_division_of_six_digits() {
    for (text, stored) in [
        ("530100", "530100"),
        ("ALL", "ALL"),
        ("53010", "UNKNOWN"),
        ("5301001", "UNKNOWN"),
        ("13800138000", "UNKNOWN"),
        ("昆明市", "UNKNOWN"),
    ] {
        let mut listed = least("price.list_set");
        listed["region_code"] = json!(text);
        assert_eq!(
            texts(&batch_of(Topic::Prices, &[listed]), "region_code"),
            [some(stored)],
            "{text}"
        );
    }
}

#[test]
fn k28_ids_of_staff_are_stored_in_columns_of_class_s() {
    let mut notified = full("case.dept_notified");
    notified["resolver_id"] = json!("S 9");
    notified["actor_id"] = json!("S7");
    let batch = batch_of(Topic::Complaints, &[notified, least("case.dept_notified")]);
    assert_eq!(texts(&batch, "resolver_id"), [some("S 9"), None]);
    assert_eq!(texts(&batch, "actor_id"), [some("S7"), None]);

    let restricted = |topic: Topic| {
        let schema = arrow_schema(topic);
        let mut found = Vec::new();
        for column in schema.fields() {
            let items = match column.data_type() {
                DataType::List(item) => match item.data_type() {
                    DataType::Struct(items) => items.clone(),
                    _ => Default::default(),
                },
                _ => Default::default(),
            };
            for column in items.iter().chain([column]) {
                let metadata = column.metadata();
                let is_said = metadata["comment"].starts_with("Restricted, class S: ");
                assert_eq!(
                    metadata.get("class").map(String::as_str),
                    is_said.then_some("S")
                );
                if is_said {
                    found.push(column.name().clone());
                }
            }
        }
        found
    };
    assert_eq!(restricted(Topic::Orders), ["actor_id"]);
    // The scope of an event about a member of staff is that member.
    assert_eq!(
        restricted(Topic::Visits),
        ["actor_id", "staff_id", "visitor_id", "scope"]
    );
    assert_eq!(
        restricted(Topic::Complaints),
        [
            "actor_id",
            "complained_staff_id",
            "resolver_id",
            "named_staff_id"
        ]
    );
    assert_eq!(restricted(Topic::Prices), ["actor_id"]);
}

#[test]
fn p7_free_text_is_stored_as_its_length_and_a_problem_to_the_minute() {
    let secret = "王小明 13800138000";
    let mut opened = full("case.opened");
    opened["free_text"] = json!(secret);
    opened["problem_time"] = json!(NINE + 59_999);
    let mut answered = least("survey.answered");
    answered["answers"] = json!([{ "question_id": "Q7", "text": secret }]);
    let batch = batch_of(Topic::Complaints, &[opened, answered]);
    let length = |column: &dyn Array| column.as_primitive::<Int32Type>().value(0);
    assert_eq!(length(&batch["free_text_chars"]), 15);
    let minute = batch["problem_time"].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(minute.value(0), NINE * 1000);
    let answers = batch["answers"].as_list::<i32>().value(1);
    let answers = answers.as_struct();
    assert_eq!(length(&answers["text_chars"]), 15);
    assert!(answers["score"].as_primitive::<Int16Type>().is_null(0));
}
