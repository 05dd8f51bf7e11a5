#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::super::producer::Outgoing;
use super::*;
use crate::error::ErrorKind;
use crate::source::{Item, Source, TimestampKind};
use crate::time::fixture::at;
use crate::time::wall;

const NO_WAIT: Duration = Duration::ZERO;
const PATIENCE: Duration = Duration::from_secs(10);

fn input(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// What shard `partition` of two reads: its orders, and all prices.
fn reader(partition: i32) -> Vec<TopicPartition> {
    vec![
        input("orders.v1", partition),
        input("prices.v1", 0),
        input("prices.v1", 1),
    ]
}

fn starts(inputs: &[TopicPartition]) -> Vec<Start> {
    inputs.iter().map(|id| Start::new(id.clone(), 0)).collect()
}

fn text(payload: &str) -> Outgoing {
    Outgoing {
        key: Some(Bytes::from_static(b"C1")),
        payload: Some(Bytes::copy_from_slice(payload.as_bytes())),
        created_at: None,
    }
}

fn poll(source: &mut MemorySource) -> Vec<Item> {
    let mut items = Vec::new();
    source.poll(100, &[], &mut items).unwrap();
    items
}

fn records(items: &[Item]) -> Vec<(usize, i64, String)> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Record(record) => Some((
                record.input,
                record.offset,
                String::from_utf8(record.payload.clone().unwrap().to_vec()).unwrap(),
            )),
            Item::End { .. } | Item::News { .. } => None,
        })
        .collect()
}

fn ends(items: &[Item]) -> Vec<(usize, i64)> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::End {
                input, next_offset, ..
            } => Some((*input, *next_offset)),
            Item::Record(_) | Item::News { .. } => None,
        })
        .collect()
}

#[test]
fn a_reader_gets_its_partitions_in_the_order_of_sending() {
    let (broker, mut producer) = Broker::new(vec![reader(0), reader(1)], 10);
    let mut first = broker.open(&starts(&reader(0))).unwrap();
    let mut second = broker.open(&starts(&reader(1))).unwrap();
    for (topic, partition, payload) in [
        ("orders.v1", 0, "a"),
        ("prices.v1", 1, "b"),
        ("orders.v1", 1, "c"),
        ("orders.v1", 0, "d"),
        ("prices.v1", 0, "e"),
        ("prices.v1", 1, "f"),
    ] {
        producer
            .send(&input(topic, partition), text(payload))
            .unwrap();
    }
    let row = |input, offset, payload: &str| (input, offset, payload.to_owned());
    assert_eq!(
        records(&poll(&mut first)),
        [
            row(0, 0, "a"),
            row(2, 0, "b"),
            row(0, 1, "d"),
            row(1, 0, "e"),
            row(2, 1, "f")
        ]
    );
    assert_eq!(
        records(&poll(&mut second)),
        [
            row(2, 0, "b"),
            row(0, 0, "c"),
            row(1, 0, "e"),
            row(2, 1, "f")
        ],
        "prices reach every reader, with the offsets of their own partition"
    );
}

#[test]
fn no_more_than_asked_for_is_handed_over() {
    let (broker, mut producer) = Broker::new(vec![reader(0)], 10);
    let mut source = broker.open(&starts(&reader(0))).unwrap();
    for payload in ["a", "b", "c"] {
        producer
            .send(&input("orders.v1", 0), text(payload))
            .unwrap();
    }
    let mut items = Vec::new();
    source.poll(2, &[], &mut items).unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(records(&poll(&mut source)), [(0, 2, "c".to_owned())]);
}

#[test]
fn an_empty_lane_is_an_end_only_while_the_producer_rests() {
    let (broker, mut producer) = Broker::new(vec![reader(0)], 10);
    let mut source = broker.open(&starts(&reader(0))).unwrap();
    assert!(poll(&mut source).is_empty(), "something may be on its way");
    assert!(source.unread(0));

    producer.send(&input("prices.v1", 1), text("a")).unwrap();
    producer.rest(NO_WAIT).unwrap();
    assert!(source.unread(2));
    let items = poll(&mut source);
    assert_eq!((records(&items).len(), ends(&items).len()), (1, 0));
    assert_eq!(ends(&poll(&mut source)), [(0, 0), (1, 0), (2, 1)]);
    assert!(!source.unread(2));
    assert!(poll(&mut source).is_empty(), "said once a second");

    producer.send(&input("orders.v1", 0), text("b")).unwrap();
    assert_eq!(records(&poll(&mut source)), [(0, 0, "b".to_owned())]);
    assert!(ends(&poll(&mut source)).is_empty(), "back at work");
    producer.finish();
    assert_eq!(ends(&poll(&mut source)), [(0, 1), (1, 0), (2, 1)]);
}

#[test]
fn a_full_lane_holds_the_producer_and_no_order_of_reading_deadlocks() {
    const RECORDS: i64 = 2_000;
    let (broker, mut producer) = Broker::new(vec![reader(0), reader(1)], 3);
    let mut slow = broker.open(&starts(&reader(0))).unwrap();
    let mut quick = broker.open(&starts(&reader(1))).unwrap();
    let sending = thread::spawn(move || {
        for number in 0..RECORDS {
            // long runs of one partition, then of another: the worst for readers that would wait for both
            let to = match number / 500 % 3 {
                0 => input("orders.v1", 0),
                1 => input("prices.v1", 0),
                _ => input("orders.v1", 1),
            };
            producer.send(&to, text("x")).unwrap();
        }
        producer.finish();
    });
    let began = wall::monotonic();
    let (mut of_slow, mut of_quick) = (0, 0);
    let mut is_finished = [false; 2];
    while is_finished != [true; 2] {
        assert!(
            began.elapsed() < PATIENCE,
            "stuck at {of_slow} and {of_quick}"
        );
        let items = poll(&mut quick);
        is_finished[1] |= !ends(&items).is_empty();
        of_quick += records(&items).len();
        let mut items = Vec::new();
        slow.poll(1, &[], &mut items).unwrap();
        is_finished[0] |= !ends(&items).is_empty();
        of_slow += records(&items).len();
        assert!(slow.records.len() <= 3, "bounded");
    }
    sending.join().unwrap();
    assert_eq!((of_slow, of_quick), (1_500, 1_000));
}

#[test]
fn a_producer_without_readers_learns_so() {
    let (broker, mut producer) = Broker::new(vec![reader(0)], 1);
    let source = broker.open(&starts(&reader(0))).unwrap();
    let to = input("orders.v1", 0);
    producer.send(&to, text("fills the lane")).unwrap();
    let sending = thread::spawn(move || {
        let held = producer.send(&to, text("held"));
        (held, producer.rest(PATIENCE))
    });
    drop(source);
    let began = wall::monotonic();
    let (held, rest) = sending.join().unwrap();
    for error in [held.unwrap_err(), rest.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert!(
        began.elapsed() < PATIENCE,
        "a rest ends when everybody is gone"
    );
}

#[test]
fn timestamps_are_the_senders_or_none() {
    let (broker, mut producer) = Broker::new(vec![reader(0)], 10);
    let mut source = broker.open(&starts(&reader(0))).unwrap();
    let to = input("orders.v1", 0);
    producer.send(&to, text("a")).unwrap();
    let stamped = Outgoing {
        key: None,
        payload: None,
        created_at: Some(at(5)),
    };
    producer.send(&to, stamped).unwrap();
    let items = poll(&mut source);
    let [Item::Record(plain), Item::Record(stamped)] = items.as_slice() else {
        panic!("two records, not {items:?}");
    };
    assert_eq!(
        (plain.timestamp, plain.timestamp_kind),
        (None, TimestampKind::None)
    );
    assert_eq!(
        (stamped.timestamp, stamped.timestamp_kind),
        (Some(at(5)), TimestampKind::CreateTime)
    );
    assert!(
        stamped.payload.is_none() && stamped.payload_len == 0,
        "a tombstone"
    );
}

#[test]
fn nothing_is_kept_for_a_second_reading() {
    let (broker, _producer) = Broker::new(vec![reader(0)], 10);
    let mut later = starts(&reader(0));
    later[0].offset = 7;
    let error = |starts: &[Start]| broker.open(starts).err().unwrap();
    let missing = error(&later);
    assert_eq!(missing.kind(), ErrorKind::EventsMissing);
    assert!(
        missing
            .to_string()
            .contains("wanted_offset=7 first_offset=0"),
        "{missing}"
    );
    assert!(broker.open(&starts(&reader(0))).is_ok());
    let again = error(&starts(&reader(0)));
    assert_eq!(again.kind(), ErrorKind::Internal);
}
