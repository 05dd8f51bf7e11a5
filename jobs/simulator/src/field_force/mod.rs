//! Visits of client managers, and the data they collect at sample retailers.

mod collection;
mod staff;

use schemas::event::Topic;
use schemas::time::{DurationMs, TimestampMs};

use super::agenda::Action;
use super::arrivals::Envelope;
use super::context::{SimulationContext, about_customer};
use super::error::Error;
use super::plan::Plan;
use super::prices::PriceDesk;
use super::random::{RandomGenerator, Stream};
use super::shelves::instant_of_count;
use super::world::{CLASSES, Customer, CustomerKind};

/// Visits per mille that are missed, rescheduled by a day, or cancelled.
const MISSED: u32 = 12;
const RESCHEDULED: u32 = 12;
const CANCELLED: u32 = 10;
/// Visits of sample retailers that miss the limit of Thursday, per mille.
const AFTER_THURSDAY: u32 = 25;
/// Visits per mille with further activities.
const CLASS_CHECKED: u32 = 20;
const INFO_CHANGED: u32 = 8;
const INFO_UPDATED_IN_TIME: u32 = 900;
const TRAINED: u32 = 10;
const ASSESSED: u32 = 100;
const FEEDBACK: u32 = 100;

/// When a planned visit may take place, from local midnight.
const WINDOW_START: DurationMs = DurationMs::from_hours(8);
const WINDOW_END: DurationMs = DurationMs::from_minutes(16 * 60 + 30);

/// Plans and performs visits.
pub(crate) struct FieldForce {
    pub(crate) random: RandomGenerator,
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

    fn schedule_visit(
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

    fn post_activities(
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

fn visit_id(customer: u32, planned_day: u32) -> String {
    format!("V{:06}-{planned_day:04}", customer + 1)
}

fn purpose(customer: &Customer) -> &'static str {
    match customer.kind {
        CustomerKind::KeyAccount => "KEY_ACCOUNT",
        _ if customer.is_sample => "INFO_COLLECTION",
        _ => "ROUTINE",
    }
}

/// An event that the customer's client manager (or key-account specialist) records in the field application.
fn by_visitor<'e>(
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
