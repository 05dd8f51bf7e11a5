//! The floor under the pipeline: reading the topic, and reading and decoding it, in a process of its own.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pipeline::time::wall;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use schemas::event::{EventBatchBuilder, Limits, Place, Topic, decode};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::process::{own_cpu_s, own_memory};

/// Rows after which a batch is finished and dropped.
const BATCH_ROWS: usize = 8192;
/// How often the topic is read: once lasts a few ticks of the CPU clock only.
const PASSES: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// What reading the topic once took, from its first fetch to its last record: the mean of ten passes.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Drained {
    pub records: u64,
    pub wall_s: f64,
    pub cpu_s: f64,
    pub peak_bytes: u64,
}

/// Reads a topic to its present end with one thread.
///
/// Each pass has a consumer of its own, connected before its time begins: a consumer that is assigned anew waits for the long poll
/// that it left open at the end of the topic.
pub(crate) fn drain(address: &str, topic: &str, decodes: bool) -> Result<Drained> {
    let mut events = decodes.then(|| EventBatchBuilder::new(Topic::Orders));
    let (mut records, mut wall_s, mut cpu_s) = (0, 0.0, 0.0);
    for _ in 0..PASSES {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("group.id", "bench")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .create()?;
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let found = metadata.topics().first().context("no such topic")?;
        let mut list = TopicPartitionList::new();
        records = 0;
        for partition in found.partitions() {
            let (low, high) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE)?;
            records += high.abs_diff(low);
            list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
        let cpu_before = own_cpu_s()?;
        let began = wall::monotonic();
        consumer.assign(&list)?;
        read(&consumer, records, events.as_mut())?;
        wall_s += began.elapsed().as_secs_f64();
        cpu_s += own_cpu_s()? - cpu_before;
    }
    Ok(Drained {
        records,
        wall_s: wall_s / f64::from(PASSES),
        cpu_s: cpu_s / f64::from(PASSES),
        peak_bytes: own_memory("VmHWM")?,
    })
}

/// Reads `stop_offset` records and decodes them where there is something to decode them into.
fn read(
    consumer: &BaseConsumer,
    stop_offset: u64,
    mut events: Option<&mut EventBatchBuilder>,
) -> Result<()> {
    let limits = Limits::default();
    let mut records = 0;
    let mut last = wall::monotonic();
    while records < stop_offset {
        // A poll that serves one of the client's own events comes back early, with nothing.
        let Some(message) = consumer.poll(Duration::from_millis(200)) else {
            ensure!(
                last.elapsed() < PATIENCE,
                "nothing comes after records={records} of {stop_offset}"
            );
            continue;
        };
        let message = message?;
        if records % 1024 == 0 {
            last = wall::monotonic();
        }
        records += 1;
        let Some(events) = &mut events else { continue };
        let event = match decode(Topic::Orders, message.payload(), &limits) {
            Ok(event) => event,
            Err(rejection) => bail!("the generator writes bad orders: {rejection:?}"),
        };
        let place = Place {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().map(TimestampMs::from_ms),
        };
        events.append(&event, &place);
        if events.len() == BATCH_ROWS {
            events.finish();
        }
    }
    if let Some(events) = events {
        events.finish();
    }
    Ok(())
}
