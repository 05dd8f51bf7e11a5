//! The Kafka source against a real broker.

use std::time::Duration;

use pipeline::error::ErrorKind;
use pipeline::kafka::{TopicPartition, end_offsets, partition_counts};
use pipeline::source::{Source, TimestampKind};
use schemas::time::TimestampMs;
use tests::kafka::{Broker, Message};

use crate::reader::{Reader, open_error, settings, starts};

/// 2025-01-01 00:00 UTC.
const NEW_YEAR: TimestampMs = TimestampMs::from_ms(1_735_689_600_000);

#[test]
fn reads_every_partition_in_order_to_its_end() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 4, &[]).unwrap();
    // the last partition stays empty
    let sent = |partition: i32| (0..1000 * partition).map(move |n| format!("{partition}:{n}"));
    for partition in 0..3 {
        let messages = sent(partition).map(|text| Message::new(partition, text));
        broker.produce(&topic, messages).unwrap();
    }
    let settings = settings(broker);
    assert_eq!(partition_counts(&settings, &[&topic]).unwrap(), [4]);
    let mut reader = Reader::open(&settings, &starts(&topic, &[0, 0, 0, 0]));
    assert!(reader.source.unread(3), "nothing is known yet");
    assert_eq!(reader.read_to_ends(), [0, 1000, 2000, 0]);
    for partition in 1..3_usize {
        let want: Vec<String> = sent(partition as i32).collect();
        assert_eq!(reader.payloads(partition), want);
        assert_eq!(
            reader.offsets(partition),
            (0..want.len() as i64).collect::<Vec<_>>()
        );
    }
    // live: a record ends the end, until the next one
    broker.produce(&topic, [Message::new(3, "new")]).unwrap();
    reader.until("the new record is read", |reader| {
        reader.records.contains_key(&3) && reader.is_at_end(3)
    });
    assert_eq!(reader.ends[&3].last().unwrap().0, 1);
    drop(reader);
}

#[test]
fn hands_over_all_of_a_record() {
    let broker = Broker::shared().unwrap();
    let topic = broker
        .topic("orders", 1, &[("max.message.bytes", "4000000")])
        .unwrap();
    let full = Message::new(0, "{}")
        .key("K1")
        .at(NEW_YEAR)
        .header("trace", Some(b"1"))
        .header("none", None);
    let long = vec![b'x'; 2_000_000];
    let messages = [
        full,
        Message::tombstone(0),
        Message::new(0, ""),
        Message::new(0, long),
    ];
    broker.produce(&topic, messages).unwrap();
    let mut settings = settings(broker);
    settings.max_kept_bytes = 1001;
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    reader.read_to_ends();
    let [full, tombstone, empty, long] = &reader.records[&0][..] else {
        panic!("not four records");
    };
    assert_eq!(full.key.as_deref(), Some(&b"K1"[..]));
    assert_eq!(full.payload.as_deref(), Some(&b"{}"[..]));
    assert_eq!(full.timestamp, Some(NEW_YEAR));
    assert_eq!(full.timestamp_kind, TimestampKind::CreateTime);
    assert_eq!(
        full.headers,
        [("trace".into(), Some("1".into())), ("none".into(), None)]
    );
    assert_eq!(
        (&tombstone.key, &tombstone.payload, tombstone.payload_len),
        (&None, &None, 0)
    );
    assert_eq!(empty.payload.as_deref(), Some(&b""[..]));
    assert_eq!(long.payload.as_ref().unwrap().len(), 4_096);
    assert_eq!(long.payload_len, 2_000_000);

    let topic = broker
        .topic("orders", 1, &[("message.timestamp.type", "LogAppendTime")])
        .unwrap();
    broker
        .produce(&topic, [Message::new(0, "{}").at(NEW_YEAR)])
        .unwrap();
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    reader.read_to_ends();
    let record = &reader.records[&0][0];
    assert_eq!(record.timestamp_kind, TimestampKind::LogAppendTime);
    assert!(record.timestamp.unwrap() > NEW_YEAR);
}

#[test]
fn resumes_at_the_offsets_it_is_given() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("visits", 3, &[]).unwrap();
    for partition in 0..3 {
        let messages = (0..50).map(|n| Message::new(partition, n.to_string()));
        broker.produce(&topic, messages).unwrap();
    }
    let mut reader = Reader::open(&settings(broker), &starts(&topic, &[20, 49, 50]));
    assert_eq!(reader.read_to_ends(), [50, 50, 50]);
    assert_eq!(reader.offsets(0), (20..50).collect::<Vec<_>>());
    assert_eq!(reader.offsets(1), [49]);
    assert!(reader.offsets(2).is_empty());
}

#[test]
fn transaction_markers_at_the_end_are_the_end() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 3, &[]).unwrap();
    let three = |partition| (0..3).map(move |n| Message::new(partition, n.to_string()));
    broker.transaction(&topic, three(0), true).unwrap();
    broker.produce(&topic, three(1)).unwrap();
    broker.transaction(&topic, three(1), false).unwrap();
    let inputs: Vec<TopicPartition> = (0..3).map(|p| TopicPartition::new(&topic, p)).collect();
    let settings = settings(broker);
    let ends = end_offsets(&settings, &inputs).unwrap();
    assert_eq!(ends, [4, 7, 0], "markers take offsets");

    let mut reader = Reader::open(&settings, &starts(&topic, &[0, 0, 0]));
    assert_eq!(reader.read_to_ends(), ends);
    assert_eq!(reader.offsets(0), [0, 1, 2]);
    assert_eq!(
        reader.offsets(1),
        [0, 1, 2],
        "what was aborted never happened"
    );
    // the marker does not keep the end from being confirmed
    reader.until("every end is confirmed twice", |reader| {
        reader.ends.values().all(|ends| ends.len() >= 3)
    });
    for (input, confirmed) in &reader.ends {
        assert!(confirmed.iter().all(|(offset, _)| *offset == ends[*input]));
        assert!(
            confirmed.windows(2).all(|pair| pair[0].1 < pair[1].1),
            "each says something new"
        );
    }
    // both before and behind the marker are places to resume at
    let mut reader = Reader::open(&settings, &starts(&topic, &[3, 7, 0]));
    assert_eq!(reader.read_to_ends(), ends);
    assert!(reader.records.is_empty());
}

#[test]
fn says_what_is_missing() {
    let broker = Broker::shared().unwrap();
    let settings = settings(broker);
    for _ in 0..2 {
        // the second time too: asking has not made it
        let error = open_error(&settings, &starts("nowhere.v1", &[0]));
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let said = error.to_string();
        assert!(
            said.starts_with("topic does not exist topic=nowhere.v1:"),
            "{said}"
        );
    }
    assert!(partition_counts(&settings, &["nowhere.v1"]).is_err());
    let topic = broker.topic("orders", 1, &[]).unwrap();
    let error = open_error(&settings, &starts(&topic, &[0, 0]));
    assert_eq!(error.kind(), ErrorKind::EventsMissing);
    assert!(
        error.to_string().contains(" partition=1 partitions=1:"),
        "{error}"
    );
}

#[test]
fn reads_ahead_no_further_than_it_may() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 2, &[]).unwrap();
    let text = "x".repeat(100);
    for partition in 0..2 {
        broker
            .produce(
                &topic,
                (0..10_000).map(|_| Message::new(partition, text.clone())),
            )
            .unwrap();
    }
    let mut settings = settings(broker);
    settings.buffered_records = 300;
    let mut reader = Reader::open(&settings, &starts(&topic, &[0, 0]));
    let mut read = 0;
    // far longer than it takes to read all of it, if it were allowed to; on a busy machine once more, and longer
    for seconds in [2, 6, 20] {
        std::thread::sleep(Duration::from_secs(seconds));
        read = reader.poll(usize::MAX).unwrap();
        assert!(read <= 600, "read={read}");
        if read == 600 {
            break;
        }
        reader = Reader::open(&settings, &starts(&topic, &[0, 0]));
    }
    assert_eq!(read, 600);
    assert_eq!(reader.read_to_ends(), [10_000, 10_000]);
    for input in 0..2 {
        assert_eq!(
            reader.offsets(input),
            (0..10_000).collect::<Vec<_>>(),
            "no gap where it waited"
        );
    }
}
