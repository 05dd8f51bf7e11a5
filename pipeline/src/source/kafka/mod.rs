//! Records from Kafka: one consumer a shard, `assign`ed at the shard's own offsets.
//!
//! No group is joined and no position is committed or read: the shard's log alone says where to go on. Records of
//! partitions with no room in our buffers wait at librdkafka, then at the broker. Memory per partition stays
//! below twice [`KafkaSettings::buffered_bytes`](crate::kafka::KafkaSettings::buffered_bytes), plus one fetch.
//!
//! Once open, only what would lose or misread records stops reading: positions out of range, a topic that is gone, a batch
//! that cannot be unpacked. Brokers that are away are waited for, however long; [`Item::End`](super::Item::End) is then not
//! confirmed.

mod end_watcher;
mod kafka_source;
mod poll_thread;
mod queue;
mod shared;

pub use kafka_source::KafkaSource;
