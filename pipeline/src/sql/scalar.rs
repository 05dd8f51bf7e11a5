//! `mul_half_up`, `div_half_up` and `ratio`: one shape, three operations.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, Decimal128Array, Float64Array};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::arithmetic::Arithmetic;
use super::decimal::{self, Scaled};
use super::signature::{DECIMAL_38_6, as_decimals, documentation};

/// What is done with the two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Multiply,
    Divide,
    Ratio,
}

impl Operation {
    pub(super) const ALL: [Self; 3] = [Self::Multiply, Self::Divide, Self::Ratio];

    fn name(self) -> &'static str {
        match self {
            Self::Multiply => "mul_half_up",
            Self::Divide => "div_half_up",
            Self::Ratio => "ratio",
        }
    }
}

/// A function of two integers or decimals.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ExactBinary {
    operation: Operation,
    arithmetic: Arithmetic,
    signature: Signature,
}

impl ExactBinary {
    pub(super) fn new(operation: Operation, arithmetic: Arithmetic) -> Self {
        Self {
            operation,
            arithmetic,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ExactBinary {
    /// The result, or what the session makes of one that does not fit DECIMAL(38, 6).
    fn fit(
        &self,
        a: Scaled,
        b: Scaled,
        exactly: impl Fn(Scaled, Scaled) -> Option<i128>,
    ) -> Result<i128> {
        let result = if is_beyond(a, b) { None } else { exactly(a, b) };
        match (result, self.arithmetic) {
            (Some(result), _) => Ok(result),
            (None, Arithmetic::Checked) => {
                exec_err!("result of {} does not fit DECIMAL(38, 6)", self.name())
            }
            (None, Arithmetic::Exact | Arithmetic::Linear) => Ok(decimal::BEYOND),
        }
    }
}

pub(super) fn is_beyond(a: Scaled, b: Scaled) -> bool {
    decimal::is_beyond(a.raw) || decimal::is_beyond(b.raw)
}

impl ScalarUDFImpl for ExactBinary {
    fn name(&self) -> &str {
        self.operation.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        as_decimals(self.name(), arguments)
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.operation {
            Operation::Multiply | Operation::Divide => DECIMAL_38_6,
            Operation::Ratio => DataType::Float64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [a, b] = take_function_args(self.name(), args.args)?;
        let (a, b) = (
            Operand::new(a, args.number_rows)?,
            Operand::new(b, args.number_rows)?,
        );
        let rows = (0..args.number_rows).map(|row| a.get(row).zip(b.get(row)));
        Ok(ColumnarValue::Array(match self.operation {
            Operation::Multiply => {
                decimals(rows.map(|pair| pair.map(|(a, b)| self.fit(a, b, decimal::mul_half_up))))?
            }
            Operation::Divide => decimals(rows.map(|pair| {
                pair.filter(|(_, b)| b.raw != 0)
                    .map(|(a, b)| self.fit(a, b, decimal::div_half_up))
            }))?,
            Operation::Ratio => {
                let ratios: Float64Array = rows
                    .map(|pair| {
                        pair.filter(|(a, b)| b.raw != 0 && !is_beyond(*a, *b))
                            .and_then(|(a, b)| decimal::nearest_double(a, b))
                    })
                    .collect();
                Arc::new(ratios)
            }
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static TEXTS: LazyLock<[Documentation; 3]> = LazyLock::new(|| Operation::ALL.map(text));
        Some(&TEXTS[self.operation as usize])
    }
}

fn text(operation: Operation) -> Documentation {
    let arguments = [("a", "integer or decimal"), ("b", "integer or decimal")];
    match operation {
        Operation::Multiply => documentation(
            "mul_half_up",
            "a × b as DECIMAL(38, 6), ties away from zero",
            &arguments,
            "SELECT mul_half_up(sell_through_qty, price_fen) FROM …",
        ),
        Operation::Divide => documentation(
            "div_half_up",
            "a ÷ b as DECIMAL(38, 6), ties away from zero; NULL if b is 0",
            &arguments,
            "SELECT div_half_up(cost_fen, weight_qty) FROM …",
        ),
        Operation::Ratio => documentation(
            "ratio",
            "The double nearest to a ÷ b; NULL if b is 0",
            &arguments,
            "SELECT ratio(sum(satisfied_n), sum(answers_n)) FROM satisfaction",
        ),
    }
}

fn decimals(rows: impl Iterator<Item = Option<Result<i128>>>) -> Result<Arc<dyn Array>> {
    let values: Decimal128Array = rows.map(Option::transpose).collect::<Result<_>>()?;
    Ok(Arc::new(values.with_precision_and_scale(
        decimal::PRECISION,
        decimal::SCALE,
    )?))
}

/// One argument: a column or a constant.
pub(super) enum Operand {
    Constant(Option<Scaled>),
    Column(Decimal128Array, i8),
}

impl Operand {
    pub(super) fn new(value: ColumnarValue, rows: usize) -> Result<Self> {
        let DataType::Decimal128(_, scale) = value.data_type() else {
            return internal_err!(
                "argument was not coerced to a decimal: {}",
                value.data_type()
            );
        };
        let constant = matches!(value, ColumnarValue::Scalar(_));
        let array = value.into_array(if constant { 1 } else { rows })?;
        let column = array.as_primitive::<Decimal128Type>().clone();
        Ok(if constant {
            Self::Constant(scaled(&column, scale, 0))
        } else {
            Self::Column(column, scale)
        })
    }

    pub(super) fn get(&self, row: usize) -> Option<Scaled> {
        match self {
            Self::Constant(value) => *value,
            Self::Column(column, scale) => scaled(column, *scale, row),
        }
    }
}

fn scaled(column: &Decimal128Array, scale: i8, row: usize) -> Option<Scaled> {
    column.is_valid(row).then(|| Scaled {
        raw: column.value(row),
        scale,
    })
}
