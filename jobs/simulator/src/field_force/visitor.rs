//! Who visits a customer, and what the visit is called.

use schemas::event::Topic;
use schemas::time::TimestampMs;

use crate::arrivals::Envelope;
use crate::context::{SimulationContext, about_customer};
use crate::world::{Customer, CustomerKind};

pub(super) fn visit_id(customer: u32, planned_day: u32) -> String {
    format!("V{:06}-{planned_day:04}", customer + 1)
}

/// An event that the customer's client manager (or key-account specialist) records in the field application.
pub(super) fn by_visitor<'e>(
    context: &SimulationContext<'e, '_>,
    customer: &'e Customer,
    event_type: &'static str,
    occurred_at: TimestampMs,
) -> Envelope<'e> {
    let area = context.world.area(customer);
    let mut envelope = about_customer(
        Topic::Visits,
        event_type,
        occurred_at,
        "FIELD_APP",
        customer,
    );
    envelope.unit_id = Some(&area.unit_id);
    if customer.kind == CustomerKind::KeyAccount {
        envelope.actor_id = Some(&area.key_account_specialist_id);
        envelope.actor_role = "KA_SPECIALIST";
    } else {
        envelope.actor_id = Some(&context.world.territory(customer).client_manager_id);
        envelope.actor_role = "CLIENT_MANAGER";
    }
    envelope
}
