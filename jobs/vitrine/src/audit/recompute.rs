//! Every metric row computed once more, in batch, from the accepted events.

use std::collections::BTreeMap;
use std::sync::Arc;

use jobs::catalogue;
use jobs::reference::{ReferenceData, RetailReference};
use pipeline::publisher::EpochRecord;
use pipeline::query::Session;
use pipeline::query::audit::{Audit, PublishedRows};
use pipeline::time::Zone;
use schemas::event::Topic;
use schemas::time::TimestampMs;

use super::conservation;
use super::report::AuditReport;
use crate::config::Config;
use crate::query;
use crate::storage::EpochReader;

/// Audits the newest epoch. `on_progress` receives how many windows have been recomputed, and of how many.
pub(crate) async fn audit(
    config: &Config,
    since: Option<TimestampMs>,
    on_progress: impl FnMut(usize, usize),
) -> anyhow::Result<AuditReport> {
    let reader = EpochReader::new(config)?;
    let (epoch, session) = reader.newest_checked().await?;
    let conservation = conservation::by_partition(&session, &config.topic_settings()).await?;
    let reference = reader.reference(&epoch).await?;
    let mut recomputed = recompute(config, &epoch, &session, reference).await?;
    let zone = Zone(config.time.zone);
    let mut published = BTreeMap::new();
    for metric in catalogue::metrics()?.iter() {
        let published_rows = format!("SELECT * FROM metrics.{}", metric.name);
        let rows = query::batches(&session, &published_rows).await?;
        published.insert(metric.name.clone(), PublishedRows::new(&rows, zone)?);
    }
    // All that is compared has been read.
    session.close().await;
    Ok(AuditReport {
        epoch: epoch.epoch,
        conservation,
        tables: recomputed.compare(&published, since, on_progress).await?,
        unrevised: recomputed.unrevised(),
    })
}

/// Applies the accepted events of every shard in one step each.
async fn recompute(
    config: &Config,
    epoch: &EpochRecord,
    session: &Session,
    reference: Arc<ReferenceData>,
) -> anyhow::Result<Audit<RetailReference>> {
    let zone = Zone(config.time.zone);
    let metrics = catalogue::metrics()?;
    let policy = catalogue::policy()?;
    let shards = epoch.cut.keys().max().map_or(0, |last| last + 1);
    let mut audit = Audit::new(zone, metrics.clone(), epoch);
    // Every shard reads the global topics whole.
    let mut global = Vec::new();
    for topic in Topic::ALL.into_iter().filter(|topic| !topic.is_keyed()) {
        let events = format!("SELECT * FROM events.{}", topic.name());
        for batch in query::batches(session, &events).await? {
            global.push((topic, batch));
        }
    }
    for shard in 0..shards {
        let mut events = global.clone();
        for topic in Topic::ALL.into_iter().filter(|topic| topic.is_keyed()) {
            let events_of_shard = format!(
                "SELECT * FROM events.{} WHERE \"partition\" = {shard}",
                topic.name()
            );
            for batch in query::batches(session, &events_of_shard).await? {
                events.push((topic, batch));
            }
        }
        let reference = RetailReference::new(reference.clone());
        let (metrics, policy) = (metrics.clone(), policy.clone());
        // Without rules: alerts are not recomputed.
        let state =
            catalogue::shard_state(zone, shard, shards, reference, metrics, policy, Vec::new())
                .await?;
        audit.add_shard(shard, state, &events).await?;
        tracing::debug!(shard, "events applied");
    }
    Ok(audit)
}
