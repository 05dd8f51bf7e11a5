//! Further activities of a visit: checks, changed particulars, trainings, assessments.

use schemas::time::{DurationMs, TimestampMs};

use super::FieldForce;
use super::visitor::by_visitor;
use crate::context::SimulationContext;
use crate::world::{CLASSES, Customer, CustomerKind};

/// Visits per mille with further activities.
const CLASS_CHECKED: u32 = 20;
const INFO_CHANGED: u32 = 8;
const INFO_UPDATED_IN_TIME: u32 = 900;
const TRAINED: u32 = 10;
const ASSESSED: u32 = 100;

impl FieldForce {
    pub(super) fn post_activities(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        customer: &Customer,
        id: &str,
        ended_at: TimestampMs,
    ) {
        let now = context.now;
        if self.random.permille(CLASS_CHECKED) {
            let recorded = CLASSES[usize::from(customer.class)];
            let is_right = self.random.permille(980);
            let verified = if is_right { recorded } else { "B" };
            let mut envelope = by_visitor(context, customer, "visit.class_checked", ended_at);
            envelope.actor_role = "MARKET_MANAGER";
            envelope.actor_id = Some(&context.world.area(customer).market_manager_id);
            context.arrivals.post(&envelope, |payload| {
                payload
                    .text("check_id", &format!("CK-{id}"))
                    .text("checker_role", "MARKET_MANAGER")
                    .list(
                        "dimensions",
                        [("CLASS", recorded, verified)],
                        |item, (name, recorded, verified)| {
                            item.text("dimension", name)
                                .text("recorded", recorded)
                                .text("verified", verified)
                                .flag("correct", recorded == verified);
                        },
                    );
            });
        }
        if self.random.permille(INFO_CHANGED) {
            self.change_info(context, customer, id, now);
        }
        if self.random.permille(TRAINED) {
            let envelope = by_visitor(context, customer, "visit.training_held", ended_at);
            let attended = self.random.permille(900);
            context.arrivals.post(&envelope, |payload| {
                payload
                    .text("training_plan_id", "TP-01")
                    .text("topic", "DISPLAY")
                    .flag("attended", attended);
            });
        }
        if customer.kind == CustomerKind::KeyAccount && self.random.permille(ASSESSED) {
            let envelope = by_visitor(context, customer, "visit.relationship_assessed", ended_at);
            let growth = self.random.between(-500, 1_500);
            context.arrivals.post(&envelope, |payload| {
                payload
                    .text("assessment_id", &format!("RA-{id}"))
                    .text("advice", "MAINTAIN")
                    .int("growth_rate_bp", growth)
                    .int("profit_rate_bp", 1_050);
            });
        }
    }

    fn change_info(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        customer: &Customer,
        id: &str,
        learned_at: TimestampMs,
    ) {
        let change_id = format!("CH-{id}");
        let envelope = by_visitor(context, customer, "visit.customer_info_changed", learned_at);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("change_id", &change_id)
                .instant("learned_at", learned_at)
                .texts("fields", ["business_type", "order_weekdays"]);
        });
        let in_time = self.random.permille(INFO_UPDATED_IN_TIME);
        let hours = if in_time {
            self.random.between(1, 9)
        } else {
            self.random.between(75, 120)
        };
        let updated_at = learned_at + DurationMs::from_hours(hours);
        let envelope = by_visitor(context, customer, "visit.customer_info_updated", updated_at);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("change_id", &change_id)
                .instant("updated_at", updated_at);
        });
    }
}
