//! `metrics.*`: one table per grain, with all revisions of its rows.

use arrow::datatypes::Field;

use super::TableDescription;
use super::column::{
    bigint, boolean, commented, date, decimal, double, filled, instant, int, text,
};

/// The metric tables: window, dimensions, additive parts, ratios, then what the publisher adds to a row.
///
/// The latest revision of a row is the current one; a row that no longer exists gets a last revision with `n` = 0.
pub fn metric_tables() -> Vec<TableDescription> {
    vec![
        metric(
            "demand_orders",
            "Demand per SKU, territory and class, M01 (订单需求)",
            &["sku_id", "territory_id", "class_id"],
            vec![
                bigint(
                    "requested_qty",
                    "Quantity asked for, last version before allocation (需求量)",
                ),
                bigint("requested_fen", "Its wholesale value in fen (需求金额)"),
                bigint("allocated_qty", "Quantity allocated (投放量)"),
                bigint("allocated_fen", "Its wholesale value in fen (投放金额)"),
                bigint("delivered_qty", "Quantity delivered (送货量)"),
                bigint("delivered_fen", "Its wholesale value in fen (送货金额)"),
                bigint("returned_qty", "Quantity returned (退货量)"),
                bigint("returned_fen", "Its wholesale value in fen (退货金额)"),
                bigint("cancelled_qty", "Quantity of cancelled orders (取消量)"),
                bigint("cancelled_fen", "Its wholesale value in fen (取消金额)"),
                bigint(
                    "unmet_qty",
                    "Asked for and not allocated, over orders with an allocation (未满足量)",
                ),
                bigint(
                    "unpriced_qty",
                    "Quantity without any price, which adds no value (无价量)",
                ),
                bigint(
                    "emergency_requested_qty",
                    "Part of requested_qty asked for in emergency replenishment (应急补货量)",
                ),
                bigint(
                    "orders",
                    "Distinct orders with requested lines; not additive (订单数)",
                ),
                bigint(
                    "customers",
                    "Distinct customers with requested lines; not additive (订货户数)",
                ),
                bigint(
                    "censored_orders_n",
                    "Those of the orders whose quantity may understate demand, K27; not additive (受限订单数)",
                ),
            ],
        ),
        metric(
            "sell_through",
            "Sales of sample retailers to consumers, from stock counts and deliveries, M02 (社会销量)",
            &["customer_id", "sku_id", "territory_id", "class_id"],
            vec![
                decimal(
                    "sell_through_qty",
                    "Quantity sold to consumers; NULL where all intervals are negative, K32 (社会销量)",
                ),
                bigint(
                    "negative_intervals",
                    "Intervals between counts with negative sales, not in the quantity (负区间)",
                ),
            ],
        ),
        metric(
            "stock_to_sales",
            "Closing stock against sell-through, M03 (存销比)",
            &["customer_id", "sku_id", "territory_id", "class_id"],
            vec![
                bigint("closing_stock_qty", "Last count in the window (期末库存)"),
                decimal(
                    "sell_through_qty",
                    "Quantity sold to consumers in the window; NULL where all intervals are negative, K32 (社会销量)",
                ),
                double("ssr_ratio", "Stock / sales, in windows of cover (存销比)"),
                double("days_of_cover", "Stock / sales per day (可销天数)"),
                text(
                    "band",
                    "LOW under 5 days of cover, NORMAL, HIGH over 21 (库存区间)",
                ),
                boolean(
                    "no_sales",
                    "Stock but no sales, so no ratio; NULL where sales are not known (无动销)",
                ),
            ],
        ),
        metric(
            "retailer_margin",
            "Gross margin of a retailer and its distance to 10 %, M06 (零售毛利率)",
            &["customer_id", "territory_id", "class_id"],
            vec![
                decimal("sales_fen", "Sales value in fen, weight x price (销售额)"),
                decimal("cost_fen", "Cost in fen, weight x unit cost (成本)"),
                bigint("skus_n", "SKUs in the sums (品规数)"),
                decimal(
                    "observed_sales_fen",
                    "Part of sales_fen with OWN or TERRITORY price (采价销售额)",
                ),
                decimal(
                    "observed_cost_fen",
                    "Part of cost_fen with OWN or TERRITORY price (采价成本)",
                ),
                bigint(
                    "observed_skus_n",
                    "SKUs with OWN or TERRITORY price (采价品规数)",
                ),
                double("gm_ratio", "(sales - cost) / sales (毛利率)"),
                double("distance_ratio", "gm_ratio - 0.10 (与目标差距)"),
                text(
                    "band",
                    "BELOW under 9 %, ON_TARGET, ABOVE over 11 % (毛利区间)",
                ),
            ],
        ),
        metric(
            "retailer_margin_by_sku",
            "Gross margin of a retailer by SKU, M06 (单品毛利率)",
            &["customer_id", "sku_id", "territory_id", "class_id"],
            vec![
                decimal("weight_qty", "Quantity that weighs price and cost (权重)"),
                text(
                    "weight_source",
                    "SELL_THROUGH, DELIVERED or CARRIED (权重来源)",
                ),
                decimal("price_fen", "Retail price in fen (零售价)"),
                text(
                    "price_source",
                    "OWN, TERRITORY, SUGGESTED or NONE (价格来源)",
                ),
                decimal("unit_cost_fen", "Cost per base unit in fen (单位成本)"),
                text("cost_source", "DELIVERIES, LIST or NONE (成本来源)"),
                decimal(
                    "sales_fen",
                    "Weight x price in fen; NULL without a price or cost (销售额)",
                ),
                decimal(
                    "cost_fen",
                    "Weight x unit cost in fen; NULL without a price or cost (成本)",
                ),
                double("gm_ratio", "(sales - cost) / sales (毛利率)"),
            ],
        ),
        metric(
            "satisfaction",
            "Answers of surveys by question, M18 (满意度)",
            &[
                "question_id",
                "unit_id",
                "survey_tool",
                "class_id",
                "area_unit_id",
                "customer_kind",
            ],
            vec![
                bigint("answers_n", "Answers with a score (回答数)"),
                bigint("satisfied_n", "Answers 4 or 5 (满意数)"),
                bigint("score_sum", "Sum of scores (评分合计)"),
                double("csat_ratio", "satisfied_n / answers_n (满意率)"),
                double("score", "(mean score - 1) / 4 x 100 (满意度得分)"),
                double(
                    "slope_per_week",
                    "Points a week over 8 weeks, at least 6 of them with a row (周趋势)",
                ),
            ],
        ),
        metric(
            "satisfaction_response",
            "Answers to invitations sent, M18 (调查回收)",
            &[
                "unit_id",
                "survey_tool",
                "class_id",
                "area_unit_id",
                "customer_kind",
            ],
            vec![
                bigint("sent_n", "Invitations sent (发出数)"),
                bigint("answered_of_sent_n", "Of these, answered (回收数)"),
                double("response_ratio", "answered_of_sent_n / sent_n (回收率)"),
            ],
        ),
        metric(
            "sla_compliance",
            "Steps of service cases against their deadlines, M19 (时限达成率)",
            &["step_id", "unit_id", "case_kind", "category"],
            vec![
                bigint("met_n", "Steps met (达成数)"),
                bigint("breached_n", "Steps breached (超时数)"),
                bigint("pending_n", "Steps not decided yet (待定数)"),
                bigint(
                    "overrun_sum_ms",
                    "Sum of overruns of steps that stopped late, in milliseconds (超时合计)",
                ),
                double(
                    "compliance_ratio",
                    "met_n / (met_n + breached_n) (时限达成率)",
                ),
            ],
        ),
    ]
}

fn dimension(name: &'static str) -> Field {
    let comment = match name {
        "sku_id" => "SKU (品规)",
        "territory_id" => "Territory (片区)",
        "class_id" => "Class of retailer (客户类别)",
        "customer_id" => "Customer, an opaque id (客户)",
        "question_id" => "Question, Q0 = overall (问题)",
        "unit_id" => "Unit (部门)",
        "survey_tool" => "Tool of the survey (调查方式)",
        "area_unit_id" => "Area unit (区域市场部)",
        "customer_kind" => "Kind of customer (客户类型)",
        "step_id" => "Step of the SLA table (时限环节)",
        "case_kind" => "Kind of case (个案类型)",
        "category" => "What the case is about (类别)",
        other => other,
    };
    filled(text(name, comment))
}

fn metric(
    name: &'static str,
    comment: &'static str,
    dimensions: &'static [&'static str],
    measures: Vec<Field>,
) -> TableDescription {
    let window = [
        filled(text(
            "window_kind",
            "D1 day, W1 ISO week, MO month, H7 and H28 hopping days, HR hour (窗口类型)",
        )),
        filled(instant(
            "window_start",
            "First instant of the window, UTC (窗口开始)",
        )),
        filled(instant(
            "window_end",
            "End of the window, exclusive, UTC (窗口结束)",
        )),
    ];
    let revision = [
        filled(bigint(
            "n",
            "Facts behind the row; 0 = the row is gone (事实数)",
        )),
        filled(int("revision", "Revision of the row, from 1 (版本)")),
        filled(boolean(
            "restated",
            "Changed after the row was final (重述)",
        )),
        filled(instant(
            "emitted_at",
            "When the revision was made, UTC (发布时间)",
        )),
        filled(bigint("epoch", "Epoch that published it (发布批次)")),
        filled(date(
            "window_date",
            "Local date of window_start; partition (窗口日期)",
        )),
    ];
    let dimension_fields = dimensions.iter().map(|name| dimension(name));
    let fields = window
        .into_iter()
        .chain(dimension_fields)
        .chain(measures)
        .chain(revision);
    let key = ["window_kind", "window_start"]
        .into_iter()
        .chain(dimensions.iter().copied());
    let key: Vec<&'static str> = key.collect();
    TableDescription {
        schema_name: "metrics",
        name,
        schema: commented(fields.collect(), comment),
        partition_by: Some("window_date"),
        sort_by: key.clone(),
        key,
        is_view: false,
    }
}
