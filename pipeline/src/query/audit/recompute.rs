//! The rows that should be there, computed at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::event::{Topic, arrow_schema};
use schemas::time::TimestampMs;

use super::compare::{PublishedRows, TableAudit, not_comparable};
use crate::columns::conform;
use crate::error::Result;
use crate::history::ReferenceState;
use crate::publisher::{EpochRecord, Planner, RoundKey};
use crate::round::{Evaluator, Metric, evaluate_public, row_schema};
use crate::shard::{Clocks, Effects, ShardState, least_clocks};
use crate::time::{Window, Zone};

/// The batch computation of one epoch's metric rows.
pub struct Audit<R: ReferenceState> {
    zone: Zone,
    metrics: Arc<Vec<Metric>>,
    shards: Vec<ShardState<R>>,
    evaluator: Evaluator,
    planner: Planner,
    clocks: BTreeMap<u32, Clocks>,
    unrevised: BTreeSet<RoundKey>,
}

impl<R: ReferenceState> Audit<R> {
    /// Nothing is computed yet: [`Audit::add_shard`] comes next, once for each shard.
    pub fn new(zone: Zone, metrics: Arc<Vec<Metric>>, epoch: &EpochRecord) -> Self {
        Self {
            zone,
            metrics,
            shards: Vec::new(),
            evaluator: Evaluator::new(zone),
            planner: Planner::default(),
            clocks: epoch.clocks.clone(),
            unrevised: epoch.unrevised.iter().cloned().collect(),
        }
    }

    /// Applies all accepted events of a shard to its empty state. Batches are rows of `events.<topic>`, in any order.
    /// Answers what follows from them: facts that hold at the epoch's clocks, orphans, and what the core's rules say of them.
    pub async fn add_shard(
        &mut self,
        shard: u32,
        mut core: ShardState<R>,
        events: &[(Topic, RecordBatch)],
    ) -> Result<Effects> {
        let events = events
            .iter()
            .map(|(topic, batch)| Ok((*topic, conform(batch, &arrow_schema(*topic), &[])?)))
            .collect::<Result<Vec<_>, ArrowError>>()
            .map_err(not_comparable)?;
        let clocks = self.clocks.get(&shard).cloned().unwrap_or_default();
        let effects = core.apply(&events, &clocks, None).await?;
        for (metric, days) in &effects.touched {
            self.planner.touch(&self.metrics, metric, days);
        }
        self.shards.push(core);
        Ok(effects)
    }

    /// Recomputes every window that ended before its clock (and after `since`) and compares it with `published`, by metric.
    ///
    /// `report_progress` receives how many windows are done, and of how many. A published window that holds no fact any more
    /// is compared with no rows at all.
    pub async fn compare(
        &mut self,
        published: &BTreeMap<String, PublishedRows>,
        since: Option<TimestampMs>,
        mut report_progress: impl FnMut(usize, usize),
    ) -> Result<Vec<TableAudit>> {
        let (zone, metrics) = (self.zone, self.metrics.clone());
        let is_asked_for = |window: Window| since.is_none_or(|since| window.ends_at(zone) > since);
        let clocks = least_clocks(&self.clocks, self.shards.len());
        let due: Vec<RoundKey> = self
            .planner
            .changed(self.zone, &clocks)
            .into_iter()
            .filter(|key| is_asked_for(key.window) && !self.unrevised.contains(key))
            .collect();
        let mut tables: BTreeMap<&str, TableAudit> = metrics
            .iter()
            .map(|metric| (metric.name.as_str(), TableAudit::new(&metric.name)))
            .collect();
        let nothing = PublishedRows::default();
        let mut seen = BTreeSet::new();
        for (done, key) in due.iter().enumerate() {
            for (metric, expected) in self.round(&metrics, key).await? {
                let of_metric = published.get(&metric.name).unwrap_or(&nothing);
                let actual = of_metric.window(metric, key.window)?;
                if let Some(table) = tables.get_mut(metric.name.as_str()) {
                    table.compare(metric, key.window, &expected, &actual)?;
                }
                seen.insert((metric.name.as_str(), key.window));
            }
            report_progress(done + 1, due.len());
        }
        for metric in metrics.iter() {
            let Some(of_metric) = published.get(&metric.name) else {
                continue;
            };
            for window in of_metric.windows() {
                let key = RoundKey {
                    clock: metric.clock,
                    window,
                };
                if seen.contains(&(metric.name.as_str(), window))
                    || !is_asked_for(window)
                    || self.unrevised.contains(&key)
                {
                    continue;
                }
                let expected = RecordBatch::new_empty(row_schema(metric));
                let actual = of_metric.window(metric, window)?;
                if let Some(table) = tables.get_mut(metric.name.as_str()) {
                    table.compare(metric, window, &expected, &actual)?;
                }
            }
        }
        Ok(metrics
            .iter()
            .filter_map(|metric| tables.remove(metric.name.as_str()))
            .collect())
    }

    /// Windows that the epoch had not revised yet.
    pub fn unrevised(&self) -> usize {
        self.unrevised.len()
    }

    /// The rows of all metrics of a round.
    async fn round<'m>(
        &mut self,
        metrics: &'m [Metric],
        key: &RoundKey,
    ) -> Result<Vec<(&'m Metric, RecordBatch)>> {
        let metrics = Planner::metrics_of(metrics, key);
        let names: Vec<String> = metrics.iter().map(|metric| metric.name.clone()).collect();
        let mut parts: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
        for shard in &mut self.shards {
            for (metric, rows) in shard.aggregate(key.window, &names).await? {
                parts.entry(metric).or_default().push(rows);
            }
        }
        let mut rows = Vec::with_capacity(metrics.len());
        for metric in metrics {
            let parts = parts.remove(&metric.name).unwrap_or_default();
            let result = evaluate_public(&mut self.evaluator, metric, key.window, &parts).await?;
            rows.push((metric, result.rows));
        }
        Ok(rows)
    }
}
