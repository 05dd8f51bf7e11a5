//! A visit: whether it takes place, and its results.

use schemas::time::{DurationMs, TimestampMs};

use super::FieldForce;
use super::schedule::{WINDOW_END, WINDOW_START};
use super::visitor::{by_visitor, visit_id};
use crate::context::SimulationContext;
use crate::error::Error;
use crate::prices::PriceDesk;
use crate::world::Customer;

/// Visits per mille that are missed, rescheduled by a day, or cancelled.
const MISSED: u32 = 12;
const RESCHEDULED: u32 = 12;
const CANCELLED: u32 = 10;
/// Visits per mille with feedback of the customer.
const FEEDBACK: u32 = 100;

impl FieldForce {
    /// A visit with all its activities.
    pub(crate) fn visit(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        prices: &mut PriceDesk,
        index: u32,
        planned_day: u32,
    ) -> Result<(), Error> {
        let customer = context.customer(index);
        let id = visit_id(index, planned_day);
        if context.world.anomalies.squeezed != Some(index)
            && !self.takes_place(context, customer, &id, index, planned_day)
        {
            return Ok(());
        }
        let ended_at = context.now + self.random.minutes(15, 45);
        let started = by_visitor(context, customer, "visit.started", context.now);
        let (in_territory, ride_along) = (self.random.permille(995), self.random.permille(20));
        context.arrivals.post(&started, |payload| {
            payload
                .text("visit_id", &id)
                .text_if("visitor_id", started.actor_id)
                .flag("in_territory", in_territory)
                .flag("ride_along", ride_along);
        });
        if customer.is_sample {
            self.collect(context, prices, index, planned_day)?;
        }
        self.post_activities(context, customer, &id, ended_at);
        self.complete(context, customer, &id, ended_at);
        Ok(())
    }

    /// Whether the visit takes place; if not, an event says so unless the visit is missed.
    fn takes_place(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        customer: &Customer,
        id: &str,
        index: u32,
        planned_day: u32,
    ) -> bool {
        let event_type = match self.random.below(1_000) {
            roll if roll < MISSED => return false,
            roll if roll < MISSED + RESCHEDULED => "visit.rescheduled",
            roll if roll < MISSED + RESCHEDULED + CANCELLED => "visit.cancelled",
            _ => return true,
        };
        let is_rescheduled = event_type == "visit.rescheduled";
        let envelope = by_visitor(context, customer, event_type, context.now);
        let tomorrow = context.day.end;
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("visit_id", id)
                .text("reason", "CUSTOMER_ABSENT");
            if is_rescheduled {
                payload
                    .instant("window_start", tomorrow + WINDOW_START)
                    .instant("window_end", tomorrow + WINDOW_END);
            }
        });
        if is_rescheduled {
            self.schedule_visit(context, index, planned_day, DurationMs::DAY);
        }
        false
    }

    fn complete(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        customer: &Customer,
        id: &str,
        ended_at: TimestampMs,
    ) {
        let envelope = by_visitor(context, customer, "visit.completed", ended_at);
        let plan_item = self.random.pick(&[
            "FIRST_VISIT",
            "SOLVE_PROBLEM",
            "BUILD_RELATION",
            "BUILD_RELATION",
        ]);
        let result = self.random.weighted(&[
            (70, "SUCCESS"),
            (15, "HOPEFUL"),
            (10, "REVISIT"),
            (2, "HOPELESS"),
            (3, "WATCH"),
        ]);
        let (solved, open) = (self.random.below(3), u32::from(self.random.permille(100)));
        let gives_feedback = self.random.permille(FEEDBACK);
        let category = self
            .random
            .pick(&["ALLOCATION_SUPPLY", "PRICE", "DELIVERY", "OTHER"]);
        context.arrivals.post(&envelope, |payload| {
            payload
                .text("visit_id", id)
                .instant("ended_at", ended_at)
                .text("plan_item", plan_item)
                .text("result", result)
                .int("problems_solved", i64::from(solved))
                .int("problems_open", i64::from(open))
                .int("companions", 0);
            if gives_feedback {
                payload.list("feedback", [category], |item, category| {
                    item.text("category", category)
                        .text("free_text", "希望多投放\"紧俏\"品规");
                });
            }
        });
    }
}
