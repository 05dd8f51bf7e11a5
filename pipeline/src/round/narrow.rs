//! From exact numbers to the types of a table: what a column's type cannot hold is NULL in its row, and counted (K25).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{DataType, Decimal128Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::sql::decimal;

/// Column → rows in which a sum has left its type.
pub type Overflows = BTreeMap<String, i64>;

/// Rows with the columns of `schema`, and what was lost.
pub(super) fn narrow(
    rows: &RecordBatch,
    schema: SchemaRef,
) -> Result<(RecordBatch, Overflows), ArrowError> {
    let mut overflows = Overflows::new();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (field, exact) in schema.fields().iter().zip(rows.columns()) {
        let column = narrow_column(exact, field.data_type())?;
        let lost = column.null_count() - exact.null_count();
        if lost > 0 {
            overflows.insert(field.name().clone(), lost as i64);
        }
        columns.push(column);
    }
    Ok((RecordBatch::try_new(schema, columns)?, overflows))
}

/// A number that does not fit is NULL.
pub(crate) fn narrow_column(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let numbers = match column.data_type() {
        DataType::Decimal128(..) => {
            let raw = column.as_primitive::<Decimal128Type>().iter();
            let beyond = raw.map(|raw| Some(raw.is_some_and(decimal::is_beyond)));
            nullif(column, &beyond.collect::<BooleanArray>())?
        }
        _ => Arc::clone(column),
    };
    cast(&numbers, to)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn decimals(values: Vec<Option<i128>>, scale: i8) -> ArrayRef {
        let values = Decimal128Array::from(values).with_precision_and_scale(38, scale);
        Arc::new(values.unwrap())
    }

    #[test]
    fn what_a_column_cannot_hold_is_null_and_counted() {
        let max = i128::from(i64::MAX);
        let qty = decimals(vec![Some(max), Some(max + 1), None, Some(-max - 2)], 0);
        let fen = decimals(vec![Some(1), None, Some(decimal::BEYOND), Some(-1)], 6);
        let whole = decimals(vec![Some(10i128.pow(33)), Some(3), Some(4), None], 0);
        let rows = RecordBatch::try_from_iter([("qty", qty), ("fen", fen), ("whole", whole)]);
        let schema = Schema::new(vec![
            Field::new("qty", DataType::Int64, true),
            Field::new("fen", DataType::Decimal128(38, 6), true),
            Field::new("whole", DataType::Decimal128(38, 6), true),
        ]);
        let (rows, overflows) = narrow(&rows.unwrap(), Arc::new(schema)).unwrap();
        let qty: ArrayRef = Arc::new(Int64Array::from(vec![Some(i64::MAX), None, None, None]));
        assert_eq!(rows.column(0), &qty);
        assert_eq!(
            rows.column(1),
            &decimals(vec![Some(1), None, None, Some(-1)], 6)
        );
        let millionths = vec![None, Some(3_000_000), Some(4_000_000), None];
        assert_eq!(rows.column(2), &decimals(millionths, 6));
        let counted = [("qty", 2), ("fen", 1), ("whole", 1)];
        assert_eq!(
            overflows,
            counted.map(|(name, n)| (name.to_owned(), n)).into()
        );
    }
}
