//! Table, CSV and JSON.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json;
use arrow::json::writer::{EncoderOptions, JsonArray, JsonFormat, LineDelimited, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_schema;
use schemas::id::joined;

use super::encoder::{Encoder, OutputSink};
use super::escape::escaped;

/// RFC 3339; right because [`in_utc`] has turned every zone into UTC.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// A reading of the clock without a zone.
const LOCAL: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// A table for people.
pub(super) struct TextTable {
    sink: OutputSink,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl TextTable {
    pub(super) fn new(sink: OutputSink, schema: SchemaRef) -> Self {
        Self {
            sink,
            schema,
            batches: Vec::new(),
        }
    }
}

impl Encoder for TextTable {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let cells = batch
            .columns()
            .iter()
            .map(|column| Ok(harmless(&cells(&in_utc(column)?)?)))
            .collect::<Result<_, ArrowError>>()?;
        self.batches.push(named(batch.schema_ref(), cells)?);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ArrowError> {
        let fields = self
            .schema
            .fields()
            .iter()
            .map(|field| Field::new(escaped(field.name()), DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let table = pretty_format_batches_with_schema(schema, &self.batches)?;
        writeln!(self.sink, "{table}")?;
        Ok(self.sink.flush()?)
    }
}

/// Texts as a terminal may show them.
fn harmless(texts: &ArrayRef) -> ArrayRef {
    let Some(texts) = texts.as_string_opt::<i32>() else {
        return texts.clone();
    };
    let shown: StringArray = texts.iter().map(|text| text.map(escaped)).collect();
    Arc::new(shown)
}

/// Comma-separated values with a header.
pub(super) struct Csv(csv::Writer<OutputSink>);

impl Csv {
    pub(super) fn new(sink: OutputSink, schema: &Schema) -> Result<Self, ArrowError> {
        let mut writer = csv::WriterBuilder::new()
            .with_header(true)
            .with_timestamp_tz_format(INSTANT.to_owned())
            .with_timestamp_format(LOCAL.to_owned())
            .build(sink);
        // The header also of an answer without rows.
        let names = schema
            .fields()
            .iter()
            .map(|field| Field::new(field.name(), DataType::Utf8, true));
        writer.write(&RecordBatch::new_empty(Arc::new(Schema::new(
            names.collect::<Vec<_>>(),
        ))))?;
        Ok(Self(writer))
    }
}

impl Encoder for Csv {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let flat = |column: &ArrayRef| {
            let column = in_utc(column)?;
            if column.data_type().is_nested() {
                cells(&column)
            } else {
                Ok(column)
            }
        };
        let columns = batch
            .columns()
            .iter()
            .map(flat)
            .collect::<Result<_, ArrowError>>()?;
        self.0.write(&named(batch.schema_ref(), columns)?)
    }

    fn finish(self: Box<Self>) -> Result<(), ArrowError> {
        Ok(self.0.into_inner().flush()?)
    }
}

/// JSON objects: an array of them, or one a line.
pub(super) struct Json<F: JsonFormat> {
    writer: json::Writer<OutputSink, F>,
    /// What is missing behind the last row: lines have their ends, an array has none.
    end: &'static [u8],
}

impl Json<JsonArray> {
    pub(super) fn array(sink: OutputSink) -> Self {
        Self {
            writer: json_writer().build(sink),
            end: b"\n",
        }
    }
}

impl Json<LineDelimited> {
    pub(super) fn lines(sink: OutputSink) -> Self {
        Self {
            writer: json_writer().build(sink),
            end: b"",
        }
    }
}

fn json_writer() -> json::WriterBuilder {
    json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format(INSTANT.to_owned())
        .with_timestamp_format(LOCAL.to_owned())
}

impl<F: JsonFormat + Send> Encoder for Json<F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = batch
            .columns()
            .iter()
            .map(for_json)
            .collect::<Result<_, _>>()?;
        self.writer.write(&named(batch.schema_ref(), columns)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ArrowError> {
        self.writer.finish()?;
        let sink = self.writer.get_mut();
        sink.write_all(self.end)?;
        Ok(sink.flush()?)
    }
}

/// The columns under the names of the schema, with their present types.
fn named(schema: &Schema, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter().zip(&columns);
    let fields =
        fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

/// Every cell as text: lists joined as ids are (K42), what is nested deeper as JSON.
fn cells(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::new()
        .with_timestamp_tz_format(Some(INSTANT))
        .with_timestamp_format(Some(LOCAL));
    let text: StringArray = match column.data_type() {
        DataType::List(item) if !item.data_type().is_nested() => {
            let join = |items: ArrayRef| {
                let items_as_text = ArrayFormatter::try_new(&items, &options)?;
                let items = (0..items.len()).map(|item| items_as_text.value(item).try_to_string());
                let items = items.collect::<Result<Vec<_>, _>>()?;
                Ok::<_, ArrowError>(joined(items.iter().map(String::as_str)))
            };
            column
                .as_list::<i32>()
                .iter()
                .map(|items| items.map(join).transpose())
                .collect::<Result<_, _>>()?
        }
        nested if nested.is_nested() => {
            let column = for_json(column)?;
            let field: FieldRef = Arc::new(Field::new("item", column.data_type().clone(), true));
            let options = EncoderOptions::default().with_timestamp_tz_format(INSTANT.to_owned());
            let mut encoder = make_encoder(&field, &column, &options)?;
            let mut json = |row: usize| {
                let mut bytes = Vec::new();
                encoder.encode(row, &mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            };
            (0..column.len())
                .map(|row| column.is_valid(row).then(|| json(row)))
                .collect()
        }
        _ => {
            let formatter = ArrayFormatter::try_new(column, &options)?;
            let cell = |row| {
                column
                    .is_valid(row)
                    .then(|| formatter.value(row).try_to_string())
                    .transpose()
            };
            (0..column.len()).map(cell).collect::<Result<_, _>>()?
        }
    };
    Ok(Arc::new(text))
}

fn in_utc(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    cast(column, &mapped(column.data_type(), false))
}

fn for_json(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    cast(column, &mapped(column.data_type(), true))
}

/// The type with every instant in UTC and, if wanted, every decimal as text.
fn mapped(data_type: &DataType, decimals_as_text: bool) -> DataType {
    let inner = |field: &FieldRef| {
        let data_type = mapped(field.data_type(), decimals_as_text);
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        decimal if decimals_as_text && decimal.is_decimal() => DataType::Utf8,
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Dictionary(_, value) => mapped(value, decimals_as_text),
        other => other.clone(),
    }
}
