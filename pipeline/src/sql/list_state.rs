//! The state of an aggregate that keeps its values: a list of them.

use std::sync::Arc;

use arrow::array::{ArrowPrimitiveType, ListArray, PrimitiveArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::format_state_name;

/// The field of a state that is a list of `item`.
pub(super) fn list_field(aggregate: &str, state: &str, item: DataType) -> FieldRef {
    let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
    Arc::new(Field::new(format_state_name(aggregate, state), list, true))
}

/// Values as such a state.
pub(super) fn list_state<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    item: &DataType,
) -> ScalarValue {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let values = PrimitiveArray::<T>::new(values.into(), None).with_data_type(item.clone());
    let field = Arc::new(Field::new_list_field(item.clone(), true));
    ScalarValue::List(Arc::new(ListArray::new(
        field,
        offsets,
        Arc::new(values),
        None,
    )))
}
