//! Casts in the queries of rounds: what the target cannot hold is NULL instead of an error, which would come again at every start.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Cast, Expr, LogicalPlan, TryCast};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite::rewrite_to_nullable;

/// `CAST` as `TRY_CAST`, also where the planner has put it.
#[derive(Debug)]
pub(super) struct CastsDoNotFail;

impl AnalyzerRule for CastsDoNotFail {
    fn name(&self) -> &str {
        "casts_do_not_fail"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(rewrite_to_nullable(plan, |expr, _| rewrite(expr))?.data)
    }
}

fn rewrite(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::Cast(Cast { expr, field }) => {
            Transformed::yes(Expr::TryCast(TryCast { expr, field }))
        }
        other => Transformed::no(other),
    }
}
