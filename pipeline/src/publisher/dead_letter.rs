//! Rejected records as they leave for `<topic>.dlq`.

use crate::shard::DeadLetter;
use crate::sink::SinkRecord;

/// Where dead letters of a topic go.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// The raw record, with reason and place in the headers.
pub(super) fn dead_letter_record(letter: &DeadLetter) -> SinkRecord {
    let mut headers = letter.headers.clone();
    let mut add = |name: &str, value: String| {
        headers.push((format!("vitrine-{name}"), Some(value.into())));
    };
    add("reason", letter.reason.as_str().to_owned());
    add("path", letter.path.clone());
    add("topic", letter.input.topic.clone());
    add("partition", letter.input.partition.to_string());
    add("offset", letter.offset.to_string());
    if let Some(timestamp) = letter.timestamp {
        add("timestamp", timestamp.as_ms().to_string());
    }
    SinkRecord {
        topic: dead_letter_topic(&letter.input.topic),
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers,
    }
    .fitting()
}
