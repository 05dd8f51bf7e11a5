//! Short constructors for columns, so that a table reads as a list.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Metadata key of comments.
pub(super) const COMMENT: &str = "comment";

fn column(name: &str, data_type: DataType, comment: &str) -> Field {
    Field::new(name, data_type, true)
        .with_metadata([(COMMENT.to_owned(), comment.to_owned())].into())
}

pub(super) fn text(name: &str, comment: &str) -> Field {
    column(name, DataType::Utf8, comment)
}

pub(super) fn boolean(name: &str, comment: &str) -> Field {
    column(name, DataType::Boolean, comment)
}

pub(super) fn int(name: &str, comment: &str) -> Field {
    column(name, DataType::Int32, comment)
}

pub(super) fn bigint(name: &str, comment: &str) -> Field {
    column(name, DataType::Int64, comment)
}

/// Split quantities and derived money: six places, rounded half up (contract 5).
pub(super) fn decimal(name: &str, comment: &str) -> Field {
    column(name, DataType::Decimal128(38, 6), comment)
}

pub(super) fn double(name: &str, comment: &str) -> Field {
    column(name, DataType::Float64, comment)
}

pub(super) fn date(name: &str, comment: &str) -> Field {
    column(name, DataType::Date32, comment)
}

pub(super) fn instant(name: &str, comment: &str) -> Field {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    column(name, utc, comment)
}

pub(super) fn bytes(name: &str, comment: &str) -> Field {
    column(name, DataType::Binary, comment)
}

pub(super) fn texts(name: &str, comment: &str) -> Field {
    let element = Field::new("element", DataType::Utf8, true);
    column(name, DataType::List(Arc::new(element)), comment)
}

pub(super) fn commented(fields: Vec<Field>, comment: &str) -> SchemaRef {
    Arc::new(Schema::new_with_metadata(
        fields,
        [(COMMENT.to_owned(), comment.to_owned())].into(),
    ))
}

/// Makes the column NOT NULL.
pub(super) fn filled(field: Field) -> Field {
    field.with_nullable(false)
}
