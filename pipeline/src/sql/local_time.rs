//! `(t AT TIME ZONE 'Asia/Shanghai')::timestamp` is the local time, as `::date` is the local date; the built-in cast gives UTC.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::functions::datetime::to_local_time;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite::rewrite_to_nullable;

/// Puts `to_local_time` below casts that drop a zone. It says of itself that it may be NULL.
#[derive(Debug)]
pub(super) struct LocalTime;

impl AnalyzerRule for LocalTime {
    fn name(&self) -> &str {
        "local_time"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(rewrite_to_nullable(plan, rewrite)?.data)
    }
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::Cast(Cast { expr, field }) if drops_zone(&expr, field.data_type(), schema) => {
            let expr = Box::new(to_local_time().call(vec![*expr]));
            Transformed::yes(Expr::Cast(Cast { expr, field }))
        }
        other => Transformed::no(other),
    }
}

fn drops_zone(expr: &Expr, to: &DataType, schema: &DFSchema) -> bool {
    matches!(to, DataType::Timestamp(_, None))
        && matches!(expr.get_type(schema), Ok(DataType::Timestamp(_, Some(zone))) if &*zone != "UTC")
}
