//! A shard without input and output: items in, seals out.
//!
//! ```text
//! Item ─▶ ingest: verdict ─▶ MicroBatch ─▶ seal: operators, panes, rounds ─▶ Seal
//!              ▲ K3-K6                       ▲ ShardState      ▲ requests of the publisher
//! ```
//!
//! The driver decides nothing: it asks [`ShardMachine::is_seal_due`] and puts what [`ShardMachine::seal`] gives into the log.
//! `seal` is async because DataFusion is; it waits for nothing outside.

use std::time::Instant;

use schemas::time::TimestampMs;

use super::batch::MicroBatch;
use super::circuit::DeadLetterCircuit;
use super::input::ShardInputs;
use super::seal::{Clocks, PartialAggregate, Seal, ShardCheckpoint, to_ipc};
use super::settings::ShardSettings;
use super::state::ShardState;
use crate::alert::{AlertChange, MAX_PER_SEAL};
use crate::decode::Verdict;
use crate::error::Result;
use crate::history::ReferenceState;
use crate::source::{InputNews, Item, Record, Start};
use crate::time::{Advance, LiveTime, Window, Zone};

/// Partial aggregates of one round that the publisher asks of this shard.
struct AggregateRequest {
    round: u64,
    window: Window,
    metrics: Vec<String>,
}

/// See the module's page.
pub(super) struct ShardMachine<R: ReferenceState> {
    pub(super) settings: ShardSettings,
    pub(super) state: ShardState<R>,
    pub(super) inputs: ShardInputs,
    pub(super) batch: MicroBatch,
    requests: Vec<AggregateRequest>,
    /// Alerts that found no number in their own seal.
    pub(super) alerts: Vec<AlertChange>,
    pub(super) clocks: Clocks,
    pub(super) live: LiveTime,
    pub(super) drained_to: Option<TimestampMs>,
    /// How far ahead facts are believed because of other shards.
    believed_by_others: Option<TimestampMs>,
    /// Version of the reference data in force.
    pub(super) reference: String,
    circuit: DeadLetterCircuit,
    last_seal_at: Instant,
}

impl<R: ReferenceState> ShardMachine<R> {
    /// A shard that has read nothing, at the inputs given.
    pub(super) fn new(
        settings: ShardSettings,
        state: ShardState<R>,
        inputs: ShardInputs,
        reference: String,
        now: Instant,
    ) -> Self {
        Self {
            live: LiveTime::new(inputs.all.len(), None),
            settings,
            state,
            inputs,
            batch: MicroBatch::default(),
            requests: Vec::new(),
            alerts: Vec::new(),
            clocks: Clocks::new(),
            drained_to: None,
            believed_by_others: None,
            reference,
            circuit: DeadLetterCircuit::default(),
            last_seal_at: now,
        }
    }

    pub(super) fn settings(&self) -> &ShardSettings {
        &self.settings
    }

    /// Where reading begins.
    pub(super) fn starts(&self) -> Vec<Start> {
        self.inputs.starts()
    }

    /// Event time reached by each input: sources read first what is furthest behind.
    pub(super) fn watermarks(&self) -> Vec<TimestampMs> {
        self.inputs.watermarks()
    }

    /// Everything up to the ends that were seen at start has been read.
    pub(super) fn has_reached_stop_offsets(&self) -> bool {
        self.inputs.have_reached_stop_offsets()
    }

    /// Fails where most of what comes cannot be used.
    pub(super) fn check_circuit(&self) -> Result<()> {
        self.circuit
            .check(self.settings.shard, self.settings.dead_letter_stop_ratio)
    }

    /// One record, the end of an input, or other news of one.
    pub(super) fn ingest(&mut self, item: Item) -> Result<()> {
        match item {
            Item::Record(record) => self.ingest_record(&record),
            Item::End {
                input,
                next_offset,
                at,
            } => {
                let live_time = self.live.at(at);
                if let Some(input) = self.inputs.all.get_mut(input) {
                    // Markers and aborted records behind the last record have been read: where they alone are deleted,
                    // nothing is lost.
                    let is_news = !input.is_at_end || next_offset > input.next_offset;
                    self.batch.changes += usize::from(is_news);
                    input.next_offset = input.next_offset.max(next_offset);
                    input.is_at_end = true;
                    input.has_reached_stop_offset = true;
                    input.end_live_time = live_time;
                }
            }
            Item::News { input, news } => self.ingest_news(input, news)?,
        }
        Ok(())
    }

    fn ingest_news(&mut self, input: usize, news: InputNews) -> Result<()> {
        match news {
            InputNews::Appeared(id) => {
                debug_assert_eq!(input, self.inputs.all.len(), "inputs appear in order");
                self.inputs.appear(&self.settings, id)?;
                self.live.add_input();
            }
            // said again with every batch of lines; the next seal holds it
            InputNews::Identified(identity) => {
                self.inputs.all[input].identity = Some(identity);
                return Ok(());
            }
            InputNews::Missing { from, to } => {
                let input = &mut self.inputs.all[input];
                input.next_offset = to;
                let offsets = u64::try_from(to - from).unwrap_or(0);
                input.judge.count_missing(offsets);
            }
        }
        self.batch.changes += 1;
        Ok(())
    }

    fn ingest_record(&mut self, record: &Record) {
        let input = &mut self.inputs.all[record.input];
        input.is_at_end = false;
        input.next_offset = record.offset + 1;
        let has_reached = |stop: i64| record.offset + 1 >= stop;
        input.has_reached_stop_offset |= input.stop_offset.is_some_and(has_reached);
        self.batch.changes += 1;
        let verdict = input.judge.judge(record);
        let limit = input.judge.time().limit().unwrap_or(TimestampMs::MIN);
        let reason = match &verdict {
            Verdict::Dead(rejection) => Some(rejection.reason),
            _ => None,
        };
        self.circuit.count(reason, record.held_bytes());
        if let Verdict::Accepted(event, advance) = &verdict {
            input.report_far_jump(record.offset, event.occurred_at(), *advance);
            // What moves no clock of its partition moves none that follows from its timestamp either (K41).
            if let (Some(timestamp), Advance::Within) = (record.timestamp, advance) {
                self.live
                    .observe(record.input, timestamp, event.recorded_at());
            }
        }
        self.batch
            .add(&self.inputs.all[record.input], record, verdict, limit);
    }

    /// The next seal holds the partial aggregates of this round.
    pub(super) fn request(&mut self, round: u64, window: Window, metrics: Vec<String>) {
        self.requests.push(AggregateRequest {
            round,
            window,
            metrics,
        });
    }

    /// Facts up to this instant are believed from the next seal on.
    pub(super) fn believe(&mut self, until: TimestampMs) {
        self.believed_by_others = self.believed_by_others.max(Some(until));
        self.batch.changes += 1;
    }

    /// Moves event time on to this instant, with the next seal.
    pub(super) fn drain(&mut self, to: TimestampMs) {
        self.drained_to = self.drained_to.max(Some(to));
        self.batch.changes += 1;
    }

    /// Puts other reference data in force, with the next seal.
    pub(super) fn replace_reference(&mut self, version: &str, reference: R) -> Result<()> {
        self.state.replace_reference(reference)?;
        version.clone_into(&mut self.reference);
        self.batch.changes += 1;
        Ok(())
    }

    /// Version of the reference data in force.
    pub(super) fn reference(&self) -> &str {
        &self.reference
    }

    pub(super) fn has_unsealed(&self) -> bool {
        !self.batch.is_empty() || self.has_waiting_alerts()
    }

    /// Whether alerts wait for a seal that has room for them.
    pub(super) fn has_waiting_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }

    /// Whether the micro-batch is to be sealed now.
    pub(super) fn is_seal_due(&self, now: Instant) -> bool {
        let settings = &self.settings;
        let waited = now.saturating_duration_since(self.last_seal_at);
        if !self.requests.is_empty()
            || self.has_waiting_alerts()
            || self.batch.changes >= settings.seal_records
            || self.batch.bytes >= settings.seal_bytes
        {
            return true;
        }
        if !self.batch.is_empty() {
            return waited >= settings.seal_every || self.inputs.are_at_end();
        }
        // Nothing came, but time went on: a timer may be due, a window may have ended.
        let live_time = self.live.at(now);
        let clocks = self.inputs.clocks(&self.clocks, live_time, self.drained_to);
        if clocks == self.clocks {
            return false;
        }
        let furthest = clocks.values().copied().max().max(live_time);
        let passes_timer = self.state.next_timer().is_some_and(|timer| {
            furthest >= Some(timer) && self.clocks.values().any(|&before| before < timer)
        });
        let passes_day = ends_a_day(self.state.zone(), &self.clocks, &clocks);
        ((passes_timer || passes_day) && waited >= settings.seal_every)
            || waited >= settings.heartbeat
    }

    /// What the next record of the log is to hold. The micro-batch goes on empty; its effects are part of the state already,
    /// so a seal that cannot be made durable ends the shard.
    pub(super) async fn seal(&mut self, now: Instant, wall_time: TimestampMs) -> Result<Seal> {
        let live_time = self.live.at(now);
        let clocks = self.inputs.clocks(&self.clocks, live_time, self.drained_to);
        let batches = self.batch.finish_events();
        let effects = self.state.apply(&batches, &clocks, live_time).await?;
        let believed_until = self.inputs.believed_until().max(self.believed_by_others);
        let mut partials = Vec::new();
        for request in std::mem::take(&mut self.requests) {
            let of_metrics = self
                .state
                .aggregate(request.window, &request.metrics)
                .await?;
            for (metric, rows) in of_metrics {
                partials.push(PartialAggregate {
                    round: request.round,
                    window: request.window,
                    metric,
                    rows: to_ipc(&rows)?,
                });
            }
        }
        self.clocks.clone_from(&clocks);
        self.alerts.extend(effects.alerts);
        let rest = self.alerts.split_off(self.alerts.len().min(MAX_PER_SEAL));
        let alerts = std::mem::replace(&mut self.alerts, rest);
        let (dead_letters, late_events) = self.batch.finish_lists();
        self.last_seal_at = now;
        Ok(Seal {
            inputs: self.inputs.seals(),
            clocks,
            live_time,
            delay: self.live.delay(),
            drained_to: self.drained_to,
            reference: self.reference.clone(),
            events: batches
                .iter()
                .map(|(topic, batch)| Ok((*topic, to_ipc(batch)?)))
                .collect::<Result<_>>()?,
            facts: effects
                .facts
                .iter()
                .map(|(name, batch)| Ok((name.clone(), to_ipc(batch)?)))
                .collect::<Result<_>>()?,
            dead_letters,
            late_events,
            orphans: effects.orphans,
            touched: effects.touched,
            last_days: self.state.last_days(believed_until),
            believed_until,
            reference_changed: effects.reference_changed,
            partials,
            alerts,
            sealed_at: wall_time,
        })
    }

    /// The state up to and with the last seal.
    pub(super) fn checkpoint(&self, now: Instant) -> Result<ShardCheckpoint> {
        Ok(ShardCheckpoint {
            inputs: self.inputs.seals(),
            known_ids: self.inputs.known_ids(),
            clocks: self.clocks.clone(),
            live_time: self.live.at(now),
            delay: self.live.delay(),
            drained_to: self.drained_to,
            reference: self.reference.clone(),
            alerts: self.alerts.clone(),
            state: self.state.save()?.into(),
        })
    }
}

/// Whether some clock has reached another local day: windows end there, and the publisher wants to know.
fn ends_a_day(zone: Zone, before: &Clocks, now: &Clocks) -> bool {
    now.iter().any(|(key, &clock)| {
        before
            .get(key)
            .is_none_or(|&last| zone.day_of(last) != zone.day_of(clock))
    })
}
