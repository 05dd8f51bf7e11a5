//! When customers are visited.

use schemas::time::DurationMs;

use super::visitor::{by_visitor, visit_id};
use crate::agenda::Action;
use crate::context::SimulationContext;
use crate::plan::Plan;
use crate::random::{RandomGenerator, Stream};
use crate::shelves::instant_of_count;
use crate::world::{Customer, CustomerKind};

/// Visits of sample retailers that miss the limit of Thursday, per mille.
const AFTER_THURSDAY: u32 = 25;

/// When a planned visit may take place, from local midnight.
pub(super) const WINDOW_START: DurationMs = DurationMs::from_hours(8);
pub(super) const WINDOW_END: DurationMs = DurationMs::from_minutes(16 * 60 + 30);

/// Plans and performs visits.
pub(crate) struct FieldForce {
    pub(super) random: RandomGenerator,
}

impl FieldForce {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Field),
        }
    }

    /// Schedules the visits of the day, plans those of the next working day, and posts reports of staff.
    pub(crate) fn open_day(&mut self, context: &mut SimulationContext<'_, '_>) {
        let day = context.day;
        if !day.is_working {
            return;
        }
        let ahead = day.next_working.days_ahead;
        let next_weekday = (day.weekday + ahead) % 7;
        for (index, customer) in context.world.customers.iter().enumerate() {
            if customer.kind == CustomerKind::EquipmentOwner {
                continue;
            }
            let customer_index = index as u32;
            if customer.visit_weekday == next_weekday {
                let at = day.at(16, 30) + self.random.minutes(0, 80);
                let action = Action::PlanVisit {
                    customer: customer_index,
                    planned_day: day.number + ahead,
                };
                context.agenda.schedule(at, action);
            }
            if customer.visit_weekday == day.weekday {
                let squeezed = context.world.anomalies.squeezed == Some(customer_index);
                let is_late =
                    customer.is_sample && !squeezed && self.random.permille(AFTER_THURSDAY);
                let shift = DurationMs::from_days(if is_late { 2 } else { 0 });
                self.schedule_visit(context, customer_index, day.number, shift);
            }
        }
        self.report_staff(context);
    }

    pub(super) fn schedule_visit(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        customer: u32,
        planned_day: u32,
        shift: DurationMs,
    ) {
        let at = context.day.at(8, 10) + self.random.minutes(0, 440) + shift;
        context.agenda.schedule(
            instant_of_count(at),
            Action::Visit {
                customer,
                planned_day,
            },
        );
    }

    /// A visit is announced the working day before.
    pub(crate) fn plan_visit(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        index: u32,
        planned_day: u32,
    ) {
        let customer = context.customer(index);
        let midnight = context.day.next_working.start;
        let envelope = by_visitor(context, customer, "visit.planned", context.now);
        let purpose = purpose(customer);
        let place = if customer.kind == CustomerKind::KeyAccount {
            "OFFICE"
        } else {
            "SHOP"
        };
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("visit_id", &visit_id(index, planned_day))
                .text_if("visitor_id", envelope.actor_id)
                .instant("window_start", midnight + WINDOW_START)
                .instant("window_end", midnight + WINDOW_END)
                .text("purpose", purpose)
                .text("place_kind", place);
        });
    }
}

fn purpose(customer: &Customer) -> &'static str {
    match customer.kind {
        CustomerKind::KeyAccount => "KEY_ACCOUNT",
        _ if customer.is_sample => "INFO_COLLECTION",
        _ => "ROUTINE",
    }
}
