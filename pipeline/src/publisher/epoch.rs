//! One epoch: rounds, rows, files, intent, commits, epoch record.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::entry::{EpochRecord, FinalUntil, Intent, PublisherRecord};
use super::feed::FeedDefinition;
use super::plan::final_until_ms;
use super::sealed::TableRows;
use super::{PublishError, Publisher};
use crate::alert::{self};
use crate::shard::ShardReport;
use crate::table::TableChanges;
use crate::time::{WindowKind, wall};

impl Publisher {
    /// Publishes one epoch if there is something to publish; `force` revises every touched window that has ended.
    pub(super) async fn publish(
        &mut self,
        reports: &mut UnboundedReceiver<ShardReport>,
        force: bool,
    ) -> Result<Option<&EpochRecord>, PublishError> {
        let rounds = self.run_rounds(reports, force).await?;
        let moved = self.has_feed_days() || self.alerting.has_rows();
        if self.pending.is_empty() && rounds.is_empty() && !moved {
            return Ok(None);
        }
        let epoch = self.state.epoch + 1;
        let mut rows = TableRows::default();
        let (mut published, mut changes) = self.metric_revisions(&rounds, epoch, &mut rows).await?;
        let mut records = self.dead_letter_records();
        let feed = self.feed_revisions(epoch, &mut rows, &mut published, &mut records)?;
        // The intent will be the next record of this log: only its owner can extend it.
        let number = self.log.last().number + 1;
        let own = alert::seal(super::OWN_ALERTS, number, &mut changes);
        self.alert_rows(&own, epoch, &mut rows)?;
        self.sealed_rows(epoch, &mut rows)?;
        self.epoch_rows(epoch, &mut rows)?;

        let tag = format!("{}-{epoch}", self.log.claim_id().number);
        let mut tables = BTreeMap::new();
        for (table, batches) in &rows.0 {
            let Some(spec) = self.specs.get(table) else {
                continue;
            };
            let mut changes = TableChanges {
                add: self.tables.stage(spec, batches, &tag).await?,
                compactions: Vec::new(),
            };
            if epoch % COMPACT_EVERY == 0
                && let Some(version) = self.versions.get(table)
            {
                changes.compactions = self.tables.compact(spec, *version, &tag).await?;
            }
            tables.insert(table.clone(), changes);
        }

        self.state.epoch = epoch;
        self.state.cut.clone_from(&self.heard);
        self.state.rules = self
            .rules
            .iter()
            .map(|rule| rule.save())
            .collect::<Result<_, _>>()?;
        let mut state = self.state.clone();
        let now_ms = self.live_or_clock_ms();
        let outbox = state
            .outboxes
            .entry(super::OWN_ALERTS.to_owned())
            .or_default();
        outbox.add(own.clone(), &self.alerting.routes(), now_ms);
        let intent = Intent {
            state,
            published,
            tables,
            feed,
            records,
        };
        let entry = PublisherRecord::Intent(Box::new(intent));
        let payload = Bytes::from(postcard::to_stdvec(&entry)?);
        self.log.append(payload).await?;
        let PublisherRecord::Intent(intent) = entry else {
            return Ok(None);
        };
        for (metric, window, keys) in &intent.published {
            self.published.accept(metric, *window, keys.clone());
        }
        self.pending.clear();
        self.pending_bytes = 0;
        self.alerting
            .send(&mut self.state.outboxes, super::OWN_ALERTS, own, now_ms);
        self.roll_forward(&intent).await?;
        if epoch % self.settings.checkpoint_every == 0 {
            self.write_checkpoint().await?;
        }
        Ok(self.last.as_ref())
    }

    /// From a sealed intent to its epoch record; may be repeated from any point.
    pub(super) async fn roll_forward(&mut self, intent: &Intent) -> Result<(), PublishError> {
        let epoch = intent.state.epoch;
        for (table, changes) in &intent.tables {
            let version = self.tables.commit(table, epoch, changes).await?;
            self.versions.insert(table.clone(), version);
        }
        self.send_records(&intent.records).await?;
        let record = EpochRecord {
            epoch,
            committed_at_ms: wall::now_ms(),
            cut: intent.state.cut.clone(),
            tables: self.versions.clone(),
            finality: self.finality(),
            reference: intent.state.reference.clone(),
            drained_to_ms: intent.state.drained_to_ms,
            clocks: intent.state.clocks.clone(),
            unrevised: intent.state.unrevised(self.settings.zone),
        };
        let payload = Bytes::from(postcard::to_stdvec(&PublisherRecord::Epoch(
            record.clone(),
        ))?);
        self.log.append(payload).await?;
        self.last = Some(record);
        Ok(())
    }

    pub(super) fn finality(&self) -> Vec<FinalUntil> {
        let clocks = &self.state.planner.finality;
        let mut all = Vec::new();
        for metric in self.metrics.iter() {
            let Some(until_ms) = final_until_ms(metric, clocks, &self.settings.lateness) else {
                continue;
            };
            for kind in &metric.windows {
                let feed = self
                    .feed
                    .as_ref()
                    .filter(|feed| feed.metric == metric.name && *kind == WindowKind::D1);
                let tables = [
                    Some(format!("metrics.{}", metric.name)),
                    feed.map(FeedDefinition::table),
                ];
                all.extend(tables.into_iter().flatten().map(|table| FinalUntil {
                    table,
                    window_kind: kind.to_string(),
                    until_ms,
                }));
            }
        }
        all
    }
}

/// Epochs between two looks at how many small files there are.
const COMPACT_EVERY: i64 = 8;
