//! Simulated events to files and to Kafka, at a pace.

use std::path::Path;
use std::thread;
use std::time::Instant;

use pipeline::error::Error;
use pipeline::kafka::{RecordSender, TopicPartition, partition_counts};
use pipeline::time::{Zone, wall};
use schemas::event::Topic;
use schemas::time::TimestampMs;
use simulator::{
    DirtyRecord, EventFiles, EventSink, Plan, SimulationSummary, SoldInterval, generate,
    write_reference,
};

use super::pace::{Pace, Pacer};
use crate::config::Config;
use crate::exit::CommandError;
use crate::run::kafka_settings;

/// Simulates `plan` into `out` and sends every record with the time of sending as its timestamp. Returns once brokers have confirmed
/// all of them; `on_progress` receives how many they have confirmed.
pub(super) fn run(
    plan: &Plan,
    out: &Path,
    config: &Config,
    pace: Pace,
    on_progress: impl FnMut(u64),
) -> anyhow::Result<SimulationSummary> {
    refuse_future_days(plan, wall::now())?;
    let kafka = kafka_settings(config);
    let topics = config.topics.inputs();
    let counts = partition_counts(&kafka, &topics)?;
    refuse_other_partitions(plan, &topics, &counts)?;
    write_reference(plan, &out.join("ref"))?;
    let mut sink = KafkaEventSink {
        files: EventFiles::create(plan, out)?,
        sender: RecordSender::open(&kafka)?,
        topic_partitions: topic_partitions(plan, &topics)?,
        pacer: Pacer::new(pace),
        began: wall::monotonic(),
        on_progress,
    };
    let summary = generate(plan, &mut sink)?;
    sink.sender.finish(&mut sink.on_progress)?;
    sink.files.finish(&summary)?;
    Ok(summary)
}

/// An event of tomorrow would be future-dated (K5).
fn refuse_future_days(plan: &Plan, now: TimestampMs) -> anyhow::Result<()> {
    let last = plan.last_day()?;
    let today = Zone(plan.zone).day_of(now).date();
    if last <= today {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "the last simulated day is {last}, today is {today}: future events cannot be sent; choose an earlier --start or \
         fewer --days"
    ))
    .into())
}

/// Keys are partitioned for the number of partitions of the plan; with another number in Kafka they would be misplaced.
fn refuse_other_partitions(
    plan: &Plan,
    topics: &[&str; 4],
    counts: &[u32],
) -> Result<(), CommandError> {
    for (topic, count) in topics.iter().zip(counts) {
        if *count != plan.partitions {
            return Err(CommandError::Usage(format!(
                "topic={topic} has partitions={count}: use --partitions {count}, with the same number for all four topics"
            )));
        }
    }
    Ok(())
}

/// Every partition of the topics: by topic, then number.
pub(crate) fn topic_partitions(
    plan: &Plan,
    topics: &[&str; 4],
) -> Result<[Vec<TopicPartition>; 4], CommandError> {
    let partitions = i32::try_from(plan.partitions).map_err(|_| {
        CommandError::Usage(format!(
            "partitions={} is too large for Kafka",
            plan.partitions
        ))
    })?;
    Ok(topics.map(|name| {
        (0..partitions)
            .map(|partition| TopicPartition::new(name, partition))
            .collect()
    }))
}

struct KafkaEventSink<T> {
    files: EventFiles,
    sender: RecordSender,
    /// By topic, then partition.
    topic_partitions: [Vec<TopicPartition>; 4],
    pacer: Pacer,
    began: Instant,
    on_progress: T,
}

impl<T: FnMut(u64)> EventSink for KafkaEventSink<T> {
    fn event(
        &mut self,
        topic: Topic,
        partition: u32,
        key: Option<&str>,
        recorded_at: TimestampMs,
        payload: &[u8],
    ) -> Result<(), simulator::Error> {
        let due = self.pacer.due(recorded_at);
        thread::sleep(due.saturating_sub(self.began.elapsed()));
        self.files
            .event(topic, partition, key, recorded_at, payload)?;
        let topic_partition = &self.topic_partitions[topic.index()][partition as usize];
        // A line `null` is a tombstone (K2).
        let value = (payload != b"null").then_some(payload);
        let refused = |source: Error| simulator::Error::Sink {
            topic: topic.default_topic(),
            source: Box::new(source),
        };
        self.sender
            .send(topic_partition, key.map(str::as_bytes), value)
            .map_err(refused)?;
        (self.on_progress)(self.sender.delivered());
        Ok(())
    }

    fn dirty(&mut self, record: &DirtyRecord<'_>) -> Result<(), simulator::Error> {
        self.files.dirty(record)
    }

    fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), simulator::Error> {
        self.files.sold(interval)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pipeline::kafka::end_offsets;
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::exit;

    fn plan() -> Plan {
        Plan {
            days: 2,
            customers: 20,
            partitions: 2,
            dirty: true,
            ..Plan::default()
        }
    }

    #[test]
    fn future_days_are_refused_and_today_is_not() {
        // 2026-01-05 23:59 and 2026-01-06 00:01 in Shanghai
        let [evening, next_day] = [1_767_628_740_000, 1_767_628_860_000].map(TimestampMs::from_ms);
        let error = refuse_future_days(&plan(), evening).unwrap_err();
        assert!(error.to_string().contains("2026-01-06"), "{error}");
        assert!(refuse_future_days(&plan(), next_day).is_ok());
    }

    #[test]
    fn a_plan_that_leaves_the_calendar_is_wrong_usage() {
        for days in [0, 100_000_000, u32::MAX] {
            let plan = Plan { days, ..plan() };
            let error = refuse_future_days(&plan, TimestampMs::from_ms(0)).unwrap_err();
            assert_eq!(exit::code(&error), 2, "{error}");
        }
    }

    #[test]
    fn kafka_receives_what_the_files_hold() {
        let cluster = MockCluster::new(1).unwrap();
        let mut config = Config::default();
        for topic in config.topics.inputs() {
            cluster.create_topic(topic, 2, 1).unwrap();
        }
        config.source.brokers = cluster.bootstrap_servers();
        let out = tempfile::tempdir().unwrap();
        let mut confirmed = 0;
        let summary = run(&plan(), out.path(), &config, Pace::Unlimited, |so_far| {
            confirmed = so_far;
        })
        .unwrap();
        assert_eq!(confirmed, summary.records);

        let inputs = topic_partitions(&plan(), &config.topics.inputs())
            .unwrap()
            .concat();
        let ends = end_offsets(&kafka_settings(&config), &inputs).unwrap();
        for (input, end) in inputs.iter().zip(ends) {
            let file = out
                .path()
                .join(&input.topic)
                .join(format!("{}.ndjson", input.partition));
            let lines = std::fs::read(file).unwrap();
            let lines = lines.iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(usize::try_from(end).unwrap(), lines, "{input}");
        }

        let three = Plan {
            partitions: 3,
            ..plan()
        };
        let error = run(&three, out.path(), &config, Pace::Unlimited, |_| ()).unwrap_err();
        assert!(error.to_string().contains("--partitions 2"), "{error}");
    }
}
