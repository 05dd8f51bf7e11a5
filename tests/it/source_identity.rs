//! The Kafka source where a topic is not what it was: made anew, grown, cut off, or ending in transactions (F16, K38).

use std::time::Duration;

use pipeline::error::ErrorKind;
use pipeline::kafka::{KafkaSettings, TopicPartition};
use pipeline::source::kafka::{ExpectedTopic, KafkaSource};
use pipeline::source::{InputIdentity, InputNews, OnMissing, Start};
use tests::kafka::{Broker, Message};

use crate::reader::{Reader, open_error, settings, starts};

fn numbers(partition: i32, count: i32) -> impl Iterator<Item = Message> {
    (0..count).map(move |number| Message::new(partition, number.to_string()))
}

/// Settings of a source that looks at its topics all the time.
fn watchful(broker: &Broker) -> KafkaSettings {
    let mut settings = settings(broker);
    settings.describe_every = Duration::from_millis(100);
    settings
}

fn earliest(settings: &KafkaSettings, starts: &[Start]) -> Reader {
    let source = KafkaSource::open(settings, &[], starts, OnMissing::Earliest).unwrap();
    Reader::of(source, starts)
}

/// What the topic is known by, asked of a reader that has just been opened.
fn identity(settings: &KafkaSettings, topic: &str) -> InputIdentity {
    let mut reader = Reader::open(settings, &starts(topic, &[0]));
    reader.until("the topic is known", |reader| !reader.news.is_empty());
    let Some((0, InputNews::Identified(identity))) = reader.news.first() else {
        panic!("{:?}", reader.news);
    };
    assert!(matches!(identity, InputIdentity::Topic(_)), "{identity:?}");
    *identity
}

/// Where a seal says that partition 0 stands.
fn sealed(topic: &str, offset: i64, identity: InputIdentity) -> [Start; 1] {
    [Start::sealed(
        TopicPartition::new(topic, 0),
        offset,
        identity,
    )]
}

#[test]
fn f16_a_topic_made_anew_is_told_by_its_id_be_it_shorter_equal_or_longer() {
    let broker = Broker::shared().unwrap();
    let settings = settings(broker);
    let topic = broker.topic("orders", 1, &[]).unwrap();
    broker.produce(&topic, numbers(0, 5)).unwrap();
    let before = identity(&settings, &topic);
    assert_eq!(identity(&settings, &topic), before, "it is the topic's own");
    for count in [3, 5, 9] {
        broker.delete_topic(&topic).unwrap();
        broker.create_topic(&topic, 1, &[]).unwrap();
        broker.produce(&topic, numbers(0, count)).unwrap();
        let starts = sealed(&topic, 5, before);
        let error = open_error(&settings, &starts);
        assert_eq!(error.kind(), ErrorKind::EventsMissing);
        let said = error.to_string();
        assert!(
            said.contains("created anew") && said.contains(&topic),
            "{said}"
        );

        let now = identity(&settings, &topic);
        assert_ne!(now, before);
        let mut reader = earliest(&settings, &starts);
        assert_eq!(reader.read_to_ends(), [i64::from(count)]);
        assert_eq!(reader.offsets(0), (0..i64::from(count)).collect::<Vec<_>>());
        let from_the_beginning = InputNews::Missing { from: 5, to: 0 };
        assert_eq!(
            reader.news,
            [(0, InputNews::Identified(now)), (0, from_the_beginning)]
        );
    }
}

#[test]
fn f16_a_topic_made_anew_while_it_is_read_stops_though_it_is_longer() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 1, &[]).unwrap();
    broker.produce(&topic, numbers(0, 5)).unwrap();
    let mut reader = Reader::open(&watchful(broker), &starts(&topic, &[0]));
    reader.read_to_ends();
    broker.delete_topic(&topic).unwrap();
    broker.create_topic(&topic, 1, &[]).unwrap();
    broker.produce(&topic, numbers(0, 20)).unwrap();
    let error = reader.failure();
    assert_eq!(error.kind(), ErrorKind::EventsMissing, "{error}");
    assert!(error.to_string().contains(&topic), "{error}");
}

#[test]
fn f16_a_topic_that_is_deleted_while_it_is_read_is_missing() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 1, &[]).unwrap();
    broker.produce(&topic, numbers(0, 5)).unwrap();
    let mut reader = Reader::open(&watchful(broker), &starts(&topic, &[0]));
    reader.read_to_ends();
    broker.delete_topic(&topic).unwrap();
    let error = reader.failure();
    assert_eq!(error.kind(), ErrorKind::EventsMissing, "{error}");
    assert!(
        error.to_string().starts_with("topic was deleted"),
        "{error}"
    );
}

#[test]
fn f16_deleting_what_was_read_is_no_loss_and_deleting_more_is() {
    let broker = Broker::shared().unwrap();
    let settings = settings(broker);
    let topic = broker.topic("orders", 1, &[]).unwrap();
    broker.produce(&topic, numbers(0, 10)).unwrap();
    let id = identity(&settings, &topic);
    for before in [6, 10] {
        broker.delete_records(&topic, 0, before).unwrap();
        let mut reader = Reader::open(&settings, &sealed(&topic, 10, id));
        assert_eq!(reader.read_to_ends(), [10]);
        assert!(reader.records.is_empty());
    }
    broker.produce(&topic, numbers(0, 5)).unwrap();
    broker.delete_records(&topic, 0, 12).unwrap();
    for offset in [10, 0] {
        let starts = sealed(&topic, offset, id);
        let error = open_error(&settings, &starts);
        assert_eq!(error.kind(), ErrorKind::EventsMissing);
        let wanted = format!("wanted_offset={offset} first_offset=12 ");
        assert!(error.to_string().contains(&wanted), "{error}");

        let mut reader = earliest(&settings, &starts);
        assert_eq!(reader.read_to_ends(), [15]);
        assert_eq!(reader.offsets(0), [12, 13, 14]);
        let missing = InputNews::Missing {
            from: offset,
            to: 12,
        };
        assert_eq!(reader.news[1], (0, missing));
    }
    // what nobody has read before the first start was never ours; it is said
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    assert_eq!(reader.read_to_ends(), [15]);
    assert_eq!(reader.news[1], (0, InputNews::Missing { from: 0, to: 12 }));
}

#[test]
fn f16_what_retention_takes_while_it_is_read_is_passed_over_where_configured() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 1, &[]).unwrap();
    let text = "x".repeat(1000);
    let many = || (0..20_000).map(|_| Message::new(0, text.clone()));
    broker.produce(&topic, many()).unwrap();
    let mut settings = settings(broker);
    settings.buffered_bytes = 100_000;
    settings
        .properties
        .insert("fetch.message.max.bytes".into(), "100000".into());
    let mut reader = earliest(&settings, &starts(&topic, &[0]));
    reader.until("reading has begun", |reader| !reader.records.is_empty());
    broker.delete_records(&topic, 0, 20_000).unwrap();
    broker.produce(&topic, numbers(0, 10)).unwrap();
    reader.until("the rest is read", |reader| {
        reader.offsets(0).last() == Some(&20_009) && reader.is_at_end(0)
    });
    let offsets = reader.offsets(0);
    let read_before = offsets.len() as i64 - 10;
    assert!(read_before < 20_000);
    let expected: Vec<i64> = (0..read_before).chain(20_000..20_010).collect();
    assert_eq!(offsets, expected);
    let missing = InputNews::Missing {
        from: read_before,
        to: 20_000,
    };
    assert_eq!(reader.news[1..], [(0, missing)]);
}

/// A topic that had one partition at start, and whether it may have more.
fn expected(topic: &str, may_grow: bool) -> [ExpectedTopic; 1] {
    [ExpectedTopic {
        name: topic.to_owned(),
        partitions: 1,
        may_grow,
    }]
}

/// A reader of the one partition that a topic had at start, which looks at its topics all the time, at its end.
fn watching(broker: &Broker, topic: &str, may_grow: bool, on_missing: OnMissing) -> Reader {
    let starts = starts(topic, &[0]);
    let expected = expected(topic, may_grow);
    let source = KafkaSource::open(&watchful(broker), &expected, &starts, on_missing);
    let mut reader = Reader::of(source.unwrap(), &starts);
    reader.read_to_ends();
    reader
}

#[test]
fn f16_new_partitions_are_read_where_a_topic_may_grow() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("prices", 1, &[]).unwrap();
    broker.produce(&topic, numbers(0, 3)).unwrap();
    let mut reader = watching(broker, &topic, true, OnMissing::Fail);
    broker.add_partitions(&topic, 3).unwrap();
    for partition in 0..3 {
        broker.produce(&topic, numbers(partition, 4)).unwrap();
    }
    reader.until("all of it is read", |reader| {
        let counts = (0..3).map(|input| reader.offsets(input).len());
        counts.eq([7, 4, 4]) && (0..3).all(|input| reader.is_at_end(input))
    });
    for input in [1, 2] {
        assert_eq!(reader.offsets(input), [0, 1, 2, 3]);
        let id = TopicPartition::new(&topic, input as i32);
        let appeared = (input, InputNews::Appeared(id));
        assert_eq!(
            reader.news.iter().filter(|news| **news == appeared).count(),
            1
        );
    }
    // their ends are confirmed like those of the others
    reader.until("ends are confirmed", |reader| {
        (0..3).all(|input| reader.ends[&input].len() >= 3)
    });
}

#[test]
fn k38_a_topic_that_may_not_grow_stops_and_its_new_partitions_are_not_read() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 1, &[]).unwrap();
    let mut reader = watching(broker, &topic, false, OnMissing::Earliest);
    broker.add_partitions(&topic, 2).unwrap();
    broker.produce(&topic, numbers(1, 4)).unwrap();
    let error = reader.failure();
    assert_eq!(error.kind(), ErrorKind::EventsMissing);
    assert!(
        error.to_string().contains("partitions=2 before=1"),
        "{error}"
    );
    assert!(reader.records.is_empty());
}

#[test]
fn f16_an_aborted_transaction_behind_the_end_moves_the_end() {
    let broker = Broker::shared().unwrap();
    let settings = settings(broker);
    let topic = broker.topic("orders", 1, &[]).unwrap();
    broker.produce(&topic, numbers(0, 2)).unwrap();
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    assert_eq!(reader.read_to_ends(), [2]);
    broker.transaction(&topic, numbers(0, 3), false).unwrap();
    reader.until("the marker is passed", |reader| {
        reader.ends[&0].last().unwrap().0 == 6
    });
    assert_eq!(reader.offsets(0), [0, 1]);
}
