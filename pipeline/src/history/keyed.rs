//! Histories by key, and the changelog from the facts that held before to those that hold now.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int64Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;

use super::operator::{
    EventOrder, EventPlace, Fact, HistoryEntry, Operator, OperatorContext, RemovedEvent,
};
use crate::columns;
use crate::error::Result;
use crate::time::Zone;

/// Name of the column that makes facts retractable.
pub const WEIGHT: &str = "weight";
/// Name of the column with the local day of a fact's instant, the key of its pane.
pub const PANE: &str = "pane";

/// Keys with their histories, as they stand in a checkpoint.
type Histories<K, H> = Vec<(K, H)>;

/// Weighted facts of one run.
pub struct Changelog {
    /// All of them, for the panes.
    pub facts: RecordBatch,
    /// Those that belong to this shard's public table.
    pub public: RecordBatch,
}

/// An operator with its histories, its types erased: what a shard drives.
pub trait KeyedOperator<R>: Send {
    fn name(&self) -> &'static str;
    fn topics(&self) -> TopicSet;
    /// Columns of its fact table, then [`PANE`] and [`WEIGHT`].
    fn schema(&self) -> SchemaRef;
    /// Ingests a batch of accepted events, without the rows marked in `skip`, and removes corrected ones.
    fn insert(
        &mut self,
        topic: Topic,
        batch: &RecordBatch,
        skip: &[bool],
        removed: &[RemovedEvent],
    ) -> Result<()>;
    /// Keys that read one of `dependencies` run again.
    fn touch_readers(&mut self, dependencies: &[Arc<str>]);
    /// Every key runs again (new reference data, or after restoring a checkpoint).
    fn touch_all(&mut self);
    /// Runs the touched keys and those whose timer the clock has reached.
    fn run(&mut self, clock: TimestampMs, reference: &R) -> Result<Option<Changelog>>;
    /// Keys with a history.
    fn keys(&self) -> usize;
    /// The earliest timer.
    fn next_timer(&self) -> Option<TimestampMs>;
    fn save(&self) -> Result<Vec<u8>>;
    /// Restores what [`KeyedOperator::save`] gave and marks every key as touched: facts are computed anew.
    fn load(&mut self, bytes: &[u8]) -> Result<()>;
}

struct KeyState<E, F> {
    history: Vec<HistoryEntry<E>>,
    /// What was emitted and holds, sorted.
    facts: Vec<F>,
    timer: Option<TimestampMs>,
    reads: Vec<Arc<str>>,
}

impl<E, F> Default for KeyState<E, F> {
    fn default() -> Self {
        Self {
            history: Vec::new(),
            facts: Vec::new(),
            timer: None,
            reads: Vec::new(),
        }
    }
}

/// One operator and the histories of its keys.
pub struct KeyedHistory<O: Operator> {
    operator: O,
    slots: HashMap<O::Key, KeyState<O::Event, O::Fact>>,
    /// Which keys an event went to, so that a correction finds it.
    places: HashMap<Arc<str>, Vec<O::Key>>,
    touched: BTreeSet<O::Key>,
    timers: BTreeSet<(TimestampMs, O::Key)>,
    readers: HashMap<Arc<str>, HashSet<O::Key>>,
    schema: SchemaRef,
    zone: Zone,
}

impl<O: Operator> KeyedHistory<O> {
    pub fn new(operator: O, zone: Zone) -> Self {
        let facts = O::Fact::table().schema();
        let mut fields: Vec<_> = facts.fields().iter().cloned().collect();
        fields.push(Arc::new(
            Field::new(PANE, DataType::Date32, false).with_metadata(columns::comment(
                "local date of the instant at which the fact counts (日期)",
            )),
        ));
        fields.push(Arc::new(
            Field::new(WEIGHT, DataType::Int64, false).with_metadata(columns::comment(
                "+1: holds, -1: no longer holds; what holds has a positive sum (权重)",
            )),
        ));
        let schema = Arc::new(Schema::new_with_metadata(fields, facts.metadata().clone()));
        Self {
            operator,
            slots: HashMap::new(),
            places: HashMap::new(),
            touched: BTreeSet::new(),
            timers: BTreeSet::new(),
            readers: HashMap::new(),
            schema,
            zone,
        }
    }

    /// Takes one event out of the histories. Another one that was accepted under the same id stays.
    fn remove(&mut self, event: &RemovedEvent) {
        let Some(mut keys) = self.places.remove(&event.event_id) else {
            return;
        };
        keys.retain(|key| {
            let Some(slot) = self.slots.get_mut(key) else {
                return false;
            };
            let before = slot.history.len();
            slot.history.retain(|entry| !entry.stamp.is_of(event));
            if slot.history.len() < before {
                self.touched.insert(key.clone());
            }
            let mut left = slot.history.iter();
            left.any(|entry| entry.stamp.event_id == event.event_id)
        });
        if !keys.is_empty() {
            self.places.insert(event.event_id.clone(), keys);
        }
    }

    /// Recomputes one key; pushes what changed.
    fn recompute(
        &mut self,
        key: &O::Key,
        clock: TimestampMs,
        reference: &O::Reference,
        out: &mut Vec<(O::Fact, i64)>,
    ) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let mut facts = Vec::with_capacity(slot.facts.len() + 1);
        let mut context = OperatorContext::new(clock, reference);
        self.operator
            .facts(key, &slot.history, &mut context, &mut facts);
        facts.sort_unstable();
        append_changelog(&slot.facts, &facts, out);
        slot.facts = facts;

        let (reads, timer) = context.into_requests();
        if slot.timer != timer {
            if let Some(old) = slot.timer {
                self.timers.remove(&(old, key.clone()));
            }
            if let Some(new) = timer {
                self.timers.insert((new, key.clone()));
            }
            slot.timer = timer;
        }
        if slot.reads != reads {
            for gone in slot.reads.iter().filter(|read| !reads.contains(read)) {
                if let Some(keys) = self.readers.get_mut(gone) {
                    keys.remove(key);
                }
            }
            for read in &reads {
                self.readers
                    .entry(read.clone())
                    .or_default()
                    .insert(key.clone());
            }
            slot.reads = reads;
        }
        if slot.history.is_empty() && slot.facts.is_empty() && slot.timer.is_none() {
            self.slots.remove(key);
        }
    }

    fn batch(&self, facts: &[O::Fact], weights: Vec<i64>) -> Result<RecordBatch, ArrowError> {
        let rows = O::Fact::table().batch(facts)?;
        let mut arrays: Vec<ArrayRef> = rows.columns().to_vec();
        arrays.push(Arc::new(Date32Array::from_iter_values(
            facts.iter().map(|fact| self.zone.day_of(fact.instant()).0),
        )));
        arrays.push(Arc::new(Int64Array::from(weights)));
        RecordBatch::try_new(self.schema.clone(), arrays)
    }
}

impl<O: Operator> KeyedOperator<O::Reference> for KeyedHistory<O> {
    fn name(&self) -> &'static str {
        self.operator.name()
    }

    fn topics(&self) -> TopicSet {
        self.operator.topics()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn insert(
        &mut self,
        topic: Topic,
        batch: &RecordBatch,
        skip: &[bool],
        removed: &[RemovedEvent],
    ) -> Result<()> {
        if !self.operator.topics().contains(topic) {
            return Ok(());
        }
        for event in removed {
            self.remove(event);
        }
        let head = columns::EventHead::of(batch)?;
        let mut last: Option<(usize, Arc<str>, u32)> = None;
        let Self {
            operator,
            slots,
            places,
            touched,
            ..
        } = self;
        operator.project(topic, batch, &mut |row, key, event| {
            if skip[row] {
                return;
            }
            let (event_id, part) = match last.take() {
                Some((same, event_id, part)) if same == row => (event_id, part + 1),
                _ => (Arc::from(head.event_id(row)), 0),
            };
            last = Some((row, event_id.clone(), part));
            let entry = HistoryEntry {
                stamp: EventOrder {
                    occurred_at: head.occurred_at(row),
                    recorded_at: head.recorded_at(row),
                    event_id: event_id.clone(),
                    place: EventPlace::of(topic, &head, row),
                    part,
                },
                event,
            };
            let history = &mut slots.entry(key.clone()).or_default().history;
            let place = history.partition_point(|other| other.stamp <= entry.stamp);
            history.insert(place, entry);
            let keys = places.entry(event_id).or_default();
            if !keys.contains(&key) {
                keys.push(key.clone());
            }
            touched.insert(key);
        })
    }

    fn touch_readers(&mut self, dependencies: &[Arc<str>]) {
        for dependency in dependencies {
            if let Some(keys) = self.readers.get(dependency) {
                self.touched.extend(keys.iter().cloned());
            }
        }
    }

    fn touch_all(&mut self) {
        self.touched.extend(self.slots.keys().cloned());
    }

    fn run(&mut self, clock: TimestampMs, reference: &O::Reference) -> Result<Option<Changelog>> {
        while let Some((at, _)) = self.timers.first() {
            if *at > clock {
                break;
            }
            if let Some((_, key)) = self.timers.pop_first() {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.timer = None;
                }
                self.touched.insert(key);
            }
        }
        let mut changes = Vec::new();
        for key in std::mem::take(&mut self.touched) {
            let before = changes.len();
            self.recompute(&key, clock, reference, &mut changes);
            debug_assert!(changes.len() >= before);
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let (facts, weights): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        let is_public: Vec<bool> = facts
            .iter()
            .map(|fact| self.operator.is_public(fact))
            .collect();
        let all = self.batch(&facts, weights)?;
        let public = if is_public.iter().all(|&of_this_shard| of_this_shard) {
            all.clone()
        } else {
            filter_record_batch(&all, &BooleanArray::from(is_public))?
        };
        Ok(Some(Changelog { facts: all, public }))
    }

    fn keys(&self) -> usize {
        self.slots.len()
    }

    fn next_timer(&self) -> Option<TimestampMs> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn save(&self) -> Result<Vec<u8>> {
        let mut histories: Histories<&O::Key, &[HistoryEntry<O::Event>]> = self
            .slots
            .iter()
            .map(|(key, slot)| (key, slot.history.as_slice()))
            .collect();
        histories.sort_by(|a, b| a.0.cmp(b.0));
        Ok(postcard::to_stdvec(&histories)?)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let histories: Histories<O::Key, Vec<HistoryEntry<O::Event>>> =
            postcard::from_bytes(bytes)?;
        for (key, history) in histories {
            for entry in &history {
                let keys = self.places.entry(entry.stamp.event_id.clone()).or_default();
                if !keys.contains(&key) {
                    keys.push(key.clone());
                }
            }
            self.touched.insert(key.clone());
            self.slots.entry(key).or_default().history = history;
        }
        Ok(())
    }
}

/// Appends the multiset difference of two sorted lists, as weights.
fn append_changelog<F: Fact>(before: &[F], after: &[F], out: &mut Vec<(F, i64)>) {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => out.extend(old.by_ref().map(|fact| (fact.clone(), -1))),
            (None, Some(_)) => out.extend(new.by_ref().map(|fact| (fact.clone(), 1))),
            (Some(a), Some(b)) => match a.cmp(b) {
                std::cmp::Ordering::Equal => {
                    old.next();
                    new.next();
                }
                std::cmp::Ordering::Less => out.extend(old.next().map(|fact| (fact.clone(), -1))),
                std::cmp::Ordering::Greater => {
                    out.extend(new.next().map(|fact| (fact.clone(), 1)));
                }
            },
        }
    }
}
