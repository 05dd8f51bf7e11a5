//! What the publisher does to the outside: its log, the tables, the public queries. One action at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;

use super::event::{MetricRows, PublisherAction, PublisherEvent, RoundInput, RoundRows};
use super::feed::{self, Cells, FeedDefinition, LoadedFlags};
use super::record::{PublisherCheckpoint, PublisherRecord, encode};
use crate::error::Result;
use crate::log::Log;
use crate::round::{Evaluator, Metric, evaluate_over, evaluate_public};
use crate::shard::from_ipc;
use crate::sink::stage_records;
use crate::table::{TableChanges, TableSpec, Tables, staging_tag};
use crate::time::{Day, WindowKind};

/// The publisher's hands. It is moved into the future of an action and comes back with the outcome.
pub(super) struct EpochIo {
    pub store: Arc<dyn ObjectStore>,
    pub log: Log,
    pub tables: Arc<Tables>,
    /// Every stored table, by `schema.name`.
    pub specs: Arc<BTreeMap<String, TableSpec>>,
    pub metrics: Arc<Vec<Metric>>,
    pub feed: Option<FeedDefinition>,
    pub evaluator: Evaluator,
}

impl EpochIo {
    /// Performs an action that changes something outside, or takes long. `None` for one that does not.
    pub(super) async fn perform(
        &mut self,
        action: PublisherAction,
    ) -> Result<Option<PublisherEvent>> {
        Ok(Some(match action {
            PublisherAction::Wait | PublisherAction::Ask(_) => return Ok(None),
            PublisherAction::Compute { rounds, flags_of } => PublisherEvent::Computed {
                rounds: self.compute(rounds).await?,
                flags: self.load_flags(flags_of).await?,
            },
            PublisherAction::Stage {
                epoch,
                rows,
                records,
                versions,
                compacts,
            } => {
                let tag = staging_tag(self.log.claim_id().number, epoch);
                let mut tables = BTreeMap::new();
                for (table, batches) in &rows.0 {
                    let Some(spec) = self.specs.get(table) else {
                        continue;
                    };
                    let mut changes = TableChanges {
                        add: self.tables.stage(spec, batches, &tag).await?,
                        compactions: Vec::new(),
                    };
                    if let Some(version) = versions.get(table).filter(|_| compacts) {
                        changes.compactions =
                            self.tables.compact(spec, version.version, &tag).await?;
                    }
                    tables.insert(table.clone(), changes);
                }
                let records = stage_records(&self.store, &tag, &records).await?;
                PublisherEvent::Staged { tables, records }
            }
            PublisherAction::SealIntent(intent) => {
                let payload = encode(&PublisherRecord::Intent(intent))?;
                PublisherEvent::IntentSealed {
                    number: self.log.append(payload).await?,
                }
            }
            PublisherAction::Commit {
                table,
                epoch,
                changes,
            } => PublisherEvent::Committed {
                version: self.tables.commit(&table, epoch, &changes).await?,
                table,
            },
            PublisherAction::Record(record) => {
                let payload = encode(&PublisherRecord::Epoch(*record))?;
                PublisherEvent::Recorded {
                    number: self.log.append(payload).await?,
                }
            }
        }))
    }

    /// Writes the state up to and with the last record; says whether that was possible.
    pub(super) async fn write_checkpoint(
        &mut self,
        checkpoint: &PublisherCheckpoint,
    ) -> Result<bool> {
        self.log.write_checkpoint(encode(checkpoint)?).await
    }

    async fn compute(&mut self, rounds: Vec<RoundInput>) -> Result<Vec<RoundRows>> {
        let metrics = self.metrics.clone();
        let mut all = Vec::with_capacity(rounds.len());
        for RoundInput { key, partials } in rounds {
            let mut of_metrics = Vec::new();
            let mut cells = None;
            for metric in super::plan::Planner::metrics_of(&metrics, &key) {
                let mut parts = Vec::new();
                let of_shards = partials.values().flatten();
                for (_, ipc) in of_shards.filter(|(name, _)| *name == metric.name) {
                    parts.extend(from_ipc(ipc)?);
                }
                let result =
                    evaluate_public(&mut self.evaluator, metric, key.window, &parts).await?;
                if key.window.kind == WindowKind::D1 {
                    cells = cells.or(self.cells(metric, &key, &result.exact).await?);
                }
                of_metrics.push(MetricRows {
                    metric: metric.name.clone(),
                    rows: result.rows,
                    overflows: result.overflows,
                });
            }
            all.push(RoundRows {
                key,
                metrics: of_metrics,
                cells,
            });
        }
        Ok(all)
    }

    async fn load_flags(&self, reference: Option<String>) -> Result<Option<LoadedFlags>> {
        let Some((feed, reference)) = self.feed.as_ref().zip(reference) else {
            return Ok(None);
        };
        let flags = feed.flags.flags(&reference).await?;
        Ok(Some(LoadedFlags { reference, flags }))
    }

    /// What a day of the feed's metric says of each series.
    async fn cells(
        &mut self,
        metric: &Metric,
        key: &super::plan::RoundKey,
        rows: &arrow::record_batch::RecordBatch,
    ) -> Result<Option<(Day, Cells)>> {
        let feed = self.feed.as_ref();
        let Some(feed) = feed.filter(|feed| feed.metric == metric.name) else {
            return Ok(None);
        };
        let result = evaluate_over(
            &mut self.evaluator,
            &feed.table(),
            &metric.name,
            rows,
            &feed.sql,
            key.window,
        )
        .await?;
        Ok(Some((key.window.first, feed::cells(feed, &result)?)))
    }
}
