#![allow(clippy::unwrap_used)]

use rdkafka::mocking::MockCluster;

use super::*;

const TOPIC: &str = "orders.v1.dlq";

fn sink(brokers: &str, more: &[(&str, &str)]) -> KafkaRecordSink {
    let all = [&[("bootstrap.servers", brokers)], more].concat();
    let all = all.into_iter();
    let properties = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
    KafkaRecordSink::of_topics(&properties.collect(), "test", &[TOPIC.to_owned()])
}

fn record(value: usize, may_be_cut: bool) -> SinkRecord {
    SinkRecord {
        topic: TOPIC.to_owned(),
        key: Some("k".into()),
        value: Some(vec![b'v'; value].into()),
        headers: vec![(Bytes::from_static(b"\xff"), None)],
        may_be_cut,
    }
}

#[tokio::test]
async fn a_record_that_cannot_fit_is_named_and_one_that_may_be_cut_is_sent() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let sink = sink(
        &cluster.bootstrap_servers(),
        &[("message.max.bytes", "2000")],
    );
    let (small, large, letter) = (record(10, false), record(5_000, false), record(5_000, true));
    let records = [small.clone(), letter.clone(), large.clone(), large];
    assert_eq!(sink.resume("s", 1, &records).await.unwrap(), 0);
    let failed = sink.send(1, 0, &records).await.unwrap_err();
    assert_eq!((failed.refused, failed.is_undone), (Some(2), true));
    assert!(!failed.error.is_retryable());
    let said = failed.error.to_string();
    assert!(
        said.contains("topic=orders.v1.dlq") && said.contains("max.message.bytes"),
        "{said}"
    );
    sink.send(1, 0, &[small, letter]).await.unwrap();
}

#[tokio::test]
async fn before_it_has_resumed_nothing_is_sent() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let sink = sink(&cluster.bootstrap_servers(), &[]);
    let failed = sink.send(1, 0, &[record(1, false)]).await.unwrap_err();
    assert!(failed.is_undone && failed.error.kind() == ErrorKind::Internal);
}

#[test]
fn a_mark_names_its_sender_epoch_and_position() {
    let headers = [mark("other", 9, 9), mark("s", 3, 17)];
    assert_eq!(mark_in(&headers, "s"), Some((3, 17)));
    assert_eq!(mark_in(&headers[..1], "s"), None);
    assert_eq!(mark_in(&[("vitrine-sink".into(), None)], "s"), None);
}
