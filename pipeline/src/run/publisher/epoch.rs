//! One epoch: rounds, rows, files, intent, commits, epoch record.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::entry::{ENTRY_VERSION, Entry, EpochRecord, FinalUntil, Intent, Revisions};
use super::feed::{self, FeedChange, FeedDefinition};
use super::plan::{Planner, RoundKey, final_until_ms};
use super::rows::{
    ConservationRow, DeadLetterRow, EpochRow, FinalityRow, LateRow, OrphanFact, RuleRow, Stamp,
    WatermarkRow, event_rows, fact_rows, metric_rows, plain_rows,
};
use super::{PublishError, Publisher};
use crate::alert::{self, Change, Input, Now, Transition};
use crate::publish::{Changes, OutRecord};
use crate::round::{Metric, evaluate_over, evaluate_public};
use crate::run::seal::from_ipc;
use crate::run::shard::{Command, Report};
use crate::time::{Day, Window, WindowKind, wall};

/// Rows of this epoch, by table.
#[derive(Default)]
struct Rows(BTreeMap<String, Vec<RecordBatch>>);

impl Rows {
    fn add(&mut self, table: impl Into<String>, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.0.entry(table.into()).or_default().push(batch);
        }
    }
}

impl Publisher {
    /// Publishes one epoch if there is something to publish; `force` revises every touched window that has ended.
    pub(super) async fn publish(
        &mut self,
        reports: &mut UnboundedReceiver<Report>,
        force: bool,
    ) -> Result<Option<&EpochRecord>, PublishError> {
        let rounds = self.run_rounds(reports, force).await?;
        let moved = self.grid.is_dirty() || self.alerting.has_rows();
        if self.pending.is_empty() && rounds.is_empty() && !moved {
            return Ok(None);
        }
        let epoch = self.state.epoch + 1;
        let mut rows = Rows::default();
        let (mut published, mut changes) = self.metric_revisions(&rounds, epoch, &mut rows).await?;
        let mut records = self.dead_letter_records();
        let feed = self.feed_revisions(epoch, &mut rows, &mut published, &mut records)?;
        // The intent will be the next record of this log: only its owner can extend it.
        let number = self.log.last().number + 1;
        let own = alert::seal(super::OWN_ALERTS, number, &mut changes);
        self.alert_rows(&own, epoch, &mut rows)?;
        self.sealed_rows(epoch, &mut rows)?;
        self.epoch_rows(epoch, &mut rows)?;

        let tag = format!("{}-{epoch}", self.log.claim_id().number);
        let mut tables = BTreeMap::new();
        for (table, batches) in &rows.0 {
            let Some(spec) = self.specs.get(table) else {
                continue;
            };
            let mut changes = Changes {
                add: self.tables.stage(spec, batches, &tag).await?,
                compactions: Vec::new(),
            };
            if epoch % COMPACT_EVERY == 0
                && let Some(version) = self.versions.get(table)
            {
                changes.compactions = self.tables.compact(spec, *version, &tag).await?;
            }
            tables.insert(table.clone(), changes);
        }

        self.state.epoch = epoch;
        self.state.cut.clone_from(&self.heard);
        self.state.rules = self
            .rules
            .iter()
            .map(|rule| rule.save())
            .collect::<Result<_, _>>()?;
        let mut state = self.state.clone();
        let now_ms = self.live_or_clock_ms();
        let outbox = state
            .outboxes
            .entry(super::OWN_ALERTS.to_owned())
            .or_default();
        outbox.add(own.clone(), &self.alerting.routes(), now_ms);
        let intent = Intent {
            version: ENTRY_VERSION,
            state,
            published,
            tables,
            feed,
            records,
        };
        let entry = Entry::Intent(Box::new(intent));
        let payload = Bytes::from(postcard::to_stdvec(&entry)?);
        self.log.append(payload).await?;
        let Entry::Intent(intent) = entry else {
            return Ok(None);
        };
        for (metric, window, keys) in &intent.published {
            self.published.accept(metric, *window, keys.clone());
        }
        self.pending.clear();
        self.pending_bytes = 0;
        self.alerting
            .send(&mut self.state.outboxes, super::OWN_ALERTS, own, now_ms);
        self.roll_forward(&intent).await?;
        if epoch % self.settings.base_every == 0 {
            self.write_base().await?;
        }
        Ok(self.last.as_ref())
    }

    /// From a sealed intent to its epoch record; may be repeated from any point.
    pub(super) async fn roll_forward(&mut self, intent: &Intent) -> Result<(), PublishError> {
        let epoch = intent.state.epoch;
        for (table, changes) in &intent.tables {
            let version = self.tables.commit(table, epoch, changes).await?;
            self.versions.insert(table.clone(), version);
        }
        self.send_records(&intent.records).await?;
        let record = EpochRecord {
            epoch,
            committed_at_ms: wall::now_ms(),
            cut: intent.state.cut.clone(),
            tables: self.versions.clone(),
            finality: self.finality(),
            reference: intent.state.reference.clone(),
            drained_to_ms: intent.state.drained_to_ms,
            clocks: intent.state.clocks.clone(),
            unrevised: intent.state.unrevised(self.settings.zone),
        };
        let payload = Bytes::from(postcard::to_stdvec(&Entry::Epoch(record.clone()))?);
        self.log.append(payload).await?;
        self.last = Some(record);
        Ok(())
    }

    fn finality(&self) -> Vec<FinalUntil> {
        let clocks = &self.state.planner.finality;
        let mut all = Vec::new();
        for metric in self.metrics.iter() {
            let Some(until_ms) = final_until_ms(metric, clocks, &self.settings.lateness) else {
                continue;
            };
            for kind in &metric.windows {
                let feed = self
                    .feed
                    .as_ref()
                    .filter(|feed| feed.metric == metric.name && *kind == WindowKind::D1);
                let tables = [
                    Some(format!("metrics.{}", metric.name)),
                    feed.map(FeedDefinition::table),
                ];
                all.extend(tables.into_iter().flatten().map(|table| FinalUntil {
                    table,
                    window_kind: kind.to_string(),
                    until_ms,
                }));
            }
        }
        all
    }

    /// Whether windows wait for a round.
    pub(super) fn has_due(&self, force: bool) -> bool {
        let now_ms = wall::now_ms();
        let revise_every =
            i64::try_from(self.settings.revise_every.as_millis()).unwrap_or(i64::MAX);
        let planner = &self.state.planner;
        !planner
            .due(
                self.settings.zone,
                &self.clocks(),
                now_ms,
                revise_every,
                force,
            )
            .is_empty()
    }

    /// Opens the rounds that are due and waits until every shard has answered.
    async fn run_rounds(
        &mut self,
        reports: &mut UnboundedReceiver<Report>,
        force: bool,
    ) -> Result<Vec<(u64, RoundKey)>, PublishError> {
        if self.commands.is_empty() {
            return Ok(Vec::new());
        }
        let now_ms = wall::now_ms();
        let revise_every =
            i64::try_from(self.settings.revise_every.as_millis()).unwrap_or(i64::MAX);
        let zone = self.settings.zone;
        let mut due = self
            .state
            .planner
            .due(zone, &self.clocks(), now_ms, revise_every, force);
        // The oldest first; what is left over goes out with the next epoch, so that catching up shows progress.
        due.sort_by_key(|key| (key.window.end, key.window.kind));
        due.truncate(ROUNDS_PER_EPOCH);
        let mut rounds = Vec::new();
        for key in due {
            self.next_round += 1;
            let round = self.next_round;
            self.answers.insert(round, BTreeMap::new());
            let metrics = Planner::metrics_of(&self.metrics, &key)
                .iter()
                .map(|metric| metric.name.clone())
                .collect();
            self.ask_all(&Command::Answer {
                round,
                window: key.window,
                metrics,
            });
            // What is touched from now on is not in the answers for sure, so it is marked again.
            self.state.planner.opened(&key, now_ms);
            rounds.push((round, key));
        }
        let shards = self.settings.shards as usize;
        while rounds
            .iter()
            .any(|(round, _)| self.answers.get(round).is_none_or(|a| a.len() < shards))
        {
            let report = reports.recv().await;
            self.hear(report)?;
        }
        Ok(rounds)
    }

    /// Rows of the rounds that say something new.
    async fn metric_revisions(
        &mut self,
        rounds: &[(u64, RoundKey)],
        epoch: i64,
        rows: &mut Rows,
    ) -> Result<(Revisions, Vec<Change>), PublishError> {
        let zone = self.settings.zone;
        let metrics = self.metrics.clone();
        let clocks = self.clocks();
        let (mut published, mut alerts) = (Revisions::new(), Vec::new());
        for (round, key) in rounds {
            let answers = self.answers.remove(round).unwrap_or_default();
            for metric in Planner::metrics_of(&metrics, key) {
                let mut parts = Vec::new();
                for (_, ipc) in answers
                    .values()
                    .flatten()
                    .filter(|(name, _)| *name == metric.name)
                {
                    parts.extend(from_ipc(ipc)?);
                }
                let result = evaluate_public(metric, key.window, zone, &parts).await?;
                self.feed_cells(metric, key.window, &result).await?;
                let changes = self.published.compare(metric, key.window, &result)?;
                if changes.keys.is_empty() {
                    continue;
                }
                let was_final = final_until_ms(
                    metric,
                    &self.state.planner.finality,
                    &self.settings.lateness,
                )
                .is_some_and(|until| key.window.end_ms(zone) <= until);
                let stamp = Stamp {
                    window: key.window,
                    zone,
                    restated: was_final && self.published.knows(&metric.name, key.window),
                    emitted_at_ms: wall::now_ms(),
                    epoch,
                };
                let table = format!("metrics.{}", metric.name);
                let batch = metric_rows(&changes, &metric.table, &stamp)?;
                let now = Now {
                    clock_ms: clocks.get(&key.clock).copied().unwrap_or(i64::MIN),
                    live_ms: None,
                };
                for rule in &mut self.rules {
                    if matches!(rule.input(), Input::Rows { metric: name, window_kind }
                        if name == metric.name && window_kind == key.window.kind.as_str())
                    {
                        alerts.extend(rule.observe(&batch, now)?);
                    }
                }
                rows.add(table, batch);
                published.push((metric.name.clone(), key.window, changes.keys));
            }
        }
        self.state.planner.finality = clocks;
        Ok((published, alerts))
    }

    /// Events, facts and what became of every record, from the seals of this epoch.
    fn sealed_rows(&mut self, epoch: i64, rows: &mut Rows) -> Result<(), PublishError> {
        let zone = self.settings.zone;
        let shards = self.settings.shards;
        let (mut dead, mut late, mut counted) = (Vec::new(), Vec::new(), Vec::new());
        let mut orphans = Vec::new();
        for pending in &self.pending {
            let (seal, shard) = (&pending.seal, pending.shard);
            for (topic, ipc) in &seal.events {
                let table = format!("events.{}", topic.name());
                let Some(schema) = self.schema_of(&table) else {
                    continue;
                };
                let keyed = topic.is_keyed();
                let mine = |partition: i32| keyed || partition.unsigned_abs() % shards == shard;
                for batch in event_rows(ipc, &schema, zone, epoch, mine)? {
                    rows.add(table.clone(), batch);
                }
            }
            for (name, ipc) in &seal.facts {
                let table = format!("facts.{name}");
                let Some(schema) = self.schema_of(&table) else {
                    continue;
                };
                for batch in fact_rows(ipc, &schema, epoch)? {
                    rows.add(table.clone(), batch);
                }
            }
            let topic = |input| super::topic_of(input, &self.settings.topic_names);
            dead.extend(seal.dead_letters.iter().map(|letter| {
                DeadLetterRow::new(
                    letter,
                    topic(&letter.input),
                    shard,
                    epoch,
                    zone,
                    seal.sealed_at_ms,
                )
            }));
            late.extend(
                seal.late_events
                    .iter()
                    .map(|event| LateRow::new(event, topic(&event.input), shard, epoch, zone)),
            );
            // Every shard reads prices whole; the first speaks for all.
            orphans.extend(
                seal.orphans
                    .iter()
                    .filter(|orphan| orphan.topic.is_keyed() || shard == 0)
                    .map(|orphan| OrphanFact::new(orphan, epoch, zone)),
            );
            for input in seal.inputs.iter().filter(|input| input.accounted) {
                let key = (shard, input.input.topic.clone(), input.input.partition);
                let before = self
                    .state
                    .counted
                    .insert(key, input.counters)
                    .unwrap_or_default();
                let now = input.counters;
                if now.read == before.read {
                    continue;
                }
                counted.push(ConservationRow {
                    shard,
                    seal: pending.number,
                    topic: topic(&input.input).to_owned(),
                    partition: input.input.partition,
                    read_n: now.read - before.read,
                    accepted_n: now.accepted - before.accepted,
                    duplicate_n: now.duplicate - before.duplicate,
                    dead_letter_n: now.dead - before.dead,
                    too_late_n: now.too_late - before.too_late,
                    sealed_at: seal.sealed_at_ms * 1000,
                    epoch,
                    event_date: zone.day_of(seal.sealed_at_ms).date().to_string(),
                });
            }
        }
        self.add_plain(rows, "facts.orphans", &orphans)?;
        self.add_plain(rows, "ops.dead_letters", &dead)?;
        self.add_plain(rows, "ops.late_events", &late)?;
        self.add_plain(rows, "ops.conservation", &counted)
    }

    /// A day of the feed's metric: what it says of each series.
    async fn feed_cells(
        &mut self,
        metric: &Metric,
        window: Window,
        rows: &RecordBatch,
    ) -> Result<(), PublishError> {
        let Some(feed) = self.feed.clone() else {
            return Ok(());
        };
        if feed.metric != metric.name || window.kind != WindowKind::D1 {
            return Ok(());
        }
        let name = feed.table();
        let result = evaluate_over(
            &name,
            &metric.name,
            rows,
            &feed.sql,
            window,
            self.settings.zone,
        );
        let cells = feed::cells(&feed, &result.await?)?;
        self.grid.update(window.first, cells.clone());
        self.feed_days.push((window.first, cells));
        Ok(())
    }

    /// Rows and records of the feed's days that changed or became complete.
    fn feed_revisions(
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
        let (Some(schema), Some(last)) = (self.schema_of(&table), self.last_complete_day(&feed))
        else {
            return Ok(self.grid.change(days));
        };
        self.grid.complete(last);
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

    /// The last day whose end the clock has passed. Days that only draining completed do not count: nothing was observed there.
    fn last_complete_day(&self, feed: &FeedDefinition) -> Option<Day> {
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
    fn dead_letter_records(&self) -> Vec<OutRecord> {
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
                    headers.push((format!("vitrine-{name}"), Some(value.into_bytes())));
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
    async fn send_records(&self, records: &[OutRecord]) -> Result<(), PublishError> {
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

    fn alert_rows(
        &mut self,
        own: &[Transition],
        epoch: i64,
        rows: &mut Rows,
    ) -> Result<(), PublishError> {
        let zone = self.settings.zone;
        let tables = ["ops.alerts", "ops.deliveries"].map(|table| self.schema_of(table));
        if let [Some(alerts), Some(deliveries)] = tables {
            let (alerts, deliveries) =
                self.alerting
                    .take_rows(own, &alerts, &deliveries, zone, epoch)?;
            rows.add("ops.alerts", alerts);
            rows.add("ops.deliveries", deliveries);
        }
        Ok(())
    }

    /// How the shards stand, and what the epoch before this one consisted of.
    fn epoch_rows(&mut self, epoch: i64, rows: &mut Rows) -> Result<(), PublishError> {
        let emitted_at = wall::now_ms() * 1000;
        let mut newest: BTreeMap<u32, &super::Pending> = BTreeMap::new();
        for pending in &self.pending {
            newest.insert(pending.shard, pending);
        }
        let mut watermarks = Vec::new();
        for (shard, pending) in newest {
            for input in pending.seal.inputs.iter().filter(|input| input.accounted) {
                let topic = super::topic_of(&input.input, &self.settings.topic_names);
                let bound = self.settings.bounds.get(topic).copied().unwrap_or(0);
                let late = self.settings.lateness.get(topic).copied().unwrap_or(0);
                let at = |less: i64| input.highest_ms.map(|ms| (ms - less) * 1000);
                watermarks.push(WatermarkRow {
                    epoch,
                    shard,
                    topic: topic.to_owned(),
                    partition: input.input.partition,
                    next_offset: input.next_offset,
                    watermark_at: at(bound),
                    horizon_at: at(bound + late),
                    is_at_end: input.at_end,
                    emitted_at,
                });
            }
        }
        self.add_plain(rows, "ops.watermarks", &watermarks)?;
        self.rule_rows(epoch, rows)?;
        let Some(last) = &self.last else {
            return Ok(());
        };
        let cut = serde_json::to_string(&last.cut).unwrap_or_default();
        let epochs: Vec<EpochRow> = last
            .tables
            .iter()
            .map(|(table, version)| EpochRow {
                epoch: last.epoch,
                committed_at: last.committed_at_ms * 1000,
                table_name: table.clone(),
                version: *version,
                cut: cut.clone(),
            })
            .collect();
        let finality: Vec<FinalityRow> = last
            .finality
            .iter()
            .map(|row| FinalityRow {
                table_name: row.table.clone(),
                window_kind: row.window_kind.clone(),
                final_until: row.until_ms * 1000,
                epoch: last.epoch,
            })
            .collect();
        self.add_plain(rows, "ops.epochs", &epochs)?;
        self.add_plain(rows, "ops.finality", &finality)
    }

    /// Rules that are new in the table.
    fn rule_rows(&mut self, epoch: i64, rows: &mut Rows) -> Result<(), PublishError> {
        let mut new = Vec::new();
        for card in &self.settings.rules {
            let listed = (card.rule_id.clone(), card.rule_version);
            if self.state.rules_listed.insert(listed) {
                new.push(RuleRow {
                    card: card.clone(),
                    loaded_at: wall::now_ms() * 1000,
                    epoch,
                });
            }
        }
        self.add_plain(rows, "ops.rules", &new)
    }

    fn add_plain<R: serde::Serialize>(
        &self,
        rows: &mut Rows,
        table: &str,
        plain: &[R],
    ) -> Result<(), PublishError> {
        if let Some(schema) = self.schema_of(table).filter(|_| !plain.is_empty()) {
            rows.add(table, plain_rows(plain, &schema)?);
        }
        Ok(())
    }
}

/// Windows computed for one epoch at most.
const ROUNDS_PER_EPOCH: usize = 16;

/// Where dead letters of a topic go.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// How often an epoch's records are tried before the process ends with the reason.
const SEND_TRIES: usize = 20;

/// Epochs between two looks at how many small files there are.
const COMPACT_EVERY: i64 = 8;
