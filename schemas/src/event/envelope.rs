//! The envelope: fields that every event may carry (domain 3.1).

use super::field::{Field, FieldKind, InstantRule, field};

/// Roles of domain 2.3, and the two actors that are not staff.
pub(super) const ROLES: &[&str] = &[
    "CLIENT_MANAGER",
    "MARKET_MANAGER",
    "MARKET_SECTION",
    "PROCUREMENT_SECTION",
    "ORDER_SECTION",
    "GENERAL_SECTION",
    "SALES_SECTION",
    "LOGISTICS",
    "CALL_AGENT",
    "RESOURCE_CENTRE",
    "DEPT_RESOLVER",
    "DUTY_STATION_MANAGER",
    "STATION_MANAGER",
    "KA_MANAGER",
    "KA_SPECIALIST",
    "KA_DIRECTOR",
    "SUPERVISOR",
    "SERVICE_DESK_MANAGER",
    "CS_DUTY_CLERK",
    "DATA_TEAM",
    "FORECASTER",
    "ALERT_HOOK",
    "CUSTOMER",
    "SYSTEM",
];

const SOURCES: &[&str] = &[
    "ORDER_SYSTEM",
    "ORDER_PLATFORM",
    "CALL_CENTRE",
    "FIELD_APP",
    "LOGISTICS_SYSTEM",
    "SETTLEMENT_SYSTEM",
    "PRICE_SYSTEM",
    "CRM",
    "IMPORT",
];

/// Used by visits and prices.
pub(super) const COLLECTION_METHODS: &[&str] = &["ON_SITE", "PHONE", "ONLINE", "POS"];

/// Fields that every event must have, in the order in which they are checked (contract 3).
pub(crate) const REQUIRED: [&str; 5] = [
    "event_id",
    "event_type",
    "schema_version",
    "occurred_at",
    "recorded_at",
];

/// Fields of every event. `corrects` is an `event_id`, and is judged as one.
pub(crate) const FIELDS: &[Field] = &[
    field(
        "event_id",
        FieldKind::EventId,
        "Idempotency key of the event, 1-64 bytes (事件编号)",
    ),
    field(
        "event_type",
        FieldKind::TypeName,
        "Type of the event, such as order.placed (事件类型)",
    ),
    field(
        "schema_version",
        FieldKind::SchemaVersion,
        "Version of the event's schema, 1 (模式版本)",
    ),
    field(
        "occurred_at",
        FieldKind::Instant(InstantRule::Announced),
        "Event time: when it happened, UTC (发生时间)",
    ),
    field(
        "recorded_at",
        FieldKind::Instant(InstantRule::Announced),
        "When the source wrote it down, UTC (记录时间)",
    ),
    field(
        "source",
        FieldKind::Enum(SOURCES),
        "System that sent it (来源系统)",
    ),
    field(
        "customer_id",
        FieldKind::Id,
        "Customer, an opaque id (客户)",
    ),
    field(
        "actor_role",
        FieldKind::Enum(ROLES),
        "Role of whoever acted (操作人角色)",
    ),
    field("unit_id", FieldKind::Id, "Unit that acted (部门)"),
    field(
        "corrects",
        FieldKind::EventId,
        "event_id of the event that this one replaces (更正)",
    ),
    field(
        "actor_id",
        FieldKind::StaffId,
        "Member of staff who acted (操作人)",
    ),
    field(
        "trace_id",
        FieldKind::Id,
        "Trace of the request behind the event (链路)",
    ),
];
