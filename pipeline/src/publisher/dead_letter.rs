//! Rejected records as they leave for `<topic>.dlq`.

use bytes::Bytes;

use crate::shard::DeadLetter;
use crate::sink::SinkRecord;

/// Where dead letters of a topic go.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// The raw record, with reason and place in the headers; `vitrine-timestamp` is in ms, as Kafka has it. `vitrine-value-bytes` says
/// how large a value was of which only the beginning is kept.
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
    let held = letter.value.as_ref().map_or(0, Bytes::len) as u64;
    if held < letter.value_bytes {
        add("value-bytes", letter.value_bytes.to_string());
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use schemas::event::Reason;

    use super::*;
    use crate::kafka::TopicPartition;
    use crate::time::fixture::at;

    #[test]
    fn headers_say_why_and_from_where() {
        let record = dead_letter_record(&DeadLetter {
            input: TopicPartition::new("orders.v1", 3),
            offset: 42,
            timestamp: Some(at(1_767_661_200_000)),
            reason: Reason::BadValue,
            path: "lines[0].qty".to_owned(),
            value: Some("{}".into()),
            value_bytes: 1 << 24,
            key: Some("C1".into()),
            headers: vec![("trace".to_owned(), Some("t-1".into()))],
        });
        assert_eq!(record.topic, "orders.v1.dlq");
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str(),
                    str::from_utf8(value.as_ref().unwrap()).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            headers,
            [
                ("trace", "t-1"),
                ("vitrine-reason", "bad_value"),
                ("vitrine-path", "lines[0].qty"),
                ("vitrine-topic", "orders.v1"),
                ("vitrine-partition", "3"),
                ("vitrine-offset", "42"),
                ("vitrine-value-bytes", "16777216"),
                ("vitrine-timestamp", "1767661200000"),
            ]
        );
    }
}
