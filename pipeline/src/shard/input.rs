//! The inputs of a shard: where each stands, what it has counted, how far its time has come.

use std::collections::BTreeSet;

use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;

use super::seal::{Clocks, InputSeal};
use super::settings::ShardSettings;
use crate::decode::{InputJudge, JudgeState};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::TopicPartition;
use crate::observe::{FarJump, FarJumpWitnessed};
use crate::source::Start;
use crate::time::{Advance, InputTime, clock};

/// One input partition.
pub(super) struct ShardInput {
    pub id: TopicPartition,
    pub topic: Topic,
    pub judge: InputJudge,
    pub next_offset: i64,
    pub is_at_end: bool,
    /// Live time of its last end-of-partition event; files have none.
    pub end_live_time: Option<TimestampMs>,
    /// The end seen at start; `None` for files (their end is their end).
    pub stop_offset: Option<i64>,
    pub has_reached_stop_offset: bool,
    /// Whether this shard accounts for its records; those of a global topic are divided among the shards.
    pub is_accounted: bool,
}

impl ShardInput {
    pub(super) fn time(&self) -> InputTime {
        let settings = self.judge.settings();
        InputTime {
            topic: settings.topic,
            settings: settings.time,
            highest: self.judge.time().highest(),
            at_end: self.is_at_end,
            end_live_time: self.end_live_time,
        }
    }

    /// Says that an accepted event lies too far ahead to move time, or that a second one has moved it (K41).
    pub(super) fn report_far_jump(&self, offset: i64, occurred_at: TimestampMs, advance: Advance) {
        let Some(highest) = self.judge.time().highest().filter(|_| self.is_accounted) else {
            return;
        };
        let input = &self.id;
        match advance {
            Advance::Within | Advance::Pending { is_first: false } => {}
            Advance::Pending { is_first: true } => FarJump {
                input,
                offset,
                occurred_at,
                highest,
            }
            .report(),
            Advance::Witnessed => FarJumpWitnessed {
                input,
                offset,
                highest,
            }
            .report(),
        }
    }
}

/// All inputs of a shard, and the sets of topics that have a clock.
pub(super) struct ShardInputs {
    pub all: Vec<ShardInput>,
    clock_sets: BTreeSet<TopicSet>,
}

impl ShardInputs {
    /// The inputs as a checkpoint left them, or at their beginning. `stop_offsets` are the ends seen at start (`None` for
    /// files). Fails where the checkpoint was made with other inputs.
    pub(super) fn new(
        settings: &ShardSettings,
        sealed: Option<(&[InputSeal], &[JudgeState])>,
        stop_offsets: Option<&[i64]>,
        clock_sets: BTreeSet<TopicSet>,
    ) -> Result<Self> {
        let ids = settings.topic_partitions();
        if let Some((inputs, _)) = sealed {
            check_inputs(settings.shard, inputs, &ids)?;
        }
        let mut all = Vec::with_capacity(ids.len());
        for (index, (id, topic)) in ids.into_iter().enumerate() {
            let mut topics = settings.topics.iter();
            let Some(of_topic) = topics.find(|other| other.topic == topic) else {
                continue;
            };
            let partition = u32::try_from(id.partition).unwrap_or(0);
            let state = sealed.and_then(|(_, judges)| judges.get(index).cloned());
            all.push(ShardInput {
                is_accounted: topic.is_keyed() || partition % settings.shards == settings.shard,
                judge: InputJudge::new(
                    of_topic.clone(),
                    settings.limits,
                    settings.partitioner,
                    partition,
                    settings.shards,
                    state.unwrap_or_default(),
                ),
                next_offset: sealed.map_or(0, |(inputs, _)| inputs[index].next_offset),
                is_at_end: false,
                end_live_time: None,
                stop_offset: stop_offsets.and_then(|ends| ends.get(index)).copied(),
                has_reached_stop_offset: false,
                id,
                topic,
            });
        }
        Ok(Self { all, clock_sets })
    }

    /// Where reading begins.
    pub(super) fn starts(&self) -> Vec<Start> {
        let starts = self.all.iter();
        starts
            .map(|input| Start::new(input.id.clone(), input.next_offset))
            .collect()
    }

    /// Event time reached by each input; [`TimestampMs::MIN`] before its first record.
    pub(super) fn watermarks(&self) -> Vec<TimestampMs> {
        let inputs = self.all.iter();
        inputs
            .map(|input| input.time().watermark().unwrap_or(TimestampMs::MIN))
            .collect()
    }

    /// Clocks as they stand now; none goes back behind `before`, nor behind the instant of a drain.
    pub(super) fn clocks(
        &self,
        before: &Clocks,
        live_time: Option<TimestampMs>,
        drained_to: Option<TimestampMs>,
    ) -> Clocks {
        let times: Vec<InputTime> = self.all.iter().map(ShardInput::time).collect();
        let mut clocks = before.clone();
        for &topics in &self.clock_sets {
            if let Some(reached) = clock(&times, topics, live_time).max(drained_to) {
                let latest = clocks.entry(topics).or_insert(reached);
                *latest = (*latest).max(reached);
            }
        }
        clocks
    }

    pub(super) fn seals(&self) -> Vec<InputSeal> {
        let inputs = self.all.iter().map(|input| {
            debug_assert!(input.judge.counters().is_conserved());
            InputSeal {
                input: input.id.clone(),
                next_offset: input.next_offset,
                time: input.judge.time().clone(),
                at_end: input.is_at_end,
                counters: input.judge.counters(),
                accounted: input.is_accounted,
            }
        });
        inputs.collect()
    }

    pub(super) fn judges(&self) -> Vec<JudgeState> {
        self.all.iter().map(|input| input.judge.save()).collect()
    }

    pub(super) fn are_at_end(&self) -> bool {
        self.all.iter().all(|input| input.is_at_end)
    }

    pub(super) fn have_reached_stop_offsets(&self) -> bool {
        self.all.iter().all(|input| input.has_reached_stop_offset)
    }
}

fn check_inputs(shard: u32, sealed: &[InputSeal], now: &[(TopicPartition, Topic)]) -> Result<()> {
    let before = sealed.iter().map(|seal| &seal.input);
    if before.clone().eq(now.iter().map(|(id, _)| id)) {
        return Ok(());
    }
    let join = |ids: Vec<String>| ids.join(", ");
    let (before, now) = (
        join(before.map(ToString::to_string).collect()),
        join(now.iter().map(|(id, _)| id.to_string()).collect()),
    );
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "shard={shard} had inputs {before} and now has {now}: the number of partitions must not change, nor the names of topics"
        ),
    ))
}
