//! Reading and writing Arrow columns: what every event batch has ([`EventHead`]), what an operator picks from one ([`Columns`]), and a
//! fact table declared once for schema and batches ([`FactTable`]).

mod conform;
mod fact_table;
mod read;

use std::collections::HashMap;

use arrow::array::{
    Array, AsArray, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::event::SCOPE_FIELDS;
use schemas::time::TimestampMs;

pub use conform::conform;
pub use fact_table::{FactColumn, FactTable};
pub use read::{
    Columns, DecimalColumn, FlagColumn, InstantColumn, IntegerColumn, ListColumn, TextColumn,
    TextListColumn,
};

/// Metadata key under which schemas and fields carry their description.
pub const COMMENT: &str = "comment";

/// Field or schema metadata that holds a description.
pub fn comment(text: &str) -> HashMap<String, String> {
    HashMap::from([(COMMENT.to_owned(), text.to_owned())])
}

/// The head of an event: columns that the engine reads, whatever the topic.
pub struct EventHead<'a> {
    event_id: &'a StringArray,
    occurred_at: &'a TimestampMicrosecondArray,
    recorded_at: &'a TimestampMicrosecondArray,
    corrects: &'a StringArray,
    partition: &'a Int32Array,
    offset: &'a Int64Array,
    scopes: Vec<(u8, TextColumn<'a>)>,
}

impl<'a> EventHead<'a> {
    pub fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let columns = Columns::of(batch);
        let scopes = (0..)
            .zip(SCOPE_FIELDS)
            .filter(|(_, field)| batch.column_by_name(field).is_some())
            .map(|(position, field)| Ok((position, columns.text(field)?)))
            .collect::<Result<_, ArrowError>>()?;
        Ok(Self {
            event_id: text(batch, "event_id")?,
            occurred_at: instant(batch, "occurred_at")?,
            recorded_at: instant(batch, "recorded_at")?,
            corrects: text(batch, "corrects")?,
            partition: int32(batch, "partition")?,
            offset: int64(batch, "offset")?,
            scopes,
        })
    }

    pub fn event_id(&self, row: usize) -> &'a str {
        self.event_id.value(row)
    }

    pub fn occurred_at(&self, row: usize) -> TimestampMs {
        TimestampMs::from_micros(self.occurred_at.value(row))
    }

    pub fn recorded_at(&self, row: usize) -> TimestampMs {
        TimestampMs::from_micros(self.recorded_at.value(row))
    }

    pub fn corrects(&self, row: usize) -> Option<&'a str> {
        self.corrects
            .is_valid(row)
            .then(|| self.corrects.value(row))
    }

    /// Whom the event is about (K23): which of [`SCOPE_FIELDS`], and its value.
    pub fn scope(&self, row: usize) -> Option<(u8, &str)> {
        let mut scopes = self.scopes.iter();
        scopes.find_map(|(position, column)| Some((*position, column.get(row)?)))
    }

    /// Partition and offset of its record.
    pub fn place(&self, row: usize) -> (i32, i64) {
        (self.partition.value(row), self.offset.value(row))
    }
}

/// A text column by name.
pub fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, ArrowError> {
    column(batch, name)?
        .as_string_opt::<i32>()
        .ok_or_else(|| wrong_type(name, "text"))
}

/// An instant column (µs UTC) by name.
pub fn instant<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a TimestampMicrosecondArray, ArrowError> {
    column(batch, name)?
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(|| wrong_type(name, "timestamp"))
}

/// A 32-bit integer column by name.
pub fn int32<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int32Array, ArrowError> {
    column(batch, name)?
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(|| wrong_type(name, "integer"))
}

/// A 64-bit integer column by name.
fn int64<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, ArrowError> {
    column(batch, name)?
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(|| wrong_type(name, "integer"))
}

/// A column by name.
pub fn column<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a arrow::array::ArrayRef, ArrowError> {
    batch
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("no column name={name}")))
}

fn wrong_type(name: &str, wanted: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column name={name} is not of type={wanted}"))
}
