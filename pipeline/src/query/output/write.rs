//! An answer to bytes, batch by batch, and whose fault it is when that fails.

use std::error::Error as _;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::encoder::{Encoder, OutputSink};
use super::format::Format;
use super::not_finite::count_not_finite;
use super::rename::{under, with_different_names};
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

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub rows: u64,
    /// Values NaN and infinity that stand there as null, because JSON does not know them.
    pub nulled: u64,
}

/// Writes all rows of the answer.
pub async fn write(
    mut answer: QueryResult,
    format: Format,
    sink: impl Write + Send + 'static,
) -> Result<Written> {
    let broken = Arc::new(OnceLock::new());
    let sink = OutputSink {
        inner: Box::new(sink),
        broken: broken.clone(),
    };
    let are_columns_too = !matches!(format, Format::Table | Format::Csv);
    let schema = with_different_names(&answer.schema(), are_columns_too);
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
    let mut written = Written::default();
    while let Some(batch) = answer.next().await {
        let batch = under(&schema, &batch?).map_err(failed)?;
        written.rows += batch.num_rows() as u64;
        written.nulled += count_nulled(format, &batch).map_err(failed)?;
        encoder.write(&batch).map_err(failed)?;
    }
    encoder.finish().map_err(failed)?;
    Ok(written)
}

/// Values of the batch that the format shows as null, because it writes them as JSON: in JSON all, in text those of nested columns
/// but for plain lists.
fn count_nulled(format: Format, batch: &RecordBatch) -> Result<u64, ArrowError> {
    let is_json = |data_type: &DataType| match (format, data_type) {
        (Format::Arrow | Format::Parquet, _) => false,
        (Format::Json | Format::NdJson, _) => true,
        (Format::Table | Format::Csv, DataType::List(item)) => item.data_type().is_nested(),
        (Format::Table | Format::Csv, other) => other.is_nested(),
    };
    let columns = batch.columns().iter();
    let columns = columns.filter(|column| is_json(column.data_type()));
    columns.map(count_not_finite).sum()
}

#[cfg(test)]
mod tests;
