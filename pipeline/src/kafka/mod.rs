//! Kafka: one client set-up, one producer set-up, one place that knows its errors.

mod client;
mod describe;
mod error;
mod headers;
mod producer;
mod secret;
mod sender;
mod settings;
mod tail;
mod topic_id;
mod topic_partition;
mod topics;
mod transaction;

pub use client::{end_offsets, partition_counts};
pub use headers::{Header, write_headers};
pub use sender::RecordSender;
pub use settings::KafkaSettings;
pub use topic_id::TopicId;
pub use topic_partition::TopicPartition;

pub(crate) use client::{Client, Events, KafkaConsumer, list_offsets, serve_events};
pub(crate) use describe::{TopicDescriber, TopicDescription};
pub(crate) use error::{
    ErrorClass, classify, client_failed, deleted_topic, is_missing_topic, setting,
};
pub(crate) use headers::{header_text, read_headers};
pub(crate) use producer::{KafkaProducer, is_refusal, is_too_large, not_delivered};
pub(crate) use tail::greatest_at_ends;
pub(crate) use topics::{ensure_topics, message_limits};
pub(crate) use transaction::{TransactionFailed, TransactionalProducer};
