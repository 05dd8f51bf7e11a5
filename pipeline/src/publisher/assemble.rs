//! One epoch's rows, records and alerts, from seals, rounds and the feed. No input or output.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, Date32Array};
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

use schemas::event::TopicSet;
use schemas::time::{DurationMs, TimestampMs};

use super::dead_letter::dead_letter_record;
use super::event::{Now, RoundRows};
use super::feed::{self, Cells, FeedChange, FeedDefinition};
use super::finality::table_of;
use super::machine::Machine;
use super::plan::RoundKey;
use super::rows::{RevisionStamp, epoch_column, metric_rows};
use crate::alert::{self, AlertChange, RuleInput, RuleTime, Transition};
use crate::columns::conform;
use crate::error::Result;
use crate::round::{Metric, Revisions};
use crate::shard::{Clocks, Seal};
use crate::sink::{SinkRecord, delivery_rows, transition_rows};
use crate::time::{Day, Window, WindowKind, Zone};

/// Name under which the publisher's own alerts are numbered.
pub const OWN_ALERTS: &str = "publisher";

/// Rows of an epoch, by table.
#[derive(Debug, Default)]
pub(super) struct TableRows(pub BTreeMap<String, Vec<RecordBatch>>);

impl TableRows {
    pub(super) fn add(&mut self, table: impl Into<String>, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.0.entry(table.into()).or_default().push(batch);
        }
    }
}

/// Revisions of the rows of a metric in a window.
type RevisedRows = (String, Window, RecordBatch);

/// What an epoch is going to say.
pub(super) struct Draft {
    pub epoch: i64,
    pub rows: TableRows,
    pub published: Revisions,
    pub feed: FeedChange,
    pub records: Vec<SinkRecord>,
    pub alerts: Vec<Transition>,
    /// Attempts of the alert sink's records up to this one are among the rows.
    pub attempts_cut: u64,
}

impl Machine {
    /// Everything that the next epoch says, given the results of its rounds.
    pub(super) fn assemble(&mut self, rounds: Vec<RoundRows>, now: Now) -> Result<Draft> {
        let epoch = self.durable.state.epoch + 1;
        let delivered = self.delivered;
        let undelivered = &mut self.durable.state.undelivered;
        undelivered.retain(|of, _| Some(*of) > delivered);
        let mut rows = TableRows::default();
        let (mut published, changes) = self.metric_rows(&rounds, epoch, now, &mut rows)?;
        let cells = rounds.into_iter().filter_map(|round| round.cells);
        let mut records = self.dead_letter_records(epoch);
        let feed = self.feed_rows(
            cells.collect(),
            (epoch, now.wall_time),
            &mut rows,
            &mut published,
            &mut records,
        )?;
        // The intent will be the next record of this log: only its owner can extend it.
        let number = self.next_record();
        let waiting = &mut self.durable.state.waiting_alerts;
        waiting.extend(changes);
        let alerts = alert::seal(OWN_ALERTS, number, waiting);
        self.alert_rows(&alerts, epoch, &mut rows)?;
        self.sealed_rows(epoch, &mut rows)?;
        self.epoch_rows(epoch, now.wall_time, &mut rows)?;
        Ok(Draft {
            epoch,
            rows,
            published,
            feed,
            records,
            alerts,
            attempts_cut: self.attempts_cut,
        })
    }

    /// Rows of the rounds that differ from what was published.
    fn metric_rows(
        &mut self,
        rounds: &[RoundRows],
        epoch: i64,
        now: Now,
        rows: &mut TableRows,
    ) -> Result<(Revisions, Vec<AlertChange>)> {
        let zone = self.settings.zone;
        let metrics = self.metrics.clone();
        let clocks = self.clocks();
        let mut published = Revisions::new();
        let mut revised: Vec<RevisedRows> = Vec::new();
        for round in rounds {
            let window = round.key.window;
            for of_metric in &round.metrics {
                let name = &of_metric.metric;
                let Some(metric) = metrics.iter().find(|metric| metric.name == *name) else {
                    continue;
                };
                let lost = &of_metric.overflows;
                self.note_overflows(rows, &table_of(metric), window, lost, epoch)?;
                let result = &of_metric.rows;
                let changes = self.durable.published.compare(metric, window, result)?;
                if changes.keys.is_empty() {
                    continue;
                }
                let was_final = self.judge_finality(&clocks).is_said(metric, window);
                let stamp = RevisionStamp {
                    window,
                    zone,
                    restated: was_final && self.durable.published.knows(name, window),
                    emitted_at: now.wall_time,
                    epoch,
                };
                let batch = metric_rows(&changes, &metric.table, &stamp)?;
                revised.push((name.clone(), window, batch.clone()));
                rows.add(table_of(metric), batch);
                published.push((name.clone(), window, changes.keys));
            }
        }
        let alerts = self.apply_rules(&revised)?;
        Ok((published, alerts))
    }

    /// What the rules over rows say of the epoch's revisions and of the time. A rule sees all its revisions at once: between those of
    /// two windows its state would be nobody's.
    fn apply_rules(&mut self, revised: &[RevisedRows]) -> Result<Vec<AlertChange>> {
        let (zone, clocks) = (self.settings.zone, self.clocks());
        let pending = self.durable.state.planner.changed(zone, &clocks);
        let mut alerts = Vec::new();
        for rule in &mut self.rules {
            let input = rule.input();
            let read = revised
                .iter()
                .filter(|(metric, window, _)| reads(input, metric, *window))
                .map(|(_, _, rows)| rows);
            let read: Vec<&RecordBatch> = read.collect();
            let Some(clock) = RowsClock::of(input, &self.metrics, &clocks) else {
                continue;
            };
            if let Some(first) = read.first() {
                let all = concat_batches(first.schema_ref(), read.iter().copied())?;
                alerts.extend(rule.observe(&all, clock.time())?);
            }
            alerts.extend(rule.tick(clock.before(&pending, zone).time()));
        }
        Ok(alerts)
    }

    /// Whether a timer of a rule over rows has been reached.
    pub(super) fn has_due_rules(&self) -> bool {
        let (zone, clocks) = (self.settings.zone, self.clocks());
        let pending = self.durable.state.planner.changed(zone, &clocks);
        self.rules.iter().any(|rule| {
            let clock = RowsClock::of(rule.input(), &self.metrics, &clocks);
            let timer = rule.next_timer().zip(clock);
            timer.is_some_and(|(timer, clock)| {
                clock.before(&pending, zone).time().furthest() >= timer
            })
        })
    }

    fn alert_rows(&mut self, own: &[Transition], epoch: i64, rows: &mut TableRows) -> Result<()> {
        let mut transitions = Vec::new();
        for sealed in self.seals.collected() {
            let (of_seal, _) = alerts_of_seal(sealed.shard, sealed.number, &sealed.seal);
            transitions.extend(of_seal);
        }
        transitions.extend(own.iter().cloned());
        let attempts = std::mem::take(&mut self.attempts);
        let at = transitions
            .iter()
            .map(|transition| transition.change.transitioned_at);
        let tried = attempts.iter().map(|attempt| attempt.attempted_at);
        let transitions_at: Vec<TimestampMs> = at.collect();
        let attempts_at: Vec<TimestampMs> = tried.collect();
        self.add_dated(
            rows,
            "ops.alerts",
            &transition_rows(&transitions)?,
            &transitions_at,
            epoch,
        )?;
        self.add_dated(
            rows,
            "ops.deliveries",
            &delivery_rows(&attempts)?,
            &attempts_at,
            epoch,
        )
    }

    /// Adds rows with their epoch and the local dates of `instants`.
    fn add_dated(
        &self,
        rows: &mut TableRows,
        table: &str,
        batch: &RecordBatch,
        instants: &[TimestampMs],
        epoch: i64,
    ) -> Result<()> {
        let Some(schema) = self.schemas.get(table) else {
            return Ok(());
        };
        let zone = self.settings.zone;
        let days = instants.iter().map(|&instant| zone.day_of(instant).0);
        let epochs = epoch_column(instants.len(), epoch);
        let dates: ArrayRef = Arc::new(Date32Array::from_iter_values(days));
        rows.add(
            table,
            conform(batch, schema, &[("epoch", epochs), ("event_date", dates)])?,
        );
        Ok(())
    }

    /// Rows and records of the feed's days that changed or became complete.
    fn feed_rows(
        &mut self,
        days: Vec<(Day, Cells)>,
        (epoch, wall_time): (i64, TimestampMs),
        rows: &mut TableRows,
        published: &mut Revisions,
        records: &mut Vec<SinkRecord>,
    ) -> Result<FeedChange> {
        let Some(feed) = self.feed.clone() else {
            return Ok(self.durable.grid.change(Vec::new()));
        };
        for (day, cells) in &days {
            self.durable.grid.update(*day, cells.clone());
        }
        let table = feed.table();
        let schema = self.schemas.get(&table).filter(|_| feed.is_on);
        // There are none before the first seal of all, and no days either.
        let Some((schema, loaded)) = schema.cloned().zip(self.flags.clone()) else {
            return Ok(self.durable.grid.change(days));
        };
        let flags = &*loaded.flags;
        self.durable.grid.set_flags(flags.version());
        if let Some(last) = self.next_complete_day() {
            self.durable.grid.complete(last);
        }
        let final_before = self.final_before(&feed);
        let step = feed::step(
            (&feed, flags),
            &mut self.durable.grid,
            &self.durable.published,
            &schema,
            (epoch, wall_time),
            final_before,
        )?;
        for (window, found) in &step.overflows {
            self.note_overflows(rows, &table, *window, found, epoch)?;
        }
        self.add_plain(rows, "feeds.status", &step.status)?;
        for batch in step.rows {
            rows.add(table.clone(), batch);
        }
        published.extend(step.published);
        if self.sends_records {
            records.extend(step.records);
        }
        Ok(self.durable.grid.change(days))
    }

    /// The version of the reference data in force, where the feed's flags are not those of it.
    pub(super) fn flags_wanted(&self) -> Option<String> {
        let reference = &self.durable.state.reference;
        let is_making = self.feed.as_ref().is_some_and(|feed| feed.is_on);
        let known = self.flags.as_ref();
        let is_known = known.is_some_and(|loaded| loaded.reference == *reference);
        (is_making && !is_known && !reference.is_empty()).then(|| reference.clone())
    }

    /// Whether the last epoch had no room for everything: days of the feed, or alerts.
    pub(super) fn has_rest(&self) -> bool {
        self.has_feed_days() || !self.durable.state.waiting_alerts.is_empty()
    }

    /// Whether the feed has days to send.
    fn has_feed_days(&self) -> bool {
        let grid = &self.durable.grid;
        let is_sending = self.feed.as_ref().is_some_and(|feed| feed.is_on) && !self.leaves_feed;
        is_sending && (grid.has_pending() || self.next_complete_day() > grid.last_complete())
    }

    /// The day up to which the feed may report in the next epoch.
    fn next_complete_day(&self) -> Option<Day> {
        let feed = self.feed.as_ref()?;
        let last = self.last_complete_day(feed)?;
        let grid = &self.durable.grid;
        if grid.is_empty() {
            return None;
        }
        // Catching up, the clock passes days that still wait for their first round: reported as zeros they would be wrong.
        let unknown = self
            .waiting_days(self.metric_of(feed)?)
            .find(|day| !grid.has_said(*day));
        Some(unknown.map_or(last, |day| last.min(day.plus(-1))))
    }

    /// The last day whose end the clock has passed. Days without a fact that only draining completed do not count: nothing was
    /// observed there, nor do facts too far ahead (K41), of which one would bring zeros for all days before it.
    fn last_complete_day(&self, feed: &FeedDefinition) -> Option<Day> {
        let (zone, state) = (self.settings.zone, &self.durable.state);
        let metric = self.metric_of(feed)?;
        let clock = self.clocks().get(&metric.clock).copied()?;
        let by_clock = zone.day_of(clock).plus(-1);
        let grid = &self.durable.grid;
        match state.drained_to {
            None => Some(by_clock),
            Some(_) => {
                let believed = state.believed_until.values().max();
                let believed = believed.map_or(by_clock, |until| zone.day_of(*until));
                grid.last_day(by_clock.min(believed))
                    .max(grid.last_complete())
                    .map(|last| last.min(by_clock))
            }
        }
    }

    /// The first day that is not final.
    fn final_before(&self, feed: &FeedDefinition) -> Option<Day> {
        let metric = self.metric_of(feed)?;
        let (planner, clocks) = (&self.durable.state.planner, self.clocks());
        let finality = self.judge_finality(&clocks);
        let until = finality.until(planner, metric, WindowKind::D1)?;
        Some(self.settings.zone.day_of(until))
    }

    fn metric_of(&self, feed: &FeedDefinition) -> Option<&Metric> {
        let mut metrics = self.metrics.iter();
        metrics.find(|metric| metric.name == feed.metric)
    }

    /// Days that have ended and wait for a round, in their order.
    fn waiting_days(&self, metric: &Metric) -> impl Iterator<Item = Day> {
        let zone = self.settings.zone;
        let clock = self.clocks().get(&metric.clock).copied();
        let planner = &self.durable.state.planner;
        planner
            .changed_of(metric.clock, WindowKind::D1)
            .take_while(move |key| clock >= Some(key.window.ends_at(zone)))
            .map(|key| key.window.first)
    }

    /// Rejected records for `<topic>.dlq`.
    fn dead_letter_records(&self, epoch: i64) -> Vec<SinkRecord> {
        if !self.sends_records {
            return Vec::new();
        }
        let letters = self
            .seals
            .collected()
            .iter()
            .flat_map(|sealed| &sealed.seal.dead_letters);
        letters
            .map(|letter| dead_letter_record(letter, epoch))
            .collect()
    }
}

/// How far time has come for a rule over rows: the clock of their metric.
#[derive(Clone, Copy)]
struct RowsClock {
    topics: TopicSet,
    window_kind: &'static str,
    clock: TimestampMs,
}

impl RowsClock {
    /// `None` for other rules, and before every shard has sealed such a clock.
    fn of(input: RuleInput, metrics: &[Metric], clocks: &Clocks) -> Option<Self> {
        let RuleInput::Rows {
            metric,
            window_kind,
        } = input
        else {
            return None;
        };
        let metric = metrics.iter().find(|other| other.name == metric)?;
        Some(Self {
            topics: metric.clock,
            window_kind,
            clock: *clocks.get(&metric.clock)?,
        })
    }

    /// The same, but not beyond the end of a window that waits for its round.
    fn before(self, pending: &[RoundKey], zone: Zone) -> Self {
        let of_rows = pending
            .iter()
            .filter(|key| key.clock == self.topics && key.window.kind.as_str() == self.window_kind);
        let ends = of_rows.map(|key| key.window.ends_at(zone) - DurationMs::from_ms(1));
        Self {
            clock: ends.fold(self.clock, TimestampMs::min),
            ..self
        }
    }

    fn time(self) -> RuleTime {
        RuleTime {
            clock: self.clock,
            live_time: None,
        }
    }
}

fn reads(input: RuleInput, metric: &str, window: Window) -> bool {
    matches!(input, RuleInput::Rows { metric: name, window_kind }
        if name == metric && window_kind == window.kind.as_str())
}

/// Transitions that a seal lets leave, and the time their age is measured against.
pub fn alerts_of_seal(shard: u32, number: u64, seal: &Seal) -> (Vec<Transition>, TimestampMs) {
    let transitions = alert::seal(&shard.to_string(), number, &mut seal.alerts.clone());
    (transitions, live_or_clock(seal.live_time, [&seal.clocks]))
}

/// What age limits of alerts are measured against: live time, else (files) the furthest of the clocks.
pub(super) fn live_or_clock<'c>(
    live_time: Option<TimestampMs>,
    clocks: impl IntoIterator<Item = &'c Clocks>,
) -> TimestampMs {
    live_time
        .or_else(|| clocks.into_iter().flat_map(Clocks::values).copied().max())
        .unwrap_or(TimestampMs::MIN)
}
