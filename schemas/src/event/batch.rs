//! Accepted events as columns: one wide table per topic.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::column::{Column, append_slots, arrow_fields, commented, instant, restricted};
use super::field::FieldKind;
use super::layout::{TopicLayout, fields};
use super::{Event, Topic, envelope};
use crate::time::TimestampMs;

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

/// The columns of `events.<topic>`: the record's place, the envelope, the topic's fields, `scope`.
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
    let own = fields(topic).flat_map(|field| {
        let is_filled = envelope::REQUIRED.contains(&field.name) || always.contains(&field.name);
        arrow_fields(field, !is_filled)
    });
    let scope = commented(
        "scope",
        DataType::Utf8,
        true,
        "Within what a correction finds its event: customer, else SKU, staff or unit (更正范围)",
    );
    let layout = TopicLayout::of(topic);
    let kind = |position: &u8| layout.object.fields[usize::from(*position)].field.kind;
    let may_be_staff = layout
        .scope
        .iter()
        .any(|field| kind(field) == FieldKind::StaffId);
    let scope = if may_be_staff {
        restricted(scope)
    } else {
        scope
    };
    Arc::new(Schema::new(
        place
            .into_iter()
            .chain(own)
            .chain([scope])
            .collect::<Vec<_>>(),
    ))
}

/// Collects accepted events of one topic into a [`RecordBatch`] of [`arrow_schema`].
pub struct EventBatchBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
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
        }
    }

    /// Adds one event of the builder's topic as the next row.
    pub fn append(&mut self, event: &Event<'_>, place: &Place) {
        let row = self.rows;
        self.columns[0].append_int(row, i64::from(place.partition));
        self.columns[1].append_int(row, place.offset);
        if let Some(timestamp) = place.timestamp {
            self.columns[2].append_int(row, timestamp.as_ms());
        }
        let own = &mut self.columns[PLACE_COLUMNS..];
        append_slots(own, row, &event.layout.object, &event.slots);
        if let Some(scope) = event.scope()
            && let Some(column) = self.columns.last_mut()
        {
            column.append_text(row, scope);
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

#[cfg(test)]
mod tests;
