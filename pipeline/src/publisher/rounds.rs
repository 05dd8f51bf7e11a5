//! Rounds: asking the shards, and what of their answers is new.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use tokio::sync::mpsc::UnboundedReceiver;

use super::feed::{self};
use super::plan::{Planner, RoundKey, final_until_ms};
use super::rows::{RevisionStamp, metric_rows};
use super::sealed::TableRows;
use super::{Publisher, not_columns};
use crate::alert::{AlertChange, RuleInput, RuleTime};
use crate::error::Result;
use crate::round::{Metric, Revisions, evaluate_over, evaluate_public};
use crate::shard::from_ipc;
use crate::shard::{ShardCommand, ShardReport};
use crate::time::{Window, WindowKind, wall};

impl Publisher {
    /// Whether windows wait for a round.
    pub(super) fn has_due(&self, force: bool) -> bool {
        !self.due(wall::now_ms(), force).is_empty()
    }

    /// Windows that wait for a round now.
    fn due(&self, now_ms: i64, force: bool) -> Vec<RoundKey> {
        let revise_every = self.settings.revise_every.as_millis();
        let revise_every_ms = i64::try_from(revise_every).unwrap_or(i64::MAX);
        let (zone, clocks) = (self.settings.zone, self.clocks());
        let planner = &self.state.planner;
        planner.due(zone, &clocks, now_ms, revise_every_ms, force)
    }

    /// Opens the rounds that are due and waits until every shard has answered.
    pub(super) async fn run_rounds(
        &mut self,
        reports: &mut UnboundedReceiver<ShardReport>,
        force: bool,
    ) -> Result<Vec<(u64, RoundKey)>> {
        if self.commands.is_empty() {
            return Ok(Vec::new());
        }
        let now_ms = wall::now_ms();
        let mut due = self.due(now_ms, force);
        // The oldest first; what is left over goes out with the next epoch, so that catching up shows progress.
        due.sort_by_key(|key| (key.window.end, key.window.kind));
        due.truncate(ROUNDS_PER_EPOCH);
        let mut rounds = Vec::new();
        for key in due {
            self.next_round += 1;
            let round = self.next_round;
            self.answers.insert(round, BTreeMap::new());
            let metrics = Planner::metrics_of(&self.metrics, &key)
                .iter()
                .map(|metric| metric.name.clone())
                .collect();
            self.ask_all(&ShardCommand::Aggregate {
                round,
                window: key.window,
                metrics,
            });
            // What is touched from now on is not in the answers for sure, so it is marked again.
            self.state.planner.opened(&key, now_ms);
            rounds.push((round, key));
        }
        let shards = self.settings.shards as usize;
        while rounds
            .iter()
            .any(|(round, _)| self.answers.get(round).is_none_or(|a| a.len() < shards))
        {
            let report = reports.recv().await;
            self.hear(report)?;
        }
        Ok(rounds)
    }

    /// Rows of the rounds that say something new.
    pub(super) async fn metric_revisions(
        &mut self,
        rounds: &[(u64, RoundKey)],
        epoch: i64,
        rows: &mut TableRows,
    ) -> Result<(Revisions, Vec<AlertChange>)> {
        let zone = self.settings.zone;
        let metrics = self.metrics.clone();
        let clocks = self.clocks();
        let (mut published, mut alerts) = (Revisions::new(), Vec::new());
        for (round, key) in rounds {
            let answers = self.answers.remove(round).unwrap_or_default();
            for metric in Planner::metrics_of(&metrics, key) {
                let mut parts = Vec::new();
                for (_, ipc) in answers
                    .values()
                    .flatten()
                    .filter(|(name, _)| *name == metric.name)
                {
                    parts.extend(from_ipc(ipc).map_err(not_columns)?);
                }
                let result =
                    evaluate_public(&mut self.evaluator, metric, key.window, &parts).await?;
                self.feed_cells(metric, key.window, &result).await?;
                let changes = self.published.compare(metric, key.window, &result)?;
                if changes.keys.is_empty() {
                    continue;
                }
                let was_final = final_until_ms(
                    metric,
                    &self.state.planner.finality,
                    &self.settings.lateness,
                )
                .is_some_and(|until| key.window.end_ms(zone) <= until);
                let stamp = RevisionStamp {
                    window: key.window,
                    zone,
                    restated: was_final && self.published.knows(&metric.name, key.window),
                    emitted_at_ms: wall::now_ms(),
                    epoch,
                };
                let table = format!("metrics.{}", metric.name);
                let batch = metric_rows(&changes, &metric.table, &stamp).map_err(not_columns)?;
                let now = RuleTime {
                    clock_ms: clocks.get(&key.clock).copied().unwrap_or(i64::MIN),
                    live_ms: None,
                };
                for rule in &mut self.rules {
                    if matches!(rule.input(), RuleInput::Rows { metric: name, window_kind }
                        if name == metric.name && window_kind == key.window.kind.as_str())
                    {
                        alerts.extend(rule.observe(&batch, now)?);
                    }
                }
                rows.add(table, batch);
                published.push((metric.name.clone(), key.window, changes.keys));
            }
        }
        self.state.planner.finality = clocks;
        Ok((published, alerts))
    }

    /// A day of the feed's metric: what it says of each series.
    pub(super) async fn feed_cells(
        &mut self,
        metric: &Metric,
        window: Window,
        rows: &RecordBatch,
    ) -> Result<()> {
        let Some(feed) = self.feed.clone() else {
            return Ok(());
        };
        if feed.metric != metric.name || window.kind != WindowKind::D1 {
            return Ok(());
        }
        let name = feed.table();
        let result = evaluate_over(
            &mut self.evaluator,
            &name,
            &metric.name,
            rows,
            &feed.sql,
            window,
        );
        let cells = feed::cells(&feed, &result.await?).map_err(not_columns)?;
        self.grid.update(window.first, cells.clone());
        self.feed_days.push((window.first, cells));
        Ok(())
    }
}

/// Windows computed for one epoch at most.
const ROUNDS_PER_EPOCH: usize = 16;
