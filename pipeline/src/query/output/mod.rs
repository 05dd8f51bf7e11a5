//! Rows to bytes: the formats of `vitrine sql` and, later, of the HTTP door.
//!
//! | format | rows | values |
//! |---|---|---|
//! | `table` | all at the end | for people; control characters are replaced, so that no value can steer a terminal |
//! | `csv` | as they come | header line; lists separated by `\|`, nested ones as JSON; NULL is empty |
//! | `json` | as they come | one array of objects, every column present |
//! | `ndjson` | as they come | one object a line |
//! | `arrow` | as they come | IPC file (Feather 2) |
//! | `parquet` | by row group | zstd |
//!
//! In text, instants are RFC 3339 in UTC, dates `YYYY-MM-DD`, booleans `true`/`false`, bytes hexadecimal. JSON holds
//! decimals as strings: readers would make doubles of them and lose digits; BIGINT stays a number.

mod binary;
mod text;

use std::error::Error as _;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::session::QueryResult;
use crate::error::{Error, ErrorKind, Result};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Table,
    Csv,
    Json,
    NdJson,
    Arrow,
    Parquet,
}

impl Format {
    pub const ALL: [Self; 6] = [
        Self::Table,
        Self::Csv,
        Self::Json,
        Self::NdJson,
        Self::Arrow,
        Self::Parquet,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::NdJson => "ndjson",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// Is it nothing for a terminal?
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Arrow | Self::Parquet)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                format!("unknown format={text}; one of {known}")
            })
    }
}

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
    let schema = answer.schema();
    // Encoders wrap what the sink says in errors of their own; the sink remembers.
    let failed = |error: ArrowError| match broken.get() {
        Some(kind) => not_written(io::Error::from(*kind)),
        None => not_encoded(format, &error),
    };
    let mut encoder: Box<dyn Encoder> = match format {
        Format::Table => Box::new(text::TextTable::new(sink, schema)),
        Format::Csv => Box::new(text::Csv::new(sink, &schema).map_err(failed)?),
        Format::Json => Box::new(text::Json::array(sink)),
        Format::NdJson => Box::new(text::Json::lines(sink)),
        Format::Arrow => Box::new(binary::Ipc::new(sink, &schema).map_err(failed)?),
        Format::Parquet => Box::new(binary::Parquet::new(sink, schema).map_err(failed)?),
    };
    let mut rows = 0;
    while let Some(batch) = answer.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        encoder.write(&batch).map_err(failed)?;
    }
    encoder.finish().map_err(failed)?;
    Ok(rows)
}

/// One format at work. Empty batches are allowed.
trait Encoder: Send {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;
    /// Writes what is left and flushes.
    fn finish(self: Box<Self>) -> Result<(), ArrowError>;
}

/// Where bytes go.
struct OutputSink {
    inner: Box<dyn Write + Send>,
    broken: Arc<OnceLock<io::ErrorKind>>,
}

impl OutputSink {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                let _ = self.broken.set(error.kind());
            }
        })
    }
}

impl Write for OutputSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.note(flushed)
    }
}

#[cfg(test)]
mod tests;
