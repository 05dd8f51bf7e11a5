//! Messages of customers with their replies, and notices to customers.

use schemas::event::Topic;
use schemas::time::DurationMs;

use super::ServiceDesk;
use super::intake::Desk;
use crate::context::{SimulationContext, about_customer};

/// Messages answered within a minute, per mille.
const REPLIED_IN_TIME: u32 = 930;

impl ServiceDesk {
    pub(super) fn exchange_messages(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        index: u32,
    ) {
        let customer = context.customer(index);
        let unit = Desk::Area(context.world.territory(customer).area);
        self.conversations += 1;
        let conversation_id = format!("IM{:07}", self.conversations);
        let received_at = context.day.at(8, 0) + self.random.minutes(0, 780);
        let in_time = self.random.permille(REPLIED_IN_TIME);
        let wait = DurationMs::from_secs(if in_time {
            self.random.between(8, 55)
        } else {
            self.random.between(65, 900)
        });
        for (event_type, at, field, role) in [
            ("im.received", received_at, "message_at", "CUSTOMER"),
            ("im.replied", received_at + wait, "replied_at", "CALL_AGENT"),
        ] {
            let mut envelope =
                about_customer(Topic::Complaints, event_type, at, "CALL_CENTRE", customer);
            envelope.actor_role = role;
            envelope.unit_id = Some(unit.unit_id(context.world));
            context.arrivals.post(&envelope, |payload| {
                payload
                    .text("conversation_id", &conversation_id)
                    .instant(field, at);
            });
        }
    }

    pub(super) fn notify(&mut self, context: &mut SimulationContext<'_, '_>, index: u32) {
        let customer = context.customer(index);
        let at = context.day.at(9, 0) + self.random.minutes(0, 480);
        let mut envelope =
            about_customer(Topic::Complaints, "contact.outbound", at, "CRM", customer);
        envelope.unit_id = Some(&context.world.area(customer).unit_id);
        envelope.actor_role = "CLIENT_MANAGER";
        let kind = self.random.weighted(&[
            (50, "ARRIVAL_NOTICE"),
            (25, "NEWS"),
            (15, "STRATEGY"),
            (10, "CARE"),
        ]);
        let channel = self.random.pick(&["IM_GROUP", "SMS", "PLATFORM"]);
        let reached = self.random.permille(900);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("contact_kind", kind)
                .text("channel", channel)
                .flag("reached", reached);
        });
    }
}
