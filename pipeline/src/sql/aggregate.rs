//! `median_exact` and `slope_per_step`: both keep their values and decide at the end, in sorted order.
//!
//! They aggregate what is few per group (retailers of a territory, weeks of a trend); sums belong in panes.

use std::mem::size_of_val;
use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Float64Type, Int64Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility,
};

use super::arithmetic::Arithmetic;
use super::decimal::{self, Scaled};
use super::list_state::{list_field, list_state};
use super::signature::{DECIMAL_38_6, as_decimal, documentation};

/// The mean of the middle two (or the middle one), half up at six places.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MedianExact {
    arithmetic: Arithmetic,
    signature: Signature,
}

impl MedianExact {
    pub(super) fn new(arithmetic: Arithmetic) -> Self {
        Self {
            arithmetic,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for MedianExact {
    fn name(&self) -> &str {
        "median_exact"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [x] = take_function_args(self.name(), arguments)?;
        Ok(vec![as_decimal(self.name(), x)?])
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DECIMAL_38_6)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![list_field(args.name, "values", DECIMAL_38_6)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let DataType::Decimal128(_, scale) = args.expr_fields[0].data_type() else {
            return plan_err!(
                "median_exact takes a decimal, not {}",
                args.expr_fields[0].data_type()
            );
        };
        Ok(Box::new(Median {
            arithmetic: self.arithmetic,
            scale: *scale,
            distinct: args.is_distinct,
            values: Vec::new(),
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static TEXT: LazyLock<Documentation> = LazyLock::new(|| {
            documentation(
                "median_exact",
                "The median as DECIMAL(38, 6): the middle value, or the mean of the middle two with ties away from zero",
                &[("x", "integer or decimal; NULL does not count")],
                "SELECT median_exact(price_fen) FROM …",
            )
        });
        Some(&TEXT)
    }
}

#[derive(Debug)]
struct Median {
    arithmetic: Arithmetic,
    /// Digits after the point of the argument; the values kept have six.
    scale: i8,
    distinct: bool,
    values: Vec<i128>,
}

impl Accumulator for Median {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for raw in columns[0].as_primitive::<Decimal128Type>().iter().flatten() {
            let scale = self.scale;
            let value = if decimal::is_beyond(raw) {
                None
            } else {
                decimal::to_six_places(Scaled { raw, scale })
            };
            self.values.push(match (value, self.arithmetic) {
                (Some(value), _) => value,
                (None, Arithmetic::Checked) => {
                    return exec_err!("value of median_exact does not fit DECIMAL(38, 6)");
                }
                (None, Arithmetic::Exact | Arithmetic::Linear) => decimal::BEYOND,
            });
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for part in states[0].as_list::<i32>().iter().flatten() {
            self.values
                .extend(part.as_primitive::<Decimal128Type>().iter().flatten());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![list_state::<Decimal128Type>(
            std::mem::take(&mut self.values),
            &DECIMAL_38_6,
        )])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.values.sort_unstable();
        if self.distinct {
            self.values.dedup();
        }
        let middle = self.values.len() / 2;
        let median = match self.values.as_slice() {
            [] => None,
            odd if odd.len() % 2 == 1 => Some(odd[middle]),
            even if decimal::is_beyond(even[middle]) => Some(decimal::BEYOND),
            even => decimal::mean_of_two(even[middle - 1], even[middle]),
        };
        Ok(ScalarValue::Decimal128(
            median,
            decimal::PRECISION,
            decimal::SCALE,
        ))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<i128>()
    }
}

/// Least-squares slope of `y` over an integer `x`, per step of 1; NULL with fewer than two different `x` (K17's trend).
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SlopePerStep {
    signature: Signature,
}

impl SlopePerStep {
    pub(super) fn new() -> Self {
        let arguments = vec![DataType::Int64, DataType::Float64];
        Self {
            signature: Signature::exact(arguments, Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for SlopePerStep {
    fn name(&self) -> &str {
        "slope_per_step"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![
            list_field(args.name, "x", DataType::Int64),
            list_field(args.name, "y", DataType::Float64),
        ])
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Slope::default()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static TEXT: LazyLock<Documentation> = LazyLock::new(|| {
            documentation(
                "slope_per_step",
                "Least-squares slope of y per step of x; NULL with fewer than two different x",
                &[
                    ("x", "number of the step, for instance of the week"),
                    ("y", "double"),
                ],
                "SELECT slope_per_step(week_number, csat_ratio) FROM …",
            )
        });
        Some(&TEXT)
    }
}

#[derive(Debug, Default)]
struct Slope {
    points: Vec<(i64, f64)>,
}

impl Slope {
    fn extend(&mut self, x: &dyn Array, y: &dyn Array) {
        let (x, y) = (
            x.as_primitive::<Int64Type>(),
            y.as_primitive::<Float64Type>(),
        );
        self.points
            .extend(x.iter().zip(y.iter()).filter_map(|(x, y)| x.zip(y)));
    }
}

impl Accumulator for Slope {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.extend(&columns[0], &columns[1]);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (x, y) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (x, y) in x.iter().zip(y.iter()).filter_map(|(x, y)| x.zip(y)) {
            self.extend(&x, &y);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (x, y) = std::mem::take(&mut self.points).into_iter().unzip();
        Ok(vec![
            list_state::<Int64Type>(x, &DataType::Int64),
            list_state::<Float64Type>(y, &DataType::Float64),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.points
            .sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Ok(ScalarValue::Float64(slope(&self.points)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.points.capacity() * size_of::<(i64, f64)>()
    }
}

/// Σ (x − x̄) y ÷ Σ (x − x̄)², with the weights n·x − Σx as exact integers; only `y` is rounded.
///
/// Counted from the first `x`, so that the number of a week since 1970 costs no digits.
fn slope(points: &[(i64, f64)]) -> Option<f64> {
    let origin = i128::from(points.first()?.0);
    let n = points.len() as i128;
    let steps = || points.iter().map(|(x, _)| i128::from(*x) - origin);
    let sum: i128 = steps().sum();
    let squares = steps().try_fold(0i128, |total, x| total.checked_add(x.checked_mul(x)?))?;
    let spread = n.checked_mul(squares)?.checked_sub(sum.checked_mul(sum)?)?;
    if spread == 0 {
        return None;
    }
    let moment: f64 = steps()
        .zip(points)
        .map(|(x, (_, y))| (n * x - sum) as f64 * y)
        .sum();
    Some(moment / spread as f64)
}
