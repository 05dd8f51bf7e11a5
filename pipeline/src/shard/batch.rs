//! The micro-batch: what has been read and judged since the last seal.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use schemas::event::{EventBatchBuilder, Place, Topic};
use schemas::time::TimestampMs;

use super::input::ShardInput;
use super::seal::{DeadLetter, LateEvent};
use crate::decode::Verdict;
use crate::source::Record;

/// See the module's page.
#[derive(Default)]
pub(super) struct MicroBatch {
    builders: BTreeMap<Topic, EventBatchBuilder>,
    dead_letters: Vec<DeadLetter>,
    late_events: Vec<LateEvent>,
    /// Records, ends and changes of the reference data since the last seal.
    pub changes: usize,
    /// Payload bytes of the records.
    pub bytes: usize,
}

impl MicroBatch {
    /// What became of a record. `limit` is the instant below which it would have been too late.
    pub(super) fn add(
        &mut self,
        input: &ShardInput,
        record: &Record,
        verdict: Verdict<'_>,
        limit: TimestampMs,
    ) {
        match verdict {
            Verdict::Accepted(event, _) => {
                let place = Place {
                    partition: input.id.partition,
                    offset: record.offset,
                    timestamp: record.timestamp,
                };
                self.builders
                    .entry(input.topic)
                    .or_insert_with(|| EventBatchBuilder::new(input.topic))
                    .append(&event, &place);
            }
            Verdict::TooLate(event) if input.is_accounted => self.late_events.push(LateEvent {
                input: input.id.clone(),
                offset: record.offset,
                event_id: event.event_id().to_owned(),
                event_type: event.event_type().to_owned(),
                scope: event.scope().map(str::to_owned),
                occurred_at: event.occurred_at(),
                recorded_at: event.recorded_at(),
                limit,
            }),
            Verdict::Dead(rejection) if input.is_accounted => self.dead_letters.push(DeadLetter {
                input: input.id.clone(),
                offset: record.offset,
                timestamp: record.timestamp,
                reason: rejection.reason,
                path: rejection.path,
                value: record.payload.clone(),
                key: record.key.clone(),
                headers: record.headers.clone(),
            }),
            Verdict::Duplicate | Verdict::TooLate(_) | Verdict::Dead(_) => {}
        }
    }

    /// The accepted events, one batch a topic, ready for the operators. The batch goes on empty.
    pub(super) fn finish_events(&mut self) -> Vec<(Topic, RecordBatch)> {
        let builders = self.builders.iter_mut();
        builders
            .filter(|(_, builder)| !builder.is_empty())
            .map(|(topic, builder)| (*topic, builder.finish()))
            .collect()
    }

    /// Dead letters and late events since the last seal. Counting begins anew; the builders keep their room.
    pub(super) fn finish_lists(&mut self) -> (Vec<DeadLetter>, Vec<LateEvent>) {
        self.changes = 0;
        self.bytes = 0;
        (
            std::mem::take(&mut self.dead_letters),
            std::mem::take(&mut self.late_events),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes == 0
    }
}
