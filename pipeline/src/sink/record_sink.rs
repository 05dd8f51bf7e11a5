//! Where records of an epoch can be sent.

use async_trait::async_trait;

use super::sink_record::SinkRecord;
use crate::error::{Error, Result};

/// Why records did not arrive. Where the error is retryable, the same again may arrive; otherwise one of them is refused for good.
#[derive(Debug)]
pub struct RecordSinkError {
    /// Position of the refused record among those given, where it is known.
    pub refused: Option<usize>,
    pub error: Error,
    /// None of them has arrived. Otherwise [`RecordSink::resume`] is to say what has.
    pub is_undone: bool,
}

/// Somewhere records leave to, all of those given at once or none of them.
#[async_trait]
pub trait RecordSink: Send + Sync {
    /// Becomes the only one that sends as `sender`: what another one with this name has not finished never arrives. Says how many of
    /// the epoch's records, from the first on, have arrived.
    async fn resume(&self, sender: &str, epoch: i64, records: &[SinkRecord]) -> Result<usize>;

    /// Sends records of the epoch, of which `first` is the position of the first. Before the first call, and after an error that is
    /// not undone, [`RecordSink::resume`] is called.
    async fn send(
        &self,
        epoch: i64,
        first: usize,
        records: &[SinkRecord],
    ) -> Result<(), RecordSinkError>;
}
