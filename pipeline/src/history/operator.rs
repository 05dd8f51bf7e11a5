//! What an author of an operator writes against.

use std::hash::Hash;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;
use serde::{Serialize, de::DeserializeOwned};

use crate::columns::{EventHead, FactTable};
use crate::error::Result;

/// Where the record of an event stood. It tells two accepted events of one id apart: an id may be accepted again once it is
/// forgotten (K6), by another partition, and by each topic.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
pub struct EventPlace {
    pub topic: Topic,
    pub partition: i32,
    pub offset: i64,
}

impl EventPlace {
    /// Where the event of a row stood.
    pub fn of(topic: Topic, head: &EventHead<'_>, row: usize) -> Self {
        let (partition, offset) = head.place(row);
        Self {
            topic,
            partition,
            offset,
        }
    }
}

/// An accepted event that leaves every history, because a correction names it (K23).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemovedEvent {
    pub event_id: Arc<str>,
    pub place: EventPlace,
}

/// The total order of events: (`occurred_at`, `recorded_at`, `event_id`), K8; accepted events that agree in all three have the
/// order of their places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub struct EventOrder {
    pub occurred_at: TimestampMs,
    pub recorded_at: TimestampMs,
    pub event_id: Arc<str>,
    pub place: EventPlace,
    /// Which entry of its event this is (an event with five lines may leave five entries).
    pub part: u32,
}

impl EventOrder {
    /// Whether this is an entry of the event `removed`.
    pub fn is_of(&self, removed: &RemovedEvent) -> bool {
        self.place == removed.place && self.event_id == removed.event_id
    }
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
///
/// ```
/// use std::sync::Arc;
///
/// use arrow::record_batch::RecordBatch;
/// use pipeline::columns::{Columns, FactColumn, FactTable};
/// use pipeline::error::Result;
/// use pipeline::history::{
///     Fact, HistoryEntry, KeyedHistory, KeyedOperator, Operator, OperatorContext, ReferenceState,
///     RemovedEvent,
/// };
/// use pipeline::time::Zone;
/// use schemas::event::{EventBatchBuilder, Limits, Place, Topic, TopicSet, decode};
/// use schemas::time::TimestampMs;
///
/// #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
/// struct FirstOrder {
///     customer_id: Arc<str>,
///     placed_at: TimestampMs,
/// }
///
/// static TABLE: FactTable<FirstOrder> = FactTable::new(
///     "First order of each customer (首单)",
///     &[
///         FactColumn::text("customer_id", "customer (客户)", |fact| &fact.customer_id),
///         FactColumn::instant("placed_at", "when it was placed (下单时间)", |fact| fact.placed_at),
///     ],
/// );
///
/// impl Fact for FirstOrder {
///     fn table() -> &'static FactTable<Self> {
///         &TABLE
///     }
///     fn instant(&self) -> TimestampMs {
///         self.placed_at
///     }
/// }
///
/// struct FirstOrders;
///
/// impl Operator for FirstOrders {
///     type Reference = NoReference;
///     type Key = Arc<str>;
///     type Event = ();
///     type Fact = FirstOrder;
///
///     fn name(&self) -> &'static str {
///         "first_orders"
///     }
///     fn topics(&self) -> TopicSet {
///         Topic::Orders.into()
///     }
///     fn project(
///         &self,
///         _topic: Topic,
///         batch: &RecordBatch,
///         emit: &mut dyn FnMut(usize, Arc<str>, ()),
///     ) -> Result<()> {
///         let columns = Columns::of(batch);
///         let event_type = columns.text("event_type")?;
///         let customer_id = columns.text("customer_id")?;
///         for row in (0..batch.num_rows()).filter(|&row| event_type.is(row, "order.placed")) {
///             if let Some(customer) = customer_id.shared(row) {
///                 emit(row, customer, ());
///             }
///         }
///         Ok(())
///     }
///     fn facts(
///         &self,
///         customer_id: &Arc<str>,
///         history: &[HistoryEntry<()>],
///         _context: &mut OperatorContext<'_, NoReference>,
///         out: &mut Vec<FirstOrder>,
///     ) {
///         out.extend(history.first().map(|entry| FirstOrder {
///             customer_id: customer_id.clone(),
///             placed_at: entry.stamp.occurred_at,
///         }));
///     }
/// }
///
/// let zone = Zone(chrono_tz::Asia::Shanghai);
/// let mut operator: Box<dyn KeyedOperator<NoReference>> =
///     Box::new(KeyedHistory::new(FirstOrders, zone));
/// // Rows of the changelog after one more order of customer C1.
/// let mut place_order = |event_id: &str, placed_at: i64| {
///     let record = format!(
///         r#"{{"event_id":"{event_id}","event_type":"order.placed","schema_version":1,
///         "occurred_at":{placed_at},"recorded_at":{placed_at},"customer_id":"C1","order_id":"O1",
///         "lines":[{{"line_no":1,"sku_id":"S1","requested_qty":3}}]}}"#
///     );
///     let event = decode(Topic::Orders, Some(record.as_bytes()), &Limits::default()).unwrap();
///     let mut events = EventBatchBuilder::new(Topic::Orders);
///     events.append(&event, &Place { partition: 0, offset: 0, timestamp: None });
///     operator.insert(Topic::Orders, &events.finish(), &[false], &[]).unwrap();
///     let changelog = operator.run(TimestampMs::from_ms(placed_at), &NoReference).unwrap();
///     changelog.map_or(0, |changelog| changelog.facts.num_rows())
/// };
/// assert_eq!(place_order("e-2", 1_767_661_200_000), 1);
/// // An earlier order arrives late: the first fact is retracted (weight -1), another holds (weight +1).
/// assert_eq!(place_order("e-1", 1_767_657_600_000), 2);
/// // A later order changes nothing.
/// assert_eq!(place_order("e-3", 1_767_664_800_000), 0);
///
/// /// No reference data and no list prices.
/// struct NoReference;
///
/// impl ReferenceState for NoReference {
///     fn apply(
///         &mut self,
///         _topic: Topic,
///         _batch: &RecordBatch,
///         _skip: &[bool],
///         _removed: &[RemovedEvent],
///     ) -> Result<Vec<Arc<str>>> {
///         Ok(Vec::new())
///     }
///     fn as_of(&self, _instant: TimestampMs) -> Result<Vec<(&'static str, RecordBatch)>> {
///         Ok(Vec::new())
///     }
///     fn save(&self) -> Result<Vec<u8>> {
///         Ok(Vec::new())
///     }
///     fn load(&mut self, _bytes: &[u8]) -> Result<()> {
///         Ok(())
///     }
/// }
/// ```
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

    /// The facts of one key. `history` is ordered by [`EventOrder`] and free of corrected events; it may be empty (then there
    /// are no facts).
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
    /// Ingests accepted events of `topic` but those whose row is marked in `skip`, and removes the events `removed`.
    /// Returns which dependencies (see [`OperatorContext::read`]) have changed.
    fn apply(
        &mut self,
        topic: Topic,
        batch: &RecordBatch,
        skip: &[bool],
        removed: &[RemovedEvent],
    ) -> Result<Vec<Arc<str>>>;

    /// Tables `asof.<name>` as they stand at `instant`, for `shard.sql` and `public.sql`.
    fn as_of(&self, instant: TimestampMs) -> Result<Vec<(&'static str, RecordBatch)>>;

    /// What it learnt from events, for a checkpoint (reference data are files and not part of it).
    fn save(&self) -> Result<Vec<u8>>;
    /// Restores what [`ReferenceState::save`] gave.
    fn load(&mut self, bytes: &[u8]) -> Result<()>;
}
