//! Arrow IPC and Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::encoder::{Encoder, OutputSink};
use super::format::Format;
use crate::error::{Error, ErrorKind};

/// Refuses an answer that the format cannot hold, before anything of it is written. Only Parquet lacks types: a row of NULL tells.
pub(super) fn refuse_types(format: Format, schema: &SchemaRef) -> Result<(), Error> {
    if format != Format::Parquet {
        return Ok(());
    }
    for field in schema.fields() {
        let nullable = Arc::new(field.as_ref().clone().with_nullable(true));
        let column = Arc::new(Schema::new(vec![nullable]));
        let tried =
            RecordBatch::try_new(column.clone(), vec![new_null_array(field.data_type(), 1)])
                .map_err(ParquetError::from)
                .and_then(|row| {
                    let mut writer = ArrowWriter::try_new(io::sink(), column, None)?;
                    writer.write(&row)?;
                    writer.close()
                });
        if tried.is_err() {
            return Err(Error::new(
                ErrorKind::Query,
                format!(
                    "column={} of type {} cannot be written as parquet: cast it or choose another format",
                    field.name(),
                    field.data_type()
                ),
            ));
        }
    }
    Ok(())
}

/// Arrow IPC file.
pub(super) struct Ipc(FileWriter<OutputSink>);

impl Ipc {
    pub(super) fn new(sink: OutputSink, schema: &Schema) -> Result<Self, ArrowError> {
        Ok(Self(FileWriter::try_new(sink, schema)?))
    }
}

impl Encoder for Ipc {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.0.write(batch)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ArrowError> {
        self.0.finish()?;
        Ok(self.0.get_mut().flush()?)
    }
}

/// One Parquet file.
pub(super) struct Parquet(ArrowWriter<OutputSink>);

impl Parquet {
    pub(super) fn new(sink: OutputSink, schema: SchemaRef) -> Result<Self, ArrowError> {
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .build();
        Ok(Self(ArrowWriter::try_new(sink, schema, Some(properties))?))
    }
}

impl Encoder for Parquet {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        Ok(self.0.write(batch)?)
    }

    fn finish(self: Box<Self>) -> Result<(), ArrowError> {
        Ok(self.0.into_inner()?.flush()?)
    }
}
