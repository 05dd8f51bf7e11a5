//! Client managers on their rounds: planned visits, and what they collect at sample retailers.

mod collection;
mod staff;

use super::agenda::Action;
use super::days::{DAY_MS, MINUTE_MS};
use super::dice::{Dice, Stream};
use super::outbox::Envelope;
use super::plan::{Plan, SimTopic, SimulateError};
use super::prices::PriceDesk;
use super::scene::{Scene, about_customer};
use super::world::{CLASSES, Customer, CustomerKind};

/// Visits per mille that do not take place, are put off by a day, or are cancelled.
const MISSED: u32 = 12;
const PUT_OFF: u32 = 12;
const CANCELLED: u32 = 10;
/// Visits of sample retailers that come too late for Thursday, per mille.
const AFTER_THURSDAY: u32 = 25;
/// Visits per mille at which something else is done.
const CLASS_CHECKED: u32 = 20;
const INFO_CHANGED: u32 = 8;
const INFO_UPDATED_IN_TIME: u32 = 900;
const TRAINED: u32 = 10;
const ASSESSED: u32 = 100;
const FEEDBACK: u32 = 100;

/// Plans visits and pays them.
pub(super) struct FieldForce {
    pub(super) dice: Dice,
}

impl FieldForce {
    pub fn new(plan: &Plan) -> Self {
        Self {
            dice: Dice::new(plan.seed, Stream::Field),
        }
    }

    /// Schedules the day's visits, plans those of the next working day, and lets staff sign in.
    pub fn open_day(&mut self, scene: &mut Scene<'_, '_>) {
        let day = scene.day;
        if !day.is_working {
            return;
        }
        let ahead = day.next_working.days_ahead;
        let next_weekday = (day.weekday + ahead) % 7;
        for (index, customer) in scene.world.customers.iter().enumerate() {
            if customer.kind == CustomerKind::EquipmentOwner {
                continue;
            }
            let customer_index = index as u32;
            if customer.visit_weekday == next_weekday {
                let at = day.at(16, 30) + self.dice.minutes(0, 80);
                let action = Action::PlanVisit {
                    customer: customer_index,
                    planned_day: day.number + ahead,
                };
                scene.agenda.schedule(at, action);
            }
            if customer.visit_weekday == day.weekday {
                let squeezed = scene.world.anomalies.squeezed == Some(customer_index);
                let is_late = customer.is_sample && !squeezed && self.dice.permille(AFTER_THURSDAY);
                let shift = if is_late { 2 * DAY_MS } else { 0 };
                self.schedule_visit(scene, customer_index, day.number, shift);
            }
        }
        self.report_staff(scene);
    }

    fn schedule_visit(
        &mut self,
        scene: &mut Scene<'_, '_>,
        customer: u32,
        planned_day: u32,
        shift: i64,
    ) {
        // Counts fall on odd milliseconds and movements of stock on even ones, so which came first is never open.
        let at = (scene.day.at(8, 10) + self.dice.minutes(0, 440) + shift) | 1;
        scene.agenda.schedule(
            at,
            Action::Visit {
                customer,
                planned_day,
            },
        );
    }

    /// A visit is announced the working day before.
    pub fn plan_visit(&mut self, scene: &mut Scene<'_, '_>, index: u32, planned_day: u32) {
        let customer = scene.customer(index);
        let midnight = scene.day.next_working.start_ms;
        let envelope = by_visitor(scene, customer, "visit.planned", scene.now);
        let purpose = purpose(customer);
        let place = if customer.kind == CustomerKind::KeyAccount {
            "OFFICE"
        } else {
            "SHOP"
        };
        scene.outbox.post(&envelope, |payload| {
            payload
                .text("visit_id", &visit_id(index, planned_day))
                .text_if("visitor_id", envelope.actor_id)
                .int("window_start", midnight + 8 * 60 * MINUTE_MS)
                .int("window_end", midnight + 990 * MINUTE_MS)
                .text("purpose", purpose)
                .text("place_kind", place);
        });
    }

    /// A visit, with everything that is done on the spot.
    pub fn visit(
        &mut self,
        scene: &mut Scene<'_, '_>,
        prices: &mut PriceDesk,
        index: u32,
        planned_day: u32,
    ) -> Result<(), SimulateError> {
        let customer = scene.customer(index);
        let id = visit_id(index, planned_day);
        if scene.world.anomalies.squeezed != Some(index)
            && !self.takes_place(scene, customer, &id, index, planned_day)
        {
            return Ok(());
        }
        let ended_at = scene.now + self.dice.minutes(15, 45);
        let started = by_visitor(scene, customer, "visit.started", scene.now);
        let (in_territory, ride_along) = (self.dice.permille(995), self.dice.permille(20));
        scene.outbox.post(&started, |payload| {
            payload
                .text("visit_id", &id)
                .text_if("visitor_id", started.actor_id)
                .flag("in_territory", in_territory)
                .flag("ride_along", ride_along);
        });
        if customer.is_sample {
            self.collect(scene, prices, index, planned_day)?;
        }
        self.do_the_rest(scene, customer, &id, ended_at);
        self.complete(scene, customer, &id, ended_at);
        Ok(())
    }

    /// Whether the visitor comes; if not, says so unless it is forgotten.
    fn takes_place(
        &mut self,
        scene: &mut Scene<'_, '_>,
        customer: &Customer,
        id: &str,
        index: u32,
        planned_day: u32,
    ) -> bool {
        let event_type = match self.dice.below(1_000) {
            roll if roll < MISSED => return false,
            roll if roll < MISSED + PUT_OFF => "visit.rescheduled",
            roll if roll < MISSED + PUT_OFF + CANCELLED => "visit.cancelled",
            _ => return true,
        };
        let is_put_off = event_type == "visit.rescheduled";
        let envelope = by_visitor(scene, customer, event_type, scene.now);
        let tomorrow = scene.day.end_ms;
        scene.outbox.post(&envelope, |payload| {
            payload
                .text("visit_id", id)
                .text("reason", "CUSTOMER_ABSENT");
            if is_put_off {
                payload
                    .int("window_start", tomorrow + 480 * MINUTE_MS)
                    .int("window_end", tomorrow + 990 * MINUTE_MS);
            }
        });
        if is_put_off {
            self.schedule_visit(scene, index, planned_day, DAY_MS);
        }
        false
    }

    fn complete(
        &mut self,
        scene: &mut Scene<'_, '_>,
        customer: &Customer,
        id: &str,
        ended_at: i64,
    ) {
        let envelope = by_visitor(scene, customer, "visit.completed", ended_at);
        let plan_item = self.dice.pick(&[
            "FIRST_VISIT",
            "SOLVE_PROBLEM",
            "BUILD_RELATION",
            "BUILD_RELATION",
        ]);
        let result = self.dice.weighted(&[
            (70, "SUCCESS"),
            (15, "HOPEFUL"),
            (10, "REVISIT"),
            (2, "HOPELESS"),
            (3, "WATCH"),
        ]);
        let (solved, open) = (self.dice.below(3), u32::from(self.dice.permille(100)));
        let gives_feedback = self.dice.permille(FEEDBACK);
        let category = self
            .dice
            .pick(&["ALLOCATION_SUPPLY", "PRICE", "DELIVERY", "OTHER"]);
        scene.outbox.post(&envelope, |payload| {
            payload
                .text("visit_id", id)
                .int("ended_at", ended_at)
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

    fn do_the_rest(
        &mut self,
        scene: &mut Scene<'_, '_>,
        customer: &Customer,
        id: &str,
        ended_at: i64,
    ) {
        let now = scene.now;
        if self.dice.permille(CLASS_CHECKED) {
            let recorded = CLASSES[usize::from(customer.class)];
            let is_right = self.dice.permille(980);
            let verified = if is_right { recorded } else { "B" };
            let mut envelope = by_visitor(scene, customer, "visit.class_checked", ended_at);
            envelope.actor_role = "MARKET_MANAGER";
            envelope.actor_id = Some(&scene.world.area(customer).market_manager_id);
            scene.outbox.post(&envelope, |payload| {
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
        if self.dice.permille(INFO_CHANGED) {
            self.change_info(scene, customer, id, now);
        }
        if self.dice.permille(TRAINED) {
            let envelope = by_visitor(scene, customer, "visit.training_held", ended_at);
            let attended = self.dice.permille(900);
            scene.outbox.post(&envelope, |payload| {
                payload
                    .text("training_plan_id", "TP-01")
                    .text("topic", "DISPLAY")
                    .flag("attended", attended);
            });
        }
        if customer.kind == CustomerKind::KeyAccount && self.dice.permille(ASSESSED) {
            let envelope = by_visitor(scene, customer, "visit.relationship_assessed", ended_at);
            let growth = self.dice.between(-500, 1_500);
            scene.outbox.post(&envelope, |payload| {
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
        scene: &mut Scene<'_, '_>,
        customer: &Customer,
        id: &str,
        learned_at: i64,
    ) {
        let change_id = format!("CH-{id}");
        let envelope = by_visitor(scene, customer, "visit.customer_info_changed", learned_at);
        scene.outbox.post(&envelope, |payload| {
            payload
                .text("change_id", &change_id)
                .int("learned_at", learned_at)
                .texts("fields", ["business_type", "order_weekdays"]);
        });
        let in_time = self.dice.permille(INFO_UPDATED_IN_TIME);
        let hours = if in_time {
            self.dice.between(1, 9)
        } else {
            self.dice.between(75, 120)
        };
        let updated_at = learned_at + hours * 60 * MINUTE_MS;
        let envelope = by_visitor(scene, customer, "visit.customer_info_updated", updated_at);
        scene.outbox.post(&envelope, |payload| {
            payload
                .text("change_id", &change_id)
                .int("updated_at", updated_at);
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
    scene: &Scene<'e, '_>,
    customer: &'e Customer,
    event_type: &'static str,
    occurred_at: i64,
) -> Envelope<'e> {
    let area = scene.world.area(customer);
    let mut envelope = about_customer(
        SimTopic::Visits,
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
        envelope.actor_id = Some(&scene.world.territory(customer).client_manager_id);
        envelope.actor_role = "CLIENT_MANAGER";
    }
    envelope
}
