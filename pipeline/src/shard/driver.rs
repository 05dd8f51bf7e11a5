//! The shard's thread: reads, receives commands of the publisher, seals.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use schemas::time::TimestampMs;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::backlog::{Backlog, backlog_bytes};
use super::machine::ShardMachine;
use super::messages::{ShardCommand, ShardReport};
use super::reference::ReferenceStore;
use super::seal::encode;
use crate::error::Result;
use crate::history::ReferenceState;
use crate::log::{CheckpointSchedule, Log};
use crate::source::{Item, Source, Start};
use crate::time::wall;

/// Longest wait for a command while no records come.
const POLL_WAIT: Duration = Duration::from_millis(20);
const POLL_RECORDS: usize = 4_096;
/// How often a shard that has nothing to seal looks whether its log is still its own: well within the hour after which a silent
/// owner ends.
const CONFIRM_EVERY: Duration = Duration::from_secs(60);

/// A shard with its state restored, ready to read.
pub struct Shard<R: ReferenceState> {
    pub(super) machine: ShardMachine<R>,
    pub(super) log: Log,
    pub(super) checkpoints: CheckpointSchedule,
    /// Of the seals behind the last checkpoint.
    pub(super) dead_letter_bytes: usize,
    /// At the log's end.
    pub(super) looked_at: Instant,
    pub(super) references: Arc<dyn ReferenceStore<R>>,
    pub(super) runtime: Handle,
}

/// The channels of a running shard.
pub struct ShardChannels {
    pub commands: Receiver<ShardCommand>,
    pub reports: UnboundedSender<ShardReport>,
    pub backlog: Arc<Backlog>,
}

impl<R: ReferenceState> Shard<R> {
    /// Where reading begins.
    pub fn starts(&self) -> Vec<Start> {
        self.machine.starts()
    }

    /// The instant to which an earlier run drained this shard.
    pub fn drained_to(&self) -> Option<TimestampMs> {
        self.machine.drained_to
    }

    /// Fails where another owner has claimed the log meanwhile.
    pub async fn confirm(&mut self) -> Result<()> {
        self.log.confirm().await
    }

    /// Reads until a command stops it. Ends with a seal and a checkpoint, or with the error that stopped it.
    pub fn run(mut self, mut source: Box<dyn Source>, channels: &ShardChannels) -> Result<()> {
        let mut items = Vec::new();
        let mut is_busy = false;
        let mut has_reported_caught_up = false;
        loop {
            if self.receives_stop(channels, is_busy)? {
                while self.machine.has_unsealed() {
                    self.seal(channels)?;
                }
                return self.write_checkpoint();
            }
            is_busy = false;
            // A publisher that is behind slows reading; commands and rounds go on.
            if !channels.backlog.is_full() {
                let watermarks = self.machine.watermarks();
                source.poll(POLL_RECORDS, &watermarks, &mut items)?;
                for item in items.drain(..) {
                    is_busy |= matches!(item, Item::Record(_));
                    self.machine.ingest(item)?;
                }
                self.machine.check_circuit()?;
            }
            if self.machine.is_seal_due(wall::monotonic()) {
                self.seal(channels)?;
                if !has_reported_caught_up
                    && self.machine.has_reached_stop_offsets()
                    && !self.machine.has_waiting_alerts()
                {
                    has_reported_caught_up = true;
                    // The publisher has ended if nobody listens; the next command says so.
                    let _ = channels.reports.send(ShardReport::CaughtUp {
                        shard: self.machine.settings().shard,
                        number: self.log.last().number,
                    });
                }
            }
            self.confirm_while_quiet(CONFIRM_EVERY)?;
        }
    }

    /// Looks at the log's end if nothing has been sealed or looked at for so long. A store that does not answer is asked again after the
    /// same time; the log itself ends an owner whom it never answers.
    pub(super) fn confirm_while_quiet(&mut self, every: Duration) -> Result<()> {
        if self.log.unconfirmed_for() < every || self.looked_at.elapsed() < every {
            return Ok(());
        }
        self.looked_at = wall::monotonic();
        match self.runtime.block_on(self.log.confirm()) {
            Err(error) if error.is_retryable() => Ok(()),
            result => result,
        }
    }

    /// Takes all commands that wait: one seal serves many rounds. While nothing is read, waits for one.
    fn receives_stop(&mut self, channels: &ShardChannels, is_busy: bool) -> Result<bool> {
        let mut wait = if is_busy { Duration::ZERO } else { POLL_WAIT };
        loop {
            match channels.commands.recv_timeout(wait) {
                Ok(ShardCommand::Aggregate {
                    round,
                    window,
                    metrics,
                }) => self.machine.request(round, window, metrics),
                Ok(ShardCommand::Believe { until }) => {
                    self.machine.believe(until);
                    self.seal(channels)?;
                }
                Ok(ShardCommand::Drain { to }) => {
                    self.machine.drain(to);
                    self.seal(channels)?;
                }
                Ok(ShardCommand::Reference { version }) => self.switch_reference(&version)?,
                Ok(ShardCommand::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(true),
                Err(RecvTimeoutError::Timeout) => return Ok(false),
            }
            wait = Duration::ZERO;
        }
    }

    fn switch_reference(&mut self, version: &str) -> Result<()> {
        if self.machine.reference() == version {
            return Ok(());
        }
        let reference = self.runtime.block_on(self.references.reference(version))?;
        self.machine.replace_reference(version, reference)
    }

    fn seal(&mut self, channels: &ShardChannels) -> Result<()> {
        let runtime = self.runtime.clone();
        let sealing = self.machine.seal(wall::monotonic(), wall::now());
        let seal = runtime.block_on(sealing)?;
        let payload = encode(&seal)?;
        let bytes = backlog_bytes(payload.len(), &seal);
        self.dead_letter_bytes += seal.dead_letter_bytes();
        let number = runtime.block_on(self.log.append(payload))?;
        channels.backlog.add(bytes);
        // The publisher has ended if nobody listens; the next command says so.
        let _ = channels.reports.send(ShardReport::Sealed {
            shard: self.machine.settings().shard,
            number,
            seal: Arc::new(seal),
            bytes,
        });
        let limit = self.machine.settings().checkpoint_dead_letter_bytes;
        if self.checkpoints.is_due(number) || self.dead_letter_bytes >= limit {
            self.write_checkpoint()?;
        }
        Ok(())
    }

    fn write_checkpoint(&mut self) -> Result<()> {
        let payload = encode(&self.machine.checkpoint(wall::monotonic())?)?;
        let is_written = self.runtime.block_on(self.log.write_checkpoint(payload))?;
        self.checkpoints.tried(self.log.last().number, is_written);
        // After one that failed the schedule says when to try again.
        self.dead_letter_bytes = 0;
        Ok(())
    }
}
