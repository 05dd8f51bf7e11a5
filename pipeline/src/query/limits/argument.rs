//! An argument of a function, as far as the size of its result depends on it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

const DAY_NANOS: i128 = 86_400_000_000_000;

pub(super) struct Argument {
    values: ArrayRef,
    is_constant: bool,
}

impl Argument {
    /// A constant is kept once, not once a row.
    pub(super) fn new(value: &ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(values) => Self {
                values: values.clone(),
                is_constant: false,
            },
            ColumnarValue::Scalar(value) => Self {
                values: value.to_array()?,
                is_constant: true,
            },
        })
    }

    pub(super) fn is_constant(&self) -> bool {
        self.is_constant
    }

    fn index(&self, row: usize) -> Option<usize> {
        let index = if self.is_constant { 0 } else { row };
        self.values.is_valid(index).then_some(index)
    }

    /// Bytes of a text, of a list's items, of a number; 0 for NULL.
    pub(super) fn bytes(&self, row: usize) -> u128 {
        let Some(index) = self.index(row) else {
            return 0;
        };
        bytes_of(&self.values, index)
    }

    /// The text; empty for NULL and for what is no text.
    pub(super) fn text(&self, row: usize) -> &str {
        let Some(index) = self.index(row) else {
            return "";
        };
        match self.values.data_type() {
            DataType::Utf8 => self.values.as_string::<i32>().value(index),
            DataType::LargeUtf8 => self.values.as_string::<i64>().value(index),
            DataType::Utf8View => self.values.as_string_view().value(index),
            _ => "",
        }
    }

    /// A number that is an integer; 0 for NULL and for all else.
    pub(super) fn integer(&self, row: usize) -> i128 {
        let integer = |index| {
            let value = cast(&self.values.slice(index, 1), &DataType::Int64).ok()?;
            let value = value.as_primitive_opt::<Int64Type>()?;
            value.is_valid(0).then(|| i128::from(value.value(0)))
        };
        if !self.values.data_type().is_integer() {
            return 0;
        }
        self.index(row).and_then(integer).unwrap_or(0)
    }

    /// A number, a date or an instant on one scale; lengths of spans on the same.
    pub(super) fn position(&self, row: usize) -> i128 {
        let Some(index) = self.index(row) else {
            return 0;
        };
        let one = self.values.slice(index, 1);
        let integer = |to: &DataType| {
            let value = cast(&one, to).ok()?;
            let value = cast(&value, &DataType::Int64).ok()?;
            let value = value.as_primitive_opt::<Int64Type>()?.clone();
            value.is_valid(0).then(|| i128::from(value.value(0)))
        };
        match one.data_type() {
            DataType::Date32 | DataType::Date64 => {
                let days = integer(&DataType::Date32);
                days.map_or(0, |days| days * DAY_NANOS)
            }
            DataType::Timestamp(..) => {
                let millis = integer(&DataType::Timestamp(TimeUnit::Millisecond, None));
                millis.map_or(0, |millis| millis * 1_000_000)
            }
            DataType::Interval(_) => {
                let to = DataType::Interval(IntervalUnit::MonthDayNano);
                let Ok(interval) = cast(&one, &to) else {
                    return 0;
                };
                let interval = interval.as_primitive::<IntervalMonthDayNanoType>().value(0);
                let days = i128::from(interval.months) * 28 + i128::from(interval.days);
                days * DAY_NANOS + i128::from(interval.nanoseconds)
            }
            _ => self.integer(row),
        }
    }
}

fn bytes_of(values: &ArrayRef, index: usize) -> u128 {
    if values.is_null(index) {
        return 0;
    }
    let list = |items: ArrayRef| items.get_array_memory_size().min(items.len() * 64) as u128;
    match values.data_type() {
        DataType::Utf8 => values
            .as_string::<i32>()
            .value_length(index)
            .unsigned_abs()
            .into(),
        DataType::LargeUtf8 => values
            .as_string::<i64>()
            .value_length(index)
            .unsigned_abs()
            .into(),
        DataType::Utf8View => values.as_string_view().value(index).len() as u128,
        DataType::List(_) => list(values.as_list::<i32>().value(index)),
        DataType::LargeList(_) => list(values.as_list::<i64>().value(index)),
        _ => 16,
    }
}
