//! The Kafka source when brokers are away, requests fail, and events are gone.

use std::time::Duration;

use pipeline::error::ErrorKind;
use pipeline::kafka::KafkaSettings;
use pipeline::time::wall;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tests::kafka::{Broker, Message, free_address};

use crate::reader::{Reader, open_error, settings, starts};

#[test]
fn says_that_no_broker_answers() {
    let free = free_address().unwrap();
    let mut settings = KafkaSettings::new(free.to_string(), "test");
    settings.connect_timeout = Duration::from_secs(1);
    let began = wall::monotonic();
    let error = open_error(&settings, &starts("orders", &[0]));
    assert!(began.elapsed() < Duration::from_secs(10));
    let said = error.to_string();
    assert!(said.starts_with("no broker answered within 1 s"), "{said}");
    assert!(
        said.contains(&free.port().to_string()) && said.contains("Connection refused"),
        "{said}"
    );
    assert_eq!(error.kind(), ErrorKind::Unavailable);
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
    assert_eq!(error.kind(), ErrorKind::EventsMissing);
    assert!(
        error
            .to_string()
            .contains(&format!(" wanted_offset={next} ")),
        "{error}"
    );
    // the failure is reported once; after that the source says that it is at its end
    let ended = reader.poll(1).unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Internal);
    assert_eq!(
        ended.to_string(),
        "the reading thread has ended: close the source and open it again"
    );
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
            reader.records[&0].len() as i64 == n + 100 && reader.is_at_end(0)
        });
    }
    assert_eq!(reader.offsets(0), (0..300).collect::<Vec<_>>());
}

#[test]
fn no_gap_and_no_repeat_where_requests_fail() {
    use RDKafkaRespErr as Fault;
    let faults = [
        Fault::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Fault::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Fault::RD_KAFKA_RESP_ERR__TRANSPORT,
        Fault::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    ];
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic("orders", 2, 1).unwrap();
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .create()
        .unwrap();
    let settings = KafkaSettings::new(cluster.bootstrap_servers(), "test");
    for (api, from) in [
        (RDKafkaApiKey::Metadata, 0),
        (RDKafkaApiKey::ListOffsets, 100),
        (RDKafkaApiKey::Fetch, 200),
    ] {
        let to = from + 100;
        for _ in from..to {
            for partition in 0..2 {
                let record: BaseRecord<'_, str, str> =
                    BaseRecord::to("orders").partition(partition).payload("{}");
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
        }
        producer.flush(Duration::from_secs(30)).unwrap();
        cluster.request_errors(api, &faults);
        let mut reader = Reader::open(&settings, &starts("orders", &[from, from]));
        assert_eq!(reader.read_to_ends(), [to, to]);
        for input in 0..2 {
            assert_eq!(reader.offsets(input), (from..to).collect::<Vec<_>>());
        }
        cluster.clear_request_errors(api);
    }
}
