//! A publisher that lives, dies and comes back over what survives it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::event::{Reason, Topic};
use schemas::time::{DurationMs, TimestampMs};

use super::super::{Machine, MachineParts};
use crate::decode::{Counters, Partitioner, TopicSettings};
use crate::kafka::TopicPartition;
use crate::publisher::assemble::TableRows;
use crate::publisher::event::{
    MetricRows, Now, PublisherAction, PublisherEvent, RoundInput, RoundRequest, RoundRows,
    SealedRecord,
};
use crate::publisher::record::{PublisherCheckpoint, PublisherRecord, encode};
use crate::publisher::settings::PublisherSettings;
use crate::round::{Metric, row_schema};
use crate::shard::{DeadLetter, InputSeal, PartialAggregate, Seal, from_ipc, to_ipc};
use crate::source::InputIdentity;
use crate::table::{StagedFile, TableChanges, TableVersion};
use crate::time::fixture::{at, ms};
use crate::time::{PartitionTime, TopicTime, Window, WindowKind, Zone, wall};

pub(super) const ZONE: Zone = Zone(chrono_tz::UTC);
pub(super) const SHARDS: u32 = 2;

/// What survives a crash: the publisher's log, the tables' commits, the shards' logs.
#[derive(Default)]
pub(super) struct Durable {
    pub(super) log: Vec<(u64, Bytes)>,
    /// Table → epoch → rows, as staged files of that commit hold them.
    pub(super) commits: BTreeMap<String, BTreeMap<i64, Vec<String>>>,
    /// Staged files by tag: what a commit makes visible.
    pub(super) staged: BTreeMap<String, Vec<String>>,
    pub(super) shards: BTreeMap<u32, Vec<Seal>>,
    pub(super) crashes: usize,
}

/// One life of a publisher; it dies at the crash point of that number, counted over all lives.
pub(super) struct Life<'d> {
    pub(super) durable: &'d mut Durable,
    pub(super) machine: Machine,
    pub(super) point: usize,
    pub(super) dies_at: Option<usize>,
    pub(super) now: Now,
    /// What shards seal while an epoch is being made, one at each of its steps.
    pub(super) meanwhile: Vec<(u32, Seal)>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Died;

pub(super) fn metric() -> Metric {
    let fields = [
        ("sku", DataType::Utf8),
        ("n", DataType::Int64),
        ("window_kind", DataType::Utf8),
        ("window_date", DataType::Date32),
    ];
    let fields = fields.map(|(name, kind)| Field::new(name, kind, false));
    Metric {
        name: "demand".to_owned(),
        title: "demand".to_owned(),
        facts: None,
        windows: vec![WindowKind::D1, WindowKind::W1],
        clock: Topic::Orders.into(),
        look_back_days: 0,
        look_ahead_days: 0,
        stream: None,
        shard: None,
        public: None,
        reads_panes: BTreeSet::from(["demand".to_owned()]),
        reads_rows: BTreeSet::new(),
        reads_as_of: false,
        table: Arc::new(Schema::new(fields.to_vec())),
        dimensions: vec!["sku".to_owned()],
    }
}

pub(super) fn parts() -> MachineParts {
    let mut schemas: BTreeMap<String, SchemaRef> = schemas::table::all_tables()
        .into_iter()
        .filter(|table| table.schema_name == "ops")
        .map(|table| (format!("ops.{}", table.name), table.schema.clone()))
        .collect();
    schemas.insert("metrics.demand".to_owned(), metric().table);
    let versions = schemas
        .keys()
        .map(|table| (table.clone(), TableVersion::default()))
        .collect();
    MachineParts {
        settings: PublisherSettings {
            zone: ZONE,
            shards: SHARDS,
            partitioner: Partitioner::Murmur2,
            interval: Duration::from_secs(10),
            revise_every: Duration::from_secs(300),
            heartbeat: Duration::from_secs(60),
            topics: vec![TopicSettings {
                topic: Topic::Orders,
                name: "orders.v1".to_owned(),
                time: TopicTime {
                    out_of_orderness: DurationMs::MINUTE,
                    allowed_lateness: DurationMs::DAY,
                    idle_after: DurationMs::MINUTE,
                    max_jump: DurationMs::from_days(31),
                },
            }],
            rules: Vec::new(),
            checkpoint_every: 128,
            early_bytes: 1 << 20,
        },
        metrics: Arc::new(vec![metric()]),
        schemas,
        feed: None,
        sends_records: true,
        rules: Vec::new(),
        versions,
    }
}

/// A seal of `read` records so far, the last of them rejected, with the clock of orders at `clock`.
pub(super) fn seal(shard: u32, read: u64, clock: TimestampMs, touches: bool) -> Seal {
    let input = TopicPartition::new("orders.v1", shard.cast_signed());
    let letter = DeadLetter {
        input: input.clone(),
        offset: read.cast_signed() - 1,
        timestamp: None,
        reason: Reason::MalformedJson,
        path: String::new(),
        value: Some("{".into()),
        value_bytes: 1,
        key: None,
        headers: Vec::new(),
    };
    let day = ZONE.day_of(at(0));
    let mut seal = quiet(shard, read, clock);
    seal.dead_letters = vec![letter];
    if touches {
        seal.touched = [("demand".to_owned(), vec![day])].into();
    }
    seal.last_days = [("demand".to_owned(), day)].into();
    seal
}

/// A seal that says only how far time has come.
pub(super) fn quiet(shard: u32, read: u64, clock: TimestampMs) -> Seal {
    Seal {
        inputs: vec![InputSeal {
            input: TopicPartition::new("orders.v1", shard.cast_signed()),
            next_offset: read.cast_signed(),
            identity: InputIdentity::Unknown,
            time: PartitionTime::default(),
            at_end: true,
            counters: Counters {
                read,
                dead: read,
                ..Counters::default()
            },
            accounted: true,
        }],
        clocks: [(Topic::Orders.into(), clock)].into(),
        live_time: None,
        delay: None,
        drained_to: None,
        reference: "r".to_owned(),
        events: Vec::new(),
        facts: Vec::new(),
        dead_letters: Vec::new(),
        late_events: Vec::new(),
        orphans: Vec::new(),
        touched: BTreeMap::new(),
        believed_until: Some(clock),
        last_days: BTreeMap::new(),
        reference_changed: false,
        partials: Vec::new(),
        alerts: Vec::new(),
        sealed_at: clock,
    }
}

pub(super) fn rows(of: &[(&str, i64)]) -> RecordBatch {
    let names = StringArray::from_iter_values(of.iter().map(|(name, _)| name));
    let counts = Int64Array::from_iter_values(of.iter().map(|(_, n)| *n));
    let schema = row_schema(&metric());
    RecordBatch::try_new(schema, vec![Arc::new(names), Arc::new(counts)]).unwrap()
}

impl<'d> Life<'d> {
    pub(super) fn begin(durable: &'d mut Durable, point: usize, dies_at: Option<usize>) -> Self {
        let now = Now {
            monotonic: wall::monotonic() + Duration::from_secs(3_600 * durable.crashes as u64),
            wall_time: at(1_000),
        };
        let next = durable.log.last().map_or(1, |(number, _)| number + 1);
        let checkpoint = PublisherCheckpoint::default();
        let mut parts = parts();
        for (table, commits) in &durable.commits {
            let version = TableVersion::numbered(commits.len() as i64);
            parts.versions.insert(table.clone(), version);
        }
        let mut machine = Machine::restore(parts, checkpoint, &durable.log, next, now).unwrap();
        machine.set_has_shards(true);
        let mut life = Self {
            durable,
            machine,
            point,
            dies_at,
            now,
            meanwhile: Vec::new(),
        };
        life.read_shards();
        life
    }

    /// Feeds what the shards have sealed behind what is ingested.
    pub(super) fn read_shards(&mut self) {
        for shard in 0..SHARDS {
            let from = self.machine.ingested(shard);
            let seals = self.durable.shards.get(&shard).cloned().unwrap_or_default();
            for (number, seal) in (1..).zip(seals).filter(|(number, _)| *number > from) {
                self.sealed(shard, number, seal);
            }
        }
    }

    pub(super) fn sealed(&mut self, shard: u32, number: u64, seal: Seal) {
        let sealed = SealedRecord {
            shard,
            number,
            seal: Arc::new(seal),
            bytes: 100,
        };
        self.machine
            .apply(PublisherEvent::Sealed(sealed), self.now)
            .unwrap();
    }

    /// A shard's log gets one more seal.
    pub(super) fn append(&mut self, shard: u32, seal: Seal) {
        let log = self.durable.shards.entry(shard).or_default();
        log.push(seal.clone());
        let number = log.len() as u64;
        self.sealed(shard, number, seal);
    }

    /// A moment at which the process may die.
    pub(super) fn may_die(&mut self) -> Result<(), Died> {
        self.point += 1;
        if Some(self.point) == self.dies_at {
            return Err(Died);
        }
        Ok(())
    }

    /// Acts until there is nothing to do but wait, with time going on by an interval.
    pub(super) fn settle(&mut self) -> Result<(), Died> {
        self.now.monotonic += Duration::from_secs(10);
        self.now.wall_time += ms(10_000);
        loop {
            let action = self.machine.next(self.now).unwrap();
            let event = match action {
                PublisherAction::Wait => return Ok(()),
                PublisherAction::Ask(requests) => {
                    self.answer(&requests);
                    self.go_on();
                    continue;
                }
                PublisherAction::Compute { rounds, .. } => PublisherEvent::Computed {
                    rounds: compute(rounds),
                    flags: None,
                },
                PublisherAction::Stage { epoch, rows, .. } => {
                    self.go_on();
                    self.may_die()?;
                    let tables = self.stage(epoch, &rows);
                    PublisherEvent::Staged {
                        tables,
                        records: None,
                    }
                }
                PublisherAction::SealIntent(intent) => {
                    self.may_die()?;
                    let record = PublisherRecord::Intent(intent);
                    PublisherEvent::IntentSealed {
                        number: self.log(&record),
                    }
                }
                PublisherAction::Commit {
                    table,
                    epoch,
                    changes,
                } => {
                    self.may_die()?;
                    let commits = self.durable.commits.entry(table.clone()).or_default();
                    let files = changes.add.iter().flat_map(|file| {
                        let staged = self.durable.staged.get(&file.path);
                        staged.expect("what is committed has been staged").clone()
                    });
                    // A table whose last epoch is this one or later is left alone, as a real commit does.
                    if commits
                        .last_key_value()
                        .is_none_or(|(last, _)| *last < epoch)
                    {
                        commits.insert(epoch, files.collect());
                    }
                    PublisherEvent::Committed {
                        version: TableVersion::numbered(commits.len() as i64),
                        table,
                    }
                }
                PublisherAction::Record(record) => {
                    self.may_die()?;
                    PublisherEvent::Recorded {
                        number: self.log(&PublisherRecord::Epoch(*record)),
                    }
                }
            };
            // The effect stands, and nothing has reported it.
            self.may_die()?;
            self.machine.apply(event, self.now).unwrap();
        }
    }

    pub(super) fn log(&mut self, record: &PublisherRecord) -> u64 {
        let number = self.durable.log.last().map_or(1, |(number, _)| number + 1);
        self.durable.log.push((number, encode(record).unwrap()));
        number
    }

    /// Staged files carry a name of their own life, as claims do.
    pub(super) fn stage(&mut self, epoch: i64, rows: &TableRows) -> BTreeMap<String, TableChanges> {
        let life = self.durable.crashes;
        rows.0
            .iter()
            .map(|(table, batches)| {
                let path = format!("{table}-{life}-{epoch}");
                let lines = batches.iter().flat_map(lines).collect();
                self.durable.staged.insert(path.clone(), lines);
                let mut changes = TableChanges::default();
                changes.add.push(StagedFile {
                    path,
                    partition: None,
                    size: 0,
                    rows: 0,
                    stats: String::new(),
                    staged_at: at(0),
                });
                (table.clone(), changes)
            })
            .collect()
    }

    /// A shard seals something while the epoch is being made.
    fn go_on(&mut self) {
        if let Some((shard, seal)) = self.meanwhile.pop() {
            self.append(shard, seal);
        }
    }

    /// Each shard answers with its own sum: how often it has sealed a change of the window.
    pub(super) fn answer(&mut self, requests: &[RoundRequest]) {
        for shard in 0..SHARDS {
            let seals = self.durable.shards[&shard].clone();
            let read = seals.last().unwrap().inputs[0].counters.read;
            let clock = seals.last().unwrap().clocks[&Topic::Orders.into()];
            let mut answer = quiet(shard, read, clock);
            answer.partials = requests
                .iter()
                .map(|request| PartialAggregate {
                    round: request.round,
                    window: request.key.window,
                    metric: "demand".to_owned(),
                    rows: to_ipc(&rows(&[("S1", changes(&seals, request.key.window))])).unwrap(),
                })
                .collect();
            self.append(shard, answer);
        }
    }
}

/// How often these seals say that the window has changed.
pub(super) fn changes(seals: &[Seal], window: Window) -> i64 {
    let days = seals
        .iter()
        .flat_map(|seal| seal.touched.values().flatten());
    let inside = days.filter(|day| (window.first..window.end).contains(day));
    inside.count() as i64
}

/// The sum over all shards.
pub(super) fn compute(rounds: Vec<RoundInput>) -> Vec<RoundRows> {
    rounds
        .into_iter()
        .map(|round| {
            let parts = round.partials.values().flatten();
            let sum: i64 = parts
                .flat_map(|(_, ipc)| from_ipc(ipc).unwrap())
                .map(|batch| {
                    let counts = batch.column(1).as_any().downcast_ref::<Int64Array>();
                    counts.unwrap().values().iter().sum::<i64>()
                })
                .sum();
            RoundRows {
                key: round.key,
                metrics: vec![MetricRows {
                    metric: "demand".to_owned(),
                    rows: rows(&[("S1", sum)]),
                    overflows: BTreeMap::new(),
                }],
                cells: None,
            }
        })
        .collect()
}

/// Rows as text.
pub(super) fn lines(batch: &RecordBatch) -> Vec<String> {
    let text = arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch)).unwrap();
    let lines = text.to_string();
    let body = lines.lines().skip(3).filter(|line| !line.starts_with('+'));
    body.map(str::to_owned).collect()
}
