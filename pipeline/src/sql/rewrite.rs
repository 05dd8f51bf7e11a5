//! Rewriting every expression of a plan, for analyzer rules.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The plan with `rewrite` applied to each expression and what is inside it, innermost first; subqueries too.
///
/// `rewrite` receives the schema of the node's inputs. Columns keep their names.
pub(crate) fn rewrite_expressions(
    plan: LogicalPlan,
    mut rewrite: impl FnMut(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<Transformed<LogicalPlan>> {
    plan.transform_up_with_subqueries(|node| rewrite_node(node, &mut rewrite))
}

/// The same for one node.
pub(crate) fn rewrite_node(
    node: LogicalPlan,
    mut rewrite: impl FnMut(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|inner| Ok(rewrite(inner, &schema)))?;
        Ok(rewritten.update_data(|expr| name.restore(expr)))
    })
}
