//! `+ - *` and the sign in queries of readers: the built-in operators wrap around, these fail in words.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Datum};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

/// Puts checked operators in place of the built-in ones once types are settled.
#[derive(Debug)]
pub(super) struct CheckedOperators;

impl AnalyzerRule for CheckedOperators {
    fn name(&self) -> &str {
        "checked_operators"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let rewritten = expr.transform_up(|inner| Ok(rewrite(inner, &schema)))?;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(rewritten.data)
    }
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (operation, arguments) = match &expr {
        Expr::BinaryExpr(binary) => {
            let Some(operation) = Operation::of(binary.op) else {
                return Transformed::no(expr);
            };
            (operation, vec![&*binary.left, &*binary.right])
        }
        Expr::Negative(inner) => (Operation::Negate, vec![&**inner]),
        _ => return Transformed::no(expr),
    };
    let wraps = |argument: &&Expr| argument.get_type(schema).is_ok_and(|of| can_wrap(&of));
    if !arguments.iter().all(wraps) {
        return Transformed::no(expr);
    }
    let Ok(result) = expr.get_type(schema) else {
        return Transformed::no(expr);
    };
    let arguments = arguments.into_iter().cloned().collect();
    let function = ScalarUDF::new_from_impl(CheckedOperator::new(operation, result));
    Transformed::yes(Arc::new(function).call(arguments))
}

/// Whether the built-in operators over the type wrap around, or leave its precision.
fn can_wrap(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_decimal()
        || matches!(data_type, DataType::Duration(_) | DataType::Interval(_))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Negate,
}

impl Operation {
    fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Plus => Self::Add,
            Operator::Minus => Self::Subtract,
            Operator::Multiply => Self::Multiply,
            _ => return None,
        })
    }
}

/// One operator over arguments whose types are settled; `result` is its type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedOperator {
    operation: Operation,
    result: DataType,
    signature: Signature,
}

impl CheckedOperator {
    fn new(operation: Operation, result: DataType) -> Self {
        let arguments = match operation {
            Operation::Negate => 1,
            Operation::Add | Operation::Subtract | Operation::Multiply => 2,
        };
        Self {
            operation,
            result,
            signature: Signature::any(arguments, Volatility::Immutable),
        }
    }

    /// The result as its type says: arrow checks the 128 bits of a decimal, not its digits.
    fn conform(&self, result: ArrayRef) -> Result<ArrayRef> {
        match self.result {
            DataType::Decimal128(precision, scale) => {
                let result = result.as_primitive::<Decimal128Type>();
                result.validate_decimal_precision(precision)?;
                let result = result.clone();
                Ok(Arc::new(result.with_precision_and_scale(precision, scale)?))
            }
            DataType::Decimal256(precision, scale) => {
                let result = result.as_primitive::<Decimal256Type>();
                result.validate_decimal_precision(precision)?;
                let result = result.clone();
                Ok(Arc::new(result.with_precision_and_scale(precision, scale)?))
            }
            _ if *result.data_type() == self.result => Ok(result),
            _ => Ok(arrow::compute::cast(&result, &self.result)?),
        }
    }
}

impl ScalarUDFImpl for CheckedOperator {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Add => "checked_add",
            Operation::Subtract => "checked_subtract",
            Operation::Multiply => "checked_multiply",
            Operation::Negate => "checked_negate",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, arrow::error::ArrowError>;
        let kernel: Kernel = match (self.operation, args.args.as_slice()) {
            (Operation::Negate, [ColumnarValue::Array(x)]) => {
                return Ok(ColumnarValue::Array(
                    self.conform(numeric::neg(x.as_ref())?)?,
                ));
            }
            (Operation::Negate, [ColumnarValue::Scalar(x)]) => {
                return self.scalar(numeric::neg(x.to_array()?.as_ref())?);
            }
            (Operation::Add, _) => numeric::add,
            (Operation::Subtract, _) => numeric::sub,
            (Operation::Multiply, _) => numeric::mul,
            (Operation::Negate, _) => return exec_err!("the sign takes one argument"),
        };
        let [a, b] = args.args.as_slice() else {
            return exec_err!("an operator takes two arguments");
        };
        Ok(match (a, b) {
            (ColumnarValue::Scalar(a), ColumnarValue::Scalar(b)) => {
                return self.scalar(kernel(&a.to_scalar()?, &b.to_scalar()?)?);
            }
            (ColumnarValue::Scalar(a), ColumnarValue::Array(b)) => {
                ColumnarValue::Array(self.conform(kernel(&a.to_scalar()?, b)?)?)
            }
            (ColumnarValue::Array(a), ColumnarValue::Scalar(b)) => {
                ColumnarValue::Array(self.conform(kernel(a, &b.to_scalar()?)?)?)
            }
            (ColumnarValue::Array(a), ColumnarValue::Array(b)) => {
                ColumnarValue::Array(self.conform(kernel(a, b)?)?)
            }
        })
    }
}

impl CheckedOperator {
    fn scalar(&self, result: ArrayRef) -> Result<ColumnarValue> {
        let result = self.conform(result)?;
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
            &result, 0,
        )?))
    }
}
