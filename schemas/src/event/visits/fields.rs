//! What the fields of visit events are called, hold and mean.

use crate::event::envelope::{COLLECTION_METHODS, ROLES};
use crate::event::field::{Field, InstantRule, Kind, field};

const PLAN_KINDS: &[&str] = &["VISIT", "EXTENSION", "DEAL"];
const PURPOSES: &[&str] = &[
    "ROUTINE",
    "INFO_COLLECTION",
    "GUIDANCE",
    "BRAND",
    "TRAINING",
    "COMPLAINT_FOLLOWUP",
    "EMERGENCY_FOLLOWUP",
    "CLASS_CHECK",
    "SUPERVISION",
    "PROSPECT",
    "KEY_ACCOUNT",
];
const LINE_KINDS: &[&str] = &["FIXED_LOCAL", "MOBILE", "APP"];
const PLAN_ITEMS: &[&str] = &["FIRST_VISIT", "SOLVE_PROBLEM", "BUILD_RELATION"];
const RESULTS: &[&str] = &["SUCCESS", "HOPEFUL", "REVISIT", "HOPELESS", "WATCH"];
const DIMENSIONS: &[&str] = &["CLASS", "MARKET_TYPE", "BUSINESS_TYPE"];
const ADVICE: &[&str] = &["DEVELOP", "MAINTAIN", "END"];

const STOCK: &[Field] = &[
    field("sku_id", Kind::Id, "SKU (品规)"),
    field("qty", Kind::Qty, "Quantity on hand (库存)"),
    field(
        "counted_at",
        Kind::Instant(InstantRule::Observed),
        "When it was counted (盘点时间)",
    ),
];

const STOCKOUT: &[Field] = &[
    field("sku_id", Kind::Id, "SKU (品规)"),
    field(
        "days",
        Kind::U16,
        "Days without stock in the period (断货天数)",
    ),
    field("period_start", Kind::Date, "First day of the period (起)"),
    field("period_end", Kind::Date, "Last day of the period (止)"),
];

const GUIDANCE: &[Field] = &[
    field("guidance_id", Kind::Id, "Guidance target (经营指导目标)"),
    field(
        "goal_kind",
        Kind::Code,
        "What the target is about (目标类型)",
    ),
    field("met", Kind::Bool, "Whether it was reached (达成)"),
];

const FEEDBACK: &[Field] = &[
    field("category", Kind::Code, "What the feedback is about (类别)"),
    field("sku_id", Kind::Id, "SKU that it is about (品规)"),
    field("free_text", Kind::FreeText, "What was said (原话)"),
];

const NEEDS: &[Field] = &[
    field("product_type", Kind::Code, "Type of product (需求产品类型)"),
    field("qty", Kind::Qty, "Quantity (需求数量)"),
    field("region_code", Kind::Code, "Region (需求区域)"),
    field(
        "price_low_fen",
        Kind::Fen,
        "Lower end of the price range in fen (价格下限)",
    ),
    field(
        "price_high_fen",
        Kind::Fen,
        "Upper end of the price range in fen (价格上限)",
    ),
    field("cause", Kind::FreeText, "Reason given (需求因素)"),
];

const COMPETITOR: &[Field] = &[
    field("brand", Kind::Label, "Competitor's brand (竞品品牌)"),
    field("price_fen", Kind::Fen, "Its price in fen (竞品价格)"),
    field("note", Kind::FreeText, "Note (备注)"),
];

const DIMENSION: &[Field] = &[
    field(
        "dimension",
        Kind::Enum(DIMENSIONS),
        "What was checked (分类维度)",
    ),
    field("recorded", Kind::Code, "Value on file (登记值)"),
    field(
        "verified",
        Kind::Code,
        "Value found by the checker (核实值)",
    ),
    field("correct", Kind::Bool, "Whether the two agree (准确)"),
];

/// A relationship indicator's score is on the assessor's own scale; K4's 1-5 is the survey's.
const INDICATOR: &[Field] = &[
    field("indicator", Kind::Code, "Indicator (评估指标)"),
    field("weight", Kind::U32, "Weight (权重)"),
    field("score", Kind::U32, "Score on the indicator's scale (得分)"),
    field("level", Kind::Code, "Level (等级)"),
    field("basis", Kind::FreeText, "Grounds given (依据)"),
];

pub const FIELDS: &[Field] = &[
    field(
        "staff_id",
        Kind::Id,
        "Member of staff whom the event is about; the key of plans, sign-ins and appraisals (员工)",
    ),
    field("plan_id", Kind::Id, "Plan (拜访筹划)"),
    field(
        "plan_month",
        Kind::Month,
        "Month that is planned (筹划月份)",
    ),
    field(
        "plan_kind",
        Kind::Enum(PLAN_KINDS),
        "What is planned (筹划类型)",
    ),
    field("planned_count", Kind::U32, "How many are planned (筹划数)"),
    field(
        "customer_ids",
        Kind::Texts,
        "Customers in the plan (筹划客户)",
    ),
    field("revision", Kind::U32, "Revision of the plan (筹划版本)"),
    field("visit_id", Kind::Id, "Visit (拜访)"),
    field(
        "visitor_id",
        Kind::Presence,
        "Member of staff who visits (拜访人)",
    ),
    field(
        "window_start",
        Kind::Instant(InstantRule::Announced),
        "Appointment from (预约起)",
    ),
    field(
        "window_end",
        Kind::Instant(InstantRule::Announced),
        "Appointment until, exclusive (预约止)",
    ),
    field(
        "purpose",
        Kind::Enum(PURPOSES),
        "Purpose of the visit (拜访目的)",
    ),
    field("place_kind", Kind::Code, "Kind of place (拜访地点)"),
    field(
        "reason",
        Kind::Code,
        "Why the visit was moved or cancelled (变更原因)",
    ),
    field(
        "line_kind",
        Kind::Enum(LINE_KINDS),
        "From where the sign-in was made (签到方式)",
    ),
    field("territory_id", Kind::Id, "Territory (片区)"),
    field(
        "recorded_by_role",
        Kind::Enum(ROLES),
        "Who recorded the sign-in (登记人角色)",
    ),
    field(
        "in_territory",
        Kind::Bool,
        "Whether the visit began inside the territory (辖区内)",
    ),
    field(
        "ride_along",
        Kind::Bool,
        "Whether a superior came along (陪访)",
    ),
    field(
        "ended_at",
        Kind::Instant(InstantRule::Observed),
        "When the visit ended (结束时间)",
    ),
    field(
        "plan_item",
        Kind::Enum(PLAN_ITEMS),
        "Which planned item it was (拜访事项)",
    ),
    field(
        "result",
        Kind::Enum(RESULTS),
        "Result of the visit (拜访结果)",
    ),
    field("problems_solved", Kind::U16, "Problems solved (已解决问题)"),
    field(
        "problems_open",
        Kind::U16,
        "Problems left open (未解决问题)",
    ),
    field(
        "companions",
        Kind::U8,
        "Colleagues who came along (同行人数)",
    ),
    field(
        "guidance",
        Kind::List(GUIDANCE),
        "Guidance targets looked at (经营指导)",
    ),
    field(
        "feedback",
        Kind::List(FEEDBACK),
        "What the customer said (客户反馈)",
    ),
    field(
        "needs",
        Kind::List(NEEDS),
        "Needs the customer stated (需求分析)",
    ),
    field(
        "competitor",
        Kind::List(COMPETITOR),
        "Competitors' goods seen (竞品信息)",
    ),
    field("collection_id", Kind::Id, "Collection (信息采集)"),
    field(
        "iso_week",
        Kind::IsoWeek,
        "ISO week that the collection is for (采集周)",
    ),
    field(
        "method",
        Kind::Enum(COLLECTION_METHODS),
        "How it was collected (采集方式)",
    ),
    field("stock", Kind::List(STOCK), "Stock counted (库存盘点)"),
    field("stockout", Kind::List(STOCKOUT), "Days out of stock (断货)"),
    field(
        "check_id",
        Kind::Id,
        "Check of the classification (分类核查)",
    ),
    field(
        "checker_role",
        Kind::Enum(ROLES),
        "Role of the checker (核查人角色)",
    ),
    field(
        "dimensions",
        Kind::List(DIMENSION),
        "What was compared, per dimension (核查维度)",
    ),
    field(
        "change_id",
        Kind::Id,
        "Change of a customer's particulars (信息变更)",
    ),
    field(
        "learned_at",
        Kind::Instant(InstantRule::Observed),
        "When the change became known (获知时间)",
    ),
    field(
        "updated_at",
        Kind::Instant(InstantRule::Observed),
        "When the file was brought up to date (更新时间)",
    ),
    field(
        "fields",
        Kind::Texts,
        "Names of the fields that changed, never their values (变更字段)",
    ),
    field("assessment_id", Kind::Id, "Assessment (大客户关系评估)"),
    field(
        "items",
        Kind::List(INDICATOR),
        "Indicators assessed (评估项)",
    ),
    field(
        "advice",
        Kind::Enum(ADVICE),
        "Develop, maintain or end the relationship (关系建议)",
    ),
    field(
        "growth_rate_bp",
        Kind::Bp,
        "Growth in hundredths of a per cent (成长率)",
    ),
    field("credit_level", Kind::Code, "Credit level (信用度)"),
    field(
        "profit_rate_bp",
        Kind::Bp,
        "Profit in hundredths of a per cent (总利润率)",
    ),
    field("rank", Kind::U32, "Rank among key accounts (评核顺序)"),
    field("training_plan_id", Kind::Id, "Training plan (培训计划)"),
    field("topic", Kind::Label, "Topic of the training (培训主题)"),
    field(
        "attended",
        Kind::Bool,
        "Whether the customer attended (参加)",
    ),
    field("month", Kind::Month, "Month of the appraisal (考核月份)"),
    field(
        "item",
        Kind::Code,
        "Item of the appraisal, such as DAILY_WORK (考核项)",
    ),
    field(
        "score_bp",
        Kind::Bp,
        "Score in hundredths of a per cent (考核得分)",
    ),
];
