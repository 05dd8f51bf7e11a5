//! Numbers that JSON does not know: it shows NaN and the infinities as null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, filter, is_not_null};
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type};
use arrow::error::ArrowError;

/// How many values of the column, also inside of lists and structs, are NaN or infinite.
pub(super) fn count_not_finite(column: &ArrayRef) -> Result<u64, ArrowError> {
    if !has_floats(column.data_type()) {
        return Ok(0);
    }
    // What stands behind a NULL is no value.
    let present = if column.null_count() > 0 {
        filter(column, &is_not_null(column)?)?
    } else {
        column.clone()
    };
    let count = match present.data_type() {
        DataType::Float16 => {
            let values = present.as_primitive::<Float16Type>().values().iter();
            values.filter(|value| !value.is_finite()).count()
        }
        DataType::Float32 => {
            let values = present.as_primitive::<Float32Type>().values().iter();
            values.filter(|value| !value.is_finite()).count()
        }
        DataType::Float64 => {
            let values = present.as_primitive::<Float64Type>().values().iter();
            values.filter(|value| !value.is_finite()).count()
        }
        DataType::Dictionary(_, value) => return count_not_finite(&cast(&present, value)?),
        DataType::Struct(_) => return count_in(present.as_struct().columns().iter()),
        _ => {
            let items = items_of(&present);
            return count_in(items.iter());
        }
    };
    Ok(count as u64)
}

fn count_in<'a>(columns: impl Iterator<Item = &'a ArrayRef>) -> Result<u64, ArrowError> {
    columns.map(count_not_finite).sum()
}

/// The items of all lists of a column.
fn items_of(lists: &ArrayRef) -> Vec<ArrayRef> {
    match lists.data_type() {
        DataType::List(_) => lists.as_list::<i32>().iter().flatten().collect(),
        DataType::LargeList(_) => lists.as_list::<i64>().iter().flatten().collect(),
        DataType::FixedSizeList(..) => lists.as_fixed_size_list().iter().flatten().collect(),
        DataType::Map(..) => {
            let entries = lists.as_map().iter().flatten();
            entries
                .map(|entries| Arc::new(entries) as ArrayRef)
                .collect()
        }
        _ => Vec::new(),
    }
}

fn has_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => has_floats(value),
        DataType::Struct(fields) => fields.iter().any(|field| has_floats(field.data_type())),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_floats(item.data_type()),
        other => other.is_floating(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, ListArray};

    use super::*;

    #[test]
    fn what_json_cannot_say_is_counted_at_every_depth() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(1.5),
            Some(f64::NAN),
            None,
            Some(f64::INFINITY),
            Some(f64::NEG_INFINITY),
        ]));
        assert_eq!(count_not_finite(&floats).unwrap(), 3);
        assert_eq!(count_not_finite(&floats.slice(0, 3)).unwrap(), 1);
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert_eq!(count_not_finite(&integers).unwrap(), 0);
        let lists = vec![
            Some(vec![Some(f64::NAN), None, Some(1.0)]),
            None,
            Some(vec![Some(f64::INFINITY)]),
        ];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists));
        assert_eq!(count_not_finite(&lists).unwrap(), 2);
        assert_eq!(count_not_finite(&lists.slice(1, 2)).unwrap(), 1);
    }
}
