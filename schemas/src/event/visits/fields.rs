//! Names, kinds and meanings of the fields of visit events.

use crate::event::envelope::{COLLECTION_METHODS, ROLES};
use crate::event::field::{Field, FieldKind, InstantRule, field};

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
    "SITE_TOUR",
];
const LINE_KINDS: &[&str] = &["FIXED_LOCAL", "MOBILE", "APP"];
const PLAN_ITEMS: &[&str] = &["FIRST_VISIT", "SOLVE_PROBLEM", "BUILD_RELATION"];
const RESULTS: &[&str] = &["SUCCESS", "HOPEFUL", "REVISIT", "HOPELESS", "WATCH"];
const DIMENSIONS: &[&str] = &["CLASS", "MARKET_TYPE", "BUSINESS_TYPE"];
const ADVICE: &[&str] = &["DEVELOP", "MAINTAIN", "END"];

const STOCK: &[Field] = &[
    field("sku_id", FieldKind::Id, "SKU (品规)"),
    field("qty", FieldKind::Qty, "Quantity on hand (库存)"),
    field(
        "counted_at",
        FieldKind::Instant(InstantRule::Observed),
        "When it was counted (盘点时间)",
    ),
];

const STOCKOUT: &[Field] = &[
    field("sku_id", FieldKind::Id, "SKU (品规)"),
    field(
        "days",
        FieldKind::U16,
        "Days without stock in the period (断货天数)",
    ),
    field(
        "period_start",
        FieldKind::Date,
        "First day of the period (起)",
    ),
    field("period_end", FieldKind::Date, "Last day of the period (止)"),
];

const GUIDANCE: &[Field] = &[
    field(
        "guidance_id",
        FieldKind::Id,
        "Guidance target (经营指导目标)",
    ),
    field(
        "goal_kind",
        FieldKind::Code,
        "What the target is about (目标类型)",
    ),
    field("met", FieldKind::Bool, "Whether it was reached (达成)"),
];

const FEEDBACK: &[Field] = &[
    field(
        "category",
        FieldKind::Code,
        "What the feedback is about (类别)",
    ),
    field("sku_id", FieldKind::Id, "SKU that it is about (品规)"),
    field("free_text", FieldKind::FreeText, "What was said (原话)"),
];

const NEEDS: &[Field] = &[
    field(
        "product_type",
        FieldKind::Code,
        "Type of product (需求产品类型)",
    ),
    field("qty", FieldKind::Qty, "Quantity (需求数量)"),
    field("region_code", FieldKind::RegionCode, "Region (需求区域)"),
    field(
        "price_low_fen",
        FieldKind::Price,
        "Lower end of the price range in fen (价格下限)",
    ),
    field(
        "price_high_fen",
        FieldKind::Price,
        "Upper end of the price range in fen (价格上限)",
    ),
    field("cause", FieldKind::FreeText, "Reason given (需求因素)"),
];

const COMPETITOR: &[Field] = &[
    field("brand", FieldKind::Code, "Competitor's brand (竞品品牌)"),
    field("price_fen", FieldKind::Price, "Its price in fen (竞品价格)"),
    field("note", FieldKind::FreeText, "Note (备注)"),
];

const DIMENSION: &[Field] = &[
    field(
        "dimension",
        FieldKind::Enum(DIMENSIONS),
        "What was checked (分类维度)",
    ),
    field("recorded", FieldKind::Code, "Value on file (登记值)"),
    field(
        "verified",
        FieldKind::Code,
        "Value found by the checker (核实值)",
    ),
    field("correct", FieldKind::Bool, "Whether the two agree (准确)"),
];

/// A relationship indicator's score is on the assessor's own scale; K4's 1-5 is the survey's.
const INDICATOR: &[Field] = &[
    field("indicator", FieldKind::Code, "Indicator (评估指标)"),
    field("weight", FieldKind::U32, "Weight (权重)"),
    field(
        "score",
        FieldKind::U32,
        "Score on the indicator's scale (得分)",
    ),
    field("level", FieldKind::Code, "Level (等级)"),
    field("basis", FieldKind::FreeText, "Grounds given (依据)"),
];

pub(in crate::event) const FIELDS: &[Field] = &[
    field(
        "staff_id",
        FieldKind::StaffId,
        "Member of staff whom the event is about; the key of plans, sign-ins and appraisals (员工)",
    ),
    field("plan_id", FieldKind::Id, "Plan (拜访筹划)"),
    field(
        "plan_month",
        FieldKind::Month,
        "Month that is planned (筹划月份)",
    ),
    field(
        "plan_kind",
        FieldKind::Enum(PLAN_KINDS),
        "What is planned (筹划类型)",
    ),
    field(
        "planned_count",
        FieldKind::U32,
        "How many are planned (筹划数)",
    ),
    field(
        "customer_ids",
        FieldKind::Ids,
        "Customers in the plan (筹划客户)",
    ),
    field(
        "revision",
        FieldKind::U32,
        "Revision of the plan (筹划版本)",
    ),
    field("visit_id", FieldKind::Id, "Visit (拜访)"),
    field(
        "visitor_id",
        FieldKind::StaffId,
        "Member of staff who visits (拜访人)",
    ),
    field(
        "window_start",
        FieldKind::Instant(InstantRule::Announced),
        "Appointment from (预约起)",
    ),
    field(
        "window_end",
        FieldKind::Instant(InstantRule::Announced),
        "Appointment until, exclusive (预约止)",
    ),
    field(
        "purpose",
        FieldKind::Enum(PURPOSES),
        "Purpose of the visit (拜访目的)",
    ),
    field("place_kind", FieldKind::Code, "Kind of place (拜访地点)"),
    field(
        "reason",
        FieldKind::Code,
        "Why the visit was moved or cancelled (变更原因)",
    ),
    field(
        "line_kind",
        FieldKind::Enum(LINE_KINDS),
        "From where the sign-in was made (签到方式)",
    ),
    field("territory_id", FieldKind::Id, "Territory (片区)"),
    field(
        "recorded_by_role",
        FieldKind::Enum(ROLES),
        "Who recorded the sign-in (登记人角色)",
    ),
    field(
        "in_territory",
        FieldKind::Bool,
        "Whether the visit began inside the territory (辖区内)",
    ),
    field(
        "ride_along",
        FieldKind::Bool,
        "Whether the visitor rode in the delivery van, which is forbidden (随车)",
    ),
    field(
        "ended_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the visit ended (结束时间)",
    ),
    field(
        "plan_item",
        FieldKind::Enum(PLAN_ITEMS),
        "Which planned item it was (拜访事项)",
    ),
    field(
        "result",
        FieldKind::Enum(RESULTS),
        "Result of the visit (拜访结果)",
    ),
    field(
        "problems_solved",
        FieldKind::U16,
        "Problems solved (已解决问题)",
    ),
    field(
        "problems_open",
        FieldKind::U16,
        "Problems left open (未解决问题)",
    ),
    field(
        "companions",
        FieldKind::U8,
        "Colleagues who came along (同行人数)",
    ),
    field(
        "guidance",
        FieldKind::List(GUIDANCE),
        "Guidance targets looked at (经营指导)",
    ),
    field(
        "feedback",
        FieldKind::List(FEEDBACK),
        "What the customer said (客户反馈)",
    ),
    field(
        "needs",
        FieldKind::List(NEEDS),
        "Needs the customer stated (需求分析)",
    ),
    field(
        "competitor",
        FieldKind::List(COMPETITOR),
        "Competitors' goods seen (竞品信息)",
    ),
    field("collection_id", FieldKind::Id, "Collection (信息采集)"),
    field(
        "iso_week",
        FieldKind::IsoWeek,
        "ISO week that the collection is for (采集周)",
    ),
    field(
        "method",
        FieldKind::Enum(COLLECTION_METHODS),
        "How it was collected (采集方式)",
    ),
    field("stock", FieldKind::List(STOCK), "Stock counted (库存盘点)"),
    field(
        "stockout",
        FieldKind::List(STOCKOUT),
        "Days out of stock (断货)",
    ),
    field(
        "check_id",
        FieldKind::Id,
        "Check of the classification (分类核查)",
    ),
    field(
        "checker_role",
        FieldKind::Enum(ROLES),
        "Role of the checker (核查人角色)",
    ),
    field(
        "dimensions",
        FieldKind::List(DIMENSION),
        "What was compared, per dimension (核查维度)",
    ),
    field(
        "change_id",
        FieldKind::Id,
        "Change of a customer's particulars (信息变更)",
    ),
    field(
        "learned_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the change became known (获知时间)",
    ),
    field(
        "updated_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the file was brought up to date (更新时间)",
    ),
    field(
        "fields",
        FieldKind::Codes,
        "Names of the fields that changed, never their values (变更字段)",
    ),
    field(
        "assessment_id",
        FieldKind::Id,
        "Assessment (大客户关系评估)",
    ),
    field(
        "items",
        FieldKind::List(INDICATOR),
        "Indicators assessed (评估项)",
    ),
    field(
        "advice",
        FieldKind::Enum(ADVICE),
        "Develop, maintain or end the relationship (关系建议)",
    ),
    field(
        "growth_rate_bp",
        FieldKind::Bp,
        "Growth in hundredths of a per cent (成长率)",
    ),
    field("credit_level", FieldKind::Code, "Credit level (信用度)"),
    field(
        "profit_rate_bp",
        FieldKind::Bp,
        "Profit in hundredths of a per cent (总利润率)",
    ),
    field("rank", FieldKind::U32, "Rank among key accounts (评核顺序)"),
    field(
        "training_plan_id",
        FieldKind::Id,
        "Training plan (培训计划)",
    ),
    field("topic", FieldKind::Code, "Topic of the training (培训主题)"),
    field(
        "attended",
        FieldKind::Bool,
        "Whether the customer attended (参加)",
    ),
    field(
        "month",
        FieldKind::Month,
        "Month of the appraisal (考核月份)",
    ),
    field(
        "item",
        FieldKind::Code,
        "Item of the appraisal, such as DAILY_WORK (考核项)",
    ),
    field(
        "score_bp",
        FieldKind::Bp,
        "Score in hundredths of a per cent (考核得分)",
    ),
];
