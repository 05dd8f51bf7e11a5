//! `+ - *` and the sign in queries of readers: the built-in operators wrap around, these fail in words.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use super::rewrite::rewrite_expressions;

/// Puts checked operators in place of the built-in ones once types are settled.
#[derive(Debug)]
pub(super) struct CheckedOperators;

impl AnalyzerRule for CheckedOperators {
    fn name(&self) -> &str {
        "checked_operators"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(rewrite_expressions(plan, rewrite)?.data)
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
    let types: Option<Vec<DataType>> = arguments
        .iter()
        .map(|argument| type_of(argument, schema))
        .collect();
    let Some(types) = types.filter(|types| types.iter().all(can_wrap)) else {
        return Transformed::no(expr);
    };
    let result = match (&expr, types.as_slice()) {
        (Expr::BinaryExpr(binary), [left, right]) => {
            BinaryTypeCoercer::new(left, &binary.op, right).get_result_type()
        }
        (_, types) => Ok(types[0].clone()),
    };
    let Ok(result) = result else {
        return Transformed::no(expr);
    };
    let arguments = arguments.into_iter().cloned().collect();
    let function = ScalarUDF::new_from_impl(CheckedOperator::new(operation, result));
    Transformed::yes(Arc::new(function).call(arguments))
}

/// The type of an argument. A checked operator knows its own: asking through the whole expression writes out the name of every
/// operator inside it, so that planning would take the third power of the nesting.
fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    if let Expr::ScalarFunction(call) = expr
        && let Some(checked) = call.func.inner().downcast_ref::<CheckedOperator>()
    {
        return Some(checked.result.clone());
    }
    expr.get_type(schema).ok()
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

    /// NULL only where an argument is, as the built-in operators say too.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let field = Field::new(self.name(), self.result.clone(), is_nullable);
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let result = match (self.operation, args.args.as_slice()) {
            (Operation::Negate, [x]) => {
                let rows = ColumnarValue::values_to_arrays(std::slice::from_ref(x))?;
                let negated = numeric::neg(rows[0].as_ref())?;
                match x {
                    ColumnarValue::Array(_) => ColumnarValue::Array(negated),
                    ColumnarValue::Scalar(_) => {
                        ColumnarValue::Scalar(ScalarValue::try_from_array(&negated, 0)?)
                    }
                }
            }
            (Operation::Add, [a, b]) => apply(a, b, numeric::add)?,
            (Operation::Subtract, [a, b]) => apply(a, b, numeric::sub)?,
            (Operation::Multiply, [a, b]) => apply(a, b, numeric::mul)?,
            _ => return exec_err!("{} got a wrong number of arguments", self.name()),
        };
        Ok(match result {
            ColumnarValue::Array(result) => ColumnarValue::Array(self.conform(result)?),
            ColumnarValue::Scalar(result) => {
                let result = self.conform(result.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
            }
        })
    }
}
