#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use arrow::datatypes::{DataType, TimeUnit};

use super::column::COMMENT;
use super::*;

#[test]
fn every_table_and_column_has_a_comment_in_both_languages() {
    for table in all_tables() {
        let comment = &table.schema.metadata()[COMMENT];
        assert!(
            comment.ends_with(')') && !comment.is_ascii(),
            "{}: {comment}",
            table.name
        );
        for field in table.schema.fields() {
            let comment = field.metadata().get(COMMENT);
            let comment = comment.unwrap_or_else(|| panic!("{}.{}", table.name, field.name()));
            assert!(
                !comment.is_ascii(),
                "{}.{}: {comment}",
                table.name,
                field.name()
            );
        }
    }
}

#[test]
fn keys_orders_and_partitions_name_columns() {
    let mut names = HashSet::new();
    for table in all_tables() {
        assert!(
            names.insert((table.schema_name, table.name)),
            "{} twice",
            table.name
        );
        let columns: HashSet<_> = table
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(columns.len(), table.schema.fields().len(), "{}", table.name);
        for column in table
            .key
            .iter()
            .chain(&table.sort_by)
            .chain(&table.partition_by)
        {
            assert!(columns.contains(column), "{}: {column}", table.name);
        }
    }
}

/// Delta has no unsigned numbers, and instants with a zone only in UTC microseconds.
#[test]
fn every_type_is_one_that_delta_has() {
    fn is_stored(data_type: &DataType) -> bool {
        match data_type {
            DataType::Utf8
            | DataType::Binary
            | DataType::Boolean
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float64
            | DataType::Date32
            | DataType::Decimal128(38, 6) => true,
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => &**zone == "UTC",
            DataType::List(element) => {
                element.name() == "element" && is_stored(element.data_type())
            }
            DataType::Struct(fields) => fields.iter().all(|field| is_stored(field.data_type())),
            _ => false,
        }
    }
    for table in all_tables() {
        for field in table.schema.fields() {
            assert!(is_stored(field.data_type()), "{}.{field:?}", table.name);
        }
    }
}

#[test]
fn metric_columns_are_those_of_the_contract() {
    let between = |name: &str| -> Vec<String> {
        let table = find("metrics", name).unwrap();
        let names: Vec<String> = table
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        assert_eq!(names[..3], ["window_kind", "window_start", "window_end"]);
        let tail = [
            "n",
            "revision",
            "restated",
            "emitted_at",
            "epoch",
            "window_date",
        ];
        assert_eq!(names[names.len() - 6..], tail);
        names[3..names.len() - 6].to_vec()
    };
    let contract = [
        (
            "demand_orders",
            "sku_id territory_id class_id requested_qty requested_fen allocated_qty allocated_fen delivered_qty delivered_fen \
             returned_qty returned_fen cancelled_qty cancelled_fen unmet_qty unpriced_qty emergency_requested_qty orders customers \
             censored_orders_n",
        ),
        (
            "sell_through",
            "customer_id sku_id territory_id class_id sell_through_qty negative_intervals",
        ),
        (
            "stock_to_sales",
            "customer_id sku_id territory_id class_id closing_stock_qty sell_through_qty ssr_ratio days_of_cover band no_sales",
        ),
        (
            "retailer_margin",
            "customer_id territory_id class_id sales_fen cost_fen skus_n observed_sales_fen observed_cost_fen observed_skus_n \
             gm_ratio distance_ratio band",
        ),
        (
            "retailer_margin_by_sku",
            "customer_id sku_id territory_id class_id weight_qty weight_source price_fen price_source unit_cost_fen cost_source \
             sales_fen cost_fen gm_ratio",
        ),
        (
            "satisfaction",
            "question_id unit_id survey_tool class_id area_unit_id customer_kind answers_n satisfied_n score_sum csat_ratio score \
             slope_per_week",
        ),
        (
            "satisfaction_response",
            "unit_id survey_tool class_id area_unit_id customer_kind sent_n answered_of_sent_n response_ratio",
        ),
        (
            "sla_compliance",
            "step_id unit_id case_kind category met_n breached_n pending_n overrun_sum_ms compliance_ratio",
        ),
    ];
    for (name, columns) in contract {
        assert_eq!(between(name).join(" "), columns, "{name}");
    }
    assert_eq!(metric_tables().len(), contract.len());
}

#[test]
fn metric_types_follow_the_contract() {
    let data_type = |table: &str, column: &str| {
        let table = find("metrics", table).unwrap();
        table
            .schema
            .field_with_name(column)
            .unwrap()
            .data_type()
            .clone()
    };
    let decimal = DataType::Decimal128(38, 6);
    assert_eq!(data_type("demand_orders", "requested_fen"), DataType::Int64);
    assert_eq!(
        data_type("stock_to_sales", "closing_stock_qty"),
        DataType::Int64
    );
    assert_eq!(data_type("stock_to_sales", "sell_through_qty"), decimal);
    assert_eq!(data_type("stock_to_sales", "no_sales"), DataType::Boolean);
    assert_eq!(data_type("retailer_margin", "cost_fen"), decimal);
    assert_eq!(
        data_type("retailer_margin_by_sku", "unit_cost_fen"),
        decimal
    );
    assert_eq!(
        data_type("satisfaction", "slope_per_week"),
        DataType::Float64
    );
    assert_eq!(data_type("sla_compliance", "revision"), DataType::Int32);
    assert_eq!(data_type("sla_compliance", "window_date"), DataType::Date32);
}

#[test]
fn ops_feeds_and_events_are_complete() {
    let names = |schema: &str| -> Vec<&'static str> {
        let tables = all_tables()
            .into_iter()
            .filter(|table| table.schema_name == schema);
        tables.map(|table| table.name).collect()
    };
    assert_eq!(
        names("ops").join(" "),
        "epochs finality watermarks data_quality conservation dead_letters late_events orphans alerts deliveries rules sla_steps"
    );
    assert_eq!(names("feeds"), ["demand_daily", "status"]);
    assert_eq!(
        names("events"),
        ["orders", "visits", "complaints", "prices"]
    );
    let views: Vec<_> = all_tables()
        .into_iter()
        .filter(|table| table.is_view)
        .map(|table| table.name)
        .collect();
    assert_eq!(views, ["orphans", "sla_steps"]);
}
