//! What everybody who acts in a simulation has at hand.

use super::agenda::Agenda;
use super::arrivals::{ArrivalQueue, Envelope, Subject};
use super::days::SimulatedDay;
use super::plan::SimTopic;
use super::shelves::Shelves;
use super::world::{Customer, World};

/// The world, the hour, and the ways to act.
pub(super) struct SimulationContext<'a, 's> {
    pub world: &'a World,
    pub day: &'a SimulatedDay,
    pub now: i64,
    pub agenda: &'a mut Agenda,
    pub arrivals: &'a mut ArrivalQueue<'s>,
    pub shelves: &'a mut Shelves,
}

impl<'a> SimulationContext<'a, '_> {
    pub fn customer(&self, index: u32) -> &'a Customer {
        &self.world.customers[index as usize]
    }
}

/// An envelope for an event about a customer, acted by the system; callers override what differs.
pub(super) fn about_customer<'e>(
    topic: SimTopic,
    event_type: &'static str,
    occurred_at: i64,
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
