//! From a log back to a shard that goes on where it ended.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::event::Topic;
use tokio::runtime::Handle;

use super::driver::Shard;
use super::input::ShardInputs;
use super::machine::ShardMachine;
use super::reference::ReferenceStore;
use super::seal::{Seal, ShardCheckpoint, decode_seal, from_ipc};
use super::settings::ShardSettings;
use super::state::ShardState;
use crate::alert::AlertChange;
use crate::columns::EventHead;
use crate::error::{Error, ErrorKind, Result};
use crate::history::ReferenceState;
use crate::log::{CheckpointSchedule, Log, Recovered};
use crate::observe::ShardRestored;
use crate::time::{LiveTime, wall};

/// The version of the reference data that was in force where replay begins; `None` for an empty log.
pub fn first_reference(shard: u32, recovered: &Recovered) -> Result<Option<String>> {
    if let Some(checkpoint) = checkpoint(shard, recovered)? {
        return Ok(Some(checkpoint.reference));
    }
    match recovered.records.first() {
        Some((_, payload)) => Ok(Some(decode_seal(shard, payload)?.reference)),
        None => Ok(None),
    }
}

pub(super) fn checkpoint(shard: u32, recovered: &Recovered) -> Result<Option<ShardCheckpoint>> {
    let Some((_, bytes)) = &recovered.checkpoint else {
        return Ok(None);
    };
    let checkpoint = postcard::from_bytes(bytes).map_err(Error::from_source(
        ErrorKind::Damaged,
        format!("the checkpoint of shard={shard} cannot be read: remove it, an older one and the log serve instead"),
    ))?;
    Ok(Some(checkpoint))
}

/// Which reference data a shard starts with.
pub struct FirstReference<R> {
    pub store: Arc<dyn ReferenceStore<R>>,
    /// In force where replay begins.
    pub version: String,
    /// To be put in force once the log has been replayed.
    pub wanted: String,
}

impl<R: ReferenceState> Shard<R> {
    /// Restores checkpoint and records. `stop_offsets` are the ends seen at start, per input (`None` for files).
    pub async fn restore(
        settings: ShardSettings,
        state: ShardState<R>,
        (log, recovered): (Log, Recovered),
        stop_offsets: Option<&[i64]>,
        references: FirstReference<R>,
        runtime: Handle,
    ) -> Result<Self> {
        let covered = recovered.checkpoint.as_ref().map_or(0, |(at, _)| at.number);
        let checkpoints = CheckpointSchedule::new(settings.checkpoint_every, covered);
        let FirstReference {
            store,
            version,
            wanted,
        } = references;
        let checkpoint = checkpoint(settings.shard, &recovered)?;
        let mut machine =
            ShardMachine::restore(settings, state, checkpoint, stop_offsets, version).await?;
        let mut dead_letter_bytes = 0;
        for (_, payload) in recovered.records {
            dead_letter_bytes += machine.replay(&payload, store.as_ref()).await?;
            // Whoever wants this to end is heard in between.
            tokio::task::yield_now().await;
        }
        let shard = machine.settings.shard;
        ShardRestored { shard }.report();
        // What follows from other reference data is new, and goes out with the first seal.
        if machine.reference() != wanted {
            let reference = store.reference(&wanted).await?;
            machine.replace_reference(&wanted, reference)?;
        }
        Ok(Self {
            machine,
            log,
            checkpoints,
            dead_letter_bytes,
            looked_at: wall::monotonic(),
            references: store,
            runtime,
        })
    }
}

impl<R: ReferenceState> ShardMachine<R> {
    /// The machine as a checkpoint left it, or a new one.
    async fn restore(
        settings: ShardSettings,
        mut state: ShardState<R>,
        checkpoint: Option<ShardCheckpoint>,
        stop_offsets: Option<&[i64]>,
        version: String,
    ) -> Result<Self> {
        let sealed = checkpoint
            .as_ref()
            .map(|checkpoint| (&checkpoint.inputs[..], &checkpoint.known_ids[..]));
        let inputs = ShardInputs::new(&settings, sealed, stop_offsets, state.clock_sets())?;
        let mut alerts = Vec::new();
        if let Some(checkpoint) = &checkpoint {
            let ShardCheckpoint {
                clocks, live_time, ..
            } = checkpoint;
            alerts.clone_from(&checkpoint.alerts);
            alerts.extend(state.load(&checkpoint.state, clocks, *live_time).await?);
        }
        let mut machine = Self::new(settings, state, inputs, version, wall::monotonic());
        machine.alerts = alerts;
        if let Some(checkpoint) = checkpoint {
            machine.clocks = checkpoint.clocks;
            machine.drained_to = checkpoint.drained_to;
            machine.live = LiveTime::new(machine.inputs.all.len(), checkpoint.delay);
        }
        Ok(machine)
    }

    /// Applies a record of the log again; returns the bytes of its dead letters.
    async fn replay(
        &mut self,
        payload: &Bytes,
        references: &dyn ReferenceStore<R>,
    ) -> Result<usize> {
        let seal = decode_seal(self.settings.shard, payload)?;
        let dead_letter_bytes = seal.dead_letter_bytes();
        let batches = replay_inputs(&seal, &mut self.inputs)?;
        if self.reference != seal.reference {
            let reference = references.reference(&seal.reference).await?;
            self.state.replace_reference(reference)?;
            self.reference.clone_from(&seal.reference);
        }
        let effects = self
            .state
            .apply(&batches, &seal.clocks, seal.live_time)
            .await?;
        self.alerts.extend(effects.alerts);
        remove_sealed(&mut self.alerts, &seal.alerts);
        self.clocks = seal.clocks;
        self.drained_to = seal.drained_to;
        self.live = LiveTime::new(self.inputs.all.len(), seal.delay);
        Ok(dead_letter_bytes)
    }
}

/// What has stood in a seal leaves `alerts`. Rules may have come, gone or changed since then, so that places say nothing.
fn remove_sealed(alerts: &mut Vec<AlertChange>, sealed: &[AlertChange]) {
    let mut left: HashMap<_, usize> = HashMap::new();
    for change in sealed {
        *left.entry(change.step()).or_default() += 1;
    }
    alerts.retain(|change| match left.get_mut(&change.step()) {
        Some(times) if *times > 0 => {
            *times -= 1;
            false
        }
        _ => true,
    });
}

/// Puts offsets, counters and known ids back as a record left them; the events are the caller's to apply.
fn replay_inputs(seal: &Seal, inputs: &mut ShardInputs) -> Result<Vec<(Topic, RecordBatch)>> {
    for sealed in &seal.inputs {
        inputs.restore(sealed)?;
    }
    let mut batches = Vec::new();
    for (topic, bytes) in &seal.events {
        for batch in from_ipc(bytes)? {
            let head = EventHead::of(&batch)?;
            for row in 0..batch.num_rows() {
                let (partition, _) = head.place(row);
                let of_row = inputs
                    .all
                    .iter_mut()
                    .filter(|input| input.topic == *topic && input.id.partition == partition);
                for input in of_row {
                    input
                        .judge
                        .remember(head.event_id(row), head.occurred_at(row));
                }
            }
            batches.push((*topic, batch));
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests;
