//! What every actor of a simulation has access to.

use schemas::event::Topic;
use schemas::time::TimestampMs;

use super::agenda::Agenda;
use super::arrivals::{ArrivalQueue, Envelope, Subject};
use super::days::SimulatedDay;
use super::shelves::Shelves;
use super::world::{Customer, World};

/// The world, the current instant, and what an actor may change.
pub(crate) struct SimulationContext<'a, 's> {
    pub world: &'a World,
    pub day: &'a SimulatedDay,
    pub now: TimestampMs,
    pub agenda: &'a mut Agenda,
    pub arrivals: &'a mut ArrivalQueue<'s>,
    pub shelves: &'a mut Shelves,
}

impl<'a> SimulationContext<'a, '_> {
    pub(crate) fn customer(&self, index: u32) -> &'a Customer {
        &self.world.customers[index as usize]
    }
}

/// An envelope for an event about a customer, with the system as actor; callers override what differs.
pub(crate) fn about_customer<'e>(
    topic: Topic,
    event_type: &'static str,
    occurred_at: TimestampMs,
    source: &'static str,
    customer: &'e Customer,
) -> Envelope<'e> {
    Envelope {
        topic,
        event_type,
        occurred_at,
        source,
        subject: Subject::Customer(&customer.customer_id),
        actor_id: None,
        actor_role: "SYSTEM",
        unit_id: None,
        corrects: None,
    }
}
