//! Types of visit events, and the fields that each uses.

use crate::event::Topic;
use crate::event::field::{EventType, FieldUse, Key, optional, required};

const fn visit(name: &'static str, doc: &'static str, fields: &'static [FieldUse]) -> EventType {
    EventType {
        name,
        topic: Topic::Visits,
        key: Key::Customer,
        doc,
        fields,
    }
}

const fn of_staff(name: &'static str, doc: &'static str, fields: &'static [FieldUse]) -> EventType {
    EventType {
        key: Key::Staff,
        ..visit(name, doc, fields)
    }
}

const VISIT_ID: FieldUse = required("visit_id");

const MOVED: &[FieldUse] = &[
    VISIT_ID,
    optional("reason"),
    optional("window_start"),
    optional("window_end"),
];

pub(in crate::event) const EVENT_TYPES: &[EventType] = &[
    of_staff(
        "visit.plan_submitted",
        "A month's plan was handed in.",
        &[
            required("plan_id"),
            required("plan_month"),
            required("plan_kind"),
            required("planned_count"),
            optional("customer_ids"),
            optional("revision"),
        ],
    ),
    visit(
        "visit.planned",
        "A visit was appointed.",
        &[
            VISIT_ID,
            required("window_start"),
            required("window_end"),
            optional("plan_id"),
            optional("visitor_id"),
            optional("purpose"),
            optional("place_kind"),
        ],
    ),
    visit("visit.rescheduled", "A visit was moved.", MOVED),
    visit("visit.cancelled", "A visit was called off.", MOVED),
    of_staff(
        "visit.day_signed_in",
        "A member of staff signed in for the day.",
        &[
            optional("line_kind"),
            optional("territory_id"),
            optional("recorded_by_role"),
        ],
    ),
    visit(
        "visit.started",
        "A visit began.",
        &[
            VISIT_ID,
            optional("visitor_id"),
            optional("in_territory"),
            optional("ride_along"),
        ],
    ),
    visit(
        "visit.completed",
        "A visit ended, with its results.",
        &[
            VISIT_ID,
            optional("ended_at"),
            optional("plan_item"),
            optional("result"),
            optional("problems_solved"),
            optional("problems_open"),
            optional("companions"),
            optional("guidance"),
            optional("feedback"),
            optional("needs"),
            optional("competitor"),
        ],
    ),
    visit(
        "visit.info_collected",
        "Stock and days out of stock were collected at a sample retailer.",
        &[
            required("collection_id"),
            optional("visit_id"),
            optional("iso_week"),
            optional("method"),
            optional("stock").each(&["sku_id", "qty", "counted_at"]),
            optional("stockout").each(&["sku_id", "days"]),
        ],
    ),
    visit(
        "visit.class_checked",
        "A retailer's classification was checked on the spot.",
        &[
            required("check_id"),
            optional("checker_role"),
            optional("dimensions"),
        ],
    ),
    visit(
        "visit.customer_info_changed",
        "A change of a customer's particulars became known.",
        &[
            required("change_id"),
            optional("learned_at"),
            optional("fields"),
        ],
    ),
    visit(
        "visit.customer_info_updated",
        "A customer's file was brought up to date.",
        &[required("change_id"), optional("updated_at")],
    ),
    visit(
        "visit.relationship_assessed",
        "The relationship with a key account was assessed.",
        &[
            required("assessment_id"),
            optional("items"),
            optional("advice"),
            optional("growth_rate_bp"),
            optional("credit_level"),
            optional("profit_rate_bp"),
            optional("rank"),
        ],
    ),
    visit(
        "visit.training_held",
        "A customer was trained.",
        &[
            optional("training_plan_id"),
            optional("topic"),
            optional("attended"),
        ],
    ),
    of_staff(
        "visit.appraisal_recorded",
        "An item of a month's appraisal was scored.",
        &[required("month"), required("item"), required("score_bp")],
    ),
];
