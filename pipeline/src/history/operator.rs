//! What an author of an operator writes against.

use std::hash::Hash;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;
use serde::{Serialize, de::DeserializeOwned};

use crate::columns::FactTable;
use crate::error::Result;

/// The total order of events: (`occurred_at`, `recorded_at`, `event_id`), K8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub struct EventOrder {
    pub occurred_at: TimestampMs,
    pub recorded_at: TimestampMs,
    pub event_id: Arc<str>,
    /// Which entry of its event this is (an event with five lines may leave five entries).
    pub part: u32,
}

/// One event in a history, in the operator's own compact form.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct HistoryEntry<E> {
    pub stamp: EventOrder,
    pub event: E,
}

/// What a call of [`Operator::facts`] may see beside the history, and what it may ask for.
pub struct OperatorContext<'a, R> {
    /// How far event time has come for the operator's topics. Decides *when*, never *what*.
    pub clock: TimestampMs,
    pub reference: &'a R,
    reads: Vec<Arc<str>>,
    timer: Option<TimestampMs>,
}

impl<'a, R> OperatorContext<'a, R> {
    pub fn new(clock: TimestampMs, reference: &'a R) -> Self {
        Self {
            clock,
            reference,
            reads: Vec::new(),
            timer: None,
        }
    }

    /// Declares that the facts depend on `dependency` (a SKU whose list price was looked up): when it changes, the key runs again.
    pub fn read(&mut self, dependency: &Arc<str>) {
        if !self.reads.contains(dependency) {
            self.reads.push(dependency.clone());
        }
    }

    /// Asks to be called again once the clock has reached `instant`; the earliest instant asked for counts.
    pub fn register_timer(&mut self, instant: TimestampMs) {
        self.timer = Some(self.timer.map_or(instant, |now| now.min(instant)));
    }

    /// Dependencies declared and the timer asked for.
    pub fn into_requests(self) -> (Vec<Arc<str>>, Option<TimestampMs>) {
        (self.reads, self.timer)
    }
}

/// A row of `facts.<name>` without its weight. Integers, text and fixed-point decimals only: sums must be exact.
pub trait Fact: Clone + Ord + Send + 'static {
    /// Its columns.
    fn table() -> &'static FactTable<Self>;
    /// The instant at which it counts; decides its pane.
    fn instant(&self) -> TimestampMs;
}

/// A pure function from the history of one key to facts; see the module's page.
pub trait Operator: Send + 'static {
    type Reference: ReferenceState;
    type Key: Clone + Eq + Ord + Hash + Send + Serialize + DeserializeOwned;
    type Event: Send + Serialize + DeserializeOwned;
    type Fact: Fact;

    /// Name of its fact table: `facts.<name>`.
    fn name(&self) -> &'static str;

    /// Topics whose watermarks make its clock.
    fn topics(&self) -> TopicSet;

    /// Picks what it needs from a batch of accepted events of `topic`: calls `emit(row, key, event)`, in the order in which
    /// the entries of one event are to stand. Never asked for topics outside [`Operator::topics`].
    fn project(
        &self,
        topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, Self::Key, Self::Event),
    ) -> Result<()>;

    /// The facts of one key. `history` is ordered by [`EventOrder`] and free of corrected events; it may be empty (then there are no facts).
    fn facts(
        &self,
        key: &Self::Key,
        history: &[HistoryEntry<Self::Event>],
        context: &mut OperatorContext<'_, Self::Reference>,
        out: &mut Vec<Self::Fact>,
    );

    /// Whether `fact` belongs to this shard's public table. Operators over the global topic keep every key and publish their own.
    fn is_public(&self, _fact: &Self::Fact) -> bool {
        true
    }
}

/// What every shard knows beside its keys: versioned reference data and what the global topic says (list prices).
pub trait ReferenceState: Send + 'static {
    /// Ingests accepted events of `topic` but those whose row is marked in `skip`, and removes `removed` event ids.
    /// Returns which dependencies (see [`OperatorContext::read`]) have changed.
    fn apply(
        &mut self,
        topic: Topic,
        batch: &RecordBatch,
        skip: &[bool],
        removed: &[Arc<str>],
    ) -> Result<Vec<Arc<str>>>;

    /// Tables `asof.<name>` as they stand at `instant`, for `shard.sql` and `public.sql`.
    fn as_of(&self, instant: TimestampMs) -> Result<Vec<(&'static str, RecordBatch)>>;

    /// What it learnt from events, for a checkpoint (reference data are files and not part of it).
    fn save(&self) -> Result<Vec<u8>>;
    /// Restores what [`ReferenceState::save`] gave.
    fn load(&mut self, bytes: &[u8]) -> Result<()>;
}
