//! Events between the systems that record them and the logs.
//!
//! An event is posted when it happens, arrives after the delay of its source, and is written in order of arrival.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use schemas::event::Topic;
use schemas::partition::partition_of;
use schemas::time::{DurationMs, TimestampMs};

use super::dirty::{FaultInjector, Injection};
use super::error::Error;
use super::payload::Payload;
use super::plan::{EventSink, Plan, SimulationSummary};
use super::random::{RandomGenerator, Stream};
use super::record::{SimulatedRecord, uuid_text};
use super::truth::SoldInterval;
use super::verdict::EventId;
use super::writer::RecordWriter;

/// The subject of a record: the id that is its Kafka key.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'s> {
    Customer(&'s str),
    Staff(&'s str),
    Unit(&'s str),
    /// Subject of a price; the fields of the event name the SKU.
    Sku(&'s str),
}

impl<'s> Subject<'s> {
    fn key(self) -> &'s str {
        match self {
            Self::Customer(id) | Self::Staff(id) | Self::Unit(id) | Self::Sku(id) => id,
        }
    }
}

/// Everything an event has beside the fields of its type.
pub(crate) struct Envelope<'e> {
    pub topic: Topic,
    pub event_type: &'static str,
    pub occurred_at: TimestampMs,
    pub source: &'static str,
    pub subject: Subject<'e>,
    pub actor_id: Option<&'e str>,
    pub actor_role: &'static str,
    pub unit_id: Option<&'e str>,
    pub corrects: Option<EventId>,
}

/// Where events are posted.
pub(crate) struct ArrivalQueue<'s> {
    in_flight: BinaryHeap<Reverse<SimulatedRecord>>,
    posted: u64,
    partitions: u32,
    random: RandomGenerator,
    fault_injector: Option<FaultInjector>,
    writer: RecordWriter<'s>,
    flushed_at: TimestampMs,
    /// End of the run, exclusive.
    ends_at: TimestampMs,
}

/// How often arrivals are written while a day is simulated.
const FLUSH_EVERY: DurationMs = DurationMs::from_minutes(5);

impl<'s> ArrivalQueue<'s> {
    pub(crate) fn new(plan: &Plan, ends_at: TimestampMs, sink: &'s mut dyn EventSink) -> Self {
        Self {
            in_flight: BinaryHeap::new(),
            posted: 0,
            partitions: plan.partitions,
            random: RandomGenerator::new(plan.seed, Stream::Envelopes),
            fault_injector: plan.dirty.then(|| FaultInjector::new(plan)),
            writer: RecordWriter::new(plan, sink),
            flushed_at: TimestampMs::MIN,
            ends_at,
        }
    }

    /// Posts an event, which arrives after the delay of its source; returns its id. Drops events after the end of the run.
    pub(crate) fn post(
        &mut self,
        envelope: &Envelope<'_>,
        fields: impl FnOnce(&mut Payload),
    ) -> EventId {
        // A correction is recorded after the event that it corrects, within the same bound. Delays in ms.
        let (least, most) = match (envelope.topic, envelope.corrects) {
            (Topic::Orders, None) => (200, 20_000),
            (Topic::Orders, Some(_)) => (25_000, 55_000),
            (Topic::Complaints, _) => (50, 1_900),
            (_, None) => (5_000, 240_000),
            (_, Some(_)) => (300_000, 540_000),
        };
        let delay = DurationMs::from_ms(self.random.between(least, most));
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
        self.in_flight.push(Reverse(SimulatedRecord {
            topic: envelope.topic,
            event_type: envelope.event_type,
            partition: partition_of(key.as_bytes(), self.partitions),
            key: key.into(),
            event_id,
            occurred_at: envelope.occurred_at,
            arrives_at: recorded_at,
            payload: payload.close(),
            is_settled: self.fault_injector.is_none(),
            flaw: None,
            number: self.posted,
        }));
        event_id
    }

    /// Writes the true sales of a sample retailer between two counts.
    pub(crate) fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), Error> {
        self.writer.sold(interval)
    }

    /// Writes what has arrived, if the last time is long enough ago.
    pub(crate) fn flush_if_due(&mut self, now: TimestampMs) -> Result<(), Error> {
        if now < self.flushed_at + FLUSH_EVERY {
            return Ok(());
        }
        self.flush_until(now)
    }

    /// Writes everything that has not arrived yet, and returns the totals.
    pub(crate) fn finish(mut self) -> Result<SimulationSummary, Error> {
        self.flush_until(TimestampMs::MAX)?;
        Ok(self.writer.into_summary())
    }

    /// Writes what arrives before `now`: nothing posted from `now` on can arrive earlier.
    fn flush_until(&mut self, now: TimestampMs) -> Result<(), Error> {
        self.flushed_at = now;
        while self
            .in_flight
            .peek()
            .is_some_and(|Reverse(record)| record.arrives_at < now)
        {
            let Some(Reverse(record)) = self.in_flight.pop() else {
                break;
            };
            match &mut self.fault_injector {
                Some(fault_injector) if !record.is_settled => {
                    let injection = fault_injector.process(record, self.partitions);
                    self.settle(injection)?;
                }
                _ => self.writer.deliver(&record)?,
            }
        }
        Ok(())
    }

    fn settle(&mut self, injection: Injection) -> Result<(), Error> {
        if let Some(record) = &injection.now {
            self.writer.deliver(record)?;
        }
        if let Some(mut record) = injection.later {
            self.posted += 1;
            record.number = self.posted;
            record.is_settled = true;
            self.in_flight.push(Reverse(record));
        }
        Ok(())
    }

    /// A UUIDv7 with the instant of the event.
    fn event_id(&mut self, occurred_at: TimestampMs) -> EventId {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&occurred_at.as_ms().to_be_bytes()[2..]);
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
    recorded_at: TimestampMs,
) {
    payload
        .text("event_id", uuid_text(event_id).as_str())
        .text("event_type", envelope.event_type)
        .int("schema_version", 1)
        .instant("occurred_at", envelope.occurred_at)
        .instant("recorded_at", recorded_at)
        .text("source", envelope.source);
    match envelope.subject {
        Subject::Customer(id) => payload.text("customer_id", id),
        Subject::Staff(id) => payload.text("staff_id", id),
        // `day.closed` has one `unit_id`, its key.
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
