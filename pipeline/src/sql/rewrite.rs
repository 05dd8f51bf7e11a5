//! Rewriting every expression of a plan, for analyzer rules.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, Union};

/// The plan with `rewrite` applied to each expression and what is inside it, innermost first; subqueries too.
///
/// `rewrite` receives the schema of the node's inputs. Columns keep their names. What it gives must have the type of what it was given,
/// and be NULL under the same conditions: nodes keep their schemas, and a plan whose parts disagree about NULL is refused.
pub(crate) fn rewrite_expressions(
    plan: LogicalPlan,
    mut rewrite: impl FnMut(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<Transformed<LogicalPlan>> {
    plan.transform_up_with_subqueries(|node| rewrite_node(node, &mut rewrite))
}

/// The same where `rewrite` may give NULL for what was never NULL: its column becomes nullable, and the columns above it.
pub(super) fn rewrite_to_nullable(
    plan: LogicalPlan,
    rewrite: impl FnMut(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<Transformed<LogicalPlan>> {
    let rewritten = rewrite_expressions(plan, rewrite)?;
    if !rewritten.transformed {
        return Ok(rewritten);
    }
    rewritten.transform_data(|plan| {
        plan.transform_up_with_subqueries(|node| Ok(Transformed::yes(with_schema_anew(node)?)))
    })
}

fn rewrite_node(
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

/// The node with the schema that follows from its inputs.
fn with_schema_anew(node: LogicalPlan) -> Result<LogicalPlan> {
    match node.recompute_schema()? {
        // A union keeps its schema there as long as the number of columns is the same.
        LogicalPlan::Union(union) => Ok(LogicalPlan::Union(nullable_as_inputs(union)?)),
        other => Ok(other),
    }
}

/// A column of a union is nullable where that of an input is.
fn nullable_as_inputs(union: Union) -> Result<Union> {
    let Union { inputs, schema } = union;
    let fields = schema
        .iter()
        .enumerate()
        .map(|(index, (qualifier, field))| {
            let mut of_inputs = inputs.iter().map(|input| input.schema().field(index));
            let is_nullable =
                field.is_nullable() || of_inputs.any(|of_input| of_input.is_nullable());
            let field = Field::clone(field).with_nullable(is_nullable);
            (qualifier.cloned(), Arc::new(field))
        });
    let metadata = schema.metadata().clone();
    let schema = DFSchema::new_with_metadata(fields.collect(), metadata)?;
    Ok(Union {
        inputs,
        schema: Arc::new(schema),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use datafusion::prelude::SessionContext;

    use crate::sql::fixture::assert_plans_agree_about_null;
    use crate::sql::{Arithmetic, register_all};

    /// Everything that a rule or a planner of this module puts in the place of something built in.
    const REWRITTEN: [&str; 14] = [
        "i + i",
        "i - 1",
        "i * d",
        "-i",
        "d + d",
        "d - i",
        "i / 2",
        "i % 2",
        "CAST(i AS INTEGER)",
        "CAST(s AS BIGINT)",
        "CAST(i + 1 AS DECIMAL(38, 6))",
        "(z AT TIME ZONE 'Asia/Shanghai')::timestamp",
        "date_trunc('day', (z AT TIME ZONE 'Asia/Shanghai')::timestamp)",
        "(z AT TIME ZONE 'Asia/Shanghai')::date",
    ];

    #[tokio::test]
    async fn a_rewritten_expression_says_everywhere_alike_whether_it_may_be_null() {
        for arithmetic in [Arithmetic::Checked, Arithmetic::Exact, Arithmetic::Linear] {
            let mut ctx = SessionContext::new();
            register_all(&mut ctx, arithmetic);
            assert_plans_agree_about_null(&ctx, &REWRITTEN).await;
        }
    }
}
