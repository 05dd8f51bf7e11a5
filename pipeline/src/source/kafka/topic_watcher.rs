//! The thread that asks, every few seconds, whether topics are still those that are read, and whether they have grown.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::Offset;

use super::beginning::LogNow;
use super::kafka_source::report_missing;
use super::shared::{NewPartition, Shared};
use super::topics::ReadTopic;
use crate::error::Result;
use crate::kafka::{KafkaConsumer, TopicDescriber, TopicPartition, is_missing_topic, list_offsets};
use crate::observe::{PartitionAppeared, ReadingStopped, TopicsNotDescribed};
use crate::source::{OnMissing, Start};

/// An answer that takes longer has a successor.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct TopicWatcher {
    topics: Vec<ReadTopic>,
    describer: TopicDescriber,
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
            topics,
            describer: TopicDescriber::default(),
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
        let answers = self
            .describer
            .describe(&self.consumer, &names, ANSWER_WITHIN);
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                TopicsNotDescribed { error: &error }.report();
                return Ok(());
            }
        };
        for (index, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(now) => {
                    let appeared = self.topics[index].compare(&now)?;
                    self.read_also(index, appeared)?;
                }
                Err(error) if is_missing_topic(&error) => self.topics[index].note_missing()?,
                // away, or not allowed to be asked for: the poll thread says what that means
                Err(error) => TopicsNotDescribed { error: &error }.report(),
            }
        }
        Ok(())
    }

    /// Partitions of a topic have appeared: they are to be read from their beginning.
    fn read_also(&mut self, index: usize, appeared: Range<u32>) -> Result<()> {
        let topic = &mut self.topics[index];
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
            let log = LogNow {
                id: topic.id(),
                first: *first,
                end: *first,
            };
            let start = Start::new(input, 0);
            let begun = log.begin(&start, OnMissing::Fail)?;
            PartitionAppeared {
                topic: &start.input.topic,
                partition: number,
            }
            .report();
            report_missing(&start, &begun);
            topic.expected.partitions = partition + 1;
            self.shared.note_appeared(NewPartition {
                input: start.input,
                begun,
            });
        }
        Ok(())
    }
}
