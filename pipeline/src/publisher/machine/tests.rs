//! Every crash point of an epoch: before and after each effect, the outcome is that of a run without a crash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use schemas::event::{Reason, Topic};

use super::*;
use crate::decode::Counters;
use crate::kafka::TopicPartition;
use crate::publisher::record::encode;
use crate::publisher::settings::Until;
use crate::shard::{DeadLetter, PartialAggregate, from_ipc, to_ipc};
use crate::table::StagedFile;
use crate::time::{WindowKind, Zone, wall};

const ZONE: Zone = Zone(chrono_tz::UTC);
const DAY_MS: i64 = crate::time::DAY_MS;
const SHARDS: u32 = 2;

/// What survives a crash: the publisher's log, the tables' commits, the shards' logs.
#[derive(Default)]
struct Durable {
    log: Vec<(u64, Bytes)>,
    /// Table → epoch → rows, as staged files of that commit hold them.
    commits: BTreeMap<String, BTreeMap<i64, Vec<String>>>,
    /// Staged files by tag: what a commit makes visible.
    staged: BTreeMap<String, Vec<String>>,
    shards: BTreeMap<u32, Vec<Seal>>,
    crashes: usize,
}

/// One life of a publisher; it dies at the crash point of that number, counted over all lives.
struct Life<'d> {
    durable: &'d mut Durable,
    machine: Machine,
    point: usize,
    dies_at: Option<usize>,
    now: Now,
}

#[derive(Debug, PartialEq)]
struct Died;

fn metric() -> Metric {
    let fields = ["sku", "n"].map(|name| {
        let kind = if name == "n" {
            DataType::Int64
        } else {
            DataType::Utf8
        };
        Field::new(name, kind, false)
    });
    Metric {
        name: "demand".to_owned(),
        title: "demand".to_owned(),
        facts: None,
        windows: vec![WindowKind::D1],
        clock: vec!["orders".to_owned()],
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

fn given() -> Given {
    let mut schemas: BTreeMap<String, SchemaRef> = schemas::table::all_tables()
        .into_iter()
        .filter(|table| table.schema_name == "ops")
        .map(|table| (format!("ops.{}", table.name), table.schema.clone()))
        .collect();
    schemas.insert("metrics.demand".to_owned(), metric().table);
    let versions = schemas.keys().map(|table| (table.clone(), 0)).collect();
    Given {
        settings: PublisherSettings {
            zone: ZONE,
            shards: SHARDS,
            interval: Duration::from_secs(10),
            revise_every: Duration::from_secs(300),
            heartbeat: Duration::from_secs(60),
            topic_names: vec![("orders.v1".to_owned(), Topic::Orders)],
            lateness: [("orders".to_owned(), DAY_MS)].into(),
            bounds: [("orders".to_owned(), 60_000)].into(),
            rules: Vec::new(),
            checkpoint_every: 64,
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

/// A seal of `read` records so far, the last of them rejected, with the clock of orders at `clock_ms`.
fn seal(shard: u32, read: u64, clock_ms: i64, touches: bool) -> Seal {
    let input = TopicPartition::new("orders.v1", shard.cast_signed());
    let letter = DeadLetter {
        input: input.clone(),
        offset: read.cast_signed() - 1,
        timestamp_ms: None,
        reason: Reason::MalformedJson,
        path: String::new(),
        value: Some("{".into()),
        key: None,
        headers: Vec::new(),
    };
    let day = ZONE.day_of(0);
    let mut seal = quiet(shard, read, clock_ms);
    seal.dead_letters = vec![letter];
    if touches {
        seal.touched = [("demand".to_owned(), vec![day])].into();
    }
    seal.last_days = [("demand".to_owned(), day)].into();
    seal
}

/// A seal that says only how far time has come.
fn quiet(shard: u32, read: u64, clock_ms: i64) -> Seal {
    Seal {
        inputs: vec![InputSeal {
            input: TopicPartition::new("orders.v1", shard.cast_signed()),
            next_offset: read.cast_signed(),
            highest_ms: Some(clock_ms),
            at_end: true,
            counters: Counters {
                read,
                dead: read,
                ..Counters::default()
            },
            accounted: true,
        }],
        clocks: [("orders".to_owned(), clock_ms)].into(),
        live_ms: None,
        delay_ms: None,
        drained_to_ms: None,
        reference: "r".to_owned(),
        events: Vec::new(),
        facts: Vec::new(),
        dead_letters: Vec::new(),
        late_events: Vec::new(),
        orphans: Vec::new(),
        touched: BTreeMap::new(),
        last_days: BTreeMap::new(),
        reference_changed: false,
        partials: Vec::new(),
        alerts: Vec::new(),
        sealed_at_ms: clock_ms,
    }
}

fn rows(of: &[(&str, i64)]) -> RecordBatch {
    let names = StringArray::from_iter_values(of.iter().map(|(name, _)| name));
    let counts = Int64Array::from_iter_values(of.iter().map(|(_, n)| *n));
    RecordBatch::try_new(metric().table, vec![Arc::new(names), Arc::new(counts)]).unwrap()
}

impl<'d> Life<'d> {
    fn begin(durable: &'d mut Durable, point: usize, dies_at: Option<usize>) -> Self {
        let now = Now {
            monotonic: wall::monotonic() + Duration::from_secs(3_600 * durable.crashes as u64),
            wall_ms: 1_000,
        };
        let next = durable.log.last().map_or(1, |(number, _)| number + 1);
        let checkpoint = PublisherCheckpoint::default();
        let mut given = given();
        for (table, commits) in &durable.commits {
            given.versions.insert(table.clone(), commits.len() as i64);
        }
        let mut machine = Machine::restore(given, checkpoint, &durable.log, next, now).unwrap();
        machine.set_has_shards(true);
        let mut life = Self {
            durable,
            machine,
            point,
            dies_at,
            now,
        };
        life.read_shards();
        life
    }

    /// Feeds what the shards have sealed behind what is ingested.
    fn read_shards(&mut self) {
        for shard in 0..SHARDS {
            let from = self.machine.ingested(shard);
            let seals = self.durable.shards.get(&shard).cloned().unwrap_or_default();
            for (number, seal) in (1..).zip(seals).filter(|(number, _)| *number > from) {
                self.sealed(shard, number, seal);
            }
        }
    }

    fn sealed(&mut self, shard: u32, number: u64, seal: Seal) {
        let sealed = SealedRecord {
            shard,
            number,
            seal: Arc::new(seal),
            bytes: 100,
        };
        self.machine.apply(Event::Sealed(sealed), self.now).unwrap();
    }

    /// A shard's log gets one more seal.
    fn append(&mut self, shard: u32, seal: Seal) {
        let log = self.durable.shards.entry(shard).or_default();
        log.push(seal.clone());
        let number = log.len() as u64;
        self.sealed(shard, number, seal);
    }

    /// A moment at which the process may die.
    fn may_die(&mut self) -> Result<(), Died> {
        self.point += 1;
        if Some(self.point) == self.dies_at {
            return Err(Died);
        }
        Ok(())
    }

    /// Acts until there is nothing to do but wait, with time going on by an interval.
    fn settle(&mut self) -> Result<(), Died> {
        self.now.monotonic += Duration::from_secs(10);
        self.now.wall_ms += 10_000;
        loop {
            let action = self.machine.next(self.now).unwrap();
            let event = match action {
                Action::Wait => return Ok(()),
                Action::Ask(requests) => {
                    self.answer(&requests);
                    continue;
                }
                Action::Compute(rounds) => Event::Computed(compute(rounds)),
                Action::Stage { epoch, rows, .. } => {
                    self.may_die()?;
                    let tables = self.stage(epoch, &rows);
                    Event::Staged {
                        tables,
                        records: None,
                    }
                }
                Action::SealIntent(intent) => {
                    self.may_die()?;
                    let record = PublisherRecord::Intent(Box::new((*intent).clone()));
                    Event::IntentSealed {
                        number: self.log(&record),
                    }
                }
                Action::Commit {
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
                    Event::Committed {
                        version: commits.len() as i64,
                        table,
                    }
                }
                Action::Record(record) => {
                    self.may_die()?;
                    Event::Recorded {
                        number: self.log(&PublisherRecord::Epoch(*record)),
                    }
                }
            };
            // The effect stands, and nobody has heard of it.
            self.may_die()?;
            self.machine.apply(event, self.now).unwrap();
        }
    }

    fn log(&mut self, record: &PublisherRecord) -> u64 {
        let number = self.durable.log.last().map_or(1, |(number, _)| number + 1);
        self.durable.log.push((number, encode(record).unwrap()));
        number
    }

    /// Staged files carry a name of their own life, as claims do.
    fn stage(&mut self, epoch: i64, rows: &TableRows) -> BTreeMap<String, TableChanges> {
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
                    staged_at_ms: 0,
                });
                (table.clone(), changes)
            })
            .collect()
    }

    /// Each shard answers with its own sum: as many as it has sealed records with content.
    fn answer(&mut self, requests: &[RoundRequest]) {
        for shard in 0..SHARDS {
            let seals = &self.durable.shards[&shard];
            let read = seals.last().unwrap().inputs[0].counters.read;
            let clock_ms = seals.last().unwrap().clocks["orders"];
            let mut answer = quiet(shard, read, clock_ms);
            answer.partials = requests
                .iter()
                .map(|request| PartialAggregate {
                    round: request.round,
                    window: request.key.window,
                    metric: "demand".to_owned(),
                    rows: to_ipc(&rows(&[("S1", read.cast_signed())])).unwrap(),
                })
                .collect();
            self.append(shard, answer);
        }
    }
}

/// The sum over all shards.
fn compute(rounds: Vec<RoundInput>) -> Vec<RoundRows> {
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
                rows: vec![("demand".to_owned(), rows(&[("S1", sum)]))],
                cells: None,
            }
        })
        .collect()
}

/// Rows as text.
fn lines(batch: &RecordBatch) -> Vec<String> {
    let text = arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch)).unwrap();
    let lines = text.to_string();
    let body = lines.lines().skip(3).filter(|line| !line.starts_with('+'));
    body.map(str::to_owned).collect()
}

/// Three rounds of seals, a window that ends, a late change to it, and a minute of silence.
fn story(life: &mut Life<'_>) -> Result<(), Died> {
    let begun = life.durable.shards.get(&1).map_or(0, Vec::len);
    let steps: [(u64, i64, bool); 3] =
        [(1, 1_000, true), (2, DAY_MS, false), (3, DAY_MS + 1, true)];
    for (read, clock_ms, touches) in steps {
        for shard in 0..SHARDS {
            let known = life.durable.shards.get(&shard);
            let last = known.and_then(|seals| seals.last());
            if last.is_some_and(|seal| seal.inputs[0].counters.read >= read) {
                continue;
            }
            life.append(shard, seal(shard, read, clock_ms, touches));
        }
        // A revision of a window may come five minutes after the one before it.
        life.now.monotonic += Duration::from_secs(300);
        life.now.wall_ms += 300_000;
        life.settle()?;
    }
    let _ = begun;
    for shard in 0..SHARDS {
        life.append(shard, quiet(shard, 3, DAY_MS + 60_000));
    }
    life.now.monotonic += Duration::from_secs(60);
    life.settle()
}

/// What readers end up with, epochs and times of their own left out.
fn seen(durable: &Durable) -> BTreeMap<&str, Vec<String>> {
    let tables = ["ops.conservation", "ops.dead_letters", "metrics.demand"];
    tables
        .into_iter()
        .map(|table| {
            let commits = durable.commits.get(table);
            let rows = commits.into_iter().flat_map(BTreeMap::values).flatten();
            let mut rows: Vec<String> = rows.map(|row| without_epoch(table, row)).collect();
            rows.sort();
            (table, rows)
        })
        .collect()
}

fn without_epoch(table: &str, row: &str) -> String {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    if table == "metrics.demand" {
        // A round that was asked for twice may find the same sum at another time; the rows are the sums.
        return cells.join("|");
    }
    // A round that is asked for again takes a seal of its own, so later seals have other numbers.
    let schema = &given().schemas[table];
    let left_out = ["epoch", "seal"].map(|name| schema.index_of(name).ok());
    let kept = cells.iter().enumerate();
    kept.filter(|(index, _)| !left_out.iter().flatten().any(|column| column + 1 == *index))
        .map(|(_, cell)| *cell)
        .collect::<Vec<_>>()
        .join("|")
}

/// Runs the story to its end, dying at these crash points, one after another.
fn run(deaths: &[usize]) -> (Durable, usize) {
    let mut durable = Durable::default();
    let mut point = 0;
    let mut deaths = deaths.iter().copied();
    loop {
        let dies_at = deaths.next();
        let mut life = Life::begin(&mut durable, point, dies_at);
        let result = story(&mut life);
        point = life.point;
        if result.is_ok() {
            return (durable, point);
        }
        durable.crashes += 1;
    }
}

fn epochs(durable: &Durable) -> Vec<EpochRecord> {
    let records = durable.log.iter();
    records
        .filter_map(|(_, payload)| match decode(payload).unwrap() {
            PublisherRecord::Epoch(epoch) => Some(epoch),
            PublisherRecord::Intent(_) => None,
        })
        .collect()
}

/// What must hold of every log, however often its owner died.
fn assert_log(durable: &Durable, case: &str) {
    let mut open: Option<i64> = None;
    let mut last = 0;
    for (_, payload) in &durable.log {
        match decode(payload).unwrap() {
            PublisherRecord::Intent(intent) => {
                assert_eq!(open, None, "{case}: an intent behind an open one");
                assert_eq!(intent.state.epoch, last + 1, "{case}: epochs have no gap");
                open = Some(intent.state.epoch);
            }
            PublisherRecord::Epoch(epoch) => {
                let expected = open.take().unwrap_or(last);
                assert_eq!(
                    epoch.epoch, expected,
                    "{case}: a record of its intent, or a heartbeat"
                );
                last = epoch.epoch;
            }
        }
    }
    assert_eq!(open, None, "{case}: every intent is rolled forward");
    for pair in epochs(durable).windows(2) {
        for (shard, number) in &pair[0].cut {
            assert!(
                pair[1].cut[shard] >= *number,
                "{case}: the cut never goes back"
            );
        }
    }
}

#[test]
fn every_crash_point_comes_to_the_same() {
    let (undisturbed, points) = run(&[]);
    assert!(points > 20, "{points} crash points");
    assert_log(&undisturbed, "undisturbed");
    let expected = seen(&undisturbed);
    assert_eq!(expected["ops.dead_letters"].len(), 6);
    assert!(expected["metrics.demand"].len() >= 2, "{expected:?}");
    for dies_at in 1..=points {
        let (durable, _) = run(&[dies_at]);
        assert_log(&durable, &format!("death at {dies_at}"));
        assert_eq!(durable.crashes, 1);
        assert_eq!(seen(&durable), expected, "death at {dies_at}");
    }
}

#[test]
fn a_second_crash_while_recovering_changes_nothing() {
    let (undisturbed, points) = run(&[]);
    let expected = seen(&undisturbed);
    for first in 1..=points {
        for later in 1..=6 {
            let (durable, _) = run(&[first, first + later]);
            let case = format!("deaths at {first} and {}", first + later);
            assert_log(&durable, &case);
            assert_eq!(seen(&durable), expected, "{case}");
        }
    }
}

#[test]
fn silence_costs_one_heartbeat_a_minute_and_moves_finality_on() {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    story(&mut life).unwrap();
    let records = life.durable.log.len();
    let before = life.machine.last().unwrap().clone();
    for minute in 1..=10 {
        for shard in 0..SHARDS {
            life.append(shard, quiet(shard, 3, 3 * DAY_MS + minute * 60_000));
        }
        for _ in 0..6 {
            life.settle().unwrap();
        }
    }
    let written = life.durable.log.len() - records;
    assert!(
        (9..=11).contains(&written),
        "{written} records in ten minutes"
    );
    let after = life.machine.last().unwrap().clone();
    assert_eq!((after.epoch, &after.tables), (before.epoch, &before.tables));
    assert!(after.finality[0].until_ms > before.finality[0].until_ms);
    assert_eq!(after.unrevised, Vec::new());
    // A start goes on from the heartbeat's cut.
    let again = Life::begin(&mut durable, 0, None);
    assert_eq!(again.machine.ingested(0), after.cut[&0]);
    assert!(again.machine.is_quiet(again.now));
    assert!(Until::Stopped != Until::CaughtUp);
}

#[test]
fn seals_behind_the_cut_wait_for_the_next_epoch() {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    for shard in 0..SHARDS {
        life.append(shard, seal(shard, 1, 1_000, true));
    }
    life.now.monotonic += Duration::from_secs(10);
    let Action::Stage { .. } = life.machine.next(life.now).unwrap() else {
        panic!("an epoch is due");
    };
    life.append(0, seal(0, 2, 2_000, true));
    assert_eq!(life.machine.ingested(0), 1, "the cut stands");
    let event = Event::Staged {
        tables: BTreeMap::new(),
        records: None,
    };
    life.machine.apply(event, life.now).unwrap();
    let Action::SealIntent(intent) = life.machine.next(life.now).unwrap() else {
        panic!("staged");
    };
    assert_eq!(intent.state.cut, BTreeMap::from([(0, 1), (1, 1)]));
    assert_eq!(intent.state.clocks[&0]["orders"], 1_000);
    let now = life.now;
    life.machine
        .apply(Event::IntentSealed { number: 1 }, now)
        .unwrap();
    assert_eq!(life.machine.take_released(), 200);
    let Action::Record(_) = life.machine.next(now).unwrap() else {
        panic!("no table was touched");
    };
    life.machine
        .apply(Event::Recorded { number: 2 }, now)
        .unwrap();
    assert_eq!(life.machine.ingested(0), 2);
    assert_eq!(life.machine.collected_bytes(), 100);
}
