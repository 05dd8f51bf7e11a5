//! The Kafka source against a real broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pipeline::source::kafka::{KafkaSettings, KafkaSource, end_offsets, partition_counts};
use pipeline::source::{
    ErrorKind, InputId, Item, Record, Source, SourceError, Start, TimestampKind,
};
use pipeline::time::wall;
use tests::kafka::{Broker, Message};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn settings(broker: &Broker) -> KafkaSettings {
    KafkaSettings::new(broker.address(), "test")
}

fn starts(topic: &str, offsets: &[i64]) -> Vec<Start> {
    offsets
        .iter()
        .zip(0..)
        .map(|(offset, partition)| Start::new(InputId::new(topic, partition), *offset))
        .collect()
}

/// A source and everything it has handed over.
struct Reader {
    source: KafkaSource,
    records: BTreeMap<usize, Vec<Record>>,
    ends: BTreeMap<usize, Vec<(i64, Instant)>>,
    inputs: usize,
}

impl Reader {
    fn open(settings: &KafkaSettings, starts: &[Start]) -> Self {
        Self {
            source: KafkaSource::open(settings, starts).unwrap(),
            records: BTreeMap::new(),
            ends: BTreeMap::new(),
            inputs: starts.len(),
        }
    }

    fn poll(&mut self, max: usize) -> Result<usize, SourceError> {
        let mut items = Vec::new();
        let watermarks = vec![0; self.inputs];
        let wait = Duration::from_millis(200);
        self.source.poll(wait, max, &watermarks, &mut items)?;
        let mut count = 0;
        for item in items {
            let input = item.input();
            match item {
                Item::Record(record) => {
                    count += 1;
                    self.records.entry(input).or_default().push(record);
                }
                Item::End {
                    next_offset, at, ..
                } => {
                    self.ends.entry(input).or_default().push((next_offset, at));
                }
            }
        }
        Ok(count)
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = wall::monotonic();
        while !done(self) {
            self.poll(1000).unwrap();
            assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        }
    }

    /// Reads until every input is at its end; those ends.
    fn read_to_ends(&mut self) -> Vec<i64> {
        self.until("all inputs are at their ends", |reader| {
            (0..reader.inputs).all(|input| !reader.source.unread(input))
        });
        (0..self.inputs)
            .map(|input| self.ends[&input].last().unwrap().0)
            .collect()
    }

    fn failure(&mut self) -> SourceError {
        let began = wall::monotonic();
        loop {
            if let Err(error) = self.poll(1000) {
                return error;
            }
            assert!(began.elapsed() < PATIENCE, "no error came");
        }
    }

    fn offsets(&self, input: usize) -> Vec<i64> {
        let records = self.records.get(&input).map_or(&[][..], Vec::as_slice);
        records.iter().map(|record| record.offset).collect()
    }

    fn payloads(&self, input: usize) -> Vec<&str> {
        self.records[&input]
            .iter()
            .map(|record| std::str::from_utf8(record.payload.as_ref().unwrap()).unwrap())
            .collect()
    }
}

fn open_error(settings: &KafkaSettings, starts: &[Start]) -> SourceError {
    match KafkaSource::open(settings, starts) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

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
        reader.records.contains_key(&3) && !reader.source.unread(3)
    });
    assert_eq!(reader.ends[&3].last().unwrap().0, 1);
    Box::new(reader.source).close();
}

#[test]
fn hands_over_all_of_a_record() {
    let broker = Broker::shared().unwrap();
    let topic = broker
        .topic("orders", 1, &[("max.message.bytes", "4000000")])
        .unwrap();
    let full = Message::new(0, "{}")
        .key("K1")
        .at(1_735_689_600_000)
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
    settings.max_record_bytes = 1000;
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    reader.read_to_ends();
    let [full, tombstone, empty, long] = &reader.records[&0][..] else {
        panic!("not four records");
    };
    assert_eq!(full.key.as_deref(), Some(&b"K1"[..]));
    assert_eq!(full.payload.as_deref(), Some(&b"{}"[..]));
    assert_eq!(full.timestamp_ms, Some(1_735_689_600_000));
    assert_eq!(full.timestamp_kind, TimestampKind::CreateTime);
    assert_eq!(
        full.headers,
        [
            ("trace".to_owned(), Some("1".into())),
            ("none".to_owned(), None)
        ]
    );
    assert_eq!(
        (&tombstone.key, &tombstone.payload, tombstone.payload_len),
        (&None, &None, 0)
    );
    assert_eq!(empty.payload.as_deref(), Some(&b""[..]));
    assert_eq!(long.payload.as_ref().unwrap().len(), 1001);
    assert_eq!(long.payload_len, 2_000_000);

    let topic = broker
        .topic("orders", 1, &[("message.timestamp.type", "LogAppendTime")])
        .unwrap();
    broker
        .produce(&topic, [Message::new(0, "{}").at(1_735_689_600_000)])
        .unwrap();
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    reader.read_to_ends();
    let record = &reader.records[&0][0];
    assert_eq!(record.timestamp_kind, TimestampKind::LogAppendTime);
    assert!(record.timestamp_ms.unwrap() > 1_735_689_600_000);
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
    let inputs: Vec<InputId> = (0..3).map(|p| InputId::new(&topic, p)).collect();
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
        assert!(
            matches!(&error, SourceError::MissingTopic { topic } if topic == "nowhere.v1"),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
    assert!(partition_counts(&settings, &["nowhere.v1"]).is_err());
    let topic = broker.topic("orders", 1, &[]).unwrap();
    let error = open_error(&settings, &starts(&topic, &[0, 0]));
    assert!(
        matches!(
            error,
            SourceError::MissingPartition {
                partition: 1,
                partitions: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn says_that_no_broker_answers() {
    // a port that was free a moment ago
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut settings = KafkaSettings::new(format!("127.0.0.1:{port}"), "test");
    settings.connect_timeout = Duration::from_secs(1);
    let began = wall::monotonic();
    let error = open_error(&settings, &starts("orders", &[0]));
    assert!(began.elapsed() < Duration::from_secs(10));
    let said = error.to_string();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{said}");
    assert!(
        said.contains(&port.to_string()) && said.contains("Connection refused"),
        "{said}"
    );
    assert_eq!(error.kind(), ErrorKind::External);
}

#[test]
fn stops_where_events_are_missing() {
    let broker = Broker::shared().unwrap();
    let settings = settings(broker);
    let topic = broker.topic("orders", 1, &[]).unwrap();
    broker
        .produce(&topic, (0..10).map(|n| Message::new(0, n.to_string())))
        .unwrap();
    broker.delete_records(&topic, 0, 6).unwrap();
    for offset in [5, 11] {
        let error = open_error(&settings, &starts(&topic, &[offset]));
        assert_eq!(error.kind(), ErrorKind::EventsMissing);
        let said = error.to_string();
        assert!(
            said.contains(&format!(
                "wanted_offset={offset} first_offset=6 end_offset=10"
            )),
            "{said}"
        );
    }
    // a first start reads what is left, and an empty rest is an end like any other
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    assert_eq!(reader.read_to_ends(), [10]);
    assert_eq!(reader.offsets(0), [6, 7, 8, 9]);
    broker.delete_records(&topic, 0, 10).unwrap();
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    assert_eq!(reader.read_to_ends(), [10]);
    reader.until("the end is confirmed", |reader| reader.ends[&0].len() >= 2);
}

#[test]
fn stops_when_retention_overtakes_it() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("orders", 1, &[]).unwrap();
    let text = "x".repeat(1000);
    broker
        .produce(&topic, (0..20_000).map(|_| Message::new(0, text.clone())))
        .unwrap();
    let mut settings = settings(broker);
    settings.buffered_bytes = 100_000;
    settings
        .properties
        .insert("fetch.message.max.bytes".into(), "100000".into());
    let mut reader = Reader::open(&settings, &starts(&topic, &[0]));
    reader.until("reading has begun", |reader| !reader.records.is_empty());
    broker.delete_records(&topic, 0, 20_000).unwrap();
    let error = reader.failure();
    let read = reader.offsets(0);
    assert!(read.len() < 20_000);
    assert_eq!(read, (0..read.len() as i64).collect::<Vec<_>>());
    let next = read.len() as i64;
    assert!(
        matches!(error, SourceError::OffsetOutOfRange { offset, .. } if offset == next),
        "{error}"
    );
    assert!(matches!(reader.poll(1), Err(SourceError::Stopped)));
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
    // far longer than it takes to read all of it, if it were allowed to
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(reader.poll(usize::MAX).unwrap(), 600);
    assert_eq!(reader.read_to_ends(), [10_000, 10_000]);
    for input in 0..2 {
        assert_eq!(
            reader.offsets(input),
            (0..10_000).collect::<Vec<_>>(),
            "no gap where it waited"
        );
    }
}

#[test]
fn waits_for_a_broker_that_is_gone() {
    let broker = Broker::start().unwrap();
    broker.create_topic("orders", 1, &[]).unwrap();
    let send = |from: i32| {
        let messages = (from..from + 100).map(|n| Message::new(0, n.to_string()));
        broker.produce("orders", messages).unwrap();
    };
    send(0);
    let mut reader = Reader::open(&settings(&broker), &starts("orders", &[0]));
    assert_eq!(reader.read_to_ends(), [100]);
    for round in 1..3 {
        let n = i64::from(round) * 100;
        if round == 1 {
            broker.kill().unwrap();
        } else {
            broker.freeze().unwrap();
        }
        let gone = wall::monotonic();
        while gone.elapsed() < Duration::from_secs(3) {
            reader.poll(1000).unwrap();
        }
        // silence is no evidence: nothing was confirmed at a moment at which nobody could know
        let last = reader.ends[&0].last().unwrap().1;
        assert!(
            last < gone,
            "confirmed {:?} after the broker was gone",
            last - gone
        );
        if round == 1 {
            broker.start_again().unwrap();
        } else {
            broker.thaw().unwrap();
        }
        reader.until("the end is confirmed again", |reader| {
            reader.ends[&0].last().unwrap().1 > gone
        });
        send(round * 100);
        reader.until("new records are read", |reader| {
            reader.records[&0].len() as i64 == n + 100 && !reader.source.unread(0)
        });
    }
    assert_eq!(reader.offsets(0), (0..300).collect::<Vec<_>>());
}
