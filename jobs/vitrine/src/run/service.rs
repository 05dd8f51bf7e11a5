//! Shards and publisher of one process, put together from a configuration.

use std::sync::Arc;

use jobs::alerts::AlertRules;
use jobs::catalogue;
use jobs::reference::{ReferenceArchive, RetailReference};
use pipeline::publisher::{EpochRecord, PublisherSettings, RunSummary, Until, require_identity};
use pipeline::run::process::Process;
use pipeline::shard::ShardSettings;
use pipeline::time::Zone;
use tokio::sync::watch;

use super::HEARTBEAT;
use super::inputs::{Inputs, shard_settings, stop_offsets};
use super::new_references::new_references;
use super::sinks::sinks;
use crate::config::Config;
use crate::storage;

/// Runs shards and publisher of a configuration over these inputs; `on_epoch` receives every epoch.
pub(crate) async fn process(
    config: &Config,
    inputs: Inputs,
    until: Until,
    stop: watch::Receiver<bool>,
    on_epoch: impl FnMut(&EpochRecord),
) -> anyhow::Result<RunSummary> {
    let store = storage::object_store(config)?;
    let zone = Zone(config.time.zone);
    let archive = Arc::new(ReferenceArchive::new(store.clone()));
    let metrics = catalogue::metrics()?;
    let shards: Vec<ShardSettings> = (0..inputs.keyed)
        .map(|shard| shard_settings(config, shard, inputs.keyed, inputs.global))
        .collect();
    let stop_offsets = match (&inputs.kafka, until) {
        (Some(_), Until::Stopped) | (None, _) => None,
        (Some(kafka), _) => Some(stop_offsets(kafka, &shards)?),
    };
    let policy = catalogue::policy()?;
    // Read and checked before anything is claimed.
    let rules = AlertRules::built_in(&policy)?;
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
    // A storage that is not ours to use stays as it is: reference data are archived only after this.
    require_identity(&store, &publisher).await?;
    let reference = storage::reference_data(config, &archive).await?;
    let version = reference.version().to_owned();
    let process = Process {
        publisher,
        metrics: metrics.clone(),
        specs: catalogue::stored_tables(zone)?,
        row_rules: rules.for_publisher(),
        sinks: sinks(config, inputs.kafka.as_ref(), &reference, archive.clone()).await?,
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
        new_references: new_references(config, archive, reference.clone()),
        reference: version,
        owner: format!("pid {}", std::process::id()),
        shards,
        until,
    };
    let summary = process.run(store, stop, on_epoch).await?;
    if reference.finds_no_customer() {
        tracing::warn!(
            version = reference.version(),
            "no customer of any event is in ref_customer, so dimensions are UNKNOWN: compare customer_id in ref.ref_customer \
             and events.orders"
        );
    }
    Ok(summary)
}
