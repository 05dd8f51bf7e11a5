//! Where transitions come from.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use schemas::time::TimestampMs;

use super::alert_outbox::SourceRecord;
use super::outbox::Routes;
use crate::alert::Transition;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{LogReader, RecordKind};

const READS_AT_ONCE: usize = 16;

/// The transitions of a record and the time that their age is measured against; `None` for a record that has nothing to do
/// with alerts.
pub type SourceTransitions = Option<(Vec<Transition>, TimestampMs)>;

/// Where transitions come from: a log and how to find them in its records.
#[derive(Clone, Debug)]
pub struct AlertSource {
    /// Name of the log.
    pub log: String,
    /// Version of its payloads.
    pub layout: u16,
    /// What [`AlertDelivery::ingest`](super::AlertDelivery::ingest) calls it: `0`, `1`, `publisher`.
    pub label: String,
    /// Finds the transitions in a record: label, number and payload.
    pub transitions: fn(&str, u64, &[u8]) -> Result<SourceTransitions>,
}

impl AlertSource {
    /// Reads the records behind `cursor`, in their order.
    pub(super) async fn read_behind(
        &self,
        store: &Arc<dyn ObjectStore>,
        routes: &Routes,
        cursor: u64,
        mut found: impl FnMut(SourceRecord),
    ) -> Result<()> {
        let reader = LogReader::new(store.clone(), &self.log, self.layout);
        let Some(last) = reader.last_number().await? else {
            return Ok(());
        };
        let source: Arc<str> = self.label.as_str().into();
        let reads = stream::iter(cursor.saturating_add(1)..=last).map(|number| {
            let read = reader.read(number);
            async move { Ok::<_, Error>((number, read.await?)) }
        });
        let mut reads = reads.buffered(READS_AT_ONCE);
        while let Some((number, entry)) = reads.try_next().await? {
            let Some(entry) = entry else {
                return Err(self.missing(number));
            };
            let transitions = match entry.kind {
                RecordKind::Data => (self.transitions)(&self.label, number, &entry.payload)
                    .map_err(|error| error.context(self.place(number)))?,
                RecordKind::Claim | RecordKind::Checkpoint => None,
            };
            let (transitions, at) = transitions.unzip();
            found(SourceRecord {
                source: source.clone(),
                number,
                transitions: routes.route(transitions.unwrap_or_default()),
                at,
            });
        }
        Ok(())
    }

    fn place(&self, number: u64) -> String {
        format!("log={} number={number}", self.log)
    }

    fn missing(&self, number: u64) -> Error {
        Error::new(
            ErrorKind::Damaged,
            format!(
                "a record is missing {}, its alerts have not been taken over: restore the log or the storage from a copy",
                self.place(number)
            ),
        )
    }
}
