//! One epoch's rows, records and alerts, from seals, rounds and the feed. No input or output.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{ArrayRef, Date32Array};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

use schemas::time::TimestampMs;

use super::dead_letter::dead_letter_record;
use super::event::{Now, RoundRows};
use super::feed::{self, Cells, FeedChange, FeedDefinition};
use super::machine::Machine;
use super::plan::final_until;
use super::rows::{RevisionStamp, epoch_column, metric_rows};
use crate::alert::{self, AlertChange, RuleInput, RuleTime, Transition};
use crate::columns::conform;
use crate::error::Result;
use crate::round::{Metric, Revisions};
use crate::shard::{Clocks, Seal};
use crate::sink::{SinkRecord, delivery_rows, transition_rows};
use crate::time::{Day, Window, WindowKind};

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
        let mut rows = TableRows::default();
        let (mut published, mut changes) = self.metric_rows(&rounds, epoch, now, &mut rows)?;
        let cells = rounds.into_iter().filter_map(|round| round.cells);
        let mut records = self.dead_letter_records();
        let feed = self.feed_rows(
            cells.collect(),
            (epoch, now.wall_time),
            &mut rows,
            &mut published,
            &mut records,
        )?;
        // The intent will be the next record of this log: only its owner can extend it.
        let alerts = alert::seal(OWN_ALERTS, self.next_record(), &mut changes);
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
        let (mut published, mut alerts) = (Revisions::new(), Vec::new());
        for round in rounds {
            let window = round.key.window;
            for (name, result) in &round.rows {
                let Some(metric) = metrics.iter().find(|metric| metric.name == *name) else {
                    continue;
                };
                let found = round.overflows.get(name).cloned().unwrap_or_default();
                self.note_overflows(rows, &format!("metrics.{name}"), window, &found, epoch)?;
                let changes = self.durable.published.compare(metric, window, result)?;
                if changes.keys.is_empty() {
                    continue;
                }
                let until = final_until(
                    metric,
                    &self.durable.state.planner.finality,
                    &self.settings.topics,
                );
                let was_final = until.is_some_and(|until| window.ends_at(zone) <= until);
                let stamp = RevisionStamp {
                    window,
                    zone,
                    restated: was_final && self.durable.published.knows(name, window),
                    emitted_at: now.wall_time,
                    epoch,
                };
                let batch = metric_rows(&changes, &metric.table, &stamp)?;
                let time = RuleTime {
                    clock: clocks
                        .get(&round.key.clock)
                        .copied()
                        .unwrap_or(TimestampMs::MIN),
                    live_time: None,
                };
                for rule in &mut self.rules {
                    if reads(rule.input(), name, window) {
                        alerts.extend(rule.observe(&batch, time)?);
                    }
                }
                rows.add(format!("metrics.{name}"), batch);
                published.push((name.clone(), window, changes.keys));
            }
        }
        self.durable.state.planner.finality = clocks;
        Ok((published, alerts))
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
            return Ok(FeedChange::default());
        };
        for (day, cells) in &days {
            self.durable.grid.update(*day, cells.clone());
        }
        let table = feed.table();
        let Some(schema) = self.schemas.get(&table).cloned() else {
            return Ok(self.durable.grid.change(days));
        };
        if let Some(last) = self.next_complete_day() {
            self.durable.grid.complete(last);
        }
        let final_before = self.final_before(&feed);
        let step = feed::step(
            &feed,
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

    /// Whether the feed has days to send.
    pub(super) fn has_feed_days(&self) -> bool {
        let grid = &self.durable.grid;
        grid.is_dirty() || self.next_complete_day() > grid.last_complete()
    }

    /// The day up to which the feed may report in the next epoch.
    fn next_complete_day(&self) -> Option<Day> {
        let feed = self.feed.as_ref()?;
        let last = self.last_complete_day(feed)?;
        let grid = &self.durable.grid;
        // Catching up, the clock passes days that still wait for their first round: reported as zeros they would be wrong.
        let unknown = self
            .waiting_days(self.metric_of(feed)?)
            .find(|day| !grid.has_said(*day));
        grid.page(unknown.map_or(last, |day| last.min(day.plus(-1))))
    }

    /// The last day whose end the clock has passed. Days that only draining completed do not count: nothing was observed there.
    fn last_complete_day(&self, feed: &FeedDefinition) -> Option<Day> {
        let metric = self.metric_of(feed)?;
        let clock = self.clocks().get(&metric.clock).copied()?;
        let by_clock = self.settings.zone.day_of(clock).plus(-1);
        let grid = &self.durable.grid;
        match self.durable.state.drained_to {
            None => Some(by_clock),
            Some(_) => grid
                .last_day()
                .max(grid.last_complete())
                .map(|last| last.min(by_clock)),
        }
    }

    /// The first day that is not final, or whose rows do not show the newest facts yet.
    fn final_before(&self, feed: &FeedDefinition) -> Option<Day> {
        let metric = self.metric_of(feed)?;
        let clocks = &self.durable.state.planner.finality;
        let until = final_until(metric, clocks, &self.settings.topics)?;
        let by_clock = self.settings.zone.day_of(until);
        let waiting = self.waiting_days(metric).next();
        Some(waiting.map_or(by_clock, |day| by_clock.min(day)))
    }

    fn metric_of(&self, feed: &FeedDefinition) -> Option<&Metric> {
        let mut metrics = self.metrics.iter();
        metrics.find(|metric| metric.name == feed.metric)
    }

    /// Days that have ended and wait for a round, in their order.
    fn waiting_days(&self, metric: &Metric) -> impl Iterator<Item = Day> {
        let clock = metric.clock;
        let waiting = self
            .durable
            .state
            .unrevised(self.settings.zone, self.settings.shards)
            .into_iter();
        let days: BTreeSet<Day> = waiting
            .filter(|key| key.clock == clock && key.window.kind == WindowKind::D1)
            .map(|key| key.window.first)
            .collect();
        days.into_iter()
    }

    /// Rejected records for `<topic>.dlq`.
    fn dead_letter_records(&self) -> Vec<SinkRecord> {
        if !self.sends_records {
            return Vec::new();
        }
        let letters = self
            .seals
            .collected()
            .iter()
            .flat_map(|sealed| &sealed.seal.dead_letters);
        letters.map(dead_letter_record).collect()
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
