//! One shard: reads, judges, applies, seals. A thread of its own; no lock shared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use schemas::event::{EventBatchBuilder, Limits, Place, Topic};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::core::{CoreError, ShardCore, clock_key};
use super::process::{WorldError, Worlds};
use super::seal::{
    Answer, Base, Clocks, DeadLetter, InputSeal, LateEvent, SEAL_VERSION, Seal, from_ipc, to_ipc,
};
use crate::alert::{Change, MAX_PER_SEAL};
use crate::columns::Head;
use crate::decode::{Counters, InputJudge, JudgeState, Partitioner, TopicSettings, Verdict};
use crate::history::World;
use crate::log::{Log, LogError, Recovered};
use crate::source::{InputId, Item, Record, Source, SourceError, Start};
use crate::time::{InputTime, LiveTime, Window, clock, wall};

/// What a shard needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct ShardSettings {
    pub shard: u32,
    pub shards: u32,
    /// Partitions of the topic that every shard reads whole.
    pub global_partitions: u32,
    pub topics: Vec<TopicSettings>,
    pub limits: Limits,
    pub partitioner: Partitioner,
    /// Longest time between two seals while there is something to seal.
    pub seal_every: Duration,
    /// Records after which a seal comes early.
    pub seal_records: usize,
    /// Longest time for which a moving clock alone stays unsealed.
    pub quiet_every: Duration,
    /// Seals between two bases.
    pub base_every: u64,
    /// The share of dead letters among the last 10,000 records at which the shard stops.
    pub dead_letter_stop_ratio: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("events cannot be written as columns")]
    Arrow(#[from] ArrowError),
    #[error("a seal cannot be encoded or read")]
    Seal(#[from] postcard::Error),
    #[error(
        "the log of shard={shard} holds seals of version={version}, this program knows version={SEAL_VERSION}: use the program that wrote them"
    )]
    Version { shard: u32, version: u16 },
    #[error(
        "shard={shard} had inputs {sealed} and now has {now}: the number of partitions must not change, nor the names of topics"
    )]
    Inputs {
        shard: u32,
        sealed: String,
        now: String,
    },
    #[error(
        "{share:.0} % of the last {records} records of shard={shard} are dead letters, most recently reason={reason}: stopped before more is passed over; mend the producer, or raise [limits] dead_letter_stop_ratio"
    )]
    Poison {
        shard: u32,
        share: f64,
        records: usize,
        reason: &'static str,
    },
}

/// What the publisher asks of a shard.
#[derive(Clone, Debug)]
pub enum Command {
    /// Run shard.sql of these metrics over a window and answer with the next seal.
    Answer {
        round: u64,
        window: Window,
        metrics: Vec<String>,
    },
    /// Move event time on to this instant as if nothing more came; only once all inputs have ended.
    Drain { to_ms: i64 },
    /// Put this version of the reference data in force with the next seal.
    Reference { version: String },
    /// Seal what there is, write a base and end.
    Stop,
}

/// What a shard tells the publisher.
#[derive(Debug)]
pub enum Report {
    Sealed {
        shard: u32,
        number: u64,
        seal: Arc<Seal>,
    },
    /// Everything up to the ends that were seen at start is in seals up to `number`.
    CaughtUp { shard: u32, number: u64 },
    Ended {
        shard: u32,
        result: Result<(), ShardError>,
    },
}

/// Which version of the reference data is in force, and where others are.
pub struct References<W> {
    pub worlds: Arc<dyn Worlds<W>>,
    pub in_force: String,
    /// To be put in force once the log has been replayed.
    pub wanted: String,
}

impl<W: World> References<W> {
    /// Puts `version` in force; says whether that was a change.
    async fn switch(&mut self, core: &mut ShardCore<W>, version: &str) -> Result<bool, ShardError> {
        if self.in_force == version {
            return Ok(false);
        }
        core.replace_world(self.worlds.world(version).await?)?;
        version.clone_into(&mut self.in_force);
        Ok(true)
    }
}

/// The version that was in force where replay begins.
pub fn first_reference(recovered: &Recovered) -> Result<Option<String>, ShardError> {
    if let Some((_, bytes)) = &recovered.base {
        let base: Base = postcard::from_bytes(bytes)?;
        return Ok(Some(base.reference));
    }
    match recovered.records.first() {
        Some((_, payload)) => {
            let seal: Seal = postcard::from_bytes(payload)?;
            Ok(Some(seal.reference))
        }
        None => Ok(None),
    }
}

/// How many records the stop ratio looks at.
const POISON_WINDOW: usize = 10_000;
const POLL_WAIT: Duration = Duration::from_millis(20);
const POLL_RECORDS: usize = 4_096;

struct Input {
    id: InputId,
    topic: Topic,
    judge: InputJudge,
    next_offset: i64,
    at_end: bool,
    end_live_ms: Option<i64>,
    /// The end seen at start; `None` for files (their end is their end).
    goal: Option<i64>,
    reached_goal: bool,
    accounted: bool,
}

/// A shard with its state taken back, ready to read.
pub struct Shard<W: World> {
    settings: ShardSettings,
    core: ShardCore<W>,
    inputs: Vec<Input>,
    builders: BTreeMap<Topic, EventBatchBuilder>,
    dead_letters: Vec<DeadLetter>,
    late_events: Vec<LateEvent>,
    answers: Vec<(u64, Window, Vec<String>)>,
    /// What is left over from a seal that could not number them all.
    alerts: Vec<Change>,
    unsealed: usize,
    clock_sets: BTreeMap<String, Vec<usize>>,
    clocks: Clocks,
    live: LiveTime,
    drained_to_ms: Option<i64>,
    references: References<W>,
    recent: Recent,
    log: Log,
    last_base: u64,
    last_seal_at: Instant,
    told_caught_up: bool,
    runtime: Handle,
}

/// Dead letters among the last records.
#[derive(Default)]
struct Recent {
    is_dead: std::collections::VecDeque<bool>,
    dead: usize,
}

impl Recent {
    fn push(&mut self, dead: bool) {
        if self.is_dead.len() == POISON_WINDOW && self.is_dead.pop_front() == Some(true) {
            self.dead -= 1;
        }
        self.is_dead.push_back(dead);
        self.dead += usize::from(dead);
    }

    /// Only a full window says something: a few bad records at the start are no bad deploy.
    fn share(&self) -> Option<f64> {
        (self.is_dead.len() == POISON_WINDOW).then(|| self.dead as f64 / POISON_WINDOW as f64)
    }
}

impl<W: World> Shard<W> {
    /// The inputs of a shard: its partition of every keyed topic, all partitions of the others.
    pub fn input_ids(settings: &ShardSettings) -> Vec<(InputId, Topic)> {
        let mut ids = Vec::new();
        for topic in &settings.topics {
            let partitions = match topic.topic.is_keyed() {
                true => settings.shard..settings.shard + 1,
                false => 0..settings.global_partitions,
            };
            for partition in partitions {
                let id = InputId::new(
                    topic.name.clone(),
                    i32::try_from(partition).unwrap_or(i32::MAX),
                );
                ids.push((id, topic.topic));
            }
        }
        ids
    }

    /// Takes back base and records; `goals` are the ends seen at start, per input (`None` for files).
    pub async fn recover(
        settings: ShardSettings,
        mut core: ShardCore<W>,
        log: Log,
        recovered: Recovered,
        goals: Option<&[i64]>,
        mut references: References<W>,
        runtime: Handle,
    ) -> Result<Self, ShardError> {
        let base: Option<Base> = match &recovered.base {
            Some((_, bytes)) => Some(postcard::from_bytes(bytes)?),
            None => None,
        };
        if let Some(base) = &base {
            check_version(settings.shard, base.version)?;
        }
        let ids = Self::input_ids(&settings);
        let states: Vec<JudgeState> = match &base {
            Some(base) => base.judges.clone(),
            None => vec![JudgeState::default(); ids.len()],
        };
        if let Some(base) = &base {
            check_inputs(settings.shard, &base.inputs, &ids)?;
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
            inputs.push(Input {
                accounted: topic.is_keyed() || partition % settings.shards == settings.shard,
                judge: InputJudge::new(
                    of_topic,
                    settings.limits,
                    settings.partitioner,
                    partition,
                    settings.shards,
                    states.get(index).cloned().unwrap_or_default(),
                ),
                next_offset: base
                    .as_ref()
                    .map_or(0, |base| base.inputs[index].next_offset),
                at_end: false,
                end_live_ms: None,
                goal: goals.and_then(|goals| goals.get(index)).copied(),
                reached_goal: false,
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
        if let Some(base) = &base {
            core.load(&base.core, &base.clocks, base.live_ms).await?;
            (clocks, live_ms) = (base.clocks.clone(), base.live_ms);
            (delay_ms, drained_to_ms) = (base.delay_ms, base.drained_to_ms);
        }
        // Changes that found no number in their own seal.
        let mut alerts: Vec<Change> = Vec::new();
        let last_base = recovered.base.as_ref().map_or(0, |(at, _)| at.number);
        for (_, payload) in &recovered.records {
            let seal: Seal = postcard::from_bytes(payload)?;
            check_version(settings.shard, seal.version)?;
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
            clock_sets,
            clocks,
            drained_to_ms,
            references,
            recent: Recent::default(),
            log,
            last_base,
            last_seal_at: wall::monotonic(),
            told_caught_up: false,
            runtime,
        })
    }

    /// Where reading begins.
    pub fn starts(&self) -> Vec<Start> {
        self.inputs
            .iter()
            .map(|input| Start::new(input.id.clone(), input.next_offset))
            .collect()
    }

    /// The instant to which an earlier run drained this shard.
    pub fn drained_to_ms(&self) -> Option<i64> {
        self.drained_to_ms
    }

    pub fn core(&self) -> &ShardCore<W> {
        &self.core
    }

    /// Reads until told to stop. Ends with a seal and a base, or with the error that stopped it.
    pub fn run(
        mut self,
        mut source: Box<dyn Source>,
        commands: &Receiver<Command>,
        reports: &UnboundedSender<Report>,
    ) -> Result<(), ShardError> {
        let result = self.read(source.as_mut(), commands, reports);
        source.close();
        result
    }

    fn read(
        &mut self,
        source: &mut dyn Source,
        commands: &Receiver<Command>,
        reports: &UnboundedSender<Report>,
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
                    Ok(Command::Answer {
                        round,
                        window,
                        metrics,
                    }) => self.answers.push((round, window, metrics)),
                    Ok(Command::Drain { to_ms }) => {
                        self.drained_to_ms = self.drained_to_ms.max(Some(to_ms));
                        self.seal(reports)?;
                    }
                    Ok(Command::Reference { version }) => {
                        let runtime = self.runtime.clone();
                        let switching = self.references.switch(&mut self.core, &version);
                        self.unsealed += usize::from(runtime.block_on(switching)?);
                    }
                    Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                        if self.unsealed > 0 {
                            self.seal(reports)?;
                        }
                        return self.write_base();
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
            self.stop_on_poison()?;
            if self.is_seal_due() {
                self.seal(reports)?;
                self.tell_caught_up(reports);
            }
        }
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Record(record) => self.take_record(&record),
            Item::End { input, at, .. } => {
                let live_ms = self.live.at(at);
                if let Some(input) = self.inputs.get_mut(input) {
                    if !input.at_end {
                        self.unsealed += 1;
                    }
                    input.at_end = true;
                    input.reached_goal = true;
                    input.end_live_ms = live_ms;
                }
            }
        }
    }

    fn take_record(&mut self, record: &Record) {
        let input = &mut self.inputs[record.input];
        input.at_end = false;
        input.next_offset = record.offset + 1;
        input.reached_goal |= input.goal.is_some_and(|goal| input.next_offset >= goal);
        self.unsealed += 1;
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
                        .observe(record.input, timestamp_ms, event.recorded_at_ms());
                }
                let place = Place {
                    partition: input.id.partition,
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
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
                occurred_at_ms: event.occurred_at_ms(),
                recorded_at_ms: event.recorded_at_ms(),
                limit_ms: limit_ms.unwrap_or(i64::MIN),
            }),
            Verdict::Dead(rejection) if input.accounted => {
                let headers = record
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_ref().map(|v| v.to_vec())));
                self.dead_letters.push(DeadLetter {
                    input: input.id.clone(),
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    reason: rejection.reason,
                    path: rejection.path,
                    value: record.payload.as_ref().map(|payload| payload.to_vec()),
                    key: record.key.as_ref().map(|key| key.to_vec()),
                    headers: headers.collect(),
                });
            }
            Verdict::Duplicate | Verdict::TooLate(_) | Verdict::Dead(_) => {}
        }
    }

    fn stop_on_poison(&self) -> Result<(), ShardError> {
        let share = self.recent.share();
        match share.filter(|&share| share >= self.settings.dead_letter_stop_ratio) {
            None => Ok(()),
            Some(share) => Err(ShardError::Poison {
                shard: self.settings.shard,
                share: share * 100.0,
                records: POISON_WINDOW,
                reason: self
                    .dead_letters
                    .last()
                    .map_or("?", |letter| letter.reason.as_str()),
            }),
        }
    }

    /// Clocks never go back.
    fn new_clocks(&self, live_ms: Option<i64>) -> Clocks {
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

    fn is_seal_due(&self) -> bool {
        if !self.answers.is_empty() || self.unsealed >= self.settings.seal_records {
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
        let due = self.core.next_wake_ms().is_some_and(|wake| {
            furthest >= Some(wake) && self.clocks.values().any(|&before| before < wake)
        });
        (due && waited >= self.settings.seal_every) || waited >= self.settings.quiet_every
    }

    fn seal(&mut self, reports: &UnboundedSender<Report>) -> Result<(), ShardError> {
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
                answers.push(Answer {
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
            version: SEAL_VERSION,
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
            world_changed: effects.world_changed,
            answers,
            alerts,
            sealed_at_ms: wall::now_ms(),
        };
        let payload = Bytes::from(postcard::to_stdvec(&seal)?);
        let number = runtime.block_on(self.log.append(payload))?;
        self.unsealed = 0;
        self.last_seal_at = wall::monotonic();
        // The publisher has ended if nobody listens; the next command says so.
        let _ = reports.send(Report::Sealed {
            shard: self.settings.shard,
            number,
            seal: Arc::new(seal),
        });
        if number >= self.last_base + self.settings.base_every {
            self.write_base()?;
        }
        Ok(())
    }

    fn tell_caught_up(&mut self, reports: &UnboundedSender<Report>) {
        if !self.told_caught_up && self.inputs.iter().all(|input| input.reached_goal) {
            self.told_caught_up = true;
            let _ = reports.send(Report::CaughtUp {
                shard: self.settings.shard,
                number: self.log.last().number,
            });
        }
    }

    fn input_seals(&self) -> Vec<InputSeal> {
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

    fn write_base(&mut self) -> Result<(), ShardError> {
        let base = Base {
            version: SEAL_VERSION,
            inputs: self.input_seals(),
            judges: self.inputs.iter().map(|input| input.judge.save()).collect(),
            clocks: self.clocks.clone(),
            live_ms: self.live.now_ms(),
            delay_ms: self.live.delay_ms(),
            drained_to_ms: self.drained_to_ms,
            reference: self.references.in_force.clone(),
            core: self.core.save()?,
        };
        let payload = Bytes::from(postcard::to_stdvec(&base)?);
        let runtime = self.runtime.clone();
        let at = runtime.block_on(self.log.write_base(payload))?;
        self.last_base = at.number;
        Ok(())
    }
}

impl Input {
    fn time(&self, topic: usize) -> InputTime {
        let settings = self.judge.settings();
        InputTime {
            topic,
            highest_ms: self.judge.highest_ms(),
            bound_ms: settings.out_of_orderness_ms,
            idle_after_ms: settings.idle_after_ms,
            at_end: self.at_end,
            end_live_ms: self.end_live_ms,
        }
    }
}

fn check_version(shard: u32, version: u16) -> Result<(), ShardError> {
    match version == SEAL_VERSION {
        true => Ok(()),
        false => Err(ShardError::Version { shard, version }),
    }
}

fn check_inputs(
    shard: u32,
    sealed: &[InputSeal],
    now: &[(InputId, Topic)],
) -> Result<(), ShardError> {
    if sealed
        .iter()
        .map(|seal| &seal.input)
        .eq(now.iter().map(|(id, _)| id))
    {
        return Ok(());
    }
    let join = |ids: &mut dyn Iterator<Item = &InputId>| {
        ids.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    Err(ShardError::Inputs {
        shard,
        sealed: join(&mut sealed.iter().map(|seal| &seal.input)),
        now: join(&mut now.iter().map(|(id, _)| id)),
    })
}

/// Puts offsets, counters and known ids back as a record left them; the events are the caller's to apply.
fn replay(seal: &Seal, inputs: &mut [Input]) -> Result<Vec<(Topic, RecordBatch)>, ShardError> {
    let mut batches = Vec::new();
    for (topic, bytes) in &seal.events {
        for batch in from_ipc(bytes)? {
            let head = Head::of(&batch)?;
            let partitions = crate::columns::int32(&batch, "partition")?;
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

/// Clocks of a set of topics by their names, for the publisher.
pub fn clock_of(clocks: &Clocks, topics: &[String]) -> Option<i64> {
    clocks.get(&clock_key(topics)).copied()
}
