//! One lane as a source.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use schemas::time::TimestampMs;

use super::activity::ProducerActivity;
use crate::error::Result;
use crate::source::{Item, Record, Source};
use crate::time::wall;

/// Time between two confirmations of the same end; Kafka's end watcher keeps the same pace.
const CONFIRM_EVERY: Duration = Duration::from_secs(1);

/// One reader's inputs, all from one lane.
pub struct MemorySource {
    pub(super) records: Receiver<Record>,
    /// By input.
    pub(super) next_offsets: Vec<i64>,
    pub(super) activity: ProducerActivity,
    /// When the ends were last announced; `None` while there is something to read.
    pub(super) confirmed_at: Option<Instant>,
    pub(super) _presence: Sender<()>,
}

impl MemorySource {
    fn take(&mut self, record: Record, out: &mut Vec<Item>) {
        self.next_offsets[record.input] = record.offset + 1;
        self.confirmed_at = None;
        out.push(Item::Record(record));
    }
}

impl Source for MemorySource {
    /// The order of sending stands, so `watermarks` decide nothing.
    fn poll(&mut self, max: usize, _watermarks: &[TimestampMs], out: &mut Vec<Item>) -> Result<()> {
        // Asked before the lane is: what was sent before a rest is then in the lane.
        let at = wall::monotonic();
        let was_at_rest = self.activity.is_at_rest();
        let Ok(first) = self.records.try_recv() else {
            let is_due = self
                .confirmed_at
                .is_none_or(|confirmed| at.duration_since(confirmed) >= CONFIRM_EVERY);
            if was_at_rest && is_due {
                self.confirmed_at = Some(at);
                out.extend(
                    (0..)
                        .zip(&self.next_offsets)
                        .map(|(input, &next_offset)| Item::End {
                            input,
                            next_offset,
                            at,
                        }),
                );
            }
            return Ok(());
        };
        self.take(first, out);
        for _ in 1..max {
            let Ok(record) = self.records.try_recv() else {
                break;
            };
            self.take(record, out);
        }
        Ok(())
    }

    fn unread(&self, _input: usize) -> bool {
        !(self.activity.is_at_rest() && self.records.is_empty())
    }
}
