//! The thread that asks, every few seconds, whether topics are still those that are read, and whether they have grown.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::Offset;

use super::beginning::LogNow;
use super::shared::{NewPartition, Shared};
use super::topics::ReadTopic;
use crate::error::Result;
use crate::kafka::{
    KafkaConsumer, TopicDescription, TopicPartition, deleted_topic, describe_topics,
    is_missing_topic, list_offsets,
};
use crate::observe::{OffsetsMissing, PartitionAppeared, ReadingStopped, TopicsNotDescribed};

/// An answer that takes longer has a successor.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Answers in a row after which a topic that is said not to exist is gone: a broker may not have heard of it yet.
const GONE_AFTER: u32 = 2;

pub(super) struct TopicWatcher {
    topics: Vec<ReadTopic>,
    /// By topic: how often in a row it was said not to exist.
    missed: Vec<u32>,
    consumer: Arc<KafkaConsumer>,
    shared: Arc<Shared>,
    every: Duration,
    /// Disconnected when the source is closed.
    closed: Receiver<()>,
}

impl TopicWatcher {
    pub(super) fn new(
        topics: Vec<ReadTopic>,
        consumer: Arc<KafkaConsumer>,
        shared: Arc<Shared>,
        every: Duration,
        closed: Receiver<()>,
    ) -> Self {
        Self {
            missed: vec![0; topics.len()],
            topics,
            consumer,
            shared,
            every,
            closed,
        }
    }

    /// Runs until the source is closed or cannot go on.
    pub(super) fn run(mut self) {
        while self.closed.recv_timeout(self.every) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = self.look() {
                ReadingStopped { error: &error }.report();
                self.shared.fail(error);
                return;
            }
        }
    }

    fn look(&mut self) -> Result<()> {
        let names: Vec<&str> = self
            .topics
            .iter()
            .map(|topic| topic.expected.name.as_str())
            .collect();
        let answers = match describe_topics(&self.consumer, &names, ANSWER_WITHIN) {
            Ok(answers) => answers,
            Err(error) => {
                TopicsNotDescribed { error: &error }.report();
                return Ok(());
            }
        };
        for (index, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(now) => {
                    self.missed[index] = 0;
                    self.compare(index, &now)?;
                }
                Err(error) if is_missing_topic(&error) => {
                    self.missed[index] += 1;
                    if self.missed[index] >= GONE_AFTER {
                        return Err(deleted_topic(&self.topics[index].expected.name));
                    }
                }
                // away, or not allowed to be asked for: the poll thread says what that means
                Err(error) => TopicsNotDescribed { error: &error }.report(),
            }
        }
        Ok(())
    }

    fn compare(&mut self, index: usize, now: &TopicDescription) -> Result<()> {
        let topic = &mut self.topics[index];
        let appeared = topic.compare(now)?;
        topic.id = topic.id.or(now.id);
        for partition in appeared {
            let Ok(number) = i32::try_from(partition) else {
                return Ok(());
            };
            let input = TopicPartition::new(topic.expected.name.clone(), number);
            let asked = std::slice::from_ref(&input);
            let first = list_offsets(&self.consumer, asked, Offset::Beginning, ANSWER_WITHIN);
            // a partition that has no leader yet is looked at again
            let Ok([Ok(first)]) = first.as_deref() else {
                return Ok(());
            };
            let first = *first;
            let log = LogNow {
                id: topic.id,
                first,
                end: first,
            };
            PartitionAppeared {
                topic: &input.topic,
                partition: number,
            }
            .report();
            if first > 0 {
                OffsetsMissing {
                    topic: &input.topic,
                    partition: number,
                    from: 0,
                    to: first,
                    is_first_start: true,
                }
                .report();
            }
            topic.expected.partitions = partition + 1;
            self.shared.note_appeared(NewPartition {
                input,
                identity: log.identity(),
                first_offset: first,
            });
        }
        Ok(())
    }
}
