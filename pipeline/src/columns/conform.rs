//! Columns brought into the shape of a table.

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

/// Columns of `schema` from `batch` and from constants or computed `extra` columns, by name; what neither has is NULL.
pub fn conform(
    batch: &RecordBatch,
    schema: &SchemaRef,
    extra: &[(&str, ArrayRef)],
) -> Result<RecordBatch, ArrowError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let given = extra
                .iter()
                .find(|(name, _)| name == field.name())
                .map(|(_, array)| array)
                .or_else(|| batch.column_by_name(field.name()));
            match given {
                Some(array) if array.data_type() == field.data_type() => Ok(array.clone()),
                Some(array) => cast(array, field.data_type()),
                None => Ok(arrow::array::new_null_array(
                    field.data_type(),
                    batch.num_rows(),
                )),
            }
        })
        .collect::<Result<Vec<_>, ArrowError>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}
