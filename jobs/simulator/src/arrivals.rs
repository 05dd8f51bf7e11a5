//! Events on their way from the systems that record them to the logs.
//!
//! An event is posted when it happens, arrives after the delay of its source, and is handed on in the order of arrival.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use schemas::partition::partition_of;

use super::days::{MINUTE_MS, SECOND_MS};
use super::dirty::{Dirtier, Fate};
use super::payload::Payload;
use super::plan::{EventSink, Plan, SimTopic, SimulateError, SimulationSummary};
use super::random::{RandomGenerator, Stream};
use super::record::{SimulatedRecord, uuid_text};
use super::truth::SoldInterval;
use super::verdict::EventId;
use super::writer::RecordWriter;

/// Whom a record is about: the id that is its Kafka key.
#[derive(Clone, Copy)]
pub(super) enum Subject<'s> {
    Customer(&'s str),
    Staff(&'s str),
    Unit(&'s str),
    /// Of a price; the payload names the SKU itself.
    Sku(&'s str),
}

impl<'s> Subject<'s> {
    fn key(self) -> &'s str {
        match self {
            Self::Customer(id) | Self::Staff(id) | Self::Unit(id) | Self::Sku(id) => id,
        }
    }
}

/// Everything an event has beside its own fields.
pub(super) struct Envelope<'e> {
    pub topic: SimTopic,
    pub event_type: &'static str,
    pub occurred_at: i64,
    pub source: &'static str,
    pub subject: Subject<'e>,
    pub actor_id: Option<&'e str>,
    pub actor_role: &'static str,
    pub unit_id: Option<&'e str>,
    pub corrects: Option<EventId>,
}

/// Where events are posted.
pub(super) struct ArrivalQueue<'s> {
    under_way: BinaryHeap<Reverse<SimulatedRecord>>,
    posted: u64,
    partitions: u32,
    random: RandomGenerator,
    dirtier: Option<Dirtier>,
    writer: RecordWriter<'s>,
    flushed_at: i64,
    /// Nothing happens from here on.
    ends_at: i64,
}

/// How often arrivals are handed on while a day is simulated.
const FLUSH_EVERY_MS: i64 = 5 * MINUTE_MS;

impl<'s> ArrivalQueue<'s> {
    pub fn new(plan: &Plan, ends_at: i64, sink: &'s mut dyn EventSink) -> Self {
        Self {
            under_way: BinaryHeap::new(),
            posted: 0,
            partitions: plan.partitions,
            random: RandomGenerator::new(plan.seed, Stream::Envelopes),
            dirtier: plan.dirty.then(|| Dirtier::new(plan)),
            writer: RecordWriter::new(plan, sink),
            flushed_at: i64::MIN,
            ends_at,
        }
    }

    /// Posts an event, to arrive after its source's delay; returns its id. What would happen after the run's end does not.
    pub fn post(&mut self, envelope: &Envelope<'_>, fields: impl FnOnce(&mut Payload)) -> EventId {
        // A correction is written by somebody who looks at what was written first: later, within the same bound.
        let delay = match (envelope.topic, envelope.corrects) {
            (SimTopic::Orders, None) => self.random.between(200, 20 * SECOND_MS),
            (SimTopic::Orders, Some(_)) => self.random.between(25 * SECOND_MS, 55 * SECOND_MS),
            (SimTopic::Complaints, _) => self.random.between(50, 1_900),
            (_, None) => self.random.between(5 * SECOND_MS, 4 * MINUTE_MS),
            (_, Some(_)) => self.random.between(5 * MINUTE_MS, 9 * MINUTE_MS),
        };
        let recorded_at = envelope.occurred_at + delay;
        let event_id = self.event_id(envelope.occurred_at);
        if envelope.occurred_at >= self.ends_at {
            return event_id;
        }
        let mut payload = Payload::open();
        write_envelope(&mut payload, envelope, &event_id, recorded_at);
        fields(&mut payload);
        let key = envelope.subject.key();
        self.posted += 1;
        self.under_way.push(Reverse(SimulatedRecord {
            topic: envelope.topic,
            event_type: envelope.event_type,
            partition: partition_of(key.as_bytes(), self.partitions),
            key: key.into(),
            event_id,
            occurred_at: envelope.occurred_at,
            arrives_at: recorded_at,
            payload: payload.close(),
            is_settled: self.dirtier.is_none(),
            flaw: None,
            number: self.posted,
        }));
        event_id
    }

    /// Notes what a sample retailer sold between two counts.
    pub fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), SimulateError> {
        self.writer.sold(interval)
    }

    /// Hands on what has arrived, if the last time is long enough ago.
    pub fn flush_now_and_then(&mut self, now: i64) -> Result<(), SimulateError> {
        if now < self.flushed_at.saturating_add(FLUSH_EVERY_MS) {
            return Ok(());
        }
        self.flush_until(now)
    }

    /// Hands on everything that is still under way, and sums up.
    pub fn finish(mut self) -> Result<SimulationSummary, SimulateError> {
        self.flush_until(i64::MAX)?;
        Ok(self.writer.into_summary())
    }

    /// Hands on what arrives before `now`: nothing posted from `now` on can arrive earlier.
    fn flush_until(&mut self, now: i64) -> Result<(), SimulateError> {
        self.flushed_at = now;
        while self
            .under_way
            .peek()
            .is_some_and(|Reverse(record)| record.arrives_at < now)
        {
            let Some(Reverse(record)) = self.under_way.pop() else {
                break;
            };
            match &mut self.dirtier {
                Some(dirtier) if !record.is_settled => {
                    let fate = dirtier.decide(record, self.partitions);
                    self.settle(fate)?;
                }
                _ => self.writer.deliver(&record)?,
            }
        }
        Ok(())
    }

    fn settle(&mut self, fate: Fate) -> Result<(), SimulateError> {
        if let Some(record) = &fate.now {
            self.writer.deliver(record)?;
        }
        if let Some(mut record) = fate.later {
            self.posted += 1;
            record.number = self.posted;
            record.is_settled = true;
            self.under_way.push(Reverse(record));
        }
        Ok(())
    }

    /// A UUIDv7 of the instant at which the event happened.
    fn event_id(&mut self, occurred_at: i64) -> EventId {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&occurred_at.to_be_bytes()[2..]);
        id[6..8].copy_from_slice(&self.random.bits().to_be_bytes()[..2]);
        id[8..].copy_from_slice(&self.random.bits().to_be_bytes());
        id[6] = 0x70 | id[6] & 0x0f;
        id[8] = 0x80 | id[8] & 0x3f;
        id
    }
}

fn write_envelope(
    payload: &mut Payload,
    envelope: &Envelope<'_>,
    event_id: &EventId,
    recorded_at: i64,
) {
    payload
        .text("event_id", uuid_text(event_id).as_str())
        .text("event_type", envelope.event_type)
        .int("schema_version", 1)
        .int("occurred_at", envelope.occurred_at)
        .int("recorded_at", recorded_at)
        .text("source", envelope.source);
    match envelope.subject {
        Subject::Customer(id) => payload.text("customer_id", id),
        Subject::Staff(id) => payload.text("staff_id", id),
        // `day.closed` names its unit once, in the envelope.
        Subject::Unit(id) => payload.text("unit_id", id),
        Subject::Sku(_) => payload,
    };
    if let (Some(unit_id), false) = (
        envelope.unit_id,
        matches!(envelope.subject, Subject::Unit(_)),
    ) {
        payload.text("unit_id", unit_id);
    }
    payload
        .text_if("actor_id", envelope.actor_id)
        .text("actor_role", envelope.actor_role);
    if let Some(corrected) = &envelope.corrects {
        payload.text("corrects", uuid_text(corrected).as_str());
    }
}
