//! An answer to bytes, batch by batch, and whose fault it is when that fails.

use std::collections::HashSet;
use std::error::Error as _;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::encoder::{Encoder, OutputSink};
use super::format::Format;
use super::{binary, text};
use crate::error::{Error, ErrorKind, Result};
use crate::query::session::QueryResult;

/// The reader of the rows takes no more of them.
fn not_written(source: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "cannot write the rows").caused_by(source)
}

/// A value that the format cannot hold.
fn not_encoded(format: Format, source: &ArrowError) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!(
            "cannot write the rows as {format}: {source}; cast the column or choose another format"
        ),
    )
}

/// Whether the reader has gone away. Then nobody receives a message.
pub fn is_broken_pipe(error: &Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes all rows of the answer; gives their number.
pub async fn write(
    mut answer: QueryResult,
    format: Format,
    sink: impl Write + Send + 'static,
) -> Result<u64> {
    let broken = Arc::new(OnceLock::new());
    let sink = OutputSink {
        inner: Box::new(sink),
        broken: broken.clone(),
    };
    let schema = match format {
        Format::Table | Format::Csv => answer.schema(),
        _ => with_different_names(&answer.schema()),
    };
    binary::refuse_types(format, &schema)?;
    // Encoders wrap what the sink says in errors of their own; the sink remembers.
    let failed = |error: ArrowError| match broken.get() {
        Some(kind) => not_written(io::Error::from(*kind)),
        None => not_encoded(format, &error),
    };
    let mut encoder: Box<dyn Encoder> = match format {
        Format::Table => Box::new(text::TextTable::new(sink, schema.clone())),
        Format::Csv => Box::new(text::Csv::new(sink, &schema).map_err(failed)?),
        Format::Json => Box::new(text::Json::array(sink)),
        Format::NdJson => Box::new(text::Json::lines(sink)),
        Format::Arrow => Box::new(binary::Ipc::new(sink, &schema).map_err(failed)?),
        Format::Parquet => Box::new(binary::Parquet::new(sink, schema.clone()).map_err(failed)?),
    };
    let mut rows = 0;
    while let Some(batch) = answer.next().await {
        let batch = under(&schema, &batch?).map_err(failed)?;
        rows += batch.num_rows() as u64;
        encoder.write(&batch).map_err(failed)?;
    }
    encoder.finish().map_err(failed)?;
    Ok(rows)
}

/// The same rows under other names of columns.
fn under(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
}

/// The same columns; where several have one name, all but the first get a number.
fn with_different_names(schema: &SchemaRef) -> SchemaRef {
    let mut names: HashSet<String> = HashSet::new();
    let mut fields: Vec<FieldRef> = Vec::new();
    let is_taken = |name: &str| schema.fields().iter().any(|field| field.name() == name);
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 2;
        while names.contains(&name) || number > 2 && is_taken(&name) {
            name = format!("{}_{number}", field.name());
            number += 1;
        }
        names.insert(name.clone());
        fields.push(Arc::new(field.as_ref().clone().with_name(name)));
    }
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

#[cfg(test)]
mod tests;
