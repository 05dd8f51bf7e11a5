//! What a shard is given.

use std::time::Duration;

use schemas::event::{Limits, Topic};

use crate::decode::{Partitioner, TopicSettings};
use crate::kafka::TopicPartition;

/// What a shard needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct ShardSettings {
    pub shard: u32,
    pub shards: u32,
    /// Partitions of the topic that every shard reads whole.
    pub global_partitions: u32,
    pub topics: Vec<TopicSettings>,
    pub limits: Limits,
    pub partitioner: Partitioner,
    /// Longest time between two seals while there is something to seal.
    pub seal_every: Duration,
    /// Records after which a seal comes early.
    pub seal_records: usize,
    /// Bytes of records after which a seal comes early; those of dead letters count several times.
    pub seal_bytes: usize,
    /// Longest time for which a moving clock alone stays unsealed, unless it passes a timer or the end of a local day.
    pub heartbeat: Duration,
    /// Seals between two checkpoints.
    pub checkpoint_every: u64,
    /// Bytes of dead letters after which a checkpoint comes early: a start reads every seal behind the last one.
    pub checkpoint_dead_letter_bytes: usize,
    /// The share of dead letters among the last 10,000 records at which the shard stops.
    pub dead_letter_stop_ratio: f64,
}

impl ShardSettings {
    /// The inputs of the shard: its partition of every keyed topic, all partitions of the others.
    pub fn topic_partitions(&self) -> Vec<(TopicPartition, Topic)> {
        let mut inputs = Vec::new();
        for topic in &self.topics {
            let partitions = if topic.topic.is_keyed() {
                self.shard..self.shard + 1
            } else {
                0..self.global_partitions
            };
            for partition in partitions {
                let partition = i32::try_from(partition).unwrap_or(i32::MAX);
                inputs.push((
                    TopicPartition::new(topic.name.clone(), partition),
                    topic.topic,
                ));
            }
        }
        inputs
    }
}

/// Name of a shard's log.
pub fn shard_log(shard: u32) -> String {
    format!("shard-{shard}")
}
