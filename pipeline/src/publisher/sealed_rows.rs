//! Rows of this epoch from what the shards sealed, and about the epoch itself.

use std::collections::BTreeMap;

use schemas::event::Topic;
use schemas::time::TimestampMs;

use super::assemble::TableRows;
use super::dead_letter_rows::SealedLetters;
use super::event::SealedRecord;
use super::machine::Machine;
use super::rows::{
    ConservationRow, EpochRow, FinalityRow, LateRow, OrphanFact, RuleRow, WatermarkRow, event_rows,
    fact_rows, plain_rows,
};
use crate::decode::TopicSettings;
use crate::error::Result;
use crate::kafka::TopicPartition;

const DEAD_LETTERS: &str = "ops.dead_letters";

impl Machine {
    /// Events, facts and what became of every record, from the seals of this epoch.
    pub(super) fn sealed_rows(&mut self, epoch: i64, rows: &mut TableRows) -> Result<()> {
        let zone = self.settings.zone;
        let shards = self.settings.shards;
        let (mut late, mut counted) = (Vec::new(), Vec::new());
        let mut orphans = Vec::new();
        for pending in self.seals.collected() {
            let (seal, shard) = (&pending.seal, pending.shard);
            for (topic, ipc) in &seal.events {
                let table = format!("events.{}", topic.name());
                let Some(schema) = self.schemas.get(&table).cloned() else {
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
                let Some(schema) = self.schemas.get(&table).cloned() else {
                    continue;
                };
                for batch in fact_rows(ipc, &schema, epoch)? {
                    rows.add(table.clone(), batch);
                }
            }
            if let Some(schema) = self.schemas.get(DEAD_LETTERS)
                && !seal.dead_letters.is_empty()
            {
                let sealed = SealedLetters {
                    letters: &seal.dead_letters,
                    shard,
                    epoch,
                    zone,
                    sealed_at: seal.sealed_at,
                };
                rows.add(DEAD_LETTERS, sealed.rows(schema)?);
            }
            let late_events = seal.late_events.iter();
            late.extend(late_events.map(|event| LateRow::new(event, shard, epoch, zone)));
            // Every shard reads prices whole; the first speaks for all.
            orphans.extend(
                seal.orphans
                    .iter()
                    .filter(|orphan| orphan.topic.is_keyed() || shard == 0)
                    .map(|orphan| {
                        let topic = name_of(orphan.topic, &self.settings.topics);
                        OrphanFact::new(orphan, topic, epoch, zone)
                    }),
            );
            for input in seal.inputs.iter().filter(|input| input.accounted) {
                let key = (shard, input.input.topic.clone(), input.input.partition);
                let before = self
                    .durable
                    .state
                    .counted
                    .insert(key, input.counters)
                    .unwrap_or_default();
                let now = input.counters;
                if now == before {
                    continue;
                }
                counted.push(ConservationRow {
                    shard,
                    seal: pending.number,
                    topic: input.input.topic.clone(),
                    partition: input.input.partition,
                    read_n: now.read - before.read,
                    accepted_n: now.accepted - before.accepted,
                    duplicate_n: now.duplicate - before.duplicate,
                    dead_letter_n: now.dead - before.dead,
                    too_late_n: now.too_late - before.too_late,
                    missing_n: now.missing - before.missing,
                    sealed_at: seal.sealed_at.as_micros(),
                    epoch,
                    event_date: zone.day_of(seal.sealed_at).date().to_string(),
                });
            }
        }
        self.add_plain(rows, "facts.orphans", &orphans)?;
        self.add_plain(rows, "ops.late_events", &late)?;
        self.add_plain(rows, "ops.conservation", &counted)
    }

    /// How the shards stand, and what the epoch before this one consisted of.
    pub(super) fn epoch_rows(
        &mut self,
        epoch: i64,
        wall_time: TimestampMs,
        rows: &mut TableRows,
    ) -> Result<()> {
        let emitted_at = wall_time.as_micros();
        let mut newest: BTreeMap<u32, &SealedRecord> = BTreeMap::new();
        for pending in self.seals.collected() {
            newest.insert(pending.shard, pending);
        }
        let mut watermarks = Vec::new();
        for (shard, pending) in newest {
            for input in pending.seal.inputs.iter().filter(|input| input.accounted) {
                let settings = settings_of(&input.input, &self.settings.topics);
                let watermark = settings.zip(input.time.highest());
                watermarks.push(WatermarkRow {
                    epoch,
                    shard,
                    topic: input.input.topic.clone(),
                    partition: input.input.partition,
                    next_offset: input.next_offset,
                    watermark_at: watermark
                        .map(|(of, highest)| of.time.watermark(highest).as_micros()),
                    horizon_at: input.time.limit().map(TimestampMs::as_micros),
                    is_at_end: input.at_end,
                    emitted_at,
                });
            }
        }
        self.add_plain(rows, "ops.watermarks", &watermarks)?;
        self.rule_rows(epoch, wall_time, rows)?;
        let Some(last) = &self.durable.last else {
            return Ok(());
        };
        let cut = serde_json::to_string(&last.cut).unwrap_or_default();
        let epochs: Vec<EpochRow> = last
            .tables
            .iter()
            .map(|(table, version)| EpochRow {
                epoch: last.epoch,
                committed_at: last.committed_at.as_micros(),
                table_name: table.clone(),
                version: version.version,
                cut: cut.clone(),
            })
            .collect();
        let finality: Vec<FinalityRow> = last
            .finality
            .iter()
            .map(|row| FinalityRow {
                table_name: row.table.clone(),
                window_kind: row.window_kind.clone(),
                final_until: row.until.as_micros(),
                epoch: last.epoch,
            })
            .collect();
        self.add_plain(rows, "ops.epochs", &epochs)?;
        self.add_plain(rows, "ops.finality", &finality)
    }

    /// Whether `ops.rules` lacks a rule: true once, at the start of a storage or of a new version of a rule.
    pub(super) fn has_unlisted_rules(&self) -> bool {
        let listed = &self.durable.state.rules_listed;
        let mut cards = self.settings.rules.iter();
        cards.any(|card| !listed.contains(&(card.rule_id.to_string(), card.rule_version)))
    }

    /// Rules that are new in the table.
    pub(super) fn rule_rows(
        &mut self,
        epoch: i64,
        wall_time: TimestampMs,
        rows: &mut TableRows,
    ) -> Result<()> {
        let mut new = Vec::new();
        for card in &self.settings.rules {
            let listed = (card.rule_id.to_string(), card.rule_version);
            if self.durable.state.rules_listed.insert(listed) {
                new.push(RuleRow {
                    card: card.clone(),
                    loaded_at: wall_time.as_micros(),
                    epoch,
                });
            }
        }
        self.add_plain(rows, "ops.rules", &new)
    }

    pub(super) fn add_plain<R: serde::Serialize>(
        &self,
        rows: &mut TableRows,
        table: &str,
        plain: &[R],
    ) -> Result<()> {
        if let Some(schema) = self.schemas.get(table).filter(|_| !plain.is_empty()) {
            rows.add(table, plain_rows(plain, schema)?);
        }
        Ok(())
    }
}

/// The settings of an input's topic.
fn settings_of<'t>(
    input: &TopicPartition,
    topics: &'t [TopicSettings],
) -> Option<&'t TopicSettings> {
    topics.iter().find(|of| of.name == input.topic)
}

/// The configured name of a topic, which stands in `ops.*` (K31).
fn name_of(topic: Topic, topics: &[TopicSettings]) -> &str {
    let mut topics = topics.iter();
    topics
        .find(|of| of.topic == topic)
        .map_or(topic.default_topic(), |of| &of.name)
}
