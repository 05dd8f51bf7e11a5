//! Accepted events as columns: one wide table per topic.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::column::{Column, arrow_field, commented, instant};
use super::field::FieldKind;
use super::layout::{ObjectLayout, fields};
use super::slot::{Slot, Slots};
use super::{Event, Topic, envelope};
use crate::time::TimestampMs;

/// Characters kept of an unknown enum value: a longer text is not a name and may be free text.
const RAW_ENUM_CHARS: usize = 64;

/// Columns before the envelope: partition, offset, broker_at.
const PLACE_COLUMNS: usize = 3;

/// Where a record is stored.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
    /// The record's Kafka timestamp; files have none.
    pub timestamp: Option<TimestampMs>,
}

/// The columns of `events.<topic>`: the record's place, the envelope, the topic's fields, `raw_enum`, `scope`.
///
/// Every column carries its comment under the metadata key `comment`.
pub fn arrow_schema(topic: Topic) -> SchemaRef {
    static SCHEMAS: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| Topic::ALL.map(build_schema));
    SCHEMAS[topic.index()].clone()
}

fn build_schema(topic: Topic) -> SchemaRef {
    let always = ["source", "actor_role"];
    let place = [
        commented(
            "partition",
            DataType::Int32,
            false,
            "Kafka partition of the record (分区)",
        ),
        commented(
            "offset",
            DataType::Int64,
            false,
            "Offset of the record in its partition (位移)",
        ),
        commented(
            "broker_at",
            instant(),
            true,
            "Kafka timestamp of the record; NULL from files (消息时间)",
        ),
    ];
    let own = fields(topic).map(|field| {
        let is_filled = envelope::REQUIRED.contains(&field.name) || always.contains(&field.name);
        arrow_field(field, !is_filled)
    });
    let derived = [
        commented(
            "raw_enum",
            DataType::Utf8,
            true,
            "Unknown enum values as they came, field=text, separated by ; (未知枚举原文)",
        ),
        commented(
            "scope",
            DataType::Utf8,
            true,
            "Within what a correction finds its event: customer, else SKU, staff or unit (更正范围)",
        ),
    ];
    Arc::new(Schema::new(
        place
            .into_iter()
            .chain(own)
            .chain(derived)
            .collect::<Vec<_>>(),
    ))
}

/// Collects accepted events of one topic into a [`RecordBatch`] of [`arrow_schema`].
pub struct EventBatchBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    raw_enum: String,
}

impl EventBatchBuilder {
    pub fn new(topic: Topic) -> Self {
        let schema = arrow_schema(topic);
        EventBatchBuilder {
            columns: schema
                .fields()
                .iter()
                .map(|field| Column::new(field.data_type()))
                .collect(),
            schema,
            rows: 0,
            raw_enum: String::new(),
        }
    }

    /// Adds one event of the builder's topic as the next row.
    pub fn append(&mut self, event: &Event<'_>, place: &Place) {
        let layout = event.layout;
        let row = self.rows;
        self.columns[0].append_int(row, i64::from(place.partition));
        self.columns[1].append_int(row, place.offset);
        if let Some(timestamp) = place.timestamp {
            self.columns[2].append_int(row, timestamp.as_ms());
        }
        for (field, slot) in event.slots.iter() {
            let field = usize::from(field);
            let items = layout.object.fields[field].items.as_ref();
            self.columns[PLACE_COLUMNS + field].append(row, slot, items);
        }

        self.raw_enum.clear();
        write_unknown_names(&mut self.raw_enum, "", &layout.object, &event.slots);
        let scope_column = self.columns.len() - 1;
        if !self.raw_enum.is_empty() {
            self.columns[scope_column - 1].append_text(row, &self.raw_enum);
        }
        if let Some(scope) = event.scope() {
            self.columns[scope_column].append_text(row, scope);
        }
        self.rows += 1;
    }

    /// Events appended since the last [`EventBatchBuilder::finish`].
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The appended events, in order; the builder is empty again.
    pub fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        let columns: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|column| column.finish(rows))
            .collect();
        // Columns are made from this schema and padded to the same length. Otherwise this panics, which is better than a batch
        // without the events.
        RecordBatch::from(StructArray::new(
            self.schema.fields().clone(),
            columns,
            None,
        ))
    }
}

/// Appends `path=text;` of every unknown enum value, in the order of the payload.
fn write_unknown_names(out: &mut String, prefix: &str, object: &ObjectLayout, slots: &Slots<'_>) {
    for (position, slot) in slots.iter() {
        let field = &object.fields[usize::from(position)];
        let name = field.field.name;
        match (slot, &field.items) {
            (Slot::UnknownName(raw), _) => {
                let separator = if out.is_empty() { "" } else { ";" };
                let kept: String = raw.chars().take(RAW_ENUM_CHARS).collect();
                // Writing to a String cannot fail.
                let _ = write!(out, "{separator}{prefix}{name}={kept}");
            }
            (Slot::Rows(rows), Some(items)) if has_enum(items) => {
                for (index, row) in rows.iter().enumerate() {
                    let Some(row) = row else { continue };
                    write_unknown_names(out, &format!("{prefix}{name}[{index}]."), items, row);
                }
            }
            _ => {}
        }
    }
}

fn has_enum(object: &ObjectLayout) -> bool {
    object
        .fields
        .iter()
        .any(|one| matches!(one.field.kind, FieldKind::Enum(_)))
}

#[cfg(test)]
mod tests;
