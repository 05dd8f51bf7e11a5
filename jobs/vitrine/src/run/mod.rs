//! `vitrine run`: the service.

mod inputs;
mod new_references;
mod sinks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pipeline::publisher::{EpochRecord, PublisherSettings, RunSummary, Until};
use pipeline::run::process::Process;
use pipeline::shard::ShardSettings;
use pipeline::time::Zone;
use tokio::sync::watch;

pub use self::inputs::{Inputs, kafka_settings};
use self::inputs::{inputs, shard_settings, stop_offsets};
use self::new_references::new_references;
use self::sinks::sinks;
use super::open;
use super::progress::Progress;
use crate::config::Config;
use jobs::alerts::AlertRules;
use jobs::catalogue;
use jobs::reference::{ReferenceArchive, RetailReference};

/// How often an idle service says that it is there.
pub const HEARTBEAT: Duration = Duration::from_secs(60);

/// Arguments of `vitrine run`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  vitrine --config vitrine.toml run
  vitrine --config vitrine.toml run --drain            (process what is there, decide every deadline, end)")]
pub struct RunArgs {
    /// Stop once everything that is there now has been read and published
    #[arg(long, conflicts_with_all = ["drain", "drain_to"])]
    pub until_caught_up: bool,
    /// The same, then move event time on until every window that holds a fact is final
    #[arg(long, conflicts_with = "drain_to")]
    pub drain: bool,
    /// The same, then move event time on to this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    pub drain_to: Option<DateTime<Utc>>,
}

impl RunArgs {
    fn until(&self) -> Until {
        match (self.until_caught_up, self.drain, self.drain_to) {
            (true, ..) => Until::CaughtUp,
            (_, true, _) => Until::Drained,
            (.., Some(at)) => Until::DrainedTo(at.timestamp_millis()),
            _ => Until::Stopped,
        }
    }
}

/// Runs the service until it is on_epoch to stop.
pub async fn run(args: &RunArgs, config: Config) -> anyhow::Result<()> {
    let (sender, stop) = watch::channel(false);
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("stopping: a last seal and epoch, then the end");
        // The process may have ended by itself meanwhile.
        let _ = sender.send(true);
    });
    let summary = process(&config, args.until(), stop).await?;
    say(&summary);
    Ok(())
}

/// Waits for SIGTERM or Ctrl-C.
pub async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn say(summary: &RunSummary) {
    if let Some(at) = summary
        .drained_to_ms
        .and_then(DateTime::from_timestamp_millis)
    {
        println!(
            "drained to {}",
            at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
        );
    }
    println!(
        "epoch {}: read {} = accepted {} + duplicate {} + too late {} + dead letters {}; {} metric rows",
        summary.epoch,
        summary.read,
        summary.accepted,
        summary.duplicate,
        summary.too_late,
        summary.dead,
        summary.rows
    );
}

/// Runs shards and publisher of this configuration.
pub async fn process(
    config: &Config,
    until: Until,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<RunSummary> {
    let inputs = inputs(config)?;
    let mut progress = Progress::new("epoch", None);
    process_with(config, inputs, until, stop, |epoch| {
        progress.at(epoch.epoch.unsigned_abs(), "published");
    })
    .await
}

/// The same with inputs of the caller's; `on_epoch` hears of every epoch.
pub async fn process_with(
    config: &Config,
    inputs: Inputs,
    until: Until,
    stop: watch::Receiver<bool>,
    on_epoch: impl FnMut(&EpochRecord),
) -> anyhow::Result<RunSummary> {
    let store = super::store(config)?;
    let zone = Zone(config.time.zone);
    let archive = Arc::new(ReferenceArchive::new(store.clone()));
    let reference = open::reference(config, &archive).await?;
    let metrics = catalogue::metrics()?;
    let shards: Vec<ShardSettings> = (0..inputs.keyed)
        .map(|shard| shard_settings(config, shard, inputs.keyed, inputs.global))
        .collect();
    let stop_offsets = match (&inputs.kafka, until) {
        (Some(_), Until::Stopped) | (None, _) => None,
        (Some(kafka), _) => Some(stop_offsets(kafka, &shards)?),
    };
    let topics = config.topic_settings();
    let by_topic = |pick: fn(&pipeline::decode::TopicSettings) -> i64| -> BTreeMap<String, i64> {
        topics
            .iter()
            .map(|topic| (topic.topic.name().to_owned(), pick(topic)))
            .collect()
    };
    let version = reference.version().to_owned();
    let policy = catalogue::policy()?;
    // Read and checked before anything is claimed.
    let rules = AlertRules::built_in(&policy)?;
    let process = Process {
        publisher: PublisherSettings {
            zone,
            shards: inputs.keyed,
            interval: config.epoch.interval,
            revise_every: config.epoch.revise_every,
            topic_names: topics
                .iter()
                .map(|topic| (topic.name.clone(), topic.topic))
                .collect(),
            lateness: by_topic(|topic| topic.allowed_lateness_ms),
            bounds: by_topic(|topic| topic.out_of_orderness_ms),
            rules: rules.cards(),
            checkpoint_every: 64,
            heartbeat: HEARTBEAT,
            early_bytes: 64 << 20,
        },
        metrics: metrics.clone(),
        specs: catalogue::stored_tables(zone)?,
        row_rules: rules.for_publisher(),
        sinks: sinks(config, inputs.kafka.as_ref(), &reference).await?,
        make_state: |shard: u32, reference: RetailReference| {
            let metrics = metrics.clone();
            let (shards, policy) = (inputs.keyed, policy.clone());
            let rules = rules.for_shard();
            async move {
                catalogue::shard_state(zone, shard, shards, reference, metrics, policy, rules).await
            }
        },
        references: archive.clone(),
        open_source: inputs.open,
        stop_offsets,
        new_references: new_references(config, archive, version.clone()),
        reference: version,
        owner: format!("pid {}", std::process::id()),
        shards,
        until,
    };
    Ok(process.run(store, stop, on_epoch).await?)
}
