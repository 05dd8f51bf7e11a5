//! Collects the report from storage and broker.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use object_store::ObjectStore;
use pipeline::kafka::{TopicPartition, end_offsets};
use pipeline::publisher::EpochRecord;
use pipeline::run::housekeeping::last_housekept;
use pipeline::run::status::{ShardStatus, bytes_below, shards};
use pipeline::time::wall;

use super::report::{
    EpochStatus, FinalityStatus, HousekeepingStatus, InputStatus, SealedShard, StatusReport,
};
use crate::config::{Config, SourceKind};
use crate::query;
use crate::run::kafka_settings;
use crate::storage::EpochReader;

/// How long a broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// Reads the storage, and the end offsets from the broker if there is one.
pub(super) async fn status(config: &Config) -> anyhow::Result<StatusReport> {
    let reader = EpochReader::new(config)?;
    let store = reader.store();
    let shards = shards(store).await.context("logs cannot be read")?;
    let mut report = StatusReport {
        log_bytes: bytes_below(store, "log").await?,
        table_bytes: bytes_below(store, "tables").await?,
        housekeeping: housekeeping(store).await,
        ..StatusReport::default()
    };
    for shard in &shards {
        report.add_shard(shard, config);
    }
    if config.source.kind == SourceKind::Kafka {
        report.add_lag(config).await;
    }
    report.add_epoch(&reader).await?;
    Ok(report)
}

/// What housekeeping last wrote down. Where that cannot be read, the rest of the status still can.
async fn housekeeping(store: &Arc<dyn ObjectStore>) -> Option<HousekeepingStatus> {
    match last_housekept(store).await {
        Ok(last) => last.map(|done| HousekeepingStatus {
            age: wall::now() - done.ran_at,
            done,
        }),
        Err(error) => {
            tracing::warn!(?error, "what housekeeping did is not known");
            None
        }
    }
}

impl StatusReport {
    fn add_shard(&mut self, shard: &ShardStatus, config: &Config) {
        let last = shard.last.as_ref();
        self.shards.push(SealedShard {
            shard: shard.shard,
            seal: last.map(|(number, _)| *number),
            sealed_at: last.map(|(_, seal)| seal.sealed_at),
            state_bytes: shard.checkpoint_bytes,
        });
        let topics = config.topic_settings();
        let inputs = last.into_iter().flat_map(|(_, seal)| &seal.inputs);
        for input in inputs.filter(|input| input.accounted) {
            let topic = topics.iter().find(|topic| topic.name == input.input.topic);
            self.inputs.push(InputStatus {
                shard: shard.shard,
                topic: input.input.topic.clone(),
                partition: input.input.partition,
                next_offset: input.next_offset,
                watermark: topic
                    .zip(input.time.highest())
                    .map(|(topic, highest)| topic.time.watermark(highest)),
                at_end: input.at_end,
                lag: None,
            });
            let counters = input.counters;
            self.totals.read += counters.read;
            self.totals.accepted += counters.accepted;
            self.totals.duplicate += counters.duplicate;
            self.totals.dead_letters += counters.dead;
            self.totals.too_late += counters.too_late;
        }
    }

    /// Adds the lag of every input, or why it is not known.
    async fn add_lag(&mut self, config: &Config) {
        let mut kafka = kafka_settings(config);
        kafka.connect_timeout = BROKER_TIMEOUT;
        let inputs: Vec<TopicPartition> = self
            .inputs
            .iter()
            .map(|input| TopicPartition::new(input.topic.clone(), input.partition))
            .collect();
        let ends = tokio::task::spawn_blocking(move || end_offsets(&kafka, &inputs)).await;
        match ends {
            Ok(Ok(ends)) => {
                for (input, end) in self.inputs.iter_mut().zip(ends) {
                    input.lag = Some((end - input.next_offset).max(0));
                }
            }
            Ok(Err(error)) => self.lag_unknown = Some(error.to_string()),
            Err(error) => self.lag_unknown = Some(error.to_string()),
        }
    }

    async fn add_epoch(&mut self, reader: &EpochReader<'_>) -> anyhow::Result<()> {
        let Some((epoch, session)) = reader.newest_if_any().await? else {
            return Ok(());
        };
        self.set_epoch(&epoch);
        self.dead_letters = query::rows(
            &session,
            "SELECT topic, reason, COUNT(*) AS records FROM ops.dead_letters \
             GROUP BY topic, reason ORDER BY records DESC, topic, reason",
        )
        .await?;
        self.open_alerts = query::rows(
            &session,
            "SELECT subject, rule_id, severity, state, arrow_cast(first_fired_at, 'Int64') / 1000 AS first_fired_at_ms \
             FROM (SELECT *, row_number() OVER (PARTITION BY subject ORDER BY sequence DESC) AS newest_first FROM ops.alerts) \
             WHERE newest_first = 1 AND state IN ('firing', 'updated') ORDER BY severity, first_fired_at, subject",
        )
        .await?;
        session.close().await;
        Ok(())
    }

    fn set_epoch(&mut self, epoch: &EpochRecord) {
        self.epoch = Some(EpochStatus {
            epoch: epoch.epoch,
            committed_at: epoch.committed_at,
            age: wall::now() - epoch.committed_at,
            drained_to: epoch.drained_to,
            unrevised_windows: epoch.unrevised.len(),
        });
        self.finality = epoch
            .finality
            .iter()
            .map(|row| FinalityStatus {
                table: row.table.clone(),
                window_kind: row.window_kind.clone(),
                until: row.until,
            })
            .collect();
    }
}
