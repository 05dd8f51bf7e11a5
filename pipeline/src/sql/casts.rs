//! Casts in the queries of rounds: what the target cannot hold is NULL instead of an error, which would come again at every start.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Cast, Expr, LogicalPlan, TryCast};
use datafusion::optimizer::AnalyzerRule;

/// `CAST` as `TRY_CAST`, also where the planner has put it.
#[derive(Debug)]
pub(super) struct CastsDoNotFail;

impl AnalyzerRule for CastsDoNotFail {
    fn name(&self) -> &str {
        "casts_do_not_fail"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            let rewritten = node.map_expressions(|expr| {
                let name = names.save(&expr);
                let rewritten = expr.transform_up(|inner| Ok(rewrite(inner)))?;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })?;
            // A cast that may give NULL makes its column nullable, and the columns above it.
            rewritten.map_data(LogicalPlan::recompute_schema)
        })?;
        Ok(rewritten.data)
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
