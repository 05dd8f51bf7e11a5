//! The desks that open cases and see them through their steps, day by day.

use schemas::event::Topic;
use schemas::time::DurationMs;

use super::case::SimulatedCase;
use super::intake::{Desk, Intake};
use crate::agenda::Action;
use crate::arrivals::{Envelope, Subject};
use crate::context::SimulationContext;
use crate::plan::Plan;
use crate::random::{RandomGenerator, Stream};
use crate::world::CustomerKind;

/// Customers per mille and day that open a case, send a message, receive a notice.
const CASES: u32 = 60;
const CASES_OF_OWNERS: u32 = 150;
const MESSAGES: u32 = 40;
const NOTICES: u32 = 120;
/// Complaints planted on the evening without notifications.
const SILENT_COMPLAINTS: u32 = 8;
/// Units that do not close their day, per mille.
const DAY_NOT_CLOSED: u32 = 20;

/// Opens and processes cases, exchanges messages, sends surveys.
pub(crate) struct ServiceDesk {
    pub(super) random: RandomGenerator,
    /// Randomness of surveys.
    pub(super) surveys: RandomGenerator,
    cases: u32,
    pub(super) conversations: u32,
    pub(super) invitations: u32,
    /// Complaints of the day by desk: the call centre, then the areas.
    heard: Vec<u32>,
}

impl ServiceDesk {
    pub(crate) fn new(plan: &Plan, areas: usize) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Cases),
            surveys: RandomGenerator::new(plan.seed, Stream::Surveys),
            cases: 0,
            conversations: 0,
            invitations: 0,
            heard: vec![0; areas + 1],
        }
    }

    /// Schedules the contacts of the day and posts its messages, notices and invitations.
    pub(crate) fn open_day(&mut self, context: &mut SimulationContext<'_, '_>) {
        let day = context.day;
        for (index, customer) in (0..).zip(&context.world.customers) {
            let rate = match customer.kind {
                CustomerKind::EquipmentOwner => CASES_OF_OWNERS,
                _ => CASES,
            };
            // One roll: a customer does at most one of these a day.
            let roll = self.random.below(1_000);
            if roll < rate {
                let at = day.at(8, 0) + self.random.minutes(0, 830);
                let is_planted = false;
                context.agenda.schedule(
                    at,
                    Action::Contact {
                        customer: index,
                        is_planted,
                    },
                );
            } else if roll < rate + MESSAGES {
                self.exchange_messages(context, index);
            } else if roll < rate + MESSAGES + NOTICES && day.is_working {
                self.notify(context, index);
            }
            self.invite_at_random(context, index);
        }
        self.plant_silent_complaints(context);
        context.agenda.schedule(day.at(17, 40), Action::CloseDay);
    }

    /// Schedules the complaints of the evening without notifications.
    fn plant_silent_complaints(&mut self, context: &mut SimulationContext<'_, '_>) {
        let Some(silence) = context.world.anomalies.silent_desk else {
            return;
        };
        if !(context.day.start..context.day.end).contains(&silence.from) {
            return;
        }
        for _ in 0..SILENT_COMPLAINTS {
            let customer = self.random.below(context.world.customers.len() as u32);
            let latest = silence.to - DurationMs::from_minutes(20) - silence.from;
            let at = silence.from + self.random.duration(DurationMs::ZERO, latest);
            context.agenda.schedule(
                at,
                Action::Contact {
                    customer,
                    is_planted: true,
                },
            );
        }
    }

    /// A customer contacts the distributor.
    pub(crate) fn contact(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        index: u32,
        is_planted: bool,
    ) {
        let customer = context.customer(index);
        let area = context.world.territory(customer).area;
        let intake = if is_planted {
            Intake::complaint_by_phone()
        } else {
            Intake::draw(customer, area, &mut self.random)
        };
        self.cases += 1;
        if intake.kind == "COMPLAINT" {
            self.heard[intake.desk.index()] += 1;
        }
        let case_id = format!("K{:08}", self.cases);
        let silence = context.world.anomalies.silent_desk;
        let is_silent = intake.desk == Desk::CallCentre
            && silence.is_some_and(|period| period.contains(context.now));
        // Notifications of the silent evening follow in the morning.
        let silent_until = is_silent.then(|| context.day.end + DurationMs::from_hours(8));
        let case = SimulatedCase::open(
            case_id,
            index,
            intake,
            context.now,
            silent_until,
            &mut self.random,
        );
        self.advance(context, Box::new(case));
    }

    /// Performs the next step of a case and schedules the one after it.
    pub(crate) fn advance(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        mut case: Box<SimulatedCase>,
    ) {
        let Some((_, step)) = case.remaining_steps.pop() else {
            return;
        };
        self.report(context, &case, step);
        if let Some((at, _)) = case.remaining_steps.last() {
            context.agenda.schedule(*at, Action::Case(case));
        }
    }

    /// Units report how many complaints they heard and logged today.
    pub(crate) fn close_day(&mut self, context: &mut SimulationContext<'_, '_>) {
        for (index, desk) in Desk::all(context.world).enumerate() {
            let heard = std::mem::take(&mut self.heard[index]);
            // The call centre works every day, the areas on working days.
            let is_open = desk == Desk::CallCentre || context.day.is_working;
            if !is_open || self.random.permille(DAY_NOT_CLOSED) {
                continue;
            }
            let logged = heard - u32::from(heard > 0 && self.random.permille(40));
            let left_over = heard / 4;
            let envelope = Envelope {
                topic: Topic::Complaints,
                event_type: "day.closed",
                occurred_at: context.now + self.random.minutes(0, 50),
                source: "CRM",
                subject: Subject::Unit(desk.unit_id(context.world)),
                actor_id: None,
                actor_role: "DUTY_STATION_MANAGER",
                unit_id: None,
                corrects: None,
            };
            let date = &context.day.date_text;
            context.arrivals.post(&envelope, |payload| {
                payload
                    .text("date", date)
                    .int("complaints_heard", i64::from(heard))
                    .int("logged", i64::from(logged))
                    .int("left_over", i64::from(left_over));
            });
        }
    }
}
