//! Shards and publisher of one process, put together from a configuration.

use std::pin::pin;
use std::sync::Arc;

use jobs::alerts::AlertRules;
use jobs::catalogue;
use jobs::reference::{ReferenceArchive, RetailReference};
use pipeline::error::broken_down;
use pipeline::publisher::{EpochRecord, PublisherSettings, RunSummary, Until, require_identity};
use pipeline::run::process::Process;
use pipeline::shard::ShardSettings;
use pipeline::time::Zone;
use tokio::sync::watch;

use super::inputs::{Inputs, shard_settings, stop_offsets};
use super::new_references::new_references;
use super::signals::unless_stopped;
use super::sinks::{sinks, webhook_problems};
use super::{HEARTBEAT, blocking};
use crate::config::Config;
use crate::exit::CommandError;
use crate::storage;

/// Runs shards and publisher of a configuration over these inputs; `on_epoch` receives every epoch. `None`: `stop` was set before anything
/// was read.
pub(crate) async fn process(
    config: &Config,
    inputs: Inputs,
    until: Until,
    stop: watch::Receiver<bool>,
    on_epoch: impl FnMut(&EpochRecord),
) -> anyhow::Result<Option<RunSummary>> {
    let store = storage::object_store(config)?;
    let zone = Zone(config.time.zone);
    let archive = Arc::new(ReferenceArchive::new(store.clone()));
    let metrics = catalogue::metrics()?;
    let shards: Vec<ShardSettings> = (0..inputs.keyed)
        .map(|shard| shard_settings(config, shard, inputs.keyed, inputs.global))
        .collect();
    let stop_offsets = match (&inputs.kafka, until) {
        (Some(_), Until::Stopped) | (None, _) => None,
        (Some(kafka), _) => {
            let (kafka, shards) = (kafka.clone(), shards.clone());
            let asking = blocking("end offsets", move || stop_offsets(&kafka, &shards));
            let Some(offsets) = unless_stopped(&stop, asking).await? else {
                return Ok(None);
            };
            Some(offsets)
        }
    };
    let policy = catalogue::policy()?;
    // Read and checked before anything is claimed.
    let rules = AlertRules::built_in(&policy)?;
    let problems = webhook_problems(config, &rules.cards());
    if !problems.is_empty() {
        return Err(CommandError::Usage(problems.join("; ")).into());
    }
    let publisher = PublisherSettings {
        zone,
        shards: inputs.keyed,
        partitioner: config.source.partitioner,
        interval: config.epoch.interval,
        revise_every: config.epoch.revise_every,
        topics: config.topic_settings(),
        rules: rules.cards(),
        checkpoint_every: 128,
        heartbeat: HEARTBEAT,
        early_bytes: config.limits.epoch_bytes(),
    };
    let preparing = async {
        // A storage that is not ours to use stays as it is: reference data are archived only after this.
        require_identity(&store, &publisher).await?;
        let (reference, stamp) = storage::reference_data(config, &archive).await?;
        let sinks = sinks(config, inputs.kafka.as_ref(), &reference, archive.clone()).await?;
        Ok((reference, stamp, sinks))
    };
    let Some((reference, stamp, sinks)) = unless_stopped(&stop, preparing).await? else {
        return Ok(None);
    };
    let version = reference.version().to_owned();
    let (new_references, looking) =
        new_references(config, archive.clone(), (reference.clone(), stamp));
    let process = Process {
        publisher,
        metrics: metrics.clone(),
        specs: catalogue::stored_tables(zone)?,
        row_rules: rules.for_publisher(),
        sinks,
        make_state: |shard: u32, reference: RetailReference| {
            let metrics = metrics.clone();
            let (shards, policy) = (inputs.keyed, policy.clone());
            let rules = rules.for_shard();
            async move {
                catalogue::shard_state(zone, shard, shards, reference, metrics, policy, rules).await
            }
        },
        references: archive,
        open_source: inputs.open,
        stop_offsets,
        new_references,
        reference: version,
        owner: format!("pid {}", std::process::id()),
        shards,
        until,
    };
    let mut running = pin!(process.run(store, stop, on_epoch));
    let summary = tokio::select! {
        summary = &mut running => summary?,
        ended = looking => match ended {
            // Once nobody receives what it finds any more.
            Ok(()) => running.await?,
            Err(panic) => {
                return Err(broken_down("watching reference data", &panic.to_string()).into());
            }
        },
    };
    if reference.finds_no_customer() {
        tracing::warn!(
            version = reference.version(),
            "no customer of any event is in ref_customer, so dimensions are UNKNOWN: compare customer_id in ref.ref_customer \
             and events.orders"
        );
    }
    Ok(summary)
}
