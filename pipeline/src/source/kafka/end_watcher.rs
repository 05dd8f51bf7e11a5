//! The thread that asks, once a second, whether partitions at their ends still are.
//!
//! librdkafka announces an end once. A shard's clock, however, moves with the last moment at which there was certainly
//! nothing more, and silence proves nothing: a broker that does not answer is silent too. So the broker is asked, away from
//! the poll thread, which must not wait for it.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::Offset;

use super::shared::Shared;
use crate::kafka::{KafkaConsumer, TopicPartition, list_offsets};
use crate::observe::EndsNotConfirmed;
use crate::time::wall;

/// An answer that takes longer is worth nothing: its successor is due.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct EndWatcher {
    pub consumer: Arc<KafkaConsumer>,
    pub shared: Arc<Shared>,
    pub every: Duration,
    /// Disconnected when the source is closed.
    pub closed: Receiver<()>,
}

impl EndWatcher {
    /// Runs until the source is closed.
    pub(super) fn run(self) {
        while self.closed.recv_timeout(self.every) == Err(RecvTimeoutError::Timeout) {
            self.confirm();
        }
    }

    fn confirm(&self) {
        let ends = self.shared.ends();
        if ends.is_empty() {
            return;
        }
        let inputs: Vec<TopicPartition> = ends.iter().map(|(_, id)| id.clone()).collect();
        // the moment of asking, not of the answer: the end may have moved in between
        let asked_at = wall::monotonic();
        match list_offsets(&self.consumer, &inputs, Offset::End, ANSWER_WITHIN) {
            Ok(offsets) => {
                for ((input, _), offset) in ends.into_iter().zip(offsets) {
                    if let Ok(end_offset) = offset {
                        self.shared.confirm_end(input, end_offset, asked_at);
                    }
                }
            }
            Err(error) => EndsNotConfirmed { error: &error }.report(),
        }
    }
}
