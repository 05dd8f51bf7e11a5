//! The inputs of a shard: where each stands, what it has counted, how far its time has come.

use std::collections::BTreeSet;

use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;

use super::seal::{Clocks, InputSeal};
use super::settings::ShardSettings;
use crate::decode::{InputJudge, JudgeState, SavedIds};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::TopicPartition;
use crate::observe::{FarJump, FarJumpWitnessed};
use crate::source::{InputIdentity, Start};
use crate::time::{Advance, InputTime, clock};

/// One input partition.
pub(super) struct ShardInput {
    pub id: TopicPartition,
    pub topic: Topic,
    pub judge: InputJudge,
    pub next_offset: i64,
    /// What was read below `next_offset`; `None` before the source or a seal has said so.
    pub identity: Option<InputIdentity>,
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

    /// Puts offset, event time and counters back as a seal left them.
    fn restore(&mut self, seal: &InputSeal) {
        self.next_offset = seal.next_offset;
        self.identity = Some(seal.identity);
        self.judge.restore(&seal.time, seal.counters);
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
    /// files). Fails where the checkpoint has inputs that are not there any more.
    pub(super) fn new(
        settings: &ShardSettings,
        sealed: Option<(&[InputSeal], &[SavedIds])>,
        stop_offsets: Option<&[i64]>,
        clock_sets: BTreeSet<TopicSet>,
    ) -> Result<Self> {
        let mut inputs = Self {
            all: Vec::new(),
            clock_sets,
        };
        for (index, (id, _)) in settings.topic_partitions().into_iter().enumerate() {
            let stop_offset = stop_offsets.and_then(|ends| ends.get(index)).copied();
            let known = sealed.and_then(|(seals, known_ids)| {
                let index = seals.iter().position(|seal| seal.input == id)?;
                known_ids.get(index).cloned()
            });
            inputs.add(settings, id, stop_offset, known.unwrap_or_default())?;
        }
        for seal in sealed.map_or(&[][..], |(seals, _)| seals) {
            inputs.restore(seal)?;
        }
        Ok(inputs)
    }

    /// One more input, at its beginning.
    fn add(
        &mut self,
        settings: &ShardSettings,
        id: TopicPartition,
        stop_offset: Option<i64>,
        known: SavedIds,
    ) -> Result<()> {
        let mut topics = settings.topics.iter();
        let of_topic = topics.find(|topic| topic.name == id.topic).ok_or_else(|| {
            let message = format!("input={id} belongs to no topic");
            Error::new(ErrorKind::Internal, message)
        })?;
        let topic = of_topic.topic;
        let partition = u32::try_from(id.partition).unwrap_or(0);
        self.all.push(ShardInput {
            is_accounted: topic.is_keyed() || partition % settings.shards == settings.shard,
            judge: InputJudge::new(
                of_topic.clone(),
                settings.limits,
                settings.partitioner,
                partition,
                settings.shards,
                JudgeState {
                    known,
                    ..JudgeState::default()
                },
            ),
            next_offset: 0,
            identity: None,
            is_at_end: false,
            end_live_time: None,
            stop_offset,
            has_reached_stop_offset: false,
            id,
            topic,
        });
        Ok(())
    }

    /// A partition that has appeared since the start. Nobody waits for its end: it was not there when ends were asked for.
    pub(super) fn appear(&mut self, settings: &ShardSettings, id: TopicPartition) -> Result<()> {
        self.add(settings, id, None, SavedIds::new())?;
        if let Some(input) = self.all.last_mut() {
            input.has_reached_stop_offset = true;
        }
        Ok(())
    }

    /// Puts one of them back as a seal left it. One that is gone and of which nothing was read is not missed.
    pub(super) fn restore(&mut self, seal: &InputSeal) -> Result<()> {
        let mut inputs = self.all.iter_mut();
        match inputs.find(|input| input.id == seal.input) {
            Some(input) => input.restore(seal),
            None if seal.next_offset == 0 => {}
            None => return Err(is_gone(seal)),
        }
        Ok(())
    }

    /// Where reading begins.
    pub(super) fn starts(&self) -> Vec<Start> {
        let starts = self.all.iter();
        starts
            .map(|input| Start {
                input: input.id.clone(),
                offset: input.next_offset,
                sealed: input.identity,
            })
            .collect()
    }

    /// Event time reached by each input; [`TimestampMs::MIN`] before its first record.
    pub(super) fn watermarks(&self) -> Vec<TimestampMs> {
        let inputs = self.all.iter();
        inputs
            .map(|input| input.time().watermark().unwrap_or(TimestampMs::MIN))
            .collect()
    }

    /// How far ahead facts may lie for the inputs of this shard to show that event time comes there: `max_jump` beyond the highest
    /// `occurred_at` of one of them (K41).
    pub(super) fn believed_until(&self) -> Option<TimestampMs> {
        let times = self.all.iter().map(ShardInput::time);
        times
            .filter_map(|time| Some(time.highest? + time.settings.max_jump))
            .max()
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
                identity: input.identity.unwrap_or_default(),
                time: input.judge.time().clone(),
                at_end: input.is_at_end,
                counters: input.judge.counters(),
                accounted: input.is_accounted,
            }
        });
        inputs.collect()
    }

    /// Of each input, in the order of [`ShardInputs::seals`].
    pub(super) fn known_ids(&self) -> Vec<SavedIds> {
        let inputs = self.all.iter();
        inputs.map(|input| input.judge.saved_ids()).collect()
    }

    pub(super) fn are_at_end(&self) -> bool {
        self.all.iter().all(|input| input.is_at_end)
    }

    pub(super) fn have_reached_stop_offsets(&self) -> bool {
        self.all.iter().all(|input| input.has_reached_stop_offset)
    }
}

/// The number of partitions of customer topics and the names of topics have been compared before (K38): what is left are
/// partitions of the global topic.
fn is_gone(seal: &InputSeal) -> Error {
    let InputSeal {
        input, next_offset, ..
    } = seal;
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "an input that was read is not there any more input={input} read_offsets={next_offset}: was the topic created anew with \
             fewer partitions, or its event file removed? Put it back, or replay into a new storage"
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
