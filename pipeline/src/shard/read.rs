//! Records in: verdicts, builders, lists of what was not accepted.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use schemas::event::{EventBatchBuilder, Place};
use schemas::time::TimestampMs;
use tokio::sync::mpsc::UnboundedSender;

use super::{Shard, ShardCommand, ShardError, ShardReport};
use crate::decode::Verdict;
use crate::history::ReferenceState;
use crate::shard::{DeadLetter, LateEvent};
use crate::source::{Item, Record, Source};

/// How many records the stop ratio looks at.
const CIRCUIT_WINDOW: usize = 10_000;
/// Longest wait for a command while no records come.
pub(super) const POLL_WAIT: Duration = Duration::from_millis(20);
const POLL_RECORDS: usize = 4_096;

/// Dead letters among the last records.
#[derive(Default)]
pub(super) struct DeadLetterCircuit {
    is_dead: VecDeque<bool>,
    dead: usize,
}

impl DeadLetterCircuit {
    pub(super) fn push(&mut self, dead: bool) {
        if self.is_dead.len() == CIRCUIT_WINDOW && self.is_dead.pop_front() == Some(true) {
            self.dead -= 1;
        }
        self.is_dead.push_back(dead);
        self.dead += usize::from(dead);
    }

    /// Only a full window says something: a few bad records at the start are no bad deploy.
    pub(super) fn share(&self) -> Option<f64> {
        (self.is_dead.len() == CIRCUIT_WINDOW).then(|| self.dead as f64 / CIRCUIT_WINDOW as f64)
    }
}

impl<R: ReferenceState> Shard<R> {
    pub(super) fn read(
        &mut self,
        source: &mut dyn Source,
        commands: &Receiver<ShardCommand>,
        reports: &UnboundedSender<ShardReport>,
    ) -> Result<(), ShardError> {
        let mut items = Vec::new();
        let mut busy = false;
        loop {
            let mut next = match busy {
                true => commands.try_recv().map_err(|_| RecvTimeoutError::Timeout),
                false => commands.recv_timeout(POLL_WAIT),
            };
            // All that waits is taken together: one seal answers many rounds.
            loop {
                match next {
                    Ok(ShardCommand::Aggregate {
                        round,
                        window,
                        metrics,
                    }) => self.answers.push((round, window, metrics)),
                    Ok(ShardCommand::Drain { to_ms }) => {
                        self.drained_to_ms = self.drained_to_ms.max(Some(to_ms));
                        self.seal(reports)?;
                    }
                    Ok(ShardCommand::Reference { version }) => {
                        let runtime = self.runtime.clone();
                        let switching = self.references.switch(&mut self.core, &version);
                        self.unsealed += usize::from(runtime.block_on(switching)?);
                    }
                    Ok(ShardCommand::Stop) | Err(RecvTimeoutError::Disconnected) => {
                        if self.unsealed > 0 {
                            self.seal(reports)?;
                        }
                        return self.write_checkpoint();
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                }
                next = commands.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
            let watermarks: Vec<i64> = self
                .inputs
                .iter()
                .map(|input| input.time(0).watermark_ms().unwrap_or(i64::MIN))
                .collect();
            source.poll(Duration::ZERO, POLL_RECORDS, &watermarks, &mut items)?;
            busy = false;
            for item in items.drain(..) {
                busy |= matches!(item, Item::Record(_));
                self.take(item);
            }
            self.check_circuit()?;
            if self.is_seal_due() {
                self.seal(reports)?;
                self.report_caught_up(reports);
            }
        }
    }

    pub(super) fn take(&mut self, item: Item) {
        match item {
            Item::Record(record) => self.take_record(&record),
            Item::End { input, at, .. } => {
                let live_ms = self.live.at(at);
                if let Some(input) = self.inputs.get_mut(input) {
                    if !input.at_end {
                        self.unsealed += 1;
                    }
                    input.at_end = true;
                    input.reached_stop_offset = true;
                    input.end_live_ms = live_ms;
                }
            }
        }
    }

    pub(super) fn take_record(&mut self, record: &Record) {
        let input = &mut self.inputs[record.input];
        input.at_end = false;
        input.next_offset = record.offset + 1;
        input.reached_stop_offset |= input
            .stop_offset
            .is_some_and(|stop_offset| input.next_offset >= stop_offset);
        self.unsealed += 1;
        self.unsealed_bytes += record.payload.as_ref().map_or(0, Bytes::len);
        let limit_ms = input.time(0).highest_ms.map(|highest| {
            let settings = input.judge.settings();
            highest - settings.out_of_orderness_ms - settings.allowed_lateness_ms
        });
        let verdict = input.judge.judge(record);
        self.recent.push(matches!(verdict, Verdict::Dead(_)));
        match verdict {
            Verdict::Accepted(event) => {
                if let Some(timestamp_ms) = record.timestamp_ms {
                    self.live
                        .observe(record.input, timestamp_ms, event.recorded_at().as_ms());
                }
                let place = Place {
                    partition: input.id.partition,
                    offset: record.offset,
                    timestamp: record.timestamp_ms.map(TimestampMs::from_ms),
                };
                self.builders
                    .entry(input.topic)
                    .or_insert_with(|| EventBatchBuilder::new(input.topic))
                    .append(&event, &place);
            }
            Verdict::TooLate(event) if input.accounted => self.late_events.push(LateEvent {
                input: input.id.clone(),
                offset: record.offset,
                event_id: event.event_id().to_owned(),
                event_type: event.event_type().to_owned(),
                scope: event.scope().map(str::to_owned),
                occurred_at_ms: event.occurred_at().as_ms(),
                recorded_at_ms: event.recorded_at().as_ms(),
                limit_ms: limit_ms.unwrap_or(i64::MIN),
            }),
            Verdict::Dead(rejection) if input.accounted => {
                self.dead_letters.push(DeadLetter {
                    input: input.id.clone(),
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    reason: rejection.reason,
                    path: rejection.path,
                    value: record.payload.clone(),
                    key: record.key.clone(),
                    headers: record.headers.clone(),
                });
            }
            Verdict::Duplicate | Verdict::TooLate(_) | Verdict::Dead(_) => {}
        }
    }

    pub(super) fn check_circuit(&self) -> Result<(), ShardError> {
        let share = self.recent.share();
        match share.filter(|&share| share >= self.settings.dead_letter_stop_ratio) {
            None => Ok(()),
            Some(share) => Err(ShardError::CircuitOpen {
                shard: self.settings.shard,
                share: share * 100.0,
                records: CIRCUIT_WINDOW,
                reason: self
                    .dead_letters
                    .last()
                    .map_or("?", |letter| letter.reason.as_str()),
            }),
        }
    }

    pub(super) fn report_caught_up(&mut self, reports: &UnboundedSender<ShardReport>) {
        if !self.reported_caught_up && self.inputs.iter().all(|input| input.reached_stop_offset) {
            self.reported_caught_up = true;
            let _ = reports.send(ShardReport::CaughtUp {
                shard: self.settings.shard,
                number: self.log.last().number,
            });
        }
    }
}
