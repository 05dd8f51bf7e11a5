//! What leaves with an epoch beside the tables: the feed and dead letters.

use super::feed::{self, FeedChange, FeedDefinition};
use super::plan::Planner;
use super::sealed::Rows;
use super::{PublishError, Publisher};
use crate::publish::OutRecord;
use crate::round::Revisions;
use crate::time::{Day, WindowKind, wall};

impl Publisher {
    /// Rows and records of the feed's days that changed or became complete.
    pub(super) fn feed_revisions(
        &mut self,
        epoch: i64,
        rows: &mut Rows,
        published: &mut Revisions,
        records: &mut Vec<OutRecord>,
    ) -> Result<FeedChange, PublishError> {
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
        let now_ms = wall::now_ms();
        let step = feed::step(
            &feed,
            &mut self.grid,
            &self.published,
            &schema,
            epoch,
            now_ms,
        )?;
        for batch in step.rows {
            rows.add(table.clone(), batch);
        }
        published.extend(step.published);
        if self.outlet.is_some() {
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
        // Before its first round a day would be told as zeros, and corrected by the next epoch.
        let clocks = self.clocks();
        let due = self
            .state
            .planner
            .due(self.settings.zone, &clocks, 0, 0, true);
        let waiting = due
            .iter()
            .filter(|key| {
                key.window.kind == WindowKind::D1
                    && Planner::metrics_of(&self.metrics, key)
                        .iter()
                        .any(|metric| metric.name == feed.metric)
            })
            .map(|key| key.window.first)
            .filter(|day| !self.grid.has_said(*day))
            .min();
        self.grid
            .page(waiting.map_or(last, |day| last.min(day.plus(-1))))
    }

    /// The last day whose end the clock has passed. Days that only draining completed do not count: nothing was observed there.
    pub(super) fn last_complete_day(&self, feed: &FeedDefinition) -> Option<Day> {
        let metric = self
            .metrics
            .iter()
            .find(|metric| metric.name == feed.metric)?;
        let clock = crate::run::shard::clock_of(&self.clocks(), &metric.clock)?;
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

    /// Raw records for `<topic>.dlq`, with reason and place in the headers.
    pub(super) fn dead_letter_records(&self) -> Vec<OutRecord> {
        if self.outlet.is_none() {
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
                OutRecord {
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
    pub(super) async fn send_records(&self, records: &[OutRecord]) -> Result<(), PublishError> {
        let Some(outlet) = self.outlet.as_ref().filter(|_| !records.is_empty()) else {
            return Ok(());
        };
        for _ in 1..SEND_TRIES {
            match outlet.send(records).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, records = records.len(), "records of an epoch could not be sent; trying again");
                }
            }
            wall::sleep(std::time::Duration::from_secs(1)).await;
        }
        Ok(outlet.send(records).await?)
    }
}

/// Where dead letters of a topic go.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// How often an epoch's records are tried before the process ends with the reason.
const SEND_TRIES: usize = 20;
