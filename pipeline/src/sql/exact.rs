//! `+ - * / %` over integers and decimals in the queries of rounds: DECIMAL(38, …) that never wraps and never fails.
//!
//! Division and remainder are those of integers (towards zero, NULL by zero), as long as neither side has digits after the
//! point; others stay the built-in ones.

use std::sync::Arc;

use arrow::array::{Array, Decimal128Array};
use arrow::datatypes::{DataType, i256};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::decimal::{self, Scaled};
use super::scalar::{Operand, is_beyond};
use super::signature::{as_decimal, as_decimals};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    fn of(operator: &BinaryOperator) -> Option<Self> {
        Some(match operator {
            BinaryOperator::Plus => Self::Add,
            BinaryOperator::Minus => Self::Subtract,
            BinaryOperator::Multiply => Self::Multiply,
            BinaryOperator::Divide => Self::Divide,
            BinaryOperator::Modulo => Self::Remainder,
            _ => return None,
        })
    }

    /// Digits after the point of the result; `None` where the built-in operator is right.
    fn scale(self, a: i8, b: i8) -> Option<i8> {
        match self {
            Self::Add | Self::Subtract => Some(a.max(b)),
            Self::Multiply => (a + b <= decimal::PRECISION.cast_signed()).then_some(a + b),
            Self::Divide | Self::Remainder => (a == 0 && b == 0).then_some(0),
        }
    }

    /// `None`: division by zero.
    fn apply(self, a: Scaled, b: Scaled, scale: i8) -> Option<i128> {
        if is_beyond(a, b) {
            return Some(decimal::BEYOND);
        }
        let (x, y) = (i256::from_i128(a.raw), i256::from_i128(b.raw));
        // Both fit 38 digits, so nothing here leaves 76.
        let aligned = |raw: i256, from: i8| {
            raw.wrapping_mul(
                i256::from_i128(10).wrapping_pow(u32::from((scale - from).unsigned_abs())),
            )
        };
        let result = match self {
            Self::Add => aligned(x, a.scale).wrapping_add(aligned(y, b.scale)),
            Self::Subtract => aligned(x, a.scale).wrapping_sub(aligned(y, b.scale)),
            Self::Multiply => x.wrapping_mul(y),
            Self::Divide => x.checked_div(y)?,
            Self::Remainder => x.checked_rem(y)?,
        };
        Some(decimal::saturate(result))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Add => "exact_add",
            Self::Subtract => "exact_subtract",
            Self::Multiply => "exact_multiply",
            Self::Divide => "exact_divide",
            Self::Remainder => "exact_remainder",
        }
    }
}

/// Puts the exact operators in place of the built-in ones, wherever both sides are integers or decimals.
#[derive(Debug)]
pub(super) struct ExactOperators;

impl ExprPlanner for ExactOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let Some(operator) = Operator::of(&expr.op) else {
            return Ok(PlannerResult::Original(expr));
        };
        let scale_of = |side: &datafusion::logical_expr::Expr| {
            let DataType::Decimal128(_, scale) = exact_type(&side.get_type(schema).ok()?)? else {
                return None;
            };
            Some(scale)
        };
        let scales = scale_of(&expr.left).zip(scale_of(&expr.right));
        if scales.and_then(|(a, b)| operator.scale(a, b)).is_none() {
            return Ok(PlannerResult::Original(expr));
        }
        let function = ScalarUDF::new_from_impl(ExactOperator {
            operator,
            signature: Signature::user_defined(Volatility::Immutable),
        });
        let call = Arc::new(function).call(vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(call))
    }
}

/// The decimal type of a side, if it is an integer or a decimal.
fn exact_type(data_type: &DataType) -> Option<DataType> {
    if data_type.is_null() {
        return None;
    }
    as_decimal("", data_type).ok()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactOperator {
    operator: Operator,
    signature: Signature,
}

impl ExactOperator {
    fn scale(&self, arguments: &[DataType]) -> Result<i8> {
        let [a, b] = take_function_args(self.name(), arguments)?;
        if let (DataType::Decimal128(_, a), DataType::Decimal128(_, b)) = (a, b)
            && let Some(scale) = self.operator.scale(*a, *b)
        {
            return Ok(scale);
        }
        plan_err!("{} does not take {a} and {b}", self.name())
    }
}

impl ScalarUDFImpl for ExactOperator {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        as_decimals(self.name(), arguments)
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let scale = self.scale(&self.coerce_types(arguments)?)?;
        Ok(DataType::Decimal128(decimal::PRECISION, scale))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let scale = self.scale(&types)?;
        let rows = args.number_rows;
        let [a, b] = take_function_args(self.name(), args.args)?;
        let (a, b) = (Operand::new(a, rows)?, Operand::new(b, rows)?);
        let results = (0..rows).map(|row| {
            let (a, b) = a.get(row).zip(b.get(row))?;
            self.operator.apply(a, b, scale)
        });
        let results: Decimal128Array = results.collect();
        let results = results.with_precision_and_scale(decimal::PRECISION, scale)?;
        Ok(ColumnarValue::Array(Arc::new(results) as Arc<dyn Array>))
    }
}
