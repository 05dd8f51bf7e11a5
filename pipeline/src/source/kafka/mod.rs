//! Records from Kafka: one consumer a shard, `assign`ed at the shard's own offsets.
//!
//! No group is joined and no position is committed or read: the shard's log alone says where to go on. Records of
//! partitions with no room in our buffers wait at librdkafka, then at the broker. Memory per partition stays
//! below twice [`KafkaSettings::buffered_bytes`](crate::kafka::KafkaSettings::buffered_bytes), plus what one fetch unpacks to: one batch, or
//! several of 256 KiB together as they are packed. librdkafka bounds that for zstd only (F27).
//!
//! A topic is known by its id: librdkafka itself would go on in one that was made anew under the same name. Its number of
//! partitions is fixed, but for topics that may grow: their new partitions are read too.
//!
//! Whether a topic is gone is found out by asking for it every few seconds (`topic_watcher`). That a broker does not know a partition
//! is no proof: it may not have heard of it yet.
//!
//! Once open, only what would lose or misread records stops reading: positions out of range, a topic that is gone, another one
//! or larger than it may be, a batch that cannot be unpacked. Brokers that are away are waited for, however long; [`Item::End`](super::Item::End) is then not
//! confirmed.

mod beginning;
mod end_watcher;
mod kafka_source;
mod poll_thread;
mod queue;
mod shared;
mod topic_watcher;
mod topics;

pub use kafka_source::KafkaSource;
pub use topics::ExpectedTopic;
