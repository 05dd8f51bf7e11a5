//! When a micro-batch is full, and how it becomes durable.

use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::event::Topic;
use tokio::sync::mpsc::UnboundedSender;

use super::read::POLL_WAIT;
use super::{Shard, ShardError, ShardReport};
use crate::alert::MAX_PER_SEAL;
use crate::history::ReferenceState;
use crate::shard::{Clocks, InputSeal, PartialAggregate, Seal, ShardCheckpoint, to_ipc};
use crate::time::{InputTime, clock, wall};

impl<R: ReferenceState> Shard<R> {
    /// Clocks never go back.
    pub(super) fn new_clocks(&self, live_ms: Option<i64>) -> Clocks {
        let times: Vec<InputTime> = self
            .inputs
            .iter()
            .map(|input| {
                let topic = self
                    .settings
                    .topics
                    .iter()
                    .position(|settings| settings.topic == input.topic);
                input.time(topic.unwrap_or(usize::MAX))
            })
            .collect();
        let mut clocks = self.clocks.clone();
        for (key, topics) in &self.clock_sets {
            let reached = clock(&times, topics, live_ms).max(self.drained_to_ms);
            if let Some(reached) = reached {
                let clock = clocks.entry(key.clone()).or_insert(reached);
                *clock = (*clock).max(reached);
            }
        }
        clocks
    }

    pub(super) fn is_seal_due(&self) -> bool {
        if !self.answers.is_empty()
            || self.unsealed >= self.settings.seal_records
            || self.unsealed_bytes >= self.settings.seal_bytes
        {
            return true;
        }
        let waited = wall::monotonic().saturating_duration_since(self.last_seal_at);
        if self.unsealed > 0 && waited >= self.settings.seal_every {
            return true;
        }
        let all_ended = self.inputs.iter().all(|input| input.at_end);
        if self.unsealed > 0 && all_ended {
            return true;
        }
        if self.unsealed > 0 || waited < POLL_WAIT {
            return false;
        }
        // Nothing came, but time went on: a timer may be due, or others want to know.
        let live_ms = self.live.now_ms();
        let clocks = self.new_clocks(live_ms);
        if clocks == self.clocks {
            return false;
        }
        let furthest = clocks.values().copied().max().max(live_ms);
        let due = self.core.next_timer_ms().is_some_and(|wake| {
            furthest >= Some(wake) && self.clocks.values().any(|&before| before < wake)
        });
        (due && waited >= self.settings.seal_every) || waited >= self.settings.quiet_every
    }

    pub(super) fn seal(
        &mut self,
        reports: &UnboundedSender<ShardReport>,
    ) -> Result<(), ShardError> {
        let live_ms = self.live.now_ms();
        let clocks = self.new_clocks(live_ms);
        let mut batches: Vec<(Topic, RecordBatch)> = Vec::new();
        for (topic, builder) in &mut self.builders {
            if !builder.is_empty() {
                batches.push((*topic, builder.finish()));
            }
        }
        let runtime = self.runtime.clone();
        let effects = runtime.block_on(self.core.apply(&batches, &clocks, live_ms))?;
        let mut answers = Vec::new();
        for (round, window, metrics) in std::mem::take(&mut self.answers) {
            for (metric, parts) in runtime.block_on(self.core.answer(window, &metrics))? {
                answers.push(PartialAggregate {
                    round,
                    window,
                    metric,
                    parts: to_ipc(&parts)?,
                });
            }
        }
        self.clocks = clocks.clone();
        self.alerts.extend(effects.alerts);
        let rest = self.alerts.split_off(self.alerts.len().min(MAX_PER_SEAL));
        let alerts = std::mem::replace(&mut self.alerts, rest);
        let seal = Seal {
            inputs: self.input_seals(),
            clocks,
            live_ms,
            delay_ms: self.live.delay_ms(),
            drained_to_ms: self.drained_to_ms,
            reference: self.references.in_force.clone(),
            events: batches
                .iter()
                .map(|(topic, batch)| Ok((*topic, to_ipc(batch)?)))
                .collect::<Result<_, ArrowError>>()?,
            facts: effects
                .facts
                .iter()
                .map(|(name, batch)| Ok((name.clone(), to_ipc(batch)?)))
                .collect::<Result<_, ArrowError>>()?,
            dead_letters: std::mem::take(&mut self.dead_letters),
            late_events: std::mem::take(&mut self.late_events),
            orphans: effects.orphans,
            touched: effects.touched,
            last_days: self.core.last_days(),
            reference_changed: effects.reference_changed,
            answers,
            alerts,
            sealed_at_ms: wall::now_ms(),
        };
        let payload = Bytes::from(postcard::to_stdvec(&seal)?);
        let number = runtime.block_on(self.log.append(payload))?;
        self.unsealed = 0;
        self.unsealed_bytes = 0;
        self.last_seal_at = wall::monotonic();
        // The publisher has ended if nobody listens; the next command says so.
        let _ = reports.send(ShardReport::Sealed {
            shard: self.settings.shard,
            number,
            seal: Arc::new(seal),
        });
        if number >= self.last_checkpoint + self.settings.checkpoint_every {
            self.write_checkpoint()?;
        }
        Ok(())
    }

    pub(super) fn input_seals(&self) -> Vec<InputSeal> {
        self.inputs
            .iter()
            .map(|input| {
                debug_assert!(input.judge.counters().is_conserved());
                InputSeal {
                    input: input.id.clone(),
                    next_offset: input.next_offset,
                    highest_ms: input.judge.highest_ms(),
                    at_end: input.at_end,
                    counters: input.judge.counters(),
                    accounted: input.accounted,
                }
            })
            .collect()
    }

    pub(super) fn write_checkpoint(&mut self) -> Result<(), ShardError> {
        let checkpoint = ShardCheckpoint {
            inputs: self.input_seals(),
            judges: self.inputs.iter().map(|input| input.judge.save()).collect(),
            clocks: self.clocks.clone(),
            live_ms: self.live.now_ms(),
            delay_ms: self.live.delay_ms(),
            drained_to_ms: self.drained_to_ms,
            reference: self.references.in_force.clone(),
            core: self.core.save()?.into(),
        };
        let payload = Bytes::from(postcard::to_stdvec(&checkpoint)?);
        let runtime = self.runtime.clone();
        let at = runtime.block_on(self.log.write_checkpoint(payload))?;
        self.last_checkpoint = at.number;
        Ok(())
    }
}
