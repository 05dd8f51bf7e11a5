//! `sum` that never wraps, in place of the built-in one; over floating-point numbers that one stays.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Decimal256Array, PrimitiveArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type, UInt64Type, i256,
};
use datafusion::common::utils::take_function_args;
use datafusion::common::{
    DataFusionError, Result, exec_datafusion_err, exec_err, internal_err, plan_err,
};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    Signature, Volatility,
};

use super::arithmetic::Arithmetic;
use super::decimal;
use super::list_state::list_field;

mod accumulator;
mod groups;
mod interval;

/// Digits of a DECIMAL that 256 bits hold; partial sums have so many.
const WIDE_PRECISION: u8 = 76;

/// `sum` of one kind of session.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ExactSum {
    arithmetic: Arithmetic,
    built_in: Arc<AggregateUDF>,
    signature: Signature,
}

impl ExactSum {
    pub(super) fn new(arithmetic: Arithmetic) -> Self {
        Self {
            arithmetic,
            built_in: sum_udaf(),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn result(&self, args: &AccumulatorArgs<'_>) -> SumType {
        SumType {
            arithmetic: self.arithmetic,
            data_type: args.return_type().clone(),
        }
    }
}

fn is_exact(data_type: &DataType) -> bool {
    scale(data_type).is_some()
}

fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

/// Digits after the point of what is summed up exactly.
fn scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Int64 | DataType::UInt64 | DataType::Duration(_) => Some(0),
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        use DataType::*;
        let [x] = take_function_args(self.name(), arguments)?;
        Ok(vec![match x {
            Int8 | Int16 | Int32 | Int64 => Int64,
            UInt8 | UInt16 | UInt32 | UInt64 => UInt64,
            Float16 | Float32 | Float64 => Float64,
            Decimal32(precision, scale) | Decimal64(precision, scale) => {
                Decimal128(*precision, *scale)
            }
            Decimal128(..) | Decimal256(..) | Duration(_) | Interval(_) => x.clone(),
            Null => Int64,
            Dictionary(_, value) => return self.coerce_types(&[value.as_ref().clone()]),
            other => {
                return plan_err!("sum takes numbers, durations and intervals, not {other}");
            }
        }])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [x] = take_function_args(self.name(), arguments)?;
        let Some(scale) = scale(x) else {
            return self.built_in.return_type(arguments);
        };
        Ok(match (self.arithmetic, x) {
            (_, DataType::Duration(_)) => x.clone(),
            (Arithmetic::Linear, _) => DataType::Decimal256(WIDE_PRECISION, scale),
            (Arithmetic::Exact, DataType::Decimal256(..)) => x.clone(),
            (Arithmetic::Exact, _) => DataType::Decimal128(decimal::PRECISION, scale),
            (Arithmetic::Checked, _) => self.built_in.return_type(arguments)?,
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match args.return_type() {
            DataType::Interval(_) if args.is_distinct => {
                return exec_err!("sum(DISTINCT …) takes no intervals");
            }
            DataType::Interval(unit) => {
                return Ok(Box::new(interval::IntervalSum::new(*unit)));
            }
            other if !is_exact(other) => return self.built_in.accumulator(args),
            _ => {}
        }
        let result = self.result(&args);
        Ok(if args.is_distinct {
            Box::new(accumulator::DistinctSum::new(result))
        } else {
            Box::new(accumulator::Sum::new(result))
        })
    }

    /// The same: both can take values back.
    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if is_exact(args.return_type()) || is_interval(args.return_type()) {
            self.accumulator(args)
        } else {
            self.built_in.create_sliding_accumulator(args)
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct && !is_interval(args.return_type())
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        if is_exact(args.return_type()) {
            Ok(Box::new(groups::SumOfGroups::new(self.result(&args))))
        } else {
            self.built_in.create_groups_accumulator(args)
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let Some(scale) = scale(args.return_field.data_type()) else {
            // Of intervals too the state is the sum so far.
            return self.built_in.state_fields(args);
        };
        let sum = DataType::Decimal256(WIDE_PRECISION, scale);
        if args.is_distinct {
            return Ok(vec![list_field(args.name, "sum", sum)]);
        }
        let name = format_state_name(args.name, "sum");
        Ok(vec![Arc::new(Field::new(name, sum, true))])
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.built_in.documentation()
    }
}

/// Type of a sum, and what becomes of one that leaves it.
#[derive(Clone, Debug)]
struct SumType {
    arithmetic: Arithmetic,
    data_type: DataType,
}

impl SumType {
    fn scale(&self) -> i8 {
        scale(&self.data_type).unwrap_or_default()
    }

    fn state_type(&self) -> DataType {
        DataType::Decimal256(WIDE_PRECISION, self.scale())
    }

    /// Sums as a column of the result's type.
    fn column(&self, sums: impl Iterator<Item = Option<i256>>) -> Result<ArrayRef> {
        let left = || {
            exec_datafusion_err!(
                "a sum leaves {}; cast what is summed up to a wider type, for instance sum(CAST(x AS DECIMAL(38, 0)))",
                self.data_type
            )
        };
        Ok(match &self.data_type {
            DataType::Int64 => integers::<Int64Type>(sums, left)?,
            DataType::UInt64 => integers::<UInt64Type>(sums, left)?,
            DataType::Duration(_) => {
                let integers = Self {
                    arithmetic: self.arithmetic,
                    data_type: DataType::Int64,
                };
                cast(&integers.column(sums)?, &self.data_type)?
            }
            DataType::Decimal128(precision, scale) => {
                let bound = 10u128.pow(u32::from(*precision));
                let narrow = |sum: i256| match self.arithmetic {
                    Arithmetic::Checked => sum
                        .to_i128()
                        .filter(|sum| sum.unsigned_abs() < bound)
                        .ok_or_else(left),
                    _ => Ok(decimal::saturate(sum)),
                };
                let sums = sums.map(|sum| sum.map(narrow).transpose());
                let sums: Decimal128Array = sums.collect::<Result<_>>()?;
                Arc::new(sums.with_precision_and_scale(*precision, *scale)?)
            }
            DataType::Decimal256(precision, scale) => {
                let bound = i256::from_i128(10).wrapping_pow(u32::from(*precision));
                let fits = |sum: i256| {
                    if sum.checked_abs().is_some_and(|sum| sum < bound) {
                        Ok(sum)
                    } else {
                        Err(left())
                    }
                };
                let sums = sums.map(|sum| sum.map(fits).transpose());
                let sums: Decimal256Array = sums.collect::<Result<_>>()?;
                Arc::new(sums.with_precision_and_scale(*precision, *scale)?)
            }
            other => return internal_err!("no exact sum is of type {other}"),
        })
    }

    /// Sums as a column of partial sums.
    fn state_column(&self, sums: impl Iterator<Item = Option<i256>>) -> Result<ArrayRef> {
        let sums: Decimal256Array = sums.collect();
        Ok(Arc::new(
            sums.with_precision_and_scale(WIDE_PRECISION, self.scale())?,
        ))
    }
}

/// Sums as whole numbers; `left` is the error of one that leaves their type.
fn integers<T>(
    sums: impl Iterator<Item = Option<i256>>,
    left: impl Fn() -> DataFusionError,
) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128>,
{
    let fits = |sum: i256| {
        let narrow = sum.to_i128().and_then(|sum| T::Native::try_from(sum).ok());
        narrow.ok_or_else(&left)
    };
    let sums = sums.map(|sum| sum.map(fits).transpose());
    Ok(Arc::new(sums.collect::<Result<PrimitiveArray<T>>>()?))
}

/// What each row adds.
fn summands(column: &ArrayRef) -> Result<Vec<Option<i256>>> {
    let wide = |value| i256::from_i128(value);
    Ok(match column.data_type() {
        DataType::Int64 => {
            let integers = column.as_primitive::<Int64Type>().iter();
            integers.map(|x| x.map(|x| wide(x.into()))).collect()
        }
        DataType::Duration(_) => return summands(&cast(column, &DataType::Int64)?),
        DataType::UInt64 => {
            let integers = column.as_primitive::<UInt64Type>().iter();
            integers.map(|x| x.map(|x| wide(x.into()))).collect()
        }
        DataType::Decimal128(..) => {
            let decimals = column.as_primitive::<Decimal128Type>().iter();
            decimals.map(|x| x.map(decimal::summand)).collect()
        }
        DataType::Decimal256(..) => column.as_primitive::<Decimal256Type>().iter().collect(),
        other => return internal_err!("sum was not coerced: {other}"),
    })
}

fn add(sum: i256, x: i256) -> Result<i256> {
    match sum.checked_add(x) {
        Some(sum) => Ok(sum),
        None => exec_err!("a sum leaves 256 bits"),
    }
}

#[cfg(test)]
mod tests;
