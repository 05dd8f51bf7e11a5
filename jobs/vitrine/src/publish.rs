//! `vitrine publish`: event files into Kafka.
//!
//! A file keeps its partition number (K2) and the order of its lines. Between files, lines are sent by `recorded_at`, as the file source
//! reads them (K1), so that a consumer finds no partition far ahead of the others. Lines that are not valid events are sent as they are:
//! the verdict on them is the reader's. A last line that is torn is not sent, and named (K47): a record in Kafka cannot get its end.

use std::path::{Path, PathBuf};

use anyhow::Context;
use pipeline::kafka::{KafkaSettings, RecordSender, TopicPartition, partition_counts};
use pipeline::source::files::{FileEnds, FileSettings, FileSource, survey};
use pipeline::source::{Item, Record, Source, Start};
use schemas::event::{Topic, event_types};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config::Config;
use crate::exit::CommandError;
use crate::output::print_lines;
use crate::progress::Progress;
use crate::run::kafka_settings;

/// Longest line that is sent whole; no broker accepts a record of this size.
const MAX_LINE_BYTES: usize = 256 << 20;
const POLL_RECORDS: usize = 1_024;

/// Arguments of `vitrine publish`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine simulate --out events --days 7 && vitrine publish events
  VITRINE__SOURCE__BROKERS=kafka:9092 vitrine publish events

The topics must exist, with at least as many partitions as there are files: input topics are never created.")]
pub(crate) struct PublishArgs {
    /// Folder with `<topic>/<partition>.ndjson` (.gz, .zst)
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the command.
pub(crate) async fn run(args: &PublishArgs, config: &Config) -> anyhow::Result<()> {
    let (dir, config) = (args.dir.clone(), config.clone());
    let mut progress = Progress::new("sent", None);
    let sent = tokio::task::spawn_blocking(move || {
        publish(&dir, &config, &mut |sent| progress.update(sent, "events"))
    })
    .await
    .context("sending stopped")??;
    let line = |(topic, records)| format!("{topic}: {records} records");
    print_lines(sent.into_iter().map(line))
}

/// Sends all event files of `dir` and waits until brokers have confirmed every record; returns the number of records per topic.
///
/// `on_progress` receives how many records have been confirmed.
fn publish(
    dir: &Path,
    config: &Config,
    on_progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Vec<(String, u64)>> {
    let topics: Vec<(String, Topic)> = config
        .topic_settings()
        .into_iter()
        .map(|settings| (settings.name, settings.topic))
        .collect();
    let kafka = kafka_settings(config);
    let inputs = inputs(dir, &topics, &kafka)?;
    let starts: Vec<Start> = inputs
        .iter()
        .map(|(input, _)| Start::new(input.clone(), 0))
        .collect();
    let settings = FileSettings {
        max_record_bytes: MAX_LINE_BYTES,
        ends: FileEnds::AtOpening,
    };
    let mut source = FileSource::open(dir, &starts, settings)?;
    let sender = RecordSender::open(&kafka)?;
    let mut sent = vec![0_u64; inputs.len()];
    let mut items = Vec::new();
    while (0..inputs.len()).any(|input| source.unread(input)) {
        items.clear();
        source.poll(POLL_RECORDS, &[], &mut items)?;
        for item in &items {
            let Item::Record(record) = item else {
                continue;
            };
            let (input, topic) = &inputs[record.input];
            refuse_cut(input, record)?;
            let payload = record.payload.as_deref();
            let key = payload.and_then(|payload| key_of(*topic, payload));
            sender.send(input, key.as_ref().map(|key| key.as_bytes()), payload)?;
            sent[record.input] += 1;
        }
        on_progress(sender.delivered());
    }
    sender.finish(on_progress)?;
    Ok(topics
        .iter()
        .map(|(name, _)| {
            let of_topic = inputs
                .iter()
                .zip(&sent)
                .filter(|((input, _), _)| input.topic == *name);
            (name.clone(), of_topic.map(|(_, records)| records).sum())
        })
        .collect())
}

/// A record is sent as it came or not at all.
fn refuse_cut(input: &TopicPartition, record: &Record) -> anyhow::Result<()> {
    if record.payload_len <= MAX_LINE_BYTES as u64 {
        return Ok(());
    }
    let (line, bytes) = (record.offset, record.payload_len);
    Err(CommandError::Usage(format!(
        "a line is larger than any broker takes topic={} partition={} line={line} bytes={bytes}: remove it, or split its event",
        input.topic, input.partition
    ))
    .into())
}

/// Every event file as an input; an error if Kafka lacks its partition.
fn inputs(
    dir: &Path,
    topics: &[(String, Topic)],
    kafka: &KafkaSettings,
) -> anyhow::Result<Vec<(TopicPartition, Topic)>> {
    let names: Vec<&str> = topics.iter().map(|(name, _)| name.as_str()).collect();
    let keyed: Vec<&str> = topics
        .iter()
        .filter(|(_, topic)| topic.is_keyed())
        .map(|(name, _)| name.as_str())
        .collect();
    let found = survey(dir, &names)?;
    if found.files == 0 {
        return Err(CommandError::Usage(format!(
            "there are no event files in dir={}; expected {}/0.ndjson and so on, as `vitrine simulate --out` writes them",
            dir.display(),
            names[0]
        ))
        .into());
    }
    let counts = partition_counts(kafka, &names)?;
    let keyed_files = found.partitions(&keyed);
    let mut inputs = Vec::new();
    for ((name, topic), count) in topics.iter().zip(counts) {
        let files = found.partitions(&[name]);
        if files > count {
            return Err(CommandError::Usage(format!(
                "partition does not exist topic={name} partition={} partitions={count}: was the topic created anew with \
                 fewer partitions? (dir={} has such a file)",
                files - 1,
                dir.display()
            ))
            .into());
        }
        if topic.is_keyed() && keyed_files != count {
            tracing::warn!(
                topic = name,
                files = keyed_files,
                partitions = count,
                "keys were partitioned for another number of partitions: readers will reject records as misplaced"
            );
        }
        for partition in 0..files {
            let input = TopicPartition::new(name.clone(), number(partition)?);
            inputs.push((input, *topic));
        }
    }
    Ok(inputs)
}

/// The number of a partition as Kafka has it.
fn number(partition: u32) -> anyhow::Result<i32> {
    i32::try_from(partition).context("a partition number is too large for Kafka")
}

/// The ids that may be the key, and the event type that decides which: as they stand in the text, because a field that this event
/// type does not read may hold anything.
#[derive(Deserialize)]
struct Ids<'p> {
    #[serde(borrow)]
    event_type: Option<&'p RawValue>,
    #[serde(borrow)]
    customer_id: Option<&'p RawValue>,
    #[serde(borrow)]
    staff_id: Option<&'p RawValue>,
    #[serde(borrow)]
    unit_id: Option<&'p RawValue>,
    #[serde(borrow)]
    sku_id: Option<&'p RawValue>,
}

/// The id of the payload that is its key (`DOMAIN.md` 3.1); the SKU for price events, which may have any key.
fn key_of(topic: Topic, payload: &[u8]) -> Option<String> {
    let ids: Ids<'_> = serde_json::from_slice(payload).ok()?;
    let text = |value: Option<&RawValue>| serde_json::from_str(value?.get()).ok();
    if !topic.is_keyed() {
        return text(ids.sku_id);
    }
    let name: Option<String> = text(ids.event_type);
    let field = event_types()
        .iter()
        .find(|event| event.topic == topic && Some(event.name) == name.as_deref())
        .and_then(|event| event.key.field());
    text(match field {
        Some("staff_id") => ids.staff_id,
        Some("unit_id") => ids.unit_id,
        _ => ids.customer_id,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use pipeline::kafka::end_offsets;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::mocking::MockCluster;
    use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

    use super::*;

    #[test]
    fn k01_the_key_is_the_id_of_the_event_type() {
        let key = |topic, json: &str| key_of(topic, json.as_bytes());
        let ids = r#""customer_id":"C1","staff_id":"S1","unit_id":"U1","sku_id":"K1""#;
        let of =
            |topic, name: &str| key(topic, &format!(r#"{{"event_type":"{name}",{ids}}}"#)).unwrap();
        assert_eq!(of(Topic::Orders, "order.placed"), "C1");
        assert_eq!(of(Topic::Visits, "visit.plan_submitted"), "S1");
        assert_eq!(of(Topic::Complaints, "day.closed"), "U1");
        assert_eq!(of(Topic::Prices, "price.observed"), "K1");
        // an unknown event type: the customer, if there is one
        assert_eq!(of(Topic::Orders, "order.invented"), "C1");
        assert_eq!(key(Topic::Orders, "{\"customer_id\":7}"), None);
        assert_eq!(key(Topic::Orders, "nonsense"), None);
        // fields that an order does not read, and numbers that no type holds (K45)
        let odd = r#"{"event_type":"order.placed","customer_id":"C\u0031","staff_id":7,"sku_id":[1e999],"a":1e999}"#;
        assert_eq!(key(Topic::Orders, odd).as_deref(), Some("C1"));
    }

    /// Key and value of a record; `None` is null, which is not empty.
    type KeyAndValue = (Option<Vec<u8>>, Option<Vec<u8>>);

    /// The first `count` records of a partition of `orders.v1`.
    fn records(brokers: &str, partition: i32, count: usize) -> Vec<KeyAndValue> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "test")
            .create()
            .unwrap();
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset("orders.v1", partition, Offset::Beginning)
            .unwrap();
        consumer.assign(&place).unwrap();
        let mut held = Vec::new();
        // a poll may end early because of events of the client itself
        for _ in 0..200 {
            if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                let record = record.unwrap();
                let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                held.push((bytes(record.key()), bytes(record.payload())));
            }
            if held.len() == count {
                break;
            }
        }
        held
    }

    #[test]
    fn k02_a_file_is_sent_to_the_partition_of_its_number_tombstones_and_empty_lines_too() {
        let cluster = MockCluster::new(1).unwrap();
        for topic in Topic::ALL {
            cluster.create_topic(topic.default_topic(), 2, 1).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("orders.v1");
        fs::create_dir(&folder).unwrap();
        fs::write(
            folder.join("1.ndjson"),
            "{\"customer_id\":\"C1\"}\nnull\n\nnonsense\n{\"torn\":",
        )
        .unwrap();
        let mut config = Config::default();
        config.source.brokers = cluster.bootstrap_servers();

        let sent = publish(dir.path(), &config, &mut |_| ()).unwrap();
        assert_eq!(sent[0], ("orders.v1".to_owned(), 4));
        let inputs = [
            TopicPartition::new("orders.v1", 0),
            TopicPartition::new("orders.v1", 1),
        ];
        assert_eq!(
            end_offsets(&kafka_settings(&config), &inputs).unwrap(),
            [0, 4]
        );
        let held = |key: Option<&str>, payload: Option<&str>| {
            let bytes = |text: &str| text.as_bytes().to_vec();
            (key.map(bytes), payload.map(bytes))
        };
        assert_eq!(
            records(&cluster.bootstrap_servers(), 1, 4),
            [
                held(Some("C1"), Some("{\"customer_id\":\"C1\"}")),
                held(None, None),
                held(None, Some("")),
                held(None, Some("nonsense")),
            ]
        );

        // a partition that Kafka does not have
        fs::write(folder.join("2.ndjson"), "null\n").unwrap();
        let error = publish(dir.path(), &config, &mut |_| ()).unwrap_err();
        assert!(
            error.to_string().contains("topic=orders.v1 partition=2"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_without_event_files_is_wrong_usage() {
        let dir = tempfile::tempdir().unwrap();
        let error = publish(dir.path(), &Config::default(), &mut |_| ()).unwrap_err();
        let is_usage = matches!(error.downcast_ref(), Some(CommandError::Usage(_)));
        assert!(is_usage, "{error}");
    }
}
