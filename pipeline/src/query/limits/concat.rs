//! `||` with a bound on its result: text that doubles a few times is larger than any column.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::kernels::concat_elements::concat_elements_dyn;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::argument::Argument;
use super::check;
use crate::sql::rewrite_expressions;

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
        Ok(rewrite_expressions(plan, |expr, schema| self.rewrite(expr, schema))?.data)
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
        // A concatenation knows its own type: see `CheckedOperators`.
        let type_of = |side: &Expr| match side {
            Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<Concat>() {
                Some(concat) => Some(concat.result.clone()),
                None => side.get_type(schema).ok(),
            },
            side => side.get_type(schema).ok(),
        };
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

    /// NULL only where a side is, as the built-in operator says too.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let field = Field::new(self.name(), self.result.clone(), is_nullable);
        Ok(Arc::new(field))
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
