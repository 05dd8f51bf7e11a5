//! A simulated run into files and into Kafka, at a pace.

use std::path::Path;
use std::thread;
use std::time::Instant;

use chrono::Duration;
use pipeline::error::Error;
use pipeline::kafka::TopicPartition;
use pipeline::kafka::{RecordSender, partition_counts};
use pipeline::time::{Zone, wall};
use schemas::time::TimestampMs;

use super::super::Usage;
use super::super::run::kafka_settings;
use super::pace::{Pace, Pacer};
use crate::config::Config;
use simulator::{
    DirtyRecord, EventFiles, EventSink, Plan, SimTopic, SimulationSummary, SoldInterval, generate,
    write_reference,
};

/// Simulates `plan` into `out` and sends every record with the moment of sending as its timestamp; ends once brokers have
/// confirmed all of them. `told` hears how many have been.
pub fn run(
    plan: &Plan,
    out: &Path,
    config: &Config,
    pace: Pace,
    told: impl FnMut(u64),
) -> anyhow::Result<SimulationSummary> {
    refuse_days_to_come(plan, wall::now_ms())?;
    let kafka = kafka_settings(config);
    let topics = topics(config);
    let counts = partition_counts(&kafka, &topics)?;
    refuse_other_partitions(plan, &topics, &counts)?;
    write_reference(plan, &out.join("ref"))?;
    let mut sink = KafkaEventSink {
        files: EventFiles::create(plan, out)?,
        sender: RecordSender::open(&kafka)?,
        inputs: inputs(plan, &topics),
        pacer: Pacer::new(pace),
        began: wall::monotonic(),
        told,
    };
    let summary = generate(plan, &mut sink)?;
    sink.sender.finish(&mut sink.told)?;
    sink.files.finish(&summary)?;
    Ok(summary)
}

/// Sent now, an event of tomorrow would be a future-dated one (K5).
fn refuse_days_to_come(plan: &Plan, now_ms: i64) -> Result<(), Usage> {
    let today = Zone(plan.zone).day_of(now_ms).date();
    let last = plan.start + Duration::days(i64::from(plan.days) - 1);
    if last <= today {
        return Ok(());
    }
    Err(Usage(format!(
        "the last simulated day is {last}, today is {today}: events that have not happened cannot be sent; start earlier or \
         take fewer --days"
    )))
}

/// Keys are placed among the plan's partitions; another number in Kafka would make them misplaced.
fn refuse_other_partitions(plan: &Plan, topics: &[&str; 4], counts: &[u32]) -> Result<(), Usage> {
    for (topic, count) in topics.iter().zip(counts) {
        if *count != plan.partitions {
            return Err(Usage(format!(
                "topic={topic} has partitions={count}: say --partitions {count}, and give all four topics the same number"
            )));
        }
    }
    Ok(())
}

/// Configured names, in the order of [`SimTopic::ALL`].
pub fn topics(config: &Config) -> [&str; 4] {
    let topics = &config.topics;
    SimTopic::ALL.map(|topic| match topic {
        SimTopic::Orders => topics.orders.as_str(),
        SimTopic::Visits => topics.visits.as_str(),
        SimTopic::Complaints => topics.complaints.as_str(),
        SimTopic::Prices => topics.prices.as_str(),
    })
}

/// Every partition of the topics: by topic, then number.
pub fn inputs(plan: &Plan, topics: &[&str; 4]) -> [Vec<TopicPartition>; 4] {
    let partitions = i32::try_from(plan.partitions).unwrap_or(i32::MAX);
    topics.map(|name| {
        (0..partitions)
            .map(|partition| TopicPartition::new(name, partition))
            .collect()
    })
}

struct KafkaEventSink<T> {
    files: EventFiles,
    sender: RecordSender,
    inputs: [Vec<TopicPartition>; 4],
    pacer: Pacer,
    began: Instant,
    told: T,
}

impl<T: FnMut(u64)> EventSink for KafkaEventSink<T> {
    fn event(
        &mut self,
        topic: SimTopic,
        partition: u32,
        key: Option<&str>,
        recorded_at: TimestampMs,
        payload: &[u8],
    ) -> Result<(), simulator::Error> {
        let due = self.pacer.due(recorded_at);
        thread::sleep(due.saturating_sub(self.began.elapsed()));
        self.files
            .event(topic, partition, key, recorded_at, payload)?;
        let to = &self.inputs[topic.index()][partition as usize];
        // A line `null` is a tombstone (K2).
        let value = (payload != b"null").then_some(payload);
        let refused = |source: Error| simulator::Error::Sink {
            topic: topic.folder(),
            source: Box::new(source),
        };
        self.sender
            .send(to, key.map(str::as_bytes), value)
            .map_err(refused)?;
        (self.told)(self.sender.delivered());
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
    fn days_to_come_are_refused_and_today_is_not() {
        // 2026-01-05 23:59 and 2026-01-06 00:01 in Shanghai
        let (evening, next_day) = (1_767_628_740_000, 1_767_628_860_000);
        let error = refuse_days_to_come(&plan(), evening).unwrap_err();
        assert!(error.to_string().contains("2026-01-06"), "{error}");
        assert!(refuse_days_to_come(&plan(), next_day).is_ok());
    }

    #[test]
    fn kafka_gets_what_the_files_hold() {
        let cluster = MockCluster::new(1).unwrap();
        let mut config = Config::default();
        for topic in topics(&config) {
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

        let inputs = inputs(&plan(), &topics(&config)).concat();
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
