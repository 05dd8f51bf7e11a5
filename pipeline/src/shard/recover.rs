//! From a log back to a state that goes on where it ended.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use schemas::event::Topic;
use tokio::runtime::Handle;

use super::read::DeadLetterCircuit;
use super::{Shard, ShardError, ShardInput, ShardSettings};
use crate::alert::AlertChange;
use crate::columns::{EventHead, int32};
use crate::decode::{Counters, InputJudge, JudgeState};
use crate::history::ReferenceState;
use crate::kafka::TopicPartition;
use crate::log::{Log, Recovered};
use crate::shard::ReferenceVersions;
use crate::shard::ShardState;
use crate::shard::{Clocks, InputSeal, Seal, ShardCheckpoint, from_ipc};
use crate::time::{LiveTime, wall};

/// The version that was in force where replay begins.
pub fn first_reference(recovered: &Recovered) -> Result<Option<String>, ShardError> {
    if let Some((_, bytes)) = &recovered.checkpoint {
        let checkpoint: ShardCheckpoint = postcard::from_bytes(bytes)?;
        return Ok(Some(checkpoint.reference));
    }
    match recovered.records.first() {
        Some((_, payload)) => {
            let seal: Seal = postcard::from_bytes(payload)?;
            Ok(Some(seal.reference))
        }
        None => Ok(None),
    }
}

impl<R: ReferenceState> Shard<R> {
    /// Takes back checkpoint and records; `stop_offsets` are the ends seen at start, per input (`None` for files).
    pub async fn recover(
        settings: ShardSettings,
        mut core: ShardState<R>,
        log: Log,
        recovered: Recovered,
        stop_offsets: Option<&[i64]>,
        mut references: ReferenceVersions<R>,
        runtime: Handle,
    ) -> Result<Self, ShardError> {
        let checkpoint: Option<ShardCheckpoint> = match &recovered.checkpoint {
            Some((_, bytes)) => Some(postcard::from_bytes(bytes)?),
            None => None,
        };
        let ids = Self::topic_partitions(&settings);
        let states: Vec<JudgeState> = match &checkpoint {
            Some(checkpoint) => checkpoint.judges.clone(),
            None => vec![JudgeState::default(); ids.len()],
        };
        if let Some(checkpoint) = &checkpoint {
            check_inputs(settings.shard, &checkpoint.inputs, &ids)?;
        }
        let mut inputs = Vec::with_capacity(ids.len());
        for (index, (id, topic)) in ids.into_iter().enumerate() {
            let of_topic = settings
                .topics
                .iter()
                .find(|other| other.topic == topic)
                .cloned()
                .unwrap_or_else(|| settings.topics[0].clone());
            let partition = u32::try_from(id.partition).unwrap_or(0);
            inputs.push(ShardInput {
                accounted: topic.is_keyed() || partition % settings.shards == settings.shard,
                judge: InputJudge::new(
                    of_topic,
                    settings.limits,
                    settings.partitioner,
                    partition,
                    settings.shards,
                    states.get(index).cloned().unwrap_or_default(),
                ),
                next_offset: checkpoint
                    .as_ref()
                    .map_or(0, |checkpoint| checkpoint.inputs[index].next_offset),
                at_end: false,
                end_live_ms: None,
                stop_offset: stop_offsets
                    .and_then(|stop_offsets| stop_offsets.get(index))
                    .copied(),
                reached_stop_offset: false,
                id,
                topic,
            });
        }
        let names: Vec<&str> = settings.topics.iter().map(|t| t.topic.name()).collect();
        let clock_sets = core
            .clock_sets()
            .into_iter()
            .map(|(key, topics)| {
                let indices = topics
                    .iter()
                    .filter_map(|topic| names.iter().position(|name| name == topic))
                    .collect();
                (key, indices)
            })
            .collect();
        let (mut clocks, mut live_ms, mut delay_ms, mut drained_to_ms) =
            (Clocks::new(), None, None, None);
        if let Some(checkpoint) = &checkpoint {
            core.load(&checkpoint.core, &checkpoint.clocks, checkpoint.live_ms)
                .await?;
            (clocks, live_ms) = (checkpoint.clocks.clone(), checkpoint.live_ms);
            (delay_ms, drained_to_ms) = (checkpoint.delay_ms, checkpoint.drained_to_ms);
        }
        // Changes that found no number in their own seal.
        let mut alerts: Vec<AlertChange> = Vec::new();
        let last_checkpoint = recovered.checkpoint.as_ref().map_or(0, |(at, _)| at.number);
        for (_, payload) in &recovered.records {
            let seal: Seal = postcard::from_bytes(payload)?;
            let batches = replay(&seal, &mut inputs)?;
            references.switch(&mut core, &seal.reference).await?;
            let effects = core.apply(&batches, &seal.clocks, seal.live_ms).await?;
            alerts.extend(effects.alerts);
            alerts.drain(..alerts.len().min(seal.alerts.len()));
            (clocks, live_ms) = (seal.clocks, seal.live_ms);
            (delay_ms, drained_to_ms) = (seal.delay_ms, seal.drained_to_ms);
        }
        tracing::debug!(shard = settings.shard, ?live_ms, "shard state taken back");
        let wanted = references.wanted.clone();
        // What follows from other reference data is news, and goes out with the first seal.
        let switched = references.switch(&mut core, &wanted).await?;
        Ok(Self {
            live: LiveTime::new(inputs.len(), delay_ms),
            settings,
            core,
            inputs,
            builders: BTreeMap::new(),
            dead_letters: Vec::new(),
            late_events: Vec::new(),
            answers: Vec::new(),
            alerts,
            unsealed: usize::from(switched),
            unsealed_bytes: 0,
            clock_sets,
            clocks,
            drained_to_ms,
            references,
            recent: DeadLetterCircuit::default(),
            log,
            last_checkpoint,
            last_seal_at: wall::monotonic(),
            reported_caught_up: false,
            runtime,
        })
    }
}

fn check_inputs(
    shard: u32,
    sealed: &[InputSeal],
    now: &[(TopicPartition, Topic)],
) -> Result<(), ShardError> {
    if sealed
        .iter()
        .map(|seal| &seal.input)
        .eq(now.iter().map(|(id, _)| id))
    {
        return Ok(());
    }
    let join = |ids: &mut dyn Iterator<Item = &TopicPartition>| {
        ids.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    Err(ShardError::Inputs {
        shard,
        sealed: join(&mut sealed.iter().map(|seal| &seal.input)),
        now: join(&mut now.iter().map(|(id, _)| id)),
    })
}

/// Puts offsets, counters and known ids back as a record left them; the events are the caller's to apply.
fn replay(seal: &Seal, inputs: &mut [ShardInput]) -> Result<Vec<(Topic, RecordBatch)>, ShardError> {
    let mut batches = Vec::new();
    for (topic, bytes) in &seal.events {
        for batch in from_ipc(bytes)? {
            let head = EventHead::of(&batch)?;
            let partitions = int32(&batch, "partition")?;
            for row in 0..batch.num_rows() {
                let partition = partitions.value(row);
                for input in inputs
                    .iter_mut()
                    .filter(|input| input.topic == *topic && input.id.partition == partition)
                {
                    input
                        .judge
                        .remember(head.event_id(row), head.occurred_at_ms(row));
                }
            }
            batches.push((*topic, batch));
        }
    }
    for (input, sealed) in inputs.iter_mut().zip(&seal.inputs) {
        input.next_offset = sealed.next_offset;
        let counters: Counters = sealed.counters;
        input.judge.set_counters(counters);
    }
    Ok(batches)
}
