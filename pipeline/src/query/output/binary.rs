//! Arrow IPC and Parquet.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::encoder::{Encoder, OutputSink};

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
