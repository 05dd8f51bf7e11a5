//! `||` with a bound on its result: text that doubles a few times is larger than any column.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::kernels::concat_elements::concat_elements_dyn;
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::argument::Argument;
use super::check;

/// Puts the bounded operator in place of the built-in one.
#[derive(Debug)]
pub(super) struct LimitedConcat {
    pub limit: u64,
}

impl AnalyzerRule for LimitedConcat {
    fn name(&self) -> &str {
        "limited_concat"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let rewritten = expr.transform_up(|inner| Ok(self.rewrite(inner, &schema)))?;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(rewritten.data)
    }
}

impl LimitedConcat {
    fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        let Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::StringConcat,
            right,
        }) = &expr
        else {
            return Transformed::no(expr);
        };
        let type_of = |side: &Expr| side.get_type(schema).ok();
        let result = match (type_of(left), type_of(right)) {
            (Some(left), Some(right)) if left == right && left.is_string() => left,
            _ => return Transformed::no(expr),
        };
        let arguments = vec![left.as_ref().clone(), right.as_ref().clone()];
        let function = ScalarUDF::new_from_impl(Concat {
            result,
            limit: self.limit,
            signature: Signature::any(2, Volatility::Immutable),
        });
        Transformed::yes(Arc::new(function).call(arguments))
    }
}

/// Two texts of one type, one behind the other.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Concat {
    result: DataType,
    limit: u64,
    signature: Signature,
}

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &str {
        "text_concat"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = take_function_args(self.name(), args.args)?;
        let sides = [Argument::new(&left)?, Argument::new(&right)?];
        let is_constant = sides.iter().all(Argument::is_constant);
        let rows = if is_constant { 1 } else { args.number_rows };
        let bytes = (0..rows).map(|row| sides[0].bytes(row) + sides[1].bytes(row));
        let bytes: u128 = bytes.sum();
        // A constant later stands in each row of a batch.
        let times = if is_constant {
            args.config_options.execution.batch_size.get()
        } else {
            1
        };
        check("||", bytes * times as u128, self.limit)?;
        let sides = [left.into_array(rows)?, right.into_array(rows)?];
        let joined: ArrayRef = concat_elements_dyn(&sides[0], &sides[1])?;
        if is_constant {
            let joined = ScalarValue::try_from_array(&joined, 0)?;
            return Ok(ColumnarValue::Scalar(joined));
        }
        Ok(ColumnarValue::Array(joined))
    }
}
