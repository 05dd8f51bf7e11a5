//! Where the events come from: Kafka, files, or a broker in this process.

use std::sync::Arc;

use anyhow::Context;
use pipeline::kafka::{KafkaSettings, TopicPartition, end_offsets, partition_counts};
use pipeline::publisher::Until;
use pipeline::run::process::OpenSource;
use pipeline::shard::ShardSettings;
use pipeline::source::files::{FileEnds, FileSettings, FileSource, FolderSurvey, survey};
use pipeline::source::kafka::{ExpectedTopic, KafkaSource};
use pipeline::source::memory::{Broker, Producer};
use pipeline::source::{Source, Start};
use schemas::event::{Limits, Topic};
use schemas::time::DurationMs;

use super::HEARTBEAT;
use crate::config::{Config, SourceKind};
use crate::exit::CommandError;

/// Records of fewer bytes are not worth a seal of their own, however many shards there are.
const LEAST_SEAL_BYTES: usize = 1 << 20;

/// Bounds of what is read ahead of one input of Kafka.
const LEAST_BUFFERED_BYTES: usize = 256 << 10;
const MOST_BUFFERED_BYTES: usize = 8 << 20;

/// The most that a broker may answer at once, and a zstd batch may unpack to (F27): librdkafka's own default.
const MOST_RESPONSE_BYTES: usize = 100_000_000;

/// The inputs of a process.
pub(crate) struct Inputs {
    /// Partitions of each customer topic; also the number of shards.
    pub(super) keyed: u32,
    /// Partitions of the global topic.
    pub(super) global: u32,
    pub(super) open: OpenSource,
    pub(super) kafka: Option<KafkaSettings>,
}

impl Inputs {
    /// Inputs as the configuration names them, for a run that ends with `until`.
    pub(super) fn of(config: &Config, until: Until) -> anyhow::Result<Self> {
        match config.source.kind {
            SourceKind::Files => Self::of_files(config, until),
            SourceKind::Kafka => Self::of_kafka(config),
        }
    }

    fn of_files(config: &Config, until: Until) -> anyhow::Result<Self> {
        let dir = config.source.dir.clone();
        if dir.as_os_str().is_empty() {
            let message = "[source] kind = \"files\" needs [source] dir";
            return Err(CommandError::Usage(message.to_owned()).into());
        }
        let settings = FileSettings {
            max_record_bytes: config.limits.max_record_bytes,
            ends: file_ends(until),
        };
        let found = require_events(config, settings.ends)?;
        Ok(Self {
            keyed: found.partitions(&keyed_topics(config)).max(1),
            global: found.partitions(&[config.topics.name(Topic::Prices)]),
            open: Arc::new(move |starts: &[Start]| {
                let source: Box<dyn Source> = Box::new(FileSource::open(&dir, starts, settings)?);
                Ok(source)
            }),
            kafka: None,
        })
    }

    fn of_kafka(config: &Config) -> anyhow::Result<Self> {
        let mut settings = kafka_settings(config);
        let keyed = keyed_topics(config);
        let names = [keyed.as_slice(), &[config.topics.name(Topic::Prices)]].concat();
        let counts = partition_counts(&settings, &names)?;
        if counts[..3].iter().any(|&count| count != counts[0]) {
            return Err(CommandError::Usage(format!(
                "topics {} must have the same number of partitions, they have {:?}",
                keyed.join(", "),
                &counts[..3]
            ))
            .into());
        }
        settings.buffered_bytes = buffered_bytes(config, counts[0], counts[3]);
        let for_shards = settings.clone();
        let topics: Vec<ExpectedTopic> = config
            .topic_settings()
            .iter()
            .zip([counts[0], counts[0], counts[0], counts[3]])
            .map(|(topic, partitions)| ExpectedTopic {
                name: topic.name.clone(),
                partitions,
                may_grow: !topic.topic.is_keyed(),
            })
            .collect();
        let on_missing = config.source.on_missing;
        Ok(Self {
            keyed: counts[0],
            global: counts[3],
            open: Arc::new(move |starts: &[Start]| {
                let source: Box<dyn Source> =
                    Box::new(KafkaSource::open(&for_shards, &topics, starts, on_missing)?);
                Ok(source)
            }),
            kafka: Some(settings),
        })
    }

    /// Inputs of a broker in this process, whose four topics have `partitions` each, and its producer. A lane holds at most `bound`
    /// records.
    pub(crate) fn in_process(config: &Config, partitions: u32, bound: usize) -> (Self, Producer) {
        let readers = (0..partitions)
            .map(|shard| topic_partitions(&shard_settings(config, shard, partitions, partitions)))
            .collect();
        let (broker, producer) = Broker::new(readers, bound);
        let inputs = Self {
            keyed: partitions,
            global: partitions,
            open: Arc::new(move |starts: &[Start]| {
                let source: Box<dyn Source> = Box::new(broker.open(starts)?);
                Ok(source)
            }),
            kafka: None,
        };
        (inputs, producer)
    }
}

/// The customer topics, which have the same number of partitions.
fn keyed_topics(config: &Config) -> [&str; 3] {
    [Topic::Orders, Topic::Visits, Topic::Complaints].map(|topic| config.topics.name(topic))
}

/// Where files end (K47): a service follows them, a drained storage expects nothing more.
fn file_ends(until: Until) -> FileEnds {
    match until {
        Until::Stopped => FileEnds::Followed,
        Until::CaughtUp => FileEnds::AtOpening,
        Until::Drained | Until::DrainedTo(_) => FileEnds::Final,
    }
}

/// A folder of which nothing is read is a wrong name, not an empty input. A service may wait for the first event, but not for the
/// first file: it says how many partitions there are.
fn require_events(config: &Config, ends: FileEnds) -> anyhow::Result<FolderSurvey> {
    let (dir, topics) = (&config.source.dir, config.topics.inputs());
    let found = survey(dir, &topics)?;
    let what = match (found.files, found.has_content) {
        (0, _) => "there are no event files",
        (_, false) if ends != FileEnds::Followed => "there are no events: all files are empty",
        _ => return Ok(found),
    };
    let dir = dir.display();
    let [first, .., last] = topics;
    Err(CommandError::Usage(format!(
        "{what} dir={dir}: expected {first}/0.ndjson to {last}/0.ndjson and so on; check [source] dir and [topics]"
    ))
    .into())
}

/// The Kafka settings of a configuration.
pub(crate) fn kafka_settings(config: &Config) -> KafkaSettings {
    let mut settings =
        KafkaSettings::new(config.source.brokers.clone(), config.source.group.clone());
    settings.properties = config.source.properties.clone();
    settings.max_kept_bytes = config.limits.max_record_bytes;
    settings.response_bytes = config.limits.in_flight_bytes().min(MOST_RESPONSE_BYTES);
    settings.alignment = config.time.alignment;
    settings
}

/// What is read ahead of an input: all inputs of all shards together hold what may be on its way into an epoch, once more.
fn buffered_bytes(config: &Config, keyed: u32, global: u32) -> usize {
    let per_shard = 3 + global as usize;
    let inputs = (keyed as usize * per_shard).max(1);
    (config.limits.in_flight_bytes() / inputs).clamp(LEAST_BUFFERED_BYTES, MOST_BUFFERED_BYTES)
}

/// The settings of a shard.
pub(super) fn shard_settings(
    config: &Config,
    shard: u32,
    keyed: u32,
    global: u32,
) -> ShardSettings {
    let in_flight = config.limits.in_flight_bytes();
    // All shards together hold half of it unsealed, and an epoch takes a quarter at once.
    let seal_bytes = (in_flight / 2 / keyed.max(1) as usize)
        .clamp(LEAST_SEAL_BYTES, config.limits.epoch_bytes());
    ShardSettings {
        shard,
        shards: keyed,
        global_partitions: global,
        topics: config.topic_settings(),
        limits: Limits {
            max_future_skew: DurationMs::from_std(config.time.max_future_skew),
            max_record_bytes: config.limits.max_record_bytes,
        },
        partitioner: config.source.partitioner,
        seal_every: config.epoch.seal_every,
        seal_records: 20_000,
        seal_bytes,
        heartbeat: HEARTBEAT,
        checkpoint_every: 256,
        checkpoint_dead_letter_bytes: in_flight,
        dead_letter_stop_ratio: config.limits.dead_letter_stop_ratio,
    }
}

/// The end offsets seen at start, per shard and input.
pub(super) fn stop_offsets(
    kafka: &KafkaSettings,
    shards: &[ShardSettings],
) -> anyhow::Result<Vec<Vec<i64>>> {
    shards
        .iter()
        .map(|settings| {
            end_offsets(kafka, &topic_partitions(settings)).context("end offsets cannot be read")
        })
        .collect()
}

fn topic_partitions(settings: &ShardSettings) -> Vec<TopicPartition> {
    settings
        .topic_partitions()
        .into_iter()
        .map(|(id, _)| id)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::fs;

    use super::*;

    /// Event files of these names, empty, and a configuration that reads them.
    fn files(names: &[&str]) -> (tempfile::TempDir, Config) {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut config = Config::default();
        config.source.kind = SourceKind::Files;
        config.source.dir = dir.path().to_owned();
        (dir, config)
    }

    #[test]
    fn bytes_on_their_way_follow_from_the_memory_and_the_number_of_inputs() {
        let mut config = Config::default();
        let seal_bytes = |config: &Config, shards| shard_settings(config, 0, shards, 1).seal_bytes;
        assert_eq!(config.limits.in_flight_bytes(), 256 << 20);
        assert_eq!(seal_bytes(&config, 1), 64 << 20);
        assert_eq!(seal_bytes(&config, 8), 16 << 20);
        assert_eq!(seal_bytes(&config, 4_096), LEAST_SEAL_BYTES);
        assert_eq!(buffered_bytes(&config, 4, 4), MOST_BUFFERED_BYTES);
        assert_eq!(buffered_bytes(&config, 16, 13), 1 << 20);
        assert_eq!(buffered_bytes(&config, 64, 64), LEAST_BUFFERED_BYTES);
        let response_bytes = |config: &Config| kafka_settings(config).response_bytes;
        assert_eq!(response_bytes(&config), MOST_RESPONSE_BYTES);
        config.limits.memory = 1;
        assert_eq!(config.limits.in_flight_bytes(), 32 << 20);
        assert_eq!(response_bytes(&config), 32 << 20);
        assert_eq!(seal_bytes(&config, 1), 8 << 20);
    }

    #[test]
    fn k01_customer_topics_give_the_number_of_shards_and_prices_have_their_own() {
        let (_dir, config) = files(&[
            "orders.v1/0.ndjson",
            "complaints.v1/2.ndjson",
            "prices.v1/6.ndjson",
        ]);
        let found = Inputs::of(&config, Until::Stopped).unwrap();
        assert_eq!((found.keyed, found.global), (3, 7));
        // Every shard has all its inputs: missing files are empty.
        for shard in 0..found.keyed {
            let settings = shard_settings(&config, shard, found.keyed, found.global);
            let starts: Vec<Start> = topic_partitions(&settings)
                .into_iter()
                .map(|id| Start::new(id, 0))
                .collect();
            assert_eq!(starts.len(), 3 + 7, "shard={shard}");
            let source = (found.open)(&starts).unwrap();
            assert!((0..starts.len()).all(|input| !source.unread(input)));
        }
        // Prices alone: one shard, which reads them.
        let (_dir, config) = files(&["prices.v1/1.ndjson"]);
        let found = Inputs::of(&config, Until::Stopped).unwrap();
        assert_eq!((found.keyed, found.global), (1, 2));
    }
}
