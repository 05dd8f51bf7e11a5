//! A table with every column type that public tables use. For tests.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use object_store::ObjectStore;

use super::{TableSpec, Tables};
use crate::columns::COMMENT;
use crate::log::{Access, open_store};

/// 2026-01-05 as a DATE.
pub(crate) const JAN_5: i32 = 20_458;

fn line_fields() -> Fields {
    vec![
        Field::new("sku_id", DataType::Utf8, true),
        Field::new("qty", DataType::Int64, true),
    ]
    .into()
}

fn commented(field: Field, comment: &str) -> Field {
    field.with_metadata(HashMap::from([(COMMENT.to_owned(), comment.to_owned())]))
}

/// `test.everything`, partitioned by `window_date`, sorted by `customer_id` and `at`.
pub(crate) fn spec() -> TableSpec {
    let fields = vec![
        commented(
            Field::new("window_date", DataType::Date32, true),
            "local date of the window's end",
        ),
        commented(Field::new("customer_id", DataType::Utf8, false), "retailer"),
        Field::new(
            "at",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
        Field::new("n", DataType::Int64, true),
        Field::new("orders", DataType::Int32, true),
        commented(
            Field::new("sell_through_qty", DataType::Decimal128(38, 6), true),
            "sold, base units",
        ),
        Field::new("ratio", DataType::Float64, true),
        Field::new("restated", DataType::Boolean, true),
        Field::new("raw", DataType::Binary, true),
        Field::new(
            "lines",
            DataType::List(Arc::new(Field::new(
                "item",
                DataType::Struct(line_fields()),
                true,
            ))),
            true,
        ),
    ];
    let metadata = HashMap::from([(COMMENT.to_owned(), "everything a table can hold".to_owned())]);
    TableSpec {
        schema_name: "test".to_owned(),
        name: "everything".to_owned(),
        schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
        partition_by: Some("window_date".to_owned()),
        sort_by: vec!["customer_id".to_owned(), "at".to_owned()],
    }
}

/// One row for each (date, customer); the other columns follow from the row's place.
pub(crate) fn rows(of: &[(i32, &str)]) -> RecordBatch {
    let numbers = 0..of.len() as i64;
    let lines = StructArray::new(
        line_fields(),
        vec![
            Arc::new(StringArray::from_iter_values(
                of.iter().map(|(_, customer)| format!("sku of {customer}")),
            )) as ArrayRef,
            Arc::new(Int64Array::from_iter_values(numbers.clone())),
        ],
        None,
    );
    let item = Arc::new(Field::new("item", DataType::Struct(line_fields()), true));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from_iter_values(
            of.iter().map(|(date, _)| *date),
        )),
        Arc::new(StringArray::from_iter_values(
            of.iter().map(|(_, customer)| customer),
        )),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(
                numbers.clone().map(|n| 1_767_571_200_000_001 + n),
            )
            .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter_values(numbers.clone())),
        Arc::new(Int32Array::from_iter_values(
            numbers.clone().map(|n| n as i32),
        )),
        Arc::new(
            Decimal128Array::from_iter_values(numbers.clone().map(|n| i128::from(n) * 1_000_001))
                .with_precision_and_scale(38, 6)
                .unwrap(),
        ),
        Arc::new(Float64Array::from_iter_values(
            numbers.clone().map(|n| n as f64 / 3.0),
        )),
        Arc::new(BooleanArray::from_iter(
            numbers.clone().map(|n| Some(n % 2 == 0)),
        )),
        Arc::new(BinaryArray::from_iter_values(
            numbers.map(|n| n.to_be_bytes()),
        )),
        Arc::new(ListArray::new(
            item,
            OffsetBuffer::from_lengths(vec![1; of.len()]),
            Arc::new(lines),
            None,
        )),
    ];
    RecordBatch::try_new(spec().schema, columns).unwrap()
}

/// Tables in a folder that goes with the first value.
pub(crate) fn tables() -> (tempfile::TempDir, Arc<dyn ObjectStore>, Tables) {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(
        &format!("file://{}", folder.path().display()),
        Access::default(),
    )
    .unwrap();
    (folder, Arc::clone(&store), Tables::new(store))
}
