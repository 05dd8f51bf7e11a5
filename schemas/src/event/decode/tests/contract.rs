//! Contract 3: which fields are required, and that every event type is accepted.

use super::*;
use crate::event::event_types;
use crate::event::samples::full;

#[test]
fn every_type_is_accepted_with_required_fields_and_with_all_fields() {
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
fn contract_3_the_absence_of_a_required_field_is_found() {
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
fn contract_3_required_fields_are_those_of_the_contract() {
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
fn an_empty_list_is_a_missing_field_where_the_contract_requires_items() {
    check_all(&[(placed(json!({ "lines": [] })), "missing_field lines")]);
    let answered = with(least("survey.answered"), json!({ "answers": [] }));
    assert_eq!(verdict(Topic::Complaints, &answered), "accepted");
    let collected = with(least("visit.info_collected"), json!({ "stock": [] }));
    assert_eq!(verdict(Topic::Visits, &collected), "accepted");
}
