//! Rejected records as they leave for `<topic>.dlq`.

use bytes::Bytes;

use crate::shard::DeadLetter;
use crate::sink::SinkRecord;

/// Where dead letters of a topic go.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// Bytes of the path that a header holds; the whole stands in the table. Names of fields are whatever a producer writes.
const PATH_BYTES: usize = 512;

/// The raw record, with reason, place and epoch in the headers; `vitrine-timestamp` is in ms, as Kafka has it. `vitrine-value-bytes`
/// says how large a value was of which only the beginning is kept.
pub(super) fn dead_letter_record(letter: &DeadLetter, epoch: i64) -> SinkRecord {
    let path = &letter.path[..letter.path.floor_char_boundary(PATH_BYTES)];
    let timestamp = letter.timestamp.map(|at| at.as_ms().to_string());
    let held = letter.value.as_ref().map_or(0, Bytes::len) as u64;
    let value_bytes = (held < letter.value_bytes).then(|| letter.value_bytes.to_string());
    let own = [
        ("reason", letter.reason.as_str().to_owned()),
        ("path", path.to_owned()),
        ("topic", letter.input.topic.clone()),
        ("partition", letter.input.partition.to_string()),
        ("offset", letter.offset.to_string()),
        ("epoch", epoch.to_string()),
    ];
    let own = own
        .into_iter()
        .chain(value_bytes.map(|bytes| ("value-bytes", bytes)))
        .chain(timestamp.map(|timestamp| ("timestamp", timestamp)));
    SinkRecord {
        topic: dead_letter_topic(&letter.input.topic),
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers: SinkRecord::with_own_headers(&letter.headers, own),
        may_be_cut: true,
    }
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
        let letter = DeadLetter {
            input: TopicPartition::new("orders.v1", 3),
            offset: 42,
            timestamp: Some(at(1_767_661_200_000)),
            reason: Reason::BadValue,
            path: "lines[0].qty".to_owned(),
            value: Some("{}".into()),
            value_bytes: 1 << 24,
            key: Some("C1".into()),
            headers: vec![
                ("trace".into(), Some("t-1".into())),
                ("vitrine-offset".into(), Some("7".into())),
            ],
        };
        let record = dead_letter_record(&letter, 9);
        assert_eq!(record.topic, "orders.v1.dlq");
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    str::from_utf8(name).unwrap(),
                    str::from_utf8(value.as_ref().unwrap()).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            headers,
            [
                ("trace", "t-1"),
                ("original-vitrine-offset", "7"),
                ("vitrine-reason", "bad_value"),
                ("vitrine-path", "lines[0].qty"),
                ("vitrine-topic", "orders.v1"),
                ("vitrine-partition", "3"),
                ("vitrine-offset", "42"),
                ("vitrine-epoch", "9"),
                ("vitrine-value-bytes", "16777216"),
                ("vitrine-timestamp", "1767661200000"),
            ]
        );
        let long = DeadLetter {
            path: "字".repeat(1_000),
            ..letter
        };
        let record = dead_letter_record(&long, 9);
        let path = record
            .headers
            .iter()
            .find(|(name, _)| name == "vitrine-path");
        let (_, path) = path.unwrap();
        assert_eq!(path.as_ref().unwrap(), "字".repeat(170).as_str());
    }
}
