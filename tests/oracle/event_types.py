"""Every event type of the domain reference 3, as data: its topic, its key, its fields, what is required (contract 3).

Notation: `name:kind`, a `!` at the end marks a required field; `lines:[line line_no sku_id requested_qty]` is a list
of `line` objects whose named fields are required; a field that a type does not list is ignored.

Kinds: `id` (K42), `event_id` (K21), `code`, `region` and `text` (any text is good; the first two decide what is shown of it,
K29, K46), `enum` (text; an unknown value is no error), `qty`, `price` and `amount` (K25), `u8` `u16` `u32`, `bp` (signed),
`score` (1-5), `bool`, `observed` (an instant that has happened, K4) and `instant` (one that may lie ahead), `date`, `month`,
`week`, `ids` and `codes` (lists of them).
"""

import re
from dataclasses import dataclass

ENVELOPE = """event_id:event_id! event_type:text! schema_version:version! occurred_at:instant! recorded_at:instant!
    source:enum customer_id:id actor_id:id actor_role:enum unit_id:id corrects:event_id trace_id:id"""

ITEMS = {
    "line": """line_no:u16 sku_id:id requested_qty:qty allocated_qty:qty delivered_qty:qty returned_qty:qty
        wholesale_price_fen:price is_key_brand_recommended:bool""",
    "stock": "sku_id:id qty:qty counted_at:observed",
    "stockout": "sku_id:id days:u16 period_start:date period_end:date",
    "answer": "question_id:id score:score text:text named_staff_id:id",
    "guidance": "guidance_id:id goal_kind:code met:bool",
    "feedback": "category:code sku_id:id free_text:text",
    "need": "product_type:code qty:qty region_code:region price_low_fen:price price_high_fen:price cause:text",
    "competitor": "brand:code price_fen:price note:text",
    "indicator": "indicator:code weight:u32 score:u32 level:code basis:text",
    "dimension": "dimension:enum recorded:code verified:code correct:bool",
}

ORDERS = {
    "order.placed": """order_id:id! order_kind:enum channel:enum placed_by_role:enum entered_by_role:enum
        order_cycle_date:date emergency_reason:enum lines:[line line_no sku_id requested_qty]!""",
    "order.amended": "order_id:id! amend_reason:enum lines:[line line_no sku_id requested_qty]!",
    "order.approval_requested": "order_id:id! approver_role:enum reject_reason:code",
    "order.approved": "order_id:id! approver_role:enum reject_reason:code",
    "order.rejected": "order_id:id! approver_role:enum reject_reason:code",
    "order.confirmed": """order_id:id! promised_delivery_at:instant promised_delivery_date:date delivery_mode:enum
        payment_due_date:date""",
    "order.allocated": "order_id:id! allocation_plan_id:id lines:[line line_no sku_id allocated_qty]!",
    "order.settled": """settlement_id:id! order_id:id! amount_fen:amount! method:enum initiated_at:observed result:enum!
        failure_code:code""",
    "order.dispatched": "delivery_id:id order_id:id! route_id:id eta_at:instant",
    "order.delivered": """delivery_id:id order_id:id! route_id:id delivery_mode:enum discrepancy:bool signed:bool
        lines:[line line_no sku_id delivered_qty]!""",
    "order.returned": "order_id:id! return_reason:enum amount_fen:amount lines:[line line_no sku_id returned_qty]!",
    "order.exchanged": "order_id:id! return_reason:enum amount_fen:amount lines:[line line_no sku_id returned_qty]!",
    "order.refunded": "order_id:id! return_reason:enum amount_fen:amount lines:[line]",
    "order.followed_up": "order_id:id! outcome:enum visit_id:id",
    "order.cancelled": "order_id:id! cancel_reason:enum",
    "order.closed": "order_id:id! cancel_reason:enum",
    "order.payment_due": "order_id:id! amount_fen:amount! due_date:date!",
    "order.payment_received": "order_id:id! amount_fen:amount! received_at:observed!",
}

VISITS = {
    "visit.plan_submitted": """staff_id:id! plan_id:id! plan_month:month! plan_kind:enum! planned_count:u32!
        customer_ids:ids revision:u32""",
    "visit.planned": """visit_id:id! plan_id:id visitor_id:id window_start:instant! window_end:instant! purpose:enum
        place_kind:code""",
    "visit.rescheduled": "visit_id:id! reason:code window_start:instant window_end:instant",
    "visit.cancelled": "visit_id:id! reason:code window_start:instant window_end:instant",
    "visit.day_signed_in": "staff_id:id! line_kind:enum territory_id:id recorded_by_role:enum",
    "visit.started": "visit_id:id! visitor_id:id in_territory:bool ride_along:bool",
    "visit.completed": """visit_id:id! ended_at:observed plan_item:enum result:enum problems_solved:u16
        problems_open:u16 companions:u8 guidance:[guidance] feedback:[feedback] needs:[need] competitor:[competitor]""",
    "visit.info_collected": """collection_id:id! visit_id:id iso_week:week method:enum
        stock:[stock sku_id qty counted_at] stockout:[stockout sku_id days]""",
    "visit.class_checked": "check_id:id! checker_role:enum dimensions:[dimension]",
    "visit.customer_info_changed": "change_id:id! learned_at:observed fields:codes",
    "visit.customer_info_updated": "change_id:id! updated_at:observed",
    "visit.relationship_assessed": """assessment_id:id! items:[indicator] advice:enum growth_rate_bp:bp
        credit_level:code profit_rate_bp:bp rank:u32""",
    "visit.training_held": "training_plan_id:id topic:code attended:bool",
    "visit.appraisal_recorded": "staff_id:id! month:month! item:code! score_bp:bp!",
}

COMPLAINTS = {
    "case.opened": """case_id:id! case_kind:enum! channel:enum category:enum service_item:enum asker_kind:enum
        severity:enum sku_id:id order_id:id received_at:observed! ring_count:u8 answered:bool problem_nature:code
        problem_region_code:region problem_time:instant previous_case_id:id complained_staff_id:id free_text:text""",
    "case.call_ended": "case_id:id! call_ended_at:observed! hold_ms:u32 hold_consent:bool",
    "case.answered": "case_id:id! answered_by_role:enum at_once:bool",
    "promise.made": "promise_id:id! case_id:id! promise_kind:enum due_at:instant!",
    "promise.kept": "promise_id:id! case_id:id! promise_kind:enum kept_at:observed!",
    "case.relayed": "case_id:id! from_unit:code to_unit:code relay_kind:enum",
    "case.transferred": "case_id:id!",
    "case.resource_replied": "case_id:id!",
    "case.dept_notified": "case_id:id! dept_unit_id:id resolver_id:id",
    "case.customer_informed": "case_id:id! what:enum",
    "case.progress_checked": "case_id:id! progress:enum",
    "case.escalated": "case_id:id! to_role:enum",
    "case.escalation_answered": "case_id:id! to_role:enum",
    "case.resolved": "case_id:id! resolution_kind:code customer_confirmed:bool",
    "case.closed": "case_id:id! resolution_kind:code customer_confirmed:bool",
    "case.reopened": "case_id:id! resolution_kind:code customer_confirmed:bool",
    "case.repair_completed": "case_id:id! sku_id:id completed_at:observed",
    "case.cause_analysed": "case_id:id! responsible_unit_id:id nature:code root_cause:code improvement_id:id",
    "callback.attempted": """callback_id:id! base:enum! base_ref:id! ordinal:u8! outcome:enum! next_due_at:instant
        seconds_to_topic:u32 usage_ok:bool satisfied:bool""",
    "callback.issue_found": "issue_id:id! callback_id:id case_id:id solved:bool",
    "callback.issue_relayed": "issue_id:id! callback_id:id case_id:id solved:bool",
    "callback.issue_rechecked": "issue_id:id! callback_id:id case_id:id solved:bool",
    "survey.sent": "survey_id:id! wave:code survey_tool:code respondent_kind:code case_id:id answers:[answer]",
    "survey.answered": """survey_id:id! wave:code survey_tool:code respondent_kind:code case_id:id
        answers:[answer question_id]!""",
    "im.received": "conversation_id:id! case_id:id message_at:observed",
    "im.replied": "conversation_id:id! case_id:id replied_at:observed",
    "contact.outbound": "contact_kind:enum channel:enum reached:bool",
    "day.closed": "unit_id:id! date:date! complaints_heard:u32 logged:u32 left_over:u32",
}

PRICES = {
    "price.list_set": """sku_id:id! region_code:region price_type:enum! price_fen:price! valid_from:instant!
        valid_to:instant doc_ref:code""",
    "price.observed": """collection_id:id customer_id:id! sku_id:id! price_fen:price! observed_at:observed! iso_week:week
        method:enum price_basis:enum on_promotion:bool""",
    "price.tag_checked": "customer_id:id! sku_id:id! tag_present:bool! tag_price_fen:price till_price_fen:price",
    "price.competitor_observed": "customer_id:id product_text:code price_fen:price region_code:region",
    "price.promotion_set": "promotion_id:id! sku_id:id! price_fen:price start:instant! end:instant!",
}

STAFF_KEYED = {"visit.plan_submitted", "visit.day_signed_in", "visit.appraisal_recorded"}


@dataclass(frozen=True)
class Field:
    """One field: `items` holds the fields of a list's objects, each required or not."""

    name: str
    kind: str
    required: bool
    items: tuple["Field", ...] = ()
    not_empty: bool = False


@dataclass(frozen=True)
class EventType:
    """`key` names the payload's id that is the record's key; prices have none."""

    name: str
    key: str | None
    fields: tuple[Field, ...]


TOKEN = re.compile(r"(\w+):(?:\[(\w+)((?: \w+)*)\]|(\w+))(!?)")


def fields_of(notation: str) -> tuple[Field, ...]:
    """Reads the notation of this page."""
    found = []
    for name, item, item_required, kind, required in TOKEN.findall(" ".join(notation.split())):
        if not item:
            found.append(Field(name, kind, bool(required)))
            continue
        named = item_required.split()
        items = tuple(Field(f.name, f.kind, f.name in named) for f in fields_of(ITEMS[item]))
        found.append(Field(name, "objects", bool(required), items, not_empty=item == "line" and bool(required)))
    return tuple(found)


def _key(topic: str, name: str) -> str | None:
    if topic == "prices":
        return None
    if name in STAFF_KEYED:
        return "staff_id"
    return "unit_id" if name == "day.closed" else "customer_id"


def _event_type(topic: str, name: str, notation: str) -> EventType:
    key, fields = _key(topic, name), fields_of(notation)
    if key is not None and all(field.name != key for field in fields):
        fields = (Field(key, "id", True), *fields)
    return EventType(name, key, fields)


EVENT_TYPES = {
    topic: {name: _event_type(topic, name, notation) for name, notation in types.items()}
    for topic, types in (("orders", ORDERS), ("visits", VISITS), ("complaints", COMPLAINTS), ("prices", PRICES))
}
ENVELOPE_FIELDS = fields_of(ENVELOPE)
