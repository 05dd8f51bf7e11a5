//! `orders.v1`: orders from placing to payment (domain 3.2).

use super::Topic;
use super::envelope::ROLES;
use super::field::{
    EventType, Field, FieldKind, FieldUse, InstantRule, Key, field, optional, required,
};

const ORDER_KINDS: &[&str] = &["REGULAR", "EMERGENCY", "TRIAL", "KEY_ACCOUNT_DEAL"];
const CHANNELS: &[&str] = &[
    "PHONE",
    "ONLINE",
    "MOBILE",
    "ONLINE_ALLOCATION",
    "FIELD",
    "OTHER",
];
const PLACED_BY_ROLES: &[&str] = &[
    "CUSTOMER",
    "CLIENT_MANAGER",
    "ORDER_CLERK_ON_BEHALF",
    "SYSTEM_TEMPLATE",
];
const EMERGENCY_REASONS: &[&str] = &[
    "GROUP_PURCHASE",
    "LOW_STOCK",
    "WEDDING_FUNERAL",
    "CONFERENCE",
    "OTHER",
];
const AMEND_REASONS: &[&str] = &[
    "CUSTOMER_CHANGE",
    "ENTRY_ERROR",
    "SUPPLY_LIMIT",
    "PRICE_FIX",
    "OTHER",
];
const CANCEL_REASONS: &[&str] = &[
    "CUSTOMER",
    "ENTRY_ERROR",
    "SUPPLY_LIMIT",
    "CREDIT",
    "DUPLICATE",
];
const DELIVERY_MODES: &[&str] = &["DOOR", "PICKUP_POINT", "ENTRUSTED"];
const SETTLEMENT_METHODS: &[&str] = &[
    "E_SETTLEMENT",
    "CASH",
    "CARD",
    "MOBILE_PAY",
    "TRANSFER",
    "CREDIT",
];
const SETTLEMENT_RESULTS: &[&str] = &["SUCCESS", "FAILED"];
const RETURN_REASONS: &[&str] = &["QUALITY", "WRONG_ITEM", "UNSOLD", "OTHER"];
const FOLLOW_UP_OUTCOMES: &[&str] = &["NORMAL", "IRREGULAR", "NOT_REACHED"];

/// A line of an order; which quantity is there depends on the step.
const LINE: &[Field] = &[
    field(
        "line_no",
        FieldKind::U16,
        "Number of the line in its order (行号)",
    ),
    field("sku_id", FieldKind::Id, "SKU (品规)"),
    field(
        "requested_qty",
        FieldKind::Qty,
        "Quantity the customer asked for (需求量)",
    ),
    field(
        "allocated_qty",
        FieldKind::Qty,
        "Quantity allocated (投放量)",
    ),
    field(
        "delivered_qty",
        FieldKind::Qty,
        "Quantity delivered (送货量)",
    ),
    field(
        "returned_qty",
        FieldKind::Qty,
        "Quantity returned or exchanged (退货量)",
    ),
    field(
        "wholesale_price_fen",
        FieldKind::Price,
        "Wholesale price per base unit in fen (批发价)",
    ),
    field(
        "is_key_brand_recommended",
        FieldKind::Bool,
        "Whether a key brand was recommended with it (重点品牌推荐)",
    ),
];

pub(super) const FIELDS: &[Field] = &[
    field("order_id", FieldKind::Id, "Order (订单)"),
    field(
        "order_kind",
        FieldKind::Enum(ORDER_KINDS),
        "Kind of order; EMERGENCY = emergency replenishment (订单类型)",
    ),
    field(
        "channel",
        FieldKind::Enum(CHANNELS),
        "How it was ordered (订货方式)",
    ),
    field(
        "placed_by_role",
        FieldKind::Enum(PLACED_BY_ROLES),
        "Who chose brands and quantities (下单人)",
    ),
    field(
        "entered_by_role",
        FieldKind::Enum(ROLES),
        "Who keyed it in (录入人角色)",
    ),
    field(
        "order_cycle_date",
        FieldKind::Date,
        "Date of the order cycle (订货周期)",
    ),
    field(
        "emergency_reason",
        FieldKind::Enum(EMERGENCY_REASONS),
        "Why replenishment could not wait (应急原因)",
    ),
    field(
        "amend_reason",
        FieldKind::Enum(AMEND_REASONS),
        "Why the order was changed (修改原因)",
    ),
    field(
        "approver_role",
        FieldKind::Enum(ROLES),
        "Role that decides on approval (审批人角色)",
    ),
    field(
        "reject_reason",
        FieldKind::Code,
        "Why approval was refused (拒绝原因)",
    ),
    field(
        "promised_delivery_at",
        FieldKind::Instant(InstantRule::Announced),
        "Promised instant of delivery (承诺送达时间)",
    ),
    field(
        "promised_delivery_date",
        FieldKind::Date,
        "Promised day of delivery (承诺送达日)",
    ),
    field(
        "delivery_mode",
        FieldKind::Enum(DELIVERY_MODES),
        "How it is delivered (送货方式)",
    ),
    field(
        "payment_due_date",
        FieldKind::Date,
        "Day by which it is to be paid (付款期限)",
    ),
    field(
        "allocation_plan_id",
        FieldKind::Id,
        "Allocation plan behind the allocation (货源投放方案)",
    ),
    field(
        "settlement_id",
        FieldKind::Id,
        "Attempt to settle (资金结算)",
    ),
    field("amount_fen", FieldKind::Amount, "Amount in fen (金额)"),
    field(
        "method",
        FieldKind::Enum(SETTLEMENT_METHODS),
        "How it was paid (结算方式)",
    ),
    field(
        "initiated_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the settlement was started (发起时间)",
    ),
    field(
        "result",
        FieldKind::Enum(SETTLEMENT_RESULTS),
        "Whether the settlement went through (结算结果)",
    ),
    field("failure_code", FieldKind::Code, "Why it did not (失败代码)"),
    field("delivery_id", FieldKind::Id, "Delivery (送货)"),
    field("route_id", FieldKind::Id, "Delivery route (送货线路)"),
    field(
        "eta_at",
        FieldKind::Instant(InstantRule::Announced),
        "Expected arrival (预计到达)",
    ),
    field(
        "discrepancy",
        FieldKind::Bool,
        "Whether goods and papers differed (差错)",
    ),
    field(
        "signed",
        FieldKind::Bool,
        "Whether the customer signed (签收)",
    ),
    field(
        "return_reason",
        FieldKind::Enum(RETURN_REASONS),
        "Why goods went back (退货原因)",
    ),
    field(
        "outcome",
        FieldKind::Enum(FOLLOW_UP_OUTCOMES),
        "What the follow-up found (跟进结果)",
    ),
    field(
        "visit_id",
        FieldKind::Id,
        "Visit in which it was followed up (拜访)",
    ),
    field(
        "cancel_reason",
        FieldKind::Enum(CANCEL_REASONS),
        "Why the order was cancelled (取消原因)",
    ),
    field(
        "due_date",
        FieldKind::Date,
        "Day on which the amount is due (应收日)",
    ),
    field(
        "received_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the payment came in (到账时间)",
    ),
    field(
        "lines",
        FieldKind::List(LINE),
        "Lines of the order at this step (订单行)",
    ),
];

const fn lines(each: &'static [&'static str]) -> FieldUse {
    required("lines").not_empty().each(each)
}

const fn order(name: &'static str, doc: &'static str, fields: &'static [FieldUse]) -> EventType {
    EventType {
        name,
        topic: Topic::Orders,
        key: Key::Customer,
        doc,
        fields,
    }
}

const ORDER_ID: FieldUse = required("order_id");

const APPROVAL: &[FieldUse] = &[
    ORDER_ID,
    optional("approver_role"),
    optional("reject_reason"),
];

const GOODS_BACK: &[FieldUse] = &[
    ORDER_ID,
    lines(&["line_no", "sku_id", "returned_qty"]),
    optional("return_reason"),
    optional("amount_fen"),
];

pub(super) const EVENT_TYPES: &[EventType] = &[
    order(
        "order.placed",
        "An order was placed.",
        &[
            ORDER_ID,
            lines(&["line_no", "sku_id", "requested_qty"]),
            optional("order_kind"),
            optional("channel"),
            optional("placed_by_role"),
            optional("entered_by_role"),
            optional("order_cycle_date"),
            optional("emergency_reason"),
        ],
    ),
    order(
        "order.amended",
        "An order was changed; its lines are the whole order again.",
        &[
            ORDER_ID,
            lines(&["line_no", "sku_id", "requested_qty"]),
            optional("amend_reason"),
        ],
    ),
    order(
        "order.approval_requested",
        "An emergency order waits for approval.",
        APPROVAL,
    ),
    order(
        "order.approved",
        "An emergency order was approved.",
        APPROVAL,
    ),
    order(
        "order.rejected",
        "An emergency order was refused.",
        APPROVAL,
    ),
    order(
        "order.confirmed",
        "An order was confirmed with its delivery promise.",
        &[
            ORDER_ID,
            optional("promised_delivery_at"),
            optional("promised_delivery_date"),
            optional("delivery_mode"),
            optional("payment_due_date"),
        ],
    ),
    order(
        "order.allocated",
        "Goods were allocated to an order.",
        &[
            ORDER_ID,
            lines(&["line_no", "sku_id", "allocated_qty"]),
            optional("allocation_plan_id"),
        ],
    ),
    order(
        "order.settled",
        "A settlement was tried.",
        &[
            required("settlement_id"),
            ORDER_ID,
            required("amount_fen"),
            required("result"),
            optional("method"),
            optional("initiated_at"),
            optional("failure_code"),
        ],
    ),
    order(
        "order.dispatched",
        "An order left for the customer.",
        &[
            ORDER_ID,
            optional("delivery_id"),
            optional("route_id"),
            optional("eta_at"),
        ],
    ),
    order(
        "order.delivered",
        "An order was delivered.",
        &[
            ORDER_ID,
            lines(&["line_no", "sku_id", "delivered_qty"]),
            optional("delivery_id"),
            optional("route_id"),
            optional("delivery_mode"),
            optional("discrepancy"),
            optional("signed"),
        ],
    ),
    order("order.returned", "Goods were taken back.", GOODS_BACK),
    order("order.exchanged", "Goods were exchanged.", GOODS_BACK),
    order(
        "order.refunded",
        "Money was paid back.",
        &[
            ORDER_ID,
            optional("lines"),
            optional("return_reason"),
            optional("amount_fen"),
        ],
    ),
    order(
        "order.followed_up",
        "An emergency replenishment was followed up.",
        &[ORDER_ID, optional("outcome"), optional("visit_id")],
    ),
    order(
        "order.cancelled",
        "An order was cancelled.",
        &[ORDER_ID, optional("cancel_reason")],
    ),
    order(
        "order.closed",
        "An order was closed.",
        &[ORDER_ID, optional("cancel_reason")],
    ),
    order(
        "order.payment_due",
        "A payment is due.",
        &[ORDER_ID, required("amount_fen"), required("due_date")],
    ),
    order(
        "order.payment_received",
        "A payment came in.",
        &[ORDER_ID, required("amount_fen"), required("received_at")],
    ),
];
