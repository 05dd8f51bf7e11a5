//! The sum of intervals: months, days and nanoseconds each for themselves, as the built-in one, but none of them wraps.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, IntervalDayTime, IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType,
};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::Accumulator;

/// A sum in the parts of its unit.
#[derive(Debug)]
pub(super) struct IntervalSum {
    unit: IntervalUnit,
    /// Months, days, and nanoseconds (milliseconds in a DAY TO SECOND interval).
    parts: [i128; 3],
    values_n: u64,
}

impl IntervalSum {
    pub(super) fn new(unit: IntervalUnit) -> Self {
        Self {
            unit,
            parts: [0; 3],
            values_n: 0,
        }
    }

    fn add(&mut self, values: &ArrayRef, sign: i128) -> Result<()> {
        let values = cast(values, &DataType::Interval(self.unit))?;
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            let parts: [i128; 3] = match self.unit {
                IntervalUnit::YearMonth => {
                    let months = values.as_primitive::<IntervalYearMonthType>().value(row);
                    [months.into(), 0, 0]
                }
                IntervalUnit::DayTime => {
                    let of = values.as_primitive::<IntervalDayTimeType>().value(row);
                    [0, of.days.into(), of.milliseconds.into()]
                }
                IntervalUnit::MonthDayNano => {
                    let of = values.as_primitive::<IntervalMonthDayNanoType>().value(row);
                    [of.months.into(), of.days.into(), of.nanoseconds.into()]
                }
            };
            for (sum, part) in self.parts.iter_mut().zip(parts) {
                *sum += sign * part;
            }
        }
        let values_n = (values.len() - values.null_count()) as u64;
        self.values_n = if sign > 0 {
            self.values_n + values_n
        } else {
            self.values_n - values_n
        };
        Ok(())
    }

    fn sum(&self) -> Result<ScalarValue> {
        let [months, days, rest] = self.parts;
        let short = |part: i128| {
            i32::try_from(part).map_err(|_| exec_datafusion_err!("a sum of intervals overflows"))
        };
        let long = |part: i128| {
            i64::try_from(part).map_err(|_| exec_datafusion_err!("a sum of intervals overflows"))
        };
        let exists = self.values_n > 0;
        Ok(match self.unit {
            IntervalUnit::YearMonth => {
                let months = short(months)?;
                ScalarValue::IntervalYearMonth(exists.then_some(months))
            }
            IntervalUnit::DayTime => {
                let sum = IntervalDayTime::new(short(days)?, short(rest)?);
                ScalarValue::IntervalDayTime(exists.then_some(sum))
            }
            IntervalUnit::MonthDayNano => {
                let sum = IntervalMonthDayNano::new(short(months)?, short(days)?, long(rest)?);
                ScalarValue::IntervalMonthDayNano(exists.then_some(sum))
            }
        })
    }
}

impl Accumulator for IntervalSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(&states[0], 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.sum()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.sum()
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
