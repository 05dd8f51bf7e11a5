//! Types of service events, and the fields that each uses.

use crate::event::Topic;
use crate::event::field::{EventType, FieldUse, Key, optional, required};

const fn service(name: &'static str, doc: &'static str, fields: &'static [FieldUse]) -> EventType {
    EventType {
        name,
        topic: Topic::Complaints,
        key: Key::Customer,
        doc,
        fields,
    }
}

const CASE_ID: FieldUse = required("case_id");

const ONLY_CASE: &[FieldUse] = &[CASE_ID];

const OUTCOME: &[FieldUse] = &[
    CASE_ID,
    optional("resolution_kind"),
    optional("customer_confirmed"),
];

const ISSUE: &[FieldUse] = &[
    required("issue_id"),
    optional("callback_id"),
    optional("case_id"),
    optional("solved"),
];

pub(in crate::event) const EVENT_TYPES: &[EventType] = &[
    service(
        "case.opened",
        "A service case was opened.",
        &[
            CASE_ID,
            required("case_kind"),
            required("received_at"),
            optional("channel"),
            optional("category"),
            optional("service_item"),
            optional("asker_kind"),
            optional("severity"),
            optional("sku_id"),
            optional("order_id"),
            optional("ring_count"),
            optional("answered"),
            optional("problem_nature"),
            optional("problem_region_code"),
            optional("problem_time"),
            optional("previous_case_id"),
            optional("complained_staff_id"),
            optional("free_text"),
        ],
    ),
    service(
        "case.call_ended",
        "The call about a case ended.",
        &[
            CASE_ID,
            required("call_ended_at"),
            optional("hold_ms"),
            optional("hold_consent"),
        ],
    ),
    service(
        "case.answered",
        "The question of a case was answered.",
        &[CASE_ID, optional("answered_by_role"), optional("at_once")],
    ),
    service(
        "promise.made",
        "A promise was made to a customer.",
        &[
            required("promise_id"),
            CASE_ID,
            required("due_at"),
            optional("promise_kind"),
        ],
    ),
    service(
        "promise.kept",
        "A promise was kept.",
        &[
            required("promise_id"),
            CASE_ID,
            required("kept_at"),
            optional("promise_kind"),
        ],
    ),
    service(
        "case.relayed",
        "A case was passed on to another unit.",
        &[
            CASE_ID,
            optional("from_unit"),
            optional("to_unit"),
            optional("relay_kind"),
        ],
    ),
    service(
        "case.transferred",
        "An enquiry went to the resource centre.",
        ONLY_CASE,
    ),
    service(
        "case.resource_replied",
        "The resource centre replied.",
        ONLY_CASE,
    ),
    service(
        "case.dept_notified",
        "The department responsible was told.",
        &[CASE_ID, optional("dept_unit_id"), optional("resolver_id")],
    ),
    service(
        "case.customer_informed",
        "The customer was told how things stand.",
        &[CASE_ID, optional("what")],
    ),
    service(
        "case.progress_checked",
        "The progress of a case was checked.",
        &[CASE_ID, optional("progress")],
    ),
    service(
        "case.escalated",
        "A case was escalated.",
        &[CASE_ID, optional("to_role")],
    ),
    service(
        "case.escalation_answered",
        "An escalation was answered.",
        &[CASE_ID, optional("to_role")],
    ),
    service("case.resolved", "A case was resolved.", OUTCOME),
    service("case.closed", "A case was closed.", OUTCOME),
    service("case.reopened", "A case was opened again.", OUTCOME),
    service(
        "case.repair_completed",
        "A repair was completed.",
        &[CASE_ID, optional("sku_id"), optional("completed_at")],
    ),
    service(
        "case.cause_analysed",
        "The cause of a case was found.",
        &[
            CASE_ID,
            optional("responsible_unit_id"),
            optional("nature"),
            optional("root_cause"),
            optional("improvement_id"),
        ],
    ),
    service(
        "callback.attempted",
        "A customer was called back.",
        &[
            required("callback_id"),
            required("base"),
            required("base_ref"),
            required("ordinal"),
            required("outcome"),
            optional("next_due_at"),
            optional("seconds_to_topic"),
            optional("usage_ok"),
            optional("satisfied"),
        ],
    ),
    service(
        "callback.issue_found",
        "A callback brought up an issue.",
        ISSUE,
    ),
    service(
        "callback.issue_relayed",
        "A callback's issue was passed on.",
        ISSUE,
    ),
    service(
        "callback.issue_rechecked",
        "A callback's issue was looked at again.",
        ISSUE,
    ),
    service(
        "survey.sent",
        "A customer was asked for an opinion.",
        &[
            required("survey_id"),
            optional("wave"),
            optional("survey_tool"),
            optional("respondent_kind"),
            optional("case_id"),
            optional("answers"),
        ],
    ),
    service(
        "survey.answered",
        "A customer gave an opinion.",
        &[
            required("survey_id"),
            required("answers").each(&["question_id"]),
            optional("wave"),
            optional("survey_tool"),
            optional("respondent_kind"),
            optional("case_id"),
        ],
    ),
    service(
        "im.received",
        "A customer sent a message.",
        &[
            required("conversation_id"),
            optional("case_id"),
            optional("message_at"),
        ],
    ),
    service(
        "im.replied",
        "A customer's message was answered.",
        &[
            required("conversation_id"),
            optional("case_id"),
            optional("replied_at"),
        ],
    ),
    service(
        "contact.outbound",
        "We got in touch with a customer.",
        &[
            optional("contact_kind"),
            optional("channel"),
            optional("reached"),
        ],
    ),
    EventType {
        key: Key::Unit,
        ..service(
            "day.closed",
            "A unit closed its day.",
            &[
                required("date"),
                optional("complaints_heard"),
                optional("logged"),
                optional("left_over"),
            ],
        )
    },
];
