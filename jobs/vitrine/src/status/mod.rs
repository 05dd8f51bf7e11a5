//! `vitrine status`: how things stand, from the last seals and the newest epoch; no running service is needed.
//!
//! Numbers of the shards are those of their last seals (a second old in a running service); finality, alerts and reasons are
//! those of the newest epoch. Lag is asked of the broker; one that does not answer is said so and changes nothing else.

mod text;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use object_store::ObjectStore;
use pipeline::kafka::TopicPartition;
use pipeline::kafka::end_offsets;
use pipeline::publisher::EpochRecord;
use pipeline::run::housekeeping::{Housekept, last_housekept};
use pipeline::run::status::{ShardStatus, bytes_below, shards};
use pipeline::time::wall;
use serde::{Deserialize, Serialize};

use super::run::kafka_settings;
use super::{ask, open};
use crate::config::{Config, SourceKind};

/// How long a broker may take to answer.
const BROKER_TIME_OUT: Duration = Duration::from_secs(3);

/// Arguments of `vitrine status`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine --config vitrine.toml status
  vitrine --config vitrine.toml status --json | jq '.inputs[] | select(.lag > 1000)'")]
pub struct StatusArgs {
    /// One JSON object for scripts
    #[arg(long)]
    pub json: bool,
}

/// How a storage and its inputs stand. Instants are ms UTC.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    pub epoch: Option<EpochStatus>,
    pub shards: Vec<Sealed>,
    pub inputs: Vec<InputStatus>,
    /// Why lag is not known.
    pub lag_unknown: Option<String>,
    pub totals: Totals,
    pub dead_letters: Vec<ReasonCount>,
    pub open_alerts: Vec<OpenAlert>,
    pub finality: Vec<Final>,
    /// Bytes of logs (seals and checkpoints) and of tables, old versions among them.
    pub log_bytes: u64,
    pub table_bytes: u64,
    /// What housekeeping last wrote down; none if it never ran.
    pub housekeeping: Option<HousekeepingStatus>,
}

/// The last run of housekeeping in which something went, or a later one within the hour.
#[derive(Clone, Debug, Serialize)]
pub struct HousekeepingStatus {
    pub age_ms: i64,
    #[serde(flatten)]
    pub done: Housekept,
}

#[derive(Clone, Debug, Serialize)]
pub struct EpochStatus {
    pub epoch: i64,
    pub committed_at_ms: i64,
    pub age_ms: i64,
    /// Event time was moved on to this instant (`run --drain`).
    pub drained_to_ms: Option<i64>,
    /// Windows that ended and wait for their next revision.
    pub unrevised_windows: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Sealed {
    pub shard: u32,
    pub seal: Option<u64>,
    pub sealed_at_ms: Option<i64>,
    pub state_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct InputStatus {
    pub shard: u32,
    pub topic: String,
    pub partition: i32,
    pub next_offset: i64,
    pub watermark_ms: Option<i64>,
    pub at_end: bool,
    pub lag: Option<i64>,
}

/// P4 over all inputs, since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub read: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub dead_letters: u64,
    pub too_late: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReasonCount {
    pub topic: String,
    pub reason: String,
    pub records: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenAlert {
    pub subject: String,
    pub rule_id: String,
    pub severity: String,
    pub state: String,
    pub first_fired_at_ms: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Final {
    pub table: String,
    pub window_kind: String,
    /// Windows that end here or earlier are final.
    pub until_ms: i64,
}

/// Runs the command.
pub async fn run(args: &StatusArgs, config: &Config) -> anyhow::Result<()> {
    let status = status(config).await?;
    super::say([match args.json {
        true => serde_json::to_string_pretty(&status)?,
        false => text::page(&status, config.time.zone),
    }])
}

/// Reads the storage, and asks the broker if there is one.
pub async fn status(config: &Config) -> anyhow::Result<Status> {
    let store = super::store(config)?;
    let sealed = shards(&store).await.context("logs cannot be read")?;
    let mut status = Status {
        log_bytes: bytes_below(&store, "log").await?,
        table_bytes: bytes_below(&store, "tables").await?,
        housekeeping: housekeeping(&store).await,
        ..Status::default()
    };
    for shard in &sealed {
        status.add_shard(shard, config);
    }
    if config.source.kind == SourceKind::Kafka {
        status.ask_broker(config).await;
    }
    status.add_epoch(config, &store).await?;
    Ok(status)
}

/// What housekeeping last wrote down. Where that cannot be read, the rest of the status still can.
async fn housekeeping(store: &Arc<dyn ObjectStore>) -> Option<HousekeepingStatus> {
    match last_housekept(store).await {
        Ok(last) => last.map(|done| HousekeepingStatus {
            age_ms: wall::now_ms() - done.ran_at_ms,
            done,
        }),
        Err(error) => {
            tracing::warn!(?error, "what housekeeping did is not known");
            None
        }
    }
}

impl Status {
    fn add_shard(&mut self, shard: &ShardStatus, config: &Config) {
        let last = shard.last.as_ref();
        self.shards.push(Sealed {
            shard: shard.shard,
            seal: last.map(|(number, _)| *number),
            sealed_at_ms: last.map(|(_, seal)| seal.sealed_at_ms),
            state_bytes: shard.checkpoint_bytes,
        });
        let bounds: BTreeMap<String, i64> = config
            .topic_settings()
            .into_iter()
            .map(|topic| (topic.name, topic.out_of_orderness_ms))
            .collect();
        let inputs = last.into_iter().flat_map(|(_, seal)| &seal.inputs);
        for input in inputs.filter(|input| input.accounted) {
            let bound = bounds.get(&input.input.topic).copied();
            self.inputs.push(InputStatus {
                shard: shard.shard,
                topic: input.input.topic.clone(),
                partition: input.input.partition,
                next_offset: input.next_offset,
                watermark_ms: input
                    .highest_ms
                    .zip(bound)
                    .map(|(highest, bound)| highest - bound),
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

    /// Lag of every input; never fails.
    async fn ask_broker(&mut self, config: &Config) {
        let mut kafka = kafka_settings(config);
        kafka.connect_timeout = BROKER_TIME_OUT;
        let inputs: Vec<TopicPartition> = self
            .inputs
            .iter()
            .map(|input| TopicPartition::new(input.topic.clone(), input.partition))
            .collect();
        let asked = tokio::task::spawn_blocking(move || end_offsets(&kafka, &inputs)).await;
        match asked {
            Ok(Ok(ends)) => {
                for (input, end) in self.inputs.iter_mut().zip(ends) {
                    input.lag = Some((end - input.next_offset).max(0));
                }
            }
            Ok(Err(error)) => self.lag_unknown = Some(error.to_string()),
            Err(error) => self.lag_unknown = Some(error.to_string()),
        }
    }

    async fn add_epoch(
        &mut self,
        config: &Config,
        store: &Arc<dyn ObjectStore>,
    ) -> anyhow::Result<()> {
        let newest = pipeline::publisher::newest_epoch(store.clone()).await?;
        let Some(epoch) = newest else {
            return Ok(());
        };
        self.set_epoch(&epoch);
        let (_, session) = open::Reader::new(config)?.newest().await?;
        self.dead_letters = ask::rows(
            &session,
            "SELECT topic, reason, COUNT(*) AS records FROM ops.dead_letters \
             GROUP BY topic, reason ORDER BY records DESC, topic, reason",
        )
        .await?;
        self.open_alerts = ask::rows(
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
            committed_at_ms: epoch.committed_at_ms,
            age_ms: wall::now_ms() - epoch.committed_at_ms,
            drained_to_ms: epoch.drained_to_ms,
            unrevised_windows: epoch.unrevised.len(),
        });
        self.finality = epoch
            .finality
            .iter()
            .map(|row| Final {
                table: row.table.clone(),
                window_kind: row.window_kind.clone(),
                until_ms: row.until_ms,
            })
            .collect();
    }
}
