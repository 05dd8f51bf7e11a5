//! Names, kinds and meanings of the fields of service events.

use crate::event::envelope::ROLES;
use crate::event::field::{Field, FieldKind, InstantRule, field};

const CASE_KINDS: &[&str] = &[
    "ENQUIRY",
    "COMPLAINT",
    "SUGGESTION",
    "REPAIR",
    "RESCUE",
    "INFO_CHANGE",
    "ORDERING_FAULT",
    "PRAISE",
    "OUTBOUND",
];
const CHANNELS: &[&str] = &[
    "PHONE",
    "IM_DIRECT",
    "IM_GROUP",
    "PLATFORM",
    "EMAIL",
    "SMS",
    "VISIT",
    "COUNTER",
    "WEB",
];
const CATEGORIES: &[&str] = &[
    "ORDER",
    "ALLOCATION_SUPPLY",
    "DELIVERY",
    "SETTLEMENT",
    "PRICE",
    "PRODUCT_QUALITY",
    "RETURN_EXCHANGE",
    "REPAIR",
    "STAFF_CONDUCT",
    "OTHER_CUSTOMER",
    "PROMOTION",
    "POLICY_LAW",
    "OPERATION_HELP",
    "OTHER",
];
const SERVICE_ITEMS: &[&str] = &[
    "ON_SITE_REPAIR",
    "CARRY_IN_REPAIR",
    "PHONE_ADVICE",
    "ONLINE_SUPPORT",
    "HW_UPGRADE",
    "TRAINING",
    "SOFTWARE",
    "PAID_REPAIR",
    "INSPECTION",
];
const ASKER_KINDS: &[&str] = &[
    "RETAILER",
    "CONSUMER",
    "CLIENT_MANAGER",
    "KEY_ACCOUNT",
    "EQUIPMENT_OWNER",
];
const SEVERITIES: &[&str] = &["LOW", "NORMAL", "HIGH", "URGENT"];
const PROMISE_KINDS: &[&str] = &["REPLY", "CALL_BACK", "FREE_ITEM", "VISIT", "OTHER"];
const RELAY_KINDS: &[&str] = &["BACK_OFFICE", "SUGGESTION", "COLLEAGUE"];
const INFORMED_OF: &[&str] = &["NOTICE_RESULT", "PROGRESS", "FINAL"];
const PROGRESS: &[&str] = &["ON_TRACK", "DELAYED", "DONE"];
const CALLBACK_BASES: &[&str] = &["PURCHASE", "REPAIR", "CASE", "ISSUE_RECHECK"];
const CALLBACK_OUTCOMES: &[&str] = &["NO_ANSWER", "MINOR_ANSWERED", "REACHED", "REFUSED"];
const CONTACT_KINDS: &[&str] = &["NEWS", "ARRIVAL_NOTICE", "CARE", "STRATEGY"];

const ANSWER: &[Field] = &[
    field(
        "question_id",
        FieldKind::Id,
        "Question, Q0 (overall) to Q8 (问题)",
    ),
    field(
        "score",
        FieldKind::Score,
        "Answer on the scale 1-5; NULL = none (评分)",
    ),
    field("text", FieldKind::FreeText, "Answer in words (文字回答)"),
    field(
        "named_staff_id",
        FieldKind::StaffId,
        "Member of staff who was named (点名员工)",
    ),
];

pub(in crate::event) const FIELDS: &[Field] = &[
    field("case_id", FieldKind::Id, "Service case (服务个案)"),
    field(
        "case_kind",
        FieldKind::Enum(CASE_KINDS),
        "Kind of case (个案类型)",
    ),
    field(
        "channel",
        FieldKind::Enum(CHANNELS),
        "How the customer was in touch (渠道)",
    ),
    field(
        "category",
        FieldKind::Enum(CATEGORIES),
        "What the case is about (类别)",
    ),
    field(
        "service_item",
        FieldKind::Enum(SERVICE_ITEMS),
        "Service item (服务项目)",
    ),
    field(
        "asker_kind",
        FieldKind::Enum(ASKER_KINDS),
        "Who asks (咨询人类型)",
    ),
    field(
        "severity",
        FieldKind::Enum(SEVERITIES),
        "Severity (严重程度)",
    ),
    field("sku_id", FieldKind::Id, "SKU that the case is about (品规)"),
    field(
        "order_id",
        FieldKind::Id,
        "Order that the case is about (订单)",
    ),
    field(
        "received_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the case came in (受理时间)",
    ),
    field(
        "ring_count",
        FieldKind::U8,
        "Rings before the call was picked up (铃响次数)",
    ),
    field(
        "answered",
        FieldKind::Bool,
        "Whether the call was picked up (接听)",
    ),
    field(
        "problem_nature",
        FieldKind::Code,
        "What the rescue is about (问题性质)",
    ),
    field(
        "problem_region_code",
        FieldKind::RegionCode,
        "Region of the rescue (求助地区)",
    ),
    field(
        "problem_time",
        FieldKind::Instant(InstantRule::ToTheMinute),
        "Time of the problem, to the minute (求助时间)",
    ),
    field(
        "previous_case_id",
        FieldKind::Id,
        "Case that this one continues (前次个案)",
    ),
    field(
        "complained_staff_id",
        FieldKind::StaffId,
        "Member of staff who is complained of (被投诉员工)",
    ),
    field("free_text", FieldKind::FreeText, "What was said (原话)"),
    field(
        "call_ended_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the call ended (挂机时间)",
    ),
    field(
        "hold_ms",
        FieldKind::DurationMs,
        "Time on hold in milliseconds (等待时长)",
    ),
    field(
        "hold_consent",
        FieldKind::Bool,
        "Whether the customer agreed to hold (同意等待)",
    ),
    field(
        "answered_by_role",
        FieldKind::Enum(ROLES),
        "Role that answered (答复人角色)",
    ),
    field(
        "at_once",
        FieldKind::Bool,
        "Whether it was answered on the spot (当场解答)",
    ),
    field("promise_id", FieldKind::Id, "Promise (承诺)"),
    field(
        "promise_kind",
        FieldKind::Enum(PROMISE_KINDS),
        "What was promised (承诺类型)",
    ),
    field(
        "due_at",
        FieldKind::Instant(InstantRule::Announced),
        "When the promise is due (承诺时限)",
    ),
    field(
        "kept_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the promise was kept (兑现时间)",
    ),
    field("from_unit", FieldKind::Code, "Unit that relayed (转出部门)"),
    field(
        "to_unit",
        FieldKind::Code,
        "Unit that it was relayed to (转入部门)",
    ),
    field(
        "relay_kind",
        FieldKind::Enum(RELAY_KINDS),
        "Kind of relay (转达类型)",
    ),
    field(
        "dept_unit_id",
        FieldKind::Id,
        "Department notified (责任部门)",
    ),
    field(
        "resolver_id",
        FieldKind::StaffId,
        "Member of staff who is to solve it (问题解决人)",
    ),
    field(
        "what",
        FieldKind::Enum(INFORMED_OF),
        "What the customer was told (告知内容)",
    ),
    field(
        "progress",
        FieldKind::Enum(PROGRESS),
        "Progress found (处理进度)",
    ),
    field(
        "to_role",
        FieldKind::Enum(ROLES),
        "Role that it was escalated to (升级至)",
    ),
    field(
        "resolution_kind",
        FieldKind::Code,
        "How it was resolved; WITHDRAWN voids the case (处理结果)",
    ),
    field(
        "customer_confirmed",
        FieldKind::Bool,
        "Whether the customer confirmed (客户确认)",
    ),
    field(
        "completed_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the repair was completed (完修时间)",
    ),
    field(
        "responsible_unit_id",
        FieldKind::Id,
        "Unit found responsible (责任单位)",
    ),
    field("nature", FieldKind::Code, "Nature of the case (性质)"),
    field("root_cause", FieldKind::Code, "Root cause (原因)"),
    field(
        "improvement_id",
        FieldKind::Id,
        "Improvement that follows (改进措施)",
    ),
    field("callback_id", FieldKind::Id, "Callback (回访)"),
    field(
        "base",
        FieldKind::Enum(CALLBACK_BASES),
        "What is called back about (回访依据)",
    ),
    field(
        "base_ref",
        FieldKind::Id,
        "order_id or case_id of the base (回访对象)",
    ),
    field("ordinal", FieldKind::U8, "Which callback, 1-3 (第几次回访)"),
    field(
        "outcome",
        FieldKind::Enum(CALLBACK_OUTCOMES),
        "Outcome of the call (回访结果)",
    ),
    field(
        "next_due_at",
        FieldKind::Instant(InstantRule::Announced),
        "When to try again (下次回访)",
    ),
    field(
        "seconds_to_topic",
        FieldKind::U32,
        "Seconds until the agent came to the point (进入正题秒数)",
    ),
    field(
        "usage_ok",
        FieldKind::Bool,
        "Whether the product works (使用正常)",
    ),
    field(
        "satisfied",
        FieldKind::Bool,
        "Whether the customer is satisfied (满意)",
    ),
    field(
        "issue_id",
        FieldKind::Id,
        "Issue found in a callback (回访问题)",
    ),
    field(
        "solved",
        FieldKind::Bool,
        "Whether the issue is solved (已解决)",
    ),
    field(
        "survey_id",
        FieldKind::Id,
        "Invitation of one respondent (满意度调查)",
    ),
    field("wave", FieldKind::Code, "Wave of the survey (调查批次)"),
    field(
        "survey_tool",
        FieldKind::Code,
        "Tool of the survey (调查方式)",
    ),
    field(
        "respondent_kind",
        FieldKind::Code,
        "Who was asked (受访人类型)",
    ),
    field("answers", FieldKind::List(ANSWER), "Answers (回答)"),
    field(
        "conversation_id",
        FieldKind::Id,
        "Conversation, an opaque id (会话)",
    ),
    field(
        "message_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the customer's message came in (来信时间)",
    ),
    field(
        "replied_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the reply went out (回复时间)",
    ),
    field(
        "contact_kind",
        FieldKind::Enum(CONTACT_KINDS),
        "Why we were in touch (主动联系类型)",
    ),
    field(
        "reached",
        FieldKind::Bool,
        "Whether the customer was reached (联系到)",
    ),
    field("date", FieldKind::Date, "Day that was closed (日结日期)"),
    field(
        "complaints_heard",
        FieldKind::U32,
        "Complaints heard on the day (当日投诉)",
    ),
    field(
        "logged",
        FieldKind::U32,
        "Complaints logged on the day (已登记)",
    ),
    field("left_over", FieldKind::U32, "Complaints left over (遗留)"),
];
