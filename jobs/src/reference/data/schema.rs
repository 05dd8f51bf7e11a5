//! The reference tables and the types of their columns (contract, section 4).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};

/// The type of a column, and so how its text in a CSV file is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Text,
    /// Texts separated by `|`.
    TextList,
    /// `true` or `false`.
    Flag,
    /// `YYYY-MM-DD`.
    Date,
    /// RFC 3339 in a CSV file.
    Instant,
    /// A whole quantity that is not negative (K25).
    Quantity,
}

impl ColumnKind {
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::TextList => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Self::Flag => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Quantity => DataType::Int64,
        }
    }
}

/// A reference table: the file `<name>.csv` or `<name>.parquet`.
#[derive(Debug)]
pub(super) struct ReferenceTable {
    pub name: &'static str,
    /// Its name among the `asof.*` tables of metric queries; `None`: not one of them.
    pub as_of: Option<&'static str>,
    /// Columns that together identify the subject of a row; never empty.
    pub key: &'static [&'static str],
    /// All columns except `valid_from` and `valid_to`.
    pub columns: &'static [(&'static str, ColumnKind)],
    /// (column, table whose key it holds, a value that is always valid)
    pub foreign_keys: &'static [(&'static str, &'static str, Option<&'static str>)],
}

impl ReferenceTable {
    /// Its columns and the two of validity, which every table has.
    pub(super) fn all_columns(&self) -> impl Iterator<Item = (&'static str, ColumnKind)> {
        let validity = [
            (VALID_FROM, ColumnKind::Instant),
            (VALID_TO, ColumnKind::Instant),
        ];
        self.columns.iter().copied().chain(validity)
    }
}

pub(super) const VALID_FROM: &str = "valid_from";
pub(super) const VALID_TO: &str = "valid_to";

pub(super) const CUSTOMER: &str = "ref_customer";
pub(super) const TERRITORY: &str = "ref_territory";
pub(super) const SKU: &str = "ref_sku";
const UNIT: &str = "ref_unit";
pub(super) const CALENDAR: &str = "ref_calendar";
pub(super) const ALLOCATION_PLAN: &str = "ref_allocation_plan";

/// In place of an id: whatever it is.
pub(super) const ALL: &str = "ALL";

use ColumnKind::{Date, Flag, Quantity, Text, TextList};

/// Every table that is read.
pub(super) static TABLES: &[ReferenceTable] = &[
    ReferenceTable {
        name: CUSTOMER,
        as_of: Some("customer"),
        key: &["customer_id"],
        columns: &[
            ("customer_id", Text),
            ("customer_kind", Text),
            ("status", Text),
            ("class_id", Text),
            ("market_type", Text),
            ("business_type", Text),
            ("scale", Text),
            ("trade_area", Text),
            ("territory_id", Text),
            ("area_unit_id", Text),
            ("region_code", Text),
            ("route_id", Text),
            ("client_manager_id", Text),
            ("is_sample", Flag),
            ("delivery_mode", Text),
            ("settlement_mode", Text),
            ("order_weekdays", TextList),
            ("rural_station_id", Text),
        ],
        foreign_keys: &[("territory_id", TERRITORY, None)],
    },
    ReferenceTable {
        name: SKU,
        as_of: Some("sku"),
        key: &["sku_id"],
        columns: &[
            ("sku_id", Text),
            ("brand_id", Text),
            ("manufacturer_id", Text),
            ("product_line", Text),
            ("price_band", Text),
            ("supply_status", Text),
            ("is_key_brand", Flag),
            ("base_unit", Text),
            ("launch_date", Date),
        ],
        foreign_keys: &[],
    },
    ReferenceTable {
        name: TERRITORY,
        as_of: Some("territory"),
        key: &["territory_id"],
        columns: &[
            ("territory_id", Text),
            ("area_unit_id", Text),
            ("region_code", Text),
            ("client_manager_id", Text),
            ("market_manager_id", Text),
        ],
        foreign_keys: &[("area_unit_id", UNIT, None)],
    },
    ReferenceTable {
        name: "ref_staff",
        as_of: None,
        key: &["staff_id"],
        columns: &[
            ("staff_id", Text),
            ("role", Text),
            ("unit_id", Text),
            ("manager_id", Text),
            ("territory_ids", TextList),
        ],
        foreign_keys: &[("unit_id", UNIT, None), ("manager_id", "ref_staff", None)],
    },
    ReferenceTable {
        name: UNIT,
        as_of: Some("unit"),
        key: &["unit_id"],
        columns: &[
            ("unit_id", Text),
            ("unit_kind", Text),
            ("parent_id", Text),
            ("open_time", Text),
            ("close_time", Text),
        ],
        foreign_keys: &[("parent_id", UNIT, None)],
    },
    ReferenceTable {
        name: "ref_sample_basket",
        as_of: Some("sample_basket"),
        key: &["territory_id", "sku_id"],
        columns: &[("territory_id", Text), ("sku_id", Text)],
        foreign_keys: &[
            ("territory_id", TERRITORY, Some(ALL)),
            ("sku_id", SKU, None),
        ],
    },
    ReferenceTable {
        name: CALENDAR,
        as_of: None,
        key: &["date"],
        columns: &[("date", Date), ("day_kind", Text), ("name", Text)],
        foreign_keys: &[],
    },
    ReferenceTable {
        name: ALLOCATION_PLAN,
        as_of: None,
        // Whatever it is called, the plan that began last is in force.
        key: &["sku_id", "class_id", "area_unit_id"],
        columns: &[
            ("plan_id", Text),
            ("sku_id", Text),
            ("class_id", Text),
            ("area_unit_id", Text),
            ("cap_qty", Quantity),
            ("supply_qty", Quantity),
        ],
        foreign_keys: &[("sku_id", SKU, None), ("area_unit_id", UNIT, Some(ALL))],
    },
];

/// Tables of the contract that no metric reads yet: their files are ignored.
pub(super) static NOT_READ_YET: &[&str] = &[
    "ref_forecast",
    "ref_metric_target",
    "ref_kpi_profile",
    "ref_alert_policy",
    "ref_sla_policy",
    "ref_training_plan",
    "ref_entitlement",
];
