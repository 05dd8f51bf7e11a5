//! What leaves with an epoch beside the tables: the feed and dead letters.

use std::collections::BTreeSet;

use super::Publisher;
use super::feed::{self, FeedChange, FeedDefinition};
use super::plan::final_until_ms;
use super::sealed::TableRows;
use crate::error::Result;
use crate::round::{Metric, Revisions};
use crate::shard::clock_key;
use crate::sink::SinkRecord;
use crate::time::{Day, WindowKind, wall};

impl Publisher {
    /// Rows and records of the feed's days that changed or became complete.
    pub(super) fn feed_revisions(
        &mut self,
        epoch: i64,
        rows: &mut TableRows,
        published: &mut Revisions,
        records: &mut Vec<SinkRecord>,
    ) -> Result<FeedChange> {
        let days = std::mem::take(&mut self.feed_days);
        let Some(feed) = self.feed.clone() else {
            return Ok(FeedChange::default());
        };
        let table = feed.table();
        let Some(schema) = self.schema_of(&table) else {
            return Ok(self.grid.change(days));
        };
        if let Some(last) = self.next_complete_day() {
            self.grid.complete(last);
        }
        let final_before = self.final_before(&feed);
        let step = feed::step(
            &feed,
            &mut self.grid,
            &self.published,
            &schema,
            (epoch, wall::now_ms()),
            final_before,
        )?;
        self.add_plain(rows, "feeds.status", &step.status)?;
        for batch in step.rows {
            rows.add(table.clone(), batch);
        }
        published.extend(step.published);
        if self.record_sink.is_some() {
            records.extend(step.records);
        }
        Ok(self.grid.change(days))
    }

    /// Whether the feed has days to tell of.
    pub(super) fn has_feed_days(&self) -> bool {
        self.grid.is_dirty() || self.next_complete_day() > self.grid.last_complete()
    }

    /// The day up to which the feed may tell in the next epoch.
    fn next_complete_day(&self) -> Option<Day> {
        let feed = self.feed.as_ref()?;
        let last = self.last_complete_day(feed)?;
        // Catching up, the clock passes days that still wait for their first round: told as zeros they would be wrong.
        let unknown = self
            .waiting_days(self.metric_of(feed)?)
            .find(|day| !self.grid.has_said(*day));
        self.grid
            .page(unknown.map_or(last, |day| last.min(day.plus(-1))))
    }

    /// The last day whose end the clock has passed. Days that only draining completed do not count: nothing was observed there.
    pub(super) fn last_complete_day(&self, feed: &FeedDefinition) -> Option<Day> {
        let metric = self.metric_of(feed)?;
        let clock = crate::shard::clock_of(&self.clocks(), &metric.clock)?;
        let by_clock = self.settings.zone.day_of(clock).plus(-1);
        match self.state.drained_to_ms {
            None => Some(by_clock),
            Some(_) => self
                .grid
                .last_day()
                .max(self.grid.last_complete())
                .map(|last| last.min(by_clock)),
        }
    }

    /// The first day that is not final, or whose rows do not show the newest facts yet.
    fn final_before(&self, feed: &FeedDefinition) -> Option<Day> {
        let metric = self.metric_of(feed)?;
        let (clocks, lateness) = (&self.state.planner.finality, &self.settings.lateness);
        let until_ms = final_until_ms(metric, clocks, lateness)?;
        let by_clock = self.settings.zone.day_of(until_ms);
        let waiting = self.waiting_days(metric).next();
        Some(waiting.map_or(by_clock, |day| by_clock.min(day)))
    }

    fn metric_of(&self, feed: &FeedDefinition) -> Option<&Metric> {
        let mut metrics = self.metrics.iter();
        metrics.find(|metric| metric.name == feed.metric)
    }

    /// Days that have ended and wait for a round, in their order.
    fn waiting_days(&self, metric: &Metric) -> impl Iterator<Item = Day> {
        let clock = clock_key(&metric.clock);
        let waiting = self.state.unrevised(self.settings.zone).into_iter();
        let days: BTreeSet<Day> = waiting
            .filter(|key| key.clock == clock && key.window.kind == WindowKind::D1)
            .map(|key| key.window.first)
            .collect();
        days.into_iter()
    }

    /// Raw records for `<topic>.dlq`, with reason and place in the headers.
    pub(super) fn dead_letter_records(&self) -> Vec<SinkRecord> {
        if self.record_sink.is_none() {
            return Vec::new();
        }
        let letters = self
            .pending
            .iter()
            .flat_map(|pending| &pending.seal.dead_letters);
        letters
            .map(|letter| {
                let mut headers = letter.headers.clone();
                let mut add = |name: &str, value: String| {
                    headers.push((format!("vitrine-{name}"), Some(value.into())));
                };
                add("reason", letter.reason.as_str().to_owned());
                add("path", letter.path.clone());
                add("topic", letter.input.topic.clone());
                add("partition", letter.input.partition.to_string());
                add("offset", letter.offset.to_string());
                if let Some(ms) = letter.timestamp_ms {
                    add("timestamp", ms.to_string());
                }
                SinkRecord {
                    topic: dead_letter_topic(&letter.input.topic),
                    key: letter.key.clone(),
                    value: letter.value.clone(),
                    headers,
                }
                .fitting()
            })
            .collect()
    }

    /// Sends what an intent holds; a broker that is away is waited for, since the intent cannot be taken back.
    pub(super) async fn send_records(&self, records: &[SinkRecord]) -> Result<()> {
        let Some(record_sink) = self.record_sink.as_ref().filter(|_| !records.is_empty()) else {
            return Ok(());
        };
        for _ in 1..SEND_TRIES {
            match record_sink.send(records).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, records = records.len(), "records of an epoch could not be sent; trying again");
                }
            }
            wall::sleep(std::time::Duration::from_secs(1)).await;
        }
        record_sink.send(records).await
    }
}

/// Where dead letters of a topic go.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// How often an epoch's records are tried before the process ends with the reason.
const SEND_TRIES: usize = 20;
