//! `prices.v1`: list prices, market prices seen at retailers, price tags, promotions (domain 3.6).

use super::Topic;
use super::envelope::COLLECTION_METHODS;
use super::field::{EventType, Field, FieldKind, InstantRule, Key, field, optional, required};

const PRICE_TYPES: &[&str] = &["WHOLESALE", "SUGGESTED_RETAIL"];
const PRICE_BASES: &[&str] = &["SELLING", "BUYBACK"];

/// Fields of price events. A promotion's `start` and `end` are instants like `valid_from` (the domain gives no type); their columns
/// have longer names because `end` is an SQL keyword.
pub(super) const FIELDS: &[Field] = &[
    field("sku_id", FieldKind::Id, "SKU (品规)"),
    field(
        "region_code",
        FieldKind::RegionCode,
        "Region of the price; ALL or NULL = everywhere (地区)",
    ),
    field(
        "price_type",
        FieldKind::Enum(PRICE_TYPES),
        "Which list price (价格类型)",
    ),
    field(
        "price_fen",
        FieldKind::Price,
        "Price per base unit in fen, tax included (价格)",
    ),
    field(
        "valid_from",
        FieldKind::Instant(InstantRule::Announced),
        "The price applies from here (生效时间)",
    ),
    field(
        "valid_to",
        FieldKind::Instant(InstantRule::Announced),
        "Announced end; the next valid_from ends it (失效时间)",
    ),
    field(
        "doc_ref",
        FieldKind::Code,
        "Document that set the price (文号)",
    ),
    field(
        "collection_id",
        FieldKind::Id,
        "Collection that the observation belongs to (信息采集)",
    ),
    field(
        "observed_at",
        FieldKind::Instant(InstantRule::Observed),
        "When the price was seen (采价时间)",
    ),
    field(
        "iso_week",
        FieldKind::IsoWeek,
        "ISO week that the observation is for (采集周)",
    ),
    field(
        "method",
        FieldKind::Enum(COLLECTION_METHODS),
        "How it was collected (采集方式)",
    ),
    field(
        "price_basis",
        FieldKind::Enum(PRICE_BASES),
        "Price at which the retailer sells, or buys back (价格口径)",
    ),
    field(
        "on_promotion",
        FieldKind::Bool,
        "Whether the price was a promotion's (促销价)",
    ),
    field(
        "tag_present",
        FieldKind::Bool,
        "Whether a price tag was there (明码标价)",
    ),
    field(
        "tag_price_fen",
        FieldKind::Price,
        "Price on the tag in fen (标价)",
    ),
    field(
        "till_price_fen",
        FieldKind::Price,
        "Price at the till in fen (实收价)",
    ),
    field(
        "product_text",
        FieldKind::Code,
        "Competitor's product, by a code (竞品)",
    ),
    field("promotion_id", FieldKind::Id, "Promotion (促销)"),
    field(
        "start",
        FieldKind::Instant(InstantRule::Announced),
        "First instant of the promotion (促销开始)",
    )
    .column_named("promotion_start"),
    field(
        "end",
        FieldKind::Instant(InstantRule::Announced),
        "End of the promotion, exclusive (促销结束)",
    )
    .column_named("promotion_end"),
];

pub(super) const EVENT_TYPES: &[EventType] = &[
    EventType {
        name: "price.list_set",
        topic: Topic::Prices,
        key: Key::Any,
        doc: "A list price was announced.",
        fields: &[
            required("sku_id"),
            required("price_type"),
            required("price_fen"),
            required("valid_from"),
            optional("region_code"),
            optional("valid_to"),
            optional("doc_ref"),
        ],
    },
    EventType {
        name: "price.observed",
        topic: Topic::Prices,
        key: Key::Any,
        doc: "A market price was seen at a retailer.",
        fields: &[
            required("customer_id"),
            required("sku_id"),
            required("price_fen"),
            required("observed_at"),
            optional("collection_id"),
            optional("iso_week"),
            optional("method"),
            optional("price_basis"),
            optional("on_promotion"),
        ],
    },
    EventType {
        name: "price.tag_checked",
        topic: Topic::Prices,
        key: Key::Any,
        doc: "A retailer's price tag was compared with the till.",
        fields: &[
            required("customer_id"),
            required("sku_id"),
            required("tag_present"),
            optional("tag_price_fen"),
            optional("till_price_fen"),
        ],
    },
    EventType {
        name: "price.competitor_observed",
        topic: Topic::Prices,
        key: Key::Any,
        doc: "A competitor's price was seen.",
        fields: &[
            optional("product_text"),
            optional("price_fen"),
            optional("region_code"),
        ],
    },
    EventType {
        name: "price.promotion_set",
        topic: Topic::Prices,
        key: Key::Any,
        doc: "A promotion was announced.",
        fields: &[
            required("promotion_id"),
            required("sku_id"),
            required("start"),
            required("end"),
            optional("price_fen"),
        ],
    },
];
