//! What every format does, and where its bytes go.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

/// One format at work. Empty batches are allowed.
pub(super) trait Encoder: Send {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;
    /// Writes what is left and flushes.
    fn finish(self: Box<Self>) -> Result<(), ArrowError>;
}

/// Where bytes go.
pub(super) struct OutputSink {
    pub(super) inner: Box<dyn Write + Send>,
    pub(super) broken: Arc<OnceLock<io::ErrorKind>>,
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
