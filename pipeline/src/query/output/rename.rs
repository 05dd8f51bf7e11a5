//! Names that differ: no reader of JSON or of columns can tell two fields of one name apart.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayData, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

/// The same columns; where several fields of a struct have one name, all but the first get a number, and so have the columns
/// themselves if asked for.
pub(super) fn with_different_names(schema: &SchemaRef, are_columns_too: bool) -> SchemaRef {
    let inner: Fields = schema.fields().iter().map(with_different_fields).collect();
    let fields = if are_columns_too {
        numbered(&inner)
    } else {
        inner
    };
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The same rows under other names.
pub(super) fn under(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| column_under(field.data_type(), column));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

fn column_under(data_type: &DataType, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == data_type {
        return Ok(column.clone());
    }
    Ok(make_array(data_under(data_type, column.to_data())?))
}

fn data_under(data_type: &DataType, data: ArrayData) -> Result<ArrayData, ArrowError> {
    if data.data_type() == data_type {
        return Ok(data);
    }
    let children = data.child_data().iter().zip(types_inside(data_type));
    let children = children.map(|(child, inside)| data_under(inside, child.clone()));
    let children = children.collect::<Result<Vec<_>, _>>()?;
    data.into_builder()
        .data_type(data_type.clone())
        .child_data(children)
        .build()
}

/// The types of what an array of this type consists of.
fn types_inside(data_type: &DataType) -> Vec<&DataType> {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => vec![item.data_type()],
        DataType::Dictionary(_, value) => vec![value.as_ref()],
        _ => Vec::new(),
    }
}

fn with_different_fields(field: &FieldRef) -> FieldRef {
    let data_type = different(field.data_type());
    if &data_type == field.data_type() {
        return field.clone();
    }
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn different(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Struct(fields) => {
            let inner: Fields = fields.iter().map(with_different_fields).collect();
            DataType::Struct(numbered(&inner))
        }
        DataType::List(item) => DataType::List(with_different_fields(item)),
        DataType::LargeList(item) => DataType::LargeList(with_different_fields(item)),
        DataType::FixedSizeList(item, size) => {
            DataType::FixedSizeList(with_different_fields(item), *size)
        }
        DataType::Map(entries, is_sorted) => {
            DataType::Map(with_different_fields(entries), *is_sorted)
        }
        DataType::Dictionary(key, value) => {
            DataType::Dictionary(key.clone(), Box::new(different(value)))
        }
        other => other.clone(),
    }
}

/// The second `sku_id` becomes `sku_id_2`.
fn numbered(fields: &Fields) -> Fields {
    let mut names: HashSet<String> = HashSet::new();
    let is_taken = |name: &str| fields.iter().any(|field| field.name() == name);
    let renamed = fields.iter().map(|field| {
        let mut name = field.name().clone();
        let mut number = 2;
        while names.contains(&name) || number > 2 && is_taken(&name) {
            name = format!("{}_{number}", field.name());
            number += 1;
        }
        names.insert(name.clone());
        if &name == field.name() {
            return field.clone();
        }
        Arc::new(field.as_ref().clone().with_name(name))
    });
    renamed.collect()
}
