//! Growing columns, padded with NULL only when they are next written or finished: to append an event costs what the event
//! carries, not the width of its topic.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Int16Builder, Int32Builder, Int64Builder, ListArray,
    ListBuilder, NullBufferBuilder, StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, FieldRef, Fields, TimeUnit};

use super::field::{Field, FieldKind};
use super::layout::ObjectLayout;
use super::slot::{Slot, Slots};
use super::value::UNKNOWN;
use crate::time::TimestampMs;

/// How a field is stored.
pub(super) fn data_type(kind: FieldKind) -> DataType {
    match kind {
        FieldKind::Id
        | FieldKind::StaffId
        | FieldKind::EventId
        | FieldKind::TypeName
        | FieldKind::Code
        | FieldKind::RegionCode
        | FieldKind::Enum(_)
        | FieldKind::Month
        | FieldKind::IsoWeek => DataType::Utf8,
        FieldKind::Qty
        | FieldKind::Price
        | FieldKind::Amount
        | FieldKind::DurationMs
        | FieldKind::U32 => DataType::Int64,
        FieldKind::U16 | FieldKind::SchemaVersion | FieldKind::Bp | FieldKind::FreeText => {
            DataType::Int32
        }
        FieldKind::U8 | FieldKind::Score => DataType::Int16,
        FieldKind::Bool => DataType::Boolean,
        FieldKind::Instant(_) => instant(),
        FieldKind::Date => DataType::Date32,
        FieldKind::Ids | FieldKind::Codes => DataType::List(element(DataType::Utf8)),
        FieldKind::List(items) => DataType::List(element(DataType::Struct(item_fields(items)))),
    }
}

/// Instants in tables: microseconds, UTC.
pub(super) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Delta and Parquet call the item of a list `element`.
fn element(item: DataType) -> FieldRef {
    Arc::new(arrow::datatypes::Field::new("element", item, true))
}

fn item_fields(items: &'static [Field]) -> Fields {
    items
        .iter()
        .flat_map(|item| arrow_fields(item, true))
        .collect()
}

/// The column of a field, and behind that of an enum the one for texts that are not in its list.
pub(super) fn arrow_fields(
    field: &Field,
    nullable: bool,
) -> impl Iterator<Item = arrow::datatypes::Field> {
    let name = field.column();
    let column = commented(&name, data_type(field.kind), nullable, &field.comment());
    let column = if field.kind == FieldKind::StaffId {
        restricted(column)
    } else {
        column
    };
    let raw = field.has_raw_column().then(|| {
        let raw_name = format!("{name}_raw");
        let comment = format!("Text of an unknown {name} if it is a code, else NULL (未知原文)");
        commented(&raw_name, DataType::Utf8, true, &comment)
    });
    std::iter::once(column).chain(raw)
}

/// Marks a column that shows members of staff: class S, in its metadata and its comment (K28).
pub(crate) fn restricted(column: arrow::datatypes::Field) -> arrow::datatypes::Field {
    let mut metadata = column.metadata().clone();
    if let Some(comment) = metadata.get_mut("comment") {
        comment.insert_str(0, "Restricted, class S: ");
    }
    metadata.insert("class".to_owned(), "S".to_owned());
    column.with_metadata(metadata)
}

pub(super) fn commented(
    name: &str,
    data_type: DataType,
    nullable: bool,
    comment: &str,
) -> arrow::datatypes::Field {
    arrow::datatypes::Field::new(name, data_type, nullable)
        .with_metadata([("comment".to_owned(), comment.to_owned())].into())
}

/// Writes the slots of one object into the columns of its fields.
pub(super) fn append_slots(
    columns: &mut [Column],
    row: usize,
    layout: &ObjectLayout,
    slots: &Slots<'_>,
) {
    for (position, slot) in slots.iter() {
        let field = &layout.fields[usize::from(position)];
        columns[field.column].append(row, slot, field.items.as_ref());
        if let Slot::UnknownName(Some(raw)) = slot {
            columns[field.column + 1].append_text(row, raw);
        }
    }
}

pub(super) struct Column {
    rows: usize,
    data: Data,
}

enum Data {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    /// Filled with milliseconds, stored as microseconds.
    Instant(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Texts(ListBuilder<StringBuilder>),
    Rows(Rows),
}

/// A list of structs: child columns, and where each row's items end in them.
struct Rows {
    element: FieldRef,
    fields: Fields,
    ends: Vec<i32>,
    present: NullBufferBuilder,
    items: usize,
    children: Vec<Column>,
}

impl Column {
    pub(super) fn new(data_type: &DataType) -> Self {
        let data = match data_type {
            DataType::Boolean => Data::Bool(BooleanBuilder::new()),
            DataType::Int16 => Data::Int16(Int16Builder::new()),
            DataType::Int32 => Data::Int32(Int32Builder::new()),
            DataType::Int64 => Data::Int64(Int64Builder::new()),
            DataType::Timestamp(..) => {
                Data::Instant(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()))
            }
            DataType::Date32 => Data::Date(Date32Builder::new()),
            DataType::List(element) => match element.data_type() {
                DataType::Struct(fields) => Data::Rows(Rows::new(element.clone(), fields.clone())),
                _ => {
                    Data::Texts(ListBuilder::new(StringBuilder::new()).with_field(element.clone()))
                }
            },
            _ => Data::Text(StringBuilder::new()),
        };
        Column { rows: 0, data }
    }

    fn append(&mut self, row: usize, slot: &Slot<'_>, layout: Option<&ObjectLayout>) {
        self.pad_to(row);
        self.rows = row + 1;
        match (&mut self.data, slot) {
            (Data::Text(column), Slot::Text(text)) => column.append_value(text),
            (Data::Text(column), Slot::Name(name)) => column.append_value(name),
            (Data::Text(column), Slot::UnknownName(_)) => column.append_value(UNKNOWN),
            (Data::Bool(column), Slot::Bool(value)) => column.append_value(*value),
            (Data::Int16(column), Slot::Int(value)) => {
                column.append_option(i16::try_from(*value).ok())
            }
            (Data::Int32(column), Slot::Int(value)) => {
                column.append_option(i32::try_from(*value).ok())
            }
            (Data::Int64(column), Slot::Int(value)) => column.append_value(*value),
            (Data::Instant(column), Slot::Int(value)) => {
                column.append_value(TimestampMs::from_ms(*value).as_micros())
            }
            (Data::Date(column), Slot::Int(value)) => {
                column.append_option(i32::try_from(*value).ok())
            }
            (Data::Texts(column), Slot::Texts(texts)) => {
                texts
                    .iter()
                    .for_each(|text| column.values().append_value(text));
                column.append(true);
            }
            (Data::Rows(column), Slot::Rows(rows)) => column.append(rows.iter().flatten(), layout),
            (_, _) => {
                // Kinds and columns come from the same table: a pair that does not match is a bug in `data_type`.
                debug_assert!(false, "no column for slot={slot:?}");
                self.rows = row;
            }
        }
    }

    pub(super) fn append_text(&mut self, row: usize, text: &str) {
        self.append(row, &Slot::Text(text.into()), None);
    }

    pub(super) fn append_int(&mut self, row: usize, value: i64) {
        self.append(row, &Slot::Int(value), None);
    }

    fn pad_to(&mut self, rows: usize) {
        let nulls = rows - self.rows;
        if nulls == 0 {
            return;
        }
        self.rows = rows;
        match &mut self.data {
            Data::Text(column) => (0..nulls).for_each(|_| column.append_null()),
            Data::Bool(column) => column.append_nulls(nulls),
            Data::Int16(column) => column.append_nulls(nulls),
            Data::Int32(column) => column.append_nulls(nulls),
            Data::Int64(column) => column.append_nulls(nulls),
            Data::Instant(column) => column.append_nulls(nulls),
            Data::Date(column) => column.append_nulls(nulls),
            Data::Texts(column) => (0..nulls).for_each(|_| column.append(false)),
            Data::Rows(column) => column.append_nulls(nulls),
        }
    }

    /// The column up to `rows`; the builder is empty again.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.pad_to(rows);
        self.rows = 0;
        match &mut self.data {
            Data::Text(column) => Arc::new(column.finish()),
            Data::Bool(column) => Arc::new(column.finish()),
            Data::Int16(column) => Arc::new(column.finish()),
            Data::Int32(column) => Arc::new(column.finish()),
            Data::Int64(column) => Arc::new(column.finish()),
            Data::Instant(column) => Arc::new(column.finish()),
            Data::Date(column) => Arc::new(column.finish()),
            Data::Texts(column) => Arc::new(column.finish()),
            Data::Rows(column) => Arc::new(column.finish()),
        }
    }
}

impl Rows {
    fn new(element: FieldRef, fields: Fields) -> Self {
        Rows {
            children: fields
                .iter()
                .map(|field| Column::new(field.data_type()))
                .collect(),
            element,
            fields,
            ends: vec![0],
            present: NullBufferBuilder::new(0),
            items: 0,
        }
    }

    fn append<'a, 'p: 'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Slots<'p>>,
        layout: Option<&ObjectLayout>,
    ) {
        for row in rows {
            if let Some(layout) = layout {
                append_slots(&mut self.children, self.items, layout, row);
            }
            self.items += 1;
        }
        self.present.append_non_null();
        self.close_rows(1);
    }

    fn append_nulls(&mut self, nulls: usize) {
        self.present.append_n_nulls(nulls);
        self.close_rows(nulls);
    }

    fn close_rows(&mut self, rows: usize) {
        // A batch holds about a second of events of at most `max_record_bytes` each: far fewer than 2^31 items.
        let end = i32::try_from(self.items).unwrap_or(i32::MAX);
        self.ends.extend(std::iter::repeat_n(end, rows));
    }

    fn finish(&mut self) -> ListArray {
        let items = std::mem::take(&mut self.items);
        let children = self
            .children
            .iter_mut()
            .map(|child| child.finish(items))
            .collect();
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let values = StructArray::new(self.fields.clone(), children, None);
        ListArray::new(
            self.element.clone(),
            OffsetBuffer::new(ends.into()),
            Arc::new(values),
            self.present.finish(),
        )
    }
}
