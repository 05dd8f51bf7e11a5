//! `feeds.*`: what forecasters read.

use super::TableDescription;
use super::column::{bigint, boolean, commented, date, filled, instant, int, text};

/// The demand feed and the status of its days.
pub(super) fn feeds_tables() -> Vec<TableDescription> {
    vec![demand_daily(), status()]
}

/// `censored` (K27) goes by the counted orders of the day, with class and area of each as of its `order.placed`. A row without one, such
/// as a zero-filled one, is censored where the SKU is CONSTRAINED at the day's end and no plan of it is in force then for the
/// territory's area, whatever the class.
fn demand_daily() -> TableDescription {
    let fields = vec![
        filled(text("unique_id", "Series: sku_id|territory_id (序列)")),
        filled(date("ds", "Local date (日期)")),
        bigint("y", "Requested quantity (需求量)"),
        bigint("y_allocated", "Allocated quantity (投放量)"),
        bigint("y_delivered", "Delivered quantity (送货量)"),
        bigint("returned", "Returned quantity (退货量)"),
        bigint(
            "unmet_qty",
            "Asked for and not allocated, on the day of the allocation, K10 (未满足量)",
        ),
        filled(boolean(
            "censored",
            "y may understate demand: an order asked for its cap, or a constrained SKU has no plan, K27 (受限)",
        )),
        filled(boolean(
            "is_zero_filled",
            "No fact behind the row: an explicit zero (补零)",
        )),
        boolean(
            "is_working_day",
            "Working day; NULL without a calendar of the year (工作日)",
        ),
        boolean(
            "is_holiday",
            "Day off by the State Council's list; NULL without a calendar (节假日)",
        ),
        int(
            "days_to_holiday",
            "Days to the next holiday, 0 on one; NULL without a calendar (距节假日天数)",
        ),
        filled(int("revision", "Revision of the row, from 1 (版本)")),
        filled(instant(
            "as_of",
            "When the revision was known, UTC (截至时间)",
        )),
        filled(bigint("epoch", "Epoch that published it (发布批次)")),
        filled(bigint(
            "n",
            "1; 0 where the series begins later than was thought and the row no longer holds (有效行)",
        )),
        filled(date("window_date", "Same as ds; partition (日期分区)")),
    ];
    TableDescription {
        schema_name: "feeds",
        name: "demand_daily",
        schema: commented(
            fields,
            "Daily demand per SKU and territory, without gaps; a quantity is NULL where its sum leaves BIGINT (需求日数据)",
        ),
        partition_by: Some("window_date"),
        sort_by: vec!["unique_id", "ds"],
        key: vec!["unique_id", "ds"],
        is_view: false,
    }
}

/// The checksum is the SHA-256, in hexadecimal digits, of a line for each row that was in force on that day when the control
/// record was sent: `unique_id|ds|y|y_allocated|y_delivered|returned|unmet_qty|censored|is_zero_filled` and a line feed, in
/// the order of `unique_id`; a quantity that is NULL is empty.
fn status() -> TableDescription {
    let fields = vec![
        filled(text("feed", "Feed, such as demand_daily (数据流)")),
        filled(date("ds", "Local date that the row is about (日期)")),
        filled(text(
            "control",
            "final or restated, as in the control record's header (状态)",
        )),
        filled(bigint(
            "rows",
            "Rows of the day, as in the control record (行数)",
        )),
        filled(text(
            "checksum",
            "Checksum of the day's rows, as in the control record (校验和)",
        )),
        filled(bigint(
            "sequence",
            "Sequence of the control record in the feed (序号)",
        )),
        filled(instant("emitted_at", "When it was said, UTC (发布时间)")),
        filled(bigint("epoch", "Epoch that published it (发布批次)")),
    ];
    TableDescription {
        schema_name: "feeds",
        name: "status",
        schema: commented(
            fields,
            "Days that are final for all shards, or restated after that (数据流状态)",
        ),
        partition_by: None,
        sort_by: vec!["feed", "ds", "sequence"],
        key: vec!["feed", "ds", "sequence"],
        is_view: false,
    }
}
